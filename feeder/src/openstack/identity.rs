//! Keystone: the project itself.

use serde::Deserialize;
use serde_json::json;

use super::{
    catalog::below,
    cloud::Cloud,
    tolerant::{item, text},
};
use crate::reading::{Fault, Item};

#[derive(Deserialize)]
struct Envelope {
    project: Project,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    name: String,
    #[serde(default, deserialize_with = "text")]
    description: String,
}

/// The project. A member may not read it everywhere; the token has its name at least.
pub(super) async fn project(cloud: &Cloud<'_>) -> Result<Item, Fault> {
    let id = &cloud.connection.project_id;
    match cloud.get::<Envelope>(&below(&cloud.identity, &["projects", id])).await {
        Ok(Envelope { project: Project { id, name, description } }) => {
            Ok(item(json!({"name": name, "uuid": id, "description": description})))
        }
        Err(refused) if matches!(refused.status, Some(403 | 404)) => {
            Ok(item(json!({"name": cloud.project_name, "uuid": id})))
        }
        Err(refused) => Err(refused.into()),
    }
}
