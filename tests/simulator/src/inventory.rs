//! The provider file of a running federation, as the contract describes it.

use crate::document::idp_name;
use crate::model::{Cloud, Login, Network, Offer, Project, Provider, Technology};
use crate::site::{Site, USERNAME};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::sync::Arc;

/// One file for all providers.
pub(crate) fn providers_yaml(issuer: &str, token: &str, sites: &[(Provider, Arc<Site>)]) -> String {
    let of = |technology: Technology| -> Vec<Value> {
        let own = sites.iter().filter(|(provider, _)| provider.technology == technology);
        own.map(|(provider, site)| entry(provider, site)).collect()
    };
    let file = json!({
        "trusted_idps": [{
            "issuer": issuer, "group_claim": "groups", "token": token, "user_groups": groups(issuer, sites),
        }],
        "openstack": of(Technology::OpenStack),
        "kubernetes": of(Technology::Kubernetes),
    });
    let mut out =
        String::from("# A simulated federation: every site answers on loopback while the simulator runs.\n");
    write(&file, 0, &mut out);
    out
}

/// Each group once, with each of its agreements once, however many sites signed it.
fn groups(issuer: &str, sites: &[(Provider, Arc<Site>)]) -> Vec<Value> {
    let mut groups: Map<String, Value> = Map::new();
    for project in sites.iter().flat_map(|(provider, _)| &provider.projects) {
        let agreement = &project.agreement;
        if agreement.issuer != issuer {
            continue;
        }
        let group = groups
            .entry(agreement.group.clone())
            .or_insert_with(|| json!({ "name": agreement.group, "slas": [] }));
        let sla = json!({
            "doc_uuid": agreement.doc_uuid, "start_date": agreement.start_date, "end_date": agreement.end_date,
        });
        if let Some(slas) = group["slas"].as_array_mut()
            && !slas.contains(&sla)
        {
            slas.push(sla);
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn entry(provider: &Provider, site: &Site) -> Value {
    let mut issuers: Vec<&str> = provider.projects.iter().map(|p| p.agreement.issuer.as_str()).collect();
    issuers.dedup();
    let idps: Vec<Value> = issuers
        .into_iter()
        .map(|issuer| match provider.cluster() {
            Some(cluster) => json!({ "endpoint": issuer, "audience": cluster.audience }),
            None => json!({ "endpoint": issuer, "name": idp_name(issuer), "protocol": "openid" }),
        })
        .collect();
    let mut out = json!({
        "name": provider.name, "status": "active", "is_public": provider.is_public,
        "support_emails": provider.support_emails, "auth_url": site.auth_url(), "identity_providers": idps,
    });
    match provider.login {
        Login::Federation | Login::ApplicationCredential => {}
        Login::Password => {
            out["auth"] = json!({ "password": { "username": USERNAME, "password": site.secret() } });
        }
        Login::ServiceAccount => out["auth"] = json!({ "token": site.secret() }),
    }
    out["regions"] = provider
        .regions
        .iter()
        .map(|region| {
            let at = &region.location;
            json!({
                "name": region.name,
                "location": {
                    "site": at.site, "country": at.country, "latitude": at.latitude, "longitude": at.longitude,
                },
                "overbooking_cpu": region.overbooking_cpu, "overbooking_ram": region.overbooking_ram,
                "bandwidth_in": region.bandwidth_in, "bandwidth_out": region.bandwidth_out,
            })
        })
        .collect();
    out["projects"] = provider.projects.iter().map(|p| project(provider, p, site)).collect();
    out
}

fn project(provider: &Provider, project: &Project, site: &Site) -> Value {
    let mut out = json!({ "id": project.id, "sla": project.agreement.doc_uuid });
    if provider.login == Login::ApplicationCredential {
        out["auth"] = json!({ "application_credential": {
            "id": Site::application_credential(&project.id), "secret": site.secret(),
        } });
    }
    let clouds = || {
        provider.regions.iter().filter_map(|region| match &region.offer {
            Offer::OpenStack(cloud) => Some(cloud),
            Offer::Kubernetes(_) => None,
        })
    };
    // public is what is shared, private what belongs to the project
    let default = |shared: bool| {
        let is = |n: &&Network| n.is_default && n.shared == shared && (shared || n.owner == project.id);
        clouds().flat_map(|cloud: &Cloud| &cloud.networks).find(is).map(|network| network.name.clone())
    };
    for (key, shared) in [("default_public_net", true), ("default_private_net", false)] {
        if let Some(name) = default(shared) {
            out[key] = name.into();
        }
    }
    if let Some(user) = project.per_user {
        out["per_user_limits"] = json!({
            "compute": { "cores": user.cores, "instances": user.instances, "ram": user.ram },
            "block_storage": { "gigabytes": user.gigabytes },
        });
    }
    out
}

/// Block style, text always in quotes: JSON's escapes are YAML's.
fn write(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (place, (key, value)) in map.iter().enumerate() {
                // the first key of an item of a list stands behind its dash
                if place > 0 || !out.ends_with("- ") {
                    indent(depth, out);
                }
                out.push_str(key);
                out.push(':');
                below(value, depth + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(depth, out);
                out.push_str("- ");
                if item.is_object() {
                    write(item, depth + 1, out);
                } else {
                    let _ = writeln!(out, "{item}");
                }
            }
        }
        scalar => {
            let _ = writeln!(out, "{scalar}");
        }
    }
}

fn below(value: &Value, depth: usize, out: &mut String) {
    let block = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    out.push(if block { '\n' } else { ' ' });
    write(value, depth, out);
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_written_in_blocks() {
        let mut out = String::new();
        write(
            &json!({ "a": [{ "b": "1e3", "c": [1, "x: y"] }, { "d": {} }], "e": { "f": [] } }),
            0,
            &mut out,
        );
        assert_eq!(out, "a:\n  - b: \"1e3\"\n    c:\n      - 1\n      - \"x: y\"\n  - d: {}\ne:\n  f: []\n");
    }
}
