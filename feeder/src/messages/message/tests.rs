use chrono::DateTime;
use serde_json::{Value, json};

use super::{Known, Version, messages};
use crate::inventory::Provider;
use crate::merge::merge;
use crate::reading::{Item, Listing, Reading, ServiceReading, ServiceType};
use crate::testing::{inventory, item, provider, reading, timeout};

fn items(values: Value) -> Vec<Item> {
    let Value::Array(values) = values else { panic!("{values} is no list") };
    values.into_iter().map(item).collect()
}

fn cloud(provider: &Provider) -> Vec<Reading> {
    let read = provider.connections.iter().map(|connection| {
        let mine = connection.project_id.as_str();
        reading(
            connection,
            vec![
                (
                    "quotas",
                    items(json!([
                        {"project": mine, "usage": true, "cores": 3, "ram": 4096},
                        {"project": mine, "cores": 10, "ram": -1, "instances": 5},
                    ])),
                ),
                (
                    "flavors",
                    items(json!([
                        {"name": "small", "uuid": "small", "vcpus": 2, "ram": 4096, "disk": 20, "is_shared": true},
                        {"name": "own", "uuid": format!("own-{mine}"), "is_shared": false, "projects": [mine]},
                    ])),
                ),
                ("images", items(json!([{"name": "image", "uuid": "image", "is_shared": true}]))),
            ],
        )
    });
    read.collect()
}

/// The bodies by their keys, as sent.
fn sent(provider: &Provider, readings: &[Reading], version: Version) -> Vec<(String, Value)> {
    let known: Vec<Reading> = readings.to_vec();
    let document = merge(provider, &known).document;
    let (messages, left_out) = messages(provider, readings, &document, version, None, None);
    assert_eq!(left_out, Vec::<String>::new());
    let at = DateTime::from_timestamp(1_795_849_200, 999_000_000).unwrap();
    messages
        .into_iter()
        .map(|message| (message.key.clone(), serde_json::from_str(&message.text(at)).unwrap()))
        .collect()
}

#[test]
fn each_project_sees_its_own() {
    let provider = provider(1, 2);
    let sent = sent(&provider, &cloud(&provider), Version::V1_4);
    let keys: Vec<_> = sent.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["openstack/site-a/R0/p0", "openstack/site-a/R0/p1"]);
    insta::assert_json_snapshot!("openstack", sent[0].1);
    let compute = &sent[1].1["compute_services"][0];
    assert_eq!(compute["flavors"][0]["uuid"], "own-p1");
    assert!(compute["quotas"].as_array().unwrap().iter().all(|quota| quota["project"] == "p1"));
}

/// The table of `clients.md` 4, whatever the cloud left out.
#[test]
fn what_the_selector_reads_is_never_null() {
    let file = crate::testing::file(&["site-a"], 1, 1)
        .replace("sla: sla0\n", "sla: sla0\n        per_user_limits: {compute: {cores: 2}}\n");
    let provider = inventory(&file).providers.remove(0);
    for (_, message) in sent(&provider, &cloud(&provider), Version::V1_4) {
        let quotas = message["compute_services"][0]["quotas"].as_array().unwrap();
        let order: Vec<_> = quotas.iter().map(|quota| (&quota["per_user"], &quota["usage"])).collect();
        assert_eq!(json!(order), json!([[true, false], [false, false], [false, true]]));
        for (quota, name) in quotas.iter().flat_map(|quota| ["cores", "ram", "instances"].map(|n| (quota, n)))
        {
            assert!(quota[name].is_i64(), "{name}: {quota}");
        }
        assert_eq!(quotas[0]["ram"], -1, "no limit for each user");
        assert_eq!(quotas[1]["ram"], -1, "unlimited is -1");
        assert_eq!(quotas[2]["instances"], 0, "nothing is used");
        for flavor in message["compute_services"][0]["flavors"].as_array().unwrap() {
            for name in ["disk", "gpus", "ram", "vcpus"] {
                assert!(flavor[name].is_i64(), "{name}: {flavor}");
            }
        }
        for name in ["os_distro", "os_version"] {
            assert!(message["compute_services"][0]["images"][0][name].is_string(), "{name}");
        }
        for name in ["overbooking_cpu", "overbooking_ram", "bandwidth_in", "bandwidth_out"] {
            assert!(message[name].is_f64(), "{name}");
        }
        for name in ["provider_name", "region_name", "project_id", "user_group"] {
            assert!(message[name].is_string(), "{name}");
        }
        assert_eq!(message["timestamp"], "2026-11-28T07:00:00+00:00");
    }
}

#[test]
fn versions_differ_in_two_fields() {
    let provider = provider(1, 1);
    let readings = cloud(&provider);
    let [old, middle, new] = [Version::V1_2, Version::V1_3, Version::V1_4].map(|version| {
        let Value::Object(message) = sent(&provider, &readings, version).remove(0).1 else {
            panic!("no object")
        };
        message
    });
    let has = |message: &Item| (message.contains_key("timestamp"), message.contains_key("issuer_audience"));
    assert_eq!([has(&old), has(&middle), has(&new)], [(false, false), (true, false), (true, true)]);
    assert_eq!(old.len() + 2, new.len());
    assert_eq!((&old["msg_version"], &new["msg_version"]), (&json!("1.2.0"), &json!("1.4.0")));
    assert!(old.keys().is_sorted());
}

