//! The `fedreg` command: one thin binary, one file per subcommand.

mod command;
mod logging;

use clap::Parser;
use command::Command;
use std::process::ExitCode;

/// Which provider can run this, for this user group, with which project, flavor, image, network and quota?
///
/// The registry answers that question from a graph in memory; the feeder keeps the graph true.
/// Try it: `fedreg demo` runs a whole simulated federation, with nothing to install or configure.
#[derive(Parser)]
#[command(name = "fedreg", version, max_term_width = 100, after_long_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  fedreg demo                        a simulated federation, registry and feeder, in one process
  fedreg check --config fedreg.yaml  are settings, store, issuers and provider files in order?
  fedreg serve --config fedreg.yaml  the registry
  fedreg feed --config fedreg.yaml   one run of the feeder; again and again with
                                     --schedule '*/10 * * * *'
  fedreg plan --config fedreg.yaml   what a run would change
  fedreg up --config fedreg.yaml     both in one process

Each key of the settings can be given in the environment, which wins:
  FEDREG__STORE__PATH=/var/lib/fedreg fedreg serve";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return command::failed(&format!("the runtime does not start: {error}")),
    };
    let code = runtime.block_on(command::run(cli.command));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}
