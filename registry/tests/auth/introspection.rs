//! Tokens that their issuer has to be asked about (RFC 7662).

use std::sync::Arc;

use futures::future::join_all;
use registry::auth::{AuthError, FetchError, IntrospectionSettings, IssuerSettings, Role};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::Setup;
use super::clock::START;
use super::issuer::{DISCOVERY, INTROSPECTION, Issuer, KEYS, Reply, SECRET, USERINFO, merge};

/// The secret's file, for as long as the settings are needed.
pub fn secret(text: &str) -> (tempfile::NamedTempFile, IntrospectionSettings) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{text}\n")).unwrap();
    let settings = json!({ "client_id": "registry", "client_secret_file": file.path() });
    (file, serde_json::from_value(settings).unwrap())
}

struct Asking {
    setup: Setup,
    secret: tempfile::NamedTempFile,
}

impl std::ops::Deref for Asking {
    type Target = Setup;

    fn deref(&self) -> &Setup {
        &self.setup
    }
}

async fn asking(change: impl FnOnce(&mut IntrospectionSettings)) -> Asking {
    let (file, mut introspection) = secret(SECRET);
    change(&mut introspection);
    let setup = Setup::with(|settings| settings.issuers[0].introspection = Some(introspection)).await;
    Asking { setup, secret: file }
}

impl Asking {
    /// What is said of a token that is accepted, as [`Issuer::claims`].
    fn said(&self, subject: &str, more: Value) -> Value {
        let usual = json!({ "token_type": "Bearer", "client_id": "portal", "username": "x" });
        merge(merge(self.issuer.claims(subject), usual), more)
    }

    fn asked(&self) -> usize {
        self.issuer.hits(INTROSPECTION)
    }
}

/// Two objects in one; `null` stays.
fn with(mut one: Value, other: Value) -> Value {
    let Value::Object(other) = other else { panic!("{other} is no object") };
    one.as_object_mut().unwrap().extend(other);
    one
}

