//! The forms of requests and answers: 12, 31, 32, 33 and 37.

use super::{
    common::{Registry, read},
    world::{entities, filled, locs, site_a, uid},
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn p12_statuses_texts_location_and_etag_of_writes() {
    let registry = Registry::start().await;
    let send = async |method: Method, path: &str, body: Option<&Json>| {
        let request = registry.request(method, path, Some(&registry.admin));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.unwrap()
    };
    let created = send(Method::POST, "/providers", Some(&site_a())).await;
    assert_eq!(created.status(), StatusCode::CREATED);
    let location = created.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let tag = created.headers()[header::ETAG].clone();
    let (_, body) = read(created).await;
    let path = format!("/providers/{}", uid(&body));
    assert!(location.ends_with(&path), "{location}");
    assert_eq!(body["schema_type"], "private_extended");
    let again = send(Method::GET, &path, None).await;
    assert_eq!(again.headers()[header::ETAG], tag, "the state that the write made is the one that is read");

    let twice = send(Method::POST, "/providers", Some(&site_a())).await;
    assert_eq!(twice.status(), StatusCode::CONFLICT);
    assert_eq!(
        read(twice).await.1,
        json!({ "detail": "Provider with name 'SITE-A' and type 'openstack' already exists." })
    );
    let mut other = site_a();
    other["type"] = "kubernetes".into();
    other["identity_providers"] = json!([]);
    assert_eq!(
        send(Method::POST, "/providers", Some(&other)).await.status(),
        StatusCode::CREATED,
        "another type"
    );
    let renamed = send(Method::PUT, &path, Some(&other)).await;
    assert_eq!(renamed.status(), StatusCode::CONFLICT, "PUT to a key that another provider has");
    assert_eq!(
        read(renamed).await.1["detail"],
        "Provider with name 'SITE-A' and type 'kubernetes' already exists."
    );

    let unchanged = send(Method::PUT, &path, Some(&site_a())).await;
    assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);
    assert!(unchanged.headers().contains_key(header::ETAG));
    assert_eq!(unchanged.bytes().await.unwrap().len(), 0);
    let mut changed = site_a();
    changed["description"] = "other".into();
    let changed = send(Method::PUT, &path, Some(&changed)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert!(changed.headers().contains_key(header::ETAG));
    assert_eq!(read(changed).await.1["schema_type"], "private_extended");
    let patched = send(Method::PATCH, &path, Some(&json!({ "description": "third" }))).await;
    assert_eq!(patched.status(), StatusCode::OK);
    assert_eq!(read(patched).await.1["schema_type"], "private");
    let gone = send(Method::DELETE, &path, None).await;
    assert_eq!((gone.status(), gone.bytes().await.unwrap().len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(send(Method::DELETE, &path, None).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(send(Method::PUT, &path, Some(&site_a())).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn p31_404_names_kind_and_uid() {
    let registry = filled().await;
    for entity in &schema::Schema::get().entities {
        let path = format!("/{}/0123456789abcdef0123456789abcdef", entity.decl.path);
        let expected = json!({ "detail": format!("{} with uid '0123456789abcdef0123456789abcdef' not found", entity.decl.name) });
        for (method, body) in [(Method::GET, None), (Method::PATCH, Some(json!({})))] {
            let (status, body) = registry.send(method, &path, body.as_ref()).await;
            assert_eq!((status, &body), (StatusCode::NOT_FOUND, &expected));
        }
    }
}

#[tokio::test]
async fn p32_head_answers_as_get_and_other_methods_are_405_with_allow() {
    let registry = filled().await;
    for path in entities() {
        let first = uid(&registry.list(&format!("/{path}")).await[0]);
        let provider = path == "providers";
        let list: &[&str] = if provider { &["GET", "HEAD", "POST"] } else { &["GET", "HEAD"] };
        let single: &[&str] = if provider {
            &["DELETE", "GET", "HEAD", "PATCH", "PUT"]
        } else {
            &["DELETE", "GET", "HEAD", "PATCH"]
        };
        for slash in ["", "/"] {
            for (path, allowed) in
                [(format!("/{path}{slash}"), list), (format!("/{path}/{first}{slash}"), single)]
            {
                for query in ["", "?with_conn=true", "?short=x"] {
                    let url = format!("{path}{query}");
                    let get = registry.request(Method::GET, &url, None).send().await.unwrap();
                    let head = registry.request(Method::HEAD, &url, None).send().await.unwrap();
                    assert_eq!(head.status(), get.status(), "{url}");
                    for name in [header::ETAG, header::CONTENT_TYPE, header::CONTENT_LENGTH] {
                        assert_eq!(head.headers().get(&name), get.headers().get(&name), "{name} of {url}");
                    }
                    assert_eq!(head.bytes().await.unwrap().len(), 0);
                }
                for method in ["OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
                    if allowed.contains(&method) {
                        continue;
                    }
                    let method = Method::from_bytes(method.as_bytes()).unwrap();
                    let response =
                        registry.request(method.clone(), &path, Some(&registry.admin)).send().await.unwrap();
                    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                    let allow = response.headers()[header::ALLOW].to_str().unwrap();
                    let allow: BTreeSet<&str> = allow.split(',').map(str::trim).collect();
                    assert!(allow.iter().eq(allowed), "{method} {path}: {allow:?}");
                    assert_eq!(read(response).await.1, json!({ "detail": "Method Not Allowed" }));
                }
            }
        }
    }
}

#[tokio::test]
async fn p33_where_a_fault_of_a_body_is() {
    let registry = filled().await;
    let flavor = uid(&registry.list("/flavors").await[0]);
    let provider = uid(&registry.list("/providers").await[0]);
    let paths = [
        (Method::POST, "/providers".to_owned()),
        (Method::PUT, format!("/providers/{provider}")),
        (Method::PATCH, format!("/flavors/{flavor}")),
    ];
    for (method, path) in paths {
        let send = async |body: &[u8]| {
            let request = registry.request(method.clone(), &path, Some(&registry.admin)).body(body.to_vec());
            let (status, body) = read(request.send().await.unwrap()).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path} {body}");
            locs(&body)
        };
        for no_object in ["[]", "1", "\"text\"", "null", "true", " [ {} ] "] {
            assert_eq!(send(no_object.as_bytes()).await, [json!(["body"])], "{no_object}");
        }
        assert_eq!(send(b"").await, [json!(["body"])]);
        for (broken, offset) in [
            ("{", 1),
            ("nonsense", 1),
            ("{\"name\": nonsense}", 10),
            ("{\"name\": \"x\",}", 13),
            ("{\"name\": \"x\"} trailing", 14),
            ("{\n\"name\":\n  ?}", 12),
            ("{\"name\": 1e999}", 13),
        ] {
            let locs = send(broken.as_bytes()).await;
            assert_eq!(locs.len(), 1);
            assert_eq!(locs[0][0], "body", "{broken}");
            let found = locs[0][1].as_i64().unwrap();
            assert!((found - offset).abs() <= 1, "{broken}: {found}, not about {offset}");
        }
        let locs = send(b"{\"name\": \"\xff\"}").await;
        assert_eq!(locs.len(), 1, "no UTF-8: {locs:?}");
    }
    let (_, body) =
        registry.patch(&format!("/flavors/{flavor}"), &json!({ "gpu_model": "A100", "gpus": 0 })).await;
    assert_eq!(locs(&body), [json!(["body", "gpu_model"])]);
    let mut document = site_a();
    document["regions"][1]["compute_services"][0]["flavors"][0]["gpu_model"] = "A100".into();
    let (_, body) = registry.put(&provider, &document).await;
    assert_eq!(
        locs(&body),
        [json!(["body", "regions", 1, "compute_services", 0, "flavors", 0, "gpu_model"])]
    );
}

#[tokio::test]
async fn p37_booleans_accept_headers_and_slashes() {
    let registry = filled().await;
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let get = async |path: &str, accept: &str| {
        let request = client.get(format!("{}{path}", registry.url)).header(header::ACCEPT, accept);
        request.bearer_auth(&registry.admin).send().await.unwrap()
    };
    let expected = registry.admin_get("/projects/?with_conn=true").await;
    for accept in [
        "application/xml",
        "text/html",
        "application/json, application/xml;q=0.9",
        "image/png",
        "*/*",
        "nonsense",
    ] {
        for path in ["/projects", "/projects/"] {
            for word in ["True", "true", "1", "yes", "ON"] {
                let response = get(&format!("{path}?with_conn={word}"), accept).await;
                assert_eq!(response.status(), StatusCode::OK, "no redirect, no 406");
                assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
                assert_eq!(response.json::<Json>().await.unwrap(), expected);
            }
        }
    }
    for path in ["/projects?with_conn=False", "/projects/?with_conn=no", "/projects?short=False&with_conn=0"]
    {
        let items = get(path, "*/*").await.json::<Json>().await.unwrap();
        assert_eq!(items[0]["schema_type"], "private", "{path}");
    }
    for path in ["//projects", "/projects//", "/nothing", ""] {
        let response = get(path, "*/*").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(read(response).await.1["detail"].is_string(), "{path}");
    }
}
