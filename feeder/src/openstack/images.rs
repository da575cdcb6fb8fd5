//! Glance: images.

use chrono::DateTime;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    catalog::below,
    cloud::Cloud,
    gpus::any_yes,
    tolerant::{item, said, text},
};
use crate::{
    inventory::Accelerators,
    reading::{Fault, Item},
};

/// Shared images whose members are asked for at once; the provider's own bound holds besides.
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
struct Image {
    id: String,
    #[serde(default, deserialize_with = "text")]
    name: String,
    #[serde(default, deserialize_with = "text")]
    status: String,
    #[serde(default, deserialize_with = "text")]
    visibility: String,
    #[serde(default, deserialize_with = "text")]
    owner: String,
    #[serde(default)]
    tags: Vec<String>,
    /// Properties of the image, `os_distro` and whatever else the site gives it.
    #[serde(flatten)]
    properties: Map<String, Value>,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    member_id: String,
    #[serde(default, deserialize_with = "text")]
    status: String,
}

/// All active images that the project is offered: public ones, its own, and those that others share with it and it
/// has accepted. Community images of others are not offered in OpenStack's lists, and are not here either.
pub(super) async fn images(cloud: &Cloud<'_>, glance: &Url) -> Result<Vec<Item>, Fault> {
    let tags = &cloud.connection.image_tags;
    let mut url = below(glance, &["images"]);
    url.query_pairs_mut().append_pair("status", "active").extend_pairs(tags.iter().map(|tag| ("tag", tag)));
    let found: Vec<Image> = cloud.list(&url, "images", &[]).await?;
    // asked for already, but a filter that a service does not know must not let everything through
    let wanted = found
        .into_iter()
        .filter(|image| image.status == "active" && tags.iter().all(|tag| image.tags.contains(tag)));
    let items = stream::iter(wanted).map(|image| details(cloud, glance, image)).buffered(AT_ONCE);
    items.try_filter_map(|item| async { Ok(item) }).try_collect().await
}

/// The item of an image; none when it belongs to other projects.
async fn details(cloud: &Cloud<'_>, glance: &Url, image: Image) -> Result<Option<Item>, Fault> {
    let projects = match image.visibility.as_str() {
        "private" => Some(vec![image.owner.clone()]),
        "shared" => Some(owner_and_members(cloud, glance, &image).await?),
        _ => None,
    };
    let usable = projects.as_ref().is_none_or(|projects| projects.contains(&cloud.connection.project_id));
    Ok(usable.then(|| document(image, projects.as_deref(), &cloud.connection.site.accelerators)))
}

/// The owner, and the members that have accepted. Who is only a member sees no other member; where members may not
/// be seen at all, this project is one, since it sees the image.
async fn owner_and_members(cloud: &Cloud<'_>, glance: &Url, image: &Image) -> Result<Vec<String>, Fault> {
    let mut projects = vec![image.owner.clone()];
    match cloud.get::<Members>(&below(glance, &["images", &image.id, "members"])).await {
        Ok(Members { members }) => {
            let accepted = members.into_iter().filter(|member| member.status == "accepted");
            projects.extend(accepted.map(|member| member.member_id));
        }
        Err(refused) if matches!(refused.status, Some(403 | 404)) => {
            projects.push(cloud.connection.project_id.clone());
        }
        Err(refused) => return Err(refused.into()),
    }
    projects.retain(|project| !project.is_empty());
    projects.sort();
    projects.dedup();
    Ok(projects)
}

fn document(image: Image, projects: Option<&[String]>, names: &Accelerators) -> Item {
    let Image { id, name, mut tags, properties, .. } = image;
    // Glance gives them in any order
    tags.sort();
    let text = |name| said(&properties, name);
    item(json!({
        "name": if name.is_empty() { &id } else { &name },
        "uuid": id,
        "description": text("description").unwrap_or_default(),
        "os_type": text("os_type").and_then(os_type),
        "os_distro": text("os_distro"),
        "os_version": text("os_version"),
        "architecture": text("architecture"),
        "kernel_id": text("kernel_id"),
        "cuda_support": any_yes(&properties, &names.image_cuda),
        "gpu_driver": any_yes(&properties, &names.image_gpu_driver),
        "created_at": text("created_at").filter(|time| DateTime::parse_from_rfc3339(time).is_ok()),
        "tags": tags,
        "is_shared": projects.is_none(),
        "projects": projects,
    }))
}

/// The registry's word for Glance's `os_type`.
fn os_type(glance: &str) -> Option<&'static str> {
    match glance.to_ascii_lowercase().as_str() {
        "linux" => Some("Linux"),
        "windows" => Some("Windows"),
        "macos" | "darwin" => Some("MacOS"),
        _ => None,
    }
}
