//! What the provider file says of networks: which one is the default, and how to reach private ones.

use serde_json::Value;

use super::service::is_shared;
use super::{flag, text};
use crate::inventory::Connection;
use crate::reading::Item;

/// The networks of one project with `is_default` and the proxy set.
///
/// The default one among those that are shared, and among those that are not, is the one that the file names; else
/// the only one; else whichever the cloud calls so.
pub fn described(mut networks: Vec<Item>, connection: &Connection, notes: &mut Vec<String>) -> Vec<Item> {
    let properties = &connection.properties;
    for (shared, named, field) in [
        (true, properties.default_public_net.as_deref(), "default_public_net"),
        (false, properties.default_private_net.as_deref(), "default_private_net"),
    ] {
        let mut of_this_kind: Vec<_> =
            networks.iter_mut().filter(|network| is_shared(network) == shared).collect();
        let only = of_this_kind.len() == 1;
        for network in &mut of_this_kind {
            let default = match named {
                Some(named) => text(network, "name") == named,
                None => only || flag(network, "is_default"),
            };
            network.insert("is_default".to_owned(), default.into());
            if let Some(proxy) = properties.private_net_proxy.as_ref().filter(|_| !shared) {
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
                if shared { "shared" } else { "private" },
            ));
        }
    }
    networks
}
