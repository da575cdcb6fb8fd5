//! Every fault at every list of both technologies, and random histories of simulated sites: what fails stays, whatever the
//! cloud has become meanwhile; all else is the cloud.

use crate::parts::Parts;
use feeder::report::Outcome;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use simulator::{
    Fault, Params, Site,
    model::{Amount, Technology, Visibility},
};
use std::{collections::BTreeSet, sync::Arc};

/// A list: whose, where it is asked for, and what is not known without it.
type List = (Technology, &'static str, &'static [&'static str]);

const LISTS: [List; 8] = [
    (Technology::OpenStack, "/compute/v2.1/flavors", &["Flavor"]),
    (Technology::OpenStack, "/image/v2/images", &["Image"]),
    (Technology::OpenStack, "/network/v2.0/networks", &["Network"]),
    (Technology::OpenStack, "/compute/v2.1/os-quota-sets", &["ComputeQuota"]),
    (Technology::OpenStack, "/network/v2.0/quotas", &["NetworkQuota"]),
    (Technology::OpenStack, "/os-quota-sets", &["ComputeQuota", "BlockStorageQuota"]),
    (Technology::Kubernetes, "/storageclasses", &["StorageClass", "StorageClassQuota"]),
    // without its quotas nothing of a namespace is known as a whole
    (
        Technology::Kubernetes,
        "/resourcequotas",
        &["ComputeQuota", "BlockStorageQuota", "StorageClass", "StorageClassQuota", "Project"],
    ),
];

/// All faults of the test list, with the class that is told for each.
fn faults() -> Vec<(Fault, &'static [&'static str])> {
    vec![
        (Fault::Status(401), &["unauthorized"]),
        (Fault::Status(403), &["forbidden"]),
        (Fault::Status(404), &["garbage"]),
        (Fault::Status(429), &["unavailable"]),
        (Fault::Status(500), &["unavailable"]),
        (Fault::Hang, &["timeout"]),
        (Fault::Stall, &["timeout"]),
        (Fault::Garbage, &["garbage"]),
        (Fault::HalfBody, &["unreachable", "garbage"]),
    ]
}

/// Those that nobody has to wait for.
fn quick_faults() -> Vec<Fault> {
    let slow = [Fault::Hang, Fault::Stall];
    let all = faults().into_iter().map(|(fault, _)| fault).chain([Fault::PageTwoFails]);
    all.filter(|fault| !slow.contains(fault)).collect()
}

async fn parts() -> Parts {
    Parts::start(Params { openstack: 1, kubernetes: 1, regions: 1, projects: 2, ..Params::tiny() }).await
}

fn of(parts: &Parts, technology: Technology) -> &Arc<Site> {
    parts.sites.sites().iter().find(|site| site.provider().technology == technology).unwrap()
}

fn more(amount: &mut Amount) {
    amount.limit = if amount.limit < 0 { 17 } else { -1 };
}

/// The cloud becomes another one: nearly everything of it goes, and every quota is another.
fn wither(site: &Site) {
    site.edit(|provider| {
        for cloud in provider.clouds_mut() {
            cloud.flavors.truncate(1);
            cloud.images.truncate(1);
            cloud.networks.truncate(1);
            for quota in cloud.quotas.values_mut() {
                [&mut quota.cores, &mut quota.ports, &mut quota.gigabytes].into_iter().for_each(more);
            }
        }
        if let Some(cluster) = provider.cluster_mut() {
            cluster.storage_classes.truncate(1);
            cluster.quotas.values_mut().for_each(|quota| quota.pods.limit += 1);
        }
    });
}

/// Which kinds of things the registry would change if it were told the whole truth about a provider now.
async fn untrue(parts: &Parts, site: &Site) -> BTreeSet<String> {
    let document = simulator::document(&site.provider().clone(), site.root());
    let sent = json!({
        "document": document, "read": { "at": "2040-01-01T00:00:00Z" }, "removal_limit": 1.0, "confirm_removals": true,
    });
    let (status, done) = parts.send("PUT", "/feeder/providers?dry_run=true", &sent).await;
    assert_eq!(status, 200, "{done}");
    let changes = done["changes"].as_array().unwrap().iter();
    // its status says that not all is known, and relations to what stays stay
    let told = changes.filter(|change| change["kind"] != "Provider");
    told.map(|change| change["kind"].as_str().unwrap().to_owned()).collect()
}

/// Everything of some kinds, as the registry shows it.
async fn kept(parts: &Parts, kinds: &[&str]) -> Json {
    let mut all = json!({});
    for kind in kinds {
        let list = match *kind {
            "Flavor" => "flavors",
            "Image" => "images",
            "Network" => "networks",
            "Project" => "projects",
            "StorageClass" => "storage_classes",
            "StorageClassQuota" => "storage_class_quotas",
            "ComputeQuota" => "compute_quotas",
            "NetworkQuota" => "network_quotas",
            "BlockStorageQuota" => "block_storage_quotas",
            other => panic!("{other}"),
        };
        let mut items = parts.get(&format!("/{list}")).await.as_array().unwrap().clone();
        items.sort_by_key(Json::to_string);
        all[*kind] = items.into();
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_list_keeps_that_list_and_no_other() {
    let parts = parts().await;
    for technology in [Technology::OpenStack, Technology::Kubernetes] {
        let site = of(&parts, technology);
        site.configure(|settings| settings.page_size = 2);
        let name = site.provider().name.clone();
        let whole = site.provider().clone();
        let all = faults().into_iter().chain([(Fault::PageTwoFails, &["unavailable"][..])]);
        for (place, (fault, classes)) in all.enumerate() {
            let paged = |kinds: &[&str]| ["Flavor", "Image", "Network"].contains(&kinds[0]);
            let fails =
                |(of, _, kinds): &&List| *of == technology && (fault != Fault::PageTwoFails || paged(kinds));
            let lists: Vec<&List> = LISTS.iter().filter(fails).collect();
            let Some((_, path, own)) = lists.get(place % lists.len().max(1)) else { continue };
            assert!(!parts.quick(&[]).await.failed());
            // the cloud becomes another one, and all lists fail at once
            let kinds: Vec<&str> = lists.iter().flat_map(|(.., kinds)| *kinds).copied().collect();
            let before = kept(&parts, &kinds).await;
            wither(site);
            for (_, path, _) in &lists {
                site.faults().set(*path, fault.clone());
            }
            let report = parts.quick(&[&name]).await;
            assert!(report.failed(), "{fault:?}");
            assert_eq!(kept(&parts, &kinds).await, before, "{fault:?}: all of it stays, with its uids");
            for scope in parts.named("/freshness", &name).await["stale"].as_array().unwrap() {
                assert!(classes.contains(&scope["class"].as_str().unwrap()), "{fault:?}: {scope}");
            }
            // then one of them alone, another one for each fault
            site.faults().clear();
            let before = kept(&parts, own).await;
            site.faults().set(*path, fault.clone());
            assert!(parts.quick(&[&name]).await.failed(), "{fault:?} at {path}");
            assert_eq!(kept(&parts, own).await, before, "{fault:?} at {path}");
            let untrue = untrue(&parts, site).await;
            assert!(
                untrue.iter().all(|kind| own.contains(&kind.as_str())),
                "{fault:?} at {path}: {untrue:?}"
            );

            site.faults().clear();
            assert!(!parts.quick(&[&name]).await.failed(), "{fault:?}");
            assert_eq!(self::untrue(&parts, site).await, BTreeSet::new(), "{fault:?}: then it is the cloud");
            site.edit(|provider| *provider = whole.clone());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cloud_says_by_whole_lists_is_so() {
    let parts = parts().await;
    let site = of(&parts, Technology::OpenStack);
    let (name, project) = (site.provider().name.clone(), site.provider().projects[0].id.clone());
    let other = site.provider().projects[1].id.clone();
    assert!(!parts.quick(&[]).await.failed());
    let named = async |list: &str, name: &str| -> Vec<Json> {
        let all = parts.get(&format!("/{list}?with_conn=true")).await;
        all.as_array().unwrap().iter().filter(|item| item["name"] == name).cloned().collect()
    };

    // a flavor is renamed: the same one
    let flavor = parts.get("/flavors").await[0].clone();
    assert!(site.rename_flavor(flavor["name"].as_str().unwrap(), "renamed"));
    parts.quick(&[&name]).await;
    assert_eq!(named("flavors", "renamed").await[0]["uid"], flavor["uid"]);

    // an image that two projects share is taken from one of them
    let share = |members: Vec<(String, bool)>| {
        let owner = project.clone();
        site.edit(move |provider| {
            let image = &mut provider.clouds_mut().next().unwrap().images[0];
            (image.name, image.visibility, image.owner, image.members, image.active) =
                ("shared".to_owned(), Visibility::Shared, owner, members, true);
        });
    };
    share(vec![(other.clone(), true)]);
    parts.quick(&[&name]).await;
    let projects = |image: &Json| image["projects"].as_array().unwrap().len();
    let image = named("images", "shared").await;
    assert_eq!((image.len(), projects(&image[0])), (1, 2), "{image:?}");
    share(vec![]);
    parts.quick(&[&name]).await;
    let left = named("images", "shared").await;
    assert_eq!((projects(&left[0]), &left[0]["uid"]), (1, &image[0]["uid"]), "the same one, of one project");

    // a quota without limit, and lists with doubled entries
    site.edit(|provider| {
        let cloud = provider.clouds_mut().next().unwrap();
        cloud.quotas.get_mut(&project).unwrap().gigabytes.limit = -1;
        for place in [0, 1] {
            cloud.flavors.push(cloud.flavors[place].clone());
            cloud.networks.push(cloud.networks[place].clone());
        }
    });
    let flavors = parts.get("/flavors").await;
    let report = parts.quick(&[&name]).await;
    assert!(!report.failed(), "{report}");
    assert_eq!(parts.get("/flavors").await.as_array().unwrap().len(), flavors.as_array().unwrap().len());
    let quotas = parts.get("/block_storage_quotas").await;
    let unlimited = quotas.as_array().unwrap().iter().filter(|quota| quota["gigabytes"] == -1);
    assert_eq!(unlimited.count(), 1, "{quotas:#}");

    // empty lists are lists
    site.edit(|provider| {
        let cloud = provider.clouds_mut().next().unwrap();
        (cloud.flavors, cloud.images, cloud.networks) = (vec![], vec![], vec![]);
    });
    let report = parts.quick(&[&name]).await;
    assert!(!report.failed(), "{report}");
    for list in ["flavors", "images", "networks"] {
        assert_eq!(parts.get(&format!("/{list}")).await, json!([]), "{list}");
    }
    let report = parts.quick(&[&name]).await;
    assert_eq!(report.providers[0].outcome, Outcome::NotModified, "once more changes nothing");
}

/// One turn of a site: what becomes of it, and where it fails.
#[derive(Debug, Clone)]
struct Turn {
    lists: [Option<u8>; 3],
    quotas: bool,
    fault: Option<(usize, usize)>,
}

fn turn() -> impl Strategy<Value = Turn> {
    let lists = prop::array::uniform3(prop::option::weighted(0.6, any::<u8>()));
    let fault = prop::option::weighted(0.6, (0..4_usize, 0..quick_faults().len()));
    (lists, any::<bool>(), fault).prop_map(|(lists, quotas, fault)| Turn { lists, quotas, fault })
}

/// Keeps the entries whose bits are set.
fn choose<T: Clone>(all: &[T], bits: u8) -> Vec<T> {
    all.iter()
        .enumerate()
        .filter(|(place, _)| bits >> (place % 8) & 1 == 1)
        .map(|(_, one)| one.clone())
        .collect()
}

async fn live(turns: Vec<Turn>) {
    let parts = parts().await;
    let site = of(&parts, Technology::OpenStack);
    let name = site.provider().name.clone();
    let whole = site.edit(|provider| provider.clouds_mut().next().unwrap().clone());
    for Turn { lists, quotas, fault } in turns {
        site.edit(|provider| {
            for cloud in provider.clouds_mut() {
                if let Some(bits) = lists[0] {
                    cloud.flavors = choose(&whole.flavors, bits);
                }
                if let Some(bits) = lists[1] {
                    cloud.images = choose(&whole.images, bits);
                }
                if let Some(bits) = lists[2] {
                    cloud.networks = choose(&whole.networks, bits);
                }
                if quotas {
                    cloud.quotas.values_mut().for_each(|quota| more(&mut quota.cores));
                }
            }
        });
        // there is no second page of quotas
        let fault = fault.filter(|(list, fault)| *list < 3 || quick_faults()[*fault] != Fault::PageTwoFails);
        let failing = fault.map(|(list, fault)| (LISTS[list], quick_faults().swap_remove(fault)));
        let before = match &failing {
            Some(((_, _, kinds), _)) => Some(kept(&parts, kinds).await),
            None => None,
        };
        if let Some(((_, path, _), fault)) = &failing {
            site.faults().set(*path, fault.clone());
        }
        let new = parts.get("/providers").await == json!([]);
        let report = parts.quick(&[&name]).await;
        site.faults().clear();
        assert_eq!(report.failed(), failing.is_some(), "{report}");
        let untrue = untrue(&parts, site).await;
        match (&failing, before) {
            (Some(((_, _, kinds), fault)), Some(before)) => {
                assert!(untrue.iter().all(|kind| kinds.contains(&kind.as_str())), "{fault:?}: {untrue:?}");
                if !new {
                    assert_eq!(kept(&parts, kinds).await, before, "{fault:?}");
                }
            }
            _ => assert_eq!(untrue, BTreeSet::new()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, max_shrink_iters: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_random_history_of_a_site_and_its_faults(turns in prop::collection::vec(turn(), 2..6)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(live(turns));
    }
}
