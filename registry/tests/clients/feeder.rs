//! 3: the Python feeder. Its bodies carry every field; it parses answers with the contract's own shapes, and any status
//! that it does not know ends its run.

use super::{
    common::Registry,
    contract::{contract, misfit, shape},
    world::{documents, text},
};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

/// A document as the feeder's library writes it: every field of the contract's shape, defaults and nulls included.
fn complete(contract: &Json, shape: &Json, given: &Json) -> Json {
    if let Some(name) = shape["$ref"].as_str() {
        return complete(contract, contract.pointer(&name[1..]).unwrap(), given);
    }
    if let Some(all) = shape["allOf"].as_array() {
        return complete(contract, &all[0], given);
    }
    if let Some(either) = shape["anyOf"].as_array() {
        let fits = |shape: &&Json| misfit(contract, shape, given, "").is_none();
        return complete(
            contract,
            either.iter().find(fits).unwrap_or_else(|| panic!("no shape for {given}")),
            given,
        );
    }
    match given {
        Json::Array(items) => items.iter().map(|item| complete(contract, &shape["items"], item)).collect(),
        Json::Object(object) if shape["properties"].is_object() => {
            let of = |(name, shape): (&String, &Json)| {
                let value = match (object.get(name), shape.get("default"), shape["type"].as_str()) {
                    (Some(given), ..) if !given.is_null() => complete(contract, shape, given),
                    (_, Some(default), _) => default.clone(),
                    (_, _, Some("array")) => json!([]),
                    _ => Json::Null,
                };
                (name.clone(), value)
            };
            let whole: Map<String, Json> = shape["properties"].as_object().unwrap().iter().map(of).collect();
            for name in object.keys() {
                assert!(whole.contains_key(name), "the contract's body has no {name}");
            }
            whole.into()
        }
        other => other.clone(),
    }
}

struct Feeder {
    registry: Registry,
    contract: Json,
}

impl Feeder {
    async fn new() -> Self {
        Self { registry: Registry::start().await, contract: contract() }
    }

    fn body(&self, document: &Json) -> Json {
        let shape = &self.contract["components"]["schemas"]["ProviderCreateExtended"];
        complete(&self.contract, shape, document)
    }

    /// Asks, and reads the answer as strictly as the feeder.
    async fn ask(
        &self,
        method: Method,
        uid: Option<&str>,
        body: Option<&Json>,
        accepted: &[u16],
    ) -> (u16, Json) {
        let path = uid.map_or_else(|| "/providers".to_owned(), |uid| format!("/providers/{uid}"));
        let (status, answer) = self.registry.send(method.clone(), &path, body).await;
        assert!(accepted.contains(&status.as_u16()), "{method} {path}: {status} ends the run: {answer}");
        let described = if uid.is_some() { "/providers/{provider_uid}" } else { "/providers/" };
        if matches!(status, StatusCode::OK | StatusCode::CREATED) {
            let shape = shape(&self.contract, described, &method.as_str().to_lowercase(), status.as_str());
            let why = misfit(&self.contract, shape, &answer, "answer");
            assert!(why.is_none(), "{}", why.unwrap_or_default());
            for item in answer.as_array().into_iter().flatten() {
                assert_eq!(item["schema_type"], "private");
            }
            if answer.is_object() {
                assert_eq!(answer["schema_type"], "private_extended");
            }
        } else if status == StatusCode::UNPROCESSABLE_ENTITY {
            assert!(answer["detail"].is_array());
        } else {
            assert_eq!(answer, Json::Null, "nothing to read");
        }
        (status.as_u16(), answer)
    }

    /// One run: what is new is posted, what is known by its name is put, what is no longer wanted is deleted.
    async fn run(&self, documents: &[Json]) -> Vec<u16> {
        let (_, known) = self.ask(Method::GET, None, None, &[200]).await;
        let known = known.as_array().unwrap();
        let mut done = Vec::new();
        for document in documents {
            let body = self.body(document);
            let same = known.iter().find(|known| known["name"] == document["name"]);
            done.push(match same {
                None => self.ask(Method::POST, None, Some(&body), &[201, 422]).await.0,
                Some(known) => {
                    self.ask(Method::PUT, known["uid"].as_str(), Some(&body), &[200, 304, 422]).await.0
                }
            });
        }
        for gone in
            known.iter().filter(|known| documents.iter().all(|document| document["name"] != known["name"]))
        {
            done.push(self.ask(Method::DELETE, gone["uid"].as_str(), None, &[204]).await.0);
        }
        done
    }
}

