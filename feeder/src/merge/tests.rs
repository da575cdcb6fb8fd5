use proptest::prelude::*;
use schema::Schema;
use schema::document;
use serde_json::{Value, json};

use super::{Counts, merge};
use crate::reading::{Item, Listing, Reading, ServiceReading, ServiceType};
use crate::testing::{inventory, item, provider, reading, timeout};

const NETWORKS: &str = include_str!("testdata/networks.config.yaml");

fn items(values: Value) -> Vec<Item> {
    let Value::Array(values) = values else { panic!("{values} is no list") };
    values.into_iter().map(item).collect()
}

fn accepted(document: &Value) {
    let read = document::provider(Schema::get(), document, document::Reading::default(), &[]);
    if let Err(faults) = read {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        panic!("the registry would refuse this: {faults:#?}\n{document:#}");
    }
}

fn flavor(uuid: &str, projects: Option<&[&str]>) -> Item {
    item(json!({
        "name": uuid, "uuid": uuid, "vcpus": 2, "ram": 4096, "disk": 20,
        "is_shared": projects.is_none(), "projects": projects,
    }))
}

#[test]
fn two_projects_and_two_regions_become_one_document() {
    let provider = provider(2, 2);
    let quotas = |project: &str| {
        items(json!([
            {"project": project, "usage": true, "cores": 1},
            {"project": project, "cores": 10},
        ]))
    };
    let readings: Vec<Reading> = provider
        .connections
        .iter()
        .map(|connection| {
            let mine = connection.project_id.as_str();
            let flavors = vec![
                flavor("small", None),
                flavor(&format!("only-{mine}"), Some(&[mine])),
                flavor("both", Some(&[mine, "somebody-else"])),
                flavor("foreign", Some(&["somebody-else"])),
            ];
            reading(connection, vec![("quotas", quotas(mine)), ("flavors", flavors), ("images", vec![])])
        })
        .collect();
    let merged = merge(&provider, &readings);
    accepted(&merged.document);
    assert_eq!(merged.counts, Counts { projects: 2, flavors: 8, images: 0, networks: 0, quotas: 8 });
    insta::assert_json_snapshot!("two_projects_two_regions", merged.document);
}

#[test]
fn a_provider_that_is_not_active_keeps_what_the_registry_has() {
    let text = crate::testing::file(&["site-a"], 1, 1)
        .replace("    auth_url", "    status: maintenance\n    auth_url");
    let provider = inventory(&text).providers.remove(0);
    let merged = merge(&provider, &[]);
    accepted(&merged.document);
    let named: Vec<_> = merged.document.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(named, ["name", "type", "status", "is_public", "support_emails", "description"]);
}

#[test]
fn a_cluster() {
    let text = include_str!("testdata/cluster.config.yaml");
    let provider = inventory(text).providers.remove(0);
    let connection = &provider.connections[0];
    let class = |name: &str, project: &str| json!({"name": name, "provisioner": "csi.example.org", "quotas": [{"project": project, "storage": 50}]});
    let readings = ["ns1", "ns2"].map(|namespace| {
        let quotas = items(json!([{"project": namespace, "pvcs": 10}]));
        let classes = items(json!([class("slow", namespace), class("fast", namespace)]));
        let mut reading = reading(connection, vec![]);
        reading.project_id = namespace.to_owned();
        reading.project = Listing::Complete(item(json!({"uuid": namespace, "name": namespace})));
        reading.services = Listing::Complete(vec![ServiceReading {
            kind: ServiceType::BlockStorage,
            endpoint: "https://b.example.org:6443/storage.k8s.io/v1".to_owned(),
            name: "storage.k8s.io/v1",
            lists: vec![
                ("quotas", Listing::Complete(quotas)),
                ("storage_classes", Listing::Complete(classes)),
            ],
        }]);
        reading
    });
    let merged = merge(&provider, &readings);
    accepted(&merged.document);
    assert_eq!(merged.counts.quotas, 7);
    insta::assert_json_snapshot!("cluster", merged.document["regions"]);
}

#[test]
fn what_the_file_says_of_networks_and_users() {
    let provider = inventory(NETWORKS).providers.remove(0);
    let network = |name: &str, shared: bool, project: &str, default: bool| {
        item(json!({
            "name": name, "uuid": name, "is_shared": shared, "is_default": default,
            "projects": (!shared).then_some([project]),
        }))
    };
    let readings: Vec<Reading> = provider
        .connections
        .iter()
        .map(|connection| {
            let mine = connection.project_id.as_str();
            let networks = vec![
                network("ext", true, mine, false),
                network("lan", true, mine, false),
                network(&format!("net-{mine}"), false, mine, false),
                network("vpn", false, mine, mine == "p2"),
            ];
            let mut reading = reading(connection, vec![]);
            reading.services = Listing::Complete(vec![ServiceReading {
                kind: ServiceType::Network,
                endpoint: "https://neutron.example.org".to_owned(),
                name: "org.openstack.neutron",
                lists: vec![("quotas", Listing::Absent), ("networks", Listing::Complete(networks))],
            }]);
            reading
        })
        .collect();
    let merged = merge(&provider, &readings);
    accepted(&merged.document);
    insta::assert_json_snapshot!("networks", merged.document["regions"][0]["network_services"]);
    assert_eq!(
        merged.notes,
        [
            "region R0, project p3: `default_private_net` names `nowhere`, but the project sees no such private network"
        ]
    );
}

#[test]
fn the_only_network_of_its_kind_is_the_default_one() {
    let provider = provider(1, 1);
    let networks = items(json!([
        {"name": "ext", "uuid": "1", "is_shared": true, "is_default": false},
        {"name": "net", "uuid": "2", "is_shared": false, "is_default": false, "projects": ["p0"]},
    ]));
    let mut notes = Vec::new();
    let described = super::network::described(networks, &provider.connections[0], &mut notes);
    assert!(described.iter().all(|network| network["is_default"] == json!(true)), "{described:?}");
    assert!(notes.is_empty());
}

