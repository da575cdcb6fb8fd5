//! Databases of the earlier registry, clean and dirty, are taken over; what we write, it can read.

use crate::{
    commits::entry,
    python,
    store::{Cypher, TestStore},
};
use rand::{SeedableRng, rngs::StdRng};
use registry::{
    graph::{
        Graph,
        change::{ChangeSet, Updated},
        plan,
        uid::Uid,
    },
    store::{CommitError, Store},
};
use schema::{Kind, Schema, Value, document};
use serde_json::{Value as Json, json};
use simulator::Params;
use std::sync::Arc;

fn example(name: &str) -> Json {
    let path = format!("{}/../openapi/contract/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let whole: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    whole["request"]["body"].clone()
}

/// A federation with every kind in it, and the changes that make it.
fn federation() -> (Graph, Vec<ChangeSet>) {
    let mut uids = StdRng::seed_from_u64(1);
    let (mut graph, mut history) = (Graph::empty(Schema::get()), Vec::new());
    let examples = ["post_provider_openstack", "post_provider_kubernetes"].map(example);
    for json in examples.into_iter().chain(simulator::documents(2, &Params::tiny())) {
        let item = document::provider(Schema::get(), &json, document::Reading::default(), &[]).unwrap();
        let (_, changes) = plan::create(&graph, &item, &mut || Uid::random(&mut uids)).unwrap();
        graph = graph.apply(&changes).unwrap();
        history.push(changes);
    }
    for kind in Kind::ALL {
        assert!(!graph.all(*kind).is_empty(), "there is a {kind:?}");
    }
    (graph, history)
}

async fn served(store: &Arc<dyn Store>) -> (Graph, Vec<String>) {
    let loaded = store.load().await.unwrap();
    let graph = Graph::build(Schema::get(), loaded.nodes, loaded.links).unwrap();
    assert!(graph.indices_hold());
    let faults = loaded.faults.into_iter().chain(graph.faults()).collect();
    (graph, faults)
}

async fn constraints(cypher: &Cypher) -> Vec<Json> {
    cypher.column("SHOW CONSTRAINTS YIELD name RETURN name ORDER BY name").await
}

async fn without_constraints(cypher: &Cypher) {
    for name in constraints(cypher).await {
        cypher.run(&format!("DROP CONSTRAINT {}", name["name"].as_str().or(name.as_str()).unwrap())).await;
    }
}

#[tokio::test]
async fn a_clean_database_is_taken_over_whole_and_a_dry_run_writes_nothing() {
    let test = TestStore::neo4j().await;
    let cypher = Cypher::new();
    without_constraints(&cypher).await;
    let (graph, _) = federation();
    python::write(&cypher, &graph).await;

    let store = test.open();
    let survey = store.survey().await.unwrap();
    let adds = survey.would_add.join("\n");
    assert!(adds.contains("CREATE CONSTRAINT fedreg_Flavor_uid IF NOT EXISTS"), "{adds}");
    assert!(adds.contains("(:FedRegMeta)"), "{adds}");
    assert_eq!((survey.loaded.nodes.len(), survey.loaded.revision), (graph.len(), 0));
    assert_eq!(constraints(&cypher).await, [Json::Null; 0], "a dry run adds nothing");
    assert_eq!(python::found(&cypher).await, python::nodes(&graph));
    assert_eq!(cypher.column("MATCH (n:FedRegMeta) RETURN count(n) AS n").await, [json!({ "n": 0 })]);

    let (found, faults) = served(&store).await;
    assert_eq!(faults, [""; 0]);
    assert!(found.export() == graph.export(), "all of it, and nothing else");
    assert_eq!(constraints(&cypher).await.len(), 16);
    assert_eq!(python::found(&cypher).await, python::nodes(&graph), "its nodes stay as they were");
    assert_eq!(store.survey().await.unwrap().would_add, [""; 0], "the second start adds nothing");
}

#[tokio::test]
async fn a_bookkeeping_node_that_says_nothing_is_told_with_what_to_do() {
    let test = TestStore::neo4j().await;
    Cypher::new().run("CREATE (:FedRegMeta {key: 'graph'})").await;
    let why = test.open().load().await.err().unwrap().to_string();
    assert!(why.contains("has no revision. Restore a backup, or delete this node"), "{why}");
    Cypher::new().run("MATCH (m:FedRegMeta) DELETE m").await;
    assert_eq!(test.open().load().await.unwrap().revision, 0, "as it says");
}

#[tokio::test]
async fn what_we_write_stands_there_as_the_earlier_registry_writes_it() {
    let test = TestStore::neo4j().await;
    let store = test.open();
    let (mut graph, history) = federation();
    let mut revision = 0;
    for changes in history {
        revision += 1;
        store.commit(entry(revision, changes)).await.unwrap();
    }
    let cypher = Cypher::new();
    assert_eq!(python::found(&cypher).await, python::nodes(&graph));
    assert_eq!(python::found_relations(&cypher).await, python::relations(&graph));

    // values that go, labels that change
    let flavor = graph.all(Kind::Flavor).first().unwrap();
    let entity = graph.entity(flavor);
    let (uid, shared) = (graph.record(flavor).uid, graph.record(flavor).shared);
    let set = vec![
        (entity.field("gpu_model").unwrap(), Value::Null),
        (entity.field("ram").unwrap(), Value::Int(i64::MAX)),
        (entity.field("description").unwrap(), Value::text("'\"\\ \u{1f600} é")),
    ];
    let updated = vec![Updated { uid, kind: Kind::Flavor, set, was: Vec::new(), shared: Some(!shared) }];
    let changes = ChangeSet { updated, ..ChangeSet::default() };
    graph = graph.apply(&changes).unwrap();
    store.commit(entry(revision + 1, changes)).await.unwrap();
    assert_eq!(python::found(&cypher).await, python::nodes(&graph));
    assert!(served(&store).await.0.export() == graph.export());
}

/// What no document could have made, and what is not ours.
const DIRT: &[&str] = &[
    // several providers of one name and type, identity providers of one endpoint, locations of one site
    "MATCH (n:Provider) WITH n LIMIT 1 CREATE (m:Provider) SET m = properties(n), m.uid = '000000000000000000000000000000a1'",
    "MATCH (n:IdentityProvider) WITH n LIMIT 1 CREATE (m:IdentityProvider) SET m = properties(n), m.uid = '000000000000000000000000000000a2'",
    "MATCH (n:Location) WITH n LIMIT 1 CREATE (m:Location) SET m = properties(n), m.uid = '000000000000000000000000000000a3'",
    // an SLA that ends before it starts and belongs to nobody
    "CREATE (:SLA {uid: '000000000000000000000000000000b1', doc_uuid: 'late', start_date: '2029-01-01', end_date: '2024-01-01'})",
    // a resource without project, a quota without service, a project without uuid
    "CREATE (:Flavor:PrivateFlavor {uid: '000000000000000000000000000000b2', name: 'lonely', uuid: 'lonely'})",
    "CREATE (:Quota:ComputeQuota {uid: '000000000000000000000000000000b3', cores: 4, type: 'compute'})",
    "CREATE (:Project {uid: '000000000000000000000000000000b4', name: 'no uuid'})",
    // values of other types
    "CREATE (:Flavor:SharedFlavor {uid: '000000000000000000000000000000b5', name: 7, uuid: 'b5', ram: 2048.0, vcpus: 'many', swap: '3'})",
    "CREATE (:Image:SharedImage {uid: '000000000000000000000000000000b6', name: 'b6', uuid: 'b6', created_at: point({x: 1, y: 2}), tags: 'one'})",
    "CREATE (:Quota:ComputeQuota {uid: '000000000000000000000000000000b7', gpus: 'no JSON', cores: -7})",
    // labels that are missing
    "CREATE (:Flavor {uid: '000000000000000000000000000000b8', name: 'b8', uuid: 'b8'})",
    "CREATE (:Service {uid: '000000000000000000000000000000b9', endpoint: 'https://b9', type: 'network', name: 'org.openstack.neutron'})",
    "CREATE (:Service {uid: '000000000000000000000000000000ba', endpoint: 'https://ba'})",
    // uids that are none, and one that two have
    "CREATE (:Region {name: 'without uid'})",
    "CREATE (:Region {uid: '7B0C-not-a-uid', name: 'dashed'})",
    "UNWIND ['first', 'second'] AS name CREATE (:Region {uid: '000000000000000000000000000000c1', name: name})",
    // relations between what cannot be related, and one that is there twice
    "MATCH (a:Location), (b:SLA {doc_uuid: 'late'}) WITH a, b LIMIT 1 CREATE (a)-[:DIVIDED_INTO]->(b)",
    "MATCH (a:Project)-[:USE_SERVICE_WITH]->(b) WITH a, b LIMIT 1 CREATE (a)-[:USE_SERVICE_WITH]->(b)",
    // what is not ours
    "CREATE (:Cloud {uid: 'theirs', name: 'somebody else\\'s'})-[:HOSTS {since: date('2020-01-01')}]->(:Rack {at: point({x: 1, y: 2})})",
    "MATCH (n:Provider) WITH n LIMIT 1 SET n:Monitored, n.probe = 'https://probe', n.seen = datetime('2026-01-01T00:00:00Z') CREATE (n)-[:SEEN_BY]->(:Probe)",
];

const FAULTS: &[&str] = &[
    "has the same name and type as Provider",
    "has the same endpoint as IdentityProvider",
    "has the same site as Location",
    "SLA 'late' 000000000000000000000000000000b1: the SLA ends on 2024-01-01, before it starts on 2029-01-01",
    "SLA 'late' 000000000000000000000000000000b1: has no user_group",
    "Flavor 'lonely' 000000000000000000000000000000b2: is private, and no project may use it",
    "ComputeQuota 000000000000000000000000000000b3: has no service",
    "ComputeQuota 000000000000000000000000000000b3: has no project",
    "Project 'no uuid' 000000000000000000000000000000b4: has no uuid",
    "Flavor 000000000000000000000000000000b5: name is not written as it should be; it is read as \"7\"",
    "Flavor 000000000000000000000000000000b5: vcpus holds what it cannot hold; 0 is served instead",
    "Image 000000000000000000000000000000b6: created_at holds what it cannot hold; null is served instead",
    "Image 000000000000000000000000000000b6: tags is not written as it should be; it is read as [\"one\"]",
    "ComputeQuota 000000000000000000000000000000b7: gpus holds what it cannot hold",
    "ComputeQuota 000000000000000000000000000000b7: cores is -7, less than -1",
    "Flavor 000000000000000000000000000000b8: has no label that says which of its family it is; it is served as a PrivateFlavor",
    "NetworkService 000000000000000000000000000000b9: has no label that says which of its family it is",
    "(uid 000000000000000000000000000000ba) has no label that says which kind it is; it is left out",
    "(:Region) has no uid; it is left out of all answers and stays in the database as it is",
    "(:Region) uid is '7B0C-not-a-uid', but must be 32 lower-case hexadecimal characters; it is left out",
    "(:Region) (uid 000000000000000000000000000000c1) has the uid of another node; it is left out",
    "these kinds have no such relation; it is left out",
    "is there more than once; it counts once",
];

#[tokio::test]
async fn of_a_dirty_database_everything_is_told_and_the_rest_is_served_and_nothing_is_lost() {
    let test = TestStore::neo4j().await;
    let cypher = Cypher::new();
    without_constraints(&cypher).await;
    let (graph, _) = federation();
    python::write(&cypher, &graph).await;
    for dirt in DIRT {
        cypher.run(dirt).await;
    }
    let everything = "MATCH (n) WHERE NOT n:FedRegMeta RETURN labels(n) AS labels, n.name AS name, n.uid AS uid, \
                      size(keys(n)) AS keys ORDER BY elementId(n)";
    let before = cypher.column(everything).await;

    let store = test.open();
    let adds = store.survey().await.unwrap().would_add;
    let region: Vec<_> = adds.iter().filter(|what| what.contains("fedreg_Region_uid")).collect();
    assert!(region.len() == 1 && region[0].starts_with("CREATE INDEX fedreg_Region_uid_index"), "{region:?}");
    let (found, faults) = served(&store).await;
    assert_eq!(store.survey().await.unwrap().would_add, [""; 0], "the second start adds nothing");
    let text = faults.join("\n");
    for expected in FAULTS {
        assert!(text.contains(expected), "'{expected}' is not told:\n{text}");
    }
    let (all, clean) = (found.export(), graph.export());
    assert!(clean.nodes.iter().all(|(uid, node)| all.nodes.get(uid) == Some(node)), "the rest is served");
    assert!(clean.links.iter().all(|(link, properties)| all.links.get(link) == Some(properties)));
    assert_eq!(all.nodes.len(), clean.nodes.len() + 13);
    assert_eq!(cypher.column(everything).await, before, "nothing was touched");

    // the duplicate uid forbids one constraint; an index stands in
    let names = format!("{:?}", constraints(&cypher).await);
    assert!(names.contains("fedreg_Provider_uid") && !names.contains("fedreg_Region_uid"), "{names}");
    let index = "SHOW INDEXES YIELD name WHERE name = 'fedreg_Region_uid_index' RETURN count(name) AS n";
    assert_eq!(cypher.column(index).await, [json!({ "n": 1 })]);

    // a change of what is served leaves the strangers on the same node alone
    let provider = found.all(Kind::Provider).iter();
    let name = found.schema.entity(Kind::Provider).field("description").unwrap();
    let updated = provider.map(|id| Updated {
        uid: found.record(id).uid,
        kind: Kind::Provider,
        set: vec![(name, Value::text("changed"))],
        was: Vec::new(),
        shared: None,
    });
    let changes = ChangeSet { updated: updated.collect(), ..ChangeSet::default() };
    store.commit(entry(1, changes)).await.unwrap();
    let theirs = "MATCH (n:Monitored)-[:SEEN_BY]->(:Probe) RETURN n.probe AS probe, n.description AS text";
    let expected = json!({ "probe": "https://probe", "text": "changed" });
    assert_eq!(cypher.column(theirs).await, [expected]);
    let theirs = "MATCH (:Cloud {uid: 'theirs'})-[r:HOSTS]->(:Rack) RETURN toString(r.since) AS since";
    assert_eq!(cypher.column(theirs).await, [json!({ "since": "2020-01-01" })]);

    // a node that two stand for is not changed: nobody can say which one is meant
    let uid: Uid = "000000000000000000000000000000c1".parse().unwrap();
    let set = vec![(found.schema.entity(Kind::Region).field("name").unwrap(), Value::text("third"))];
    let updated = vec![Updated { uid, kind: Kind::Region, set, was: Vec::new(), shared: None }];
    let refused = store.commit(entry(2, ChangeSet { updated, ..ChangeSet::default() })).await;
    assert!(matches!(refused, Err(CommitError::Edited)), "{refused:?}");
    assert_eq!(store.head().await.unwrap().revision, 1);
    let names = "MATCH (n:Region {uid: '000000000000000000000000000000c1'}) RETURN n.name AS n ORDER BY n";
    assert_eq!(cypher.column(names).await, [json!({ "n": "first" }), json!({ "n": "second" })]);

    // mended by hand, the constraint is made at the next start
    cypher.run("MATCH (n:Region {name: 'second'}) DELETE n").await;
    test.open().load().await.unwrap();
    assert!(format!("{:?}", constraints(&cypher).await).contains("fedreg_Region_uid"));
    assert_eq!(cypher.column(index).await, [json!({ "n": 0 })]);
}
