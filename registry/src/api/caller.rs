//! Who asks, and what that lets them see and do.

use super::{ApiError, App, X_REQUEST_ID, guard};
use crate::{
    auth::{self, Access, Identity, ProviderName, Reach, Role},
    federation::Author,
    graph::{Graph, change::ChangeSet, hold, hold::Beyond},
    sync::lease::Scope,
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, request::Parts},
};
use schema::{Audience, Kind, Operation};
use std::{collections::BTreeSet, time::Duration};

/// So much of a request's id is kept in the change log, in characters: clients can send any.
const REQUEST_ID: usize = 128;

/// Who asks, let in by the gate of the operation that they ask for. There is no other way to have one.
#[derive(Clone)]
pub(super) struct Caller {
    identity: Identity,
    needed: Access,
    reach: Reach,
    /// Whether they see the private shapes.
    private: bool,
    request_id: Option<HeaderValue>,
}

impl Caller {
    /// Whoever may do this, for some provider at least. A token that is sent must be valid, on reads too.
    pub async fn of(
        app: &App,
        headers: &HeaderMap,
        operation: Operation,
    ) -> Result<Self, (Identity, ApiError)> {
        let needed = app.authenticator.needed(operation.needs());
        let nobody = |error: auth::AuthError| (Identity::Anonymous, error.into());
        let header = auth::authorization(headers).map_err(nobody)?;
        let identity = app.authenticator.authenticate_for(header, needed).await.map_err(nobody)?;
        Self::let_in(app, headers, needed, identity).await
    }

    /// The same question once more, now that it is known who asks.
    pub async fn once_more(self, app: &App, headers: &HeaderMap) -> Result<Self, (Identity, ApiError)> {
        Self::let_in(app, headers, self.needed, self.identity).await
    }

    async fn let_in(
        app: &App,
        headers: &HeaderMap,
        needed: Access,
        identity: Identity,
    ) -> Result<Self, (Identity, ApiError)> {
        if let Err(error) = guard::admit(&app.throttle, &identity) {
            return Err((identity, error));
        }
        let request_id = headers.get(X_REQUEST_ID).cloned();
        match guard::policy_allows(&app.authenticator, &identity).await {
            Ok(true) => {
                // whom the rules bind to some providers a policy does not let loose
                let bounds = match &identity {
                    Identity::Known(known) if !needed.is_reading() => known.bounds(),
                    _ => None,
                };
                let reach = bounds.map_or(Reach::Everywhere, Reach::Providers);
                Ok(Self { identity, needed, reach, private: true, request_id })
            }
            Ok(false) => match auth::require(&identity, needed) {
                Ok(reach) => {
                    let private = identity.role() != Role::Anonymous;
                    Ok(Self { identity, needed, reach, private, request_id })
                }
                Err(error) => Err((identity, error.into())),
            },
            Err(error) => Err((identity, error.into())),
        }
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How long what the caller was allowed holds.
    pub fn lasts(&self, app: &App) -> Duration {
        app.authenticator.lasts(&self.identity)
    }

    pub fn sees_private(&self) -> bool {
        self.private
    }

    /// The refusal of what only those may ask who see the private shapes.
    pub fn lacks_private(&self) -> ApiError {
        auth::missing(&self.identity, Access::Private).into()
    }

    /// The shapes that the caller sees; `short` asks for the public ones.
    pub fn audience(&self, short: bool) -> Audience {
        if short || !self.sees_private() { Audience::Public } else { Audience::Private }
    }

    /// For the change log.
    pub fn author(&self, what: String) -> Author {
        let who = match &self.identity {
            Identity::Anonymous => "anonymous".to_owned(),
            Identity::Known(known) => format!("{} {}", known.issuer, known.subject),
        };
        let request = self.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
        Author { who, what, request: request.chars().take(REQUEST_ID).collect() }
    }

    /// Which providers the caller may write, as the feeder's leases name them.
    pub fn scope(&self, graph: &Graph) -> Scope {
        let names = |one: &ProviderName| match one {
            ProviderName::Named { name, .. } => name.clone(),
            ProviderName::Uid(uid) => {
                let known = uid.parse().ok().and_then(|uid| graph.find_kind(Kind::Provider, uid));
                let name = known.and_then(|id| graph.value(id, "name").as_str().map(str::to_owned));
                name.unwrap_or_else(|| uid.clone())
            }
        };
        match &self.reach {
            Reach::Everywhere => None,
            Reach::Providers(named) => Some(named.iter().map(names).collect()),
            Reach::Nowhere => Some(BTreeSet::new()),
        }
    }

    /// Lets pass what belongs to providers that the caller may write for, and to no others.
    pub fn may_touch(&self, graph: &Graph, id: u32) -> Result<(), ApiError> {
        match &self.reach {
            Reach::Everywhere => Ok(()),
            Reach::Providers(named) => hold::stays_within(graph, id, &among(named))
                .map_err(|beyond| self.beyond(graph, &beyond, named)),
            Reach::Nowhere => Err(auth::missing(&self.identity, self.needed).into()),
        }
    }

    /// The same for a whole change against a graph.
    pub fn may_make(&self, graph: &Graph, changes: &ChangeSet) -> Result<(), ApiError> {
        match &self.reach {
            Reach::Everywhere => Ok(()),
            Reach::Providers(named) => {
                let after = graph.apply(changes).map_err(|misfit| {
                    tracing::error!(error = %misfit, "a change did not fit the graph that it was computed from");
                    ApiError::Internal
                })?;
                hold::change_stays_within(graph, &after, changes, &among(named))
                    .map_err(|beyond| self.beyond(graph, &beyond, named))
            }
            Reach::Nowhere => Err(auth::missing(&self.identity, self.needed).into()),
        }
    }

    fn beyond(&self, graph: &Graph, beyond: &Beyond, named: &[ProviderName]) -> ApiError {
        let Beyond { kind, uid, holders } = beyond;
        let what = graph.schema.entity(*kind).decl.name;
        let belongs = match holders.as_slice() {
            [] => "belongs to no provider".to_owned(),
            [one] => format!("belongs to the provider {one}"),
            several => format!("belongs to the providers {}", several.join(", ")),
        };
        let named: Vec<_> = named.iter().map(ToString::to_string).collect();
        ApiError::Beyond {
            error: auth::missing(&self.identity, self.needed),
            what: format!("{what} {uid} {belongs}, and the token is good for {} only", named.join(", ")),
        }
    }
}

fn among(named: &[ProviderName]) -> impl Fn(&Graph, u32) -> bool + '_ {
    |graph, provider| {
        let uid = graph.record(provider).uid.to_string();
        let text = |name| graph.value(provider, name).as_str().unwrap_or_default();
        named.iter().any(|one| one.is(&uid, text("name"), text("type")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or_else(|| {
            tracing::error!(path = parts.uri.path(), "a handler was reached without its gate");
            ApiError::Internal
        })
    }
}
