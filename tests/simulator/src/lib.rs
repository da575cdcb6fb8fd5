//! A simulated federation that speaks the real HTTP APIs, and a development-only issuer.
//!
//! Two ways to use it:
//!
//! * [`documents`]: whole provider documents of a federation of any size, without HTTP, for benchmarks and
//!   property tests; [`edit`] changes one of them at random and keeps it valid; [`Counts`] says what is in them.
//! * [`Federation`]: sites that run on loopback and take the tokens of an [`Issuer`]. [`Running`] gives the provider
//!   file for a feeder, the documents it must send, and each [`Site`] with handles that change its data and make it
//!   fail ([`Fault`]) while it runs.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use simulator::{Federation, Issuer, IssuerOptions, Params};
//!
//! let issuer = Issuer::start(IssuerOptions::default()).await?;
//! let federation = Federation::new(7, Params::demo()).start(&issuer).await?;
//! let token = issuer.token(&federation.feeder())?;
//! std::fs::write("providers.yaml", federation.providers_yaml(&token))?;
//! federation.stop().await;
//! issuer.stop().await;
//! # Ok(())
//! # }
//! ```

mod count;
mod document;
mod edit;
mod endpoints;
mod fault;
mod federation;
mod generate;
mod inventory;
mod issuer;
mod kubernetes;
pub mod model;
mod names;
mod openstack;
mod query;
mod record;
mod server;
mod site;

pub use count::Counts;
pub use document::{document, documents};
pub use edit::edit;
pub use fault::{Fault, Faults};
pub use federation::{Federation, Listeners, Running};
pub use generate::{Params, World};
pub use issuer::{
    Audience, Claims, Issuer, IssuerError, IssuerOptions, Person, Signing, Subject, TokenRefused,
};
pub use record::{record_log, register_secret};
pub use server::ListenError;
pub use site::{Settings, Site, USERNAME};
