//! A feeder that stays: it runs by its schedule, when somebody asks for it, and when its files change; one run at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::observer::{Event, Observer};
use crate::order::{Order, Trigger};
use crate::publish::Requested;
use crate::schedule::{Schedule, ScheduleError};
use crate::state::State;
use crate::{Error, Report, Settings, run_ordered};

/// The clock is looked at this often at least, since it may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Where the settings come from, to be read again when that changes.
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// Reads it.
    pub load: Box<dyn Fn() -> Result<Settings, String> + Send + Sync>,
}

/// Hears the result of each run.
type Finished = Arc<dyn Fn(Result<Report, Error>) + Send + Sync>;

struct Daemon {
    settings: Settings,
    schedule: Schedule,
    source: Option<Source>,
    state: Arc<State>,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
    finished: Finished,
    /// The run under way, since when, and what it does.
    running: Option<(JoinHandle<()>, Instant)>,
    /// A run to make as soon as the one under way has ended.
    next: Option<Order>,
    /// Requests that were taken up: one that could not be recorded is not taken up at each look.
    taken: Vec<String>,
    seen: Seen,
}

/// What the files looked like.
#[derive(PartialEq, Eq)]
struct Seen {
    providers: BTreeMap<PathBuf, (SystemTime, u64)>,
    settings: BTreeMap<PathBuf, (SystemTime, u64)>,
}

/// Runs by a schedule until cancelled; then lets the run under way end what it is sending.
pub async fn run(
    settings: Settings,
    source: Option<Source>,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
    finished: Finished,
) -> Result<(), Error> {
    let schedule = settings.schedule()?;
    let Some(schedule) = schedule else {
        finished(crate::run_once(&settings, observer, cancel).await);
        return Ok(());
    };
    settings.plan()?;
    let mut now_signal =
        signal(SignalKind::user_defined1()).map_err(|why| ScheduleError::Signals(why.to_string()))?;
    let seen = Seen::of(&settings, source.as_ref());
    let mut daemon = Daemon {
        settings,
        schedule,
        source,
        state: Arc::default(),
        observer,
        cancel,
        finished,
        running: None,
        next: None,
        taken: Vec::new(),
        seen,
    };
    if daemon.settings.run_at_start {
        daemon.start(Order { trigger: Trigger::Start, ..Order::of(&daemon.settings) });
    }
    let mut due = daemon.due();
    let mut look = Instant::now() + daemon.settings.poll();
    loop {
        let cancel = daemon.cancel.clone();
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            () = daemon.end() => {
                if let Some(order) = daemon.next.take() {
                    daemon.start(order);
                }
            }
            Some(()) = now_signal.recv() => {
                daemon.start(Order { trigger: Trigger::Signal, ..Order::of(&daemon.settings) });
            }
            () = tokio::time::sleep_until(look.into()) => {
                if daemon.look().await {
                    due = daemon.due();
                }
                look = Instant::now() + daemon.settings.poll();
            }
            () = until(due) => if due.is_some_and(|due| due <= Utc::now()) {
                daemon.ring();
                due = daemon.due();
            },
        }
    }
    if let Some((run, _)) = daemon.running.take() {
        let _ = run.await;
    }
    Ok(())
}

/// The next time after a moment, up to so many seconds later; `dice` is a random number from 0 to 1.
fn due(schedule: &Schedule, now: DateTime<Utc>, jitter_seconds: f64, dice: f64) -> Option<DateTime<Utc>> {
    let jitter = Duration::from_secs_f64(jitter_seconds.max(0.0)).mul_f64(dice);
    schedule.after(now).map(|next| next + jitter)
}

/// Until a moment, or until the clock is to be looked at again.
async fn until(due: Option<DateTime<Utc>>) {
    let left = due.and_then(|due| (due - Utc::now()).to_std().ok());
    let left = if due.is_some() { left.unwrap_or_default() } else { LONGEST_SLEEP };
    tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
}

impl Daemon {
    /// The next time, a little later: feeders of many federations need not ask the same site at the same second.
    fn due(&self) -> Option<DateTime<Utc>> {
        due(&self.schedule, Utc::now(), self.settings.jitter_seconds, rand::random())
    }

    /// The end of the run under way.
    async fn end(&mut self) {
        match &mut self.running {
            Some((run, _)) => {
                let _ = run.await;
                self.running = None;
            }
            None => std::future::pending().await,
        }
    }

    /// It is time: unless a run is under way, which then counts.
    fn ring(&mut self) {
        match &self.running {
            Some((_, since)) => self.observer.event(&Event::RunSkipped { running: since.elapsed() }),
            None => self.start(Order { trigger: Trigger::Schedule, ..Order::of(&self.settings) }),
        }
    }

