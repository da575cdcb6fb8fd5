//! One run: all providers at once, within bounds; each is read, merged and sent for itself, so that one that fails
//! stops no other. At the end, what the files no longer name is removed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::gate::{Gate, Overall};
use crate::inventory::{Connection, Inventory, Provider, ProviderKey};
use crate::limits::Limits;
use crate::merge::{Counts, merge};
use crate::observer::{Event, Observer};
use crate::publish::{Registry, RegistryError, Stored};
use crate::reading::{Fault, FaultClass, Reading};
use crate::removal::{Removal, removal};
use crate::report::{Outcome, Problem, ProviderReport, Report};
use crate::{kubernetes, openstack};

/// A reader that does not keep the time of a connection is given up after this many times as long.
const GRACE: f64 = 1.1;

/// Reads the connections of one provider.
#[async_trait]
pub trait Reader: Send + Sync {
    /// Reads one connection. Whatever fails is told in the reading.
    async fn read(&self, connection: &Connection) -> Reading;
}

#[async_trait]
impl Reader for openstack::Reader {
    async fn read(&self, connection: &Connection) -> Reading {
        // it holds the futures of all lists of a project
        Box::pin(Self::read(self, connection)).await
    }
}

#[async_trait]
impl Reader for kubernetes::Reader {
    async fn read(&self, connection: &Connection) -> Reading {
        Self::read(self, connection).await
    }
}

/// Makes the reader of a provider.
pub trait Readers: Send + Sync {
    /// The reader of a provider.
    fn reader(&self, provider: &Provider) -> Box<dyn Reader>;
}

/// How a run behaves.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Connections at once, over all providers.
    pub connections: usize,
    /// Requests at once, over all providers.
    pub requests: usize,
    /// Bounds of one provider; as many connections at once as it takes requests.
    pub limits: Limits,
    /// Which part of the registry's providers may be removed, from 0 to 1.
    pub removal_limit: f64,
    /// Remove whatever the files no longer name.
    pub confirm_removals: bool,
    /// Read everything and write nothing.
    pub dry_run: bool,
}

/// What all providers of a run share.
struct Shared {
    plan: Plan,
    registry: Registry,
    stored: Vec<Stored>,
    connections: Overall,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
}

/// Makes one run over what the provider files say.
pub async fn run(
    inventory: Inventory,
    registry: Registry,
    readers: &dyn Readers,
    plan: Plan,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Report, RegistryError> {
    let begun = Begun { started: Utc::now(), clock: Instant::now() };
    inventory.faults.iter().for_each(|fault| observer.event(&Event::ConfigFault(fault)));
    inventory.warnings.iter().for_each(|warning| observer.event(&Event::ConfigWarning(warning)));
    let mut reports: Vec<ProviderReport> =
        inventory.faulty.iter().map(|key| misconfigured(key, &inventory)).collect();
    if inventory.providers.is_empty() && !inventory.is_complete() {
        return Ok(begun.report(reports, &inventory, None, false, &*observer));
    }

    let stored = registry.list().await?;
    let connections = inventory.providers.iter().map(|provider| provider.connections.len()).sum();
    observer.event(&Event::RunStarted { providers: inventory.providers.len(), connections });
    let removal = removal(&stored, &inventory, plan.removal_limit, plan.confirm_removals);
    let connections = Overall::new(plan.connections);
    let shared =
        Arc::new(Shared { plan, registry, stored, connections, observer: Arc::clone(&observer), cancel });

    let mut tasks = JoinSet::new();
    for provider in &inventory.providers {
        let reader = readers.reader(provider);
        let provider = provider.clone();
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            let report = one(&provider, &*reader, &shared).await;
            shared.observer.event(&Event::ProviderFinished(&report));
            report
        });
    }
    reports.extend(tasks.join_all().await);

    let interrupted = shared.cancel.is_cancelled();
    let mut kept = None;
    match removal {
        _ if interrupted => {}
        Removal::Refused(why) => kept = Some(why),
        Removal::Of(gone) => {
            for stored in gone {
                let report = remove(&stored, &shared).await;
                observer.event(&Event::ProviderFinished(&report));
                reports.push(report);
            }
        }
    }
    Ok(begun.report(reports, &inventory, kept, interrupted, &*observer))
}

struct Begun {
    started: DateTime<Utc>,
    clock: Instant,
}

impl Begun {
    fn report(
        self,
        mut providers: Vec<ProviderReport>,
        inventory: &Inventory,
        kept: Option<String>,
        interrupted: bool,
        observer: &dyn Observer,
    ) -> Report {
        providers.sort_by(|a, b| a.key.cmp(&b.key));
        let report = Report {
            started: self.started,
            seconds: self.clock.elapsed().as_secs_f64(),
            providers,
            configuration: inventory.faults.iter().map(Problem::from).collect(),
            kept,
            interrupted,
        };
        observer.event(&Event::RunFinished(&report));
        report
    }
}

