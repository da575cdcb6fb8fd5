//! The issuer: discovery, keys, tokens, userinfo, rotation.

use super::{issuer, json_of};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use reqwest::Client;
use serde_json::Value;
use simulator::{Fault, Issuer, IssuerError, IssuerOptions, Signing, Subject, TokenRefused};

/// What a resource server does: discovery, keys, signature.
async fn verify(url: &str, token: &str) -> Result<Value, String> {
    let get = |url: String| async { json_of(reqwest::get(url).await.unwrap()).await };
    let discovered = get(format!("{url}/.well-known/openid-configuration")).await;
    assert_eq!(discovered["issuer"], url);
    let keys = get(discovered["jwks_uri"].as_str().unwrap().to_owned()).await;
    let keys: JwkSet = serde_json::from_value(keys).unwrap();
    let header = jsonwebtoken::decode_header(token).map_err(|e| e.to_string())?;
    let key = keys.find(&header.kid.unwrap()).ok_or("unknown key")?;
    assert_eq!(key.common.key_algorithm.unwrap().to_string(), format!("{:?}", header.alg));
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[url]);
    validation.set_audience(&["registry"]);
    let key = DecodingKey::from_jwk(key).map_err(|e| e.to_string())?;
    let token = jsonwebtoken::decode::<Value>(token, &key, &validation).map_err(|e| e.to_string())?;
    Ok(token.claims)
}

async fn ask(issuer: &Issuer, form: &[(&str, &str)]) -> (u16, Value) {
    let response = Client::new().post(format!("{}/token", issuer.url())).form(form).send().await.unwrap();
    (response.status().as_u16(), json_of(response).await)
}

#[tokio::test]
async fn a_resource_server_accepts_its_tokens_of_both_algorithms() {
    let issuer = Issuer::start(IssuerOptions::default()).await.unwrap();
    let subject = Subject::new("feeder").groups(["cms"]).audience(["registry"]);
    for signing in [Signing::Rs256, Signing::Es256] {
        if signing == Signing::Es256 {
            issuer.rotate(signing, true).await.unwrap();
        }
        let claims = verify(issuer.url(), &issuer.token(&subject).unwrap()).await.unwrap();
        assert_eq!(claims["iss"], issuer.url());
        assert_eq!(claims["sub"], "feeder");
        assert_eq!(claims["aud"], "registry");
        assert_eq!(claims["email"], "feeder@example.org");
        assert_eq!(claims["email_verified"], true);
        assert_eq!(claims["groups"], serde_json::json!(["cms"]));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
        assert!(claims["nbf"].as_i64() <= claims["iat"].as_i64() && claims["jti"].is_string());
    }
}

