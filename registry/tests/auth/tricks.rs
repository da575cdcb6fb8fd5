//! Tokens that look like good ones.

use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
use registry::auth::{AuthError, Role};
use serde_json::{Value, json};

use super::issuer::{KEYS, merge, part};
use super::{Issuer, Setup};

/// The order of the group P-256 (SEC 2, section 2.4.2).
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

const RSA: &[u8] = include_bytes!("keys/rsa.pem");

fn forged(setup: &Setup, claims: &Value) -> String {
    setup.issuer.key().sign(claims)
}

/// Letters that look like others, in every place that is compared.
#[tokio::test]
async fn look_alikes() {
    let setup = Setup::new().await;
    for iss in [
        setup.issuer.url().replace("http", "htt\u{440}"),
        setup.issuer.url().replace("127", "\u{ff11}27"),
        setup.issuer.url().to_uppercase(),
        format!("{}\u{200b}", setup.issuer.url()),
        format!(" {}", setup.issuer.url()),
        setup.issuer.url().replace("127.0.0.1", "localhost"),
        setup.issuer.url().replace("http://", "http://ada@"),
        format!("{}#", setup.issuer.url()),
    ] {
        let token = setup.issuer.token_with("root", json!({"iss": iss}));
        assert_eq!(setup.ask(&token).await, Err(AuthError::UnknownIssuer), "{iss}");
    }
    for aud in [
        "federation\u{2010}registry",
        "Federation-Registry",
        "federation-registry\u{0}",
        " federation-registry",
        "federation-registr\u{443}",
    ] {
        let token = setup.issuer.token_with("root", json!({"aud": aud}));
        assert_eq!(setup.ask(&token).await, Err(AuthError::Audience), "{aud}");
    }
    // the same letter as one character and as two: not the same group, not the same person
    let setup = Setup::with(|settings| {
        let issuer = settings.issuers[0].issuer.to_string();
        settings.administrators = vec![
            registry::auth::Rule::group(&issuer, "/caf\u{e9}"),
            registry::auth::Rule::subject(&issuer, "ren\u{e9}"),
        ];
    })
    .await;
    for (subject, group, administrator) in [
        ("x", "/caf\u{e9}", true),
        ("x", "/cafe\u{301}", false),
        ("ren\u{e9}", "/x", true),
        ("rene\u{301}", "/x", false),
        ("ren\u{e9}\u{200d}", "/CAF\u{c9}", false),
    ] {
        let known = setup.ask(&setup.issuer.token_with(subject, json!({"groups": [group]}))).await.unwrap();
        assert_eq!(known.role() == Role::Administrator, administrator, "{subject:?} {group:?}");
    }
}

/// `exp` and `nbf` that are no dates: never a token without end.
#[tokio::test]
async fn times_that_are_none() {
    let setup = Setup::new().await;
    for exp in [json!("9999999999"), json!([9_999_999_999_u64]), json!({}), json!(true), json!(-1), json!(0)]
    {
        let refused =
            setup.ask(&forged(&setup, &merge(setup.issuer.claims("root"), json!({"exp": exp})))).await;
        assert!(matches!(refused, Err(AuthError::Malformed | AuthError::Expired)), "{exp}: {refused:?}");
    }
    for nbf in [json!("0"), json!([]), json!(9_999_999_999_u64), json!(f64::MAX)] {
        let refused =
            setup.ask(&forged(&setup, &merge(setup.issuer.claims("root"), json!({"nbf": nbf})))).await;
        assert!(matches!(refused, Err(AuthError::Malformed | AuthError::NotYetValid)), "{nbf}: {refused:?}");
    }
}

/// A key is used with the algorithms of its type only, whatever the header says.
#[tokio::test]
async fn one_keys_id_with_another_ones_algorithm() {
    let setup = Setup::new().await;
    let rsa = EncodingKey::from_rsa_pem(RSA).unwrap();
    let public =
        serde_json::to_value(Jwk::from_encoding_key(&rsa, jsonwebtoken::Algorithm::RS256).unwrap()).unwrap();
    setup.issuer.publish(merge(public.clone(), json!({"kid": "rsa", "alg": null})));
    setup.issuer.publish(merge(public.clone(), json!({"kid": "only-rs256"})));
    setup.issuer.publish(merge(public, json!({"kid": "encrypts", "use": "enc", "alg": "RSA-OAEP"})));
    let claims = setup.issuer.claims("root");
    // signed by RSA, said to be ES256's key, and the other way round
    let header = |id: &str, algorithm: &str| Header {
        kid: Some(id.into()),
        ..Header::new(algorithm.parse().unwrap())
    };
    for (id, algorithm) in [
        ("first", "RS256"),
        ("first", "PS256"),
        ("only-rs256", "PS256"),
        ("only-rs256", "RS512"),
        ("encrypts", "RS256"),
    ] {
        let token = encode(&header(id, algorithm), &claims, &rsa).unwrap();
        assert_eq!(setup.ask(&token).await, Err(AuthError::UnknownKey), "{id} {algorithm}");
        setup.clock.advance(10);
    }
    let crossed = setup.issuer.key().sign_with(&json!({"kid": "rsa"}), &claims.to_string());
    assert_eq!(setup.ask(&crossed).await, Err(AuthError::UnknownKey));
}

/// Signatures that careless verifiers take: all zeros (CVE-2022-21449), the group's order, DER instead of two numbers.
#[tokio::test]
async fn signatures_that_are_none() {
    let setup = Setup::new().await;
    let token = setup.issuer.token("root");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let order: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&ORDER[at..at + 2], 16).unwrap()).collect();
    let der = [&[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01][..]].concat();
    let short = &signature[..signature.len() - 4];
    for wrong in [
        part([0; 64]),
        part(order.repeat(2)),
        part(der),
        part([]),
        part([0; 65]),
        short.to_owned(),
        format!("{signature}{signature}"),
    ] {
        let refused = setup.ask(&format!("{signed}.{wrong}")).await;
        assert!(
            matches!(refused, Err(AuthError::BadSignature | AuthError::Malformed)),
            "{wrong}: {refused:?}"
        );
    }
    // the same bytes written differently are not another token either
    for wrong in [format!("{signature}="), format!("{signature}\n"), signature.replace(['-', '_'], "+") + "+"]
    {
        assert!(setup.ask(&format!("{signed}.{wrong}")).await.is_err(), "{wrong}");
    }
}

/// An issuer that is not trusted signs what it likes, in the trusted one's name and with its key id.
#[tokio::test]
async fn another_issuers_key_under_a_known_id() {
    let setup = Setup::new().await;
    let stranger = Issuer::start().await;
    let token = stranger.key().sign(&setup.issuer.claims("root"));
    assert_eq!(setup.ask(&token).await, Err(AuthError::BadSignature));
    assert_eq!((stranger.all_hits(), setup.issuer.hits(KEYS)), (0, 1));
}

/// Documents that take much to read: deep, long, with many members.
#[tokio::test]
async fn documents_that_are_burdens() {
    let setup = Setup::with(|settings| settings.token_bytes = 1 << 20).await;
    let deep =
        format!(r#"{{"iss":"{}","x":{}1{}}}"#, setup.issuer.url(), "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(setup.ask(&setup.issuer.key().sign_with(&json!({}), &deep)).await, Err(AuthError::Malformed));
    let mut many = setup.issuer.claims("ada");
    for n in 0..20_000 {
        many[format!("claim-{n}")] = json!(n);
    }
    let start = std::time::Instant::now();
    assert!(setup.ask(&forged(&setup, &many)).await.is_ok());
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
}
