//! Logging in at Keystone.

use feeder::{
    inventory::Credentials,
    reading::{Fault, FaultClass, Listing},
};
use serde_json::{Value, json};
use wiremock::{Mock, ResponseTemplate, matchers};

use super::{
    openstack::{ALPHA, Cloud, reader, token},
    support::{count, fault_of, impatient, instead, limits, nobody, on, site, status, unknown},
};

const TOKENS: &str = "/5000/v3/auth/tokens";
const FEDERATION: &str = "/5000/v3/OS-FEDERATION/identity_providers/lab/protocols/openid/auth";

/// The bodies with which a connection asks for tokens.
async fn asked(cloud: &Cloud) -> Vec<Value> {
    let requests = cloud.server.received_requests().await.unwrap();
    let logins = requests.iter().filter(|request| request.url.path() == TOKENS);
    logins.map(|request| request.body_json().unwrap()).collect()
}

#[tokio::test]
async fn an_access_token_becomes_an_unscoped_and_then_a_scoped_token() {
    let cloud = Cloud::start().await;
    let bearer = on("POST", FEDERATION).and(matchers::header("authorization", "Bearer access-token"));
    bearer
        .respond_with(token("t1", 201, &cloud.capture("unscoped")))
        .with_priority(1)
        .expect(1)
        .mount(&cloud.server)
        .await;
    let reading = cloud.read(&cloud.connection()).await;
    assert_eq!(unknown(&reading), []);
    let identity = json!({"methods": ["token"], "token": {"id": "t1"}});
    assert_eq!(
        asked(&cloud).await,
        [json!({"auth": {"identity": identity, "scope": {"project": {"id": ALPHA}}}})]
    );
}

