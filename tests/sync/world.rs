//! A cloud that a test can change and break, as a feeder's readings show it.

use feeder::{
    inventory::{Provider, load_with},
    reading::{Fault, FaultClass, Item, Listing, Reading, ServiceReading, ServiceType},
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

pub const REGIONS: usize = 2;
pub const PROJECTS: usize = 3;
pub const THINGS: usize = 3;

/// Of what everybody may use, or only some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharing {
    Shared,
    Private(BTreeSet<usize>),
}

/// One region.
#[derive(Debug, Clone)]
pub struct Region {
    /// The services that it has: compute, network.
    pub services: [bool; 2],
    /// Flavors, images and networks by number.
    pub lists: [BTreeMap<usize, Sharing>; 3],
    /// Cores of each project.
    pub cores: [i64; PROJECTS],
}

pub type Cloud = Vec<Region>;

/// The names of the lists, each with the place of its service.
pub const LISTS: [(&str, usize); 3] = [("flavors", 0), ("images", 0), ("networks", 1)];

/// What fails of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    Nothing,
    /// It cannot be opened.
    Login,
    /// It can be opened, but what the region has stays unknown.
    Catalog,
    /// Some lists: flavors, images, networks, quotas.
    Lists([bool; 4]),
}

/// One run: what the cloud is, and what fails, for each connection.
pub type Step = (Cloud, Vec<Failure>);

fn sharing() -> impl Strategy<Value = Option<Sharing>> {
    let some = prop::collection::btree_set(0..PROJECTS, 1..=PROJECTS).prop_map(Sharing::Private);
    prop_oneof![Just(None), Just(Some(Sharing::Shared)), some.prop_map(Some)]
}

fn region() -> impl Strategy<Value = Region> {
    let list = || {
        prop::collection::vec(sharing(), THINGS).prop_map(|things| {
            let there = things.into_iter().enumerate();
            there.filter_map(|(place, thing)| Some((place, thing?))).collect::<BTreeMap<_, _>>()
        })
    };
    let has = || prop::bool::weighted(0.8);
    ([has(), has()], [list(), list(), list()], prop::array::uniform3(0..5_i64))
        .prop_map(|(services, lists, cores)| Region { services, lists, cores })
}

fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        4 => Just(Failure::Nothing),
        1 => Just(Failure::Login),
        1 => Just(Failure::Catalog),
        3 => prop::array::uniform4(prop::bool::ANY).prop_map(Failure::Lists),
    ]
}

/// A history: the last step reads everything.
pub fn history() -> impl Strategy<Value = Vec<Step>> {
    let cloud = || prop::collection::vec(region(), REGIONS);
    let step = (cloud(), prop::collection::vec(failure(), REGIONS * PROJECTS));
    prop::collection::vec(step, 1..6).prop_map(|mut steps| {
        let last = steps.last().map(|(cloud, _)| (cloud.clone(), vec![Failure::Nothing; REGIONS * PROJECTS]));
        steps.extend(last);
        steps
    })
}

