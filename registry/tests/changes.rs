//! Properties of change sets: over random federations and random edits of their documents.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};
use registry::graph::{
    Export, Graph,
    change::{ChangeSet, Created, Deleted, Link, Updated, Was},
    expand::Writer,
    plan,
    select::Special,
    stored::Stored,
    uid::Uid,
};
use schema::{Audience, Kind, Schema, document};
use serde_json::Value as Json;
use simulator::Params;
use std::collections::BTreeMap;

struct Made {
    graph: Graph,
    random: StdRng,
}

impl Made {
    fn of(seed: u64, documents: &[Json]) -> Self {
        let mut made = Self { graph: Graph::empty(Schema::get()), random: StdRng::seed_from_u64(seed) };
        for json in documents {
            let item = read(json);
            let (_, changes) =
                plan::create(&made.graph, &item, &mut || Uid::random(&mut made.random)).unwrap();
            made.apply(&changes);
        }
        made
    }

    /// Applies a change, as read back from the change log.
    fn apply(&mut self, changes: &ChangeSet) {
        let mut changes = changes.clone();
        changes.remember(&self.graph);
        let logged = ChangeSet::from_json(Schema::get(), &Stored(Schema::get(), &changes).tree()).unwrap();
        assert_eq!(logged, changes, "the change log keeps everything");
        let next = self.graph.apply(&logged).unwrap();
        let back = next.apply(&undone(&logged)).unwrap();
        assert!(back.export() == self.graph.export(), "what was before is all there");
        self.graph = next;
    }

    fn replace(&mut self, provider: u32, json: &Json) -> ChangeSet {
        let graph = &self.graph;
        let changes =
            plan::replace(graph, provider, &read(json), &mut || Uid::random(&mut self.random)).unwrap();
        self.apply(&changes);
        changes
    }

    fn provider(&self, json: &Json) -> u32 {
        let name = json["name"].as_str();
        let same = |id: &u32| self.graph.value(*id, "name").as_str() == name;
        self.graph.all(Kind::Provider).iter().find(same).unwrap()
    }
}

/// The change that goes back, made of what the log says and of nothing else.
fn undone(changes: &ChangeSet) -> ChangeSet {
    let was = |node: &Deleted| node.was.clone().unwrap();
    let came_back = |node: &Deleted| {
        let Was { shared, values, .. } = was(node);
        Created { uid: node.uid, kind: node.kind, shared, values }
    };
    let places = |node: &Updated| node.set.iter().map(|(place, _)| *place).collect::<Vec<_>>();
    let set_back = |node: &Updated| Updated {
        set: places(node).into_iter().zip(node.was.clone()).collect(),
        shared: node.shared.map(|shared| !shared),
        ..node.clone()
    };
    let goes = |node: &Created| Deleted { uid: node.uid, kind: node.kind, was: None };
    let new = |link: &&Link| !changes.replaced.iter().any(|held| held.same_ends(link));
    let along = changes.deleted.iter().flat_map(|node| was(node).links);
    ChangeSet {
        created: changes.deleted.iter().map(came_back).collect(),
        updated: changes.updated.iter().map(set_back).collect(),
        deleted: changes.created.iter().map(goes).collect(),
        linked: changes.unlinked.iter().chain(&changes.replaced).cloned().chain(along).collect(),
        unlinked: changes.linked.iter().filter(new).cloned().collect(),
        ..ChangeSet::default()
    }
}

fn read(json: &Json) -> document::Item {
    let strict = document::Reading::default();
    document::provider(Schema::get(), json, strict, &[]).unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// What a provider is, seen from itself, its projects and its storage classes: without uids, in a fixed order.
fn seen(graph: &Graph, provider: u32) -> Vec<Json> {
    let special = Special::default();
    let writer = Writer { graph, audience: Audience::Private, extended: true, special: &special };
    let services =
        graph.neighbours(provider, "regions").flat_map(|region| graph.neighbours(region, "services"));
    let classes = services.flat_map(|service| graph.neighbours(service, "storage_classes"));
    let mut seen = Vec::new();
    for id in [provider].into_iter().chain(graph.neighbours(provider, "projects")).chain(classes) {
        let mut out = Vec::new();
        writer.node(id, &mut out);
        seen.push(canonical(serde_json::from_slice(&out).unwrap()));
    }
    seen.sort_by_key(ToString::to_string);
    seen
}

/// Uids gone, lists sorted, and of identity providers only what this provider's document can say: groups without
/// agreement are kept when documents no longer name them.
fn canonical(json: Json) -> Json {
    match json {
        Json::Object(object) => {
            let keep = |name: &str| name != "uid";
            let object: BTreeMap<_, _> = object
                .into_iter()
                .filter(|(name, _)| keep(name))
                .map(|(name, value)| (name, canonical(value)))
                .collect();
            serde_json::to_value(object).unwrap()
        }
        Json::Array(items) => {
            let mut items: Vec<Json> = items.into_iter().map(canonical).collect();
            items
                .retain(|item| item.get("slas").and_then(Json::as_array).is_none_or(|slas| !slas.is_empty()));
            items.sort_by_key(ToString::to_string);
            items.into()
        }
        other => other,
    }
}

/// Where two answers differ first: a whole answer is too long to read.
fn difference(a: &Json, b: &Json, at: &str) -> Option<String> {
    match (a, b) {
        (Json::Object(a), Json::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().find_map(|(name, value)| difference(value, &b[name], &format!("{at}.{name}")))
        }
        (Json::Array(x), Json::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).enumerate().find_map(|(i, (x, y))| difference(x, y, &format!("{at}[{i}]")))
        }
        _ => (a != b).then(|| format!("{at}: {:.600} is not {:.600}", a.to_string(), b.to_string())),
    }
}

