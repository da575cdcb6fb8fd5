//! `fedreg feed`

use super::{Config, failed, print, sites::Sites, stopped};
use clap::Args;
use feeder::{Report, Settings, Source, progress};
use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Run the feeder: once, or on a schedule.
#[derive(Args, Clone)]
pub struct Feed {
    #[command(flatten)]
    sites: Sites,
    /// When to run: five or six fields of cron, instead of the configured schedule.
    #[arg(long, value_name = "CRON", conflicts_with = "once")]
    schedule: Option<String>,
    /// Run once, although a schedule is configured.
    #[arg(long)]
    once: bool,
    /// Read everything, write nothing, and say what would be written.
    #[arg(long)]
    dry_run: bool,
    /// Print the report as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl Feed {
    /// Runs the feeder. The exit code is not 0 when a provider failed.
    pub async fn run(self) -> ExitCode {
        let settings = match self.sites.settings() {
            Ok(settings) => self.over(settings),
            Err(code) => return code,
        };
        let this = self.clone();
        let over = move |settings| this.over(this.sites.over(settings));
        let source = source(&self.sites.target.config, over);
        let bad = Arc::new(AtomicBool::new(false));
        let (seen, json) = (Arc::clone(&bad), self.json);
        let finished = move |result: Result<Report, feeder::Error>| {
            let wrong = tell(&result, json);
            seen.store(wrong, Ordering::Relaxed);
        };
        match feeder::run_scheduled(settings, source, progress::observer(), stopped(), finished).await {
            Ok(()) if bad.load(Ordering::Relaxed) => ExitCode::FAILURE,
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    }

    fn over(&self, settings: Settings) -> Settings {
        Settings {
            schedule: if self.once { None } else { self.schedule.clone().or(settings.schedule) },
            dry_run: self.dry_run || settings.dry_run,
            ..settings
        }
    }
}

/// Where the settings come from, to follow changes; `over` adds what the command line says.
pub fn source(
    config: &Config,
    over: impl Fn(Settings) -> Settings + Send + Sync + 'static,
) -> Option<Source> {
    let file = config.config.clone()?;
    let from = file.clone();
    let load = move || {
        let loaded = registry::settings::Settings::load(Some(&from)).map_err(|error| error.to_string())?;
        let settings = loaded.section::<Settings>("feeder").map_err(|error| error.to_string())?;
        Ok(over(settings))
    };
    Some(Source { file, load: Box::new(load) })
}

/// Prints what became of a run. Says whether something went wrong.
pub fn tell(result: &Result<Report, feeder::Error>, json: bool) -> bool {
    match result {
        Ok(report) if json => {
            print(&serde_json::to_string(report).unwrap_or_default());
            report.failed()
        }
        // faults of the provider files were told while it ran
        Ok(report) => {
            print(report);
            report.failed()
        }
        Err(error) => {
            eprintln!("fedreg: {error}");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;
    use registry::settings::Loaded;
    use std::{collections::HashMap, path::Path};

    const EXAMPLE: &str = include_str!("../../fedreg.example.yaml");
    const PAGE: &str = include_str!("../../docs/configuration.md");

    fn feeder(text: &str) -> Result<Settings, String> {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let loaded = Loaded::new(Some(Path::new(file.path())), HashMap::new()).unwrap();
        loaded.section("feeder").map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_shows_the_defaults_and_loads_with_its_comments_taken_in() {
        assert_eq!(format!("{:?}", feeder(EXAMPLE).unwrap()), format!("{:?}", Settings::default()));
        let full = feeder(&EXAMPLE.replace("#|", "")).unwrap();
        assert!(full.token_file.is_some() && full.schedule.is_some());
    }

    #[test]
    fn the_example_and_the_page_have_every_key() {
        for (section, wrong) in
            [("feeder", "feeder: {zzz: 1}"), ("feeder.limits", "feeder: {limits: {zzz: 1}}")]
        {
            let error = feeder(wrong).unwrap_err();
            let (_, known) = error.trim_end_matches('.').split_once("nown: ").unwrap();
            for key in known.split(", ") {
                assert!(EXAMPLE.contains(&format!("{key}:")), "fedreg.example.yaml lacks {section} {key}");
                let row = format!("| `{section}.{key}` |");
                assert!(PAGE.contains(&row), "docs/configuration.md lacks {section}.{key}");
            }
        }
    }
}