/// The provider as the file describes it.
pub fn provider() -> Provider {
    let mut text = "trusted_idps:\n  - issuer: https://iam.example.org/\n    group_claim: groups\n    token: t\n    user_groups:\n".to_owned();
    for p in 0..PROJECTS {
        write!(text, "      - name: group{p}\n        slas: [{{doc_uuid: sla{p}, start_date: 2025-01-01, end_date: 2030-01-01}}]\n").unwrap();
    }
    text.push_str("openstack:\n  - name: SITE\n    auth_url: https://keystone.example.org/v3\n    identity_providers:\n      - {endpoint: https://iam.example.org/, name: iam, protocol: openid}\n    regions:\n");
    for r in 0..REGIONS {
        writeln!(text, "      - name: R{r}").unwrap();
    }
    text.push_str("    projects:\n");
    for p in 0..PROJECTS {
        write!(text, "      - id: p{p}\n        sla: sla{p}\n").unwrap();
    }
    let file = tempfile::Builder::new().suffix(".config.yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let mut inventory = load_with(file.path(), &|_| None);
    assert_eq!(inventory.faults, []);
    inventory.providers.remove(0)
}

fn broken(what: &str) -> Fault {
    Fault { what: what.to_owned(), why: "no answer".to_owned(), class: FaultClass::Timeout }
}

fn item(json: Json) -> Item {
    let Json::Object(item) = json else { unreachable!("an object") };
    item
}

/// A thing's id: of one region only.
pub fn uuid(list: usize, region: usize, thing: usize) -> String {
    format!("{}-{region}-{thing}", LISTS[list].0)
}

/// What a project can use of a list.
pub fn usable(region: &Region, r: usize, p: usize, list: usize) -> BTreeSet<String> {
    let sees = |sharing: &Sharing| match sharing {
        Sharing::Shared => true,
        Sharing::Private(projects) => projects.contains(&p),
    };
    let there = region.services[LISTS[list].1];
    let things = region.lists[list].iter().filter(|(_, sharing)| there && sees(sharing));
    things.map(|(thing, _)| uuid(list, r, *thing)).collect()
}

/// What one connection reads.
pub fn reading(cloud: &Cloud, r: usize, p: usize, failure: &Failure) -> Reading {
    let project = format!("p{p}");
    let named = item(json!({ "uuid": project, "name": project }));
    let (project_reading, services) = match failure {
        Failure::Login => (Listing::Unknown(broken("token")), Listing::Unknown(broken("token"))),
        Failure::Catalog => (Listing::Complete(named), Listing::Unknown(broken("catalog"))),
        Failure::Nothing => {
            (Listing::Complete(named), Listing::Complete(services(&cloud[r], r, p, [false; 4])))
        }
        Failure::Lists(fail) => {
            (Listing::Complete(named), Listing::Complete(services(&cloud[r], r, p, *fail)))
        }
    };
    Reading {
        region: format!("R{r}"),
        project_id: project,
        project: project_reading,
        services,
        offer: Listing::Absent,
    }
}

fn services(region: &Region, r: usize, p: usize, fail: [bool; 4]) -> Vec<ServiceReading> {
    let things = |list: usize| {
        if fail[list] {
            return Listing::Unknown(broken(LISTS[list].0));
        }
        let seen = usable(region, r, p, list);
        let items = region.lists[list].iter().filter(|(thing, _)| seen.contains(&uuid(list, r, **thing)));
        let items = items.map(|(thing, sharing)| {
            let shared = *sharing == Sharing::Shared;
            let id = uuid(list, r, *thing);
            item(json!({
                "name": id, "uuid": id, "is_shared": shared, "projects": (!shared).then(|| [format!("p{p}")]),
            }))
        });
        Listing::Complete(items.collect())
    };
    let quotas = |fields: Json| {
        if fail[3] {
            return Listing::Unknown(broken("quotas"));
        }
        let mut limit = item(fields);
        limit.insert("project".to_owned(), format!("p{p}").into());
        let mut usage = limit.clone();
        usage.insert("usage".to_owned(), true.into());
        Listing::Complete(vec![limit, usage])
    };
    let compute = ServiceReading {
        kind: ServiceType::Compute,
        endpoint: format!("https://nova.example.org/{r}"),
        name: "org.openstack.nova",
        lists: vec![
            ("flavors", things(0)),
            ("images", things(1)),
            ("quotas", quotas(json!({ "cores": region.cores[p] }))),
        ],
    };
    let network = ServiceReading {
        kind: ServiceType::Network,
        endpoint: format!("https://neutron.example.org/{r}"),
        name: "org.openstack.neutron",
        lists: vec![("networks", things(2)), ("quotas", quotas(json!({ "ports": region.cores[p] })))],
    };
    let there = [compute, network].into_iter().zip(region.services);
    there.filter_map(|(service, there)| there.then_some(service)).collect()
}

/// Whether a connection's list was read whole: of `LISTS`, or the quotas (3).
pub fn complete(failure: &Failure, list: usize) -> bool {
    match failure {
        Failure::Nothing => true,
        Failure::Lists(fail) => !fail[list],
        _ => false,
    }
}
