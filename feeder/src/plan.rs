//! Plan before apply: what a run would write, as the registry computes it, kept until somebody agrees.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::inventory::{Inventory, ProviderKey, ProviderKind};
use crate::observer::{Event, Observer};
use crate::order::{Order, Trigger};
use crate::publish::{How, RegistryError, Stored};
use crate::report::{Outcome, Planned, ProviderReport, Report, Write};
use crate::run::Begun;
use crate::state::State;
use crate::tokens::Vault;
use crate::{Error, Settings, lease};

/// The form of a saved plan that this version writes and reads.
const FORMAT: u32 = 1;

/// What a run would write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// The form of this file.
    pub format: u32,
    /// The registry that computed it.
    pub registry: String,
    /// The state of the graph from which.
    pub state: String,
    /// When.
    pub made: DateTime<Utc>,
    /// The writes that change something.
    pub providers: Vec<PlannedProvider>,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedProvider {
    /// The provider's name.
    pub name: String,
    /// Its technology.
    #[serde(rename = "type")]
    pub kind: ProviderKind,
    /// The write, and what it does.
    #[serde(flatten)]
    pub planned: Planned,
}

/// Why a saved plan is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The graph is another one.
    #[error(
        "the graph has changed since this plan was made: nothing was written. Plan again (planned from {planned}, now \
         {found})"
    )]
    Moved {
        /// The state that the plan was computed from.
        planned: String,
        /// The state now.
        found: String,
    },
    /// Of another registry.
    #[error(
        "this plan was made for the registry {planned}, but the settings name {named}: nothing was written"
    )]
    OtherRegistry {
        /// The plan's.
        planned: String,
        /// The settings'.
        named: String,
    },
    /// Of another version.
    #[error("this plan has format {0}, which this version does not read: plan again")]
    Format(u32),
}

impl Planned {
    /// Whether it changes the graph.
    pub fn changes_something(&self) -> bool {
        self.answer.changes.as_ref().is_some_and(|changes| !changes.is_empty())
    }
}

/// Reads everything and asks the registry what it would make of it.
pub async fn plan(
    settings: &Settings,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<(Report, SavedPlan), Error> {
    let settings = Settings { dry_run: true, ..settings.clone() };
    let known = State::default();
    let state = settings.registry(&known.commons.tokens)?.state().await?;
    let made = Utc::now();
    let order = Order { trigger: Trigger::Plan, ..Order::of(&settings) };
    let report = crate::run_ordered(&settings, order, &known, observer, cancel).await?;
    let providers = report.providers.iter().filter_map(|report| {
        let planned = report.planned.clone().filter(Planned::changes_something)?;
        Some(PlannedProvider { name: report.key.name.clone(), kind: report.key.kind, planned })
    });
    let providers = providers.collect();
    let saved = SavedPlan { format: FORMAT, registry: settings.registry.clone(), state, made, providers };
    Ok((report, saved))
}

/// Writes what a plan says, and nothing else: the registry refuses each write that would do something else by now.
pub async fn apply(
    settings: &Settings,
    saved: &SavedPlan,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Report, Error> {
    let mut plan = settings.plan()?;
    plan.order = Order { trigger: Trigger::Apply, ..Order::default() };
    if saved.format != FORMAT {
        return Err(PlanError::Format(saved.format).into());
    }
    if saved.registry != settings.registry {
        let (planned, named) = (saved.registry.clone(), settings.registry.clone());
        return Err(PlanError::OtherRegistry { planned, named }.into());
    }
    let registry = Arc::new(settings.registry(&Vault::default())?);
    let found = registry.state().await?;
    if found != saved.state {
        return Err(PlanError::Moved { planned: saved.state.clone(), found }.into());
    }
    let begun = Begun::now();
    let cancel = cancel.child_token();
    let lease = lease::hold(&registry, &plan.holder, plan.lease, &*observer, &cancel).await?;
    let mut reports = Vec::new();
    for PlannedProvider { name, kind, planned } in &saved.providers {
        let key = ProviderKey { name: name.clone(), kind: *kind };
        let mut report = ProviderReport::new(key.clone(), 0, Outcome::Skipped);
        if !cancel.is_cancelled() {
            let digest = Some(planned.answer.digest.clone());
            let how = How { dry_run: false, fence: Some(lease.fence), digest };
            let written = match &planned.request {
                Write::Reconcile(body) => registry.reconcile(body, &how).await.map(Some),
                Write::Remove(uid) => registry.remove(&Stored { uid: uid.clone(), key }, &how).await,
            };
            match written {
                Ok(Some(answer)) => report.answered(&answer, false),
                Ok(None) => report.outcome = Outcome::Removed,
                Err(error) => {
                    report.outcome = Outcome::Failed;
                    report.faults = error.problems(None);
                    // what the graph has become is for the next plan
                    if matches!(error, RegistryError::Superseded(_)) {
                        cancel.cancel();
                    }
                }
            }
        }
        observer.event(&Event::ProviderFinished(&report));
        reports.push(report);
    }
    let mut report = begun.report(reports, &Inventory::default(), &plan, None, cancel.is_cancelled());
    report.keep(&registry, lease.fence).await;
    observer.event(&Event::RunFinished(&report));
    Ok(report)
}
