//! The lease of a run: while it is held, no other feeder writes. It is kept while the run goes on, and a run that lost
//! it stops.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::observer::{Event, Observer};
use crate::publish::{Registry, RegistryError};

/// How often to look whether another feeder has given it back.
const LOOK: Duration = Duration::from_secs(2);

/// A lease that is held until this is dropped.
pub struct Held {
    /// What each write must come with.
    pub fence: u64,
    keeper: JoinHandle<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Takes the lease; waits while another feeder has it, but not longer than one that died could have it. `lost` is
/// cancelled when another feeder takes over.
pub async fn hold(
    registry: &Arc<Registry>,
    holder: &str,
    length: Duration,
    observer: &dyn Observer,
    lost: &CancellationToken,
) -> Result<Held, RegistryError> {
    let (began, seconds) = (Instant::now(), length.as_secs().max(1));
    let lease = loop {
        match registry.lease(holder, seconds, None).await {
            Err(RegistryError::Held(why)) if began.elapsed() < length.mul_f64(1.5) => {
                observer.event(&Event::Waiting(&why));
            }
            other => break other?,
        }
        tokio::select! {
            () = lost.cancelled() => return Err(RegistryError::Superseded("the run was ended".to_owned())),
            () = tokio::time::sleep(LOOK) => {}
        }
    };
    let (registry, holder, lost, fence) =
        (Arc::clone(registry), holder.to_owned(), lost.clone(), lease.fence);
    let keeper = tokio::spawn(async move {
        loop {
            tokio::time::sleep(length / 2).await;
            match registry.lease(&holder, seconds, Some(fence)).await {
                Err(RegistryError::Superseded(why)) => {
                    tracing::error!("this run ends: {why}");
                    return lost.cancel();
                }
                Err(error) => tracing::warn!("the lease could not be kept, which is tried again: {error}"),
                Ok(_) => {}
            }
        }
    });
    Ok(Held { fence, keeper })
}
