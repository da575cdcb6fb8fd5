//! `fedreg serve`

use super::{Config, failed, print, reload_on_hangup, settings, stopped};
use clap::Args;
use registry::{
    graph::Graph,
    service::{Service, open_store},
    settings::{Settings, StoreSettings},
};
use schema::Schema;
use std::process::ExitCode;

/// Run the registry until SIGTERM or Ctrl-C.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    config: Config,
    /// Only say what the start would add to the store, and what is wrong with what it holds; write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Serve {
    /// Runs the registry until told to stop.
    pub async fn run(self) -> ExitCode {
        let loaded = match settings(&self.config) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        if self.dry_run {
            return match survey(&loaded.settings).await {
                Ok(text) => {
                    print(&text);
                    ExitCode::SUCCESS
                }
                Err(why) => failed(&why),
            };
        }
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
}

/// What a start would find and add.
async fn survey(settings: &Settings) -> Result<String, String> {
    if let StoreSettings::Embedded { path } = &settings.store
        && path.read_dir().map_or(true, |mut files| files.next().is_none())
    {
        return Ok(format!("a start would make an empty store in {}", path.display()));
    }
    let store = open_store(&settings.store, settings.history.entries).map_err(|error| error.to_string())?;
    let survey = store.survey().await.map_err(|error| error.to_string())?;
    let loaded = survey.loaded;
    let graph = Graph::build(Schema::get(), loaded.nodes, loaded.links).map_err(|error| error.to_string())?;
    let relations: usize = graph.iter().map(|id| graph.links_from(id).count()).sum();
    let mut lines = vec![format!(
        "there are {} nodes and {relations} relations, at revision {}; a start would add {}",
        graph.len(),
        loaded.revision,
        if survey.would_add.is_empty() { "nothing" } else { "this and nothing else:" }
    )];
    lines.extend(survey.would_add.into_iter().map(|what| format!("  {what}")));
    let faults: Vec<String> = loaded.faults.into_iter().chain(graph.faults()).collect();
    if !faults.is_empty() {
        let faulty = match faults.len() {
            1 => "1 fault".to_owned(),
            several => format!("{several} faults"),
        };
        lines.push(format!("{faulty} in the data, which would be served as well as it can be:"));
        lines.extend(faults.into_iter().map(|what| format!("  {what}")));
    }
    Ok(lines.join("\n"))
}
