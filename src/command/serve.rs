//! `fedreg serve`

use super::{Config, failed, reload_on_hangup, settings, stopped};
use registry::service::Service;
use std::process::ExitCode;

/// Runs the registry until told to stop.
pub async fn run(config: &Config) -> ExitCode {
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
            reload_on_hangup(service.federation());
            service.run(stop).await;
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}
