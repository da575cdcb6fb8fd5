//! A server that answers with captures, connections to it, and readings as JSON.

use std::{sync::Arc, time::Duration};

use feeder::{
    inventory::{Agreement, Connection, Credentials, ProjectProperties, ProviderKind, Site},
    limits::Limits,
    reading::{Fault, FaultClass, Item, Listing, Reading, ServiceType},
};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

/// Patient enough for a busy machine, but soon done with what fails.
pub fn limits() -> Limits {
    Limits { retries: 1, pause: Duration::from_millis(1), ..Limits::default() }
}

/// Gives up soon. Answers that must be late come later than any test runs.
pub fn impatient() -> Limits {
    Limits { request: Duration::from_millis(300), retries: 0, ..limits() }
}

pub const NEVER: Duration = Duration::from_mins(10);

pub fn connection(
    kind: ProviderKind,
    auth_url: String,
    region: &str,
    project: &str,
    credentials: Credentials,
) -> Connection {
    Connection {
        provider: "SITE".into(),
        kind,
        site: Arc::new(Site { auth_url, ..Site::default() }),
        region: region.into(),
        project_id: project.into(),
        credentials,
        image_tags: vec![],
        network_tags: vec![],
        volume_types: Map::new(),
        properties: ProjectProperties::default(),
        agreement: Agreement {
            issuer: "https://iam.example.org/".into(),
            user_group: "g1".into(),
            doc_uuid: "d1".into(),
        },
        asked: None,
    }
}

/// What the provider file says of the site, to change it.
pub fn site(connection: &mut Connection) -> &mut Site {
    Arc::make_mut(&mut connection.site)
}

/// A file of `fixtures/`, its addresses (`http://127.0.0.1:PORT`) replaced by those of the server.
pub fn fixture(name: &str, server: &MockServer) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text.replace("http://127.0.0.1:", &format!("{}/", server.uri()))).unwrap()
}

/// Answers a request; later ones come before earlier ones.
pub async fn answer(server: &MockServer, method: &str, path: &str, answer: ResponseTemplate) {
    on(method, path).respond_with(answer).with_priority(5).mount(server).await;
}

/// Answers a request in place of what is there already.
pub async fn instead(server: &MockServer, method: &str, path: &str, answer: ResponseTemplate) {
    on(method, path).respond_with(answer).with_priority(2).mount(server).await;
}

/// The same, so many times; then what was there before.
pub async fn once_instead(server: &MockServer, path: &str, answer: ResponseTemplate) {
    on("GET", path).respond_with(answer).up_to_n_times(1).with_priority(1).mount(server).await;
}

pub fn on(method: &str, path: &str) -> wiremock::MockBuilder {
    Mock::given(matchers::method(method)).and(matchers::path(path))
}

pub fn ok(body: impl serde::Serialize) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

pub fn status(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status)
}

/// Requests that the server has seen, `GET /path`.
pub async fn requests(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().map(|request| format!("{} {}", request.method, request.url.path())).collect()
}

pub async fn count(server: &MockServer, request: &str) -> usize {
    requests(server).await.iter().filter(|seen| *seen == request).count()
}

