//! The readers of real clouds, and what they share and keep from run to run.

use std::{sync::Arc, time::Instant};

use crate::{
    breaker::{Breakers, Guarded},
    gate::Overall,
    inventory::{Provider, ProviderKind},
    kubernetes,
    limits::Limits,
    openstack,
    run::{Reader, Readers},
    tokens::Vault,
};

/// What all readers share, and what outlives a run: tokens that are still good, sites that keep failing.
#[derive(Debug, Clone, Default)]
pub struct Commons {
    pub(crate) requests: Overall,
    pub(crate) tokens: Arc<Vault>,
    pub(crate) breakers: Arc<Breakers>,
}

/// The readers of real clouds.
#[derive(Debug, Clone)]
pub struct Clouds {
    limits: Limits,
    commons: Commons,
}

impl Clouds {
    /// Each cloud within these limits, so many requests at once over all of them.
    pub fn new(limits: Limits, requests: usize, commons: &Commons) -> Self {
        let commons = Commons { requests: Overall::new(requests), ..commons.clone() };
        Self { limits, commons }
    }
}

impl Readers for Clouds {
    fn reader(&self, provider: &Provider) -> Box<dyn Reader> {
        let limits = self.limits.clone();
        let reader: Box<dyn Reader> = match provider.key.kind {
            ProviderKind::Openstack => {
                Box::new(openstack::Reader::new(&provider.site, limits, &self.commons))
            }
            ProviderKind::Kubernetes => {
                Box::new(kubernetes::Reader::new(&provider.site, limits, &self.commons))
            }
        };
        let breaker = self.commons.breakers.of(&provider.key);
        Box::new(Guarded { reader, breaker, limits: self.limits.clone(), clock: Arc::new(Instant::now) })
    }
}
