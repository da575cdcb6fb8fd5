//! An issuer on loopback whose answers the test decides, and tokens of any make.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::stream;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as P256, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use url::form_urlencoded::{self, byte_serialize};

use super::clock::START;

/// Paths that the issuer serves.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
pub const KEYS: &str = "/jwks";
pub const USERINFO: &str = "/userinfo";
pub const INTROSPECTION: &str = "/introspect";
/// Who may introspect: `registry`, with this secret.
pub const SECRET: &str = "a secret: with / and %, of the registry";

/// A running issuer. It ends with the test's runtime.
#[derive(Clone)]
pub struct Issuer {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<Published>,
    hits: watch::Sender<BTreeMap<String, usize>>,
}

struct Published {
    keys: Vec<Value>,
    signing: Key,
    userinfo: Value,
    /// What introspection says, by token.
    active: BTreeMap<String, Value>,
    replies: BTreeMap<&'static str, Reply>,
}

/// An answer instead of the usual one.
#[derive(Clone)]
pub enum Reply {
    Status(u16),
    Redirect(String),
    Json(Value),
    Text(String),
    /// More and more of it.
    Endless,
    /// A byte now and then, for ever.
    Drip,
    /// Nothing, for ever.
    Silence,
    /// The usual one, but only once this says so.
    When(Arc<Notify>),
}

impl Issuer {
    /// Starts one that calls itself by its address without a slash at the end.
    pub async fn start() -> Self {
        Self::start_as("").await
    }

