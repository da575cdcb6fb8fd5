//! oidc-agent: one JSON object to its socket, one back.
//! <https://indigo-dc.gitbook.io/oidc-agent/api/api-oidc-agent>

use std::{path::Path, time::Duration};

use chrono::Utc;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use super::{Granted, Issued, configuration, unauthorized};
use crate::reading::Fault;

/// Bytes of an answer.
const ANSWER: u64 = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    /// Seconds since 1970.
    expires_at: Option<i64>,
    error: Option<String>,
    info: Option<String>,
}

/// A token that is good for at least so long.
pub(super) async fn ask(
    issued: &Issued,
    account: Option<&str>,
    socket: &Path,
    valid: Duration,
) -> Result<Granted, Fault> {
    let mut request = json!({
        "request": "access_token",
        "application_hint": "fedreg",
        "min_valid_period": valid.as_secs(),
    });
    match account {
        Some(account) => request["account"] = account.into(),
        None => request["issuer"] = issued.issuer.as_str().into(),
    }
    for (name, value) in [("scope", &issued.scope), ("audience", &issued.audience)] {
        if let Some(value) = value {
            request[name] = value.as_str().into();
        }
    }
    let stream = UnixStream::connect(socket).await.map_err(|why| {
        configuration(format!(
            "oidc-agent's socket {} cannot be used ({why}): start oidc-agent as the feeder's user, or correct OIDC_SOCK",
            socket.display()
        ))
    })?;
    let answer = exchange(stream, &request.to_string()).await;
    let answer = answer.map_err(|why| unauthorized(format!("oidc-agent broke off: {why}")))?;
    let Ok(answer) = serde_json::from_slice::<Answer>(&answer) else {
        return Err(unauthorized("oidc-agent answered what is not its protocol"));
    };
    if let Some(token) = answer.access_token.filter(|token| !token.is_empty()) {
        let left = |at: i64| u64::try_from(at - Utc::now().timestamp()).unwrap_or_default();
        let life = answer.expires_at.map(left).map(Duration::from_secs);
        return Ok(Granted { token: token.into(), life, refresh: None });
    }
    let said = [answer.error, answer.info].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let account = account.map_or_else(|| format!("of {}", issued.issuer), ToOwned::to_owned);
    Err(unauthorized(format!(
        "oidc-agent gives none for account {account} ({}): load it with `oidc-add`",
        crate::transport::clean(&said)
    )))
}

async fn exchange(mut stream: UnixStream, request: &str) -> std::io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(ANSWER);
    // some versions keep the connection open: the object's end counts
    while stream.read_buf(&mut answer).await? > 0 {
        if serde_json::from_slice::<serde::de::IgnoredAny>(&answer).is_ok() {
            break;
        }
    }
    Ok(answer)
}
