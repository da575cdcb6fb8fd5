//! What became of a run: for the table at its end, for programs, and for the exit code.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use comfy_table::{CellAlignment, ColumnConstraint, Table, Width, presets};
use schema::feeding::{self, Done, HeldBack};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::inventory::{ConfigFault, ProviderKey};
use crate::merge::{Counts, Scopes, Unread};
use crate::order::Trigger;
use crate::publish::Registry;
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
    /// A dry run would have changed it.
    WouldUpdate,
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
            Self::WouldUpdate => "would update",
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

impl From<&Unread> for Problem {
    fn from(unread: &Unread) -> Self {
        Self { class: unread.fault.class, message: unread.to_string() }
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
    /// How its lists ended.
    pub scopes: Scopes,
    /// What changed in the registry, or would.
    pub nodes: Nodes,
    /// What was not removed, because it is too much at once.
    pub held_back: Option<HeldBack>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What went wrong.
    pub faults: Vec<Problem>,
    /// What is not wrong, but worth a look.
    pub notes: Vec<String>,
    /// What could not be read.
    #[serde(skip)]
    pub unread: Vec<Unread>,
    /// What was read, where no write has told the registry.
    #[serde(skip)]
    pub read: Option<Value>,
    /// On a dry run, what would be written.
    #[serde(skip)]
    pub planned: Option<Planned>,
}

/// How many nodes of a provider changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Nodes {
    /// New ones.
    pub added: usize,
    /// With other values or relations.
    pub changed: usize,
    /// Gone.
    pub removed: usize,
}

/// A write, and what it would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// What to ask of the registry.
    pub request: Write,
    /// What it said to a dry run.
    pub answer: Done,
}

/// What the registry is asked to do with a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// Make it so.
    Reconcile(Value),
    /// Remove the one of this uid.
    Remove(String),
}

impl ProviderReport {
    /// One of which nothing is known yet.
    pub fn new(key: ProviderKey, connections: usize, outcome: Outcome) -> Self {
        Self {
            key,
            outcome,
            connections,
            counts: Counts::default(),
            scopes: Scopes::default(),
            nodes: Nodes::default(),
            held_back: None,
            seconds: 0.0,
            faults: Vec::new(),
            notes: Vec::new(),
            unread: Vec::new(),
            read: None,
            planned: None,
        }
    }

    /// With what the registry answered.
    pub fn answered(&mut self, answer: &Done, dry_run: bool) {
        self.nodes = Nodes { added: answer.added, changed: answer.changed, removed: answer.removed };
        self.held_back = answer.held_back;
        self.outcome = match (answer.outcome, dry_run) {
            (feeding::Outcome::Created, false) => Outcome::Created,
            (feeding::Outcome::Created, true) => Outcome::WouldCreate,
            (feeding::Outcome::Updated, false) => Outcome::Updated,
            (feeding::Outcome::Updated, true) => Outcome::WouldUpdate,
            (feeding::Outcome::Removed, false) => Outcome::Removed,
            (feeding::Outcome::Removed, true) => Outcome::WouldRemove,
            (feeding::Outcome::NotModified, _) => Outcome::NotModified,
        };
        if let Some(HeldBack { remove, of, limit }) = self.held_back {
            #[expect(clippy::cast_precision_loss, reason = "a provider has far fewer than 2^52 nodes")]
            let part = remove as f64 / of as f64 * 100.0;
            self.notes.push(format!(
                "not removed, because {remove} of {of} nodes at once ({part:.0} %) is more than \
                 `provider_removal_limit` ({:.0} %) allows; all else is done. `fedreg plan --confirm-removals --only {}` \
                 shows them; when they shall go, run `fedreg feed --once` with the same two options",
                limit * 100.0,
                self.key.name,
            ));
        }
    }

    /// Whether something of it is not as the files and the clouds say.
    pub fn is_limited(&self) -> bool {
        !self.unread.is_empty() || self.held_back.is_some()
    }

    fn word(&self) -> String {
        let limited = !self.unread.is_empty() && self.outcome != Outcome::Failed;
        if limited { format!("{}, limited", self.outcome) } else { self.outcome.to_string() }
    }
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Its id.
    pub id: String,
    /// Why it was made.
    pub trigger: Trigger,
    /// The requests that it did.
    pub requests: Vec<String>,
    /// The feeder that made it.
    pub holder: String,
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
    /// Why the registry has no record of this run.
    pub unrecorded: Option<String>,
    /// Why messages of this run were not sent.
    pub unsent: Option<String>,
    /// Whether the run was ended before it was done.
    pub interrupted: bool,
    /// Whether nothing was to be written.
    pub dry_run: bool,
}

