//! Nova: flavors, their access lists and extra specs, quotas, limits.

use super::{Member, amount, named_error, reply, with_header};
use crate::model::{Cloud, CloudQuota, Flavor};
use crate::query::{Query, page};
use crate::site::Sites;
use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The newest microversion of release Zed.
pub(super) const NEWEST: &str = "2.93";

pub(super) fn router() -> Router<Sites> {
    const V: &str = "/{site}/{region}/compute/v2.1";
    Router::new()
        .route(&format!("{V}/flavors"), get(names))
        .route(&format!("{V}/flavors/detail"), get(details))
        .route(&format!("{V}/flavors/{{id}}"), get(one))
        .route(&format!("{V}/flavors/{{id}}/os-flavor-access"), get(access))
        .route(&format!("{V}/flavors/{{id}}/os-extra_specs"), get(extra_specs))
        .route(&format!("{V}/os-quota-sets/{{id}}"), get(quota))
        .route(&format!("{V}/os-quota-sets/{{id}}/detail"), get(quota_detail))
        .route(&format!("{V}/limits"), get(limits))
        .route(&format!("{V}/os-availability-zone"), get(zones))
}

/// The minor number of the microversion a request asks for; 2.1 unasked.
struct Microversion(u32);

impl Microversion {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let asked = text("openstack-api-version")
            .and_then(|value| value.strip_prefix("compute "))
            .or_else(|| text("x-openstack-nova-api-version"));
        let newest = NEWEST.strip_prefix("2.").and_then(|minor| minor.parse().ok())?;
        match asked {
            None => Some(Self(1)),
            Some("latest") => Some(Self(newest)),
            Some(version) => {
                let minor = version.trim().strip_prefix("2.")?.parse().ok()?;
                (1..=newest).contains(&minor).then_some(Self(minor))
            }
        }
    }

    fn reply(&self, body: &Value) -> Response {
        self.on(reply(StatusCode::OK, body))
    }

    fn error(&self, status: StatusCode, name: &str, message: &str) -> Response {
        self.on(named_error(status, name, message))
    }

    fn on(&self, response: Response) -> Response {
        let response = with_header(response, "openstack-api-version", &format!("compute 2.{}", self.0));
        with_header(response, "x-openstack-nova-api-version", &format!("2.{}", self.0))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Microversion {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        Self::of(&parts.headers).ok_or_else(|| {
            let message =
                format!("Version is not supported by the API. Minimum is 2.1 and maximum is {NEWEST}.");
            named_error(StatusCode::NOT_ACCEPTABLE, "computeFault", &message)
        })
    }
}

/// What a member sees, in the order of ids; `is_public` means nothing to who is no administrator.
fn visible<'a>(cloud: &'a Cloud, project: &str) -> Vec<&'a Flavor> {
    let allowed = |f: &&Flavor| !f.disabled && (f.is_public || f.access.iter().any(|id| id == project));
    let mut flavors: Vec<_> = cloud.flavors.iter().filter(allowed).collect();
    flavors.sort_by(|a, b| a.id.cmp(&b.id));
    flavors
}

fn specs(flavor: &Flavor) -> Value {
    let mut out = Map::new();
    let mut add = |name: &str, value: &str| out.insert(name.to_owned(), value.into());
    if let Some((number, model, vendor)) = &flavor.gpu {
        add("gpu_model", model);
        add("gpu_number", &number.to_string());
        add("gpu_vendor", vendor);
        add("pci_passthrough:alias", &format!("{}:{number}", model.to_lowercase()));
    }
    if flavor.infiniband {
        add("infiniband", "true");
    }
    if let Some(storage) = &flavor.local_storage {
        add("aggregate_instance_extra_specs:local_storage", storage);
    }
    if flavor.is_public {
        add("hw:cpu_policy", "shared");
    }
    Value::Object(out)
}

fn links(member: &Member, flavor: &Flavor) -> Value {
    let own = format!("{}/flavors/{}", member.endpoints().compute(), flavor.id);
    json!([{ "rel": "self", "href": own }, { "rel": "bookmark", "href": own.replace("/v2.1", "") }])
}

fn as_json(member: &Member, flavor: &Flavor, version: u32) -> Value {
    // 2.75 made it a number always
    let swap = if flavor.swap == 0 && version < 75 { json!("") } else { flavor.swap.into() };
    let mut out = json!({
        "id": flavor.id, "name": flavor.name, "ram": flavor.ram, "disk": flavor.disk, "swap": swap,
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral, "OS-FLV-DISABLED:disabled": flavor.disabled,
        "vcpus": flavor.vcpus, "os-flavor-access:is_public": flavor.is_public, "rxtx_factor": 1.0,
        "links": links(member, flavor),
    });
    if version >= 55 {
        out["description"] = Some(flavor.description.as_str()).filter(|text| !text.is_empty()).into();
    }
    if version >= 61 {
        out["extra_specs"] = specs(flavor);
    }
    out
}

fn list(
    member: &Member,
    at: &Microversion,
    query: &Query,
    path: &str,
    show: impl Fn(&Flavor) -> Value,
) -> Response {
    let most = member.site.settings().page_size;
    let body = member.read(|cloud| {
        let page = page(visible(cloud, &member.project), |flavor| &flavor.id, query, most, most)?;
        let mut body = json!({ "flavors": page.items.iter().map(|flavor| show(flavor)).collect::<Vec<_>>() });
        if let Some(last) = page.items.last().filter(|_| page.full) {
            let next =
                query.clone().with("marker", &last.id).on(&format!("{}{path}", member.endpoints().compute()));
            body["flavors_links"] = json!([{ "rel": "next", "href": next }]);
        }
        Ok(body)
    });
    match body {
        Some(Ok(body)) => at.reply(&body),
        Some(Err(no)) => {
            let no: crate::query::NoPage = no;
            at.error(StatusCode::BAD_REQUEST, "badRequest", &no.message())
        }
        None => no_region(at),
    }
}

