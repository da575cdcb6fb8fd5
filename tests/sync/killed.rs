//! A feeder that is killed at any moment leaves each provider as it was, or as it shall be.

use crate::parts::Parts;
use simulator::Params;
use std::{
    process::{Command, Stdio},
    time::Duration,
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment() {
    let parts =
        Parts::start(Params { openstack: 4, kubernetes: 0, regions: 1, projects: 2, ..Params::tiny() }).await;
    assert!(!parts.feed().await.failed());
    let names: Vec<String> = parts.sites.sites().iter().map(|site| site.provider().name.clone()).collect();
    let settings = parts.folder.path().join("fedreg.yaml");
    let text = format!(
        "feeder: {{providers: {}, registry: {}, token: {}, lease_seconds: 5}}\n",
        parts.files().display(),
        parts.url,
        parts.admin
    );
    std::fs::write(&settings, text).unwrap();
    for round in 0..6_u64 {
        let mut before = Vec::new();
        for name in &names {
            before.push(parts.whole(name).await);
        }
        for site in parts.sites.sites() {
            site.add_image(&format!("image {round}"));
        }
        let mut feeder = Command::new(env!("CARGO_BIN_EXE_fedreg"))
            .args(["feed", "--once", "--config"])
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // not to wait for anything: to hit another moment each time
        tokio::time::sleep(Duration::from_millis(60 + 70 * round)).await;
        feeder.kill().unwrap();
        feeder.wait().unwrap();
        let mut killed = Vec::new();
        for name in &names {
            killed.push(parts.whole(name).await);
        }
        // the next one waits until the lease of the dead one is over
        assert!(!parts.feed().await.failed());
        for ((name, before), killed) in names.iter().zip(before).zip(killed) {
            let after = parts.whole(name).await;
            assert!(killed == before || killed == after, "round {round}: {name} is there by half");
            assert_ne!(before, after);
        }
    }
}
