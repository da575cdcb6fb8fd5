//! How long the feeder takes over many sites, compared with the slowest of them alone, and how much memory.

use super::client;
use serde_json::json;
use simulator::{Fault, Federation, Issuer, IssuerOptions, Params, Signing};
use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

/// What every request to a site waits, and what those to the slowest one do.
const USUAL: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(4);

/// The figures.
pub struct Figures {
    pub sites: usize,
    pub projects: usize,
    pub requests: usize,
    /// The slowest site alone.
    pub slowest: Duration,
    /// All of them at once.
    pub all: Duration,
    /// Of the process that read all of them, at its peak.
    pub peak_kib: u64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "## The feeder over {} sites of {} projects\n\n| | |\n|---|---|",
            self.sites, self.projects
        )?;
        writeln!(f, "| requests | {} |", self.requests)?;
        writeln!(f, "| the slowest site alone | {:.1} s |", self.slowest.as_secs_f64())?;
        writeln!(f, "| all sites at once | {:.1} s |", self.all.as_secs_f64())?;
        writeln!(f, "| ratio | {:.0} % |", 100.0 * self.all.as_secs_f64() / self.slowest.as_secs_f64())?;
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let mib = self.peak_kib as f64 / 1024.0;
        writeln!(f, "| memory at its peak | {mib:.0} MiB |")
    }
}

/// Reads a simulated federation with a process of its own.
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
    let folder = tempfile::tempdir()?;
    let token = issuer.token(&running.feeder())?;
    let all = running.providers_yaml(&token);
    eprintln!("the feeder: the slowest site alone ...");
    let name = slow.provider().name.clone();
    let (slowest, _) = read(folder.path(), &only(&all, &name)).await?;
    let before: usize = running.sites().iter().map(|site| site.faults().hits("")).sum();
    eprintln!("the feeder: all {sites} sites ...");
    let (took, peak_kib) = read(folder.path(), &all).await?;
    let after: usize = running.sites().iter().map(|site| site.faults().hits("")).sum();
    running.stop().await;
    issuer.stop().await;
    Ok(Figures { sites, projects, requests: after - before, slowest, all: took, peak_kib })
}

/// The provider file with one provider alone: entries begin at the same column.
fn only(file: &str, name: &str) -> String {
    let mut kept = String::new();
    let mut inside = None;
    for line in file.lines() {
        if line == "openstack:" || line == "kubernetes:" {
            inside = Some(false);
        } else if inside.is_some() && line.starts_with("  - name: ") {
            inside = Some(line.contains(&format!("\"{name}\"")) || line.ends_with(&format!(" {name}")));
        } else if !line.starts_with(' ') {
            inside = None;
        }
        if inside != Some(false) || !line.starts_with("  ") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// How long `fedreg check --connect` takes for a file, and its memory at the peak, KiB.
async fn read(folder: &Path, providers: &str) -> Result<(Duration, u64), Box<dyn Error>> {
    let (file, config) = (folder.join("providers.yaml"), folder.join("fedreg.yaml"));
    std::fs::write(&file, providers)?;
    std::fs::write(
        &config,
        json!({ "feeder": { "providers": file }, "log": { "level": "error" } }).to_string(),
    )?;
    let start = Instant::now();
    let mut child = tokio::process::Command::new(std::env::current_exe()?)
        .args(["check", "--connect", "--json", "--config"])
        .arg(&config)
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let pid = child.id().ok_or("it ended at once")?;
    let mut peak = 0;
    loop {
        tokio::select! {
            status = child.wait() => {
                return if status?.success() { Ok((start.elapsed(), peak)) } else { Err("not every project could be read".into()) };
            }
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                peak = client::memory_kib(pid, "VmHWM:").unwrap_or(peak);
            }
        }
    }
}
