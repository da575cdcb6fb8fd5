//! The API server from the token to the last page.

use super::{cluster, feeder, json_of, tiny};
use reqwest::Client;
use serde_json::{Value, json};
use simulator::model::Login;
use simulator::{Running, Subject};

async fn get(running: &Running, path: &str, token: Option<&str>) -> (u16, Value) {
    let mut request = Client::new().get(format!("{}{path}", cluster(running).root()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), json_of(response).await)
}

fn namespace(running: &Running) -> String {
    cluster(running).provider().projects[0].id.clone()
}

#[tokio::test]
async fn quotas_and_classes_are_those_of_the_cluster() {
    let running = tiny().await;
    let token = feeder(&running);
    let namespace = namespace(&running);
    let quota = cluster(&running).provider().cluster().unwrap().quotas[&namespace].clone();
    let (status, list) =
        get(&running, &format!("/api/v1/namespaces/{namespace}/resourcequotas"), Some(&token)).await;
    assert_eq!((status, list["kind"].as_str()), (200, Some("ResourceQuotaList")));
    let items = list["items"].as_array().unwrap();
    let names: Vec<_> = items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["batch", "compute", "storage"]);
    assert_eq!(items[0]["spec"]["scopes"], json!(["Terminating"]));
    let compute = &items[1]["status"];
    assert_eq!(compute["hard"]["limits.cpu"], quota.limits_cpu.limit.to_string());
    assert_eq!(compute["hard"]["requests.cpu"], format!("{}m", quota.requests_cpu.limit * 1000));
    assert_eq!(compute["used"]["limits.memory"], format!("{}Mi", quota.limits_memory.used * 1024));
    assert_eq!(compute["used"]["requests.memory"], (quota.requests_memory.used << 30).to_string());
    let class = quota.classes.keys().next().unwrap();
    let key = format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims");
    assert_eq!(items[2]["spec"]["hard"][key.as_str()], quota.classes[class].0.limit.to_string());

    let (_, classes) = get(&running, "/apis/storage.k8s.io/v1/storageclasses", Some(&token)).await;
    let default: Vec<_> = classes["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true")
        .collect();
    assert_eq!(default.len(), 1);
    assert_eq!(get(&running, "/api/v1/nodes", Some(&token)).await.1["items"][0]["kind"], Value::Null);
    let (_, namespaces) = get(&running, "/api/v1/namespaces", Some(&token)).await;
    assert_eq!(namespaces["items"].as_array().unwrap().len(), 3);
    assert_eq!(get(&running, "/version", None).await.1["gitVersion"], "v1.36.3");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let running = tiny().await;
    let token = feeder(&running);
    let path = format!("/api/v1/namespaces/{}/resourcequotas?limit=1", namespace(&running));
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(&running, &format!("{path}&continue={next}"), Some(&token)).await;
        assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 1));
        seen.push(page["items"][0]["metadata"]["name"].as_str().unwrap().to_owned());
        match page["metadata"]["continue"].as_str() {
            None => break,
            Some(token) => next = token.to_owned(),
        }
        assert_eq!(page["metadata"]["remainingItemCount"], 3 - seen.len());
    }
    assert_eq!(seen, ["batch", "compute", "storage"]);
    assert_eq!(get(&running, &format!("{path}&continue=!"), Some(&token)).await.0, 400);
}

#[tokio::test]
async fn it_refuses_as_a_real_server_does() {
    let running = tiny().await;
    let namespace = namespace(&running);
    let path = format!("/api/v1/namespaces/{namespace}/resourcequotas");
    let issuer = running.issuer();
    let unauthorized = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized",
        "reason": "Unauthorized", "code": 401,
    });
    for token in [
        "garbage".to_owned(),
        issuer.token(&running.feeder().ttl(-10)).unwrap(),
        issuer.token(&running.feeder().audience(["somebody-else"])).unwrap(),
    ] {
        assert_eq!(get(&running, &path, Some(&token)).await, (401, unauthorized.clone()));
    }
    let message = |user: &str, place: &str| {
        format!(
            "resourcequotas is forbidden: User \"{user}\" cannot list resource \"resourcequotas\" in API group \"\" \
             in the namespace \"{place}\""
        )
    };
    let (status, body) = get(&running, &path, None).await;
    assert_eq!((status, &body["message"]), (403, &message("system:anonymous", &namespace).into()));
    let mallory = issuer.token(&Subject::new("mallory").audience(["kubernetes"])).unwrap();
    let (status, body) = get(&running, &path, Some(&mallory)).await;
    assert_eq!((status, &body["message"]), (403, &message("oidc:mallory", &namespace).into()));
    assert_eq!(body["details"], json!({ "kind": "resourcequotas" }));
    let (status, body) = get(&running, "/apis/storage.k8s.io/v1/storageclasses", Some(&mallory)).await;
    assert_eq!((status, &body["details"]["group"]), (403, &"storage.k8s.io".into()));
    let (status, body) =
        get(&running, "/api/v1/namespaces/nowhere/resourcequotas", Some(&feeder(&running))).await;
    assert_eq!((status, &body["message"]), (403, &message("oidc:feeder", "nowhere").into()));
}

#[tokio::test]
async fn a_service_account_opens_a_cluster_without_openid() {
    let running = tiny().await;
    let site = cluster(&running);
    site.edit(|provider| provider.login = Login::ServiceAccount);
    let path = format!("/api/v1/namespaces/{}/resourcequotas", namespace(&running));
    assert_eq!(get(&running, &path, Some(&feeder(&running))).await.0, 401);
    assert_eq!(get(&running, &path, Some(site.secret())).await.0, 200);
    site.withdraw(&namespace(&running));
    assert_eq!(get(&running, &path, Some(site.secret())).await.0, 403);
}
