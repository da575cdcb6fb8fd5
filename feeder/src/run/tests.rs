use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{Plan, Reader, Readers, run};
use crate::gate::Overall;
use crate::inventory::{Connection, Inventory, Provider};
use crate::limits::Limits;
use crate::observer::{Event, Observer, Silent};
use crate::publish::Registry;
use crate::reading::{Item, Listing, Reading};
use crate::report::{Outcome, Report};
use crate::testing::{self, plan};

/// A registry that keeps what it is sent and says whether that changed.
#[derive(Clone, Default)]
struct Kept {
    bodies: Arc<Mutex<BTreeMap<String, Value>>>,
    records: Arc<Mutex<Vec<Value>>>,
    fence: Arc<AtomicUsize>,
}

impl Kept {
    fn answer(outcome: &str) -> ResponseTemplate {
        ResponseTemplate::new(200).set_body_json(json!({
            "uid": "u", "outcome": outcome, "added": 0, "changed": 0, "removed": 0, "held_back": null,
            "status": "active", "recorded": outcome != "not_modified", "digest": "d",
        }))
    }
}

impl Respond for Kept {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut kept = self.bodies.lock().unwrap();
        let body = || request.body_json::<Value>().unwrap();
        let asked: BTreeMap<_, _> = request.url.query_pairs().collect();
        let dry = asked.contains_key("dry_run");
        let fence = self.fence.load(Ordering::Relaxed);
        let path = request.url.path().to_owned();
        if !dry
            && path.starts_with("/feeder")
            && path != "/feeder/lease"
            && asked.get("fence").map(|fence| fence.parse().unwrap()) != Some(fence)
        {
            return ResponseTemplate::new(412)
                .set_body_json(json!({"detail": "another feeder has taken over"}));
        }
        match (request.method.as_str(), path.as_str()) {
            ("GET", "/providers") => {
                let listed = kept.iter().map(|(uid, body)| {
                    json!({"uid": uid, "name": body["document"]["name"], "type": body["document"]["type"]})
                });
                ResponseTemplate::new(200).set_body_json(listed.collect::<Vec<_>>())
            }
            ("PUT", "/feeder/lease") => {
                let fence = self.fence.fetch_add(1, Ordering::Relaxed) + 1;
                let lease = json!({"holder": "h", "fence": fence, "expires": "2026-01-01T00:00:00Z"});
                ResponseTemplate::new(200).set_body_json(lease)
            }
            ("PUT", "/feeder/providers") => {
                let body = body();
                let uid = format!("uid-{}", body["document"]["name"].as_str().unwrap());
                let outcome = match kept.get(&uid) {
                    None => "created",
                    Some(old) if old["document"] == body["document"] => "not_modified",
                    Some(_) => "updated",
                };
                if !dry {
                    kept.insert(uid, body);
                }
                Self::answer(outcome)
            }
            ("PUT", run) if run.starts_with("/feeder/runs/") => {
                self.records.lock().unwrap().push(body());
                ResponseTemplate::new(204)
            }
            ("DELETE", provider) if provider.starts_with("/feeder/providers/") => {
                if !dry {
                    kept.remove(provider.trim_start_matches("/feeder/providers/"));
                }
                Self::answer("removed")
            }
            _ => ResponseTemplate::new(405),
        }
    }
}

struct Bench {
    server: MockServer,
    kept: Kept,
}

impl Bench {
    async fn new() -> Self {
        let (server, kept) = (MockServer::start().await, Kept::default());
        Mock::given(wiremock::matchers::any()).respond_with(kept.clone()).mount(&server).await;
        Self { server, kept }
    }

    fn names(&self) -> Vec<String> {
        self.kept.bodies.lock().unwrap().keys().map(|uid| uid.trim_start_matches("uid-").to_owned()).collect()
    }

    async fn writes(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        let is_write = |request: &&Request| {
            request.method.as_str() != "GET" && !request.url.query().unwrap_or_default().contains("dry_run")
        };
        requests.iter().filter(is_write).count()
    }

    async fn run(&self, inventory: Inventory, cloud: &Cloud, plan: Plan) -> Report {
        self.observed(inventory, cloud, plan, Arc::new(Silent), CancellationToken::new()).await
    }

