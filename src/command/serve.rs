//! `fedreg serve`

use super::{failed, settings, stopped};
use registry::service::Service;
use std::{path::Path, process::ExitCode};

/// Runs the registry until told to stop.
pub async fn run(config: Option<&Path>) -> ExitCode {
    let loaded = match settings(config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let stop = stopped();
    match Service::start(&loaded.settings).await {
        Ok(service) => {
            if let Ok(address) = service.address() {
                let base = &loaded.settings.base_path;
                tracing::info!("listening on http://{address}{base} (docs: http://{address}{base}/docs)");
            }
            service.run(stop).await;
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}