#[tokio::test]
async fn the_token_endpoint_puts_the_form_into_the_token() {
    let issuer = issuer().await;
    issuer.know(Subject::new("admin").email("boss@example.org").groups(["admins"]).audience(["registry"]));
    let (status, body) = ask(&issuer, &[("grant_type", "client_credentials"), ("sub", "admin")]).await;
    assert_eq!((status, &body["token_type"], &body["expires_in"]), (200, &"Bearer".into(), &3600.into()));
    let claims = verify(issuer.url(), body["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!((&claims["email"], &claims["groups"][0]), (&"boss@example.org".into(), &"admins".into()));

    let form = [
        ("sub", "x"),
        ("groups", "a/b, c"),
        ("aud", "one,two"),
        ("ttl", "5"),
        ("email", "x@y.org"),
        ("scope", "s"),
    ];
    let (_, body) = ask(&issuer, &form).await;
    let claims = issuer.verify(body["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(claims.person.groups.unwrap(), ["a/b", "c"]);
    assert!(claims.aud.contains("one") && claims.aud.contains("two") && !claims.aud.contains("three"));
    assert_eq!((claims.exp - claims.iat, claims.scope.as_str()), (5, "s"));
    assert_eq!(claims.person.email.unwrap(), "x@y.org");

    assert_eq!(ask(&issuer, &[("grant_type", "client_credentials")]).await.0, 400);
    let (status, body) = ask(&issuer, &[("grant_type", "implicit"), ("sub", "x")]).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("unsupported_grant_type")));
}

#[tokio::test]
async fn expired_foreign_and_changed_tokens_are_refused() {
    let (one, other) = (issuer().await, issuer().await);
    let token = one.token(&Subject::new("a")).unwrap();
    assert!(one.verify(&token).is_ok());
    assert_eq!(one.verify(&one.token(&Subject::new("a").ttl(-1)).unwrap()), Err(TokenRefused::Time));
    assert_eq!(other.verify(&token), Err(TokenRefused::Signature));
    assert_eq!(one.verify("garbage"), Err(TokenRefused::Signature));
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (start, _) = head.split_once('.').unwrap();
    let payload = other.token(&Subject::new("root")).unwrap();
    let payload = payload.split('.').nth(1).unwrap();
    assert_eq!(one.verify(&format!("{start}.{payload}.{signature}")), Err(TokenRefused::Signature));
}

#[tokio::test]
async fn rotation_keeps_or_drops_the_old_key() {
    let issuer = issuer().await;
    let token = issuer.token(&Subject::new("a").audience(["registry"])).unwrap();
    issuer.rotate(Signing::Es256, true).await.unwrap();
    assert!(verify(issuer.url(), &token).await.is_ok());
    issuer.rotate(Signing::Es256, false).await.unwrap();
    assert_eq!(verify(issuer.url(), &token).await, Err("unknown key".to_owned()));
    assert_eq!(issuer.verify(&token), Err(TokenRefused::Signature));
}

#[tokio::test]
async fn userinfo_tells_what_a_bare_token_does_not() {
    let issuer = issuer().await;
    let bare = Subject { bare: true, ..Subject::new("alice").groups(["cms"]) };
    let token = issuer.token(&bare).unwrap();
    assert_eq!(issuer.verify(&token).unwrap().person, simulator::Person::default());
    let url = format!("{}/userinfo", issuer.url());
    let info = json_of(Client::new().get(&url).bearer_auth(&token).send().await.unwrap()).await;
    assert_eq!(
        (&info["sub"], &info["email"], &info["groups"][0]),
        (&"alice".into(), &"alice@example.org".into(), &"cms".into())
    );
    let refused = Client::new().get(&url).bearer_auth("x").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let options = IssuerOptions { address: "0.0.0.0:0".parse().unwrap(), ..IssuerOptions::default() };
    let refused = Issuer::start(options).await.unwrap_err();
    assert!(matches!(refused, IssuerError::NotLoopback(_)));
    assert!(refused.to_string().contains("loopback addresses only"), "{refused}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = issuer().await;
    let address = first.url().strip_prefix("http://").unwrap().parse().unwrap();
    let options = IssuerOptions { address, signing: Signing::Es256, ..IssuerOptions::default() };
    let refused = Issuer::start(options).await.unwrap_err().to_string();
    assert!(refused.contains(&address.to_string()) && refused.contains("another port"), "{refused}");
}

#[tokio::test]
async fn keys_can_be_withheld_and_are_counted() {
    let issuer = issuer().await;
    let url = format!("{}/jwks", issuer.url());
    issuer.faults().set_times("/jwks", Fault::Status(503), 1);
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 503);
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 200);
    assert_eq!(issuer.faults().hits("/jwks"), 2);
}

#[tokio::test]
async fn a_stopped_issuer_frees_its_port_and_shows_no_key() {
    let issuer = issuer().await;
    assert_eq!(format!("{issuer:?}"), format!("Issuer({})", issuer.url()));
    issuer.stop().await;
    let address: std::net::SocketAddr = issuer.url().strip_prefix("http://").unwrap().parse().unwrap();
    tokio::net::TcpListener::bind(address).await.unwrap();
}
