//! Showing how far a run is: moving lines on a terminal, log lines everywhere else.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::inventory::ProviderKey;
use crate::merge::Counts;
use crate::observer::{Event, Observer};
use crate::report::{Outcome, ProviderReport};

/// How often the moving lines move, and log lines tell how far a run is.
const TICK: Duration = Duration::from_millis(200);
const BEAT: Duration = Duration::from_secs(5);

/// Moving lines when standard error is a terminal, log lines otherwise.
pub fn observer() -> Arc<dyn Observer> {
    if std::io::stderr().is_terminal() { Arc::new(Terminal::default()) } else { Arc::new(Log::default()) }
}

/// One line: `SITE-A (openstack): updated: 2 projects, 14 flavors, ... in 3.2 s`.
fn line(report: &ProviderReport) -> String {
    let ProviderReport { key, outcome, counts, scopes, seconds, faults, .. } = report;
    match (outcome, faults.first()) {
        (Outcome::Failed, Some(first)) => {
            let more =
                if faults.len() > 1 { format!(" (and {} more)", faults.len() - 1) } else { String::new() };
            format!("{key}: failed after {seconds:.1} s: {}{more}", first.message)
        }
        (Outcome::Removed | Outcome::WouldRemove | Outcome::Skipped | Outcome::Failed, _) => {
            format!("{key}: {outcome} in {seconds:.1} s")
        }
        (_, Some(first)) => {
            let (unknown, all) = (scopes.unknown, scopes.unknown + scopes.complete + scopes.absent);
            let first = &first.message;
            format!(
                "{key}: {outcome}, limited: {} in {seconds:.1} s; {unknown} of {all} lists could not be read and stay as they \
                 were, first: {first}",
                amounts(*counts)
            )
        }
        _ => format!("{key}: {outcome}: {} in {seconds:.1} s", amounts(*counts)),
    }
}

fn amounts(counts: Counts) -> String {
    let Counts { projects, flavors, images, networks, quotas } = counts;
    format!("{projects} projects, {flavors} flavors, {images} images, {networks} networks, {quotas} quotas")
}

/// Moving lines: one for all connections, one for each provider under way; what is done stays above them.
pub struct Terminal {
    bars: MultiProgress,
    all: Mutex<Option<ProgressBar>>,
    providers: Mutex<HashMap<ProviderKey, ProgressBar>>,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { bars: MultiProgress::new(), all: Mutex::default(), providers: Mutex::default() }
    }
}

impl Terminal {
    fn bar(template: &str, length: usize) -> ProgressBar {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX)).with_style(style.progress_chars("━╸ "))
    }

    fn say(&self, text: &str) {
        // a terminal that is gone is no reason to stop
        let _ = self.bars.println(text);
    }

    fn provider(&self, key: &ProviderKey, show: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.providers.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            show(bar);
        }
    }

    fn all(&self, show: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.all.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            show(bar);
        }
    }
}

impl Observer for Terminal {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::ConfigFault(fault) => self.say(&format!("{fault}\n")),
            Event::ConfigWarning(fault) => self.say(&format!("only a warning: {fault}\n")),
            Event::RunStarted { providers, connections } => {
                let template = "{msg} [{bar:40}] {pos}/{len} connections, {elapsed}";
                let bar = self
                    .bars
                    .add(Self::bar(template, *connections).with_message(format!("{providers} providers")));
                bar.enable_steady_tick(TICK);
                *self.all.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
            }
            Event::Waiting(why) => self.say(&format!("waiting: {why}")),
            Event::ProviderStarted { provider, connections } => {
                let bar = Self::bar("  {prefix} [{bar:20}] {pos}/{len} {msg}", *connections);
                let bar = self
                    .bars
                    .insert_from_back(1, bar.with_prefix(provider.to_string()).with_message("reading"));
                bar.tick();
                self.providers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert((*provider).clone(), bar);
            }
            Event::ConnectionRead { provider, region, project, .. } => {
                self.provider(provider, |bar| {
                    bar.inc(1);
                    bar.set_message(format!("read {region}, {project}"));
                });
                self.all(|bar| bar.inc(1));
            }
            Event::Merged { provider, counts, .. } => {
                let provider = &provider.key;
                self.provider(provider, |bar| bar.set_message(format!("sending {}", amounts(*counts))));
            }
            Event::Published { provider, outcome } => {
                self.provider(provider, |bar| bar.set_message(outcome.to_string()));
            }
            Event::ProviderFinished(report) => {
                if let Some(bar) =
                    self.providers.lock().unwrap_or_else(PoisonError::into_inner).remove(&report.key)
                {
                    bar.finish_and_clear();
                }
                self.say(&line(report));
            }
            Event::RunFinished(_) | Event::RunFailed(_) => {
                if let Some(bar) = self.all.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    bar.finish_and_clear();
                }
            }
            Event::RunSkipped { running } => {
                self.say(&format!(
                    "the run before is still under way after {} s: this one is left out",
                    running.as_secs()
                ));
            }
        }
    }
}

/// Log lines.
#[derive(Default)]
pub struct Log {
    far: Mutex<Far>,
}

