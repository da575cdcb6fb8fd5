//! `OpenStack` from the access token to the last page of each list.

use super::{Member, feeder, json_of, names, openstack_site, tiny};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use simulator::model::{Login, Visibility};
use simulator::{Site, Subject, USERNAME};
use std::collections::BTreeSet;

fn ids(items: &[Value]) -> BTreeSet<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

/// What a feeder must find in the first region of the first site, by list.
fn wanted<'a>(document: &'a Value, service: &str, list: &str, project: &str) -> BTreeSet<&'a str> {
    let items = document["regions"][0][service][0][list].as_array().unwrap().iter();
    let own = items
        .filter(|i| i["is_shared"] == true || i["projects"].as_array().unwrap().contains(&project.into()));
    own.map(|item| item["uuid"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_project_sees_what_the_document_says_of_it() {
    let running = tiny().await;
    let document = running.documents().next().unwrap();
    for place in 0..2 {
        let member = Member::login(&running, place).await;
        for (kind, path, key, service) in [
            ("compute", "/flavors/detail?is_public=None&limit=2", "flavors", "compute_services"),
            ("image", "/v2/images?status=active&limit=2", "images", "compute_services"),
            ("network", "/v2.0/networks?status=ACTIVE&limit=1", "networks", "network_services"),
        ] {
            let items = member.pages(kind, path, key).await;
            assert_eq!(
                ids(&items),
                wanted(&document, service, key, &member.project),
                "{key} of project {place}"
            );
            assert_eq!(items.len(), ids(&items).len(), "each once");
            let whole = path.split('?').next().unwrap();
            let whole = member.pages(kind, &format!("{whole}?status=ACTIVE"), key).await;
            assert!(kind == "image" || ids(&whole) == ids(&items), "without limit");
        }
    }
}

#[tokio::test]
async fn tokens_have_the_shape_of_the_real_ones() {
    let running = tiny().await;
    let site = openstack_site(&running);
    let http = Client::new();
    let url = format!("{}/OS-FEDERATION/identity_providers/127-0-0-1/protocols/openid/auth", site.auth_url());
    let unscoped = http.get(&url).bearer_auth(feeder(&running)).send().await.unwrap();
    assert_eq!(unscoped.status(), 201);
    let token = unscoped.headers()["x-subject-token"].to_str().unwrap().to_owned();
    let body = json_of(unscoped).await;
    let keys: Vec<_> = body["token"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["methods", "user", "audit_ids", "expires_at", "issued_at"]);
    assert_eq!(body["token"]["methods"], json!(["openid"]));
    assert_eq!(body["token"]["user"]["OS-FEDERATION"]["identity_provider"]["id"], "127-0-0-1");
    assert!(body["token"]["expires_at"].as_str().unwrap().ends_with(".000000Z"));

    let listed =
        http.get(format!("{}/auth/projects", site.auth_url())).header("x-auth-token", token).send().await;
    let listed = json_of(listed.unwrap()).await;
    assert_eq!(listed["projects"].as_array().unwrap().len(), 2);

    let member = Member::login(&running, 0).await;
    let own = http.get(format!("{}/auth/tokens", site.auth_url()));
    let own = own
        .header("x-auth-token", &member.token)
        .header("x-subject-token", &member.token)
        .send()
        .await
        .unwrap();
    let own = json_of(own).await["token"].take();
    assert_eq!(own["methods"], json!(["openid", "token"]));
    assert_eq!(own["project"]["id"], member.project.as_str());
    assert_eq!(own["roles"][0]["name"], "member");
    assert_eq!(own["catalog"], member.catalog);
    let project = http.get(format!("{}/projects/{}", site.auth_url(), member.project));
    let project = json_of(project.header("x-auth-token", &member.token).send().await.unwrap()).await;
    assert_eq!(project["project"]["name"], own["project"]["name"]);
    assert_eq!(member.catalog.as_array().unwrap().iter().filter(|s| s["type"] == "compute").count(), 1);
    assert_ne!(member.endpoint("compute", "RegionOne"), member.endpoint("compute", "RegionTwo"));
}

#[tokio::test]
async fn the_federation_refuses_as_a_real_site_does() {
    let running = tiny().await;
    let site = openstack_site(&running);
    let http = Client::new();
    let ask = |idp: &str, protocol: &str, token: String| {
        let path = format!("/OS-FEDERATION/identity_providers/{idp}/protocols/{protocol}/auth");
        let request = http.post(site.auth_url() + &path).bearer_auth(token);
        async move {
            let response = request.send().await.unwrap();
            let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
            (response.status().as_u16(), kind, response.text().await.unwrap())
        }
    };
    let (status, kind, body) = ask("127-0-0-1", "openid", "garbage".to_owned()).await;
    assert!(status == 401 && kind.starts_with("text/html") && body.contains("401 Unauthorized"));
    let expired = running.issuer().token(&running.feeder().ttl(-10)).unwrap();
    assert_eq!(ask("127-0-0-1", "openid", expired).await.0, 401);
    let stranger = running.issuer().token(&Subject::new("mallory").groups(["outsiders"])).unwrap();
    let (status, kind, body) = ask("127-0-0-1", "openid", stranger).await;
    assert!(
        status == 401 && kind == "application/json" && body.contains("requires authentication"),
        "{body}"
    );
    let (status, _, body) = ask("nope", "openid", feeder(&running)).await;
    assert_eq!((status, body.contains("Could not find Identity Provider: nope.")), (404, true));
    let (status, _, body) = ask("127-0-0-1", "saml2", feeder(&running)).await;
    assert_eq!((status, body.contains("unsupported method")), (401, true));
    // a group of the federation opens its own project only
    let project = site.provider().projects[0].clone();
    let token = running.issuer().token(&Subject::new("alice").groups([project.agreement.group])).unwrap();
    let path = "/OS-FEDERATION/identity_providers/127-0-0-1/protocols/openid/auth";
    let unscoped = http.post(site.auth_url() + path).bearer_auth(token).send().await.unwrap();
    let unscoped = unscoped.headers()["x-subject-token"].to_str().unwrap().to_owned();
    let listed =
        http.get(site.auth_url() + "/auth/projects").header("x-auth-token", unscoped).send().await.unwrap();
    assert_eq!(json_of(listed).await["projects"][0]["id"], project.id.as_str());
}

#[tokio::test]
async fn sites_without_federation_take_credentials_and_passwords() {
    let running = tiny().await;
    let site = openstack_site(&running);
    site.edit(|provider| provider.login = Login::Password);
    assert_eq!(Member::try_login(&running, 0).await.err().unwrap().0, 404, "no identity provider");
    let project = site.provider().projects[1].id.clone();
    let login = |identity: Value, scope: Value| {
        let mut auth = json!({ "identity": identity });
        if !scope.is_null() {
            auth["scope"] = scope;
        }
        let request = Client::new().post(site.auth_url() + "/auth/tokens").json(&json!({ "auth": auth }));
        async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, json_of(response).await["token"]["project"]["id"].take())
        }
    };
    let password = |secret: &str| {
        let user = json!({ "name": USERNAME, "domain": { "name": "Default" }, "password": secret });
        json!({ "methods": ["password"], "password": { "user": user } })
    };
    let scope = json!({ "project": { "id": project } });
    assert_eq!(login(password(site.secret()), scope.clone()).await, (201, json!(project)));
    assert_eq!(login(password("wrong"), scope.clone()).await.0, 401);
    let credential = |secret: &str| {
        let own = json!({ "id": Site::application_credential(&project), "secret": secret });
        json!({ "methods": ["application_credential"], "application_credential": own })
    };
    assert_eq!(login(credential(site.secret()), Value::Null).await, (201, json!(project)));
    assert_eq!(login(credential("wrong"), Value::Null).await.0, 401);
    assert_eq!(login(credential(site.secret()), scope).await.0, 401, "a credential has its scope");
    let response = Client::new().post(site.auth_url() + "/auth/tokens").body("{").send().await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn microversions_decide_what_a_flavor_says() {
    let running = tiny().await;
    openstack_site(&running).edit(|provider| {
        let flavor = &mut provider.clouds_mut().next().unwrap().flavors[0];
        flavor.gpu = Some((2, "A100".to_owned(), "NVIDIA".to_owned()));
        flavor.infiniband = true;
        flavor.local_storage = Some("ssd".to_owned());
    });
    let member = Member::login(&running, 0).await;
    let plain = member.read("compute", "/flavors/detail").await;
    assert!(
        plain["flavors"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| f.get("extra_specs").is_none() && f["swap"] == "")
    );
    let at = |version: &'static str| {
        let asked =
            member.ask(Method::GET, "compute", "/flavors/detail").header("openstack-api-version", version);
        async move { asked.send().await.unwrap() }
    };
    let response = at("compute 2.61").await;
    assert_eq!(response.headers()["openstack-api-version"], "compute 2.61");
    let flavors = json_of(response).await["flavors"].take();
    let gpu = flavors.as_array().unwrap().iter().find(|f| f["extra_specs"]["gpu_number"] == "2").unwrap();
    assert_eq!(gpu["extra_specs"]["infiniband"], "true");
    assert_eq!(gpu["extra_specs"]["aggregate_instance_extra_specs:local_storage"], "ssd");
    let keys: Vec<_> = gpu.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "id",
            "name",
            "ram",
            "disk",
            "swap",
            "OS-FLV-EXT-DATA:ephemeral",
            "OS-FLV-DISABLED:disabled",
            "vcpus",
            "os-flavor-access:is_public",
            "rxtx_factor",
            "links",
            "description",
            "extra_specs"
        ]
    );
    assert_eq!(at("compute 2.999").await.status(), 406);
    let path = format!("/flavors/{}/os-extra_specs", gpu["id"].as_str().unwrap());
    assert_eq!(member.read("compute", &path).await["extra_specs"], gpu["extra_specs"]);
}

