//! `fedreg check`

use super::{Config, failed, settings};
use registry::{
    auth::{Authenticator, SystemClock},
    graph::Graph,
    service::open_store,
    settings::Settings,
};
use schema::Schema;
use std::{process::ExitCode, sync::Arc};

/// Says of each part whether it is in order, and what to do where it is not.
pub async fn run(config: &Config) -> ExitCode {
    let loaded = match settings(config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    println!("settings        ok{}", loaded.file().map(|file| format!(": {}", file.display())).unwrap_or_default());
    let mut good = true;
    let mut say = |what: &str, result: Result<String, String>| match result {
        Ok(text) => println!("{what:<15} ok: {text}"),
        Err(text) => {
            good = false;
            println!("{what:<15} NOT ok: {text}");
        }
    };
    say("store", store(&loaded.settings).await);
    say("issuers", issuers(&loaded.settings).await);
    match loaded.section::<feeder::Settings>("feeder") {
        Ok(feeder) => {
            let inventory = feeder::check(&feeder);
            let providers = inventory.providers.len();
            let faults: Vec<String> = inventory.faults.iter().map(ToString::to_string).collect();
            say(
                "provider files",
                if faults.is_empty() {
                    Ok(format!("{providers} providers in {}", feeder.providers.display()))
                } else {
                    Err(faults.join("\n"))
                },
            );
        }
        Err(error) => return failed(&error),
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn store(settings: &Settings) -> Result<String, String> {
    let store = open_store(&settings.store).map_err(|error| error.to_string())?;
    let loaded = store.load().await.map_err(|error| error.to_string())?;
    let revision = loaded.revision;
    let graph = Graph::build(Schema::get(), loaded.nodes, loaded.links).map_err(|error| error.to_string())?;
    if graph.indices_hold() {
        Ok(format!("{} nodes at revision {revision}", graph.len()))
    } else {
        Err("a relation is known at one of its ends only: restore a copy of the folder".to_owned())
    }
}

async fn issuers(settings: &Settings) -> Result<String, String> {
    let authenticator = Authenticator::new(&settings.auth, Arc::new(SystemClock::new()));
    let authenticator = authenticator.map_err(|error| error.to_string())?;
    match authenticator.check().await {
        Ok(()) => Ok(format!("{} answer and publish keys", settings.auth.issuers.len())),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}
