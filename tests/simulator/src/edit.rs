//! Random changes of a provider document that leave it valid, for property tests of change sets.

use rand::seq::{IndexedMutRandom, IndexedRandom, SliceRandom};
use rand::{Rng, RngCore};
use serde_json::{Value, json};

type Edit = fn(&mut Value, &mut dyn RngCore);

/// Each does nothing to a document that has nothing of its kind.
const EDITS: [Edit; 20] = [
    describe,
    change_flavor,
    drop_item,
    add_flavor,
    change_image,
    change_network,
    toggle_sharing,
    drop_project,
    add_project,
    drop_region,
    add_region,
    move_location,
    change_quota,
    drop_quota,
    add_quota,
    change_agreement,
    swap_agreements,
    change_service,
    change_storage_class,
    shuffle,
];

/// The same provider (name and type stay) after one to four random changes: what is in it renamed, resized, added,
/// dropped, shared, made private, moved, reordered. The result obeys every rule of the contract if `document` does.
pub fn edit(document: &Value, rng: &mut impl Rng) -> Value {
    let mut out = document.clone();
    for _ in 0..rng.random_range(1..=4) {
        if let Some(edit) = EDITS.choose(rng) {
            edit(&mut out, rng);
        }
    }
    out
}

const SERVICES: [&str; 5] = [
    "block_storage_services",
    "compute_services",
    "identity_services",
    "network_services",
    "object_store_services",
];

fn items<'a>(value: &'a mut Value, name: &str) -> std::slice::IterMut<'a, Value> {
    match value.get_mut(name) {
        Some(Value::Array(items)) => items.iter_mut(),
        _ => [].iter_mut(),
    }
}

fn list<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Vec<Value>> {
    value.get_mut(name).and_then(Value::as_array_mut)
}

fn services(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    items(document, "regions").flat_map(|region| {
        let lists = region.as_object_mut().into_iter().flatten();
        lists
            .filter(|(name, _)| SERVICES.contains(&name.as_str()))
            .flat_map(|(_, list)| list.as_array_mut().into_iter().flatten())
    })
}

/// Every list of this name in any service.
fn lists<'a>(document: &'a mut Value, name: &'a str) -> Vec<&'a mut Vec<Value>> {
    services(document).filter_map(|service| list(service, name)).filter(|list| !list.is_empty()).collect()
}

fn any_item<'a>(document: &'a mut Value, name: &'a str, rng: &mut dyn RngCore) -> Option<&'a mut Value> {
    let mut all: Vec<&mut Value> = lists(document, name).into_iter().flatten().collect();
    let place = (!all.is_empty()).then(|| rng.random_range(0..all.len()))?;
    Some(all.swap_remove(place))
}

/// Quotas of services and of storage classes.
fn quota_lists(document: &mut Value) -> Vec<&mut Vec<Value>> {
    let mut out = Vec::new();
    for service in services(document).filter_map(Value::as_object_mut) {
        for (name, value) in service.iter_mut() {
            match (name.as_str(), value) {
                ("quotas", Value::Array(quotas)) => out.push(quotas),
                ("storage_classes", classes) => {
                    let classes = classes.as_array_mut().into_iter().flatten();
                    out.extend(classes.filter_map(|class| list(class, "quotas")));
                }
                _ => {}
            }
        }
    }
    out
}

fn project_ids(document: &Value) -> Vec<String> {
    let projects = document.get("projects").and_then(Value::as_array).into_iter().flatten();
    projects.filter_map(|p| p["uuid"].as_str().map(str::to_owned)).collect()
}

/// An id that no document has yet.
fn new_id(rng: &mut dyn RngCore) -> String {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string()
}

fn describe(document: &mut Value, rng: &mut dyn RngCore) {
    document["description"] = format!("edited {}", rng.random_range(0..1000)).into();
    document["is_public"] = rng.random_bool(0.5).into();
    document["status"] = (*["active", "maintenance", "limited"].choose(rng).unwrap_or(&"active")).into();
    let region = items(document, "regions").collect::<Vec<_>>();
    for region in region {
        region["overbooking_cpu"] = rng.random_range(1..5).into();
    }
}

fn change_flavor(document: &mut Value, rng: &mut dyn RngCore) {
    if let Some(flavor) = any_item(document, "flavors", rng) {
        flavor["name"] = format!("renamed.{}", rng.random_range(0..1000)).into();
        flavor["ram"] = (rng.random_range(1..64) * 1024).into();
        flavor["infiniband"] = rng.random_bool(0.5).into();
    }
}

fn drop_item(document: &mut Value, rng: &mut dyn RngCore) {
    let name = *["flavors", "images", "networks", "storage_classes"].choose(rng).unwrap_or(&"flavors");
    if let Some(list) = lists(document, name).choose_mut(rng) {
        list.swap_remove(rng.random_range(0..list.len()));
    }
}

