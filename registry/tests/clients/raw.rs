//! Requests byte by byte, as clients spell them: an HTTP library of ours would spell them its own way.

use super::common::Registry;
use reqwest::StatusCode;
use serde_json::Value as Json;
use std::fmt::Write;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Answer {
    pub status: StatusCode,
    pub head: String,
    pub body: Json,
}

/// Sends a GET of this target below the base path.
pub async fn get(registry: &Registry, target: &str, headers: &[(&str, &str)]) -> Answer {
    let url = url::Url::parse(&registry.url).unwrap();
    let address = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let mut request =
        format!("GET {}{target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", url.path());
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_lowercase().contains("transfer-encoding"), "the whole body is in one piece: {head}");
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_lowercase(),
        body: serde_json::from_str(body).unwrap(),
    }
}
