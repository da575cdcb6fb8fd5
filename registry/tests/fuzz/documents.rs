//! The reader of documents and patches: whatever the JSON, it is taken or refused with faults that stand where they say.

use super::{cases, mutate};
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use registry::graph::{Graph, change::ChangeSet, plan, stored::Stored, uid::Uid};
use schema::{Fault, Kind, Loc, Schema, document, document::Reading};
use serde_json::{Map, Value as Json};
use simulator::Params;
use std::collections::HashSet;

/// Faults have a place in the body, or name what is missing there, and each is told once.
pub fn well_told(body: &Json, faults: &[Fault]) {
    assert!(!faults.is_empty(), "refused without a fault");
    let mut told = HashSet::new();
    for fault in faults {
        assert!(fault.msg.len() > 5 && fault.msg.len() < 1000, "{fault}");
        assert!(told.insert(format!("{:?} {}", fault.loc, fault.msg)), "told twice: {fault}");
        assert_eq!(fault.loc[0], Loc::from("body"), "{fault}");
        let mut at = Some(body);
        for (i, step) in fault.loc[1..].iter().enumerate() {
            let here = at.unwrap_or_else(|| panic!("{fault} is below what is not there"));
            at = match step {
                Loc::Key(name) => {
                    assert!(here.is_object(), "{fault}: nothing has names there");
                    here.get(name)
                }
                Loc::Index(n) => here.get(n),
            };
            assert!(
                at.is_some() || (i + 2 == fault.loc.len() && matches!(step, Loc::Key(_))),
                "{fault} is nowhere"
            );
        }
    }
}

fn documents(seed: u64) -> Vec<Json> {
    simulator::documents(seed, &Params::tiny()).collect()
}

fn graph_of(documents: &[Json], random: &mut StdRng) -> Graph {
    let mut graph = Graph::empty(Schema::get());
    for json in documents {
        let item = document::provider(Schema::get(), json, Reading::default(), &[]).unwrap();
        let (_, changes) = plan::create(&graph, &item, &mut || Uid::random(&mut *random)).unwrap();
        graph = graph.apply(&changes).unwrap();
    }
    graph
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_damaged_document_is_taken_or_refused_with_its_faults(seed in any::<u64>(), lenient in any::<bool>()) {
        let mut random = StdRng::seed_from_u64(seed);
        let documents = documents(seed % 16);
        let graph = graph_of(&documents, &mut random);
        let which = random.random_range(0..documents.len());
        let mut body = if random.random_bool(0.5) { simulator::edit(&documents[which], &mut random) } else { documents[which].clone() };
        for _ in 0..random.random_range(1..=6) {
            mutate::damage(&mut body, &mut random);
        }
        let provider = graph.all(Kind::Provider).iter().nth(which).unwrap();
        let projects = graph.neighbours(provider, "projects").map(|id| graph.value(id, "uuid").as_str().unwrap().to_owned());
        let projects: Vec<String> = projects.collect();
        match document::provider(Schema::get(), &body, Reading { lenient }, &projects) {
            Err(faults) => well_told(&body, &faults),
            Ok(item) => {
                // what is taken makes a sound change, and makes it once
                let mut fresh = || Uid::random(&mut random);
                if let Ok(changes) = plan::replace(&graph, provider, &item, &mut fresh) {
                    let next = graph.apply(&changes).unwrap();
                    prop_assert!(next.indices_hold());
                    let logged = ChangeSet::from_json(Schema::get(), &Stored(Schema::get(), &changes).tree()).unwrap();
                    prop_assert!(logged == changes, "the change log keeps everything");
                    let again = plan::replace(&next, provider, &item, &mut || unreachable!("nothing is new")).unwrap();
                    prop_assert!(again.is_empty(), "a second time changes {}", Stored(Schema::get(), &again).tree());
                }
                let empty = Graph::empty(Schema::get());
                if let Ok((_, changes)) = plan::create(&empty, &item, &mut || Uid::random(&mut random)) {
                    prop_assert!(empty.apply(&changes).unwrap().indices_hold());
                }
            }
        }
    }

    #[test]
    fn a_random_patch_is_taken_or_refused_with_its_faults(seed in any::<u64>()) {
        let mut random = StdRng::seed_from_u64(seed);
        let graph = graph_of(&documents(seed % 16), &mut random);
        let ids: Vec<u32> = graph.iter().collect();
        let id = ids[random.random_range(0..ids.len())];
        let entity = graph.entity(id);
        let mut body = Map::new();
        for _ in 0..random.random_range(0..5) {
            let other = ids[random.random_range(0..ids.len())];
            let field = &entity.fields[random.random_range(0..entity.fields.len())];
            // often a value of the right type, taken from a node of the same kind
            let stored = graph.value(other, field.name).to_json();
            body.insert(field.name.to_owned(), if random.random_bool(0.5) { stored } else { mutate::anything(&mut random, 2) });
        }
        let body = Json::Object(body);
        match document::patch(entity, &body, Reading::default()) {
            Err(faults) => well_told(&body, &faults),
            Ok(said) => if let Ok(changes) = plan::patch(&graph, id, &said) {
                let next = graph.apply(&changes).unwrap();
                prop_assert!(next.indices_hold());
                prop_assert_eq!(plan::patch(&next, id, &said).unwrap(), ChangeSet::default());
            },
        }
    }

    #[test]
    fn anything_at_all_is_no_document(seed in any::<u64>()) {
        let body = mutate::anything(&mut StdRng::seed_from_u64(seed), 4);
        if let Err(faults) = document::provider(Schema::get(), &body, Reading::default(), &[]) {
            well_told(&body, &faults);
        }
        for entity in &Schema::get().entities {
            if let Err(faults) = document::patch(entity, &body, Reading::default()) {
                well_told(&body, &faults);
            }
        }
    }
}
