//! `fedreg openapi`

use super::{Config, failed, settings};
use std::process::ExitCode;

/// Prints the OpenAPI document of the configured base path.
pub fn run(config: &Config) -> ExitCode {
    let loaded = match settings(config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    match registry::api::openapi(&loaded.settings.base_path).to_pretty_json() {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}
