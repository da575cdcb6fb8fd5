//! Cinder: quotas, limits, volume types.

use super::{Member, amount, named_error, reply, with_header};
use crate::model::Amount;
use crate::query::Query;
use crate::site::{Sites, stable_uuid};
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn router() -> Router<Sites> {
    const V: &str = "/{site}/{region}/volume/v3/{project}";
    Router::new()
        .route(&format!("{V}/os-quota-sets/{{id}}"), get(quota))
        .route(&format!("{V}/types"), get(types))
        .route(&format!("{V}/os-availability-zone"), get(zones))
        .route(&format!("{V}/limits"), get(limits))
}

/// The project in the path.
#[derive(Deserialize)]
struct Of {
    project: String,
    #[serde(default)]
    id: String,
}

fn answer(body: &Value) -> Response {
    with_header(reply(StatusCode::OK, body), "openstack-api-version", "volume 3.0")
}

/// Cinder's URLs name the project, which must be the token's.
fn foreign(member: &Member, of: &Of) -> Option<Response> {
    (of.project != member.project)
        .then(|| named_error(StatusCode::BAD_REQUEST, "badRequest", "Malformed request url"))
}

fn no_region() -> Response {
    named_error(StatusCode::NOT_FOUND, "itemNotFound", "The resource could not be found.")
}

async fn quota(member: Member, Path(of): Path<Of>, query: Query) -> Response {
    if let Some(refused) = foreign(&member, &of) {
        return refused;
    }
    if of.id != member.project {
        let message = "Policy doesn't allow volume_extension:quotas:show to be performed.";
        return named_error(StatusCode::FORBIDDEN, "forbidden", message);
    }
    let (Some(quota), Some(types)) = (member.quota(), member.read(|cloud| cloud.volume_types.clone())) else {
        return no_region();
    };
    let used = query.get("usage").filter(|text| text.eq_ignore_ascii_case("true")).map(|_| "in_use");
    let fixed = |limit| Amount { limit, used: 0 };
    let mut set = json!({});
    for (name, of) in [
        ("volumes", quota.volumes),
        ("per_volume_gigabytes", quota.per_volume_gigabytes),
        ("snapshots", fixed(40)),
        ("gigabytes", quota.gigabytes),
        ("backups", fixed(10)),
        ("backup_gigabytes", fixed(1000)),
    ] {
        set[name] = amount(of, used);
    }
    for kind in types {
        for what in ["volumes", "gigabytes", "snapshots"] {
            set[format!("{what}_{kind}")] = amount(fixed(-1), used);
        }
    }
    set["groups"] = amount(fixed(10), used);
    set["id"] = of.id.into();
    answer(&json!({ "quota_set": set }))
}

async fn types(member: Member, Path(of): Path<Of>) -> Response {
    if let Some(refused) = foreign(&member, &of) {
        return refused;
    }
    let Some(types) = member.read(|cloud| cloud.volume_types.clone()) else { return no_region() };
    let types: Vec<_> = types
        .iter()
        .map(|name| {
            json!({
                "id": stable_uuid(&[member.site.root(), name]).to_string(), "name": name, "is_public": true, "description": name,
                "extra_specs": {}, "os-volume-type-access:is_public": true,
            })
        })
        .collect();
    answer(&json!({ "volume_types": types }))
}

async fn zones(member: Member, Path(of): Path<Of>) -> Response {
    let zone = json!({ "zoneName": "nova", "zoneState": { "available": true } });
    foreign(&member, &of).unwrap_or_else(|| answer(&json!({ "availabilityZoneInfo": [zone] })))
}

async fn limits(member: Member, Path(of): Path<Of>) -> Response {
    if let Some(refused) = foreign(&member, &of) {
        return refused;
    }
    let Some(quota) = member.quota() else { return no_region() };
    answer(&json!({ "limits": { "rate": [], "absolute": {
        "maxTotalVolumes": quota.volumes.limit, "maxTotalSnapshots": 40,
        "maxTotalVolumeGigabytes": quota.gigabytes.limit, "maxTotalBackups": 10, "maxTotalBackupGigabytes": 1000,
        "totalVolumesUsed": quota.volumes.used, "totalGigabytesUsed": quota.gigabytes.used, "totalSnapshotsUsed": 0,
        "totalBackupsUsed": 0, "totalBackupGigabytesUsed": 0,
    } } }))
}
