//! Tokens that must not be believed.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use registry::auth::{AuthError, Identity};
use serde_json::{Value, json};

use super::issuer::{KEYS, merge, part};
use super::{Issuer, Key, Setup};

const RSA: &[u8] = include_bytes!("keys/rsa.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("keys/rsa.pub.pem");
const P384: &[u8] = include_bytes!("keys/p384.pem");

fn published(key: &EncodingKey, algorithm: Algorithm, id: &str) -> Value {
    let key = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    merge(key, json!({"kid": id, "alg": null}))
}

#[tokio::test]
async fn a_good_token_is_believed() {
    let setup = Setup::new().await;
    let known = setup.ask(&setup.issuer.token("ada")).await.unwrap();
    assert_eq!((&*known.issuer, &*known.subject), (setup.issuer.url(), "ada"));
}

#[tokio::test]
async fn no_header_is_nobody() {
    let setup = Setup::new().await;
    assert_eq!(setup.authenticator.authenticate(None).await, Ok(Identity::Anonymous));
    assert_eq!(setup.issuer.all_hits(), 0);
}

#[tokio::test]
async fn headers_that_hold_no_token() {
    let setup = Setup::new().await;
    let token = setup.issuer.token("ada");
    for header in ["", "Bearer", "Bearer ", "Bearer x", "Basic YWRhOnB3", &token, &format!("Token {token}")] {
        assert_eq!(
            setup.authenticator.authenticate(Some(header)).await,
            Err(AuthError::Malformed),
            "{header}"
        );
    }
    assert_eq!(setup.issuer.all_hits(), 0);
}

/// Every asymmetric algorithm, signed by another library than the one that checks.
#[tokio::test]
async fn every_algorithm_of_the_list() {
    let setup = Setup::new().await;
    let (rsa, p384) = (EncodingKey::from_rsa_pem(RSA).unwrap(), EncodingKey::from_ec_pem(P384).unwrap());
    setup.issuer.publish(published(&rsa, Algorithm::RS256, "rsa"));
    setup.issuer.publish(published(&p384, Algorithm::ES384, "p384"));
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384"] {
        let (key, id) = if algorithm == "ES384" { (&p384, "p384") } else { (&rsa, "rsa") };
        let header = Header { kid: Some(id.into()), ..Header::new(algorithm.parse().unwrap()) };
        let token = encode(&header, &setup.issuer.claims("ada"), key).unwrap();
        assert_eq!(
            setup.ask(&token).await.map(|known| known.subject.to_string()),
            Ok("ada".into()),
            "{algorithm}"
        );
        let changed = token.replace(&part(r#"{"iss""#)[..8], &part(r#"{"Iss""#)[..8]);
        assert!(setup.ask(&changed).await.is_err(), "{algorithm}");
    }
}

#[tokio::test]
async fn unsigned_tokens() {
    let setup = Setup::new().await;
    let claims = setup.issuer.claims("root").to_string();
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": algorithm, "kid": "first"}).to_string();
        for signature in ["", "AAAA"] {
            let token = format!("{}.{}.{signature}", part(&header), part(&claims));
            assert_eq!(setup.ask(&token).await, Err(AuthError::Algorithm), "{algorithm} {signature}");
        }
    }
    // the signature of a good token taken away
    let token = setup.issuer.token("root");
    let unsigned = &token[..=token.rfind('.').unwrap()];
    assert_eq!(setup.ask(unsigned).await, Err(AuthError::BadSignature));
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let setup = Setup::new().await;
    let key = EncodingKey::from_rsa_pem(RSA).unwrap();
    let public = published(&key, Algorithm::RS256, "rsa");
    setup.issuer.publish(public.clone());
    let modulus = public["n"].as_str().unwrap().to_owned();
    for secret in
        [RSA_PUBLIC, RSA_PUBLIC.trim_ascii_end(), modulus.as_bytes(), public.to_string().as_bytes(), b""]
    {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = Header { kid: Some("rsa".into()), ..Header::new(algorithm) };
            let token =
                encode(&header, &setup.issuer.claims("root"), &EncodingKey::from_secret(secret)).unwrap();
            assert_eq!(setup.ask(&token).await, Err(AuthError::Algorithm));
        }
    }
}