fn add_flavor(document: &mut Value, rng: &mut dyn RngCore) {
    if let Some(list) = lists(document, "flavors").choose_mut(rng) {
        let mut flavor = list[0].clone();
        flavor["uuid"] = new_id(rng).into();
        flavor["name"] = "added".into();
        list.push(flavor);
    }
}

/// An image is one thing in all services that offer it, so all of them say the same.
fn on_image(document: &mut Value, uuid: &Value, change: impl Fn(&mut Value)) {
    let images = lists(document, "images").into_iter().flatten();
    images.filter(|image| image["uuid"] == *uuid).for_each(change);
}

fn change_image(document: &mut Value, rng: &mut dyn RngCore) {
    let Some(uuid) = any_item(document, "images", rng).map(|image| image["uuid"].clone()) else { return };
    let version = format!("{}.10", rng.random_range(10..30));
    let tags = if rng.random_bool(0.5) { json!(["base", "edited"]) } else { json!([]) };
    on_image(document, &uuid, |image| {
        image["os_version"] = version.as_str().into();
        image["tags"] = tags.clone();
    });
}

fn change_network(document: &mut Value, rng: &mut dyn RngCore) {
    if let Some(network) = any_item(document, "networks", rng) {
        network["mtu"] = rng.random_range(1280..9000).into();
        network["is_default"] = rng.random_bool(0.5).into();
        network["tags"] = json!(["edited"]);
    }
}

fn toggle_sharing(document: &mut Value, rng: &mut dyn RngCore) {
    let projects = project_ids(document);
    let name = *["flavors", "images", "networks"].choose(rng).unwrap_or(&"flavors");
    let amount = rng.random_range(1..=3);
    let owners: Vec<String> = projects.choose_multiple(rng, amount).cloned().collect();
    let Some(item) = any_item(document, name, rng) else { return };
    let shared = item["is_shared"] == true;
    if shared && owners.is_empty() {
        return;
    }
    let uuid = item["uuid"].clone();
    let toggle = |item: &mut Value| {
        item["is_shared"] = (!shared).into();
        if shared {
            item["projects"] = owners.clone().into();
        } else if let Some(item) = item.as_object_mut() {
            item.remove("projects");
        }
    };
    toggle(item);
    if name == "images" {
        on_image(document, &uuid, toggle);
    }
}

fn drop_project(document: &mut Value, rng: &mut dyn RngCore) {
    let Some(gone) = project_ids(document).choose(rng).cloned() else { return };
    if let Some(projects) = list(document, "projects") {
        projects.retain(|p| p["uuid"] != gone.as_str());
    }
    for idp in items(document, "identity_providers") {
        if let Some(groups) = list(idp, "user_groups") {
            groups.retain(|group| group["sla"]["project"] != gone.as_str());
        }
    }
    for quotas in quota_lists(document) {
        quotas.retain(|quota| quota["project"] != gone.as_str());
    }
    for name in ["flavors", "images", "networks"] {
        for list in lists(document, name) {
            for item in list.iter_mut() {
                if let Some(projects) = item.get_mut("projects").and_then(Value::as_array_mut) {
                    projects.retain(|p| p != gone.as_str());
                }
            }
            list.retain(|item| {
                item["is_shared"] == true || item["projects"].as_array().is_some_and(|p| !p.is_empty())
            });
        }
    }
}

fn add_project(document: &mut Value, rng: &mut dyn RngCore) {
    let (uuid, name) = (new_id(rng), format!("added-{}", new_id(rng)));
    let Some(projects) = list(document, "projects") else { return };
    projects.push(json!({ "name": name, "uuid": uuid }));
    let Some(idp) = items(document, "identity_providers").next() else { return };
    if let Some(groups) = list(idp, "user_groups") {
        let sla = json!({
            "doc_uuid": new_id(rng), "start_date": "2025-01-01", "end_date": "2030-12-31", "project": uuid,
        });
        groups.push(json!({ "name": name, "sla": sla }));
    }
}

fn drop_region(document: &mut Value, rng: &mut dyn RngCore) {
    if let Some(regions) = list(document, "regions").filter(|r| r.len() > 1) {
        regions.swap_remove(rng.random_range(0..regions.len()));
    }
}

fn add_region(document: &mut Value, rng: &mut dyn RngCore) {
    let name = format!("Added{}", new_id(rng));
    if let Some(regions) = list(document, "regions")
        && let Some(mut region) = regions.choose(rng).cloned()
    {
        region["name"] = name.into();
        regions.push(region);
    }
}

/// A site is one place for all regions that stand there.
fn move_location(document: &mut Value, rng: &mut dyn RngCore) {
    let latitude = f64::from(rng.random_range(-900..900)) / 10.0;
    let Some(site) = items(document, "regions").next().map(|r| r["location"]["site"].clone()) else { return };
    for region in items(document, "regions").filter(|r| r["location"]["site"] == site) {
        if let Some(location) = region.get_mut("location").filter(|l| l.is_object()) {
            location["latitude"] = latitude.into();
        }
    }
}

