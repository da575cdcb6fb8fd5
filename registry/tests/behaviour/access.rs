//! Who may ask: 1 to 3.

use super::{
    common::{Registry, read},
    world::{entities, filled, uid},
};
use reqwest::{Method, header};
use serde_json::json;
use simulator::{Issuer, IssuerOptions, Subject};

/// Every endpoint with every method, by a uid that is there and one that is not.
async fn endpoints(registry: &Registry) -> Vec<(Method, String)> {
    let mut all = Vec::new();
    for path in entities() {
        all.push((Method::GET, format!("/{path}/")));
        let known = registry.list(&format!("/{path}/")).await.first().map(uid);
        for uid in known.iter().map(String::as_str).chain(["nothing"]) {
            for method in [Method::GET, Method::PATCH, Method::DELETE] {
                all.push((method, format!("/{path}/{uid}")));
            }
        }
    }
    all.push((Method::POST, "/providers/".to_owned()));
    all.push((Method::PUT, "/providers/nothing".to_owned()));
    all
}

#[tokio::test]
async fn p01_a_token_that_is_not_valid_is_401_everywhere_and_one_that_may_not_is_403() {
    let registry = filled().await;
    let foreign = Issuer::start(IssuerOptions::default()).await.unwrap();
    let refused = [
        "Bearer no.token.at-all".to_owned(),
        "Basic YWRtaW46YWRtaW4=".to_owned(),
        "Bearer".to_owned(),
        registry.admin.clone(),
        format!(
            "Bearer {}",
            registry.issuer.token(&Subject::new("admin").groups(["admins"]).ttl(-100)).unwrap()
        ),
        format!("Bearer {}", foreign.token(&Subject::new("admin").groups(["admins"])).unwrap()),
    ];
    let endpoints = endpoints(&registry).await;
    assert!(endpoints.len() > 21 * 4);
    for (method, path) in &endpoints {
        for authorization in &refused {
            let request = registry.request(method.clone(), path, None);
            let response =
                request.header(header::AUTHORIZATION, authorization).json(&json!([])).send().await.unwrap();
            assert_eq!(response.status(), 401, "{method} {path} with {authorization}");
            assert!(response.headers().contains_key(header::WWW_AUTHENTICATE), "{method} {path}");
            assert!(read(response).await.1["detail"].is_string(), "{method} {path}");
        }
        let writes = *method != Method::GET;
        for (token, expected) in [(None, 401), (Some(registry.reader.as_str()), 403)] {
            let response =
                registry.request(method.clone(), path, token).json(&json!([])).send().await.unwrap();
            let status = response.status().as_u16();
            let challenged = response.headers().contains_key(header::WWW_AUTHENTICATE);
            if writes {
                assert_eq!(status, expected, "{method} {path} with {token:?}");
                assert!(challenged || expected == 403);
                assert!(read(response).await.1["detail"].is_string(), "{method} {path}");
            } else {
                assert_eq!(status, if path.ends_with("/nothing") { 404 } else { 200 }, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn p02_who_may_not_is_told_before_anything_is_said_of_body_query_or_uid() {
    let registry = filled().await;
    for body in ["{", "[]", "{\"nmae\": 1}", ""] {
        for (method, path) in [
            (Method::POST, "/providers/"),
            (Method::PUT, "/providers/nothing"),
            (Method::PATCH, "/flavors/%ff"),
            (Method::DELETE, "/flavors/nothing"),
        ] {
            for (token, status) in
                [(None, 401), (Some("no.token.x"), 401), (Some(registry.reader.as_str()), 403)]
            {
                let request = registry.request(method.clone(), path, token).body(body);
                assert_eq!(request.send().await.unwrap().status(), status, "{method} {path} {body}");
            }
        }
    }
    for path in ["/flavors/nothing", "/flavors/?vcpus=x", "/flavors/?sort=colour", "/flavors/?name=%zz"] {
        assert_eq!(registry.get(path, Some("no.token.x")).await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn p03_anonymous_callers_neither_filter_nor_sort_by_private_attributes() {
    let registry = filled().await;
    let mut private = 0;
    for entity in &schema::Schema::get().entities {
        for field in &entity.fields {
            let queries = schema::filter::suffixes(field).iter().map(|suffix| {
                // a value of the wrong type tells nothing either
                format!("{}=x", schema::filter::parameter(field, suffix))
            });
            let sorts = ["", "-"].map(|minus| format!("sort={minus}{}", field.name));
            for query in queries.chain(sorts).chain([format!("sort={}_desc", field.name)]) {
                let (status, _) = registry.get(&format!("/{}/?{query}", entity.decl.path), None).await;
                if field.public {
                    assert_ne!(status, 401, "{} {query}", entity.decl.path);
                } else {
                    private += 1;
                    assert_eq!(status, 401, "{} {query}", entity.decl.path);
                }
            }
        }
    }
    assert!(private > 500, "{private}");
    // a provider's status is private; its name and type are not
    assert_eq!(registry.get("/user_groups/?provider_status=active", None).await.0, 401);
    for query in ["provider_name=SITE-A", "provider_type=openstack", "region_name=R1", "provider_status="] {
        assert_eq!(registry.get(&format!("/user_groups/?{query}"), None).await.0, 200, "{query}");
    }
}
