//! Declaring a field is all that it takes: with one more in the declaration of flavors, it is in documents, views,
//! filters, sorting, patches, the store, the change log and the OpenAPI document.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "common/store.rs"]
mod store;

use registry::{
    federation::{Author, Federation},
    graph::{
        expand::Writer,
        plan,
        select::{Special, select},
        stored::Stored,
    },
    settings::StoreSettings,
    store::{Store, embedded::Embedded, neo4j::Neo4j},
};
use schema::{Audience, Kind, Schema, document, field, filter};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use store::TestStore;

fn provider(colour: Json) -> Json {
    let flavor = |name: &str, colour: Json| json!({ "name": name, "uuid": name, "colour": colour });
    let mut plain = flavor("plain", Json::Null);
    plain.as_object_mut().unwrap().remove("colour");
    json!({
        "name": "SITE", "type": "openstack",
        "regions": [{ "name": "R", "compute_services": [{
            "endpoint": "https://nova.example.org", "name": "org.openstack.nova",
            "flavors": [flavor("painted", colour), plain],
        }] }],
    })
}

#[tokio::test]
async fn a_declared_field_is_everywhere() {
    let colour = field::text("colour").public().unit("nm").doc("Its colour.");
    let schema = Schema::with_field(Kind::Flavor, colour);
    let reading = document::Reading::default();

    // documents: the field is known, and checked
    let faults = document::provider(schema, &provider(json!(7)), reading, &[]).unwrap_err();
    assert_eq!(
        faults[0].to_string(),
        "body.regions[0].compute_services[0].flavors[0].colour: value is not a text"
    );
    let item = document::provider(schema, &provider(json!("red")), reading, &[]).unwrap();
    assert!(
        document::provider(Schema::get(), &provider(json!("red")), reading, &[]).is_err(),
        "unknown without it"
    );

    // store: written, read back by another process of the same schema
    let test = TestStore::new().await;
    let open = async || {
        let store: Arc<dyn Store> = match &test.settings {
            StoreSettings::Embedded { path } => Arc::new(Embedded::open(schema, path, 10).unwrap()),
            StoreSettings::Neo4j(settings) => Arc::new(Neo4j::new(schema, settings, 10).unwrap()),
            other => panic!("{other:?}"),
        };
        Arc::new(Federation::open(schema, store, chrono::Utc::now, [1; 32], 0).await.unwrap())
    };
    let author = || Author { who: "test".to_owned(), what: "test".to_owned(), request: String::new() };
    let federation = open().await;
    federation.write(author(), move |now, fresh| plan::create(&now.graph, &item, fresh)).await.unwrap();
    drop(federation);
    let federation = open().await;
    let entity = schema.entity(Kind::Flavor);
    let found = |query: &str, value: &str| {
        let pairs = [(query.to_owned(), value.to_owned()), ("sort".to_owned(), "-colour".to_owned())];
        let query = filter::parse(entity, &pairs).unwrap();
        let graph = &federation.snapshot().graph;
        select(graph, Kind::Flavor, &query, &Special::default(), &mut || false).unwrap()
    };

    // filters and sorting
    let painted = found("colour", "red");
    assert_eq!(painted.len(), 1);
    assert_eq!(found("colour__istartswith", "RE"), painted);
    assert_eq!(found("colour__contains", "blue"), Vec::<u32>::new());
    assert_eq!(found("name__regex", ".*").last(), painted.last(), "missing values first when descending");

    // views, the public ones too since it is declared public
    let snapshot = federation.snapshot();
    for audience in [Audience::Private, Audience::Public] {
        let special = Special::default();
        let mut out = Vec::new();
        Writer { graph: &snapshot.graph, audience, extended: false, special: &special }
            .node(painted[0], &mut out);
        let json: Json = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["colour"], "red", "{audience:?}");
    }

    // patch, and the change log
    let said = document::patch(entity, &json!({ "colour": "blue" }), reading).unwrap();
    let id = painted[0];
    federation
        .write(author(), move |now, _| plan::patch(&now.graph, id, &said).map(|changes| ((), changes)))
        .await
        .unwrap();
    assert_eq!(federation.snapshot().graph.value(id, "colour").as_str(), Some("blue"));
    let log = federation.log_after(1, 10).await.unwrap();
    assert_eq!(Stored(schema, &log[0].changes).tree()["updated"][0]["set"], json!({ "colour": "blue" }));

    // OpenAPI: shapes, patch, document, parameters
    let api = schema::openapi::document(schema, "/api/v1").unwrap();
    for shape in ["Flavor", "PublicFlavor", "FlavorPatch", "PrivateFlavorCreate"] {
        let property = &api["components"]["schemas"][shape]["properties"]["colour"];
        assert_eq!(property["description"], "Its colour. Unit: nm.", "{shape}");
    }
    let parameters = api["paths"]["/flavors/"]["get"]["parameters"].as_array().unwrap();
    let names = parameters.iter().filter_map(|parameter| parameter["name"].as_str());
    assert_eq!(
        names.filter(|name| name.starts_with("colour")).count(),
        9,
        "equality and eight comparisons of texts"
    );
}
