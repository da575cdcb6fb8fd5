//! What the feeder needs beyond v1: sending what it read with what it could not read, the lease, runs; and how fresh
//! everything is, for everybody else.

mod freshness;
mod lease;
mod provider;
mod runs;

use super::{ApiError, Shared, offer, query::pairs};
use crate::sync::lease::Refused;
use axum::routing::{MethodRouter, delete, get, post, put};
use schema::{Fault, Operation};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// All of them, below the base path, each method behind its gate.
pub(super) fn routes(
    gate: &dyn Fn(Operation, MethodRouter<Shared>) -> MethodRouter<Shared>,
) -> [(&'static str, MethodRouter<Shared>); 8] {
    [
        ("/feeder/providers", gate(Operation::Reconcile, put(provider::reconcile))),
        ("/feeder/providers/{uid}", gate(Operation::Remove, delete(provider::remove))),
        (
            "/feeder/lease",
            gate(Operation::TakeLease, put(lease::take)).merge(gate(Operation::GetLease, get(lease::get))),
        ),
        (
            "/feeder/runs",
            gate(Operation::AskRun, post(runs::ask)).merge(gate(Operation::ListRuns, get(runs::list))),
        ),
        (
            "/feeder/runs/{id}",
            gate(Operation::RecordRun, put(runs::record)).merge(gate(Operation::GetRun, get(runs::get))),
        ),
        ("/freshness", gate(Operation::Freshness, get(freshness::all))),
        ("/providers/{uid}/freshness", gate(Operation::ProviderFreshness, get(freshness::one))),
        (
            "/providers/{uid}/offer",
            gate(Operation::GetOffer, get(offer::get)).merge(gate(Operation::PutOffer, put(offer::put))),
        ),
    ]
}

/// Query parameters: each once, none unknown.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn of(query: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        let pairs = pairs(query)?;
        let strange = pairs.iter().filter(|(name, _)| !known.contains(&name.as_str()));
        let fault = |(name, _): &(String, String)| {
            let msg = format!("unknown parameter; there are {}", known.join(", "));
            Fault::query(name, msg, "value_error.extra")
        };
        let faults: Vec<_> = strange.map(fault).collect();
        if faults.is_empty() { Ok(Self(pairs)) } else { Err(faults.into()) }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let fault = |_| Fault::query(name, "value is not a whole number from 0", "type_error.integer");
        text.parse().map(Some).map_err(|error| ApiError::from(vec![fault(error)]))
    }

    fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(vec![Fault::query(
                name,
                "value is not a boolean: write true or false",
                "type_error.bool",
            )]
            .into()),
        }
    }
}

/// A body of a known shape.
fn shaped<T: DeserializeOwned>(json: Json) -> Result<T, ApiError> {
    serde_json::from_value(json)
        .map_err(|error| ApiError::from(vec![Fault::body(error.to_string(), "value_error.shape")]))
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Held { .. } => Self::Conflict(refused.to_string()),
            Refused::Late(_) => Self::Superseded(refused.to_string()),
        }
    }
}
