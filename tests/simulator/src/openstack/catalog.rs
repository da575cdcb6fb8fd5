//! The service catalog.

use super::stable_id;
use crate::endpoints::Endpoints;
use crate::model::Cloud;
use crate::site::Site;
use serde_json::{Value, json};

/// Type, name, whether a region has it, and its URL for a project.
type Service = (&'static str, &'static str, fn(&Cloud) -> bool, fn(Endpoints<'_>, &str) -> String);

const SERVICES: [Service; 7] = [
    ("image", "glance", |_| true, |at, _| at.image()),
    (
        "object-store",
        "swift",
        |cloud| cloud.swift,
        |at, project| format!("{}/AUTH_{project}", at.object_store()),
    ),
    ("s3", "s3", |cloud| cloud.s3, |at, _| at.s3()),
    ("volumev3", "cinderv3", |_| true, |at, project| format!("{}/{project}", at.volume())),
    ("network", "neutron", |_| true, |at, _| at.network()),
    ("identity", "keystone", |_| true, |at, _| at.identity()),
    ("compute", "nova", |_| true, |at, _| at.compute()),
];

/// What a token for this project says about where everything is.
pub(super) fn catalog(site: &Site, project: &str) -> Value {
    let (provider, settings) = (site.provider(), site.settings());
    let services = SERVICES.iter().filter_map(|(kind, name, has, url)| {
        let regions = provider.regions.iter().filter(|r| provider.cloud(&r.name).is_some_and(has));
        let endpoints: Vec<Value> = regions
            .flat_map(|region| {
                let told = settings.catalog.get(*kind).cloned();
                let url = told
                    .unwrap_or_else(|| url(Endpoints { root: site.root(), region: &region.name }, project));
                ["admin", "internal", "public"].map(|interface| {
                    json!({
                        "id": stable_id(&[site.root(), &region.name, kind, interface]),
                        "interface": interface, "region_id": region.name, "url": url, "region": region.name,
                    })
                })
            })
            .collect();
        let id = stable_id(&[site.root(), kind]);
        (!endpoints.is_empty())
            .then(|| json!({ "endpoints": endpoints, "id": id, "type": kind, "name": name }))
    });
    services.collect()
}
