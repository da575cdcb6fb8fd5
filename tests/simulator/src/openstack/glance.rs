//! Glance: images and their members.

use super::{Member, reply, stable_id};
use crate::model::{Image, Visibility};
use crate::query::{Query, page};
use crate::site::Sites;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

/// What Glance gives unasked (`limit_param_default`).
const USUAL: usize = 25;

pub(super) fn router() -> Router<Sites> {
    const V: &str = "/{site}/{region}/image/v2";
    Router::new()
        .route(&format!("{V}/images"), get(images))
        .route(&format!("{V}/images/{{id}}"), get(one))
        .route(&format!("{V}/images/{{id}}/members"), get(members))
}

/// What an image is to a project.
fn accepted(image: &Image, project: &str) -> Option<bool> {
    image.members.iter().find(|(id, _)| id == project).map(|(_, accepted)| *accepted)
}

/// In a list, by Glance's rules: without `visibility` a member does not see the community images of others, and of
/// shared ones those it has accepted (`member_status`: `accepted`, `pending`, `all`).
fn listed(image: &Image, project: &str, query: &Query) -> bool {
    let own = image.owner == project;
    let status = query.get("member_status").unwrap_or("accepted");
    let shared_with = accepted(image, project).is_some_and(|accepted| match status {
        "all" => true,
        "pending" => !accepted,
        _ => accepted,
    });
    let visibility = query.get("visibility");
    let seen = match image.visibility {
        Visibility::Public => true,
        Visibility::Private => own,
        Visibility::Shared => own || shared_with,
        Visibility::Community => own || matches!(visibility, Some("community" | "all")),
    };
    let asked = match visibility {
        None | Some("all") => true,
        Some(wanted) => image.visibility.as_str() == wanted,
    };
    let matches = |name: &str, value: &str| query.get(name).is_none_or(|wanted| wanted == value);
    seen && asked
        && matches("status", status_of(image))
        && matches("name", &image.name)
        && matches("owner", &image.owner)
        && matches("os_distro", &image.os_distro)
        && query.all("tag").all(|tag| image.tags.iter().any(|own| own == tag))
}

fn status_of(image: &Image) -> &'static str {
    if image.active { "active" } else { "deactivated" }
}

fn as_json(image: &Image) -> Value {
    let mut out = json!({
        "os_distro": image.os_distro, "os_version": image.os_version, "os_type": "linux", "architecture": "x86_64",
        "hw_disk_bus": "virtio",
    });
    if image.cuda {
        out["cuda_support"] = "True".into();
        out["gpu_driver"] = "True".into();
        out["gpu_driver_version"] = "550.54".into();
    }
    let checksum = stable_id(&[&image.id]);
    let more = json!({
        "name": image.name, "disk_format": "qcow2", "container_format": "bare",
        "visibility": image.visibility.as_str(), "size": 2_361_393_152_u64, "virtual_size": 10_737_418_240_u64,
        "status": status_of(image), "checksum": checksum, "protected": false, "min_ram": 256, "min_disk": 1,
        "owner": image.owner, "os_hidden": false, "os_hash_algo": "sha512", "os_hash_value": checksum.repeat(4),
        "id": image.id, "created_at": image.created_at, "updated_at": image.created_at, "tags": image.tags,
        "self": format!("/v2/images/{}", image.id), "file": format!("/v2/images/{}/file", image.id),
        "schema": "/v2/schemas/image", "stores": "file",
    });
    if let (Some(out), Value::Object(more)) = (out.as_object_mut(), more) {
        out.extend(more);
    }
    out
}

/// Glance says what is wrong in HTML.
fn error(status: StatusCode, message: &str) -> Response {
    let page = format!(
        "<html>\n <head>\n  <title>{status}</title>\n </head>\n <body>\n  <h1>{status}</h1>\n  {message}<br /><br />\n\n\n\n </body>\n</html>"
    );
    (status, Html(page)).into_response()
}

async fn images(member: Member, query: Query) -> Response {
    let most = member.site.settings().page_size;
    let body = member.read(|cloud| {
        let mut images: Vec<_> =
            cloud.images.iter().filter(|image| listed(image, &member.project, &query)).collect();
        images.sort_by(|a, b| (&b.created_at, &b.id).cmp(&(&a.created_at, &a.id)));
        let page =
            page(images, |image| &image.id, &query, USUAL.min(most), most).map_err(|no| no.message())?;
        let mut body = json!({
            "images": page.items.iter().map(|image| as_json(image)).collect::<Vec<_>>(),
            "first": query.clone().without("marker").on("/v2/images"),
            "schema": "/v2/schemas/images",
        });
        if let Some(last) = page.items.last().filter(|_| page.full) {
            body["next"] = query.clone().with("marker", &last.id).on("/v2/images").into();
        }
        Ok(body)
    });
    match body {
        Some(Ok(body)) => reply(StatusCode::OK, &body),
        Some(Err(message)) => {
            let message: String = message;
            error(StatusCode::BAD_REQUEST, &message)
        }
        None => error(StatusCode::NOT_FOUND, "The resource could not be found."),
    }
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// Answers about one image that the member may look at.
fn about(member: &Member, id: &str, show: impl Fn(&Image) -> Response) -> Response {
    let may = |image: &&Image| {
        let shared = image.visibility == Visibility::Shared && accepted(image, &member.project).is_some();
        let open = matches!(image.visibility, Visibility::Public | Visibility::Community);
        image.id == id && (open || image.owner == member.project || shared)
    };
    let answer = member.read(|cloud| cloud.images.iter().find(may).map(show)).flatten();
    answer.unwrap_or_else(|| error(StatusCode::NOT_FOUND, &format!("No image found with ID {id}")))
}

async fn one(member: Member, Path(Id { id }): Path<Id>) -> Response {
    about(&member, &id, |image| reply(StatusCode::OK, &as_json(image)))
}

/// The owner sees all members, a member itself.
async fn members(member: Member, Path(Id { id }): Path<Id>) -> Response {
    about(&member, &id, |image| {
        if image.visibility != Visibility::Shared {
            return error(StatusCode::FORBIDDEN, "Only shared images have members.");
        }
        let shown =
            image.members.iter().filter(|(id, _)| image.owner == member.project || *id == member.project);
        let members: Vec<_> = shown
            .map(|(id, accepted)| {
                json!({
                    "member_id": id, "image_id": image.id, "status": if *accepted { "accepted" } else { "pending" },
                    "created_at": image.created_at, "updated_at": image.created_at, "schema": "/v2/schemas/member",
                })
            })
            .collect();
        reply(StatusCode::OK, &json!({ "members": members, "schema": "/v2/schemas/members" }))
    })
}