#[tokio::test]
async fn access_lists_are_for_private_flavors_where_the_site_shows_them() {
    let running = tiny().await;
    let (member, other) = (Member::login(&running, 0).await, Member::login(&running, 1).await);
    let flavors = openstack_site(&running).edit(|provider| {
        let flavors = &mut provider.clouds_mut().next().unwrap().flavors;
        flavors[1].is_public = false;
        flavors[1].access = vec![member.project.clone(), "foreign".to_owned()];
        flavors.clone()
    });
    let path = |id: &str| format!("/flavors/{id}/os-flavor-access");
    let access = member.read("compute", &path(&flavors[1].id)).await;
    assert_eq!(access["flavor_access"][0]["tenant_id"], member.project.as_str());
    assert_eq!(access["flavor_access"][1]["tenant_id"], "foreign");
    assert_eq!(other.get("compute", &path(&flavors[1].id)).await.status(), 404, "not theirs");
    assert_eq!(member.get("compute", &path(&flavors[0].id)).await.status(), 404, "public");
    openstack_site(&running).configure(|settings| settings.show_flavor_access = false);
    assert_eq!(member.get("compute", &path(&flavors[1].id)).await.status(), 403);
}

#[tokio::test]
async fn quotas_are_the_own_ones_with_their_use() {
    let running = tiny().await;
    let (member, other) = (Member::login(&running, 0).await, Member::login(&running, 1).await);
    let quota = openstack_site(&running).provider().cloud("RegionOne").unwrap().quotas[&member.project];
    let own = &member.project;
    let compute = member.read("compute", &format!("/os-quota-sets/{own}/detail")).await;
    let cores = json!({ "limit": quota.cores.limit, "in_use": quota.cores.used, "reserved": 0 });
    assert_eq!(compute["quota_set"]["cores"], cores);
    assert_eq!(compute["quota_set"]["floating_ips"]["limit"], -1);
    let newer = member.ask(Method::GET, "compute", &format!("/os-quota-sets/{own}/detail"));
    let newer = json_of(newer.header("x-openstack-nova-api-version", "2.57").send().await.unwrap()).await;
    assert_eq!(newer["quota_set"].as_object().unwrap().len(), 8);
    let plain = member.read("compute", &format!("/os-quota-sets/{own}")).await;
    assert_eq!(plain["quota_set"]["ram"], quota.ram.limit);
    let limits = member.read("compute", "/limits").await;
    assert_eq!(limits["limits"]["absolute"]["totalCoresUsed"], quota.cores.used);
    let network = member.read("network", &format!("/v2.0/quotas/{own}/details")).await;
    assert_eq!(network["quota"]["floatingip"]["used"], quota.public_ips.used);
    assert_eq!(network["quota"].as_object().unwrap().len(), 9);
    let volumes = member.read("volumev3", &format!("/os-quota-sets/{own}?usage=True")).await;
    assert_eq!(volumes["quota_set"]["gigabytes"]["in_use"], quota.gigabytes.used);
    assert_eq!(volumes["quota_set"]["per_volume_gigabytes"]["limit"], -1);
    assert_eq!(volumes["quota_set"]["gigabytes_ceph"]["limit"], -1);
    assert_eq!(member.read("volumev3", "/types").await["volume_types"].as_array().unwrap().len(), 3);
    for (kind, path) in [
        ("compute", format!("/os-quota-sets/{}/detail", other.project)),
        ("network", format!("/v2.0/quotas/{}", other.project)),
        ("volumev3", format!("/os-quota-sets/{}", other.project)),
    ] {
        assert_eq!(member.get(kind, &path).await.status(), 403, "{kind}");
    }
}

