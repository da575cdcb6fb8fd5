//! The feeder's settings, and what the command line says instead of them.

use super::{Config, failed, settings};
use clap::Args;
use feeder::Settings;
use std::{path::PathBuf, process::ExitCode};

/// Which registry.
#[derive(Args, Clone)]
pub struct Target {
    #[command(flatten)]
    pub config: Config,
    /// The registry's address, instead of the configured one.
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
}

impl Target {
    /// Reads the settings, and starts logging as they say.
    pub fn settings(&self) -> Result<Settings, ExitCode> {
        let loaded = settings(&self.config)?;
        loaded.section("feeder").map(|settings| self.over(settings)).map_err(|error| failed(&error))
    }

    /// Settings, with what was given instead.
    pub fn over(&self, settings: Settings) -> Settings {
        Settings { registry: self.registry.clone().unwrap_or(settings.registry), ..settings }
    }
}

/// Which registry, and what to read for it.
#[derive(Args, Clone)]
pub struct Sites {
    #[command(flatten)]
    pub target: Target,
    /// A provider file, or a folder of *.config.yaml files, instead of the configured one.
    #[arg(long, value_name = "PATH")]
    providers: Option<PathBuf>,
    /// Look at this provider only; can be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Remove what the files and the clouds no longer name, however much it is.
    #[arg(long)]
    confirm_removals: bool,
}

impl Sites {
    /// See [`Target::settings`].
    pub fn settings(&self) -> Result<Settings, ExitCode> {
        self.target.settings().map(|settings| self.over(settings))
    }

    /// Settings, with what was given instead.
    pub fn over(&self, settings: Settings) -> Settings {
        let settings = self.target.over(settings);
        Settings {
            providers: self.providers.clone().unwrap_or(settings.providers),
            confirm_removals: self.confirm_removals || settings.confirm_removals,
            only: self.only.clone(),
            ..settings
        }
    }
}
