//! What an OpenStack project says, as captured from Zed's services.

use feeder::{
    Commons,
    inventory::{Connection, Credentials, ProviderKind},
    limits::Limits,
    openstack::Reader,
    reading::{FaultClass, Listing, Reading},
};
use futures::TryStreamExt;
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate, matchers};

use super::support::{
    self, answer, count, fixture, instead, items, limits, list, names, ok, on, shown, status,
};

/// proj-alpha of the captures, and proj-beta.
pub const ALPHA: &str = "e5e3a9c4f77d46f4a1ceb3fc831f8d56";
pub const BETA: &str = "52da01f2e8b14548bd3b42b851775273";

/// A cloud that answers as the captured one did to proj-alpha. The services stand below the ports they had.
pub struct Cloud {
    pub server: MockServer,
}

impl Cloud {
    pub async fn start() -> Self {
        let cloud = Self { server: MockServer::start().await };
        let federation = "/5000/v3/OS-FEDERATION/identity_providers/lab/protocols/openid/auth";
        cloud.answer("POST", federation, token("unscoped-token", 201, &cloud.capture("unscoped"))).await;
        let scoped = cloud.capture("token");
        cloud.answer("POST", "/5000/v3/auth/tokens", token("scoped-token", 201, &scoped)).await;
        for capture in [
            "project",
            "flavors",
            "flavor-access",
            "compute-quota",
            "images",
            "members-gamma-shared",
            "members-alpha-shared",
            "networks",
            "network-quota",
            "volume-quota",
            "volume-types",
            "compute-zones",
        ] {
            cloud.mount(&cloud.capture(capture)).await;
        }
        // captured for one of the private flavors only
        for flavor in ["8afb3c4d-d0d6-43da-8669-82aef3f5d2bd", "92756b7a-86e2-4952-b5db-fcd5ace9cadc"] {
            let access = json!({"flavor_access": [{"flavor_id": flavor, "tenant_id": ALPHA}]});
            cloud.answer("GET", &format!("/8774/v2.1/flavors/{flavor}/os-flavor-access"), ok(access)).await;
        }
        let account = cloud.capture("account");
        let mut head = status(204);
        for (name, value) in account["headers"].as_object().unwrap() {
            head = head.insert_header(name.as_str(), value.as_str().unwrap());
        }
        cloud.answer("HEAD", &format!("/8080/v1/AUTH_{ALPHA}"), head).await;
        cloud
    }

    pub fn capture(&self, name: &str) -> Value {
        fixture(&format!("openstack/{name}"), &self.server)
    }

    async fn mount(&self, capture: &Value) {
        let (method, url) = capture["request"].as_str().unwrap().split_once(' ').unwrap();
        let path = url.strip_prefix(&self.server.uri()).unwrap().split('?').next().unwrap();
        let answered = status(u16::try_from(capture["status"].as_u64().unwrap()).unwrap());
        self.answer(method, path, answered.set_body_json(&capture["body"])).await;
    }

    pub async fn answer(&self, method: &str, path: &str, with: ResponseTemplate) {
        answer(&self.server, method, path, with).await;
    }

    pub async fn instead(&self, path: &str, with: ResponseTemplate) {
        instead(&self.server, "GET", path, with).await;
    }

    /// Logs in with this catalog in place of the captured one.
    pub async fn with_catalog(&self, change: impl FnOnce(&mut Vec<Value>)) {
        let mut scoped = self.capture("token");
        change(scoped["token"]["catalog"].as_array_mut().unwrap());
        instead(&self.server, "POST", "/5000/v3/auth/tokens", token("scoped-token", 201, &scoped)).await;
    }

    pub fn connection(&self) -> Connection {
        let credentials = Credentials::OidcAccessToken {
            idp_name: "lab".into(),
            protocol: "openid".into(),
            token: "access-token".into(),
        };
        self.connection_with(credentials)
    }

    pub fn connection_with(&self, credentials: Credentials) -> Connection {
        let auth_url = format!("{}/5000/v3", self.server.uri());
        support::connection(ProviderKind::Openstack, auth_url, "RegionOne", ALPHA, credentials)
    }

    pub async fn read(&self, connection: &Connection) -> Reading {
        reader(connection, limits()).read(connection).await
    }
}

pub fn reader(connection: &Connection, limits: Limits) -> Reader {
    Reader::new(&connection.site, limits, &Commons::default())
}

pub fn token(id: &str, code: u16, body: &Value) -> ResponseTemplate {
    status(code).insert_header("X-Subject-Token", id).set_body_json(body)
}

pub fn without(kind: &str) -> impl FnOnce(&mut Vec<Value>) {
    move |catalog| catalog.retain(|service| service["type"] != kind)
}

const FLAVORS: &str = "/8774/v2.1/flavors/detail";
const IMAGES: &str = "/9292/v2/images";
const NETWORKS: &str = "/9696/v2.0/networks";