#[test]
fn what_is_unknown_is_told_beside_the_document() {
    let provider = provider(2, 2);
    let good =
        || provider.connections.iter().map(|connection| reading(connection, vec![])).collect::<Vec<_>>();
    assert_eq!(merge(&provider, &good()).unread, []);

    let told = |readings: &[Reading]| {
        let merged = merge(&provider, readings);
        accepted(&merged.document);
        assert_eq!(merged.scopes.unknown, merged.unread.len());
        serde_json::to_value(&merged.unread).unwrap()
    };
    let mut no_list = good();
    let Listing::Complete(services) = &mut no_list[1].services else { panic!() };
    services[0].lists.push(("images", Listing::Unknown(timeout())));
    let late = "GET /flavors/detail: no answer within 30 s";
    assert_eq!(
        told(&no_list),
        json!([{
            "region": "R0", "project": "p1", "service": "compute", "endpoint": "https://nova.example.org/R0",
            "list": "images", "class": "timeout", "reason": late,
        }])
    );

    let all_of = |project: &str, class: &str, reason: &str| json!([{"region": "R0", "project": project, "class": class, "reason": reason}]);
    let mut no_services = good();
    no_services[0].services = Listing::Unknown(timeout());
    no_services[0].project = Listing::Unknown(timeout());
    assert_eq!(told(&no_services), all_of("p0", "timeout", late));
    let described = |readings: &[Reading]| {
        let document = merge(&provider, readings).document;
        document["projects"].as_array().unwrap().iter().map(|p| p["uuid"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(described(&no_services), ["p1", "p0"], "the other region describes it");
    let mut nowhere = no_services.clone();
    nowhere[2].project = Listing::Unknown(timeout());
    assert_eq!(merge(&provider, &nowhere).unread.len(), 2, "nobody says what the project is called");
    assert_eq!(merge(&provider, &nowhere).document["projects"].as_array().unwrap().len(), 1);

    assert_eq!(told(&good()[1..]), all_of("p0", "configuration", "connection: it was not read"));

    let mut renamed = good();
    renamed[0].project = Listing::Complete(item(json!({"uuid": "p-zero", "name": "p0"})));
    let why = "project: the cloud calls this project p-zero: write this as its `id`";
    assert_eq!(told(&renamed), all_of("p0", "configuration", why));

    let mut gone = good();
    gone[0].project = Listing::Absent;
    let why = "project: the cloud has no such project: correct its `id`, or remove it";
    assert_eq!(told(&gone), all_of("p0", "configuration", why));
}

/// For each connection, for each flavor: not seen, seen as shared, or private to a set of projects.
fn sightings(connections: usize) -> impl Strategy<Value = Vec<Vec<Option<Option<Vec<usize>>>>>> {
    let sight = prop::option::of(prop::option::of(prop::collection::vec(0..6usize, 0..4)));
    prop::collection::vec(prop::collection::vec(sight, 4), connections)
}

proptest! {
    #[test]
    fn the_order_of_answers_does_not_matter(
        seen in sightings(6),
        order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        turn in 0..4usize,
    ) {
        let provider = provider(2, 3);
        let readings: Vec<Reading> = provider.connections.iter().zip(&seen).map(|(connection, seen)| {
            let mut flavors: Vec<Item> = seen.iter().enumerate().filter_map(|(f, sight)| {
                let projects = sight.as_ref()?.as_ref().map(|p| p.iter().map(|p| format!("p{p}")).collect::<Vec<_>>());
                let projects = projects.as_ref().map(|p| p.iter().map(String::as_str).collect::<Vec<_>>());
                let mut flavor = flavor(&format!("f{f}"), projects.as_deref());
                flavor.insert("description".to_owned(), connection.project_id.clone().into());
                Some(flavor)
            }).collect();
            let places = flavors.len().max(1);
            flavors.rotate_left(turn % places);
            reading(connection, vec![("flavors", flavors)])
        }).collect();
        let merged = merge(&provider, &readings);
        accepted(&merged.document);

        let shuffled: Vec<Reading> = order.iter().map(|&place| readings[place].clone()).collect();
        prop_assert_eq!(&merge(&provider, &shuffled), &merged);
        let twice: Vec<Reading> = readings.iter().chain(&shuffled).cloned().collect();
        prop_assert_eq!(&merge(&provider, &twice), &merged);

        // what must come out, said in another way: by flavor and region
        for (r, region) in merged.document["regions"].as_array().unwrap().iter().enumerate() {
            for f in 0..4 {
                let sights: Vec<_> = seen[r * 3..r * 3 + 3].iter().filter_map(|of| of[f].clone()).collect();
                let mut projects: Vec<_> =
                    sights.iter().flatten().flatten().filter(|p| **p < 3).map(|p| format!("p{p}")).collect();
                projects.sort();
                projects.dedup();
                let flavors = region["compute_services"][0]["flavors"].as_array().unwrap();
                let found = flavors.iter().find(|flavor| flavor["uuid"] == format!("f{f}"));
                let shared = sights.iter().all(Option::is_none);
                let expected = !sights.is_empty() && (shared || !projects.is_empty());
                prop_assert_eq!(found.is_some(), expected);
                if let Some(found) = found {
                    prop_assert_eq!(&found["is_shared"], &json!(shared));
                    let expected = if shared { Value::Null } else { json!(projects) };
                    prop_assert_eq!(found.get("projects").cloned().unwrap_or_default(), expected);
                }
            }
        }
    }
}
