//! The figures of one size, as text.

use std::{fmt, time::Duration};

/// One read.
#[derive(Default)]
pub struct Row {
    pub name: &'static str,
    pub bytes: usize,
    /// Answers a second, each written from the graph.
    pub rate: f64,
    /// The same bytes as a constant.
    pub constant: f64,
    /// Answers a second when the answer is kept.
    pub kept: f64,
}

/// All figures of one size.
#[derive(Default)]
pub struct Report {
    pub nodes: usize,
    pub relations: usize,
    pub reads: Vec<Row>,
    pub changes: Vec<(&'static str, Duration)>,
    pub created: (usize, usize),
    pub commit: Duration,
    pub start: Duration,
    pub process_start: Duration,
    pub idle_kib: u64,
    pub used_kib: u64,
}

/// The one in the middle.
pub fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {} nodes, {} relations\n", self.nodes, self.relations)?;
        writeln!(f, "| read | bytes | written/s | constant/s | ratio | kept/s | ratio |")?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for Row { name, bytes, rate, constant, kept } in &self.reads {
            let percent = |rate: f64| 100.0 * rate / constant;
            writeln!(
                f,
                "| {name} | {bytes} | {rate:.0} | {constant:.0} | {:.0} % | {kept:.0} | {:.0} % |",
                percent(*rate),
                percent(*kept)
            )?;
        }
        writeln!(f, "\n| change | median |\n|---|---|")?;
        for (name, time) in &self.changes {
            writeln!(f, "| {name} | {:.3} ms |", time.as_secs_f64() * 1e3)?;
        }
        let (created, linked) = self.created;
        writeln!(
            f,
            "| write a provider of {created} nodes, {linked} relations, to disk | {:.2} ms |",
            self.commit.as_secs_f64() * 1e3
        )?;
        writeln!(f, "\n| process | |\n|---|---|")?;
        writeln!(f, "| load the graph and listen | {:.0} ms |", self.start.as_secs_f64() * 1e3)?;
        writeln!(f, "| from exec to the first answer | {:.0} ms |", self.process_start.as_secs_f64() * 1e3)?;
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let mib = |kib: u64| kib as f64 / 1024.0;
        writeln!(f, "| memory after the start | {:.1} MiB |", mib(self.idle_kib))?;
        writeln!(f, "| memory after reads of everything | {:.1} MiB |", mib(self.used_kib))
    }
}