fn change_quota(document: &mut Value, rng: &mut dyn RngCore) {
    let mut quotas: Vec<_> = quota_lists(document).into_iter().flatten().collect();
    if let Some(quota) = quotas.choose_mut(rng).and_then(|quota| quota.as_object_mut()) {
        let mut numbers: Vec<_> = quota.values_mut().filter(|value| value.is_i64()).collect();
        if let Some(number) = numbers.choose_mut(rng) {
            **number = rng.random_range(0..100_000).into();
        }
    }
}

fn drop_quota(document: &mut Value, rng: &mut dyn RngCore) {
    let mut lists: Vec<_> = quota_lists(document).into_iter().filter(|quotas| !quotas.is_empty()).collect();
    if let Some(quotas) = lists.choose_mut(rng) {
        quotas.swap_remove(rng.random_range(0..quotas.len()));
    }
}

/// A quota for one user, where the project has none yet.
fn add_quota(document: &mut Value, rng: &mut dyn RngCore) {
    let Some(project) = project_ids(document).choose(rng).cloned() else { return };
    let mut lists = quota_lists(document);
    let Some(quotas) = lists.choose_mut(rng) else { return };
    if !quotas.iter().any(|q| q["project"] == project.as_str() && q["per_user"] == true) {
        quotas.push(json!({ "project": project, "per_user": true, "usage": false }));
    }
}

fn agreements(document: &mut Value) -> Vec<&mut Value> {
    let groups = items(document, "identity_providers").flat_map(|idp| items(idp, "user_groups"));
    groups.filter_map(|group| group.get_mut("sla").filter(|sla| sla.is_object())).collect()
}

fn change_agreement(document: &mut Value, rng: &mut dyn RngCore) {
    if let Some(sla) = agreements(document).choose_mut(rng) {
        sla["end_date"] = format!("{}-06-30", rng.random_range(2035..2050)).into();
        if rng.random_bool(0.5) {
            sla["doc_uuid"] = new_id(rng).into();
        }
    }
}

fn swap_agreements(document: &mut Value, rng: &mut dyn RngCore) {
    let mut agreements = agreements(document);
    agreements.shuffle(rng);
    if let [one, other, ..] = agreements.as_mut_slice() {
        let project = one["project"].take();
        one["project"] = std::mem::replace(&mut other["project"], project);
    }
}

fn change_service(document: &mut Value, rng: &mut dyn RngCore) {
    let mut services: Vec<_> = services(document).collect();
    if let Some(service) = services.choose_mut(rng) {
        if rng.random_bool(0.5) {
            service["description"] = format!("edited {}", rng.random_range(0..1000)).into();
        } else {
            service["endpoint"] =
                format!("https://moved-{}.example.org/v3", rng.random_range(0..100_000)).into();
        }
    }
}

fn change_storage_class(document: &mut Value, rng: &mut dyn RngCore) {
    if let Some(class) = any_item(document, "storage_classes", rng) {
        class["is_default"] = rng.random_bool(0.5).into();
        class["provisioner"] = "edited.csi.example.org".into();
    }
}

/// Order never matters.
fn shuffle(value: &mut Value, rng: &mut dyn RngCore) {
    match value {
        Value::Array(items) => {
            if items.iter().all(Value::is_object) {
                items.shuffle(rng);
            }
            for item in items {
                shuffle(item, rng);
            }
        }
        Value::Object(map) => map.values_mut().for_each(|value| shuffle(value, rng)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Params;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn every_edit_changes_something_and_a_seed_repeats_it() {
        let before = crate::documents(3, &Params::tiny()).collect::<Vec<_>>();
        for (nth, edit) in EDITS.iter().enumerate() {
            let changed = (0..40).any(|seed| {
                before.iter().any(|document| {
                    let mut after = document.clone();
                    edit(&mut after, &mut StdRng::seed_from_u64(seed));
                    after != *document
                })
            });
            assert!(changed, "edit {nth} never changes a document");
        }
        let twice = |seed| super::edit(&before[0], &mut StdRng::seed_from_u64(seed));
        assert_eq!(twice(5), twice(5));
    }

    #[test]
    fn nothing_names_a_project_that_was_dropped() {
        for seed in 0..50 {
            let mut rng = StdRng::seed_from_u64(seed);
            for mut document in crate::documents(seed, &Params::tiny()) {
                let before = project_ids(&document);
                drop_project(&mut document, &mut rng);
                let left = project_ids(&document);
                let gone = before.iter().find(|id| !left.contains(id)).unwrap();
                assert!(!document.to_string().contains(&format!("\"{gone}\"")), "{gone} in {document}");
            }
        }
    }
}