    /// Starts a run, or has it made after the one under way.
    fn start(&mut self, mut order: Order) {
        if self.running.is_some() {
            self.next = Some(order);
            return;
        }
        if order.only.is_empty() && order.trigger != Trigger::Request {
            order.requests.append(&mut self.taken);
        }
        let (settings, state, observer) =
            (self.settings.clone(), Arc::clone(&self.state), Arc::clone(&self.observer));
        let (cancel, finished) = (self.cancel.clone(), Arc::clone(&self.finished));
        let run = tokio::spawn(async move {
            finished(run_ordered(&settings, order, &state, observer, cancel).await);
        });
        self.running = Some((run, Instant::now()));
    }

    /// Looks for changed files and for runs that somebody asked for. Says whether the schedule may be another one.
    async fn look(&mut self) -> bool {
        let seen = Seen::of(&self.settings, self.source.as_ref());
        let (other_settings, other_files) =
            (seen.settings != self.seen.settings, seen.providers != self.seen.providers);
        self.seen = seen;
        if other_settings {
            self.reload();
        }
        if other_files {
            tracing::info!("the provider files have changed");
            self.start(Order { trigger: Trigger::Files, ..Order::of(&self.settings) });
        }
        if self.running.is_none() {
            self.requested().await;
        }
        other_settings
    }

    fn reload(&mut self) {
        let Some(source) = &self.source else { return };
        let loaded = (source.load)().and_then(|settings| {
            let schedule = settings.schedule().map_err(|error| error.to_string())?;
            settings.plan().map_err(|error| error.to_string())?;
            let schedule = schedule.ok_or("it has no `schedule` any more: restart the feeder for that")?;
            Ok((settings, schedule))
        });
        match loaded {
            Ok((settings, schedule)) => {
                tracing::info!(
                    "the settings in {} have changed and are used from now on",
                    source.file.display()
                );
                self.seen = Seen::of(&settings, self.source.as_ref());
                (self.settings, self.schedule) = (settings, schedule);
            }
            Err(why) => tracing::error!(
                "the settings in {} have changed and are NOT used, the last good ones go on: {why}",
                source.file.display()
            ),
        }
    }

    async fn requested(&mut self) {
        let registry = match self.settings.registry(&self.state.commons.tokens) {
            Ok(registry) => registry,
            Err(error) => return tracing::debug!("the registry cannot be asked for requested runs: {error}"),
        };
        match registry.requested().await {
            Ok(mut requested) => {
                // what goes beyond this feeder's providers is for another one
                let only = &self.settings.only;
                let within = |request: &Requested| {
                    only.is_empty()
                        || !request.providers.is_empty()
                            && request.providers.iter().all(|name| only.contains(name))
                };
                requested.retain(|request| within(request) && !self.taken.contains(&request.id));
                if let Some(order) = together(requested) {
                    self.taken.extend(order.requests.iter().cloned());
                    self.start(order);
                }
            }
            Err(error) => tracing::debug!("the registry cannot be asked for requested runs: {error}"),
        }
    }
}

/// The oldest request, with all others that ask for the same.
fn together(requested: Vec<Requested>) -> Option<Order> {
    let first = requested.first()?.clone();
    tracing::info!(id = first.id, by = first.by, "somebody asked for a run");
    let same = |other: &Requested| {
        other.providers == first.providers && other.confirm_removals == first.confirm_removals
    };
    let requests = requested.into_iter().filter(same).map(|request| request.id).collect();
    Some(Order {
        trigger: Trigger::Request,
        requests,
        only: first.providers,
        confirm_removals: first.confirm_removals,
        ..Order::default()
    })
}

impl Seen {
    fn of(settings: &Settings, source: Option<&Source>) -> Self {
        Self {
            providers: files(&settings.providers),
            settings: source.map(|source| files(&source.file)).unwrap_or_default(),
        }
    }
}

/// Files with time and size; of a folder those in it.
fn files(path: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let folder = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let paths = folder.chain([path.to_owned()]);
    let stat = |path: PathBuf| {
        let stat = std::fs::metadata(&path).ok()?;
        Some((path, (stat.modified().ok()?, stat.len())))
    };
    paths.filter_map(stat).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_comes_at_its_time_or_a_little_later() {
        let schedule = Schedule::parse("*/10 * * * *", "UTC").unwrap();
        let now: DateTime<Utc> = "2026-11-28T10:05:00Z".parse().unwrap();
        let at = |jitter, dice| due(&schedule, now, jitter, dice).unwrap().format("%T%.3f").to_string();
        assert_eq!(
            [at(0.0, 0.9), at(60.0, 0.0), at(60.0, 0.5)],
            ["10:10:00.000", "10:10:00.000", "10:10:30.000"]
        );
    }
}
