//! What it costs to know who asks: `cargo run --release -p registry --example auth_cost`.
//!
//! Seen: a token that was verified before. Unseen: one that has to be verified, its issuer's keys at hand.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use registry::auth::{Access, AuthSettings, Authenticator, IssuerSettings, Rule, SystemClock};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as P256, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const UNSEEN: usize = 2000;
const SEEN: usize = 200_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&P256, &random).map_err(|_| "no key")?;
    let key = EcdsaKeyPair::from_pkcs8(&P256, document.as_ref(), &random).map_err(|_| "no key")?;
    let issuer = serve(&key).await?;
    let settings = AuthSettings {
        issuers: vec![IssuerSettings::new(issuer.parse()?)],
        administrators: vec![Rule::group(&issuer, "/admins"), Rule::email("admin@example.org")],
        ..AuthSettings::default()
    };
    let authenticator = Authenticator::new(&settings, Arc::new(SystemClock::new()))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let headers: Vec<String> = (0..UNSEEN)
        .map(|n| {
            let claims = json!({
                "iss": issuer, "sub": format!("user-{n}"), "exp": now + 3600, "iat": now, "scope": "openid email profile",
                "email": "ada@example.org", "email_verified": true, "name": "Ada Admin", "preferred_username": "ada",
                "groups": ["/users", "/beta/testers", "/federation/members"], "jti": format!("{n:036}"),
            });
            Ok(format!("Bearer {}", token(&key, &random, &claims)?))
        })
        .collect::<Result<_, &str>>()?;
    authenticator.authenticate(Some(&headers[0])).await?;

    let start = Instant::now();
    for header in &headers[1..] {
        black_box(authenticator.authenticate_for(Some(header), Access::Private).await?);
    }
    report("unseen ES256 token", start.elapsed(), UNSEEN - 1, headers[0].len());
    let start = Instant::now();
    for header in headers.iter().cycle().take(SEEN) {
        black_box(authenticator.authenticate_for(Some(header), Access::Private).await?);
    }
    report("seen token", start.elapsed(), SEEN, headers[0].len());
    Ok(())
}

fn report(what: &str, took: Duration, count: usize, length: usize) {
    println!("{what} of {length} bytes: {} ns", took.as_nanos() / count as u128);
}

fn token(key: &EcdsaKeyPair, random: &SystemRandom, claims: &Value) -> Result<String, &'static str> {
    let header = json!({"alg": "ES256", "kid": "k", "typ": "at+jwt"});
    let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let signature = key.sign(random, signed.as_bytes()).map_err(|_| "no signature")?;
    Ok(format!("{signed}.{}", BASE64.encode(signature)))
}

/// An issuer on loopback; the address is its name.
async fn serve(key: &EcdsaKeyPair) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (BASE64.encode(x), BASE64.encode(y));
    let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k", "x": x, "y": y}]});
    let discovery = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/jwks")});
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(|| async { Json(discovery) }))
        .route("/jwks", get(|| async { Json(keys) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(issuer)
}
