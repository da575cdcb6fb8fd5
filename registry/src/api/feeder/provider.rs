//! `PUT /feeder/providers` and `DELETE /feeder/providers/{uid}`

use super::{
    super::{
        ApiError, Shared,
        body::{self, still_as_known},
        caller::Caller,
        get::{AskedUid, find},
    },
    Asked, shaped,
};
use crate::{
    federation::Snapshot,
    graph::change::ChangeSet,
    sync::{
        lease::Leases,
        provider::{self, Impossible, Sent},
    },
};
use axum::{
    Json,
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use schema::{
    Fault, Kind, document,
    feeding::{Done, Outcome},
};
use std::sync::Arc;

const PARAMETERS: [&str; 3] = ["dry_run", "fence", "digest"];

/// How a write is meant.
#[derive(Clone)]
struct How {
    /// Say what would be, and change nothing.
    dry_run: bool,
    /// The lease that it comes with.
    fence: Option<u64>,
    /// What the change must do.
    digest: Option<String>,
}

impl How {
    fn of(query: Option<&str>) -> Result<Self, ApiError> {
        let asked = Asked::of(query, &PARAMETERS)?;
        let (dry_run, fence) = (asked.flag("dry_run")?, asked.number("fence")?);
        if fence.is_none() && !dry_run {
            let msg = "field required: the token of the lease (PUT /feeder/lease), unless dry_run is true";
            return Err(vec![Fault::query("fence", msg, "value_error.missing")].into());
        }
        Ok(Self { dry_run, fence, digest: asked.text("digest").map(str::to_owned) })
    }

    fn check(&self, snapshot: &Snapshot, caller: &Caller) -> Result<(), ApiError> {
        if let Some(fence) = self.fence.filter(|_| !self.dry_run) {
            Leases::of(&snapshot.notes).check(fence, &caller.scope(&snapshot.graph))?;
        }
        Ok(())
    }

    /// The change to commit: none on a dry run, and none that does something else than was agreed on.
    fn settle(&self, mut done: Done, changes: ChangeSet) -> Result<(Done, ChangeSet), ApiError> {
        if self.digest.as_ref().is_some_and(|digest| *digest != done.digest) {
            return Err(ApiError::Superseded(
                "the change is no longer the one that was planned: plan again".to_owned(),
            ));
        }
        if self.dry_run {
            return Ok((done, ChangeSet::default()));
        }
        done.changes = None;
        Ok((done, changes))
    }
}

/// Makes a provider equal to a document in all that was read; what was not read stays.
pub(in super::super) async fn reconcile(
    State(app): State<Shared>,
    OriginalUri(uri): OriginalUri,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (json, headers) = body::json(&app, request).await?;
    let how = How::of(uri.query())?;
    let sent: Sent = shaped(json)?;
    let reading = document::Reading { lenient: app.options.lenient_documents };
    let text = |name: &str| {
        sent.document.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let (name, kind) = (text("name"), text("type"));
    let author = caller.author(format!("PUT feeder/providers {name} ({kind})"));
    let dry_run = how.dry_run;
    let unread: Vec<String> = sent.read.unread.iter().map(|unread| unread.scope.project.clone()).collect();
    let sent = Arc::new(sent);
    let written = app
        .federation
        .write(author, move |snapshot, fresh| {
            let graph = &snapshot.graph;
            how.check(snapshot, &caller)?;
            still_as_known(snapshot, &headers)?;
            let stored = provider::find(graph, &name, &kind);
            let projects = stored.into_iter().flat_map(|id| graph.neighbours(id, "projects"));
            let uuid = |id| graph.value(id, "uuid").as_str().unwrap_or_default().to_owned();
            let projects: Vec<String> = projects.map(uuid).collect();
            let document = document::partial(graph.schema, &sent.document, reading, &projects, &unread)?;
            let (done, changes) = provider::reconcile(snapshot, &sent, document, fresh)?;
            stored.map_or(Ok(()), |id| caller.may_touch(graph, id))?;
            caller.may_make(graph, &changes)?;
            how.settle(done, changes)
        })
        .await?;
    let new = written.value.outcome == Outcome::Created && !dry_run;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(written.value)).into_response())
}

/// Removes a provider that the provider files no longer name. 204 when it is not there.
pub(in super::super) async fn remove(
    State(app): State<Shared>,
    AskedUid(uid): AskedUid,
    OriginalUri(uri): OriginalUri,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let how = How::of(uri.query())?;
    let author = caller.author(format!("DELETE feeder/providers {uid}"));
    let written = app
        .federation
        .write(author, move |snapshot, _| {
            how.check(snapshot, &caller)?;
            still_as_known(snapshot, &headers)?;
            let Ok(id) = find(snapshot, Kind::Provider, &uid) else {
                return Ok((None, ChangeSet::default()));
            };
            caller.may_touch(&snapshot.graph, id)?;
            let (done, changes) = provider::remove(snapshot, id)?;
            let (done, changes) = how.settle(done, changes)?;
            Ok::<_, ApiError>((Some(done), changes))
        })
        .await?;
    Ok(match written.value {
        Some(done) => Json(done).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

impl From<Impossible> for ApiError {
    fn from(why: Impossible) -> Self {
        match why {
            Impossible::Refused(refused) => refused.into(),
            Impossible::Misfit(misfit) => {
                tracing::error!(error = %misfit, "a change did not fit the graph that it was computed from");
                Self::Internal
            }
        }
    }
}
