//! Bodies that are large, deep, broken or slow: a clear 4xx in bounded time.

use super::{
    common::{Registry, example, read},
    mutate,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::{Body, Method, StatusCode, header};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn send(registry: &Registry, method: &Method, path: &str, body: Vec<u8>) -> (StatusCode, Json) {
    let request = registry
        .request(method.clone(), path, Some(&registry.admin))
        .header(header::CONTENT_TYPE, "application/json");
    let answer = tokio::time::timeout(Duration::from_mins(1), request.body(body).send()).await;
    read(answer.unwrap_or_else(|_| panic!("{method} {path} hangs")).unwrap()).await
}

async fn filled() -> (Registry, String) {
    let registry = Registry::start().await;
    let document = &example("post_provider_openstack")["request"]["body"];
    let (status, body) = registry.send(Method::POST, "/providers", Some(document)).await;
    assert_eq!(status, StatusCode::CREATED);
    let uid = body["uid"].as_str().unwrap().to_owned();
    (registry, uid)
}

const TEN_MB: usize = 10 << 20;

/// A list of this many items, as text.
fn list(items: usize, item: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..items).map(item).collect();
    format!("[{}]", items.join(","))
}

#[tokio::test]
async fn ten_megabytes_of_anything() {
    let (registry, uid) = filled().await;
    let provider = |more: String| format!("{{\"name\":\"X\",\"type\":\"openstack\",{more}}}");
    let flavors = |flavors: String| {
        provider(format!(
            "\"projects\":[{{\"name\":\"p\",\"uuid\":\"p\"}}],\"regions\":[{{\"name\":\"R\",\"compute_services\":[{{\"endpoint\":\"https://x\",\"name\":\"v1\",\"flavors\":{flavors}}}]}}]"
        ))
    };
    let bodies = [
        ("noise", "\u{7f}x".repeat(TEN_MB / 2)),
        ("spaces", " ".repeat(TEN_MB)),
        ("one text", format!("\"{}\"", "x".repeat(TEN_MB))),
        ("a number of many digits", "1".repeat(TEN_MB)),
        ("a long name of a field", provider(format!("\"{}\":1", "namex".repeat(TEN_MB / 5)))),
        (
            "many unknown fields",
            provider(list(200_000, |n| format!("\"{n:040}\":1")).trim_matches(['[', ']']).to_owned()),
        ),
        (
            "a long country",
            provider(format!(
                "\"regions\":[{{\"name\":\"R\",\"location\":{{\"site\":\"s\",\"country\":\"{}\"}}}}]",
                "Italy".repeat(TEN_MB / 5)
            )),
        ),
        (
            "a long URL",
            provider(format!(
                "\"identity_providers\":[{{\"group_claim\":\"g\",\"endpoint\":\"https://{}\"}}]",
                "x".repeat(TEN_MB)
            )),
        ),
        (
            "many addresses that are none",
            provider(format!("\"support_emails\":{}", list(200_000, |n| format!("\"nobody {n:040}\"")))),
        ),
        (
            "many items that are none",
            provider(format!("\"projects\":{}", list(400_000, |n| format!("{n:>24}")))),
        ),
        (
            "many flavors of one uuid",
            flavors(list(100_000, |_| "{\"name\":\"f\",\"uuid\":\"u\"}".to_owned())),
        ),
        (
            "many projects that are not there",
            flavors(format!(
                "[{{\"name\":\"f\",\"uuid\":\"u\",\"projects\":{}}}]",
                list(200_000, |n| format!("\"project {n:040}\""))
            )),
        ),
        ("many zero bytes", format!("{{\"name\":\"{}\"}}", "\\u0000".repeat(TEN_MB / 6))),
    ];
    for (i, (what, body)) in bodies.into_iter().enumerate() {
        let paths = [(Method::POST, "/providers".to_owned()), (Method::PATCH, format!("/providers/{uid}"))];
        for (method, path) in paths.into_iter().take(if i < 6 { 2 } else { 1 }) {
            let began = Instant::now();
            let (status, answer) = send(&registry, &method, &path, body.clone().into_bytes()).await;
            println!("{status} after {:?}: {method} {what}", began.elapsed());
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
            let faults = answer["detail"].as_array().unwrap();
            assert!(!faults.is_empty() && faults.len() <= 1001, "{what}: {}", faults.len());
            assert!(faults.iter().all(|fault| fault["msg"].as_str().unwrap().len() < 1000), "{what}");
        }
    }
    // large is not bad
    let large = flavors(list(10_000, |n| {
        format!("{{\"name\":\"f\",\"uuid\":\"{n}\",\"description\":\"{}\"}}", "x".repeat(1000))
    }));
    let (status, _) = send(&registry, &Method::POST, "/providers", large.into_bytes()).await;
    assert_eq!(status, StatusCode::CREATED);
    let too_large = vec![b' '; 40 << 20];
    assert_eq!(
        send(&registry, &Method::POST, "/providers", too_large).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn depth_zero_bytes_and_broken_text() {
    let (registry, uid) = filled().await;
    let deep =
        |open: &str, close: &str| format!("{}1{}", open.repeat(50_000), close.repeat(50_000)).into_bytes();
    let bodies: Vec<Vec<u8>> = vec![
        deep("[", "]"),
        deep("{\"a\":", "}"),
        deep("{\"regions\":[", "]}"),
        deep("{\"a\":[{\"b\":", "}]}"),
        "[".repeat(1_000_000).into_bytes(),
        b"{\"name\":\"a\0b\",\"type\":\"openstack\"}".to_vec(),
        b"{\"name\":\"a\\u0000b\",\"type\":\"openstack\"}".to_vec(),
        b"\0\0\0\0".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        b"{\"name\":\"\xc3\x28\"}".to_vec(),
        b"{\"name\":\"\\ud800\"}".to_vec(),
        b"{\"name\":NaN}".to_vec(),
        b"name=x&type=openstack".to_vec(),
        b"<provider/>".to_vec(),
        b"\x1f\x8b\x08\0\0\0\0\0".to_vec(),
    ];
    for body in bodies {
        for (method, path) in [
            (Method::POST, "/providers".to_owned()),
            (Method::PUT, format!("/providers/{uid}")),
            (Method::PATCH, format!("/providers/{uid}")),
        ] {
            let (status, answer) = send(&registry, &method, &path, body.clone()).await;
            assert_eq!(
                status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{method} {:?}: {answer}",
                &body[..body.len().min(40)]
            );
            assert_eq!(answer["detail"][0]["loc"][0], "body");
        }
    }
    assert_eq!(registry.admin_get("/providers").await.as_array().unwrap().len(), 1);
}

/// Documents whose bytes were damaged, and damaged documents, over HTTP.
#[tokio::test]
async fn damaged_bodies_are_taken_or_refused_and_never_fail() {
    let (registry, uid) = filled().await;
    let mut random = StdRng::seed_from_u64(3);
    let document = &example("post_provider_openstack")["request"]["body"];
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut body = document.clone();
        for _ in 0..random.random_range(1..4) {
            mutate::damage(&mut body, &mut random);
        }
        let mut bytes = body.to_string().into_bytes();
        if random.random_bool(0.3) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..3) {
                0 => bytes.truncate(at),
                1 => bytes[at] = random.random(),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        let (status, answer) = send(&registry, &Method::PUT, &format!("/providers/{uid}"), bytes).await;
        match status.as_u16() {
            200 | 304 => taken += 1,
            422 => {
                refused += 1;
                assert!(!answer["detail"].as_array().unwrap().is_empty());
            }
            other => panic!("{other}: {answer} for {body}"),
        }
    }
    assert!(taken > 20 && refused > 100, "{taken} taken, {refused} refused");
}

#[tokio::test]
async fn a_body_that_does_not_come_or_breaks_off_is_the_senders_fault() {
    let registry = Registry::start_with(|settings| settings.limits.request_seconds = 1).await;
    let request = registry.request(Method::POST, "/providers", Some(&registry.admin));
    let never = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let (status, answer) = read(request.body(Body::wrap_stream(never)).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT, "{answer}");
    assert!(answer["detail"].is_string());

    // less than was announced
    let url = url::Url::parse(&registry.url).unwrap();
    let mut stream =
        tokio::net::TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.unwrap();
    let head = format!(
        "POST {}/providers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{\"name\":",
        url.path(),
        registry.admin
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(registry.get("/providers", None).await, (StatusCode::OK, json!([])));
}