#[tokio::test]
async fn all_that_a_project_is_offered() {
    let cloud = Cloud::start().await;
    let connection = cloud.connection();
    let reader = reader(&connection, limits());
    // readings are spawned side by side
    let reading = tokio::spawn(async move { reader.read(&connection).await }).await.unwrap();
    insta::assert_json_snapshot!(shown(&reading, &cloud.server));
    support::check_by_schema("openstack", &reading);
    for request in cloud.server.received_requests().await.unwrap() {
        assert_eq!(request.headers["user-agent"], format!("fedreg/{}", env!("CARGO_PKG_VERSION")).as_str());
        let token = request.headers.get("x-auth-token").map(|token| token.to_str().unwrap());
        assert_eq!(token, (request.method.as_str() != "POST").then_some("scoped-token"), "{}", request.url);
    }
}

#[tokio::test]
async fn the_typed_layer_of_openstack_shares_the_login() {
    let cloud = Cloud::start().await;
    let version = json!({"version": {
        "id": "v2.1", "status": "CURRENT", "version": "2.93", "min_version": "2.1",
        "links": [{"rel": "self", "href": format!("{}/8774/v2.1/", cloud.server.uri())}],
    }});
    cloud.answer("GET", "/8774/v2.1", ok(version)).await;
    // it asks for pages until one is empty
    let end = wiremock::Mock::given(matchers::query_param_contains("marker", "-"));
    end.respond_with(ok(json!({"flavors": []}))).with_priority(1).mount(&cloud.server).await;
    let connection = cloud.connection();
    let session = reader(&connection, limits()).session(&connection).await.unwrap();
    let typed = openstack::Cloud::from(session);
    let flavors: Vec<_> = typed.find_flavors().detailed().into_stream().try_collect().await.unwrap();
    let mut flavors: Vec<_> = flavors.iter().map(|flavor| flavor.name().clone()).collect();
    let mut ours = names(&cloud.read(&cloud.connection()).await, "flavors");
    flavors.sort();
    ours.sort();
    assert_eq!(flavors, ours);
}

#[tokio::test]
async fn all_pages_of_a_list_are_read() {
    let cloud = Cloud::start().await;
    let all = cloud.capture("flavors")["body"]["flavors"].as_array().unwrap().clone();
    let page = |flavors: &[Value], next: Option<&str>| {
        let links = next.map(|marker| json!([{"rel": "next", "href": format!("http://internal:8774/?limit=3&marker={marker}")}]));
        ok(json!({"flavors": flavors, "flavors_links": links}))
    };
    for (marker, flavors, next) in
        [(None, &all[..3], Some("a")), (Some("a"), &all[3..6], Some("b")), (Some("b"), &all[6..], None)]
    {
        let mut mock = on("GET", FLAVORS).and(matchers::query_param("is_public", "None"));
        mock = match marker {
            None => mock.and(matchers::query_param_is_missing("marker")),
            Some(marker) => {
                mock.and(matchers::query_param("marker", marker)).and(matchers::query_param("limit", "3"))
            }
        };
        mock.respond_with(page(flavors, next)).with_priority(1).mount(&cloud.server).await;
    }
    let reading = cloud.read(&cloud.connection()).await;
    assert_eq!(names(&reading, "flavors").len(), all.len());
    assert_eq!(count(&cloud.server, &format!("GET {FLAVORS}")).await, 3);
}

#[tokio::test]
async fn an_older_nova_is_asked_for_each_flavors_extra_specs() {
    let cloud = Cloud::start().await;
    let t4 = cloud.capture("flavor-extra-specs");
    let old = cloud.capture("flavors-old");
    on("GET", FLAVORS)
        .and(matchers::header("x-openstack-nova-api-version", "2.61"))
        .respond_with(status(406))
        .with_priority(1)
        .mount(&cloud.server)
        .await;
    cloud.instead(FLAVORS, ok(&old["body"])).await;
    cloud.mount(&t4).await;
    // hidden by the site's policy
    let others = matchers::path_regex("^/8774/v2.1/flavors/.*/os-extra_specs$");
    wiremock::Mock::given(others).respond_with(status(403)).with_priority(9).mount(&cloud.server).await;
    let reading = cloud.read(&cloud.connection()).await;
    let flavors = items(&reading, "flavors");
    assert_eq!(flavors.len(), old["body"]["flavors"].as_array().unwrap().len());
    let gpus = |name: &str| flavors.iter().find(|flavor| flavor["name"] == name).unwrap()["gpus"].clone();
    assert_eq!([gpus("g1.t4"), gpus("g2.a100")], [json!(1), json!(0)]);
}

