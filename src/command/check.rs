//! `fedreg check`

use super::{Config, failed, print, settings};
use clap::Args;
use registry::{
    audit::audit,
    auth::{Authenticator, Policy, PolicySettings, SystemClock},
    graph::Graph,
    service::open_store,
    settings::{Loaded, Settings, StoreSettings},
    store::StoreError,
};
use schema::Schema;
use std::{path::Path, process::ExitCode, sync::Arc};

/// Say whether settings, store, issuers and provider files are in order.
#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    config: Config,
    /// Try every provider and project as well: what can be read, what cannot, and what follows.
    #[arg(long)]
    connect: bool,
    /// With --connect: print what was found as JSON instead of a table, and nothing else.
    #[arg(long, requires = "connect")]
    json: bool,
}

impl Check {
    /// Checks. The exit code is not 0 when something is not in order.
    pub async fn run(self) -> ExitCode {
        let loaded = match settings(&self.config) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let good = self.json || check(&loaded).await;
        let connected = !self.connect || connect(&loaded, self.json).await;
        if good && connected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Tries all providers.
async fn connect(loaded: &Loaded, json: bool) -> bool {
    let feeder = match loaded.section::<feeder::Settings>("feeder") {
        Ok(feeder) => feeder,
        Err(error) => return failed(&error) == ExitCode::SUCCESS,
    };
    match feeder::connect(&feeder).await {
        Ok(found) => {
            if json {
                print(&serde_json::to_string(&found).unwrap_or_default());
            } else {
                print(&found);
            }
            found.is_good()
        }
        Err(error) => failed(&error) == ExitCode::SUCCESS,
    }
}

/// Says of each part whether it is in order, and what to do where it is not.
async fn check(loaded: &Loaded) -> bool {
    let file = loaded.file().map(|file| format!(": {}", file.display()));
    print(&format!("settings        ok{}", file.unwrap_or_default()));
    let mut good = true;
    let mut say = |what: &str, result: Result<String, String>| match result {
        Ok(text) => print(&format!("{what:<15} ok: {text}")),
        Err(text) => {
            good = false;
            print(&format!("{what:<15} NOT ok: {text}"));
        }
    };
    say("store", store(&loaded.settings).await);
    say("issuers", issuers(&loaded.settings).await);
    if let Some(settings) = &loaded.settings.auth.policy {
        say("policy", policy(settings).await);
    }
    match loaded.section::<feeder::Settings>("feeder") {
        Ok(feeder) => {
            say("provider files", provider_files(&feeder));
            say("feeder", feeder::check_settings(&feeder).map_err(|error| error.to_string()));
        }
        Err(error) => say("feeder", Err(error.to_string())),
    }
    good
}

async fn store(settings: &Settings) -> Result<String, String> {
    if let StoreSettings::Embedded { path } = &settings.store
        && path.read_dir().map_or(true, |mut files| files.next().is_none())
    {
        return new_store(path);
    }
    let store = match open_store(&settings.store, settings.history.entries) {
        Err(StoreError::InUse { path }) => {
            return Ok(format!(
                "{path} is in use, by a running registry probably; stop it to have the graph looked at"
            ));
        }
        store => store.map_err(|error| error.to_string())?,
    };
    let survey = store.survey().await.map_err(|error| error.to_string())?;
    let (loaded, would_add) = (survey.loaded, survey.would_add);
    let (revision, mut faults) = (loaded.revision, loaded.faults);
    let graph = Graph::build(Schema::get(), loaded.nodes, loaded.links).map_err(|error| error.to_string())?;
    if !graph.indices_hold() {
        return Err("a relation is known at one of its ends only: restore a copy of the folder".to_owned());
    }
    let edited = audit(&*store, &graph, revision).await.map_err(|error| error.to_string())?;
    faults.extend(graph.faults());
    let found = format!("{} nodes at revision {revision}", graph.len());
    if edited.is_empty() && faults.is_empty() {
        let more =
            if would_add.is_empty() { "" } else { "; what a start adds to it, fedreg serve --dry-run tells" };
        return Ok(format!("{found}{more}"));
    }
    if edited.is_empty() {
        let told = faults.join("\n  ");
        let faulty = if faults.len() == 1 { "1 fault" } else { &format!("{} faults", faults.len()) };
        return Err(format!(
            "{found}. They are served as well as they can be with {faulty} in them:\n  {told}"
        ));
    }
    Err(format!(
        "it was changed by hand since revision {revision}. A running registry takes that in at SIGHUP, another one at its \
         start. Against the change log:\n  {}",
        edited.join("\n  ")
    ))
}

/// Whether a store can be made; it is not made here, where another user may be at work than the registry's own.
fn new_store(folder: &Path) -> Result<String, String> {
    let there = folder.ancestors().find(|part| part.exists()).unwrap_or(Path::new("."));
    match tempfile::tempfile_in(there) {
        Ok(_) => Ok(format!("none yet; the registry makes it in {}", folder.display())),
        Err(why) => {
            let path = folder.display().to_string();
            Err(StoreError::Folder { path, why: why.to_string() }.to_string())
        }
    }
}

fn provider_files(settings: &feeder::Settings) -> Result<String, String> {
    let files = settings.providers.display();
    if settings.providers == feeder::Settings::default().providers && !settings.providers.exists() {
        return Ok(format!("none; a feeder needs them: feeder.providers, or {files} in this folder"));
    }
    let inventory = feeder::check(settings);
    if inventory.faults.is_empty() {
        Ok(format!("{} providers in {files}", inventory.providers.len()))
    } else {
        Err(inventory.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }
}

async fn policy(settings: &PolicySettings) -> Result<String, String> {
    let policy = Policy::new(settings, Arc::new(SystemClock::new())).map_err(|error| error.to_string())?;
    policy.check().await?;
    Ok(match (&settings.opa, &settings.file) {
        (Some(opa), _) => format!("{opa} answers and has a policy"),
        (None, Some(file)) => format!("{} has the rule {}", file.display(), settings.rule),
        (None, None) => String::new(),
    })
}

async fn issuers(settings: &Settings) -> Result<String, String> {
    let authenticator = Authenticator::new(&settings.auth, Arc::new(SystemClock::new()));
    let authenticator = authenticator.map_err(|error| error.to_string())?;
    match authenticator.check().await {
        Ok(()) if settings.auth.issuers.is_empty() => {
            Ok("none: without one nobody can write (auth.issuers)".to_owned())
        }
        Ok(()) => Ok(format!("{} answer and publish keys", settings.auth.issuers.len())),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}