#[tokio::test]
async fn images_are_seen_by_glances_rules() {
    let running = tiny().await;
    let (member, other) = (Member::login(&running, 0).await, Member::login(&running, 1).await);
    let id = openstack_site(&running).edit(|provider| {
        let image = &mut provider.clouds_mut().next().unwrap().images[0];
        image.visibility = Visibility::Shared;
        image.owner.clone_from(&member.project);
        image.members = vec![(other.project.clone(), false), ("foreign".to_owned(), true)];
        image.tags = vec!["egi".to_owned()];
        image.id.clone()
    });
    let has =
        |images: &Value| images["images"].as_array().unwrap().iter().any(|image| image["id"] == id.as_str());
    assert!(has(&member.read("image", "/v2/images?tag=egi").await));
    assert!(!has(&member.read("image", "/v2/images?tag=other").await));
    assert!(!has(&other.read("image", "/v2/images").await), "pending");
    assert!(has(&other.read("image", "/v2/images?visibility=shared&member_status=all").await));
    assert!(!has(&other.read("image", "/v2/images?visibility=public&member_status=all").await));
    let path = format!("/v2/images/{id}/members");
    assert_eq!(
        member.read("image", &path).await["members"].as_array().unwrap().len(),
        2,
        "the owner sees all"
    );
    let own = other.read("image", &path).await["members"].take();
    assert_eq!(
        (&own[0]["member_id"], &own[0]["status"], own[1].is_null()),
        (&other.project.as_str().into(), &"pending".into(), true)
    );
    openstack_site(&running).edit(|provider| {
        provider.clouds_mut().next().unwrap().images[0].visibility = Visibility::Community;
    });
    assert!(!has(&other.read("image", "/v2/images").await));
    assert!(has(&other.read("image", "/v2/images?visibility=community").await));
    assert_eq!(other.get("image", &path).await.status(), 403);
    assert_eq!(other.get("image", "/v2/images?marker=nothing").await.status(), 400);
}