/// A provider that the files name but do not describe well enough to read it.
fn misconfigured(key: &ProviderKey, inventory: &Inventory) -> ProviderReport {
    let own = inventory.faults.iter().filter(|fault| fault.providers.contains(key));
    ProviderReport { faults: own.map(Problem::from).collect(), ..report(key.clone(), 0, Outcome::Failed) }
}

fn report(key: ProviderKey, connections: usize, outcome: Outcome) -> ProviderReport {
    let counts = Counts::default();
    ProviderReport { key, outcome, connections, counts, seconds: 0.0, faults: Vec::new(), notes: Vec::new() }
}

/// Reads, merges and sends one provider.
async fn one(provider: &Provider, reader: &dyn Reader, shared: &Shared) -> ProviderReport {
    let clock = Instant::now();
    let mut report = report(provider.key.clone(), provider.connections.len(), Outcome::Skipped);
    shared
        .observer
        .event(&Event::ProviderStarted { provider: &provider.key, connections: provider.connections.len() });
    if let Some(readings) = read(provider, reader, shared).await {
        match merge(provider, &readings) {
            Err(faults) => {
                report.outcome = Outcome::Failed;
                report.faults = faults.into_iter().map(Problem::from).collect();
            }
            Ok(merged) => {
                shared.observer.event(&Event::Merged { provider: &provider.key, counts: merged.counts });
                report.counts = merged.counts;
                report.notes = merged.notes;
                publish(provider, &merged.document, shared, &mut report).await;
            }
        }
    }
    report.seconds = clock.elapsed().as_secs_f64();
    report
}

/// All connections of a provider, each within its time; none when the run was ended before.
async fn read(provider: &Provider, reader: &dyn Reader, shared: &Shared) -> Option<Vec<Reading>> {
    let gate = &Gate::new(&shared.plan.limits, &shared.connections);
    let one = |connection| async move {
        let _place = gate.enter().await;
        let clock = Instant::now();
        let limit = shared.plan.limits.connection.mul_f64(GRACE);
        let reading = tokio::time::timeout(limit, reader.read(connection)).await;
        (connection, reading.unwrap_or_else(|_| late(connection, limit)), clock.elapsed())
    };
    let mut under_way: FuturesUnordered<_> = provider.connections.iter().map(one).collect();
    let mut readings = Vec::with_capacity(provider.connections.len());
    loop {
        let (connection, reading, took) = tokio::select! {
            biased;
            () = shared.cancel.cancelled() => return None,
            done = under_way.next() => match done {
                Some(done) => done,
                None => return Some(readings),
            },
        };
        readings.push(reading);
        shared.observer.event(&Event::ConnectionRead {
            provider: &provider.key,
            region: &connection.region,
            project: &connection.project_id,
            done: readings.len(),
            of: provider.connections.len(),
            took,
        });
    }
}

fn late(connection: &Connection, limit: Duration) -> Reading {
    let fault = Fault {
        what: "connection".to_owned(),
        why: format!("it took longer than {:.1} s", limit.as_secs_f64()),
        class: FaultClass::Timeout,
    };
    Reading::unknown(connection, &fault)
}

async fn publish(
    provider: &Provider,
    document: &serde_json::Value,
    shared: &Shared,
    report: &mut ProviderReport,
) {
    let stored = shared.stored.iter().find(|stored| stored.key == provider.key);
    let result = if shared.plan.dry_run {
        Ok(if stored.is_some() { Outcome::WouldSend } else { Outcome::WouldCreate })
    } else {
        shared.registry.publish(document, stored).await
    };
    match result {
        Ok(outcome) => {
            report.outcome = outcome;
            shared.observer.event(&Event::Published { provider: &provider.key, outcome });
        }
        Err(error) => {
            report.outcome = Outcome::Failed;
            report.faults = error.problems(Some(provider));
        }
    }
}

async fn remove(stored: &Stored, shared: &Shared) -> ProviderReport {
    let clock = Instant::now();
    let mut report = report(stored.key.clone(), 0, Outcome::WouldRemove);
    if !shared.plan.dry_run {
        match shared.registry.remove(stored).await {
            Ok(()) => report.outcome = Outcome::Removed,
            Err(error) => {
                report.outcome = Outcome::Failed;
                report.faults = error.problems(None);
            }
        }
    }
    report.seconds = clock.elapsed().as_secs_f64();
    report
}

#[cfg(test)]
mod tests;
