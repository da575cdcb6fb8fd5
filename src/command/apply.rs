//! `fedreg apply`

use super::{failed, feed::tell, sites::Target, stopped};
use clap::Args;
use feeder::{plan::SavedPlan, progress};
use std::{path::PathBuf, process::ExitCode};

/// Write what a saved plan says, unless the graph has changed since.
#[derive(Args)]
pub struct Apply {
    #[command(flatten)]
    target: Target,
    /// What `fedreg plan --out` saved.
    plan: PathBuf,
    /// Print the report as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl Apply {
    /// Does what the plan says, or nothing.
    pub async fn run(self) -> ExitCode {
        let settings = match self.target.settings() {
            Ok(settings) => settings,
            Err(code) => return code,
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