/// A server that promises a body and closes in the middle of it.
pub async fn half_a_body() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => break,
                }
            }
            let half = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{\"networks\": [], \"items\": [";
            let _ = stream.write_all(half.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

/// An address where nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A reading for snapshots: what is known, and what is not and why. The server's address is `http://cloud`.
pub fn shown(reading: &Reading, server: &MockServer) -> Value {
    let services = listed(&reading.services, |services| {
        let service = |service: &feeder::reading::ServiceReading| {
            let lists: Map<_, _> = service
                .lists
                .iter()
                .map(|(name, list)| ((*name).to_owned(), listed(list, |items| json!(items))))
                .collect();
            json!({"kind": format!("{:?}", service.kind), "endpoint": service.endpoint, "name": service.name, "lists": lists})
        };
        services.iter().map(service).collect()
    });
    let shown = json!({
        "region": reading.region,
        "project_id": reading.project_id,
        "project": listed(&reading.project, |project| json!(project)),
        "services": services,
    });
    serde_json::from_str(&shown.to_string().replace(&server.uri(), "http://cloud")).unwrap()
}

fn listed<T>(list: &Listing<T>, show: impl Fn(&T) -> Value) -> Value {
    match list {
        Listing::Complete(known) => show(known),
        Listing::Absent => json!("absent"),
        Listing::Unknown(fault) => json!(format!("unknown, {:?}: {fault}", fault.class)),
    }
}

/// All lists of a reading by name: `flavors`, `compute quotas`.
pub fn lists(reading: &Reading) -> Vec<(String, &Listing<Vec<Item>>)> {
    let Listing::Complete(services) = &reading.services else {
        panic!("no services: {:?}", reading.services)
    };
    let lists = services.iter().flat_map(|service| {
        let kind = match service.kind {
            ServiceType::BlockStorage => "volume",
            ServiceType::Compute => "compute",
            ServiceType::Identity => "identity",
            ServiceType::Network => "network",
            ServiceType::ObjectStore => "object",
        };
        let name =
            move |list: &str| if list == "quotas" { format!("{kind} {list}") } else { list.to_owned() };
        service.lists.iter().map(move |(list, listing)| (name(list), listing))
    });
    lists.collect()
}

pub fn list<'r>(reading: &'r Reading, name: &str) -> &'r Listing<Vec<Item>> {
    let found = lists(reading).into_iter().find(|(list, _)| list == name);
    found.unwrap_or_else(|| panic!("no {name} in {reading:?}")).1
}

pub fn items<'r>(reading: &'r Reading, name: &str) -> &'r [Item] {
    match list(reading, name) {
        Listing::Complete(items) => items,
        other => panic!("{name}: {other:?}"),
    }
}

pub fn names(reading: &Reading, list: &str) -> Vec<String> {
    items(reading, list).iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

pub fn fault_of<T: std::fmt::Debug>(listing: &Listing<T>) -> &Fault {
    match listing {
        Listing::Unknown(fault) => fault,
        other => panic!("not unknown: {other:?}"),
    }
}

/// Names of the lists that are unknown, with their class.
pub fn unknown(reading: &Reading) -> Vec<(String, FaultClass)> {
    let class = |(name, listing): (String, &Listing<_>)| match listing {
        Listing::Unknown(fault) => Some((name, fault.class)),
        _ => None,
    };
    lists(reading).into_iter().filter_map(class).collect()
}

/// Puts a reading into a provider document and lets the schema judge it.
pub fn check_by_schema(kind: &str, reading: &Reading) {
    let Listing::Complete(project) = &reading.project else { panic!("no project: {:?}", reading.project) };
    let Listing::Complete(services) = &reading.services else {
        panic!("no services: {:?}", reading.services)
    };
    let mut region = json!({"name": reading.region});
    for service in services {
        let key = match service.kind {
            ServiceType::BlockStorage => "block_storage_services",
            ServiceType::Compute => "compute_services",
            ServiceType::Identity => "identity_services",
            ServiceType::Network => "network_services",
            ServiceType::ObjectStore => "object_store_services",
        };
        let mut document = json!({"endpoint": service.endpoint, "name": service.name});
        for (name, list) in &service.lists {
            if let Listing::Complete(items) = list {
                document[*name] = json!(
                    items.iter().map(|item| only_project(item, &reading.project_id)).collect::<Vec<_>>()
                );
            }
        }
        match &mut region[key] {
            Value::Array(services) => services.push(document),
            place => *place = json!([document]),
        }
    }
    let document = json!({"name": "SITE", "type": kind, "projects": [project], "regions": [region]});
    let strict = schema::document::Reading { lenient: false };
    if let Err(faults) = schema::document::provider(schema::Schema::get(), &document, strict, &[]) {
        panic!("{faults:#?}");
    }
}

/// The merge leaves out projects that the federation does not have.
fn only_project(item: &Item, project: &str) -> Item {
    let mut item = item.clone();
    if let Some(Value::Array(projects)) = item.get_mut("projects") {
        projects.retain(|other| other == project);
    }
    item
}
