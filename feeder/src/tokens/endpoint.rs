//! The token endpoint of an issuer: client credentials and refresh tokens (RFC 6749).

use std::time::Duration;

use reqwest::{Client, Method, header::ACCEPT};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{Grant, Granted, Issued, configuration, unauthorized};
use crate::{
    egress::Egress,
    gate::{Gate, Overall},
    http::{self, Answer, Proxies, Way},
    inventory::Site,
    limits::Limits,
    reading::Fault,
    transport::{Failure, Patience, clean},
};

/// Bytes of an answer.
const ANSWER: usize = 1 << 20;

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    /// Seconds.
    expires_in: Option<u64>,
    refresh_token: Option<String>,
}

#[derive(Deserialize, Default)]
struct Refused {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// A new token; `refresh` is the refresh token to use in place of the configured one.
pub(super) async fn ask(
    issued: &Issued,
    refresh: Option<&SecretString>,
    limits: &Limits,
) -> Result<Granted, Fault> {
    let egress = Egress::new(&Site { auth_url: issued.issuer.clone(), ..Site::default() });
    let way = Way {
        ca_path: issued.ca_path.as_deref(),
        only_ca: false,
        egress: Some(egress.clone()),
        proxies: Proxies::of_environment(),
    };
    let client = http::client(&way, limits.connect)?;
    let gate = Gate::new(limits, &Overall::default());
    let patience = Patience::start(limits, &gate);
    let endpoint = if let Some(configured) = &issued.token_endpoint {
        parsed(configured)?
    } else {
        let named = discover(&client, issued, &patience).await?;
        egress.check(&named).map_err(|why| {
            configuration(format!(
                "the issuer names the token endpoint {named}: {why}; give `token_endpoint`"
            ))
        })?;
        named
    };
    let form = form(issued, refresh);
    let what = http::named("POST", &endpoint);
    let request = || {
        let mut request = client.request(Method::POST, endpoint.clone()).header(ACCEPT, "application/json");
        if let Some((id, secret)) = basic(issued) {
            request = request.basic_auth(encoded(id), Some(encoded(secret)));
        }
        request.form(&form).build().map_err(|error| Failure::broken(&what, &error))
    };
    let answer =
        patience.fetch(&client, &what, request, ANSWER).await.map_err(|failed| of_issuer(&failed))?;
    if !answer.status.is_success() {
        return Err(refused(&answer));
    }
    // the answer holds secrets: nothing of it is told
    let given: Given = serde_json::from_slice(&answer.body)
        .map_err(|_| unauthorized(format!("{what} answered no access token")))?;
    Ok(Granted {
        token: given.access_token.into(),
        life: given.expires_in.map(Duration::from_secs),
        refresh: given.refresh_token.map(SecretString::from),
    })
}

/// The token endpoint by the issuer's discovery document, which must be the issuer's own.
async fn discover(client: &Client, issued: &Issued, patience: &Patience<'_>) -> Result<Url, Fault> {
    let url = parsed(&format!("{}/.well-known/openid-configuration", issued.issuer.trim_end_matches('/')))?;
    let what = http::named("GET", &url);
    let request = || client.get(url.clone()).build().map_err(|error| Failure::broken(&what, &error));
    let answer = patience.fetch(client, &what, request, ANSWER).await.map_err(|failed| of_issuer(&failed))?;
    if let Some(failure) = answer.failure(&what) {
        return Err(of_issuer(&failure.fault));
    }
    let found: Discovery = answer.json(&what).map_err(|failed| of_issuer(&failed))?;
    if found.issuer != issued.issuer {
        let why = format!(
            "its discovery document is of {}: correct `issuer`, to the last slash",
            clean(&found.issuer)
        );
        return Err(configuration(why));
    }
    parsed(&found.token_endpoint)
}

fn parsed(address: &str) -> Result<Url, Fault> {
    address.parse().map_err(|error| configuration(format!("`{}` is not an address: {error}", clean(address))))
}

fn form(issued: &Issued, refresh: Option<&SecretString>) -> Vec<(&'static str, String)> {
    let mut form = match &issued.grant {
        Grant::RefreshToken { token, client_id, client_secret, .. } => {
            let token = refresh.unwrap_or(token).expose_secret().to_owned();
            let mut form = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", token)];
            if client_secret.is_none() {
                form.push(("client_id", client_id.clone()));
            }
            form
        }
        _ => vec![("grant_type", "client_credentials".to_owned())],
    };
    for (name, value) in [("scope", &issued.scope), ("audience", &issued.audience)] {
        form.extend(value.iter().map(|value| (name, value.clone())));
    }
    form
}

/// RFC 6749, 2.3.1: both in the form encoding, then as HTTP's basic authentication.
fn basic(issued: &Issued) -> Option<(&str, &str)> {
    match &issued.grant {
        Grant::ClientCredentials { client_id, client_secret }
        | Grant::RefreshToken { client_id, client_secret: Some(client_secret), .. } => {
            Some((client_id, client_secret.expose_secret()))
        }
        _ => None,
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn refused(answer: &Answer) -> Fault {
    let Refused { error, error_description } = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = clean(&format!("{error} {error_description}"));
    let advice = match error.as_str() {
        "invalid_grant" => "the refresh token has expired or was used before: get a new one",
        "invalid_client" | "unauthorized_client" => {
            "the client is not known, its secret is wrong, or it may not use this grant: look at its registration"
        }
        "invalid_scope" => "correct `scope`",
        _ => "look at the client's registration",
    };
    unauthorized(format!("HTTP {} ({said}): {advice}", answer.status.as_u16()))
}

/// Whatever is wrong with an issuer is no fault of the site that wanted its token.
fn of_issuer(failed: &Fault) -> Fault {
    unauthorized(failed.to_string())
}
