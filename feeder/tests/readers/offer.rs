//! What clouds offer beyond the v1 document.

use feeder::reading::{FaultClass, Listing, Reading};
use serde_json::{Map, Value, json};

use super::{
    openstack::{ALPHA, Cloud},
    support::{ok, site, status},
};

/// The lists of an offer; what is unknown is its class.
fn offer(reading: &Reading) -> Value {
    let Listing::Complete(lists) = &reading.offer else { panic!("{:?}", reading.offer) };
    let shown = |list: &Listing<Vec<_>>| match list {
        Listing::Complete(items) => json!(items),
        Listing::Absent => json!("absent"),
        Listing::Unknown(fault) => json!(format!("{:?}", fault.class)),
    };
    Value::Object(lists.iter().map(|(name, list)| ((*name).to_owned(), shown(list))).collect())
}

/// The captured cloud, and beside it what its release has and the lab has not.
async fn cloud() -> Cloud {
    let cloud = Cloud::start().await;
    let endpoint = |url: String| json!([{"interface": "public", "region": "RegionOne", "url": url}]);
    let uri = cloud.server.uri();
    cloud
        .with_catalog(|catalog| {
            for (kind, id, path) in
                [("load-balancer", "lb", "/9876"), ("sharev2", "fs", "/8786/v2"), ("dns", "d", "/9001")]
            {
                catalog.push(json!({"type": kind, "id": id, "endpoints": endpoint(format!("{uri}{path}"))}));
            }
            let nova = catalog.iter_mut().find(|service| service["type"] == "compute").unwrap();
            nova["id"] = json!("nova");
        })
        .await;
    let zones = json!({"availabilityZoneInfo": [{"zoneName": "ceph-1", "zoneState": {"available": false}}]});
    cloud.answer("GET", &format!("/8776/v3/{ALPHA}/os-availability-zone"), ok(zones)).await;
    let zone = |resource| json!({"name": "nova", "resource": resource, "state": "available"});
    let zones = json!({"availability_zones": [zone("router"), zone("network")]});
    cloud.answer("GET", "/9696/v2.0/availability_zones", ok(zones)).await;
    let registered = |name, limit| json!({"id": name, "resource_name": name, "service_id": "nova", "region_id": null, "default_limit": limit});
    let elsewhere =
        json!({"resource_name": "servers", "service_id": "nova", "region_id": "R9", "default_limit": 1});
    let registered =
        json!({"registered_limits": [registered("servers", 10), registered("class:VCPU", 20), elsewhere]});
    cloud.answer("GET", "/5000/v3/registered_limits", ok(registered)).await;
    let own =
        json!({"resource_name": "servers", "service_id": "nova", "region_id": null, "resource_limit": -1});
    cloud.answer("GET", "/5000/v3/limits", ok(json!({"limits": [own]}))).await;
    let quota = json!({"quota": {"load_balancer": 5, "listener": -1}});
    cloud.answer("GET", &format!("/9876/v2/lbaas/quotas/{ALPHA}"), ok(quota)).await;
    let quota = json!({"quota_set": {"id": ALPHA, "gigabytes": {"limit": 100, "in_use": 7, "reserved": 0}}});
    cloud.answer("GET", &format!("/8786/v2/quota-sets/{ALPHA}/detail"), ok(quota)).await;
    let types = json!({"share_types": [
        {"id": "s1", "name": "cephfs", "share_type_access:is_public": true, "extra_specs": {"snapshot_support": "True"}},
        {"id": "s2", "name": "mine", "share_type_access:is_public": false},
    ]});
    cloud.answer("GET", "/8786/v2/types", ok(types)).await;
    cloud
}

#[tokio::test]
async fn an_openstack_project() {
    let cloud = cloud().await;
    let mut connection = cloud.connection();
    connection.volume_types = Map::from_iter([("ceph".to_owned(), json!("slow"))]);
    let reading = cloud.read(&connection).await;
    let shown = offer(&reading).to_string().replace(&cloud.server.uri(), "http://cloud");
    insta::assert_json_snapshot!(serde_json::from_str::<Value>(&shown).unwrap());
}

#[tokio::test]
async fn what_is_not_shown_to_members_is_unknown_and_costs_the_document_nothing() {
    let cloud = cloud().await;
    for path in ["/8786/v2/types", "/5000/v3/registered_limits", "/9696/v2.0/availability_zones"] {
        cloud.instead(path, status(403)).await;
    }
    let reading = cloud.read(&cloud.connection()).await;
    let offer = offer(&reading);
    for list in ["share_types", "unified_limits", "network_zones"] {
        assert_eq!(offer[list], json!(format!("{:?}", FaultClass::Forbidden)), "{list}");
    }
    assert_eq!(super::support::unknown(&reading), []);
}

#[tokio::test]
async fn addresses_of_further_services_follow_the_same_rules() {
    let cloud = cloud().await;
    let mut connection = cloud.connection();
    let own = [("load-balancer".to_owned(), "https://octavia.example.org".to_owned())];
    site(&mut connection).endpoints = [("RegionOne".to_owned(), own.into())].into();
    let reading = cloud.read(&connection).await;
    let services = offer(&reading)["services"].clone();
    assert!(services.to_string().contains("https://octavia.example.org"), "{services}");
}