#[tokio::test]
async fn a_shared_secret_among_the_published_keys_is_not_used() {
    let setup = Setup::new().await;
    setup.issuer.publish(json!({"kty": "oct", "kid": "shared", "alg": "HS256", "k": part("secret")}));
    let header = Header { kid: Some("shared".into()), ..Header::new(Algorithm::HS256) };
    let token = encode(&header, &setup.issuer.claims("root"), &EncodingKey::from_secret(b"secret")).unwrap();
    assert_eq!(setup.ask(&token).await, Err(AuthError::Algorithm));
    let relabelled = setup.issuer.key().sign_with(&json!({"kid": "shared"}), "{}");
    assert_eq!(setup.ask(&relabelled).await, Err(AuthError::UnknownIssuer));
    let relabelled =
        setup.issuer.key().sign_with(&json!({"kid": "shared"}), &setup.issuer.claims("x").to_string());
    assert_eq!(setup.ask(&relabelled).await, Err(AuthError::UnknownKey));
}

#[tokio::test]
async fn algorithms_that_the_configuration_leaves_out() {
    let setup = Setup::with(|settings| settings.issuers[0].algorithms = vec!["RS256".parse().unwrap()]).await;
    assert_eq!(setup.ask(&setup.issuer.token("ada")).await, Err(AuthError::Algorithm));
    assert_eq!(setup.issuer.all_hits(), 0);
}

#[tokio::test]
async fn key_ids() {
    let setup = Setup::new().await;
    let (key, claims) = (setup.issuer.key(), setup.issuer.claims("root").to_string());
    for (id, expected) in [
        (json!("second"), AuthError::UnknownKey),
        (json!("FIRST"), AuthError::UnknownKey),
        (json!("../../../../dev/null"), AuthError::UnknownKey),
        (json!("' OR 1=1 --"), AuthError::UnknownKey),
        (json!("http://127.0.0.1:1/key"), AuthError::UnknownKey),
        (json!(""), AuthError::UnknownKey),
        (json!(null), AuthError::Malformed),
        (json!(["first"]), AuthError::Malformed),
    ] {
        assert_eq!(setup.ask(&key.sign_with(&json!({"kid": id}), &claims)).await, Err(expected), "{id}");
    }
    // the right id, the wrong key
    let mut other = Key::new("first");
    other.id = "first".into();
    assert_eq!(setup.ask(&other.sign(&setup.issuer.claims("root"))).await, Err(AuthError::BadSignature));
}

#[tokio::test]
async fn two_keys_with_one_id() {
    let setup = Setup::new().await;
    let other = Key::new("first");
    setup.issuer.publish(other.public());
    for key in [setup.issuer.key(), other] {
        assert!(setup.ask(&key.sign(&setup.issuer.claims("ada"))).await.is_ok());
    }
}

/// Nothing in a token makes the registry ask anybody, and a stranger's issuer is not even looked up.
#[tokio::test]
async fn tokens_choose_no_address() {
    let setup = Setup::new().await;
    let stranger = Issuer::start().await;
    let claims = setup.issuer.claims("root");
    let base = stranger.url();
    let key = stranger.key();
    for header in [
        json!({"jku": format!("{base}/jwks")}),
        json!({"x5u": format!("{base}/jwks")}),
        json!({"jwk": key.public()}),
        json!({"jwk": key.public(), "kid": "first"}),
        json!({"x5c": ["MIIB"], "x5t": "AAAA"}),
        json!({"kid": format!("{base}/jwks")}),
    ] {
        let refused = setup.ask(&key.sign_with(&header, &claims.to_string())).await.unwrap_err();
        assert!(matches!(refused, AuthError::BadSignature | AuthError::UnknownKey), "{header}: {refused:?}");
    }
    let asked = setup.issuer.all_hits();
    assert_eq!(setup.ask(&stranger.token("root")).await, Err(AuthError::UnknownIssuer));
    for iss in
        [json!(format!("{}/", setup.issuer.url())), json!([setup.issuer.url()]), json!(null), json!("")]
    {
        let token = setup.issuer.token_with("root", json!({"iss": iss}));
        assert_eq!(setup.ask(&token).await, Err(AuthError::UnknownIssuer), "{iss}");
    }
    assert_eq!(stranger.all_hits(), 0);
    assert_eq!(setup.issuer.all_hits(), asked);
}

