//! What several tests build: providers out of files, and readings of them.

use serde_json::{Value, json};

use crate::inventory::{Connection, Inventory, Provider, load_with};
use crate::reading::{Fault, FaultClass, Item, Listing, Reading, ServiceReading, ServiceType};

/// The inventory of one file.
pub fn inventory(text: &str) -> Inventory {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.config.yaml"), text).unwrap();
    let inventory = load_with(folder.path(), &|_| Some("secret".to_owned()));
    assert_eq!(inventory.faults, []);
    inventory
}

/// A file with OpenStack providers of these names, each with the regions R0.. and the projects p0.. .
pub fn file(providers: &[&str], regions: usize, projects: usize) -> String {
    use std::fmt::Write;
    let mut text = "trusted_idps:\n  - issuer: https://iam.example.org/\n    group_claim: groups\n    token_env: T\n    user_groups:\n".to_owned();
    for p in 0..projects {
        write!(
            text,
            "      - name: g{p}\n        slas:\n          - {{doc_uuid: sla{p}, start_date: 2024-01-01, end_date: 2029-12-31}}\n"
        )
        .unwrap();
    }
    text.push_str("openstack:\n");
    for name in providers {
        write!(text, "  - name: {name}\n    auth_url: https://{name}.example.org:5000/v3\n    identity_providers:\n      - {{endpoint: https://iam.example.org/, name: iam, protocol: openid}}\n    regions:\n").unwrap();
        for r in 0..regions {
            writeln!(text, "      - name: R{r}").unwrap();
        }
        text.push_str("    projects:\n");
        for p in 0..projects {
            write!(text, "      - id: p{p}\n        sla: sla{p}\n").unwrap();
        }
    }
    text
}

/// The only provider of such a file.
pub fn provider(regions: usize, projects: usize) -> Provider {
    inventory(&file(&["site-a"], regions, projects)).providers.remove(0)
}

/// A JSON object.
pub fn item(value: Value) -> Item {
    let Value::Object(item) = value else { panic!("{value} is no object") };
    item
}

/// What a connection reads when the cloud has one compute service with these lists.
pub fn reading(connection: &Connection, lists: Vec<(&'static str, Vec<Item>)>) -> Reading {
    Reading {
        region: connection.region.clone(),
        project_id: connection.project_id.clone(),
        project: Listing::Complete(item(
            json!({"uuid": connection.project_id, "name": connection.project_id}),
        )),
        services: Listing::Complete(vec![ServiceReading {
            kind: ServiceType::Compute,
            endpoint: format!("https://nova.example.org/{}", connection.region),
            name: "org.openstack.nova",
            lists: lists.into_iter().map(|(name, items)| (name, Listing::Complete(items))).collect(),
        }]),
        offer: Listing::Absent,
    }
}

/// A site that does not answer.
pub fn timeout() -> Fault {
    Fault {
        what: "GET /flavors/detail".to_owned(),
        why: "no answer within 30 s".to_owned(),
        class: FaultClass::Timeout,
    }
}

/// How most tests run.
pub fn plan() -> crate::run::Plan {
    let limits = crate::limits::Limits { retries: 0, concurrency: 2, ..crate::limits::Limits::default() };
    crate::run::Plan {
        connections: 3,
        requests: 3,
        limits,
        removal_limit: 0.3,
        provider_removal_limit: 0.5,
        confirm_removals: false,
        dry_run: false,
        holder: "test".to_owned(),
        lease: std::time::Duration::from_mins(1),
        order: crate::order::Order::default(),
    }
}

/// What a run reports of these when all went well.
pub fn report(keys: &[&crate::inventory::ProviderKey]) -> crate::report::Report {
    use crate::report::{Outcome, ProviderReport, Report};
    Report {
        id: "19700101T000000Z-00000000".to_owned(),
        trigger: crate::order::Trigger::Once,
        requests: vec![],
        holder: "here".to_owned(),
        started: chrono::DateTime::UNIX_EPOCH,
        seconds: 1.0,
        providers: keys.iter().map(|key| ProviderReport::new((*key).clone(), 1, Outcome::Updated)).collect(),
        configuration: vec![],
        kept: None,
        unrecorded: None,
        unsent: None,
        interrupted: false,
        dry_run: false,
    }
}

/// A list of the first connection that could not be read.
pub fn unread(list: &'static str) -> crate::merge::Unread {
    let list =
        crate::merge::UnreadList { service: ServiceType::Compute, endpoint: String::new(), name: list };
    crate::merge::Unread {
        region: "R0".to_owned(),
        project: "p0".to_owned(),
        list: Some(list),
        fault: timeout(),
    }
}