#[tokio::test]
async fn private_flavors_name_their_projects_as_far_as_they_are_known() {
    let cloud = Cloud::start().await;
    let flavor = "08fd262b-0e8e-4ebd-8583-6335ea1cbb60";
    let access = format!("/8774/v2.1/flavors/{flavor}/os-flavor-access");
    let projects = |reading: &Reading| {
        let flavors = items(reading, "flavors").iter();
        flavors.clone().find(|item| item["uuid"] == flavor).map(|item| item["projects"].clone())
    };
    assert_eq!(projects(&cloud.read(&cloud.connection()).await), Some(json!([BETA, ALPHA])));
    // newer policies hide the list from members
    let forbidden = cloud.capture("flavor-access-forbidden");
    cloud.instead(&access, status(403).set_body_json(&forbidden["body"])).await;
    assert_eq!(projects(&cloud.read(&cloud.connection()).await), Some(json!([ALPHA])));
    // an administrator sees the flavors of others
    let others = json!({"flavor_access": [{"flavor_id": flavor, "tenant_id": BETA}]});
    support::once_instead(&cloud.server, &access, ok(others)).await;
    assert_eq!(projects(&cloud.read(&cloud.connection()).await), None);
}

#[tokio::test]
async fn disabled_flavors_and_odd_values() {
    let cloud = Cloud::start().await;
    let flavors = json!({"flavors": [
        {"id": "1", "name": "off", "OS-FLV-DISABLED:disabled": true, "extra_specs": {}},
        {"id": "2", "name": "odd", "vcpus": "4", "ram": null, "swap": "", "description": null, "extra_specs": {
            "infiniband": "True", "resources:VGPU": "2", "gpu_model": "", "aggregate_instance_extra_specs:local_storage": "ssd",
        }},
    ]});
    cloud.instead(FLAVORS, ok(flavors)).await;
    let reading = cloud.read(&cloud.connection()).await;
    let expected = json!([{
        "name": "odd", "uuid": "2", "description": "", "vcpus": 4, "ram": 0, "disk": 0, "swap": 0, "ephemeral": 0,
        "gpus": 2, "infiniband": true, "local_storage": "ssd", "is_shared": true,
    }]);
    assert_eq!(json!(items(&reading, "flavors")), expected);
}

