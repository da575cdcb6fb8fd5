//! A run over simulated sites, and what the selector reads of its messages (`clients.md` 4).

use super::broker::Broker;
use feeder::{Settings, Silent, run_once};
use registry::service::Service;
use serde_json::{Value, json};
use simulator::{Federation, Issuer, IssuerOptions, Params};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub async fn what_a_run_sends_is_what_the_selector_reads(broker: &Broker) {
    let issuer = Issuer::start(IssuerOptions::default()).await.unwrap();
    let params = Params { openstack: 2, kubernetes: 1, regions: 2, projects: 2, ..Params::demo() };
    let running = Federation::new(5, params).start(&issuer).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (stop, service) = registry(&issuer, folder.path()).await;
    let providers = folder.path().join("providers.yaml");
    let token = issuer.token(&running.feeder()).unwrap();
    std::fs::write(&providers, running.providers_yaml(&token)).unwrap();
    let admin = issuer.token(&simulator::Subject::new("admin").groups(["admins"])).unwrap();
    let settings: Settings = serde_json::from_value(json!({
        "providers": providers,
        "registry": format!("http://{service}/api/v1"),
        "token": admin,
        "kafka": { "bootstrap_servers": broker.plain },
    }))
    .unwrap();
    let report = run_once(&settings, Arc::new(Silent), CancellationToken::new()).await.unwrap();
    assert!(!report.failed(), "{}", report.table());
    let connections: usize = report.providers.iter().map(|provider| provider.connections).sum();
    let messages = broker.read("federation-registry-feeder", connections).await;
    let keys: BTreeSet<_> = messages.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys.len(), connections, "one for each project at each region");
    for (_, message) in &messages {
        check(message);
    }
    stop.cancel();
}

async fn registry(issuer: &Issuer, folder: &std::path::Path) -> (CancellationToken, std::net::SocketAddr) {
    let settings = serde_json::from_value(json!({
        "listen": "127.0.0.1:0",
        "store": { "kind": "embedded", "path": folder.join("data") },
        "limits": { "notice_seconds": 0 },
        "auth": {
            "issuers": [{ "issuer": issuer.url() }],
            "administrators": [{ "issuer": issuer.url(), "group": "admins" }],
        },
    }));
    let service = Service::start(&settings.unwrap()).await.unwrap();
    let address = service.address().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(service.run(stop.clone()));
    (stop, address)
}

fn items<'a>(of: &'a Value, name: &str) -> &'a Vec<Value> {
    of[name].as_array().unwrap_or_else(|| panic!("{name} is no list: {of}"))
}

/// Every field of the table, in every message.
fn check(message: &Value) {
    for name in
        ["provider_name", "provider_type", "region_name", "project_id", "user_group", "identity_endpoint"]
    {
        assert!(message[name].is_string(), "{name}: {message:#}");
    }
    assert_eq!(message["msg_version"], "1.4.0");
    let time = message["timestamp"].as_str().unwrap();
    assert!(
        chrono::DateTime::parse_from_rfc3339(time).is_ok() && time.ends_with("+00:00") && time.len() == 25
    );
    for name in ["overbooking_cpu", "overbooking_ram", "bandwidth_in", "bandwidth_out"] {
        assert!(message[name].is_f64(), "{name}: {}", message[name]);
    }
    assert!(message.as_object().unwrap().keys().is_sorted());
    assert!(!items(message, "compute_services").is_empty());
    for (list, numbers) in [
        ("compute_services", &["cores", "ram", "instances"][..]),
        ("network_services", &["public_ips"]),
        ("block_storage_services", &["gigabytes", "volumes"]),
    ] {
        for quota in items(message, list).iter().flat_map(|service| items(service, "quotas")) {
            assert!(quota["usage"].is_boolean(), "{quota}");
            assert_eq!(quota["project"], message["project_id"], "the quotas of others are nobody's business");
            for name in numbers {
                assert!(quota[name].is_i64(), "{list} {name}: {quota}");
            }
        }
        for service in items(message, list) {
            let rank = |quota: &Value| match (quota["usage"] == true, quota["per_user"] == true) {
                (true, _) => 2,
                (_, false) => 1,
                (_, true) => 0,
            };
            assert!(items(service, "quotas").iter().is_sorted_by_key(rank), "{service:#}");
        }
    }
    let compute = &message["compute_services"][0];
    for flavor in items(compute, "flavors") {
        for name in ["disk", "gpus", "ram", "vcpus"] {
            assert!(flavor[name].is_i64(), "{name}: {flavor}");
        }
    }
    for image in items(compute, "images") {
        for name in ["os_distro", "os_version"] {
            assert!(image[name].is_string(), "{name}: {image}");
        }
    }
    if message["provider_type"] == "openstack" {
        assert!(!items(compute, "flavors").is_empty() && !items(compute, "images").is_empty());
    }
}
