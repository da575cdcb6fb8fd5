//! `fedreg openapi`

use super::{Config, failed, print, settings};
use clap::{Args, ValueEnum};
use registry::api;
use std::process::ExitCode;

/// Print the OpenAPI document of the configured base path.
#[derive(Args)]
pub struct Openapi {
    #[command(flatten)]
    config: Config,
    /// The version of OpenAPI to print it in.
    #[arg(long, value_enum, default_value_t)]
    version: Version,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Version {
    /// For tools that do not know 3.1.
    #[value(name = "3.0")]
    V3_0,
    #[default]
    #[value(name = "3.1")]
    V3_1,
}

impl Openapi {
    /// Prints it.
    pub fn run(self) -> ExitCode {
        let loaded = match settings(&self.config) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let base_path = &loaded.settings.base_path;
        let document = match self.version {
            Version::V3_0 => api::openapi_3_0(base_path),
            Version::V3_1 => api::openapi(base_path),
        };
        match document.and_then(|document| serde_json::to_string_pretty(&document)) {
            Ok(json) => {
                print(&json);
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        }
    }
}
