//! `/feeder/runs`

use super::{
    super::{ApiError, Shared, body, caller::Caller, get::AskedUid},
    Asked, shaped,
};
use crate::{
    federation::Snapshot,
    graph::change::{ChangeSet, Note},
    sync::{
        freshness::{Freshness, forgotten},
        lease::Leases,
        provider,
        runs::{self, Ask, Record, Request as Wanted},
    },
};
use axum::{
    Json,
    extract::{OriginalUri, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schema::Fault;
use serde_json::json;

/// Asks for a run: the feeder makes it as soon as it looks.
pub(in super::super) async fn ask(
    State(app): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let ask: Ask = shaped(body::json_or_nothing(&app, request).await?)?;
    let now = app.federation.now();
    let author = caller.author("POST feeder/runs".to_owned());
    let by = author.who.clone();
    let written = app
        .federation
        .write(author, move |snapshot, fresh| {
            let waiting = Wanted::waiting(&snapshot.notes).len();
            if waiting >= runs::WAITING {
                return Err(ApiError::Conflict(format!(
                    "{waiting} runs wait already: is a feeder running? (GET /feeder/runs)"
                )));
            }
            let wanted = Wanted { id: fresh().to_string(), requested: now, by: by.clone(), ask: ask.clone() };
            let changes = ChangeSet { notes: vec![wanted.note()], ..ChangeSet::default() };
            Ok::<_, ApiError>((wanted, changes))
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(written.value)).into_response())
}

/// What was asked for, and the newest runs.
pub(in super::super) async fn list(
    State(app): State<Shared>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let limit = Asked::of(uri.query(), &["limit"])?.number("limit")?;
    let limit = limit.map_or(runs::KEPT, |limit| usize::try_from(limit).unwrap_or(runs::KEPT));
    let snapshot = app.federation.snapshot();
    let (requested, runs) = (Wanted::waiting(&snapshot.notes), runs::newest(&snapshot.notes, limit));
    Ok(Json(json!({ "requested": requested, "runs": runs })).into_response())
}

/// One run.
pub(in super::super) async fn get(
    State(app): State<Shared>,
    AskedUid(id): AskedUid,
) -> Result<Response, ApiError> {
    let record = runs::record(&app.federation.snapshot().notes, &id);
    record.map(|record| Json(record).into_response()).ok_or(ApiError::NotFound { kind: "run", uid: id })
}

/// Keeps the record of a run, with how fresh is what no write has told; the lease is given back.
pub(in super::super) async fn record(
    State(app): State<Shared>,
    AskedUid(id): AskedUid,
    OriginalUri(uri): OriginalUri,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (json, _) = body::json(&app, request).await?;
    if !runs::is_id(&id) {
        let loc = vec!["path".into(), "id".into()];
        let msg = "the id of a run has 8 to 64 letters, digits and dashes".to_owned();
        return Err(vec![Fault { loc, msg, ty: "value_error" }].into());
    }
    let Some(fence) = Asked::of(uri.query(), &["fence"])?.number("fence")? else {
        let msg = "field required: the token of the lease (PUT /feeder/lease)";
        return Err(vec![Fault::query("fence", msg, "value_error.missing")].into());
    };
    let record: Record = shaped(json)?;
    let now = app.federation.now();
    let author = caller.author(format!("PUT feeder/runs {id}"));
    app.federation
        .write(author, move |snapshot, _| {
            let leases = Leases::of(&snapshot.notes);
            let scope = caller.scope(&snapshot.graph);
            leases.check(fence, &scope)?;
            if runs::is_another(&snapshot.notes, &id, &record) {
                return Err(ApiError::Conflict(format!("another run has the id {id}")));
            }
            let mut record = record.clone();
            if let Some(names) = &scope {
                record.keep_requests_within(names, &snapshot.notes);
            }
            for told in &record.providers {
                let id = provider::find(&snapshot.graph, &told.name, &told.kind);
                id.map_or(Ok(()), |id| caller.may_touch(&snapshot.graph, id))?;
            }
            let mut notes = record.notes(&id, &snapshot.notes);
            notes.push(leases.released(fence, now).note());
            notes.extend(freshness(snapshot, &record));
            notes.extend(forgotten(snapshot));
            Ok::<_, ApiError>(((), ChangeSet { notes, ..ChangeSet::default() }))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What the record says of providers that no write has told.
fn freshness<'a>(snapshot: &'a Snapshot, record: &'a Record) -> impl Iterator<Item = Note> + 'a {
    record.providers.iter().filter_map(|told| {
        let graph = &snapshot.graph;
        let uid = graph.record(provider::find(graph, &told.name, &told.kind)?).uid;
        let old = Freshness::of(&snapshot.notes, uid);
        let new = match (&told.read, told.faults.first()) {
            (Some(read), _) => {
                let held_back = old.as_ref().and_then(|old| old.held_back);
                Freshness::after(old.as_ref(), read, held_back)
            }
            (None, Some(fault)) if told.outcome == "failed" => {
                Freshness::troubled(old.as_ref(), &fault.class, &fault.message, record.finished)
            }
            _ => return None,
        };
        (old.as_ref() != Some(&new)).then(|| new.note(uid))
    })
}
