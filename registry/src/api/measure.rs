//! Counting requests, and `/metrics`.

use super::{Shared, X_REQUEST_ID};
use crate::{federation::Snapshot, sync::freshness::Freshness};
use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use schema::Kind;
use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// A gauge that no scrape set for this long is no longer shown.
const GONE: Duration = Duration::from_mins(1);

/// Counts and times each request under the pattern of its path, never the path itself: labels are bounded.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // with and without the slash at the end is one path
    let path = path.map_or_else(|| "unknown".to_owned(), |path| path.trim_end_matches('/').to_owned());
    let method = request.method().as_str().to_owned();
    let id =
        request.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let response = next.run(request).await;
    let (seconds, status) = (started.elapsed().as_secs_f64(), response.status().as_u16());
    tracing::debug!(
        request_id = id,
        method,
        path,
        status,
        duration_ms = seconds * 1e3,
        "{method} {path}: {status}"
    );
    let labels = [("method", method), ("path", path), ("status", status.to_string())];
    metrics::counter!("fedreg_http_requests_total", &labels).increment(1);
    metrics::histogram!("fedreg_http_request_duration_seconds", &labels).record(seconds);
    response
}

/// What Prometheus scrapes.
pub(super) async fn metrics(State(app): State<Shared>) -> Response {
    let snapshot = app.federation.snapshot();
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let number = |n: usize| n as f64;
    for entity in &snapshot.graph.schema.entities {
        let nodes = number(snapshot.graph.all(entity.kind).len());
        metrics::gauge!("fedreg_graph_nodes", "kind" => entity.decl.name).set(nodes);
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("fedreg_graph_revision").set(snapshot.revision as f64);
    let ready = app.readiness.is_ready() && !snapshot.is_nothing();
    metrics::gauge!("fedreg_ready").set(f64::from(u8::from(ready)));
    let up = app.federation.standing().trouble.is_none();
    metrics::gauge!("fedreg_store_up").set(f64::from(u8::from(up)));
    freshness(&snapshot);
    app.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
        .into_response()
}

/// How fresh each provider is. The labels are the providers of the graph and a few words.
fn freshness(snapshot: &Snapshot) {
    const CLASSES: [&str; 7] =
        ["unauthorized", "forbidden", "unavailable", "unreachable", "timeout", "garbage", "configuration"];
    let graph = &snapshot.graph;
    for id in graph.all(Kind::Provider).iter() {
        let text = |name: &str| graph.value(id, name).as_str().unwrap_or_default().to_owned();
        let labels = [("provider", text("name")), ("type", text("type"))];
        let Some(fresh) = Freshness::of(&snapshot.notes, graph.record(id).uid) else { continue };
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let seconds = |at: DateTime<Utc>| at.timestamp() as f64;
        metrics::gauge!("fedreg_provider_attempted_timestamp_seconds", &labels).set(seconds(fresh.attempted));
        for (list, at) in &fresh.lists {
            let [provider, kind] = labels.clone();
            metrics::gauge!(
                "fedreg_provider_read_timestamp_seconds",
                &[provider, kind, ("list", list.clone())]
            )
            .set(seconds(*at));
        }
        for class in CLASSES {
            let of_class = fresh.stale.iter().filter(|stale| stale.unread.class == class).count();
            let [provider, kind] = labels.clone();
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            metrics::gauge!("fedreg_provider_stale_scopes", &[provider, kind, ("class", class.to_owned())])
                .set(of_class as f64);
        }
        let held_back = fresh.held_back.as_ref().map_or(0, |held_back| held_back.remove);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("fedreg_provider_held_back_removals", &labels).set(held_back as f64);
        let troubled = f64::from(u8::from(fresh.trouble.is_some()));
        metrics::gauge!("fedreg_provider_trouble", &labels).set(troubled);
    }
}

/// The process's one recorder, installed when first asked for: names and units of the metrics, and buckets.
pub fn handle() -> Result<PrometheusHandle, String> {
    static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    HANDLE.get_or_init(|| install().map_err(|error| error.to_string())).clone()
}

fn install() -> Result<PrometheusHandle, BuildError> {
    const SECONDS: &[f64] = &[
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
    ];
    let handle = PrometheusBuilder::new()
        .set_buckets(SECONDS)?
        // each scrape sets all gauges that there are: what was not set for a while is of a provider that is gone
        .idle_timeout(MetricKindMask::GAUGE, Some(GONE))
        .install_recorder()?;
    metrics::describe_counter!("fedreg_http_requests_total", "Requests by method, path and status.");
    metrics::describe_histogram!("fedreg_http_request_duration_seconds", "Time from request to answer.");
    metrics::describe_counter!("fedreg_connections_refused_total", "Connections over a bound, by bound.");
    metrics::describe_counter!("fedreg_reloads_total", "Files that changed, by what they hold and outcome.");
    metrics::describe_counter!("fedreg_policy_decisions_total", "Decisions of the policy, by outcome.");
    metrics::describe_counter!("fedreg_tokens_refused_total", "Tokens refused, by reason.");
    metrics::describe_counter!(
        "fedreg_issuer_key_fetches_total",
        "Fetches of issuers' keys, by issuer and outcome."
    );
    metrics::describe_counter!(
        "fedreg_introspections_total",
        "Questions to issuers about tokens, by issuer and outcome."
    );
    metrics::describe_gauge!("fedreg_graph_nodes", "Nodes of the graph by kind.");
    metrics::describe_gauge!("fedreg_graph_revision", "Changes that led to the current graph.");
    metrics::describe_gauge!("fedreg_ready", "1 while requests are wanted and can be answered.");
    metrics::describe_gauge!(
        "fedreg_store_up",
        "1 while the store answers; 0: reads are served, writes refused."
    );
    metrics::describe_counter!("fedreg_store_commits_total", "Commits by outcome.");
    metrics::describe_histogram!("fedreg_store_commit_seconds", "Time of a commit.");
    metrics::describe_counter!(
        "fedreg_store_replayed_total",
        "Changes of other replicas that were taken in."
    );
    metrics::describe_counter!(
        "fedreg_store_reloads_total",
        "Times that the log did not lead to where the store is, by reason."
    );
    metrics::describe_gauge!(
        "fedreg_provider_attempted_timestamp_seconds",
        "When the feeder last read a provider, well or not."
    );
    metrics::describe_gauge!(
        "fedreg_provider_read_timestamp_seconds",
        "When a list of a provider was last read, in all scopes that are not stale."
    );
    metrics::describe_gauge!(
        "fedreg_provider_stale_scopes",
        "Scopes (region, project, service, list) that cannot be read, by reason."
    );
    metrics::describe_gauge!(
        "fedreg_provider_held_back_removals",
        "Nodes that would go, but are more than may go at once."
    );
    metrics::describe_gauge!(
        "fedreg_provider_trouble",
        "1 while a provider as a whole cannot be read: its entry in the provider files, its document."
    );
    Ok(handle)
}
