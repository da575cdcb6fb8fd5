//! The feeder: reads the federation's clouds and keeps the registry true.
//!
//! Data walks one way: [`inventory`] says what to read, [`openstack`] and [`kubernetes`] read it, [`merge`] makes one
//! document of it for each provider, [`publish`] sends that to the registry. [`run`] does it for all providers,
//! [`schedule`] says when.

mod breaker;
mod clouds;
mod connect;
mod egress;
mod gate;
mod http;
pub mod inventory;
pub mod kubernetes;
pub mod limits;
pub mod merge;
pub mod observer;
pub mod offer;
pub mod openstack;
pub mod progress;
pub mod publish;
pub mod reading;
pub mod removal;
pub mod report;
pub mod run;
pub mod schedule;
pub mod settings;
#[cfg(test)]
mod testing;
pub mod tokens;
mod transport;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use crate::clouds::{Clouds, Commons};
pub use crate::connect::{Connectivity, Tried, Trouble};
pub use crate::observer::{Event, Observer, Silent};
pub use crate::publish::{Registry, RegistryError};
pub use crate::report::Report;
pub use crate::schedule::ScheduleError;
pub use crate::settings::Settings;

use crate::inventory::Inventory;
use crate::run::run;

/// Why there was no run at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings, or the registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// Makes one run. Whatever goes wrong with a provider is told in the report ([`Report::failed`]); an error means that
/// the registry could not be asked what it has, and that nothing was read.
pub async fn run_once(
    settings: &Settings,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Report, Error> {
    run_with(settings, &Commons::default(), observer, cancel).await
}

/// A run; `commons` outlive it.
async fn run_with(
    settings: &Settings,
    commons: &Commons,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Report, Error> {
    let result = attempt(settings, commons, Arc::clone(&observer), cancel).await;
    if let Err(error) = &result {
        observer.event(&Event::RunFailed(error));
    }
    result
}

async fn attempt(
    settings: &Settings,
    commons: &Commons,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Report, Error> {
    let plan = settings.plan()?;
    let token = settings.registry_token().map_err(RegistryError::Settings)?;
    let ca_path = settings.registry_ca_path.as_deref();
    let registry = Registry::trusting(&settings.registry, ca_path, token, plan.limits.clone())?;
    let providers = settings.providers.clone();
    let inventory = tokio::task::spawn_blocking(move || inventory::load(&providers)).await;
    let inventory = inventory.map_err(|why| RegistryError::Settings(format!("the provider files: {why}")))?;
    let readers = Clouds::new(plan.limits.clone(), plan.requests, commons);
    Ok(run(inventory, registry, &readers, plan, observer, cancel).await?)
}

/// Runs by the schedule of the settings, or once without one, until cancelled; `finished` gets each result. Runs
/// never overlap. A run under way when it is cancelled ends what it is sending and starts nothing more.
pub async fn run_scheduled(
    settings: Settings,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
    finished: impl Fn(Result<Report, Error>) + Send + Sync + 'static,
) -> Result<(), Error> {
    let Some(expression) = settings.schedule.clone() else {
        finished(run_once(&settings, observer, cancel).await);
        return Ok(());
    };
    settings.plan()?;
    let (settings, finished) = (Arc::new(settings), Arc::new(finished));
    let (watcher, at_start) = (Arc::clone(&observer), settings.run_at_start);
    let (until, stop) = (cancel.clone(), cancel);
    let commons = Commons::default();
    let run = move || {
        let commons = commons.clone();
        let (settings, finished) = (Arc::clone(&settings), Arc::clone(&finished));
        let (observer, cancel) = (Arc::clone(&observer), stop.clone());
        async move { finished(run_with(&settings, &commons, observer, cancel).await) }
    };
    let skipped = |running| watcher.event(&Event::RunSkipped { running });
    Ok(schedule::every(&expression, at_start, &until, run, skipped).await?)
}

/// What the provider files of the settings say, without contacting anybody.
pub fn check(settings: &Settings) -> Inventory {
    inventory::load(&settings.providers)
}

/// Tries every provider and project of the provider files. Asks no registry and writes nothing.
pub async fn connect(settings: &Settings) -> Result<Connectivity, Error> {
    let plan = settings.plan()?;
    let providers = settings.providers.clone();
    let inventory = tokio::task::spawn_blocking(move || inventory::load(&providers)).await;
    let inventory = inventory.map_err(|why| RegistryError::Settings(format!("the provider files: {why}")))?;
    let readers = Clouds::new(plan.limits.clone(), plan.requests, &Commons::default());
    Ok(connect::connect(&inventory, &readers, plan.connections).await)
}

/// What the settings say of schedule and limits, in words; or what is wrong with them.
pub async fn check_settings(settings: &Settings) -> Result<String, Error> {
    let plan = settings.plan()?;
    let limits = &plan.limits;
    let when = match &settings.schedule {
        None => "once, no schedule".to_owned(),
        Some(expression) => {
            let over = CancellationToken::new();
            over.cancel();
            schedule::every(expression, false, &over, || async {}, |_| {}).await?;
            format!("at {expression}")
        }
    };
    Ok(format!(
        "{when}; a project gets {} s, a request {} s, a site {} at once",
        limits.connection.as_secs(),
        limits.request.as_secs(),
        limits.concurrency
    ))
}