#[tokio::test]
async fn images_belong_to_their_owner_and_to_those_who_accepted_them() {
    let cloud = Cloud::start().await;
    let image = |id: &str, visibility: &str, owner: &str| json!({"id": id, "name": null, "status": "active", "visibility": visibility, "owner": owner});
    let found = json!({"images": [
        image("mine", "private", ALPHA),
        image("theirs", "private", BETA),
        image("accepted", "shared", BETA),
        image("pending", "shared", BETA),
        image("hidden", "shared", BETA),
        image("public", "public", BETA),
        image("community", "community", ALPHA),
    ]});
    cloud.instead(IMAGES, ok(found)).await;
    for (id, state) in [("accepted", "accepted"), ("pending", "pending")] {
        let members = json!({"members": [{"member_id": ALPHA, "status": state}, {"member_id": "x", "status": "rejected"}]});
        cloud.answer("GET", &format!("{IMAGES}/{id}/members"), ok(members)).await;
    }
    cloud.answer("GET", &format!("{IMAGES}/hidden/members"), status(403)).await;
    let reading = cloud.read(&cloud.connection()).await;
    let found: Vec<_> =
        items(&reading, "images").iter().map(|i| (i["name"].clone(), i.get("projects").cloned())).collect();
    let both = Some(json!([BETA, ALPHA]));
    let expected = [
        (json!("mine"), Some(json!([ALPHA]))),
        (json!("accepted"), both.clone()),
        (json!("hidden"), both),
        (json!("public"), None),
        (json!("community"), None),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn tags_choose_images_and_networks() {
    let cloud = Cloud::start().await;
    let mut connection = cloud.connection();
    connection.image_tags = vec!["egi".into(), "lts".into()];
    connection.network_tags = vec!["default".into()];
    let reading = cloud.read(&connection).await;
    assert_eq!(names(&reading, "images"), ["ubuntu-22.04"]);
    assert_eq!(names(&reading, "networks"), ["alpha-net"]);
    let seen = cloud.server.received_requests().await.unwrap();
    let images = seen.iter().find(|request| request.url.path() == IMAGES).unwrap();
    assert_eq!(images.url.query(), Some("status=active&tag=egi&tag=lts&limit=500"));
}

#[tokio::test]
async fn networks_that_are_not_active_not_ours_or_have_no_name() {
    let cloud = Cloud::start().await;
    let networks = json!({"networks": [
        {"id": "n1", "name": "", "status": "ACTIVE", "mtu": 0},
        {"id": "n2", "name": "down", "status": "DOWN", "mtu": 1500},
        // what an administrator sees besides
        {"id": "n3", "name": "theirs", "status": "ACTIVE", "project_id": BETA, "tenant_id": BETA},
        {"id": "n4", "name": "theirs, older", "status": "ACTIVE", "tenant_id": BETA},
    ]});
    cloud.instead(NETWORKS, ok(networks)).await;
    let reading = cloud.read(&cloud.connection()).await;
    let expected = json!([{
        "name": "n1", "uuid": "n1", "description": "", "is_router_external": false, "is_default": false, "tags": [],
        "is_shared": false, "projects": [ALPHA],
    }]);
    assert_eq!(json!(items(&reading, "networks")), expected);
}

#[tokio::test]
async fn a_neutron_that_tells_no_usage_tells_the_limits() {
    let cloud = Cloud::start().await;
    let plain = cloud.capture("network-quota-plain");
    cloud.instead(&format!("/9696/v2.0/quotas/{ALPHA}/details"), status(404)).await;
    cloud.mount(&plain).await;
    let reading = cloud.read(&cloud.connection()).await;
    let expected = json!([{
        "project": ALPHA, "usage": false, "public_ips": 20, "networks": 40, "ports": 400, "security_groups": 40,
        "security_group_rules": 400,
    }]);
    assert_eq!(json!(items(&reading, "network quotas")), expected);
}

#[tokio::test]
async fn accounts_without_quota_are_unlimited_and_s3_tells_nothing() {
    let cloud = Cloud::start().await;
    let s3 = format!("{}/8443", cloud.server.uri());
    cloud
        .with_catalog(|catalog| {
            let endpoint = json!({"interface": "public", "region": "RegionOne", "url": s3.clone()});
            catalog.push(json!({"type": "s3", "endpoints": [endpoint]}));
        })
        .await;
    let account = status(200)
        .insert_header("X-Account-Bytes-Used", "5")
        .insert_header("X-Account-Meta-Quota-Bytes", "none");
    instead(&cloud.server, "HEAD", &format!("/8080/v1/AUTH_{ALPHA}"), account).await;
    let reading = cloud.read(&cloud.connection()).await;
    let Listing::Complete(services) = &reading.services else { panic!("{reading:?}") };
    let stores: Vec<_> =
        services.iter().filter(|service| service.name.starts_with("org.openstack.swift")).collect();
    let unlimited = json!({"project": ALPHA, "usage": false, "bytes": -1, "containers": -1, "objects": -1});
    let quotas = |place: usize| match &stores[place].lists[0].1 {
        Listing::Complete(items) => json!(items),
        other => panic!("{other:?}"),
    };
    assert_eq!(quotas(0), json!([unlimited, {"project": ALPHA, "usage": true, "bytes": 5}]));
    assert_eq!((stores[1].name, &stores[1].endpoint), ("org.openstack.swift-s3", &s3));
    assert_eq!(quotas(1), json!([unlimited]));
    support::check_by_schema("openstack", &reading);
}

#[tokio::test]
async fn what_the_catalog_does_not_name_is_absent() {
    let cloud = Cloud::start().await;
    cloud.with_catalog(without("image")).await;
    assert_eq!(*list(&cloud.read(&cloud.connection()).await, "images"), Listing::Absent);
    // RegionTwo has no object store
    let mut connection = cloud.connection();
    connection.region = "RegionTwo".into();
    let reading = cloud.read(&connection).await;
    let Listing::Complete(services) = &reading.services else { panic!("{reading:?}") };
    let addresses: Vec<_> =
        services.iter().map(|service| service.endpoint.replace(&cloud.server.uri(), "")).collect();
    assert_eq!(addresses, ["/18774/v2.1", "/19696", "/18776/v3"]);
}

#[tokio::test]
async fn a_region_that_the_catalog_does_not_know_is_not_a_region_without_services() {
    let cloud = Cloud::start().await;
    let mut connection = cloud.connection();
    connection.region = "RegionTree".into();
    let reading = cloud.read(&connection).await;
    let fault = support::fault_of(&reading.services);
    assert_eq!(fault.class, FaultClass::Configuration);
    assert_eq!(
        fault.to_string(),
        "catalog: it has no region RegionTree, but RegionOne, RegionTwo: correct `regions[].name` in the provider file"
    );
    cloud.with_catalog(Vec::clear).await;
    let reading = cloud.read(&cloud.connection()).await;
    assert!(support::fault_of(&reading.services).why.starts_with("it is empty"), "{reading:?}");
}

#[tokio::test]
async fn a_project_that_members_may_not_read_has_the_name_that_its_token_gives() {
    let cloud = Cloud::start().await;
    cloud.instead(&format!("/5000/v3/projects/{ALPHA}"), status(403)).await;
    let reading = cloud.read(&cloud.connection()).await;
    let Listing::Complete(project) = &reading.project else { panic!("{reading:?}") };
    assert_eq!(json!(project), json!({"name": "proj-alpha", "uuid": ALPHA}));
}
