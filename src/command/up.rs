//! `fedreg up`

use super::{Config, failed, feed, reload_on_hangup, settings, stopped};
use feeder::{Settings, progress};
use registry::service::Service;
use std::process::ExitCode;

/// Runs registry and feeder in one process until told to stop.
pub async fn run(config: &Config) -> ExitCode {
    let loaded = match settings(config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let feeder = match loaded.section::<Settings>("feeder") {
        Ok(feeder) => feeder,
        Err(error) => return failed(&error),
    };
    let stop = stopped();
    let service = match Service::start(&loaded.settings).await {
        Ok(service) => service,
        Err(error) => return failed(&error),
    };
    let address = match service.address() {
        Ok(address) => address,
        Err(error) => return failed(&error),
    };
    let base = &loaded.settings.base_path;
    tracing::info!("listening on http://{address}{base} (docs: http://{address}{base}/docs)");
    // the feeder talks to the registry beside it, and ends with it; when it cannot start, both end. A certificate is good
    // for a name, which only the settings know
    let beside = loaded.settings.tls.is_none().then(|| format!("http://{address}{base}"));
    let over = move |settings: Settings| Settings {
        registry: beside.clone().unwrap_or(settings.registry),
        ..settings
    };
    let feeder = over(feeder);
    let source = feed::source(config, over);
    let until = stop.clone();
    let feeding = tokio::spawn(async move {
        let finished = |result| {
            feed::tell(&result, false);
        };
        let fed = feeder::run_scheduled(feeder, source, progress::observer(), until.clone(), finished).await;
        if fed.is_err() {
            until.cancel();
        }
        fed
    });
    reload_on_hangup(service.federation());
    service.run(stop).await;
    match feeding.await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}
