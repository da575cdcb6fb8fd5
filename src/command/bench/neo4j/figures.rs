//! The figures of one size, as text.

use super::changes::Measured;
use std::{fmt, time::Duration};

/// One start of a registry process.
pub struct Start {
    /// From exec to the first answer.
    pub took: Duration,
    /// Its memory at the peak, KiB.
    pub peak_kib: u64,
    /// Its memory once it is ready, KiB.
    pub kib: u64,
    /// The lines in which it said how far it was.
    pub progress: Vec<String>,
}

/// All figures of one size.
pub struct Figures {
    pub nodes: usize,
    pub relations: usize,
    /// Entries in the change log.
    pub log: u64,
    /// Into an empty database, without the log.
    pub fill: Duration,
    /// In the place of the same graph, with the log.
    pub fill_with_log: Duration,
    /// Reading everything.
    pub load: Duration,
    pub starts: Vec<Start>,
    pub changes: Vec<Measured>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, relations, log, fill, fill_with_log, load, starts, changes } = self;
        let ms = |time: &Duration| time.as_secs_f64() * 1e3;
        writeln!(f, "## Neo4j: {nodes} nodes, {relations} relations\n")?;
        writeln!(f, "| change | nodes | ours | bare | bare, cut | ratio to the faster |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for change in changes {
            let Measured { what, nodes, ours, bare, cut } = change;
            writeln!(
                f,
                "| {what} | {nodes} | {:.1} ms | {:.1} ms | {:.1} ms | {:.2} |",
                ms(ours),
                ms(bare),
                ms(cut),
                change.ratio()
            )?;
        }
        writeln!(f, "\n| the whole graph | |\n|---|---|")?;
        writeln!(f, "| fill an empty database | {:.1} s |", fill.as_secs_f64())?;
        writeln!(
            f,
            "| fill it in the place of another one, with a log of {log} changes | {:.1} s |",
            fill_with_log.as_secs_f64()
        )?;
        writeln!(f, "| load everything | {:.2} s |", load.as_secs_f64())?;
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let mib = |kib: u64| kib as f64 / 1024.0;
        for Start { took, peak_kib, kib, progress } in starts {
            writeln!(
                f,
                "| from exec to ready | {:.2} s; {:.0} MiB at the peak, {:.0} MiB afterwards: {:.2} times |",
                took.as_secs_f64(),
                mib(*peak_kib),
                mib(*kib),
                mib(*peak_kib) / mib(*kib)
            )?;
            for line in progress {
                writeln!(f, "|  | `{}` |", line.trim())?;
            }
        }
        Ok(())
    }
}
