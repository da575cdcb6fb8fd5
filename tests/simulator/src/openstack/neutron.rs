//! Neutron: networks and quotas.

use super::{Member, amount, reply};
use crate::model::{Amount, CloudQuota, Network};
use crate::query::{Query, page};
use crate::site::Sites;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn router() -> Router<Sites> {
    const V: &str = "/{site}/{region}/network/v2.0";
    Router::new()
        .route(&format!("{V}/networks"), get(networks))
        .route(&format!("{V}/networks.json"), get(networks))
        .route(&format!("{V}/networks/{{id}}"), get(one))
        .route(&format!("{V}/extensions"), get(extensions))
        .route(&format!("{V}/availability_zones"), get(zones))
        .route(&format!("{V}/quotas/{{id}}"), get(quota))
        .route(&format!("{V}/quotas/{{id}}/details"), get(details))
        .route(&format!("{V}/quotas/{{id}}/details.json"), get(details))
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response {
    reply(status, &json!({ "NeutronError": { "type": kind, "message": message, "detail": "" } }))
}

/// External networks are seen by everyone, shared or not.
fn visible(network: &Network, project: &str) -> bool {
    network.shared || network.external || network.owner == project
}

fn chosen(network: &Network, query: &Query) -> bool {
    let tags = |wanted: &str| wanted.split(',').all(|tag| network.tags.iter().any(|own| own == tag));
    let any = |wanted: &str| wanted.split(',').any(|tag| network.tags.iter().any(|own| own == tag));
    let flag = |name: &str, value: bool| {
        query.get(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(if value { "true" } else { "false" }))
    };
    query.all("tags").all(tags)
        && query.all("tags-any").all(any)
        && flag("router:external", network.external)
        && flag("shared", network.shared)
        && query.get("status").is_none_or(|wanted| wanted == status_of(network))
        && query.get("name").is_none_or(|wanted| wanted == network.name)
}

fn status_of(network: &Network) -> &'static str {
    if network.active { "ACTIVE" } else { "DOWN" }
}

fn as_json(network: &Network) -> Value {
    let mut out = json!({
        "id": network.id, "name": network.name, "tenant_id": network.owner, "admin_state_up": true,
        "mtu": network.mtu, "status": status_of(network), "subnets": [], "shared": network.shared,
        "availability_zone_hints": [], "availability_zones": [], "ipv4_address_scope": null,
        "ipv6_address_scope": null, "router:external": network.external, "description": "",
        "port_security_enabled": true,
    });
    // Neutron tells it of external networks only
    if network.external {
        out["is_default"] = network.is_default.into();
    }
    let more = json!({
        "tags": network.tags, "created_at": "2024-03-01T08:00:00Z", "updated_at": "2024-03-01T08:00:00Z",
        "revision_number": 2, "project_id": network.owner,
    });
    if let (Some(out), Value::Object(more)) = (out.as_object_mut(), more) {
        out.extend(more);
    }
    out
}

/// Neutron pages only when it is asked to, unless its operator set a bound.
async fn networks(member: Member, query: Query) -> Response {
    let most = member.site.settings().page_size;
    let body = member.read(|cloud| {
        let seen = cloud.networks.iter().filter(|n| visible(n, &member.project) && chosen(n, &query));
        let mut networks: Vec<_> = seen.collect();
        networks.sort_by(|a, b| a.id.cmp(&b.id));
        let all = networks.len();
        let page = page(networks, |network| &network.id, &query, most, most).map_err(|no| no.message())?;
        let mut body = json!({ "networks": page.items.iter().map(|n| as_json(n)).collect::<Vec<_>>() });
        if query.get("limit").is_some() || all > most {
            let url = format!("{}/v2.0/networks", member.endpoints().network());
            let link = |rel: &str, marker: &Network, reverse: bool| {
                let mut to = query.clone().with("marker", &marker.id);
                if reverse {
                    to = to.with("page_reverse", "True");
                }
                json!({ "rel": rel, "href": to.on(&url) })
            };
            let next = page.items.last().filter(|_| page.full).map(|last| link("next", last, false));
            let previous = page.items.first().map(|first| link("previous", first, true));
            body["networks_links"] = next.into_iter().chain(previous).collect();
        }
        Ok(body)
    });
    match body {
        Some(Ok(body)) => reply(StatusCode::OK, &body),
        Some(Err(message)) => {
            let message: String = message;
            error(StatusCode::BAD_REQUEST, "HTTPBadRequest", &message)
        }
        None => no_region(),
    }
}

fn no_region() -> Response {
    error(StatusCode::NOT_FOUND, "HTTPNotFound", "The resource could not be found.")
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

async fn one(member: Member, Path(Id { id }): Path<Id>) -> Response {
    let found = |network: &&Network| network.id == id && visible(network, &member.project);
    let body = member.read(|cloud| cloud.networks.iter().find(found).map(as_json)).flatten();
    match body {
        Some(network) => reply(StatusCode::OK, &json!({ "network": network })),
        None => error(StatusCode::NOT_FOUND, "NetworkNotFound", &format!("Network {id} could not be found.")),
    }
}

async fn zones(_: Member) -> Response {
    let zone = |resource: &str| json!({ "name": "nova", "resource": resource, "state": "available" });
    reply(StatusCode::OK, &json!({ "availability_zones": [zone("network"), zone("router")] }))
}

async fn extensions(_: Member) -> Response {
    let of = |alias: &str, name: &str| json!({ "name": name, "alias": alias, "description": name, "updated": "2017-01-01T10:00:00-00:00", "links": [] });
    let known = [
        of("quotas", "Quota management support"),
        of("quota_details", "Quota details management support"),
        of("external-net", "Neutron external network"),
        of("standard-attr-tag", "Tag support for resources with standard attribute"),
    ];
    reply(StatusCode::OK, &json!({ "extensions": known }))
}

async fn quota(member: Member, Path(Id { id }): Path<Id>) -> Response {
    quota_set(&member, &id, None)
}

async fn details(member: Member, Path(Id { id }): Path<Id>) -> Response {
    quota_set(&member, &id, Some("used"))
}

fn quota_set(member: &Member, id: &str, used: Option<&str>) -> Response {
    if id != member.project {
        let message = "User does not have admin privileges: Only admin can view or configure quota.";
        return error(StatusCode::FORBIDDEN, "AdminRequired", message);
    }
    let Some(quota) = member.quota() else { return no_region() };
    let mut out = json!({});
    for (name, of) in entries(&quota) {
        out[name] = amount(of, used);
    }
    reply(StatusCode::OK, &json!({ "quota": out }))
}

fn entries(quota: &CloudQuota) -> [(&'static str, Amount); 9] {
    let fixed = |limit| Amount { limit, used: 0 };
    [
        ("network", quota.networks),
        ("subnet", fixed(80)),
        ("subnetpool", fixed(-1)),
        ("port", quota.ports),
        ("router", fixed(20)),
        ("floatingip", quota.public_ips),
        ("rbac_policy", fixed(10)),
        ("security_group", quota.security_groups),
        ("security_group_rule", quota.security_group_rules),
    ]
}
