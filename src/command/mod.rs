//! The subcommands.

mod apply;
mod bench;
mod check;
mod completions;
mod demo;
mod export;
mod feed;
mod import;
mod migrate;
mod openapi;
mod plan;
mod schema;
mod serve;
mod sites;
mod stores;
mod up;
mod whoami;

use clap::{Args, Subcommand};
use registry::{
    federation::{Author, Federation, Reloaded},
    settings::{Loaded, Settings},
};
use std::{fmt::Display, io::Write, path::PathBuf, process::ExitCode, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Where the settings are.
#[derive(Args, Clone)]
pub struct Config {
    /// The settings, a YAML file; each key can also be given in the environment.
    #[arg(long, short, env = "FEDREG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    Serve(serve::Serve),
    /// Run the feeder: once, or on a schedule.
    Feed(feed::Feed),
    /// Show what a run of the feeder would add, change and remove, field by field.
    Plan(plan::Plan),
    /// Write what a saved plan says, unless the graph has changed since.
    Apply(apply::Apply),
    /// Run registry and feeder in one process.
    Up(Config),
    /// Run a simulated federation with registry and feeder: nothing to install, nothing to configure.
    Demo(demo::Demo),
    /// Say whether settings, store, issuers and provider files are in order.
    Check(check::Check),
    Export(export::Export),
    Import(import::Import),
    Migrate(migrate::Migrate),
    Whoami(whoami::Whoami),
    /// Print the OpenAPI document.
    Openapi(openapi::Openapi),
    /// Print the JSON Schema of provider files, or of the feeder's settings.
    Schema(schema::Schema),
    /// Measure: reads against constants, change sets, memory, start-up.
    Bench(bench::Bench),
    /// Print the completions of a shell.
    Completions(completions::Completions),
}

/// Runs a subcommand to its end.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::Serve(serve) => serve.run().await,
        Command::Feed(feed) => feed.run().await,
        Command::Plan(plan) => plan.run().await,
        Command::Apply(apply) => apply.run().await,
        Command::Up(config) => up::run(&config).await,
        Command::Demo(demo) => demo.run().await,
        Command::Check(check) => check.run().await,
        Command::Export(export) => export.run().await,
        Command::Import(import) => import.run().await,
        Command::Migrate(migrate) => migrate.run().await,
        Command::Whoami(whoami) => whoami.run().await,
        Command::Openapi(openapi) => openapi.run(),
        Command::Schema(schema) => schema.run(),
        Command::Bench(bench) => bench.run().await,
        Command::Completions(completions) => completions.run(),
    }
}

/// Prints a result. That nobody reads it any more (`fedreg openapi | head`) is no reason to fail.
fn print(text: &dyn Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says what went wrong and what to do, and that it did.
pub fn failed(why: &dyn Display) -> ExitCode {
    eprintln!("fedreg: {why}");
    ExitCode::FAILURE
}

/// The settings, or the exit code after saying what is wrong with them.
fn settings(config: &Config) -> Result<Loaded, ExitCode> {
    let loaded = Settings::load(config.config.as_deref()).map_err(|error| failed(&error))?;
    crate::logging::start(&loaded.settings.log);
    Ok(loaded)
}

/// Cancelled at SIGTERM or Ctrl-C; a second one ends the process at once.
fn stopped() -> CancellationToken {
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        signal().await;
        stop.cancel();
        signal().await;
        std::process::exit(130);
    });
    token
}

/// Takes in what was changed in the store by hand, at each SIGHUP.
fn reload_on_hangup(federation: Arc<Federation>) {
    use tokio::signal::unix::{SignalKind, signal};
    tokio::spawn(async move {
        let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
        while hangups.recv().await.is_some() {
            let author = Author {
                who: "the operator".to_owned(),
                what: "reload (SIGHUP)".to_owned(),
                request: String::new(),
            };
            match federation.take_in(author).await {
                Ok(Reloaded { changes: 0, revision }) => {
                    tracing::info!(revision, "reloaded: nothing was changed by hand");
                }
                Ok(Reloaded { changes, revision }) => {
                    tracing::info!(
                        changes,
                        revision,
                        "reloaded: {changes} changes made by hand are taken in"
                    );
                }
                Err(error) => {
                    tracing::error!(%error, "what was changed by hand could not be taken in: {error}");
                }
            }
        }
    });
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
        }
        Err(error) => {
            tracing::warn!(error = %error, "SIGTERM cannot be waited for");
            let _ = interrupt.await;
        }
    }
}