    async fn observed(
        &self,
        inventory: Inventory,
        cloud: &Cloud,
        plan: Plan,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Report {
        let registry = Registry::new(&self.server.uri(), None, plan.limits.clone()).unwrap();
        run(inventory, registry, cloud, plan, observer, cancel).await.unwrap()
    }
}

fn inventory(names: &[&str]) -> Inventory {
    testing::inventory(&testing::file(names, 2, 2))
}

/// Clouds that answer at once, unless told otherwise.
#[derive(Clone, Default)]
struct Cloud {
    broken: Option<&'static str>,
    /// All projects of the broken one.
    all: bool,
    cores: i64,
    /// Reading waits for a permit.
    wait: Option<Arc<Semaphore>>,
    under_way: Arc<Mutex<BTreeMap<String, usize>>>,
    most: Arc<Mutex<(usize, usize)>>,
    read: Arc<AtomicUsize>,
}

impl Readers for Cloud {
    fn reader(&self, _: &Provider) -> Box<dyn Reader> {
        Box::new(self.clone())
    }
}

impl Cloud {
    fn count(&self, provider: &str, up: bool) {
        let mut under_way = self.under_way.lock().unwrap();
        let own = under_way.entry(provider.to_owned()).or_default();
        if up {
            *own += 1;
        } else {
            *own -= 1;
        }
        let (own, all) = (*own, under_way.values().sum());
        let mut most = self.most.lock().unwrap();
        *most = (most.0.max(own), most.1.max(all));
    }
}

#[async_trait]
impl Reader for Cloud {
    async fn read(&self, connection: &Connection) -> Reading {
        self.count(&connection.provider, true);
        match &self.wait {
            Some(wait) => wait.acquire().await.unwrap().forget(),
            None => tokio::task::yield_now().await,
        }
        self.count(&connection.provider, false);
        self.read.fetch_add(1, Ordering::Relaxed);
        let quota = testing::item(json!({"project": connection.project_id, "cores": self.cores}));
        let mut reading =
            testing::reading(connection, vec![("quotas", vec![quota]), ("flavors", Vec::<Item>::new())]);
        if self.broken == Some(connection.provider.as_str()) && (self.all || connection.project_id == "p1") {
            reading.services = Listing::Unknown(testing::timeout());
        }
        reading
    }
}

fn outcomes(report: &Report) -> Vec<(&str, Outcome)> {
    report.providers.iter().map(|provider| (provider.key.name.as_str(), provider.outcome)).collect()
}

#[tokio::test]
async fn created_then_not_modified_then_updated_then_removed() {
    let bench = Bench::new().await;
    let cloud = Cloud { cores: 10, ..Cloud::default() };
    let both = || inventory(&["site-a", "site-b"]);
    let report = bench.run(both(), &cloud, plan()).await;
    assert_eq!(outcomes(&report), [("site-a", Outcome::Created), ("site-b", Outcome::Created)]);
    assert!(!report.failed());
    assert_eq!((report.providers[0].connections, report.providers[0].counts.quotas), (4, 4));

    let report = bench.run(both(), &cloud, plan()).await;
    assert_eq!(outcomes(&report), [("site-a", Outcome::NotModified), ("site-b", Outcome::NotModified)]);

    let more = Cloud { cores: 20, ..cloud };
    let report = bench.run(both(), &more, plan()).await;
    assert_eq!(outcomes(&report), [("site-a", Outcome::Updated), ("site-b", Outcome::Updated)]);

    let report = bench.run(inventory(&["site-b"]), &more, plan()).await;
    assert_eq!(outcomes(&report), [("site-a", Outcome::Removed), ("site-b", Outcome::NotModified)]);
    assert_eq!(bench.names(), ["site-b"]);
}

#[tokio::test]
async fn what_could_not_be_read_is_told_and_the_rest_is_sent() {
    let bench = Bench::new().await;
    let good = Cloud { cores: 10, ..Cloud::default() };
    bench.run(inventory(&["site-a", "site-b"]), &good, plan()).await;

    let broken = Cloud { cores: 20, broken: Some("site-a"), ..Cloud::default() };
    let report = bench.run(inventory(&["site-a", "site-b"]), &broken, plan()).await;
    assert_eq!(outcomes(&report), [("site-a", Outcome::Updated), ("site-b", Outcome::Updated)]);
    assert!(report.failed(), "somebody must look");
    let faults: Vec<_> = report.providers[0].faults.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        faults,
        [
            "region R0, project p1: GET /flavors/detail: no answer within 30 s",
            "region R1, project p1: GET /flavors/detail: no answer within 30 s"
        ]
    );
    let sent = bench.kept.bodies.lock().unwrap()["uid-site-a"].clone();
    let unread = |region: &str| {
        let reason = "GET /flavors/detail: no answer within 30 s";
        json!({"region": region, "project": "p1", "class": "timeout", "reason": reason})
    };
    assert_eq!(sent["read"]["unread"], json!([unread("R0"), unread("R1")]));
    let quotas = |sent: &Value| sent["document"]["regions"][0]["compute_services"][0]["quotas"].clone();
    assert_eq!(quotas(&sent), json!([{"project": "p0", "cores": 20}]), "only what was read");