fn unchecked(retry_after_seconds: u64) -> Result<(), AuthError> {
    Err(AuthError::Unchecked { retry_after_seconds })
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_once_a_minute() {
    let setup = asking(|_| {}).await;
    setup.issuer.set_active("opaque-1", setup.said("ada", json!({ "groups": ["/admins"] })));
    for _ in 0..10 {
        let known = setup.ask("opaque-1").await.unwrap();
        assert_eq!((&*known.subject, known.role()), ("ada", Role::Administrator));
        assert_eq!(&*known.issuer, setup.issuer.url());
    }
    assert_eq!((setup.asked(), setup.issuer.hits(USERINFO)), (1, 0));
    setup.clock.advance(59);
    assert!(setup.ask("opaque-1").await.is_ok());
    assert_eq!(setup.asked(), 1);
    // withdrawn: within the minute
    setup.issuer.set_active("opaque-1", Value::Null);
    setup.clock.advance(1);
    assert_eq!(setup.ask("opaque-1").await, Err(AuthError::Inactive));
    assert_eq!(setup.asked(), 2);
    assert_eq!((AuthError::Inactive.status(), AuthError::Inactive.retry_after_seconds()), (401, None));
    assert!(AuthError::Inactive.www_authenticate().unwrap().contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn an_answer_is_used_no_longer_than_the_token_lives() {
    let setup = asking(|_| {}).await;
    setup.issuer.set_active("opaque", setup.said("ada", json!({ "exp": START + 20 })));
    assert!(setup.ask("opaque").await.is_ok());
    setup.clock.advance(20);
    assert_eq!(setup.ask("opaque").await, Err(AuthError::Expired));
    assert_eq!(setup.asked(), 1, "what ended is not asked about");
}

#[tokio::test]
async fn one_question_however_many_requests() {
    let setup = Arc::new(asking(|_| {}).await);
    let go = Arc::new(Notify::new());
    setup.issuer.set_active("opaque", setup.said("ada", json!({ "groups": [] })));
    setup.issuer.reply(INTROSPECTION, Reply::When(go.clone()));
    let requests = (0..50).map(|_| {
        let setup = setup.clone();
        tokio::spawn(async move { setup.ask("opaque").await.map(|known| known.role()) })
    });
    let requests: Vec<_> = requests.collect();
    setup.issuer.wait_for_hits(INTROSPECTION, 1).await;
    go.notify_one();
    for outcome in join_all(requests).await {
        assert_eq!(outcome.unwrap(), Ok(Role::Reader));
    }
    assert_eq!(setup.asked(), 1);
}

#[tokio::test]
async fn what_an_active_token_must_say() {
    let setup = asking(|_| {}).await;
    for (at, (more, outcome)) in [
        (json!({}), Ok("ada")),
        (json!({ "iss": null }), Ok("ada")),
        (json!({ "aud": ["x", "federation-registry"] }), Ok("ada")),
        (json!({ "token_type": "bearer" }), Ok("ada")),
        // INDIGO IAM
        (json!({ "token_type": "ACCESS_TOKEN" }), Ok("ada")),
        (json!({ "token_type": "REFRESH_TOKEN" }), Err(AuthError::NotAnAccessToken)),
        (json!({ "nbf": START + 60 }), Ok("ada")),
        // nobody is behind it but a service
        (json!({ "sub": null }), Ok("portal")),
        (json!({ "sub": null, "client_id": null }), Err(AuthError::NoSubject)),
        (json!({ "sub": "" }), Err(AuthError::NoSubject)),
        (json!({ "iss": "https://other.example.org/" }), Err(AuthError::Inactive)),
        (json!({ "iss": 7 }), Err(AuthError::Inactive)),
        (json!({ "aud": null }), Err(AuthError::Audience)),
        (json!({ "aud": "somebody-else" }), Err(AuthError::Audience)),
        (json!({ "exp": null }), Err(AuthError::Malformed)),
        (json!({ "exp": "soon" }), Err(AuthError::Malformed)),
        (json!({ "exp": START }), Err(AuthError::Expired)),
        (json!({ "nbf": START + 61 }), Err(AuthError::NotYetValid)),
        // a refresh token, one that is bound to a key, ID and logout tokens
        (json!({ "token_type": null }), Err(AuthError::NotAnAccessToken)),
        (json!({ "token_type": "DPoP" }), Err(AuthError::NotAnAccessToken)),
        (json!({ "typ": "Refresh" }), Err(AuthError::NotAnAccessToken)),
        (json!({ "at_hash": "x" }), Err(AuthError::NotAnAccessToken)),
        (json!({ "wlcg.ver": "2.0" }), Err(AuthError::Profile)),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("opaque-{at}");
        setup.issuer.set_active(&token, setup.said("ada", with(json!({ "groups": [] }), more.clone())));
        for _ in 0..2 {
            let found = setup.ask(&token).await;
            let found = found.as_ref().map(|known| &*known.subject).map_err(|error| *error);
            assert_eq!(found, outcome, "{more}");
        }
        assert_eq!(setup.asked(), at + 1, "{more}: asked twice");
    }
}

#[tokio::test]
async fn an_audience_can_be_left_to_the_issuer() {
    let setup = asking(|settings| settings.audience_required = false).await;
    setup.issuer.set_active("none", setup.said("ada", json!({ "aud": null })));
    setup.issuer.set_active("other", setup.said("ada", json!({ "aud": "somebody-else" })));
    assert!(setup.ask("none").await.is_ok());
    assert_eq!(setup.ask("other").await, Err(AuthError::Audience));
    // a signed token names one all the same
    let signed = setup.issuer.token_with("ada", json!({ "aud": null }));
    assert_eq!(setup.ask(&signed).await, Err(AuthError::Audience));
}

#[tokio::test]
async fn what_introspection_does_not_say_userinfo_does() {
    let setup = asking(|_| {}).await;
    setup.issuer.set_active("opaque", setup.said("ada", json!({})));
    setup.issuer.set_userinfo(json!({ "sub": "ada", "email": "admin@example.org", "email_verified": true }));
    assert_eq!(setup.ask("opaque").await.unwrap().role(), Role::Administrator);
    for (at, (more, role)) in [
        (json!({ "email": "admin@example.org", "email_verified": true }), Role::Administrator),
        (json!({ "email": "admin@example.org", "email_verified": false }), Role::Reader),
        (json!({ "email": "admin@example.org" }), Role::Reader),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("opaque-{at}");
        setup.issuer.set_userinfo(json!({ "sub": "somebody else" }));
        setup.issuer.set_active(&token, setup.said("ada", merge(more.clone(), json!({ "groups": [] }))));
        assert_eq!(setup.ask(&token).await.unwrap().role(), role, "{more}");
    }
}

/// As Keycloak issues lightweight tokens: signed, and without a subject.
#[tokio::test]
async fn signed_tokens_that_say_too_little() {
    let setup = asking(|settings| settings.opaque = Some(false)).await;
    let light = |jti: &str, more: Value| {
        setup
            .issuer
            .token_with("", with(json!({ "sub": null, "aud": null, "jti": jti, "groups": null }), more))
    };
    let token = light("good", json!({ "sub": null }));
    setup.issuer.set_active(&token, setup.said("ada", json!({ "groups": ["/admins"] })));
    for _ in 0..5 {
        let known = setup.ask(&token).await.unwrap();
        assert_eq!((&*known.subject, known.role()), ("ada", Role::Administrator));
    }
    assert_eq!(setup.asked(), 1);
    // the issuer tells it to others only
    assert_eq!(setup.ask(&light("foreign", json!({}))).await, Err(AuthError::Inactive));
    // what the token says is not said otherwise
    let other = light("other", json!({ "aud": "somebody-else" }));
    setup.issuer.set_active(&other, setup.said("ada", json!({})));
    assert_eq!(setup.ask(&other).await, Err(AuthError::Audience));
    let asked = setup.asked();
    // without a good signature, or at its end, nobody is asked
    let (head, _) = token.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    assert_eq!(setup.ask(&format!("{head}.{signature}")).await, Err(AuthError::BadSignature));
    assert_eq!(setup.ask(&light("late", json!({ "exp": START }))).await, Err(AuthError::Expired));
    assert_eq!(setup.ask("opaque").await, Err(AuthError::Malformed), "that is not for this issuer");
    assert_eq!(setup.asked(), asked);
    // keys that are withdrawn end these tokens too
    assert!(setup.ask(&token).await.is_ok());
    setup.issuer.replace_keys("second");
    assert!(setup.ask(&setup.issuer.token("eve")).await.is_ok());
    assert_eq!(setup.ask(&token).await, Err(AuthError::UnknownKey));
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_decides_nothing() {
    for reply in [
        Reply::Status(500),
        Reply::Status(503),
        Reply::Status(429),
        Reply::Status(401),
        Reply::Status(403),
        Reply::Status(404),
        Reply::Silence,
        Reply::Drip,
        Reply::Endless,
        Reply::Redirect("/elsewhere".into()),
        Reply::Redirect("http://169.254.169.254/".into()),
        Reply::Text("<html>".into()),
        Reply::Text("{}".into()),
        Reply::Text(r#"{"active":"true","sub":"ada"}"#.into()),
        Reply::Text(r#"{"active":1}"#.into()),
        Reply::Text(r#"{"active":false,"active":true}"#.into()),
    ] {
        let setup = asking(|_| {}).await;
        setup.issuer.set_active("opaque", setup.said("ada", json!({ "groups": [] })));
        setup.issuer.reply(INTROSPECTION, reply);
        for _ in 0..5 {
            assert_eq!(setup.ask("opaque").await.map(|_| ()), unchecked(5));
        }
        assert_eq!(setup.asked(), 1, "it is left alone for a while");
        assert_eq!(setup.issuer.hits("/elsewhere"), 0);
        setup.issuer.behave();
        setup.clock.advance(5);
        assert!(setup.ask("opaque").await.is_ok());
        // and what was known is not known for longer
        setup.issuer.reply(INTROSPECTION, Reply::Status(500));
        setup.clock.advance(60);
        assert_eq!(setup.ask("opaque").await.map(|_| ()), unchecked(5));
        let error = AuthError::Unchecked { retry_after_seconds: 5 };
        assert_eq!((error.status(), error.retry_after_seconds()), (503, Some(5)));
    }
}

#[tokio::test]
async fn a_question_that_the_issuer_does_not_take_is_a_no() {
    let setup = asking(|_| {}).await;
    setup.issuer.reply(INTROSPECTION, Reply::Status(400));
    assert_eq!(setup.ask("opaque").await, Err(AuthError::Inactive));
}

#[tokio::test]
async fn guessed_tokens_do_not_reach_the_issuer_for_long() {
    let setup = asking(|settings| settings.inactive_per_second = 10).await;
    setup.issuer.set_active("good", setup.said("ada", json!({ "groups": [] })));
    assert!(setup.ask("good").await.is_ok());
    let guess = async |round: u32| {
        let mut counts = (0, 0);
        for n in 0..500 {
            match setup.ask(&format!("guess-{round}-{n}")).await {
                Err(AuthError::Inactive) => counts.0 += 1,
                Err(AuthError::Unchecked { retry_after_seconds: 1 }) => counts.1 += 1,
                other => panic!("{other:?}"),
            }
        }
        counts
    };
    assert_eq!(guess(0).await, (50, 450));
    assert_eq!(setup.asked(), 51);
    // who was found good before is asked about all the same
    setup.clock.advance(60);
    assert_eq!(guess(1).await, (50, 450));
    assert!(setup.ask("good").await.is_ok());
    assert_eq!(setup.asked(), 102);
    // one that was refused is not asked about again for a moment
    setup.clock.advance(2);
    for _ in 0..20 {
        assert_eq!(setup.ask("guess-1-0").await, Err(AuthError::Inactive));
    }
    assert_eq!(setup.asked(), 102);
    setup.clock.advance(8);
    setup.issuer.set_active("guess-1-0", setup.said("ada", json!({ "groups": [] })));
    assert!(setup.ask("guess-1-0").await.is_ok(), "and then it is");
    assert_eq!(setup.asked(), 103);
}

#[tokio::test]
async fn good_tokens_use_up_nothing() {
    let setup = asking(|settings| settings.inactive_per_second = 1).await;
    for n in 0..100 {
        let token = format!("opaque-{n}");
        setup.issuer.set_active(&token, setup.said("ada", json!({ "groups": [] })));
        assert!(setup.ask(&token).await.is_ok(), "{n}");
    }
}

#[tokio::test]
async fn texts_that_are_no_tokens_are_shown_to_nobody() {
    let setup = asking(|_| {}).await;
    let key = setup.issuer.key();
    let signed = key.sign_with(&json!({}), "no claims");
    let none = key.sign_with(&json!({ "alg": "none" }), "{}");
    for (token, error) in [
        ("pass word", AuthError::Malformed),
        ("x&active=true", AuthError::Malformed),
        (&signed, AuthError::Malformed),
        (&none, AuthError::UnknownIssuer),
        (&"x".repeat(8193), AuthError::TooLong),
    ] {
        assert_eq!(setup.ask(token).await, Err(error), "{token}");
    }
    assert_eq!(setup.issuer.all_hits(), 0);
    // nor is any where no issuer is asked
    let setup = Setup::new().await;
    assert_eq!(setup.ask("opaque").await, Err(AuthError::Malformed));
    assert_eq!(setup.issuer.all_hits(), 0);
}

#[tokio::test]
async fn several_issuers_are_asked_in_turn() {
    let other = Issuer::start().await;
    let (file, introspection) = secret(SECRET);
    let setup = Setup::with(|settings| {
        settings.issuers[0].introspection = Some(introspection.clone());
        let mut second = IssuerSettings::new(other.url().parse().unwrap());
        second.introspection = Some(introspection);
        settings.issuers.push(second);
    })
    .await;
    let setup = Asking { setup, secret: file };
    let of_other = merge(setup.said("bob", json!({ "groups": [] })), json!({ "iss": other.url() }));
    other.set_active("of-other", of_other.clone());
    setup.issuer.set_active("of-first", setup.said("ada", json!({ "groups": [] })));
    assert_eq!(&*setup.ask("of-other").await.unwrap().issuer, other.url());
    assert_eq!(&*setup.ask("of-first").await.unwrap().issuer, setup.issuer.url());
    assert_eq!((setup.asked(), other.hits(INTROSPECTION)), (2, 1));
    // asked again: the one whose it is
    setup.clock.advance(60);
    assert!(setup.ask("of-other").await.is_ok());
    assert_eq!((setup.asked(), other.hits(INTROSPECTION)), (2, 2));
    // while one is silent nobody can say no, and the other one can say yes
    setup.issuer.reply(INTROSPECTION, Reply::Status(500));
    assert_eq!(setup.ask("of-nobody").await.map(|_| ()), unchecked(5));
    other.set_active("of-other-too", of_other);
    assert_eq!(&*setup.ask("of-other-too").await.unwrap().issuer, other.url());
    // one issuer's token is not another one's
    setup.clock.advance(5);
    setup.issuer.behave();
    setup.issuer.set_active("crossed", setup.said("ada", json!({ "iss": other.url() })));
    assert_eq!(setup.ask("crossed").await, Err(AuthError::Inactive));
}

#[tokio::test]
async fn a_check_says_what_is_wrong() {
    let problem = async |text: &str, change: &dyn Fn(&Setup)| {
        let (file, introspection) = secret(text);
        let setup = Setup::with(|settings| settings.issuers[0].introspection = Some(introspection)).await;
        change(&setup);
        let found = setup.authenticator.check().await.map_err(|mut problems| problems.remove(0));
        drop(file);
        found
    };
    assert_eq!(problem(SECRET, &|_| {}).await, Ok(()));
    let wrong = problem("another secret", &|_| {}).await.unwrap_err();
    assert!(matches!(wrong.error, FetchError::Credentials { status: 401, .. }), "{wrong}");
    assert!(wrong.to_string().contains("refuses the client registry (401). Check client_id"), "{wrong}");
    assert!(!wrong.to_string().contains("another secret"));
    let wrong = problem(SECRET, &|setup| {
        let base = setup.issuer.url();
        let discovery = json!({ "issuer": base, "jwks_uri": format!("{base}{KEYS}") });
        setup.issuer.reply(DISCOVERY, Reply::Json(discovery));
    });
    let wrong = wrong.await.unwrap_err();
    assert!(matches!(wrong.error, FetchError::NoIntrospection { .. }), "{wrong}");
    let wrong =
        problem(SECRET, &|setup| setup.issuer.reply(INTROSPECTION, Reply::Text("<html>".into()))).await;
    assert!(matches!(wrong.unwrap_err().error, FetchError::Document { .. }));
    // an address inside the network, published by the issuer, is asked nothing
    let wrong = problem(SECRET, &|setup| {
        let base = setup.issuer.url();
        setup.issuer.reply(
            DISCOVERY,
            Reply::Json(json!({
                "issuer": base, "jwks_uri": format!("{base}{KEYS}"), "introspection_endpoint": "http://169.254.169.254/",
            })),
        );
    });
    assert!(matches!(wrong.await.unwrap_err().error, FetchError::NoIntrospection { .. }));
}

/// A secret that changed is used at once.
#[tokio::test]
async fn the_secret_is_read_anew() {
    let (file, introspection) = secret("not yet");
    let setup = Setup::with(|settings| settings.issuers[0].introspection = Some(introspection)).await;
    let setup = Asking { setup, secret: file };
    setup.issuer.set_active("opaque", setup.said("ada", json!({ "groups": [] })));
    assert_eq!(setup.ask("opaque").await.map(|_| ()), unchecked(5));
    std::fs::write(setup.secret.path(), SECRET).unwrap();
    setup.clock.advance(5);
    assert!(setup.ask("opaque").await.is_ok());
}

/// A caller who goes away while the issuer is asked leaves nothing half done.
#[tokio::test]
async fn callers_who_go_away() {
    let setup = Arc::new(asking(|_| {}).await);
    setup.issuer.set_active("opaque", setup.said("ada", json!({ "groups": [] })));
    setup.issuer.reply(INTROSPECTION, Reply::Silence);
    let caller = tokio::spawn({
        let setup = setup.clone();
        async move { setup.ask("opaque").await }
    });
    setup.issuer.wait_for_hits(INTROSPECTION, 1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    setup.issuer.behave();
    assert!(setup.ask("opaque").await.is_ok());
}
