//! The REST API: one handler per file where a handler has logic. Routes are made from the declarations, so that a
//! new entity has all of them.

mod answer;
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

pub use docs::{openapi, openapi_3_0};
pub use error::ApiError;
pub use guard::{CorsSettings, Origin};
pub use health::Readiness;
pub use measure::handle as metrics_handle;
pub use throttle::{RateSettings, Throttle};

use crate::{auth::Authenticator, federation::Federation};
use axum::{
    Router, middleware,
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use metrics_exporter_prometheus::PrometheusHandle;
use schema::{Kind, Schema};
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
    let mut v1 = Router::new();
    for entity in &Schema::get().entities {
        let kind = entity.kind;
        let mut all: MethodRouter<Shared> = get(move |app, headers, uri| list::list(kind, app, headers, uri));
        let mut single: MethodRouter<Shared> =
            get(move |app, path, headers, uri| get::get(kind, app, path, headers, uri))
                .patch(move |app, path, request| patch::patch(kind, app, path, request))
                .delete(move |app, path, headers| delete::delete(kind, app, path, headers));
        if kind == Kind::Provider {
            all = all.post(create_provider::create_provider);
            single = single.put(replace_provider::replace_provider);
        }
        let history: MethodRouter<Shared> =
            get(move |app, path, headers, uri| changes::history(kind, app, path, headers, uri));
        let path = entity.decl.path;
        for slash in ["", "/"] {
            v1 = v1.route(&format!("/{path}{slash}"), all.clone());
            v1 = v1.route(&format!("/{path}/{{uid}}{slash}"), single.clone());
            v1 = v1.route(&format!("/{path}/{{uid}}/history{slash}"), history.clone());
        }
    }
    v1 = v1.route("/changes", get(changes::changes)).route("/changes/", get(changes::changes));
    let mut v1 = v1.merge(feeder::routes());
    for slash in ["", "/"] {
        v1 = v1.route(&format!("/providers/{{uid}}/offer{slash}"), get(offer::get).put(offer::put));
    }
    let v1 = v1.route_layer(middleware::from_fn_with_state(Arc::clone(&app), fresh::fresh));
    let base = app.options.base_path.clone();
    let v1 = if base.is_empty() { v1 } else { Router::new().nest(&base, v1) };
    let routes = v1
        .merge(docs::routes(&base))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(measure::metrics))
        .fallback(async || ApiError::NoSuchPath)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed);
    layered(routes, &app.options, &app.throttle).with_state(app)
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
