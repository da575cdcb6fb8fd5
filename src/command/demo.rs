//! `fedreg demo`: everything at once, on loopback, with nothing to install or configure.

use super::{failed, feed, print, stopped};
use clap::Args;
use feeder::progress;
use registry::{
    service::{Service, StartError},
    settings::Settings,
};
use serde_json::json;
use simulator::{Federation, Issuer, IssuerOptions, Params, Running, Subject};
use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Run a simulated federation with registry and feeder: nothing to install, nothing to configure.
#[derive(Args)]
pub struct Demo {
    /// The registry's port; the issuer and the simulated sites take the next two. 0 takes free ones.
    #[arg(long, default_value_t = 8000, value_parser = clap::value_parser!(u16).range(..=65533))]
    port: u16,
    /// Print one line of JSON when ready, for scripts, and nothing else.
    #[arg(long)]
    json: bool,
    /// Keep store and provider file in this folder instead of throwing them away at the end; with the same port
    /// and seed the next demo goes on from there.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Another seed makes another federation.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

const READER_SECONDS: i64 = 12 * 3600;

impl Demo {
    /// Runs until Ctrl-C.
    pub async fn run(self) -> ExitCode {
        crate::logging::start_for_demo();
        let stop = stopped();
        let temporary = match tempfile::Builder::new().prefix("fedreg-demo-").tempdir() {
            Ok(folder) => folder,
            Err(error) => return failed(&format!("no temporary folder can be made: {error}. Set TMPDIR")),
        };
        let folder = self.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
        let result = self.run_in(&folder, stop).await;
        if let Err(error) = temporary.close() {
            eprintln!("fedreg: a temporary folder is left: {error}");
        }
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    }

    fn port(&self, place: u16) -> u16 {
        if self.port == 0 { 0 } else { self.port + place }
    }

    async fn run_in(&self, folder: &Path, stop: CancellationToken) -> Result<(), Box<dyn Error>> {
        let say = |text: String| {
            if !self.json {
                print(&text);
            }
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port(1)));
        let issuer =
            Issuer::start(IssuerOptions { address, ..IssuerOptions::default() }).await.map_err(other_port)?;
        let sites = Federation { port: self.port(2), ..Federation::new(self.seed, Params::demo()) };
        let sites = sites.start(&issuer).await.map_err(other_port)?;
        say(format!(
            "A federation of {} simulated sites, an issuer, a registry, a feeder.\n",
            sites.sites().len()
        ));

        let admin = Subject::new("administrator").groups(["federation-admins"]).ttl(READER_SECONDS);
        let admin = issuer.token(&admin)?;
        let reader = issuer.token(&Subject::new("somebody").groups(["users"]).ttl(READER_SECONDS))?;
        let providers = folder.join("providers.yaml");
        std::fs::create_dir_all(folder).map_err(|why| {
            format!("the folder {} cannot be made: {why}. Choose another one with --keep", folder.display())
        })?;
        std::fs::write(
            &providers,
            sites.providers_yaml(&issuer.token(&sites.feeder().ttl(READER_SECONDS))?),
        )?;

        let service = Service::start(&settings(folder, self.port, issuer.url())?).await;
        let service = service.map_err(|error| match error {
            StartError::Listen(why) => other_port(why),
            other => other.to_string(),
        })?;
        let registry = format!("http://{}/api/v1", service.address()?);
        let token = folder.join("admin.token");
        std::fs::write(&token, &admin)?;
        let serving = tokio::spawn(service.run(stop.clone()));

        let feeder: feeder::Settings = serde_json::from_value(json!({
            "providers": providers,
            "registry": registry,
            "token_file": token,
        }))?;
        self.feed(&feeder, &stop, &say).await?;
        if !stop.is_cancelled() {
            if self.json {
                let ready = json!({ "registry": registry, "issuer": issuer.url(), "token": reader, "admin_token": admin });
                print(&ready);
            } else {
                welcome(&registry, &issuer, &sites, &reader, &admin);
            }
        }
        stop.cancelled().await;
        say("\nStopping.".to_owned());
        serving.await?;
        sites.stop().await;
        issuer.stop().await;
        match &self.keep {
            Some(folder) => say(format!("Kept in {}.", folder.display())),
            None => say("Nothing is left behind.".to_owned()),
        }
        Ok(())
    }

    /// Twice, so that the second run shows that nothing changes when nothing changed.
    async fn feed(
        &self,
        settings: &feeder::Settings,
        stop: &CancellationToken,
        say: &impl Fn(String),
    ) -> Result<(), Box<dyn Error>> {
        for title in
            ["The feeder reads all sites:", "\nAnd once more; nothing changed, so nothing is written:"]
        {
            if stop.is_cancelled() {
                break;
            }
            say(title.to_owned());
            let observer: Arc<dyn feeder::Observer> =
                if self.json { Arc::new(feeder::Silent) } else { progress::observer() };
            let result = feeder::run_once(settings, observer, stop.clone()).await;
            match &result {
                Ok(report) if report.failed() && !stop.is_cancelled() => {
                    let kept = if self.keep.is_some() {
                        "\nThe folder of --keep may hold a federation of another port or seed: give a new one"
                    } else {
                        ""
                    };
                    return Err(format!("the feeder failed:\n{report}{kept}").into());
                }
                Ok(_) if self.json => {}
                Ok(_) => {
                    feed::tell(&result, false);
                }
                Err(error) => return Err(error.to_string().into()),
            }
        }
        Ok(())
    }
}

/// The demo has no settings in which a port could be changed.
fn other_port(why: impl std::fmt::Display) -> String {
    format!("{why}. In the demo: --port N takes N and the next two, --port 0 takes free ones")
}

fn settings(folder: &Path, port: u16, issuer: &str) -> Result<Settings, serde_json::Error> {
    serde_json::from_value(json!({
        "listen": SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string(),
        "store": { "kind": "embedded", "path": folder.join("store") },
        "limits": { "notice_seconds": 0 },
        "auth": {
            "issuers": [{ "issuer": issuer }],
            "administrators": [{ "issuer": issuer, "group": "federation-admins" }],
        },
    }))
}

fn welcome(registry: &str, issuer: &Issuer, sites: &Running, reader: &str, admin: &str) {
    let group = sites.feeder().groups.first().cloned().unwrap_or_default();
    let curl = "curl -s -H \"Authorization: Bearer $TOKEN\"";
    print(&format!(
        "
The registry   {registry}
Its page       {registry}/docs
The issuer     {issuer}

export TOKEN={reader}

# Where can the group {group} run, and how much may it use there? The orchestrator's question.
{curl} '{registry}/user_groups/?name={group}&with_conn=true&provider_status=active'

# The flavors with GPUs of the whole federation, the largest first.
{curl} '{registry}/flavors/?gpus__gt=0&sort=-ram&limit=3'

# An answer that did not change costs nothing: 304, no body.
curl -si -H \"Authorization: Bearer $TOKEN\" {registry}/providers/ -H \"If-None-Match: $(curl -sI -H \"Authorization: Bearer $TOKEN\" {registry}/providers/ | tr -d '\\r' | sed -n 's/^etag: //ip')\"

Administrators write: export ADMIN={admin}

Ctrl-C ends it.",
        issuer = issuer.url(),
    ));
}
