//! The REST API: one handler per file where a handler has logic. Routes are made from the declarations, so that a
//! new entity has all of them.

mod answer;
mod audit;
mod body;
mod caller;
mod changes;
pub mod client;
mod create_provider;
mod delete;
mod docs;
mod error;
mod feeder;
mod fresh;
mod gate;
mod get;
mod guard;
mod health;
mod list;
mod measure;
mod offer;
mod patch;
mod query;
mod replace_provider;
pub mod server;
mod throttle;
mod whoami;

pub use docs::{openapi, openapi_3_0};
pub use error::ApiError;
pub use gate::Again;
pub use guard::{CorsSettings, Origin};
pub use health::Readiness;
pub use measure::handle as metrics_handle;
pub use throttle::{RateSettings, Throttle};

use crate::{auth::Authenticator, federation::Federation};
use axum::{
    Router,
    http::HeaderName,
    middleware,
    response::IntoResponse,
    routing::{MethodRouter, delete, get, patch, post, put},
};
use gate::Gate;
use metrics_exporter_prometheus::PrometheusHandle;
use schema::{Kind, Operation, Schema};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
};

/// How the API behaves; from the settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// Under which path the v1 endpoints are: `/api/v1`.
    pub base_path: String,
    /// Largest body of a request, in bytes.
    pub body_bytes: usize,
    /// Longest time for a request.
    pub request_time: Duration,
    /// Slowest arrival of a body, in bytes per second; 0: any.
    pub body_rate: u32,
    /// Ignore unknown fields of documents.
    pub lenient_documents: bool,
    /// Whose word about clients is taken.
    pub proxies: client::Proxies,
    /// Which web pages may call.
    pub cors: CorsSettings,
    /// Whether this process speaks TLS.
    pub tls: bool,
    /// How often those who follow changes get a sign of life.
    pub heartbeat: Duration,
    /// Whether a policy decides about requests.
    pub policy: bool,
}

/// Names a request in logs, in the change log and in its answer.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What handlers share.
pub struct App {
    /// The graph.
    pub federation: Arc<Federation>,
    /// Who is who.
    pub authenticator: Arc<Authenticator>,
    /// How to behave.
    pub options: Options,
    /// Who asked how often.
    pub throttle: Arc<Throttle>,
    /// Places for those who follow changes.
    pub followers: Arc<Semaphore>,
    /// Whether to be sent requests.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
}

/// The state of handlers.
pub type Shared = Arc<App>;

/// All routes.
pub fn router(app: Shared) -> Router {
    layered(routes(&app, None), &app.options, &app.throttle).with_state(app)
}

/// All routes, with more work.
pub fn router_for_benchmark(app: Shared, again: &Arc<Again>) -> Router {
    layered(routes(&app, Some(again)), &app.options, &app.throttle).with_state(app)
}

fn routes(app: &Shared, again: Option<&Arc<Again>>) -> Router<Shared> {
    let gate = |operation, handler: MethodRouter<Shared>| {
        Gate { app: Arc::clone(app), operation, again: again.cloned() }.before(handler)
    };
    let mut v1 = Router::new();
    for entity in &Schema::get().entities {
        let kind = entity.kind;
        let path = format!("/{}", entity.decl.path);
        let one = format!("{path}/{{uid}}");
        let mut all = vec![gate(
            Operation::List(kind),
            get(async move |app, caller, headers, uri| list::list(kind, app, &caller, &headers, uri)),
        )];
        let mut single = vec![
            gate(
                Operation::Get(kind),
                get(async move |app, path, caller, headers, uri| {
                    get::get(kind, app, path, &caller, &headers, uri)
                }),
            ),
            gate(
                Operation::Patch(kind),
                patch(move |app, path, caller, request| patch::patch(kind, app, path, caller, request)),
            ),
            gate(
                Operation::Delete(kind),
                delete(move |app, path, caller, headers| delete::delete(kind, app, path, caller, headers)),
            ),
        ];
        if kind == Kind::Provider {
            all.push(gate(Operation::Create, post(create_provider::create_provider)));
            single.push(gate(Operation::Replace, put(replace_provider::replace_provider)));
        }
        let history = gate(
            Operation::History(kind),
            get(move |app, path, headers, uri| changes::history(kind, app, path, headers, uri)),
        );
        let single = single.into_iter().fold(MethodRouter::new(), MethodRouter::merge);
        let all = all.into_iter().fold(MethodRouter::new(), MethodRouter::merge);
        for (path, methods) in [(format!("{one}/history"), history), (path, all), (one, single)] {
            v1 = v1.route(&path, methods.clone()).route(&format!("{path}/"), methods);
        }
    }
    let changes = gate(Operation::Changes, get(changes::changes));
    v1 = v1.route("/changes", changes.clone()).route("/changes/", changes);
    for (path, methods) in feeder::routes(&gate) {
        v1 = v1.route(path, methods.clone()).route(&format!("{path}/"), methods);
    }
    v1 = v1.route("/whoami", gate(Operation::Whoami, get(whoami::whoami)));
    let base = app.options.base_path.clone();
    let v1 = if base.is_empty() { v1 } else { Router::new().nest(&base, v1) };
    v1.merge(docs::routes(&base))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(measure::metrics))
        .fallback(async || ApiError::NoSuchPath)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
}

/// What every request passes through, whatever answers it.
pub fn layered<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    options: &Options,
    throttle: &Arc<Throttle>,
) -> Router<S> {
    let time = options.request_time;
    let in_time = move |request, next: middleware::Next| async move {
        let answer = tokio::time::timeout(time, next.run(request)).await;
        answer.unwrap_or_else(|_| ApiError::OutOfTime(time).into_response())
    };
    let guard = Arc::new(guard::Guard {
        proxies: options.proxies.clone(),
        throttle: Arc::clone(throttle),
        strict_transport: options.tls,
        policy: options.policy,
    });
    let router = router
        .layer(CompressionLayer::new().gzip(true))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn(move |request, next| Arc::clone(&guard).pass(request, next)));
    // outside of the guard: a page has to be allowed to read that it asked too often
    let router = match options.cors.layer() {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(middleware::from_fn(measure::measure))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}
