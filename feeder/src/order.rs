//! What a run shall do, and why it is made.

use std::collections::HashMap;

use serde::Serialize;

use crate::Settings;
use crate::inventory::ProviderKey;

/// Why a run is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// `fedreg feed` without a schedule.
    #[default]
    Once,
    /// The feeder has just started.
    Start,
    /// It is time.
    Schedule,
    /// Somebody asked the registry for it.
    Request,
    /// SIGUSR1.
    Signal,
    /// The provider files changed.
    Files,
    /// `fedreg plan`.
    Plan,
    /// `fedreg apply`.
    Apply,
}

/// What a run shall do.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// Why.
    pub trigger: Trigger,
    /// The requests that it does.
    pub requests: Vec<String>,
    /// Names of the only providers to look at; empty: all.
    pub only: Vec<String>,
    /// Remove also what would be held back, whatever the settings say.
    pub confirm_removals: bool,
    /// The only lists to ask a provider for, where not all are due; providers that are not due are in `resting`.
    pub asked: HashMap<ProviderKey, Vec<&'static str>>,
    /// Providers that are not due.
    pub resting: Vec<ProviderKey>,
}

impl Order {
    /// A run over what the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self { only: settings.only.clone(), ..Self::default() }
    }

    /// Whether a provider is none of this run's business.
    pub fn leaves_out(&self, key: &ProviderKey) -> bool {
        (!self.only.is_empty() && !self.only.contains(&key.name)) || self.resting.contains(key)
    }
}