#[tokio::test]
async fn the_slash_at_the_end_belongs_to_the_name() {
    let issuer = Issuer::start_as("/").await;
    let mut setup = Setup::with(|settings| settings.issuers[0].issuer = issuer.url().parse().unwrap()).await;
    assert!(setup.ask(&issuer.token("ada")).await.is_ok());
    let without = issuer.token_with("ada", json!({"iss": issuer.url().trim_end_matches('/')}));
    assert_eq!(setup.ask(&without).await, Err(AuthError::UnknownIssuer));
    // configured without the slash: the discovery document says that this is another issuer
    setup = Setup::with(|settings| {
        settings.issuers[0].issuer = issuer.url().trim_end_matches('/').parse().unwrap();
    })
    .await;
    assert_eq!(setup.ask(&issuer.token("ada")).await, Err(AuthError::UnknownIssuer));
    assert_eq!(setup.ask(&without).await, Err(AuthError::IssuerUnavailable { retry_after_seconds: 10 }));
}

#[tokio::test]
async fn headers_that_must_be_understood() {
    let setup = Setup::new().await;
    let (key, claims) = (setup.issuer.key(), setup.issuer.claims("ada").to_string());
    for header in
        [json!({"crit": ["exp"], "exp": 1}), json!({"crit": ["b64"], "b64": false}), json!({"crit": []})]
    {
        assert_eq!(setup.ask(&key.sign_with(&header, &claims)).await, Err(AuthError::Malformed), "{header}");
    }
    // what need not be understood is ignored
    assert!(setup.ask(&key.sign_with(&json!({"zoo": 1}), &claims)).await.is_ok());
}

#[tokio::test]
async fn claims_that_occur_twice() {
    let setup = Setup::new().await;
    let claims = setup.issuer.claims("ada").to_string();
    let twice = claims.replace(r#""sub":"ada""#, r#""sub":"ada","sub":"root""#);
    assert_ne!(claims, twice);
    assert_eq!(setup.ask(&setup.issuer.key().sign_with(&json!({}), &twice)).await, Err(AuthError::Malformed));
    // one of the two names written with an escape
    let twice = claims.replace(r#""sub":"ada""#, r#""sub":"ada","\u0073ub":"root""#);
    assert_eq!(setup.ask(&setup.issuer.key().sign_with(&json!({}), &twice)).await, Err(AuthError::Malformed));
}

#[tokio::test]
async fn tokens_within_tokens_and_encrypted_ones() {
    let setup = Setup::new().await;
    let inner = setup.issuer.token("root");
    let nested = setup.issuer.key().sign_with(&json!({"cty": "JWT"}), &inner);
    assert_eq!(setup.ask(&nested).await, Err(AuthError::Malformed));
    let encrypted = format!("{}.a.b.c.d", part(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#));
    assert_eq!(setup.ask(&encrypted).await, Err(AuthError::Malformed));
}

#[tokio::test]
async fn tokens_are_bounded() {
    let setup = Setup::new().await;
    let padded = |characters: usize| setup.issuer.token_with("ada", json!({"pad": "x".repeat(characters)}));
    let base = padded(0).len();
    // three characters of claims are four of the token
    let fits = padded((8192 - base) / 4 * 3);
    assert!((8180..=8192).contains(&fits.len()), "{}", fits.len());
    assert!(setup.ask(&fits).await.is_ok());
    assert_eq!(setup.ask(&padded(8192)).await, Err(AuthError::TooLong));
    assert_eq!(setup.ask(&"x".repeat(10_000_000)).await, Err(AuthError::TooLong));
}

#[tokio::test]
async fn a_changed_token_is_not_the_remembered_one() {
    let setup = Setup::new().await;
    let token = setup.issuer.token("ada");
    assert!(setup.ask(&token).await.is_ok());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let forged = format!("{header}.{}.{signature}", part(setup.issuer.claims("root").to_string()));
    assert_eq!(setup.ask(&forged).await, Err(AuthError::BadSignature));
    assert!(setup.ask(&token).await.is_ok());
    assert_eq!(setup.issuer.hits(KEYS), 1);
}