#[test]
fn a_complete_body_has_what_the_feeders_bodies_have() {
    let contract = contract();
    let shape = &contract["components"]["schemas"]["ProviderCreateExtended"];
    let all: Vec<Json> = documents().iter().map(|document| complete(&contract, shape, document)).collect();
    let openstack = &all.iter().find(|body| body["type"] == "openstack").unwrap();
    let kubernetes = &all.iter().find(|body| body["type"] == "kubernetes").unwrap();
    assert_eq!(openstack["description"], "");
    let service = |body: &Json, name: &str| body["regions"][0][name][0].clone();
    assert_eq!(service(openstack, "block_storage_services")["storage_classes"], json!([]));
    assert_eq!(service(openstack, "compute_services")["type"], "compute");
    assert_eq!(service(openstack, "compute_services")["quotas"][0]["pods"], Json::Null);
    assert_eq!(service(openstack, "compute_services")["quotas"][0]["type"], "compute");
    assert!(service(openstack, "compute_services")["flavors"][0]["is_shared"].is_boolean());
    assert_eq!(service(kubernetes, "compute_services")["flavors"], json!([]));
    assert_eq!(service(kubernetes, "compute_services")["quotas"][0]["cores"], Json::Null);
    assert!(service(kubernetes, "block_storage_services")["storage_classes"][0]["quotas"].is_array());
    assert_eq!(kubernetes["identity_providers"][0]["relationship"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn its_runs() {
    let feeder = Feeder::new().await;
    let mut documents = documents();
    assert_eq!(feeder.run(&documents).await, vec![201; documents.len()]);
    assert_eq!(feeder.run(&documents).await, vec![304; documents.len()], "nothing changed");

    // the same content in another order
    let reversed: Vec<Json> = documents.iter().map(reversed).collect();
    assert_eq!(feeder.run(&reversed).await, vec![304; documents.len()]);

    // a changed quota, a provider in maintenance with explicit empty lists, one with a fault, one that is gone
    let first = documents.iter().position(|document| document["type"] == "openstack").unwrap();
    documents[first]["regions"][0]["compute_services"][0]["quotas"][0]["cores"] = 12345.into();
    let rest = documents.iter().position(|document| document["type"] == "kubernetes").unwrap();
    documents[rest] = json!({ "name": documents[rest]["name"], "type": "kubernetes", "status": "maintenance",
        "projects": [], "identity_providers": [], "regions": [] });
    let gone = documents.pop().unwrap();
    let last = documents.len() - 1;
    documents[last]["regions"][0]["location"]["country"] = "Nowhere".into();
    let mut expected = vec![304; documents.len()];
    (expected[first], expected[rest], expected[last]) = (200, 200, 422);
    expected.push(204);
    assert_eq!(feeder.run(&documents).await, expected);
    let names = feeder.registry.admin_get("/providers").await;
    let names: Vec<String> =
        names.as_array().unwrap().iter().map(|provider| text(&provider["name"])).collect();
    assert!(!names.contains(&text(&gone["name"])));
    assert_eq!(names.len(), documents.len());
    let (_, providers) = feeder.ask(Method::GET, None, None, &[200]).await;
    let resting =
        providers.as_array().unwrap().iter().find(|provider| provider["status"] == "maintenance").unwrap();
    let path = format!("/providers/{}?with_conn=true", text(&resting["uid"]));
    let resting = feeder.registry.admin_get(&path).await;
    assert_eq!((&resting["projects"], &resting["regions"]), (&json!([]), &json!([])));

    // what came back in the next run
    documents[last]["regions"][0]["location"]["country"] = "Italy".into();
    documents.push(gone);
    let again = feeder.run(&documents).await;
    assert_eq!(again[documents.len() - 1], 201);
    assert!(again.iter().all(|status| [200, 201, 304].contains(status)), "{again:?}");
    assert_eq!(feeder.run(&[]).await, vec![204; documents.len()]);
    assert_eq!(feeder.registry.admin_get("/providers").await, json!([]));
}

fn reversed(json: &Json) -> Json {
    match json {
        Json::Object(object) => object
            .iter()
            .rev()
            .map(|(name, value)| (name.clone(), reversed(value)))
            .collect::<Map<_, _>>()
            .into(),
        Json::Array(items) => items.iter().rev().map(reversed).collect(),
        other => other.clone(),
    }
}
