//! One run: all providers at once, within bounds; each is read, merged and sent for itself, so that one that fails
//! stops no other. At the end, what the files no longer name is removed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::gate::{Gate, Overall};
use crate::inventory::{Connection, Inventory, Provider, ProviderKey};
use crate::lease;
use crate::limits::Limits;
use crate::merge::{Merged, merge};
use crate::observer::{Event, Observer};
use crate::offer::Offer;
use crate::order::Order;
use crate::publish::{How, Registry, RegistryError, Stored};
use crate::reading::{Fault, FaultClass, Reading};
use crate::removal::{Removal, removal};
use crate::report::{Outcome, Planned, Problem, ProviderReport, Report, Write};
use crate::{kubernetes, openstack};

/// A reader that does not keep the time of a connection is given up after this many times as long.
const GRACE: f64 = 1.1;

/// Writes to the registry at once. It does one after the other, and answers none that waits for long.
const WRITES: usize = 4;

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
    /// Which part of what the registry has of one provider may be removed, from 0 to 1.
    pub provider_removal_limit: f64,
    /// Remove whatever the files and the clouds no longer name.
    pub confirm_removals: bool,
    /// Read everything and write nothing.
    pub dry_run: bool,
    /// The name of this feeder, for people.
    pub holder: String,
    /// How long a feeder that died keeps others from writing.
    pub lease: Duration,
    /// What to do in this run.
    pub order: Order,
}

/// What all providers of a run share.
struct Shared {
    plan: Plan,
    registry: Arc<Registry>,
    fence: Option<u64>,
    stored: Vec<Stored>,
    connections: Overall,
    /// Places for writes to the registry.
    writes: Semaphore,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
}

impl Shared {
    fn how(&self) -> How {
        How { dry_run: self.plan.dry_run, fence: self.fence, digest: None }
    }
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
    let begun = Begun::now();
    inventory.faults.iter().for_each(|fault| observer.event(&Event::ConfigFault(fault)));
    inventory.warnings.iter().for_each(|warning| observer.event(&Event::ConfigWarning(warning)));
    let mut reports: Vec<ProviderReport> =
        inventory.faulty.iter().map(|key| misconfigured(key, &inventory)).collect();
    let registry = Arc::new(registry);
    let stored = registry.list().await?;
    let cancel = cancel.child_token();
    let lease = if plan.dry_run {
        None
    } else {
        Some(lease::hold(&registry, &plan.holder, plan.lease, &*observer, &cancel).await?)
    };
    let fence = lease.as_ref().map(|lease| lease.fence);
    let due = || inventory.providers.iter().filter(|provider| !plan.order.leaves_out(&provider.key));
    let connections = due().map(|provider| provider.connections.len()).sum();
    observer.event(&Event::RunStarted { providers: due().count(), connections });
    let removal = removal(&stored, &inventory, &plan);
    let connections = Overall::new(plan.connections);
    let shared = Arc::new(Shared {
        plan,
        registry,
        fence,
        stored,
        connections,
        writes: Semaphore::new(WRITES),
        observer: Arc::clone(&observer),
        cancel,
    });

    let mut tasks = JoinSet::new();
    for provider in inventory.providers.iter().filter(|provider| !shared.plan.order.leaves_out(&provider.key))
    {
        let reader = readers.reader(provider);
        let mut provider = provider.clone();
        if let Some(asked) = shared.plan.order.asked.get(&provider.key) {
            provider.connections.iter_mut().for_each(|connection| connection.asked = Some(asked.clone()));
        }
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
    let mut report = begun.report(reports, &inventory, &shared.plan, kept, interrupted);
    if let Some(lease) = lease {
        let recorded = shared.registry.record(&report.id, lease.fence, &report.record()).await;
        report.unrecorded =
            recorded.err().map(|error| format!("the record of this run was not kept: {error}"));
    }
    observer.event(&Event::RunFinished(&report));
    Ok(report)
}

pub(crate) struct Begun {
    started: DateTime<Utc>,
    clock: Instant,
}

impl Begun {
    pub fn now() -> Self {
        Self { started: Utc::now(), clock: Instant::now() }
    }

