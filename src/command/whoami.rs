//! `fedreg whoami`

use super::{Config, failed, print, settings};
use clap::Args;
use registry::auth::{Authenticator, Statement, SystemClock};
use std::{path::PathBuf, process::ExitCode, sync::Arc};

/// Say who a token makes its holder by the settings at hand: which rules hold and what they allow, or why it is refused.
#[derive(Args)]
pub struct Whoami {
    #[command(flatten)]
    config: Config,
    /// A file that holds the token and nothing else.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
}

impl Whoami {
    /// Asks the token's issuer for its keys, and for what the token does not say; the registry need not run.
    pub async fn run(self) -> ExitCode {
        let loaded = match settings(&self.config) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let token = match std::fs::read_to_string(&self.token_file) {
            Ok(text) => text.trim().to_owned(),
            Err(error) => return failed(&format!("{}: {error}", self.token_file.display())),
        };
        let clock = Arc::new(SystemClock::new());
        let identity = match Authenticator::new(&loaded.settings.auth, clock) {
            Ok(authenticator) => authenticator.authenticate(Some(&format!("Bearer {token}"))).await,
            Err(error) => return failed(&error),
        };
        match identity.map(|identity| serde_json::to_string_pretty(&Statement::new(&identity))) {
            Ok(Ok(text)) => {
                print(&text);
                ExitCode::SUCCESS
            }
            Ok(Err(error)) => failed(&error),
            Err(refused) => {
                let advice = refused.advice().map(|advice| format!(" {advice}.")).unwrap_or_default();
                failed(&format!("{refused} ({}){advice}", refused.reason()))
            }
        }
    }
}