#[test]
fn a_cluster_has_the_numbers_of_virtual_machines() {
    let provider = inventory(include_str!("../../merge/testdata/cluster.config.yaml")).providers.remove(0);
    let readings: Vec<Reading> = provider
        .connections
        .iter()
        .map(|connection| {
            let namespace = connection.project_id.as_str();
            let service = |kind, endpoint: &str, name, lists| ServiceReading {
                kind,
                endpoint: endpoint.to_owned(),
                name,
                lists,
            };
            let compute = items(json!([
                {"project": namespace, "requests_cpu": 16, "limits_cpu": 32, "limits_memory": 64, "pods": 50},
                {"project": namespace, "usage": true, "requests_cpu": 4, "limits_cpu": 30, "limits_memory": 8, "pods": 7},
            ]));
            let storage = items(json!([{"project": namespace, "pvcs": 10, "storage": -1}]));
            let mut reading = reading(connection, vec![]);
            reading.services = Listing::Complete(vec![
                service(
                    ServiceType::Compute,
                    "https://b.example.org:6443/v1",
                    "v1",
                    vec![("quotas", Listing::Complete(compute))],
                ),
                service(
                    ServiceType::BlockStorage,
                    "https://b.example.org:6443/storage.k8s.io/v1",
                    "storage.k8s.io/v1",
                    vec![("quotas", Listing::Complete(storage)), ("storage_classes", Listing::Complete(vec![]))],
                ),
            ]);
            reading
        })
        .collect();
    let sent = sent(&provider, &readings, Version::V1_4);
    insta::assert_json_snapshot!("kubernetes", sent[1].1);
    let quotas = &sent[0].1["compute_services"][0]["quotas"];
    // of CPUs that may be limited to 2 are left, of those that may be requested 12
    assert_eq!((&quotas[0]["cores"], &quotas[1]["cores"]), (&json!(32), &json!(30)));
    assert_eq!((&quotas[0]["ram"], &quotas[1]["ram"]), (&json!(65536), &json!(8192)), "MiB");
    assert_eq!(sent[0].1["issuer_audience"], "k8s-b");
}

#[test]
fn of_what_was_not_read_completely_nothing_is_said() {
    let provider = provider(1, 3);
    let mut readings = cloud(&provider);
    let document = merge(&provider, &readings).document;
    readings[0].services = Listing::Unknown(timeout());
    let Listing::Complete(services) = &mut readings[1].services else { panic!("complete") };
    services[0].lists[2].1 = Listing::Unknown(timeout());
    let (said, left_out) = messages(&provider, &readings, &document, Version::V1_4, None, None);
    assert_eq!(
        said.iter().map(|message| message.key.as_str()).collect::<Vec<_>>(),
        ["openstack/site-a/R0/p2"]
    );
    assert_eq!(left_out, Vec::<String>::new(), "what is unknown is told by the run already");

    let empty = json!({"regions": [{"name": "R0"}]});
    let (said, left_out) = messages(&provider, &readings[2..], &empty, Version::V1_4, None, None);
    assert_eq!(said, []);
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert!(left_out[0].starts_with("region R0, project p2: no message is sent"));
}

#[test]
fn lists_that_were_not_asked_for_are_told_as_they_were_read_last() {
    let provider = provider(1, 1);
    let mut known = Known::default();
    let mut say = |change: &dyn Fn(&mut ServiceReading), asked: Option<&[&str]>| {
        let mut readings = cloud(&provider);
        let Listing::Complete(services) = &mut readings[0].services else { panic!("complete") };
        change(&mut services[0]);
        for (name, list) in &mut services[0].lists {
            if asked.is_some_and(|asked| !asked.contains(name)) {
                *list = Listing::Absent;
            }
        }
        let document = merge(&provider, &readings).document;
        let (said, _) = messages(&provider, &readings, &document, Version::V1_4, asked, Some(&mut known));
        said.into_iter().next().map(|message| Value::Object(message.body)["compute_services"][0].clone())
    };
    let set = |list: usize, value: Value| {
        move |service: &mut ServiceReading| service.lists[list].1 = Listing::Complete(items(value.clone()))
    };
    let broken =
        |list: usize| move |service: &mut ServiceReading| service.lists[list].1 = Listing::Unknown(timeout());
    let cores = |n: i64| json!([{"project": "p0", "cores": n}]);
    let names = |said: &Value, list: &str| -> Vec<String> {
        said[list].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };

    assert_eq!(say(&set(0, cores(1)), Some(&["quotas"])), None, "the flavors were never read");
    assert_eq!(say(&broken(1), None), None);
    assert_eq!(say(&set(0, cores(2)), Some(&["quotas"])), None, "nor now: but images and quotas were");
    let said = say(&set(0, cores(3)), Some(&["quotas", "flavors"])).unwrap();
    assert_eq!(
        (said["quotas"][0]["cores"].as_i64(), names(&said, "images")),
        (Some(3), vec!["image".to_owned()])
    );
    assert_eq!(names(&said, "flavors"), ["own", "small"]);
    let said = say(&set(0, cores(4)), Some(&["quotas"])).unwrap();
    assert_eq!((said["quotas"][0]["cores"].as_i64(), names(&said, "flavors").len()), (Some(4), 2));

    let newer = json!([{"name": "newer", "uuid": "newer", "is_shared": true}]);
    let change = |service: &mut ServiceReading| {
        set(2, newer.clone())(service);
        broken(1)(service);
    };
    assert_eq!(say(&change, None), None, "something is unknown: the last message stays");
    let said = say(&set(0, cores(5)), Some(&["quotas"])).unwrap();
    assert_eq!(names(&said, "images"), ["newer"], "what was read beside it is not forgotten");
    assert_eq!(say(&broken(0), Some(&["quotas"])), None);
    let said = say(&set(1, json!([])), Some(&["flavors"])).unwrap();
    assert_eq!(
        (said["quotas"][0]["cores"].as_i64(), names(&said, "flavors").len()),
        (Some(5), 0),
        "gone is gone"
    );
}
