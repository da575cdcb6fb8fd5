//! `fedreg apply`

use super::{Config, failed, feed::tell, settings, stopped};
use clap::Args;
use feeder::{Settings, plan::SavedPlan, progress};
use std::{path::PathBuf, process::ExitCode};

/// Write what a saved plan says, unless the graph has changed since.
#[derive(Args)]
pub struct Apply {
    #[command(flatten)]
    config: Config,
    /// What `fedreg plan --out` saved.
    plan: PathBuf,
    /// The registry's address, instead of the configured one.
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// Print the report as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl Apply {
    /// Does what the plan says, or nothing.
    pub async fn run(self) -> ExitCode {
        let loaded = match settings(&self.config) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let settings = match loaded.section::<Settings>("feeder") {
            Ok(settings) => {
                Settings { registry: self.registry.unwrap_or(settings.registry.clone()), ..settings }
            }
            Err(error) => return failed(&error),
        };
        let read = std::fs::read(&self.plan).map_err(|why| why.to_string());
        let plan = read.and_then(|bytes| {
            serde_json::from_slice::<SavedPlan>(&bytes).map_err(|why| format!("it is no plan ({why})"))
        });
        let plan = match plan {
            Ok(plan) => plan,
            Err(why) => return failed(&format!("the plan {} cannot be read: {why}", self.plan.display())),
        };
        let result = feeder::plan::apply(&settings, &plan, progress::observer(), stopped()).await;
        if tell(&result, self.json) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
