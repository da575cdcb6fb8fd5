//! The feeder as a daemon, as its own process: two of them by mistake, changed files and settings, runs on request.

use crate::parts::Parts;
use serde_json::{Value as Json, json};
use simulator::{Fault, Params};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_mins(1);

/// `fedreg feed` on a schedule that does not come while a test runs.
struct Daemon {
    child: Child,
    settings: PathBuf,
    log: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(parts: &Parts, name: &str) -> Json {
    json!({
        "providers": parts.files(), "registry": parts.url, "token": parts.admin, "name": name,
        "schedule": "0 0 1 1 *", "poll_seconds": 1, "lease_seconds": 5, "limits": { "retries": 0 },
    })
}

fn write(file: &Path, feeder: &Json) {
    std::fs::write(file, json!({ "feeder": feeder }).to_string()).unwrap();
}

impl Daemon {
    fn start(parts: &Parts, name: &str) -> Self {
        let file = |suffix: &str| parts.folder.path().join(format!("{name}.{suffix}"));
        let (settings_file, log) = (file("yaml"), file("log"));
        write(&settings_file, &settings(parts, name));
        let child = Command::new(env!("CARGO_BIN_EXE_fedreg"))
            .args(["feed", "--json", "--config"])
            .arg(&settings_file)
            .stdout(std::process::Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, settings: settings_file, log }
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn says(&self, what: &str) {
        until(&format!("{} says {what:?}", self.log.display()), async || {
            self.said().contains(what).then_some(())
        })
        .await;
    }

    /// Ends it as an operator does.
    async fn stop(mut self) {
        self.signal("TERM");
        let status = until("the end", async || self.child.try_wait().unwrap()).await;
        assert!(status.code().is_some(), "{status}: it ends by itself");
    }
}

/// Waits for something.
async fn until<T>(what: &str, mut there: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = there().await {
            return found;
        }
        assert!(began.elapsed() < LONG, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The first of the newest records that fits.
async fn run(parts: &Parts, what: &str, fits: impl Fn(&Json) -> bool) -> Json {
    until(what, async || {
        let runs = parts.get("/feeder/runs").await["runs"].clone();
        runs.as_array().unwrap().iter().find(|run| fits(run)).cloned()
    })
    .await
}

fn by(trigger: &'static str) -> impl Fn(&Json) -> bool {
    move |run| run["trigger"] == trigger
}

fn small() -> Params {
    Params { openstack: 2, kubernetes: 0, regions: 1, projects: 1, ..Params::tiny() }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_feeders_one_waits_says_so_and_takes_over_when_the_other_is_killed() {
    let parts = Parts::start(small()).await;
    let sites = parts.sites.sites();
    for site in sites {
        site.faults().set("", Fault::Hang);
    }
    let mut first = Daemon::start(&parts, "first");
    let holder = async |name: &str| {
        until(&format!("{name} has the lease"), async || {
            let lease = parts.get("/feeder/lease").await;
            (lease["holder"] == name).then_some(lease)
        })
        .await
    };
    let before = holder("first").await;
    let second = Daemon::start(&parts, "second");
    second.says("waiting: the feeder first has the lease until").await;
    assert_eq!(holder("first").await["fence"], before["fence"]);
    assert_eq!(parts.get("/feeder/runs").await["runs"], json!([]));

    first.child.kill().unwrap();
    first.child.wait().unwrap();
    for site in sites {
        site.faults().clear();
    }
    assert_eq!(holder("second").await["fence"], before["fence"].as_u64().unwrap() + 1);
    let run = run(&parts, "the second one's run", |run| run["holder"] == "second").await;
    assert_eq!((&run["failed"], &run["outcomes"]), (&json!(false), &json!({ "created": 2 })), "{run}");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_files_settings_signals_and_requests() {
    let parts = Parts::start(small()).await;
    let name = parts.sites.sites()[0].provider().name.clone();
    let daemon = Daemon::start(&parts, "feeder");
    let first = run(&parts, "a run at the start", by("start")).await;
    assert_eq!(first["failed"], false, "{first}");
    let before = parts.whole(&name).await;
    let good = std::fs::read_to_string(parts.files()).unwrap();

    // a broken entry, then no YAML at all: told, and the last good ones go on
    for broken in [good.replacen("status: \"active\"", "status: \"actve\"", 1), "openstack: [".to_owned()] {
        let seen = parts.get("/feeder/runs").await["runs"].as_array().unwrap().len();
        std::fs::write(parts.files(), broken).unwrap();
        until("a run for the broken file", async || {
            let runs = parts.get("/feeder/runs").await["runs"].clone();
            (runs.as_array().unwrap().len() > seen).then_some(())
        })
        .await;
        let told = parts.get("/feeder/runs").await["runs"][0].clone();
        assert_eq!((&told["trigger"], &told["failed"]), (&json!("files"), &json!(true)), "{told}");
        assert_eq!(told["outcomes"], json!({ "not_modified": 2 }), "{told}");
        assert!(told["configuration"][0]["message"].as_str().unwrap().contains("providers.yaml"), "{told}");
        assert_eq!(parts.whole(&name).await, before);
    }
    assert!(
        daemon.said().contains("ERROR") && daemon.said().contains("provider files: "),
        "{}",
        daemon.said()
    );
    std::fs::write(
        parts.files(),
        good.replacen("is_public: ", "description: \"mended\"\n    is_public: ", 1),
    )
    .unwrap();
    run(&parts, "a run for the mended file", |run| run["trigger"] == "files" && run["failed"] == false).await;
    assert_eq!(parts.named("/providers", &name).await["description"], "mended");

    daemon.signal("USR1");
    run(&parts, "a run by signal", by("signal")).await;
    let (status, asked) = parts.send("POST", "/feeder/runs", &json!({ "providers": [name] })).await;
    assert_eq!(status, 202);
    let asked = asked["id"].clone();
    let made = run(&parts, "a run on request", |run| run["requests"] == json!([asked])).await;
    assert_eq!(
        (&made["trigger"], &made["outcomes"]),
        (&json!("request"), &json!({ "not_modified": 1 })),
        "{made}"
    );

    let mut wrong = settings(&parts, "wrong");
    wrong["removal_limits"] = json!(0.1);
    write(&daemon.settings, &wrong);
    daemon.says("are NOT used, the last good ones go on").await;
    write(&daemon.settings, &settings(&parts, "renamed"));
    daemon.says("have changed and are used from now on").await;
    daemon.signal("USR1");
    let renamed = run(&parts, "a run by the new settings", |run| run["holder"] == "renamed").await;
    assert_eq!(renamed["trigger"], "signal");
    let runs = parts.get("/feeder/runs").await["runs"].clone();
    assert!(runs.as_array().unwrap().iter().all(|run| run["holder"] != "wrong"), "{runs}");
    daemon.stop().await;
}
