//! What the provider file says of networks: which one is the default, and how to reach private ones.

use serde_json::Value;

use super::service::is_shared;
use super::{flag, text};
use crate::inventory::Connection;
use crate::reading::Item;

/// The networks of one project with `is_default` and the proxy set.
///
/// The default one among the public ones, and among the private ones, is the one that the file names; else the only
/// one; else whichever the cloud calls so. External networks are public although most clouds do not share them: every
/// project can take addresses from them, and no proxy leads to them.
pub fn described(mut networks: Vec<Item>, connection: &Connection, notes: &mut Vec<String>) -> Vec<Item> {
    let properties = &connection.properties;
    for (public, named, field) in [
        (true, properties.default_public_net.as_deref(), "default_public_net"),
        (false, properties.default_private_net.as_deref(), "default_private_net"),
    ] {
        let mut of_this_kind: Vec<_> =
            networks.iter_mut().filter(|network| is_public(network) == public).collect();
        let only = of_this_kind.len() == 1;
        for network in &mut of_this_kind {
            let default = match named {
                Some(named) => text(network, "name") == named,
                None => only || flag(network, "is_default"),
            };
            network.insert("is_default".to_owned(), default.into());
            if let Some(proxy) = properties.private_net_proxy.as_ref().filter(|_| !public) {
                network.insert("proxy_host".to_owned(), proxy.host.clone().into());
                network.insert("proxy_user".to_owned(), proxy.user.clone().into());
            }
        }
        let found = of_this_kind.iter().any(|network| network.get("is_default") == Some(&Value::Bool(true)));
        if let Some(named) = named.filter(|_| !found) {
            notes.push(format!(
                "region {}, project {}: `{field}` names `{named}`, but the project sees no such {} network",
                connection.region,
                connection.project_id,
                if public { "public" } else { "private" },
            ));
        }
    }
    networks
}

fn is_public(network: &Item) -> bool {
    is_shared(network) || flag(network, "is_router_external")
}

#[cfg(test)]
mod tests {
    use super::described;
    use crate::inventory::NetworkProxy;
    use crate::testing::{item, provider};
    use serde_json::json;

    #[test]
    fn an_external_network_is_public_although_it_is_not_shared() {
        let mut connection = provider(1, 1).connections.remove(0);
        connection.properties.private_net_proxy =
            Some(NetworkProxy { host: "10.0.0.1".to_owned(), user: "cicd".to_owned() });
        connection.properties.default_public_net = Some("public".to_owned());
        let networks = vec![
            item(json!({"name": "public", "is_shared": false, "is_router_external": true})),
            item(json!({"name": "mine", "is_shared": false, "is_router_external": false})),
        ];
        let mut notes = Vec::new();
        let networks = described(networks, &connection, &mut notes);
        assert_eq!(networks[0]["is_default"], true, "named in the file");
        assert!(networks[0].get("proxy_host").is_none(), "no proxy leads outside");
        assert_eq!(networks[1]["is_default"], true, "the only private one");
        assert_eq!(networks[1]["proxy_host"], "10.0.0.1");
        assert_eq!(notes, Vec::<String>::new());
    }
}