fn no_region(at: &Microversion) -> Response {
    at.error(StatusCode::NOT_FOUND, "itemNotFound", "The resource could not be found.")
}

async fn names(member: Member, at: Microversion, query: Query) -> Response {
    list(
        &member,
        &at,
        &query,
        "/flavors",
        |flavor| json!({ "id": flavor.id, "name": flavor.name, "links": links(&member, flavor) }),
    )
}

async fn details(member: Member, at: Microversion, query: Query) -> Response {
    list(&member, &at, &query, "/flavors/detail", |flavor| as_json(&member, flavor, at.0))
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// Answers about one flavor that the member sees.
fn about(member: &Member, at: &Microversion, id: &str, show: impl Fn(&Flavor) -> Response) -> Response {
    let answer =
        member.read(|cloud| visible(cloud, &member.project).into_iter().find(|f| f.id == id).map(show));
    answer.flatten().unwrap_or_else(|| {
        at.error(StatusCode::NOT_FOUND, "itemNotFound", &format!("Flavor {id} could not be found."))
    })
}

async fn one(member: Member, at: Microversion, Path(Id { id }): Path<Id>) -> Response {
    about(&member, &at, &id, |flavor| at.reply(&json!({ "flavor": as_json(&member, flavor, at.0) })))
}

async fn access(member: Member, at: Microversion, Path(Id { id }): Path<Id>) -> Response {
    if !member.site.settings().show_flavor_access {
        let message = "Policy doesn't allow os_compute_api:os-flavor-access to be performed.";
        return at.error(StatusCode::FORBIDDEN, "forbidden", message);
    }
    about(&member, &at, &id, |flavor| {
        if flavor.is_public {
            let message = "Access list not available for public flavors.";
            return at.error(StatusCode::NOT_FOUND, "itemNotFound", message);
        }
        let of = |project: &String| json!({ "flavor_id": flavor.id, "tenant_id": project });
        at.reply(&json!({ "flavor_access": flavor.access.iter().map(of).collect::<Vec<_>>() }))
    })
}

async fn extra_specs(member: Member, at: Microversion, Path(Id { id }): Path<Id>) -> Response {
    about(&member, &at, &id, |flavor| at.reply(&json!({ "extra_specs": specs(flavor) })))
}

async fn quota(member: Member, at: Microversion, Path(Id { id }): Path<Id>) -> Response {
    quota_set(&member, &at, &id, "show", None)
}

async fn quota_detail(member: Member, at: Microversion, Path(Id { id }): Path<Id>) -> Response {
    quota_set(&member, &at, &id, "detail", Some("in_use"))
}

fn quota_set(member: &Member, at: &Microversion, id: &str, action: &str, used: Option<&str>) -> Response {
    if id != member.project {
        let message = format!("Policy doesn't allow os_compute_api:os-quota-sets:{action} to be performed.");
        return at.error(StatusCode::FORBIDDEN, "forbidden", &message);
    }
    let Some(quota) = member.quota() else { return no_region(at) };
    let mut set = json!({ "id": id });
    for (name, of, until) in entries(&quota) {
        // networks left with 2.36, injected files with 2.57
        if until.is_none_or(|until| at.0 < until) {
            set[name] = amount(of, used);
        }
    }
    at.reply(&json!({ "quota_set": set }))
}

/// Name, amount, and the minor version that no longer has it.
fn entries(quota: &CloudQuota) -> [(&'static str, crate::model::Amount, Option<u32>); 14] {
    let fixed = |limit| crate::model::Amount { limit, used: 0 };
    [
        ("cores", quota.cores, None),
        ("fixed_ips", fixed(-1), Some(36)),
        ("floating_ips", fixed(-1), Some(36)),
        ("injected_file_content_bytes", fixed(10_240), Some(57)),
        ("injected_file_path_bytes", fixed(255), Some(57)),
        ("injected_files", fixed(5), Some(57)),
        ("instances", quota.instances, None),
        ("key_pairs", fixed(100), None),
        ("metadata_items", fixed(128), None),
        ("ram", quota.ram, None),
        ("security_group_rules", fixed(-1), Some(36)),
        ("security_groups", fixed(-1), Some(36)),
        ("server_group_members", fixed(10), None),
        ("server_groups", fixed(10), None),
    ]
}

async fn limits(member: Member, at: Microversion) -> Response {
    let Some(quota) = member.quota() else { return no_region(&at) };
    at.reply(&json!({ "limits": { "rate": [], "absolute": {
        "maxTotalInstances": quota.instances.limit, "maxTotalCores": quota.cores.limit,
        "maxTotalRAMSize": quota.ram.limit, "maxServerMeta": 128, "maxTotalKeypairs": 100, "maxServerGroups": 10,
        "maxServerGroupMembers": 10, "totalRAMUsed": quota.ram.used, "totalCoresUsed": quota.cores.used,
        "totalInstancesUsed": quota.instances.used, "totalServerGroupsUsed": 0,
    } } }))
}

async fn zones(_: Member, at: Microversion) -> Response {
    let zone = json!({ "zoneName": "nova", "zoneState": { "available": true }, "hosts": null });
    at.reply(&json!({ "availabilityZoneInfo": [zone] }))
}
