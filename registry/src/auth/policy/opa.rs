//! An Open Policy Agent, asked over HTTP (its data API, `POST /v1/data/...`).

use super::NoDecision;
use crate::auth::Clock;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use url::Url;

/// The longest answer that is read, in bytes: `allow` and what else the package says.
const MAX_BYTES: usize = 64 * 1024;

/// After a failure, for how long everybody is told so without asking again, in milliseconds. So a server that does not
/// answer at all does not hold up every request for the whole time.
const PAUSE_MILLIS: u64 = 1000;

/// One server.
pub(super) struct Opa {
    url: Url,
    token_file: Option<PathBuf>,
    client: Client,
    clock: Arc<dyn Clock>,
    /// Monotonic milliseconds before which it is not asked.
    not_before: AtomicU64,
}

impl Opa {
    pub fn new(url: Url, token_file: Option<PathBuf>, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { url, token_file, client, clock, not_before: AtomicU64::new(0) }
    }

    /// Whether it says yes to this input.
    pub async fn ask(&self, input: &str) -> Result<bool, NoDecision> {
        let no_decision = NoDecision { retry_after_seconds: 1 };
        if self.millis() < self.not_before.load(Ordering::Relaxed) {
            return Err(no_decision);
        }
        match self.answer(format!(r#"{{"input":{input}}}"#)).await {
            Ok(answer) => Ok(is_yes(&answer)),
            Err(why) => {
                tracing::error!(url = %self.url, why, "the Open Policy Agent cannot be asked: requests with a token get 503");
                self.not_before.store(self.millis() + PAUSE_MILLIS, Ordering::Relaxed);
                Err(no_decision)
            }
        }
    }

    /// Whether it answers, and knows the policy.
    pub async fn check(&self) -> Result<(), String> {
        let url = &self.url;
        let input = json!({"input": {"user_info": {}, "path": "", "method": "GET", "has_body": false}});
        match self.answer(input.to_string()).await {
            Ok(answer) if answer.get("result").is_some() => Ok(()),
            Ok(_) => Err(format!(
                "{url} answers, but has no policy there: everything would be denied. Load the policy, or mend the path (auth.policy.opa)"
            )),
            Err(why) => {
                Err(format!("{url} cannot be asked: {why}. Start it, or mend the address (auth.policy.opa)"))
            }
        }
    }

    async fn answer(&self, body: String) -> Result<Value, String> {
        let text = |error: reqwest::Error| {
            if error.is_timeout() { "it took too long".to_owned() } else { super::fetch::root(&error) }
        };
        let mut request =
            self.client.post(self.url.clone()).header("content-type", "application/json").body(body);
        if let Some(file) = &self.token_file {
            let token = tokio::fs::read_to_string(file).await;
            let token = token.map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
            request = request.bearer_auth(token.trim());
        }
        let mut answer = request.send().await.map_err(text)?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answered {}", answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(text)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(format!("its answer is longer than {MAX_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| format!("its answer is not JSON: {error}"))
    }

    fn millis(&self) -> u64 {
        u64::try_from(Duration::as_millis(&self.clock.monotonic())).unwrap_or(u64::MAX)
    }
}

/// `{"result": {"allow": true}}`; or `{"result": true}` when the address is that of the rule itself. Nothing else.
fn is_yes(answer: &Value) -> bool {
    let result = answer.get("result");
    let result = result.map(|result| result.get("allow").unwrap_or(result));
    result == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        for (answer, expected) in [
            (json!({"result": {"allow": true}}), true),
            (json!({"result": {"allow": true, "reason": "x"}}), true),
            (json!({"result": true}), true),
            (json!({"result": {"allow": false}}), false),
            (json!({"result": {"allow": "true"}}), false),
            (json!({"result": {"allow": 1}}), false),
            (json!({"result": {"allow": null}}), false),
            (json!({"result": {"allowed": true}}), false),
            (json!({"result": {}}), false),
            (json!({"result": "true"}), false),
            (json!({"allow": true}), false),
            (json!({}), false),
            (json!([]), false),
            (json!(true), false),
        ] {
            assert_eq!(is_yes(&answer), expected, "{answer}");
        }
    }
}
