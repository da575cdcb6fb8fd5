//! How long a run of the feeder takes over many sites, compared with a run over the slowest of them alone, and how much
//! memory. Feeder and registry are processes of their own; the sites and their issuer are this one.

use super::{
    client::Target,
    process::{Process, Spent},
    registry_process,
};
use serde_json::{Value, json};
use simulator::{Fault, Federation, Issuer, IssuerOptions, Params, Running, Signing, Subject};
use std::{error::Error, fmt, time::Duration};

/// What every request to a site waits, and what those to the slowest one do.
const USUAL: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(4);

/// A run.
struct Run {
    took: Duration,
    requests: usize,
    feeder: Spent,
    registry: Spent,
    /// Processor time of the sites.
    sites: Duration,
}

/// The figures.
pub struct Figures {
    sites: usize,
    projects: usize,
    slowest: Run,
    all: Run,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sites, projects, slowest, all } = self;
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let mib = |spent: Spent| format!("{:.0} MiB", spent.peak_kib as f64 / 1024.0);
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        writeln!(f, "## A run of the feeder over {sites} sites of {projects} projects\n")?;
        writeln!(f, "| | the slowest alone | all at once |\n|---|---|---|")?;
        let mut row = |what: &str, of: &dyn Fn(&Run) -> String| {
            writeln!(f, "| {what} | {} | {} |", of(slowest), of(all))
        };
        row("requests to sites", &|run| run.requests.to_string())?;
        row("time", &|run| seconds(run.took))?;
        row("memory of the feeder at its peak", &|run| mib(run.feeder))?;
        row("memory of the registry at its peak", &|run| mib(run.registry))?;
        row("processor time of the feeder", &|run| seconds(run.feeder.processor))?;
        row("processor time of the registry", &|run| seconds(run.registry.processor))?;
        row("processor time of the sites", &|run| seconds(run.sites))?;
        let ratio = 100.0 * all.took.as_secs_f64() / slowest.took.as_secs_f64();
        writeln!(f, "\nAll at once: {ratio:.0} % of the slowest one's own time; the bound is 110 %.")
    }
}

/// A simulated federation, and who may read and write what.
struct World {
    running: Running,
    issuer: Issuer,
    folder: tempfile::TempDir,
}

/// Runs the feeder over a simulated federation.
pub async fn measure(sites: usize, projects: usize) -> Result<Figures, Box<dyn Error>> {
    let issuer = Issuer::start(IssuerOptions { signing: Signing::Es256, ..IssuerOptions::default() }).await?;
    let params = Params { openstack: sites, projects, ..Params::benchmark(sites) };
    let running = Federation::new(5, params).start(&issuer).await?;
    for site in running.sites() {
        site.faults().set("", Fault::Delay(USUAL));
    }
    let slow = running.sites().first().ok_or("no site")?;
    slow.faults().clear();
    slow.faults().set("", Fault::Delay(SLOWEST));
    let name = slow.provider().name.clone();
    let world = World { running, issuer, folder: tempfile::tempdir()? };
    eprintln!("the feeder: {name}, the slowest site, alone ...");
    let slowest = world.run(&["--only", &name]).await?;
    eprintln!("the feeder: all {sites} sites ...");
    let all = world.run(&[]).await?;
    world.running.stop().await;
    world.issuer.stop().await;
    Ok(Figures { sites, projects, slowest, all })
}

impl World {
    /// One run against a new registry.
    async fn run(&self, options: &[&str]) -> Result<Run, Box<dyn Error>> {
        let store = tempfile::tempdir_in(&self.folder)?;
        let admin = self.issuer.token(&Subject::new("bench").groups(["admins"]))?;
        let (registry, address) = registry_process(store.path(), self.issuer.url())?;
        registry.ready(&Target { address, path: "/readyz".to_owned(), token: admin.clone() }).await?;

        let providers = self.folder.path().join("providers.yaml");
        let token = self.issuer.token(&self.running.feeder())?;
        std::fs::write(&providers, self.running.providers_yaml(&token))?;
        let config = self.folder.path().join("feeder.yaml");
        let settings = json!({
            "feeder": { "providers": providers, "registry": format!("http://{address}/api/v1"), "token": admin },
            "log": { "level": "error" },
        });
        std::fs::write(&config, settings.to_string())?;
        let asked = || self.running.sites().iter().map(|site| site.faults().hits("")).sum::<usize>();
        let own = || Spent::by(std::process::id()).map(|spent| spent.processor);
        let (before, sites) = (asked(), own()?);
        let feed = [&["feed", "--once", "--json"], options].concat();
        let said = self.folder.path().join("report.json");
        let out = std::fs::File::create(&said)?.into();
        let (status, took, feeder) = Process::start(&feed, &config, out)?.end().await?;
        if !status.success() {
            let report: Value = serde_json::from_slice(&std::fs::read(&said)?).unwrap_or_default();
            let providers = report["providers"].as_array().into_iter().flatten();
            let faults = providers.flat_map(|one| one["faults"].as_array().into_iter().flatten());
            let faults: Vec<_> = faults.filter_map(|fault| fault["message"].as_str()).collect();
            let first = faults.first().copied().unwrap_or("look above");
            let took = took.as_secs_f64();
            return Err(format!("after {took:.1} s {} faults, first: {first}", faults.len()).into());
        }
        let run = Run {
            took,
            requests: asked() - before,
            feeder,
            registry: Spent::by(registry.pid)?,
            sites: own()?.saturating_sub(sites),
        };
        registry.kill().await?;
        Ok(run)
    }
}