    pub fn report(
        self,
        mut providers: Vec<ProviderReport>,
        inventory: &Inventory,
        plan: &Plan,
        kept: Option<String>,
        interrupted: bool,
    ) -> Report {
        providers.sort_by(|a, b| a.key.cmp(&b.key));
        Report {
            id: format!("{}-{:08x}", self.started.format("%Y%m%dT%H%M%S%3fZ"), rand::random::<u32>()),
            trigger: plan.order.trigger,
            requests: plan.order.requests.clone(),
            holder: plan.holder.clone(),
            started: self.started,
            seconds: self.clock.elapsed().as_secs_f64(),
            providers,
            configuration: inventory.faults.iter().map(Problem::from).collect(),
            kept,
            unrecorded: None,
            unsent: None,
            interrupted,
            dry_run: plan.dry_run,
        }
    }
}

/// A provider that the files name but do not describe well enough to read it.
fn misconfigured(key: &ProviderKey, inventory: &Inventory) -> ProviderReport {
    let own = inventory.faults.iter().filter(|fault| fault.providers.contains(key));
    ProviderReport {
        faults: own.map(Problem::from).collect(),
        ..ProviderReport::new(key.clone(), 0, Outcome::Failed)
    }
}

/// Reads, merges and sends one provider.
async fn one(provider: &Provider, reader: &dyn Reader, shared: &Shared) -> ProviderReport {
    let clock = Instant::now();
    let mut report = ProviderReport::new(provider.key.clone(), provider.connections.len(), Outcome::Skipped);
    shared
        .observer
        .event(&Event::ProviderStarted { provider: &provider.key, connections: provider.connections.len() });
    if let Some(readings) = read(provider, reader, shared).await {
        let merged = merge(provider, &readings);
        shared.observer.event(&Event::Merged {
            provider,
            readings: &readings,
            document: &merged.document,
            asked: shared.plan.order.asked.get(&provider.key).map(Vec::as_slice),
            counts: merged.counts,
        });
        let _place = shared.writes.acquire().await;
        let uid = send(provider, merged, shared, &mut report).await;
        keep_offer(uid, &Offer::of(provider, &readings), shared, &mut report).await;
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

/// Sends what was read of a provider, unless nothing is known of it at all. Its uid, when the registry has it.
async fn send(
    provider: &Provider,
    merged: Merged,
    shared: &Shared,
    report: &mut ProviderReport,
) -> Option<String> {
    let stored = shared.stored.iter().find(|stored| stored.key == provider.key);
    let stored = stored.map(|stored| stored.uid.clone());
    report.counts = merged.counts;
    report.scopes = merged.scopes;
    report.notes = merged.notes;
    report.faults = merged.unread.iter().map(Problem::from).collect();
    report.unread = merged.unread;
    let read = json!({
        "at": Utc::now(),
        "asked": shared.plan.order.asked.get(&provider.key),
        "unread": report.unread,
    });
    let nothing = !provider.connections.is_empty()
        && report.unread.iter().filter(|unread| unread.list.is_none()).count() == provider.connections.len();
    if nothing && stored.is_none() {
        report.outcome = Outcome::Failed;
        return None;
    }
    let body = json!({
        "document": merged.document,
        "read": read,
        "removal_limit": shared.plan.provider_removal_limit,
        "confirm_removals": shared.plan.confirm_removals,
    });
    match shared.registry.reconcile(&body, &shared.how()).await {
        Ok(answer) => {
            report.answered(&answer, shared.plan.dry_run);
            report.read = (!answer.recorded).then_some(read);
            shared.observer.event(&Event::Published { provider: &provider.key, outcome: report.outcome });
            let uid = answer.uid.clone().or(stored);
            if shared.plan.dry_run {
                report.planned = Some(Planned { request: Write::Reconcile(body), answer });
            }
            uid
        }
        Err(error) => {
            report.outcome = Outcome::Failed;
            report.faults.splice(0..0, error.problems(Some(provider)));
            if matches!(error, RegistryError::Superseded(_)) {
                shared.cancel.cancel();
                return None;
            }
            stored
        }
    }
}

/// Sends what a provider offers beyond v1. That it is not kept fails nothing: it is told.
async fn keep_offer(uid: Option<String>, offer: &Offer, shared: &Shared, report: &mut ProviderReport) {
    let Some(uid) = uid.filter(|_| !shared.plan.dry_run && !offer.is_empty()) else { return };
    if let Err(error) = shared.registry.offer(&uid, offer).await {
        report.notes.push(format!("what it offers beyond v1 was not kept: {error}"));
    }
}

async fn remove(stored: &Stored, shared: &Shared) -> ProviderReport {
    let clock = Instant::now();
    let dry_run = shared.plan.dry_run;
    let mut report = ProviderReport::new(stored.key.clone(), 0, Outcome::Removed);
    match shared.registry.remove(stored, &shared.how()).await {
        Ok(Some(answer)) => {
            report.answered(&answer, dry_run);
            if dry_run {
                report.planned = Some(Planned { request: Write::Remove(stored.uid.clone()), answer });
            }
        }
        Ok(None) => {}
        Err(error) => {
            report.outcome = Outcome::Failed;
            report.faults = error.problems(None);
        }
    }
    report.seconds = clock.elapsed().as_secs_f64();
    report
}

#[cfg(test)]
mod tests;
