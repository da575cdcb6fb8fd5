//! The feeder: reads the federation's clouds and keeps the registry true.
//!
//! Data walks one way: [`inventory`] says what to read, [`openstack`] and [`kubernetes`] read it, [`merge`] makes one
//! document of it for each provider, [`publish`] sends that to the registry. [`run`] does it for all providers,
//! [`schedule`] says when.

mod breaker;
mod clouds;
mod connect;
mod daemon;
mod egress;
mod gate;
mod http;
pub mod inventory;
pub mod kubernetes;
mod lease;
pub mod limits;
pub mod merge;
pub mod messages;
pub mod observer;
pub mod offer;
pub mod openstack;
pub mod order;
pub mod plan;
pub mod progress;
pub mod publish;
pub mod reading;
pub mod removal;
pub mod report;
pub mod run;
pub mod schedule;
pub mod settings;
mod state;
#[cfg(test)]
mod testing;
mod tls;
pub mod tokens;
mod transport;

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

pub use crate::clouds::{Clouds, Commons};
pub use crate::connect::{Connectivity, Tried, Trouble};
pub use crate::daemon::Source;
pub use crate::observer::{Event, Observer, Silent};
pub use crate::publish::{Registry, RegistryError};
pub use crate::report::Report;
pub use crate::schedule::ScheduleError;
pub use crate::settings::Settings;

use crate::inventory::Inventory;
use crate::messages::{Beside, MessagesError};
use crate::order::Order;
use crate::run::run;
use crate::state::State;

/// Why there was no run at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings, or the registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A saved plan.
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
    /// The schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The messages.
    #[error(transparent)]
    Messages(#[from] MessagesError),
}

/// Makes one run. Whatever goes wrong with a provider is told in the report ([`Report::failed`]); an error means that
/// the registry could not be asked what it has, and that nothing was read.
pub async fn run_once(
    settings: &Settings,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Report, Error> {
    run_ordered(settings, Order::of(settings), &State::default(), observer, cancel).await
}

/// A run; `state` knows what there was before.
async fn run_ordered(
    settings: &Settings,
    order: Order,
    state: &State,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Report, Error> {
    let result = attempt(settings, order, state, Arc::clone(&observer), cancel).await;
    if let Err(error) = &result {
        observer.event(&Event::RunFailed(error));
    }
    result
}

async fn attempt(
    settings: &Settings,
    mut order: Order,
    state: &State,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Report, Error> {
    let mut plan = settings.plan()?;
    let registry = settings.registry(&state.commons.tokens)?;
    let providers = settings.providers.clone();
    let inventory = tokio::task::spawn_blocking(move || inventory::load(&providers)).await;
    let inventory = inventory.map_err(|why| RegistryError::Settings(format!("the provider files: {why}")))?;
    let inventory = state.complete(inventory);
    let began = Instant::now();
    state.due(&mut order, &inventory, &settings.intervals, began);
    plan.confirm_removals |= order.confirm_removals;
    plan.order = order.clone();
    let readers = Clouds::new(plan.limits.clone(), plan.requests, &state.commons);
    let messenger = state.messenger(settings)?;
    let observer = match &messenger {
        Some(messenger) => {
            let (messenger, remembers) = (Arc::clone(messenger), !settings.intervals.is_empty());
            Arc::new(Beside { messenger, remembers, observer }) as Arc<dyn Observer>
        }
        None => observer,
    };
    let mut report = run(inventory, registry, &readers, plan, observer, cancel).await?;
    if let Some(messenger) = messenger {
        report.unsent = messenger.settle().await;
    }
    state.remember(&report, &order, began);
    Ok(report)
}

/// Runs by the schedule of the settings, or once without one, until cancelled; `finished` gets each result. Runs
/// never overlap. A run under way when it is cancelled ends what it is sending and starts nothing more. `source` is
/// where the settings come from, to follow changes.
pub async fn run_scheduled(
    settings: Settings,
    source: Option<Source>,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
    finished: impl Fn(Result<Report, Error>) + Send + Sync + 'static,
) -> Result<(), Error> {
    daemon::run(settings, source, observer, cancel, Arc::new(finished)).await
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
pub fn check_settings(settings: &Settings) -> Result<String, Error> {
    let plan = settings.plan()?;
    let limits = &plan.limits;
    let when = match (&settings.schedule, settings.schedule()?) {
        (Some(expression), Some(_)) => format!("at {expression} ({})", settings.time_zone),
        _ => "once, no schedule".to_owned(),
    };
    Ok(format!(
        "{when}; a project gets {} s, a request {} s, a site {} at once",
        limits.connection.as_secs(),
        limits.request.as_secs(),
        limits.concurrency
    ))
}
