//! What became of a run: for the table at its end, for programs, and for the exit code.

use std::fmt;

use chrono::{DateTime, Utc};
use comfy_table::{CellAlignment, ColumnConstraint, Table, Width, presets};
use serde::Serialize;

use crate::inventory::{ConfigFault, ProviderKey};
use crate::merge::{ConnectionFault, Counts};
use crate::reading::FaultClass;

/// Longer faults are wrapped, characters.
const FAULT_WIDTH: u16 = 70;

/// What became of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// New in the registry.
    Created,
    /// Changed in the registry.
    Updated,
    /// The registry had all of it.
    NotModified,
    /// No longer named by the files, and removed from the registry.
    Removed,
    /// Something went wrong: what the registry has stays as it is.
    Failed,
    /// The run was ended before.
    Skipped,
    /// A dry run would have created it.
    WouldCreate,
    /// A dry run would have sent it.
    WouldSend,
    /// A dry run would have removed it.
    WouldRemove,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::NotModified => "not modified",
            Self::Removed => "removed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::WouldCreate => "would create",
            Self::WouldSend => "would send",
            Self::WouldRemove => "would remove",
        })
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// Its kind.
    pub class: FaultClass,
    /// What, why, and what to do.
    pub message: String,
}

impl From<ConnectionFault> for Problem {
    fn from(fault: ConnectionFault) -> Self {
        Self { class: fault.fault.class, message: fault.to_string() }
    }
}

impl From<&ConfigFault> for Problem {
    fn from(fault: &ConfigFault) -> Self {
        let place = fault.place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        let entry = if fault.entry.is_empty() { String::new() } else { format!("{}: ", fault.entry) };
        let message = format!("{}{place}: {entry}{}", fault.file.display(), fault.message);
        Self { class: FaultClass::Configuration, message }
    }
}

/// What became of one provider.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderReport {
    /// Which.
    #[serde(flatten)]
    pub key: ProviderKey,
    /// What became of it.
    pub outcome: Outcome,
    /// How many connections it has.
    pub connections: usize,
    /// How much was read.
    #[serde(flatten)]
    pub counts: Counts,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What went wrong.
    pub faults: Vec<Problem>,
    /// What is not wrong, but worth a look.
    pub notes: Vec<String>,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// When it started.
    pub started: DateTime<Utc>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// All providers of the files, and those removed, by name.
    pub providers: Vec<ProviderReport>,
    /// What is wrong in the provider files.
    pub configuration: Vec<Problem>,
    /// Why providers that the files no longer name are still in the registry.
    pub kept: Option<String>,
    /// Whether the run was ended before it was done.
    pub interrupted: bool,
}

impl Report {
    /// Whether anything went wrong: the exit code is not 0 then.
    pub fn failed(&self) -> bool {
        self.interrupted
            || self.kept.is_some()
            || !self.configuration.is_empty()
            || self.providers.iter().any(|provider| provider.outcome == Outcome::Failed)
    }

    /// One line for each provider.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header([
            "provider",
            "type",
            "result",
            "projects",
            "flavors",
            "images",
            "networks",
            "quotas",
            "time",
            "first fault",
        ]);
        for provider in &self.providers {
            let Counts { projects, flavors, images, networks, quotas } = provider.counts;
            let counts = [projects, flavors, images, networks, quotas].map(|count| match provider.outcome {
                Outcome::Failed | Outcome::Skipped | Outcome::Removed | Outcome::WouldRemove => {
                    "-".to_owned()
                }
                _ => count.to_string(),
            });
            let mut row =
                vec![provider.key.name.clone(), provider.key.kind.to_string(), provider.outcome.to_string()];
            row.extend(counts);
            row.push(format!("{:.1} s", provider.seconds));
            row.push(first_fault(provider));
            table.add_row(row);
        }
        for column in table.column_iter_mut().skip(3).take(6) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if let Some(faults) = table.column_mut(9) {
            faults.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(FAULT_WIDTH)));
        }
        table
    }
}

fn first_fault(provider: &ProviderReport) -> String {
    let Some(first) = provider.faults.first() else { return String::new() };
    match provider.faults.len() - 1 {
        0 => first.message.clone(),
        more => format!("{} (and {more} more)", first.message),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.providers.is_empty() {
            writeln!(f, "{}", self.table())?;
        }
        if let Some(kept) = &self.kept {
            writeln!(f, "{kept}")?;
        }
        for note in self.providers.iter().flat_map(|provider| {
            provider.notes.iter().map(move |note| format!("note: {}: {note}", provider.key.name))
        }) {
            writeln!(f, "{note}")?;
        }
        let failed = self.providers.iter().filter(|provider| provider.outcome == Outcome::Failed).count();
        let verdict = match (self.interrupted, failed, self.configuration.len()) {
            (true, ..) => "interrupted: what was not done stays as it was".to_owned(),
            (false, 0, 0) if self.kept.is_some() => "the providers of the files are up to date".to_owned(),
            (false, 0, 0) => "all providers are up to date".to_owned(),
            (false, failed, faults) => {
                let faults = if faults > 0 {
                    format!(", {faults} faults in the provider files")
                } else {
                    String::new()
                };
                let all = self.providers.len();
                format!(
                    "{failed} of {all} providers failed{faults}: what the registry has of them stays as it is"
                )
            }
        };
        write!(f, "{verdict} ({:.1} s)", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::ProviderKind;

    #[test]
    fn a_table_and_a_verdict() {
        let provider = |name: &str, outcome, faults: &[&str]| ProviderReport {
            key: ProviderKey { name: name.to_owned(), kind: ProviderKind::Openstack },
            outcome,
            connections: 2,
            counts: Counts { projects: 2, flavors: 31, images: 120, networks: 4, quotas: 16 },
            seconds: 3.21,
            faults: faults
                .iter()
                .map(|message| Problem { class: FaultClass::Timeout, message: (*message).to_owned() })
                .collect(),
            notes: vec![],
        };
        let late = "region R1, project p1: GET /flavors/detail: no answer within 30.0 s";
        let mut report = Report {
            started: DateTime::UNIX_EPOCH,
            seconds: 12.3,
            providers: vec![
                provider("SITE-A", Outcome::Updated, &[]),
                provider("SITE-B", Outcome::Failed, &[late, late]),
                provider("SITE-C", Outcome::Removed, &[]),
            ],
            configuration: vec![],
            kept: None,
            interrupted: false,
        };
        assert!(report.failed());
        insta::assert_snapshot!("table", report.to_string());
        report.providers.remove(1);
        assert!(!report.failed());
        report.providers[0].notes.push("a note".to_owned());
        report.kept = Some("not removed, because ...".to_owned());
        assert!(report.failed());
        insta::assert_snapshot!("kept", report.to_string());
        insta::assert_json_snapshot!("report", report);
    }
}