/// How far the run is.
#[derive(Default)]
struct Far {
    read: usize,
    of: usize,
    told: Option<Instant>,
}

impl Observer for Log {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::ConfigFault(fault) => tracing::error!("provider files: {fault}"),
            Event::ConfigWarning(fault) => tracing::warn!("provider files: {fault}"),
            Event::RunStarted { providers, connections } => {
                let far = Far { read: 0, of: *connections, told: Some(Instant::now()) };
                *self.far.lock().unwrap_or_else(PoisonError::into_inner) = far;
                tracing::info!(providers, connections, "feeder run starts");
            }
            Event::Waiting(why) => tracing::info!("waiting: {why}"),
            Event::ProviderStarted { provider, connections } => {
                tracing::debug!(%provider, connections, "reading");
            }
            Event::ConnectionRead { provider, region, project, took, .. } => {
                tracing::debug!(%provider, region, project, seconds = took.as_secs_f64(), "connection read");
                let mut far = self.far.lock().unwrap_or_else(PoisonError::into_inner);
                far.read += 1;
                if far.told.is_some_and(|told| told.elapsed() >= BEAT) {
                    far.told = Some(Instant::now());
                    tracing::info!(read = far.read, of = far.of, "connections");
                }
            }
            Event::Merged { provider, counts, .. } => {
                tracing::debug!(provider = %provider.key, "sending {}", amounts(*counts));
            }
            Event::Published { provider, outcome } => {
                tracing::debug!(%provider, %outcome, "the registry answered");
            }
            Event::ProviderFinished(report) if report.outcome == Outcome::Failed || report.is_limited() => {
                tracing::warn!("{}", line(report));
                report.notes.iter().for_each(|note| tracing::warn!("{}: {note}", report.key));
            }
            Event::ProviderFinished(report) => tracing::info!("{}", line(report)),
            Event::RunFinished(report) => {
                let failed =
                    report.providers.iter().filter(|provider| provider.outcome == Outcome::Failed).count();
                if let Some(kept) = &report.kept {
                    tracing::warn!("{kept}");
                }
                let (providers, seconds) = (report.providers.len(), report.seconds);
                if report.providers.iter().all(|provider| provider.connections == 0) {
                    let faults = report.configuration.len();
                    tracing::error!(
                        providers,
                        faults,
                        seconds,
                        "feeder run ends: the provider files gave nothing to read"
                    );
                } else {
                    tracing::info!(providers, failed, seconds, "feeder run ends");
                }
            }
            Event::RunFailed(error) => tracing::error!("feeder run: {error}"),
            Event::RunSkipped { running } => {
                let seconds = running.as_secs();
                tracing::warn!(seconds, "the run before is still under way: this one is left out");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::ProviderKind;
    use crate::reading::FaultClass;
    use crate::report::Problem;
    use indicatif::{InMemoryTerm, ProgressDrawTarget};

    fn report(outcome: Outcome, faults: &[&str]) -> ProviderReport {
        let problem = |message: &&str| Problem { class: FaultClass::Timeout, message: (*message).to_owned() };
        let key = ProviderKey { name: "SITE-A".to_owned(), kind: ProviderKind::Openstack };
        ProviderReport {
            counts: Counts { projects: 1, flavors: 2, images: 3, networks: 4, quotas: 5 },
            seconds: 3.21,
            faults: faults.iter().map(problem).collect(),
            ..ProviderReport::new(key, 2, outcome)
        }
    }

    #[test]
    fn a_line_says_what_became_of_a_provider() {
        let updated =
            "SITE-A (openstack): updated: 1 projects, 2 flavors, 3 images, 4 networks, 5 quotas in 3.2 s";
        assert_eq!(line(&report(Outcome::Updated, &[])), updated);
        let failed = "SITE-A (openstack): failed after 3.2 s: no token (and 1 more)";
        assert_eq!(line(&report(Outcome::Failed, &["no token", "x"])), failed);
        assert_eq!(line(&report(Outcome::Removed, &[])), "SITE-A (openstack): removed in 3.2 s");
    }

    #[test]
    fn a_terminal_shows_how_far_it_is() {
        let screen = InMemoryTerm::new(10, 120);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let terminal = Terminal { bars: MultiProgress::with_draw_target(target), ..Terminal::default() };
        let key = report(Outcome::Updated, &[]).key;
        let took = Duration::from_secs(1);
        terminal.event(&Event::RunStarted { providers: 1, connections: 2 });
        terminal.event(&Event::ProviderStarted { provider: &key, connections: 2 });
        terminal.event(&Event::ConnectionRead {
            provider: &key,
            region: "R1",
            project: "p1",
            done: 1,
            of: 2,
            took,
        });
        terminal.provider(&key, ProgressBar::tick);
        terminal.all(|bar| assert_eq!(bar.position(), 1));
        let shown = screen.contents();
        assert!(shown.contains("SITE-A (openstack) [") && shown.contains("1/2 read R1, p1"), "{shown}");

        terminal.event(&Event::ProviderFinished(&report(Outcome::Updated, &[])));
        let shown = screen.contents();
        assert!(shown.contains("updated: 1 projects") && !shown.contains("1/2 read"), "{shown}");
    }
}