#[tokio::test]
async fn other_credentials() {
    let scope = json!({"project": {"id": ALPHA}});
    let password = json!({"user": {"name": "alice", "domain": {"name": "Default"}, "password": "pw"}});
    for (credentials, expected) in [
        (
            Credentials::ApplicationCredential { id: "ac1".into(), secret: "pw".into() },
            json!({"identity": {"methods": ["application_credential"], "application_credential": {"id": "ac1", "secret": "pw"}}}),
        ),
        (
            Credentials::Password {
                username: "alice".into(),
                user_domain: "Default".into(),
                password: "pw".into(),
            },
            json!({"identity": {"methods": ["password"], "password": password}, "scope": scope}),
        ),
        (
            Credentials::BearerToken { token: "t2".into() },
            json!({"identity": {"methods": ["token"], "token": {"id": "t2"}}, "scope": scope}),
        ),
    ] {
        let cloud = Cloud::start().await;
        // the address without `/v3`, as some sites write it
        let mut connection = cloud.connection_with(credentials);
        site(&mut connection).auth_url = format!("{}/5000/", cloud.server.uri());
        let reading = cloud.read(&connection).await;
        assert_eq!(unknown(&reading), []);
        assert_eq!(asked(&cloud).await, [json!({"auth": expected})]);
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_is_renewed_once() {
    let cloud = Cloud::start().await;
    Mock::given(matchers::header("x-auth-token", "revoked"))
        .respond_with(status(401))
        .with_priority(1)
        .mount(&cloud.server)
        .await;
    on("POST", TOKENS)
        .respond_with(token("revoked", 201, &cloud.capture("token")))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&cloud.server)
        .await;
    let reading = cloud.read(&cloud.connection()).await;
    assert_eq!(unknown(&reading), []);
    assert!(matches!(reading.project, Listing::Complete(_)));
    assert_eq!(count(&cloud.server, &format!("POST {TOKENS}")).await, 2);
}

#[tokio::test]
async fn services_that_refuse_every_token_are_unknown_after_one_renewal() {
    let cloud = Cloud::start().await;
    Mock::given(matchers::header("x-auth-token", "scoped-token"))
        .respond_with(status(401))
        .with_priority(1)
        .mount(&cloud.server)
        .await;
    let reading = cloud.read(&cloud.connection()).await;
    assert_eq!(fault_of(&reading.project).class, FaultClass::Unauthorized);
    let unknown = unknown(&reading);
    assert_eq!(unknown.len(), 7, "{unknown:?}");
    assert!(unknown.iter().all(|(_, class)| *class == FaultClass::Unauthorized), "{unknown:?}");
    assert_eq!(count(&cloud.server, &format!("POST {TOKENS}")).await, 2);
}

async fn refused(cloud: &Cloud, path: &str, answer: ResponseTemplate) -> Fault {
    instead(&cloud.server, "POST", path, answer).await;
    let connection = cloud.connection();
    let reading = reader(&connection, impatient()).read(&connection).await;
    let fault = fault_of(&reading.services).clone();
    assert_eq!(fault_of(&reading.project), &fault);
    Fault { what: fault.what.replace(&cloud.server.uri(), ""), ..fault }
}

#[tokio::test]
async fn why_a_login_fails() {
    let html = status(401).set_body_string("<!DOCTYPE HTML><title>401 Unauthorized</title>");
    let unauthorized =
        json!({"error": {"code": 401, "message": "The request you have made requires authentication."}});
    let no_idp = json!({"error": {"code": 404, "message": "Could not find Identity Provider: lab."}});
    let wrong_project = json!({"token": {"project": {"id": "other", "name": "proj-other"}, "catalog": []}});
    let mut told = Vec::new();
    for (path, answer) in [
        (FEDERATION, html),
        (FEDERATION, status(401).set_body_json(&unauthorized)),
        (FEDERATION, status(404).set_body_json(&no_idp)),
        (FEDERATION, status(503)),
        (FEDERATION, status(302).insert_header("location", "http://elsewhere.example.org/")),
        (FEDERATION, status(201)),
        (TOKENS, status(401).set_body_json(&unauthorized)),
        (TOKENS, status(403)),
        (TOKENS, status(200).insert_header("x-subject-token", "t").set_body_string("<html>")),
        (TOKENS, token("t", 201, &json!({"token": {}}))),
        (TOKENS, token("t", 201, &wrong_project)),
        (TOKENS, status(201).set_delay(super::support::NEVER)),
    ] {
        let cloud = Cloud::start().await;
        let fault = refused(&cloud, path, answer).await;
        told.push(format!("{:?}: {fault}", fault.class));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn a_keystone_that_is_not_there() {
    let cloud = Cloud::start().await;
    let mut connection = cloud.connection();
    site(&mut connection).auth_url = nobody().await;
    let reading = cloud.read(&connection).await;
    let fault = fault_of(&reading.services);
    assert_eq!(fault.class, FaultClass::Unreachable);
    assert!(fault.why.starts_with("no connection: Connection refused"), "{fault}");
    site(&mut connection).auth_url = "not an address".into();
    assert_eq!(fault_of(&cloud.read(&connection).await.services).class, FaultClass::Configuration);
}

#[tokio::test]
async fn a_file_of_certificates_that_cannot_be_used_is_told() {
    let cloud = Cloud::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let told = async || {
        let mut connection = cloud.connection();
        site(&mut connection).ca_path = Some(path.clone());
        let reading = cloud.read(&connection).await;
        let fault = fault_of(&reading.services);
        assert_eq!(fault.class, FaultClass::Configuration);
        fault.why.replace(&path.display().to_string(), "ca.pem")
    };
    let missing = told().await;
    assert!(missing.starts_with("ca.pem cannot be used: No such file"), "{missing}");
    std::fs::write(&path, "no certificate").unwrap();
    let empty = told().await;
    assert!(empty.starts_with("ca.pem cannot be used: it holds no certificate"), "{empty}");
}

#[tokio::test]
async fn no_secret_is_shown() {
    let cloud = Cloud::start().await;
    let secret = "very-secret-value";
    let connection = cloud.connection_with(Credentials::Password {
        username: "alice".into(),
        user_domain: "Default".into(),
        password: secret.into(),
    });
    instead(&cloud.server, "POST", TOKENS, status(401)).await;
    let reader = reader(&connection, limits());
    let reading = reader.read(&connection).await;
    let auth = reader.auth(&connection).unwrap();
    for text in
        [format!("{reading:?}"), format!("{auth:?}"), format!("{reader:?}"), format!("{connection:?}")]
    {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_token_that_keystone_cannot_read() {
    let cloud = Cloud::start().await;
    let unreadable = json!({"error": {"code": 404, "message": "Could not recognize Fernet token"}});
    instead(&cloud.server, "POST", TOKENS, status(404).set_body_json(unreadable)).await;
    let connection = cloud.connection_with(Credentials::BearerToken { token: "t".into() });
    let reading = cloud.read(&connection).await;
    let fault = fault_of(&reading.services);
    assert_eq!(fault.class, FaultClass::Unauthorized);
    assert!(fault.why.starts_with("HTTP 404: the token was refused"), "{fault}");
}
