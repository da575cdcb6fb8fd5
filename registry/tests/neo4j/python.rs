//! A database as the earlier registry writes it, from the contract (`openapi/contract/README.md`) alone: labels, relation
//! types and encodings are typed here once more, so that a mistake in ours is not repeated.

use crate::store::Cypher;
use neo4rs::{BoltType, query};
use registry::graph::{Graph, stored::Stored};
use schema::Kind;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// A node as it stands in the database: labels in order, properties.
pub type Node = (Vec<String>, Map<String, Json>);

/// The labels of the contract's table.
fn labels(kind: Kind, shared: bool) -> Vec<&'static str> {
    let mut labels = match (kind, shared) {
        (Kind::Provider, _) => vec!["Provider"],
        (Kind::Project, _) => vec!["Project"],
        (Kind::IdentityProvider, _) => vec!["IdentityProvider"],
        (Kind::UserGroup, _) => vec!["UserGroup"],
        (Kind::Sla, _) => vec!["SLA"],
        (Kind::Region, _) => vec!["Region"],
        (Kind::Location, _) => vec!["Location"],
        (Kind::BlockStorageService, _) => vec!["BlockStorageService", "Service"],
        (Kind::ComputeService, _) => vec!["ComputeService", "Service"],
        (Kind::IdentityService, _) => vec!["IdentityService", "Service"],
        (Kind::NetworkService, _) => vec!["NetworkService", "Service"],
        (Kind::ObjectStoreService, _) => vec!["ObjectStoreService", "Service"],
        (Kind::Flavor, true) => vec!["Flavor", "SharedFlavor"],
        (Kind::Flavor, false) => vec!["Flavor", "PrivateFlavor"],
        (Kind::Image, true) => vec!["Image", "SharedImage"],
        (Kind::Image, false) => vec!["Image", "PrivateImage"],
        (Kind::Network, true) => vec!["Network", "SharedNetwork"],
        (Kind::Network, false) => vec!["Network", "PrivateNetwork"],
        (Kind::StorageClass, _) => vec!["StorageClass"],
        (Kind::BlockStorageQuota, _) => vec!["BlockStorageQuota", "Quota"],
        (Kind::ComputeQuota, _) => vec!["ComputeQuota", "Quota"],
        (Kind::NetworkQuota, _) => vec!["NetworkQuota", "Quota"],
        (Kind::ObjectStoreQuota, _) => vec!["ObjectStoreQuota", "Quota"],
        (Kind::StorageClassQuota, _) => vec!["Quota", "StorageClassQuota"],
    };
    labels.sort_unstable();
    labels
}

/// The encodings of the contract: date-times floats, days texts, `gpus` a JSON text, lists lists, null nothing.
fn encoded(kind: Kind, name: &str, value: &Json) -> Json {
    match (kind, name) {
        (Kind::Image, "created_at") => {
            let time: chrono::DateTime<chrono::Utc> = value.as_str().unwrap().parse().unwrap();
            json!(
                f64::from(u32::try_from(time.timestamp()).unwrap())
                    + f64::from(time.timestamp_subsec_micros()) / 1e6
            )
        }
        (Kind::ComputeQuota, "gpus") => value.to_string().into(),
        _ => value.clone(),
    }
}

/// All nodes by uid.
pub fn nodes(graph: &Graph) -> BTreeMap<String, Node> {
    let node = |id| {
        let record = graph.record(id);
        let json = Stored(graph.schema, &record.to_created()).tree();
        let values = json["values"].as_object().unwrap().iter();
        let mut properties: Map<String, Json> =
            values.map(|(name, value)| (name.clone(), encoded(record.kind, name, value))).collect();
        properties.insert("uid".to_owned(), record.uid.to_string().into());
        let labels = labels(record.kind, record.shared).into_iter().map(str::to_owned).collect();
        (record.uid.to_string(), (labels, properties))
    };
    graph.iter().map(node).collect()
}

/// All relations: type, ends, properties that are there.
pub fn relations(graph: &Graph) -> BTreeMap<(String, String, String), Map<String, Json>> {
    let mut all = BTreeMap::new();
    for link in graph.iter().flat_map(|id| graph.links_from(id)) {
        let json = Stored(graph.schema, &link).tree();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        let mut properties = json["properties"].as_object().cloned().unwrap_or_default();
        properties.retain(|_, value| !value.is_null());
        all.insert((text("type"), text("from"), text("to")), properties);
    }
    all
}

fn bolt(json: Json) -> BoltType {
    BoltType::try_from(json).unwrap()
}

/// Writes it all, one statement for each node, as an object mapper does.
pub async fn write(cypher: &Cypher, graph: &Graph) {
    let nodes = nodes(graph);
    let label = |uid: &str| nodes[uid].0[0].clone();
    for (labels, properties) in nodes.values().cloned() {
        let text = format!("CREATE (n:{}) SET n = $properties", labels.join(":"));
        cypher.rows(query(&text).param("properties", bolt(properties.into()))).await;
    }
    for ((ty, from, to), properties) in relations(graph) {
        let text = format!(
            "MATCH (a:{} {{uid: $from}}) MATCH (b:{} {{uid: $to}}) CREATE (a)-[r:{ty}]->(b) SET r = $properties",
            label(&from),
            label(&to)
        );
        let query = query(&text).param("from", from).param("to", to);
        cypher.rows(query.param("properties", bolt(properties.into()))).await;
    }
}

/// What stands in the database, but for our bookkeeping.
pub async fn found(cypher: &Cypher) -> BTreeMap<String, Node> {
    let text = "MATCH (n) WHERE n.uid IS NOT NULL RETURN labels(n) AS labels, properties(n) AS properties";
    let rows = cypher.rows(query(text)).await;
    let node = |row: &neo4rs::Row| {
        let mut labels: Vec<String> = row.get("labels").unwrap();
        labels.sort_unstable();
        let mut properties: Map<String, Json> = row.get("properties").unwrap();
        properties.remove("fedreg_order");
        (properties["uid"].as_str().unwrap().to_owned(), (labels, properties))
    };
    rows.iter().map(node).collect()
}

/// The same of relations.
pub async fn found_relations(cypher: &Cypher) -> BTreeMap<(String, String, String), Map<String, Json>> {
    let text = "MATCH (a)-[r]->(b) RETURN type(r) AS ty, a.uid AS a, b.uid AS b, properties(r) AS properties";
    let rows = cypher.rows(query(text)).await;
    let get = |row: &neo4rs::Row, name: &str| row.get::<String>(name).unwrap();
    rows.iter()
        .map(|row| ((get(row, "ty"), get(row, "a"), get(row, "b")), row.get("properties").unwrap()))
        .collect()
}