    let records = bench.kept.records.lock().unwrap();
    let record = &records[1];
    assert_eq!((&record["failed"], &record["trigger"]), (&json!(true), &json!("once")));
    assert_eq!(record["providers"][0]["unread"], sent["read"]["unread"]);
    assert!(record["finished"].as_str() >= record["started"].as_str());
}

#[tokio::test]
async fn a_new_provider_of_which_nothing_can_be_read_is_not_sent() {
    let bench = Bench::new().await;
    let broken = Cloud { broken: Some("site-a"), ..Cloud::default() };
    let one = || inventory(&["site-a"]);
    let report = bench.run(one(), &Cloud { all: true, ..broken.clone() }, plan()).await;
    assert_eq!(outcomes(&report), [("site-a", Outcome::Failed)]);
    assert_eq!(bench.names(), [""; 0]);
    bench.run(one(), &broken, plan()).await;
    let report = bench.run(one(), &Cloud { all: true, ..broken }, plan()).await;
    assert_ne!(outcomes(&report), [("site-a", Outcome::Failed)], "what is there is marked");
}

#[tokio::test]
async fn a_run_whose_lease_is_lost_writes_nothing_more() {
    let bench = Bench::new().await;
    bench.run(inventory(&["a"]), &Cloud::default(), plan()).await;
    let cloud = Cloud { cores: 7, wait: Some(Arc::new(Semaphore::new(0))), ..Cloud::default() };
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let gate = cloud.wait.clone().unwrap();
    let cancel = CancellationToken::new();
    let running = bench.observed(inventory(&["a"]), &cloud, plan(), Arc::new(Told(tell)), cancel);
    let other = async {
        while told.recv().await.as_deref() != Some("a starts 4") {}
        bench.kept.fence.fetch_add(1, Ordering::Relaxed);
        gate.add_permits(4);
    };
    let (report, ()) = tokio::join!(running, other);
    assert_eq!(outcomes(&report), [("a", Outcome::Failed)]);
    let why = &report.providers[0].faults[0].message;
    assert!(why.contains("another feeder has taken over"), "{why}");
    let kept = bench.kept.bodies.lock().unwrap()["uid-a"].clone();
    assert_eq!(kept["document"]["regions"][0]["compute_services"][0]["quotas"][0]["cores"], 0);
}

#[tokio::test]
async fn a_provider_with_a_faulty_entry_fails_and_is_not_removed() {
    let bench = Bench::new().await;
    let cloud = Cloud::default();
    bench.run(inventory(&["site-a", "site-b", "site-c"]), &cloud, plan()).await;

    let text = testing::file(&["site-a", "site-b"], 2, 2).replacen("sla: sla1", "sla: unknown", 1);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.config.yaml"), text).unwrap();
    let inventory = crate::inventory::load_with(folder.path(), &|_| Some("t".to_owned()));
    let report = bench.run(inventory, &cloud, plan()).await;
    assert_eq!(outcomes(&report), [("site-a", Outcome::Failed), ("site-b", Outcome::NotModified)]);
    assert!(
        report.providers[0].faults[0].message.contains("no user group"),
        "{:?}",
        report.providers[0].faults
    );
    assert!(report.kept.as_ref().is_some_and(|kept| kept.contains("site-c")), "{:?}", report.kept);
    assert!(report.failed());
    assert_eq!(bench.names(), ["site-a", "site-b", "site-c"]);
}