    /// Starts one whose name has this at the end.
    pub async fn start_as(end: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{end}", listener.local_addr().unwrap());
        let signing = Key::new("first");
        let state = Published {
            keys: vec![signing.public()],
            signing,
            userinfo: json!({}),
            active: BTreeMap::new(),
            replies: BTreeMap::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), hits: watch::Sender::default() });
        let issuer = Self { url, shared };
        let router = Router::new().fallback(answer).with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    /// Its name: `iss`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How often a path was asked for.
    pub fn hits(&self, path: &str) -> usize {
        self.shared.hits.borrow().get(path).copied().unwrap_or(0)
    }

    /// How often anything was asked for.
    pub fn all_hits(&self) -> usize {
        self.shared.hits.borrow().values().sum()
    }

    /// Waits until a path was asked for so often.
    pub async fn wait_for_hits(&self, path: &str, count: usize) {
        let mut hits = self.shared.hits.subscribe();
        let enough = hits.wait_for(|hits| hits.get(path).copied().unwrap_or(0) >= count);
        tokio::time::timeout(Duration::from_secs(20), enough).await.expect("nobody asked").unwrap();
    }

    /// Answers differently on one path.
    pub fn reply(&self, path: &'static str, reply: Reply) {
        self.shared.state.lock().unwrap().replies.insert(path, reply);
    }

    /// Answers as usual again.
    pub fn behave(&self) {
        self.shared.state.lock().unwrap().replies.clear();
    }

    /// What userinfo says from now on.
    pub fn set_userinfo(&self, claims: Value) {
        self.shared.state.lock().unwrap().userinfo = claims;
    }

    /// From now on introspection calls this token active and says this about it; `null`: that it is not.
    pub fn set_active(&self, token: &str, said: Value) {
        let mut state = self.shared.state.lock().unwrap();
        state.active.insert(token.to_owned(), said);
    }

    /// A new key; the old ones stay published.
    pub fn rotate(&self, id: &str) {
        let key = Key::new(id);
        let mut state = self.shared.state.lock().unwrap();
        state.keys.push(key.public());
        state.signing = key;
    }

    /// A new key; the old ones are gone.
    pub fn replace_keys(&self, id: &str) {
        let key = Key::new(id);
        let mut state = self.shared.state.lock().unwrap();
        state.keys = vec![key.public()];
        state.signing = key;
    }

    /// Publishes one more key, without signing with it.
    pub fn publish(&self, key: Value) {
        self.shared.state.lock().unwrap().keys.push(key);
    }

    /// The key that signs at the moment.
    pub fn key(&self) -> Key {
        self.shared.state.lock().unwrap().signing.clone()
    }

    /// Claims of an access token that is accepted: five minutes from the start of the test.
    pub fn claims(&self, subject: &str) -> Value {
        json!({
            "iss": self.url, "sub": subject, "aud": "federation-registry", "exp": START + 300, "iat": START,
            "scope": "openid",
        })
    }

    /// An access token.
    pub fn token(&self, subject: &str) -> String {
        self.key().sign(&self.claims(subject))
    }

    /// An access token with other claims beside the usual ones; `null` takes one away.
    pub fn token_with(&self, subject: &str, more: Value) -> String {
        self.key().sign(&merge(self.claims(subject), more))
    }

    fn introspect(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        let id: String = byte_serialize(b"registry").collect();
        let secret: String = byte_serialize(SECRET.as_bytes()).collect();
        let expected = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        if headers.get(AUTHORIZATION).is_none_or(|given| *given != expected) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let token = form_urlencoded::parse(body).find(|(name, _)| name == "token").unwrap().1.into_owned();
        let state = self.shared.state.lock().unwrap();
        match state.active.get(&token) {
            None | Some(Value::Null) => axum::Json(json!({"active": false})).into_response(),
            Some(said) => axum::Json(merge(json!({"active": true}), said.clone())).into_response(),
        }
    }

    fn usual(&self, path: &str, authorized: bool) -> Response {
        let state = self.shared.state.lock().unwrap();
        let base = self.url.trim_end_matches('/');
        match path {
            DISCOVERY => axum::Json(json!({
                "issuer": self.url,
                "jwks_uri": format!("{base}{KEYS}"),
                "userinfo_endpoint": format!("{base}{USERINFO}"),
                "introspection_endpoint": format!("{base}{INTROSPECTION}"),
            }))
            .into_response(),
            KEYS => axum::Json(json!({"keys": state.keys})).into_response(),
            USERINFO if authorized => axum::Json(state.userinfo.clone()).into_response(),
            USERINFO => StatusCode::UNAUTHORIZED.into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

async fn answer(State(issuer): State<Issuer>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let authorized = request.headers().contains_key(AUTHORIZATION);
    issuer.shared.hits.send_modify(|hits| *hits.entry(path.clone()).or_default() += 1);
    let reply = issuer.shared.state.lock().unwrap().replies.get(path.as_str()).cloned();
    match reply {
        None if path == INTROSPECTION => {
            let (parts, body) = request.into_parts();
            issuer.introspect(&parts.headers, &to_bytes(body, 1 << 20).await.unwrap())
        }
        None => issuer.usual(&path, authorized),
        Some(Reply::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Reply::Redirect(to)) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
        Some(Reply::Json(value)) => axum::Json(value).into_response(),
        Some(Reply::Text(text)) => text.into_response(),
        Some(Reply::Endless) => {
            let chunk = Bytes::from(vec![b' '; 64 * 1024]);
            Body::from_stream(stream::repeat(Ok::<_, Infallible>(chunk))).into_response()
        }
        Some(Reply::Drip) => {
            let drops = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
            });
            Body::from_stream(drops).into_response()
        }
        Some(Reply::Silence) => std::future::pending().await,
        Some(Reply::When(go)) => {
            go.notified().await;
            if path == INTROSPECTION {
                let (parts, body) = request.into_parts();
                return issuer.introspect(&parts.headers, &to_bytes(body, 1 << 20).await.unwrap());
            }
            issuer.usual(&path, authorized)
        }
    }
}

/// Two objects in one; `null` takes a member away.
pub fn merge(mut claims: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more} is no object") };
    for (name, value) in more {
        claims[name] = value;
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// One part of a token.
pub fn part(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An ES256 key pair with an id.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    pair: Arc<EcdsaKeyPair>,
}

impl Key {
    pub fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&P256, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&P256, document.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), pair: Arc::new(pair) }
    }

    /// As it is published.
    pub fn public(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": part(x), "y": part(y)})
    }

    /// A token with the usual header.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({}), &claims.to_string())
    }

    /// A token with more in its header (`null` takes away), and any text as its claims.
    pub fn sign_with(&self, header: &Value, claims: &str) -> String {
        let header = merge(json!({"alg": "ES256", "kid": self.id, "typ": "JWT"}), header.clone());
        let signed = format!("{}.{}", part(header.to_string()), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", part(signature))
    }
}