/// The part of a graph that belongs to no provider but one, by uid.
fn owned(graph: &Graph, provider: u32) -> Vec<Uid> {
    let deleted = plan::delete(graph, provider).deleted;
    deleted.iter().map(|deleted| deleted.uid).collect()
}

fn key_of(graph: &Graph, uid: Uid) -> Option<(Kind, String)> {
    let id = graph.find(uid)?;
    let record = graph.record(id);
    let text = |name: &str| graph.value(id, name).as_str().map(str::to_owned);
    Some((
        record.kind,
        text("uuid").or_else(|| text("doc_uuid")).or_else(|| text("endpoint")).or_else(|| text("name"))?,
    ))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replacing_makes_equal_keeps_uids_and_is_done_once(seed in any::<u64>(), which in any::<prop::sample::Index>(), edits in 1..4usize) {
        let documents: Vec<Json> = simulator::documents(seed, &Params::tiny()).collect();
        let which = which.index(documents.len());
        let mut random = StdRng::seed_from_u64(seed);
        let mut made = Made::of(1, &documents);
        let mut edited = documents[which].clone();
        for _ in 0..edits {
            edited = simulator::edit(&edited, &mut random);
            let provider = made.provider(&edited);
            let before = made.graph.clone();
            let others: Vec<u32> = before.all(Kind::Provider).iter().filter(|id| *id != provider).collect();
            let owned_before = owned(&before, provider);

            made.replace(provider, &edited);
            let graph = &made.graph;
            prop_assert!(graph.indices_hold());

            // what is described alike keeps its uid
            let keys: BTreeMap<_, _> = owned(graph, provider).into_iter().filter_map(|uid| Some((key_of(graph, uid)?, uid))).collect();
            for uid in owned_before.iter().filter(|uid| graph.find(**uid).is_none()) {
                let Some((kind, key)) = key_of(&before, *uid) else { continue };
                if matches!(kind, Kind::Project | Kind::Image | Kind::Sla) {
                    prop_assert!(!keys.contains_key(&(kind, key.clone())), "{kind:?} {key} lost its uid");
                }
            }
            // the old snapshot is as it was, and other providers lose nothing
            prop_assert!(before.indices_hold());
            for other in others {
                for uid in owned(&before, other) {
                    prop_assert!(graph.find(uid).is_some(), "{:?} of another provider is gone", key_of(&before, uid));
                }
            }
            // a second time changes nothing, and neither does another order
            let again = plan::replace(graph, provider, &read(&edited), &mut || unreachable!("nothing is new")).unwrap();
            prop_assert_eq!(again, ChangeSet::default());
        }
        let mut all = documents.clone();
        // of what providers share, the one that spoke last holds
        all.remove(which);
        all.push(edited.clone());
        let anew = Made::of(2, &all);
        let (changed, anew) = (seen(&made.graph, made.provider(&edited)), seen(&anew.graph, anew.provider(&edited)));
        prop_assert_eq!(difference(&changed.into(), &anew.into(), ""), None);
    }

    #[test]
    fn deleting_providers_leaves_only_what_is_common(seed in any::<u64>()) {
        let documents: Vec<Json> = simulator::documents(seed, &Params::tiny()).collect();
        let mut made = Made::of(1, &documents);
        for json in &documents {
            let before = made.graph.clone();
            let provider = made.provider(json);
            let changes = plan::delete(&made.graph, provider);
            made.apply(&changes);
            prop_assert!(made.graph.indices_hold());
            for kind in [Kind::IdentityProvider, Kind::UserGroup, Kind::Location] {
                prop_assert_eq!(made.graph.all(kind), before.all(kind));
            }
            for sla in made.graph.all(Kind::Sla).iter() {
                prop_assert!(made.graph.neighbours(sla, "projects").next().is_some(), "an SLA without project");
            }
        }
        for kind in Kind::ALL {
            let common = matches!(kind, Kind::IdentityProvider | Kind::UserGroup | Kind::Location);
            prop_assert!(common || made.graph.all(*kind).is_empty(), "{:?} left", kind);
        }
    }

    #[test]
    fn deleting_any_node_cascades_as_the_contract_says(seed in any::<u64>(), which in any::<prop::sample::Index>()) {
        let documents: Vec<Json> = simulator::documents(seed, &Params::tiny()).collect();
        let made = Made::of(1, &documents);
        let graph = &made.graph;
        let ids: Vec<u32> = graph.iter().collect();
        let id = ids[which.index(ids.len())];
        let gone: Vec<Uid> = plan::delete(graph, id).deleted.iter().map(|deleted| deleted.uid).collect();
        let expected = by_the_contract(graph, id);
        prop_assert_eq!(&gone.iter().copied().collect::<std::collections::BTreeSet<_>>(), &expected);
    }

    #[test]
    fn a_graph_is_what_its_changes_say(seed in any::<u64>()) {
        let documents: Vec<Json> = simulator::documents(seed, &Params::tiny()).collect();
        let made = Made::of(1, &documents);
        let Export { nodes, links } = made.graph.export();
        let created: Vec<_> = made.graph.iter().map(|id| made.graph.record(id).to_created()).collect();
        let linked: Vec<_> = made.graph.iter().flat_map(|id| made.graph.links_from(id).collect::<Vec<_>>()).collect();
        let again = Graph::build(Schema::get(), created, linked).unwrap().export();
        prop_assert_eq!(nodes, again.nodes);
        prop_assert_eq!(links, again.links);
    }

    #[test]
    fn the_difference_of_two_graphs_leads_from_one_to_the_other(seed in any::<u64>(), edits in 0..3usize) {
        let documents: Vec<Json> = simulator::documents(seed, &Params::tiny()).collect();
        let mut random = StdRng::seed_from_u64(seed);
        let mut made = Made::of(1, &documents);
        let before = made.graph.clone();
        let mut edited = documents[0].clone();
        for _ in 0..edits {
            edited = simulator::edit(&edited, &mut random);
            made.replace(made.provider(&edited), &edited);
        }
        for (from, to) in [(&before, &made.graph), (&made.graph, &before)] {
            let changes = from.changes_to(to);
            let there = from.apply(&changes).unwrap();
            prop_assert!(there.export() == to.export());
            prop_assert!(there.indices_hold());
            // the digest is the same exactly when nothing differs
            prop_assert_eq!(there.digest(), to.digest());
            prop_assert_eq!(from.digest() == to.digest(), changes.is_empty());
        }
        let nothing = Graph::empty(Schema::get());
        prop_assert!(nothing.apply(&nothing.changes_to(&before)).unwrap().export() == before.export());
        prop_assert_eq!(before.apply(&before.changes_to(&nothing)).unwrap().digest(), nothing.digest());
    }
}