#[tokio::test]
async fn files_that_say_nothing_leave_a_record_that_says_so_and_remove_nothing() {
    let bench = Bench::new().await;
    bench.run(inventory(&["site-a"]), &Cloud::default(), plan()).await;
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("providers.yaml");
    let text = testing::file(&[], 0, 1).replace("openstack:\n", "openstack: []\n");
    std::fs::write(&empty, text.replace("projects:\n", "")).unwrap();
    for (files, says) in [
        (std::path::Path::new("/nowhere/providers.yaml"), "there is no such file"),
        (&empty, "no provider is named here"),
    ] {
        let inventory = crate::inventory::load_with(files, &|_| Some("t".to_owned()));
        let report = bench.run(inventory, &Cloud::default(), plan()).await;
        assert!(report.failed());
        assert!(report.to_string().contains("1 faults in the provider files"), "{report}");
        assert!(report.kept.as_ref().is_some_and(|kept| kept.contains("site-a")), "{:?}", report.kept);
        let record = bench.kept.records.lock().unwrap().pop().unwrap();
        assert_eq!((&record["failed"], &record["providers"]), (&json!(true), &json!([])));
        let told = record["configuration"][0]["message"].as_str().unwrap();
        assert!(told.contains(says), "{told}");
    }
    assert_eq!(bench.names(), ["site-a"]);
}

#[tokio::test]
async fn a_run_that_would_remove_much_says_so_until_it_is_confirmed() {
    let bench = Bench::new().await;
    let cloud = Cloud::default();
    bench.run(inventory(&["a", "b", "c"]), &cloud, plan()).await;
    let report = bench.run(inventory(&["a"]), &cloud, plan()).await;
    assert!(report.failed());
    insta::assert_snapshot!("kept", report.kept.unwrap());
    assert_eq!(bench.names(), ["a", "b", "c"]);

    let report = bench.run(inventory(&["a"]), &cloud, Plan { confirm_removals: true, ..plan() }).await;
    assert!(!report.failed());
    assert_eq!(bench.names(), ["a"]);
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let bench = Bench::new().await;
    let cloud = Cloud::default();
    bench.run(inventory(&["a", "b", "c"]), &cloud, plan()).await;
    let before = bench.writes().await;
    let report = bench.run(inventory(&["a", "b", "d"]), &cloud, Plan { dry_run: true, ..plan() }).await;
    assert_eq!(
        outcomes(&report),
        [
            ("a", Outcome::NotModified),
            ("b", Outcome::NotModified),
            ("c", Outcome::WouldRemove),
            ("d", Outcome::WouldCreate)
        ]
    );
    assert_eq!(bench.writes().await, before);
}

/// Keeps what it is told, and lets a test wait for it.
struct Told(tokio::sync::mpsc::UnboundedSender<String>);

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        let told = match event {
            Event::RunStarted { providers, connections } => format!("start {providers} {connections}"),
            Event::ProviderStarted { provider, connections } => {
                format!("{} starts {connections}", provider.name)
            }
            Event::ConnectionRead { provider, done, of, .. } => format!("{} {done}/{of}", provider.name),
            Event::Merged { provider, counts, .. } => {
                format!("{} merged {}", provider.key.name, counts.quotas)
            }
            Event::Published { provider, outcome } => format!("{} {outcome}", provider.name),
            Event::ProviderFinished(report) => format!("{} ends {}", report.key.name, report.outcome),
            Event::RunFinished(report) => format!("end {}", report.providers.len()),
            other => format!("{other:?}"),
        };
        self.0.send(told).unwrap();
    }
}

#[tokio::test]
async fn it_tells_how_far_it_is() {
    let bench = Bench::new().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    bench
        .observed(
            inventory(&["a"]),
            &Cloud::default(),
            plan(),
            Arc::new(Told(tell)),
            CancellationToken::new(),
        )
        .await;
    let mut lines = Vec::new();
    while let Ok(line) = told.try_recv() {
        lines.push(line);
    }
    assert_eq!(
        lines,
        [
            "start 1 4",
            "a starts 4",
            "a 1/4",
            "a 2/4",
            "a 3/4",
            "a 4/4",
            "a merged 4",
            "a created",
            "a ends created",
            "end 1"
        ]
    );
}

