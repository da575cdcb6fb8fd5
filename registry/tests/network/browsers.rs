//! Pages: those of others, and our own.

use super::{common::Registry, exchange};
use registry::settings::Settings;
use reqwest::{Method, Response, StatusCode, header};
use serde_json::json;

const PAGE: &str = "https://dashboard.example.org";

async fn preflight(registry: &Registry, origin: &str) -> Response {
    let request = registry.request(Method::OPTIONS, "/providers/", None).header(header::ORIGIN, origin);
    let request = request.header(header::ACCESS_CONTROL_REQUEST_METHOD, "PATCH");
    request.header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,if-match").send().await.unwrap()
}

async fn ask(registry: &Registry, origin: &str, token: Option<&str>) -> Response {
    registry.request(Method::GET, "/providers/", token).header(header::ORIGIN, origin).send().await.unwrap()
}

fn allowed(response: &Response) -> Option<&str> {
    response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap())
}

fn open(origins: &[&str]) -> impl FnOnce(&mut Settings) {
    let cors = serde_json::from_value(json!({ "origins": origins })).unwrap();
    |settings| settings.cors = cors
}

#[tokio::test]
async fn pages_of_others_may_not_call() {
    let registry = Registry::start().await;
    let response = preflight(&registry, PAGE).await;
    assert_eq!((response.status(), allowed(&response)), (StatusCode::METHOD_NOT_ALLOWED, None));
    let response = ask(&registry, PAGE, Some(&registry.admin)).await;
    assert_eq!((response.status(), allowed(&response)), (StatusCode::OK, None));
}

#[tokio::test]
async fn pages_that_are_named_may() {
    let registry = Registry::start_with(open(&[PAGE, "http://localhost:3000"])).await;
    let response = preflight(&registry, PAGE).await;
    assert_eq!((response.status(), allowed(&response)), (StatusCode::OK, Some(PAGE)));
    let headers = response.headers();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "PATCH"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "if-match"),
    ] {
        assert!(headers[&name].to_str().unwrap().contains(value), "{name}: {headers:?}");
    }
    assert!(
        !headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS),
        "no cookies, nothing to ride on"
    );
    // also what was refused can be read
    for (token, status) in
        [(Some(registry.admin.as_str()), StatusCode::OK), (Some("x"), StatusCode::UNAUTHORIZED)]
    {
        let response = ask(&registry, PAGE, token).await;
        assert_eq!((response.status(), allowed(&response)), (status, Some(PAGE)));
        let exposed = response.headers()[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        assert!(exposed.contains("etag") && exposed.contains("www-authenticate"), "{exposed}");
    }
    for origin in [
        "https://evil.example.org",
        "https://dashboard.example.org.evil.org",
        "http://dashboard.example.org",
        "null",
    ] {
        assert_eq!(allowed(&preflight(&registry, origin).await), None, "{origin}");
        assert_eq!(allowed(&ask(&registry, origin, None).await), None, "{origin}");
    }
    let registry = Registry::start_on(registry.stopped().await, open(&["*"])).await;
    assert_eq!(allowed(&ask(&registry, "https://anything.example", None).await), Some("*"));
}

#[tokio::test]
async fn headers_that_browsers_mind() {
    let registry = Registry::start().await;
    for path in ["/providers/", "/providers/none", "/openapi.json", "/docs/"] {
        let response = registry.request(Method::GET, path, None).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY), "{path}: only with TLS");
        let page = headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html");
        assert_eq!(page, path == "/docs/");
        assert_eq!(headers.contains_key(header::CONTENT_SECURITY_POLICY), page, "{path}");
        assert_eq!(headers.contains_key(header::X_FRAME_OPTIONS), page, "{path}");
    }
    // the page needs nothing that its policy forbids
    let page = registry.request(Method::GET, "/docs/", None).send().await.unwrap();
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'self'") && !policy.contains("script-src"), "{policy}");
    let page = page.text().await.unwrap();
    let inline =
        page.split("<script").skip(1).filter(|script| !script.split('>').next().unwrap().contains("src="));
    assert_eq!(inline.count(), 0, "{page}");
}

/// Written as no client would write it: with its own hands.
#[tokio::test]
async fn no_path_leads_out_of_the_page() {
    let registry = Registry::start().await;
    let ask = async |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        exchange(registry.address(), head.as_bytes()).await
    };
    assert!(ask("/api/v1/docs/index.html").await.starts_with("HTTP/1.1 200"));
    for steps in
        ["..", "%2e%2e", "%2E.", "..%2f..", "..\\..", "..%5c..", "%252e%252e", ".%00.", "....//", "..;"]
    {
        for file in ["etc/passwd", "Cargo.toml", "openapi.json", "index.html"] {
            let path = format!("/api/v1/docs/{}/{file}", [steps; 8].join("/"));
            let answer = ask(&path).await;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(matches!(status, "400" | "404"), "{path}: {answer}");
            assert!(!answer.contains("root:") && !answer.contains("[package]"), "{path}: {answer}");
        }
    }
    for path in
        ["/api/v1/docs//etc/passwd", "/api/v1/docs/%2fetc%2fpasswd", "/../../etc/passwd", "//etc/passwd"]
    {
        let answer = ask(path).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}
