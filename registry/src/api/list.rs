//! `GET /<entities>/`

use super::{
    ApiError, Shared,
    answer::{self, Wanted},
    caller::Caller,
    query,
};
use crate::graph::select::{Special, select};
use axum::{
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use schema::{Fault, Field, Kind, Schema, field::Type, filter};
use std::time::{Duration, Instant};

/// How long the regular expressions of one request may work: less than anybody waits for an answer.
const REGEX_TIME: Duration = Duration::from_millis(500);

/// All nodes of a kind that pass the filters.
pub(super) fn list(
    kind: Kind,
    State(app): State<Shared>,
    caller: &Caller,
    headers: &HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let snapshot = app.federation.snapshot();
    let tag = answer::etag(&snapshot, caller.audience(false));
    let question = answer::question(caller, uri.path_and_query().map_or("", |text| text.as_str()));
    if let Some(kept) = answer::kept(&snapshot, &question, &tag) {
        return Ok(answer::not_modified(headers, &tag).unwrap_or(kept));
    }
    let pairs = query::pairs(uri.query())?;
    let entity = snapshot.graph.schema.entity(kind);
    // who sees the public shapes only would learn private attributes by filtering or sorting (`behaviour.md` 3)
    let asks_private =
        || filter::asks_private(entity, &pairs) || special_asks_private(snapshot.graph.schema, kind, &pairs);
    if !caller.sees_private() && asks_private() {
        return Err(caller.lacks_private());
    }
    let special = special(snapshot.graph.schema, kind, &pairs)
        .map(|special| Special { notes: snapshot.notes.clone(), ..special });
    let (query, special) = match (filter::parse(entity, &pairs), special) {
        (Ok(query), Ok(special)) => (query, special),
        (query, special) => {
            let faults = special.err().into_iter().flatten().chain(query.err().into_iter().flatten());
            return Err(ApiError::Invalid(faults.collect()));
        }
    };
    if let Some(response) = answer::not_modified(headers, &tag) {
        return Ok(response);
    }
    let began = Instant::now();
    let mut late = || began.elapsed() > REGEX_TIME;
    let ids = select(&snapshot.graph, kind, &query, &special, &mut late)
        .map_err(|slow| ApiError::Invalid(vec![slow.into()]))?;
    let wanted = Wanted {
        ids,
        list: true,
        audience: caller.audience(query.short),
        extended: query.with_conn,
        special,
    };
    Ok(answer::write(snapshot, wanted, Some(&question), &tag, StatusCode::OK))
}

/// The attribute of a provider that a parameter of this name compares, when it is one.
fn of_provider<'a>(schema: &'a Schema, name: &str) -> Option<&'a Field> {
    let provider = schema.entity(Kind::Provider);
    name.strip_prefix("provider_").and_then(|name| provider.field(name)).map(|place| &provider.fields[place])
}

fn special_asks_private(schema: &Schema, kind: Kind, pairs: &[(String, String)]) -> bool {
    let private = |name: &str| of_provider(schema, name).is_some_and(|field| !field.public);
    let mut names = Special::names(kind).iter().filter(|name| private(name));
    names.any(|name| pairs.iter().any(|(given, value)| given == name && !value.is_empty()))
}

/// The parameters that look beyond the node, the last of each. Two of them are enumerations of the provider.
fn special(schema: &Schema, kind: Kind, pairs: &[(String, String)]) -> Result<Special, Vec<Fault>> {
    let mut special = Special::default();
    let mut faults = Vec::new();
    for name in Special::names(kind) {
        let Some((_, value)) = pairs.iter().rev().find(|(given, _)| given == name) else { continue };
        if let Some(Type::Enum { members, .. }) = of_provider(schema, name).map(|field| field.ty)
            && !members.contains(&value.as_str())
            && !value.is_empty()
        {
            let permitted: Vec<_> = members.iter().map(|member| format!("'{member}'")).collect();
            let msg = format!("value is not a valid enumeration member; permitted: {}", permitted.join(", "));
            faults.push(Fault::query(name, msg, "type_error.enum"));
        }
        special.set(name, value);
    }
    if faults.is_empty() { Ok(special) } else { Err(faults) }
}
