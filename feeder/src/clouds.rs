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
};

/// The readers of real clouds.
#[derive(Debug, Clone)]
pub struct Clouds {
    limits: Limits,
    overall: Overall,
    breakers: Arc<Breakers>,
}

impl Clouds {
    /// Each cloud within these limits, so many requests at once over all of them; `breakers` outlive the run.
    pub fn new(limits: Limits, requests: usize, breakers: Arc<Breakers>) -> Self {
        Self { limits, overall: Overall::new(requests), breakers }
    }
}

impl Readers for Clouds {
    fn reader(&self, provider: &Provider) -> Box<dyn Reader> {
        let limits = self.limits.clone();
        let reader: Box<dyn Reader> = match provider.key.kind {
            ProviderKind::Openstack => {
                Box::new(openstack::Reader::new(&provider.site, limits, &self.overall))
            }
            ProviderKind::Kubernetes => {
                Box::new(kubernetes::Reader::new(&provider.site, limits, &self.overall))
            }
        };
        let breaker = self.breakers.of(&provider.key);
        Box::new(Guarded { reader, breaker, limits: self.limits.clone(), clock: Arc::new(Instant::now) })
    }
}
