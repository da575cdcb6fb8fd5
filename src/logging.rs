//! Where log lines go: to standard error, in the configured form.

use registry::settings::{LogFormat, LogLevel, LogSettings};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` overrides the configured level for those who look closer; what was written and what was
/// refused (the target `audit`) is told at every level.
pub fn start(settings: &LogSettings) {
    begin(settings, "audit=info");
}

/// Starts logging for a demonstration: errors only, so that what it prints stands alone.
pub fn start_for_demo() {
    begin(&LogSettings { level: LogLevel::Error, ..LogSettings::default() }, "audit=error");
}

fn begin(settings: &LogSettings, audit: &str) {
    // the driver of Neo4j warns of its routing, which the registry says in its own words
    let level = tracing::Level::from(settings.level).to_string().to_lowercase();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new(format!("warn,neo4rs=error,registry={level},feeder={level},fedreg={level}"))
    });
    let filter = match audit.parse() {
        Ok(audit) => filter.add_directive(audit),
        Err(_) => filter,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match settings.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
