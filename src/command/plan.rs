//! `fedreg plan`

use super::{failed, print, sites::Sites, stopped};
use clap::Args;
use feeder::{
    Report,
    plan::{PlannedProvider, SavedPlan},
    progress,
    report::{Outcome, ProviderReport},
};
use schema::feeding::{Action, Difference, Done};
use serde_json::{Value, json};
use std::{fmt::Write as _, io::IsTerminal, path::PathBuf, process::ExitCode};

/// The exit code when something would change.
const CHANGES: u8 = 2;

/// Show what a run of the feeder would add, change and remove, field by field.
///
/// Everything is read and nothing written; the registry itself says what it would do. The exit code is 0 when nothing
/// would change, 2 when something would, 1 when something went wrong.
#[derive(Args)]
pub struct Plan {
    #[command(flatten)]
    sites: Sites,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
    /// Save the plan, for `fedreg apply`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Plan {
    /// Makes the plan, shows it and saves it.
    pub async fn run(self) -> ExitCode {
        let settings = match self.sites.settings() {
            Ok(settings) => settings,
            Err(code) => return code,
        };
        let (report, plan) = match feeder::plan::plan(&settings, progress::observer(), stopped()).await {
            Ok(made) => made,
            Err(error) => return failed(&error),
        };
        if self.json {
            print(&as_json(&report, &plan));
        } else {
            print(&as_text(
                &report,
                &plan,
                std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            ));
        }
        if let Some(file) = &self.out {
            if let Err(why) = save(file, &plan) {
                return failed(&format!("the plan cannot be written to {}: {why}", file.display()));
            }
            if !self.json {
                print(&format!("saved; `fedreg apply {}` does it", file.display()));
            }
        }
        let broken = |provider: &ProviderReport| provider.outcome == Outcome::Failed;
        if report.interrupted || !report.configuration.is_empty() || report.providers.iter().any(broken) {
            ExitCode::FAILURE
        } else if plan.providers.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(CHANGES)
        }
    }
}

/// A plan holds whole provider documents, which are no secret, but nobody else's business either.
fn save(file: &PathBuf, plan: &SavedPlan) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or(std::path::Path::new(".")))?;
    serde_json::to_writer(&mut new, plan)?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

fn as_json(report: &Report, plan: &SavedPlan) -> Value {
    let providers = report.providers.iter().map(|provider| {
        let mut whole = serde_json::to_value(provider).unwrap_or_default();
        whole["unread"] = json!(provider.unread);
        whole["changes"] =
            json!(provider.planned.as_ref().and_then(|planned| planned.answer.changes.as_ref()));
        whole
    });
    json!({
        "state": plan.state,
        "made": plan.made,
        "changes": !plan.providers.is_empty(),
        "providers": providers.collect::<Vec<_>>(),
        "configuration": report.configuration,
        "kept": report.kept,
    })
}

/// Colours of a terminal, or none.
#[derive(Clone, Copy)]
struct Ink(bool);

impl Ink {
    fn dye(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn of(self, action: Action, text: &str) -> String {
        match action {
            Action::Add => self.dye("32", &format!("+ {text}")),
            Action::Remove => self.dye("31", &format!("- {text}")),
            Action::Change => self.dye("33", &format!("~ {text}")),
        }
    }
}

/// What a person reads.
pub(super) fn as_text(report: &Report, plan: &SavedPlan, colour: bool) -> String {
    let ink = Ink(colour);
    let mut text = String::new();
    for provider in &report.providers {
        let planned = plan
            .providers
            .iter()
            .find(|planned| planned.name == provider.key.name && planned.kind == provider.key.kind);
        let quiet = planned.is_none() && provider.faults.is_empty() && provider.notes.is_empty();
        if !quiet {
            let _ = write!(text, "{}", of_provider(provider, planned, ink));
        }
    }
    if let Some(kept) = &report.kept {
        let _ = writeln!(text, "{kept}\n");
    }
    for problem in &report.configuration {
        let _ = writeln!(text, "{}", ink.dye("31", &problem.message));
    }
    let sum = |count: fn(&Done) -> usize| -> usize {
        plan.providers.iter().map(|planned| count(&planned.planned.answer)).sum()
    };
    let (added, changed, removed) =
        (sum(|answer| answer.added), sum(|answer| answer.changed), sum(|answer| answer.removed));
    if plan.providers.is_empty() {
        let _ = write!(text, "Nothing would change at {} providers.", report.providers.len());
    } else {
        let (some, all) = (plan.providers.len(), report.providers.len());
        let _ = write!(
            text,
            "{added} to add, {changed} to change, {removed} to remove, at {some} of {all} providers."
        );
    }
    text
}

fn of_provider(report: &ProviderReport, planned: Option<&PlannedProvider>, ink: Ink) -> String {
    let mut text = format!("{}: {}\n", ink.dye("1", &report.key.to_string()), report.outcome);
    let changes = planned.and_then(|planned| planned.planned.answer.changes.as_ref());
    for change in changes.into_iter().flatten() {
        text.push_str(&of_node(change, ink));
    }
    for note in &report.notes {
        let _ = writeln!(text, "  {note}");
    }
    for fault in &report.faults {
        let stays = if report.outcome == Outcome::Failed { "" } else { "not known, stays as it is: " };
        let _ = writeln!(text, "  {}", ink.dye("35", &format!("{stays}{}", fault.message)));
    }
    text.push('\n');
    text
}

fn of_node(change: &Difference, ink: Ink) -> String {
    let id = if change.uuid.is_empty() || change.uuid == change.name {
        String::new()
    } else {
        format!(" ({})", change.uuid)
    };
    let place = if change.at.is_empty() { String::new() } else { format!(" in {}", change.at.join(", ")) };
    let head = format!("{} {}{id}{place}", change.kind, change.name);
    let mut text = format!("  {}\n", ink.of(change.action, &head));
    for (name, field) in &change.fields {
        let shown = |value: &Value| value.to_string();
        let line = match (field.get("old"), field.get("new")) {
            (Some(old), Some(new)) => format!("{name}: {} -> {}", shown(old), shown(new)),
            (None, Some(new)) => format!("{name}: {}", shown(new)),
            (Some(old), None) => format!("{name}: {}", shown(old)),
            (None, None) => {
                let list = |word: &str, sign: &str| {
                    let names = field.get(word).and_then(Value::as_array).into_iter().flatten();
                    names
                        .map(|name| format!("{sign}{}", name.as_str().unwrap_or_default()))
                        .collect::<Vec<_>>()
                };
                format!("{name}: {}", [list("added", "+"), list("removed", "-")].concat().join(", "))
            }
        };
        let _ = writeln!(text, "      {line}");
    }
    text
}