#[tokio::test]
async fn no_more_at_once_than_allowed() {
    let bench = Bench::new().await;
    let cloud = Cloud::default();
    bench.run(inventory(&["a", "b", "c"]), &cloud, plan()).await;
    assert_eq!(
        *cloud.most.lock().unwrap(),
        (2, 6),
        "of one provider; of all three, which have one each anyway"
    );
    assert_eq!(cloud.read.load(Ordering::Relaxed), 12);
}

#[tokio::test]
async fn a_run_that_is_cancelled_ends_at_once_and_removes_nothing() {
    let bench = Bench::new().await;
    bench.run(inventory(&["a", "gone"]), &Cloud::default(), plan()).await;
    let before = bench.writes().await;
    let cancel = CancellationToken::new();
    let cloud = Cloud { wait: Some(Arc::new(Semaphore::new(1))), ..Cloud::default() };
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let running = bench.observed(inventory(&["a"]), &cloud, plan(), Arc::new(Told(tell)), cancel.clone());
    let stop = async {
        while told.recv().await.as_deref() != Some("a 1/4") {}
        cancel.cancel();
    };
    let (report, ()) = tokio::join!(running, stop);
    assert_eq!(outcomes(&report), [("a", Outcome::Skipped)]);
    assert!(report.interrupted && report.failed());
    assert_eq!(bench.writes().await, before + 2, "the lease and the record");
    assert_eq!(bench.names(), ["a", "gone"]);
}

#[tokio::test]
async fn a_reader_that_hangs_is_given_up() {
    let provider = testing::provider(1, 1);
    let cloud = Cloud { wait: Some(Arc::new(Semaphore::new(0))), ..Cloud::default() };
    let shared = super::Shared {
        writes: tokio::sync::Semaphore::new(1),
        plan: Plan { limits: Limits { connection: Duration::from_secs(1), ..plan().limits }, ..plan() },
        registry: Arc::new(Registry::new("http://127.0.0.1:1", None, plan().limits).unwrap()),
        fence: None,
        stored: Vec::new(),
        connections: Overall::new(1),
        observer: Arc::new(Silent),
        cancel: CancellationToken::new(),
    };
    let readings = super::read(&provider, &cloud, &shared).await.unwrap();
    let Listing::Unknown(fault) = &readings[0].services else { panic!("{readings:?}") };
    assert_eq!(fault.to_string(), "connection: it took longer than 1.1 s");
}

/// Settings over the sample file, and a registry that is not there.
fn without_registry() -> crate::Settings {
    serde_json::from_value(json!({
        "providers": concat!(env!("CARGO_MANIFEST_DIR"), "/../providers.yaml"),
        "registry": "http://127.0.0.1:1/api/v1",
        "limits": {"retries": 0},
    }))
    .unwrap()
}

#[tokio::test]
async fn without_a_registry_no_cloud_is_asked() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let result = crate::run_once(&without_registry(), Arc::new(Told(tell)), CancellationToken::new()).await;
    let error = result.unwrap_err().to_string();
    assert!(error.starts_with("the registry at http://127.0.0.1:1/api/v1 cannot be reached"), "{error}");
    assert!(told.recv().await.unwrap().starts_with("RunFailed"));
    assert_eq!(told.recv().await, None, "nothing was started before");
}

#[tokio::test]
async fn without_a_schedule_it_runs_once_and_a_wrong_one_is_told_at_once() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let finished = move |result: Result<Report, crate::Error>| tell.send(result.is_err()).unwrap();
    let silent = || Arc::new(Silent) as Arc<dyn Observer>;
    let ended =
        crate::run_scheduled(without_registry(), None, silent(), CancellationToken::new(), finished).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(told.recv().await, Some(true));
    assert_eq!(told.recv().await, None);

    let settings = crate::Settings { schedule: Some("hourly".to_owned()), ..without_registry() };
    let ended =
        crate::run_scheduled(settings, None, silent(), CancellationToken::new(), |_| panic!("it ran")).await;
    assert!(ended.unwrap_err().to_string().contains("write five fields"));
}
