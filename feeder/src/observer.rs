//! What a run tells while it works, to whoever shows it.

use std::time::Duration;

use crate::Error;
use serde_json::Value;

use crate::inventory::{ConfigFault, Provider, ProviderKey};
use crate::merge::Counts;
use crate::reading::Reading;
use crate::report::{Outcome, ProviderReport, Report};

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The provider files were read; this is wrong in them.
    ConfigFault(&'a ConfigFault),
    /// The provider files were read; this has no effect in them.
    ConfigWarning(&'a ConfigFault),
    /// A run starts to contact clouds.
    RunStarted {
        /// Providers to read.
        providers: usize,
        /// Connections (provider, region, project) of all of them.
        connections: usize,
    },
    /// Another feeder may write now, and this one waits for it.
    Waiting(&'a str),
    /// A provider's turn.
    ProviderStarted {
        /// Which.
        provider: &'a ProviderKey,
        /// Its connections.
        connections: usize,
    },
    /// One connection was read.
    ConnectionRead {
        /// Whose.
        provider: &'a ProviderKey,
        /// The region.
        region: &'a str,
        /// The project.
        project: &'a str,
        /// How many of the provider's are done, this one included.
        done: usize,
        /// Of how many.
        of: usize,
        /// How long it took.
        took: Duration,
    },
    /// All readings of a provider were united.
    Merged {
        /// Whose.
        provider: &'a Provider,
        /// What its connections read.
        readings: &'a [Reading],
        /// What was made of it.
        document: &'a Value,
        /// The only lists that were asked for; none: all.
        asked: Option<&'a [&'static str]>,
        /// How much it is.
        counts: Counts,
    },
    /// The registry answered.
    Published {
        /// Whose document.
        provider: &'a ProviderKey,
        /// What became of it.
        outcome: Outcome,
    },
    /// A provider is done, well or not.
    ProviderFinished(&'a ProviderReport),
    /// A run is done.
    RunFinished(&'a Report),
    /// A run could not be made.
    RunFailed(&'a Error),
    /// It was time for a run, but the one before is still under way: this one is left out.
    RunSkipped {
        /// How long the one before is under way.
        running: Duration,
    },
}

/// Shows what happens. Must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}