impl Report {
    /// Whether anything went wrong: the exit code is not 0 then.
    pub fn failed(&self) -> bool {
        self.interrupted
            || self.kept.is_some()
            || self.unrecorded.is_some()
            || self.unsent.is_some()
            || !self.configuration.is_empty()
            || self
                .providers
                .iter()
                .any(|provider| provider.outcome == Outcome::Failed || provider.is_limited())
    }

    /// Lets the registry keep it, which gives the lease back.
    pub(crate) async fn keep(&mut self, registry: &Registry, fence: u64) {
        let kept = registry.record(&self.id, fence, &self.record()).await;
        self.unrecorded = kept.err().map(|error| format!("the record of this run was not kept: {error}"));
    }

    /// As the registry keeps it.
    pub fn record(&self) -> Value {
        let mut record = serde_json::to_value(self).unwrap_or_default();
        let took = Duration::try_from_secs_f64(self.seconds).unwrap_or_default();
        record["finished"] = json!(self.started + took);
        record["failed"] = self.failed().into();
        if let Some(record) = record.as_object_mut() {
            record.remove("id");
            record.remove("unrecorded");
            record.remove("unsent");
        }
        for (report, record) in
            self.providers.iter().zip(record["providers"].as_array_mut().into_iter().flatten())
        {
            record["unread"] = json!(report.unread);
            if let Some(read) = &report.read {
                record["read"] = read.clone();
            }
            // what could not be read is told scope by scope
            if report.outcome != Outcome::Failed {
                record["faults"] = json!([]);
            }
        }
        record
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
            let mut row = vec![provider.key.name.clone(), provider.key.kind.to_string(), provider.word()];
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

impl Report {
    /// The verdict on a dry run.
    fn would(&self, limited: usize) -> String {
        let would = |provider: &&ProviderReport| {
            matches!(provider.outcome, Outcome::WouldCreate | Outcome::WouldUpdate | Outcome::WouldRemove)
        };
        let (some, all) = (self.providers.iter().filter(would).count(), self.providers.len());
        let change = match some {
            0 => "nothing would change".to_owned(),
            some => format!("{some} of {all} providers would change"),
        };
        let known = match limited {
            0 => String::new(),
            limited => format!("; {limited} can be read only in part"),
        };
        format!("nothing was written: {change}{known}")
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
        if let Some(unrecorded) = &self.unrecorded {
            writeln!(f, "{unrecorded}")?;
        }
        if let Some(unsent) = &self.unsent {
            writeln!(f, "{unsent}")?;
        }
        let limited = self.providers.iter().filter(|provider| provider.is_limited()).count();
        let verdict = match (self.interrupted, failed, self.configuration.len()) {
            (false, 0, 0) if self.dry_run => self.would(limited),
            (true, ..) => "interrupted: what was not done stays as it was".to_owned(),
            (false, 0, 0) if limited > 0 => format!(
                "{limited} of {} providers are up to date only in part: the rest of what the registry has of them stays as it is",
                self.providers.len()
            ),
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
        let key = |name: &str| ProviderKey { name: name.to_owned(), kind: ProviderKind::Openstack };
        let provider = |name: &str, outcome, faults: &[&str]| ProviderReport {
            counts: Counts { projects: 2, flavors: 31, images: 120, networks: 4, quotas: 16 },
            seconds: 3.21,
            faults: faults
                .iter()
                .map(|message| Problem { class: FaultClass::Timeout, message: (*message).to_owned() })
                .collect(),
            ..ProviderReport::new(key(name), 2, outcome)
        };
        let late = "region R1, project p1: GET /flavors/detail: no answer within 30.0 s";
        let mut report = Report {
            id: "19700101T000000Z-00000000".to_owned(),
            trigger: Trigger::Once,
            requests: vec![],
            holder: "here".to_owned(),
            unrecorded: None,
            unsent: None,
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
            dry_run: false,
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

        let verdict = |report: &Report| report.to_string().lines().last().unwrap_or_default().to_owned();
        (report.kept, report.dry_run) = (None, true);
        assert_eq!(verdict(&report), "nothing was written: nothing would change (12.3 s)");
        report.providers[0].outcome = Outcome::WouldUpdate;
        report.providers[1].unread = vec![crate::testing::unread("images")];
        assert_eq!(
            verdict(&report),
            "nothing was written: 1 of 2 providers would change; 1 can be read only in part (12.3 s)"
        );
    }
}