/// The sentences of the contract on cascades, said once more in the simplest way.
fn by_the_contract(graph: &Graph, id: u32) -> std::collections::BTreeSet<Uid> {
    use std::collections::BTreeSet;
    let mut gone: BTreeSet<u32> = BTreeSet::from([id]);
    loop {
        let mut more = BTreeSet::new();
        for &id in &gone {
            let below = |name: &str| graph.neighbours(id, name).collect::<Vec<_>>();
            match graph.record(id).kind {
                Kind::Provider => more.extend(below("projects").into_iter().chain(below("regions"))),
                Kind::Region => more.extend(below("services")),
                Kind::Project => {
                    more.extend(below("quotas"));
                    let alone =
                        |sla: &u32| graph.neighbours(*sla, "projects").all(|project| gone.contains(&project));
                    more.extend(below("sla").into_iter().filter(alone));
                }
                Kind::UserGroup => more.extend(below("slas")),
                Kind::IdentityProvider => more.extend(below("user_groups")),
                Kind::StorageClass => more.extend(below("quotas")),
                Kind::ComputeService => {
                    more.extend(below("quotas").into_iter().chain(below("flavors")));
                    let alone = |image: &u32| {
                        graph.neighbours(*image, "services").all(|service| gone.contains(&service))
                    };
                    more.extend(below("images").into_iter().filter(alone));
                }
                Kind::BlockStorageService | Kind::NetworkService | Kind::ObjectStoreService => {
                    for name in ["quotas", "networks", "storage_classes"] {
                        more.extend(below(name));
                    }
                }
                _ => {}
            }
        }
        let before = gone.len();
        gone.extend(more);
        if gone.len() == before {
            return gone.into_iter().map(|id| graph.record(id).uid).collect();
        }
    }
}