#[tokio::test]
async fn networks_can_be_chosen_by_tag_and_kind() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    let external = member.read("network", "/v2.0/networks?router:external=True").await;
    assert_eq!(names(external["networks"].as_array().unwrap()), ["public"]);
    assert_eq!(external["networks"][0]["is_default"], true);
    assert!(external.get("networks_links").is_none(), "no pages unasked");
    let tagged = member.read("network", "/v2.0/networks?tags=external").await;
    assert_eq!(tagged["networks"], external["networks"]);
    let lan = member.read("network", "/v2.0/networks?router:external=false&shared=true").await;
    assert_eq!(names(lan["networks"].as_array().unwrap()), ["shared-lan"]);
    assert!(lan["networks"][0].get("is_default").is_none());
}

#[tokio::test]
async fn an_account_tells_its_quota_in_its_head() {
    let running = tiny().await;
    openstack_site(&running).edit(|provider| provider.clouds_mut().for_each(|cloud| cloud.swift = true));
    let member = Member::login(&running, 0).await;
    let quota = openstack_site(&running).provider().cloud("RegionOne").unwrap().quotas[&member.project];
    let head = member.ask(Method::HEAD, "object-store", "").send().await.unwrap();
    assert_eq!(head.status(), 204);
    assert_eq!(head.headers()["x-account-meta-quota-bytes"], quota.bytes.limit.to_string().as_str());
    assert_eq!(head.headers()["x-account-bytes-used"], quota.bytes.used.to_string().as_str());
    let foreign = member.endpoint("object-store", "RegionOne").replace(&member.project, "other");
    let refused = member.http.head(foreign).header("x-auth-token", &member.token).send().await.unwrap();
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn a_client_finds_the_versions() {
    let running = tiny().await;
    let root = openstack_site(&running).root().to_owned();
    for (path, status, place, id) in [
        ("identity", 300, "/versions/values/0/id", "v3.14"),
        ("identity/v3", 200, "/version/id", "v3.14"),
        ("RegionOne/compute/", 200, "/versions/0/version", "2.93"),
        ("RegionOne/compute/v2.1/", 200, "/version/min_version", "2.1"),
        ("RegionTwo/image/", 300, "/versions/0/status", "CURRENT"),
        ("RegionOne/network", 200, "/versions/0/id", "v2.0"),
        ("RegionOne/volume/v3", 200, "/versions/0/min_version", "3.0"),
    ] {
        let response = reqwest::get(format!("{root}/{path}")).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(json_of(response).await.pointer(place), Some(&id.into()), "{path}");
    }
    assert_eq!(reqwest::get(format!("{root}/Nowhere/compute/")).await.unwrap().status(), 404);
}

#[tokio::test]
async fn tokens_end_when_they_are_revoked_or_the_project_goes() {
    let running = tiny().await;
    let site = openstack_site(&running);
    let (member, other) = (Member::login(&running, 0).await, Member::login(&running, 1).await);
    site.withdraw(&member.project);
    let refused = member.get("compute", "/flavors").await;
    assert_eq!(refused.status(), 401);
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Keystone"));
    assert_eq!(Member::try_login(&running, 0).await.err().unwrap().0, 401);
    assert_eq!(other.get("compute", "/flavors").await.status(), 200);
    site.restore(&member.project);
    assert_eq!(Member::login(&running, 0).await.get("compute", "/flavors").await.status(), 200);
    site.revoke_tokens();
    assert_eq!(other.get("network", "/v2.0/networks").await.status(), 401);
}
