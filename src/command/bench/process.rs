//! A `fedreg` of its own, and what it takes of the machine.

use super::client;
use std::{
    error::Error,
    ffi::OsStr,
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// How often it is looked at: what it takes after the last look is not seen.
const LOOK: Duration = Duration::from_millis(20);

/// What a process took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// Memory at its peak, KiB.
    pub peak_kib: u64,
    /// Processor time.
    pub processor: Duration,
}

impl Spent {
    /// Of a process until now.
    pub fn by(pid: u32) -> Result<Self, Box<dyn Error>> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // the name, in brackets, can hold anything
        let fields: Vec<&str> =
            stat.rsplit_once(')').unwrap_or_default().1.split_ascii_whitespace().collect();
        // proc(5): utime and stime, in hundredths of a second on every Linux that runs this
        let ticks = fields.get(11..13).ok_or("no times in /proc")?.iter();
        let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>()).sum::<Result<_, _>>()?;
        let processor = Duration::from_millis(ticks * 10);
        Ok(Self { peak_kib: client::memory_kib(pid, "VmHWM:")?, processor })
    }
}

/// See the module.
pub struct Process {
    child: Child,
    /// Its number.
    pub pid: u32,
    start: Instant,
}

impl Process {
    /// Starts a subcommand with a file of settings; it ends with this.
    pub fn start(args: &[&str], config: &Path, says: Stdio) -> Result<Self, Box<dyn Error>> {
        let args = args.iter().map(OsStr::new).chain(["--config".as_ref(), config.as_ref()]);
        let start = Instant::now();
        let mut command = Command::new(std::env::current_exe()?);
        let child = command.args(args).stdout(says).kill_on_drop(true).spawn()?;
        let pid = child.id().ok_or("it ended at once")?;
        Ok(Self { child, pid, start })
    }

    /// Waits until a registry answers; how long that took.
    pub async fn ready(&self, target: &client::Target) -> Result<Duration, Box<dyn Error>> {
        while client::fetch(target).await.is_err() {
            if self.start.elapsed() > Duration::from_mins(1) {
                return Err("the registry did not become ready".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(self.start.elapsed())
    }

    /// Waits for its end; how long it ran, and what it took.
    pub async fn end(mut self) -> io::Result<(ExitStatus, Duration, Spent)> {
        let mut spent = Spent::default();
        loop {
            tokio::select! {
                status = self.child.wait() => return Ok((status?, self.start.elapsed(), spent)),
                () = tokio::time::sleep(LOOK) => spent = Spent::by(self.pid).unwrap_or(spent),
            }
        }
    }

    /// Ends it.
    pub async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await
    }
}
