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
use schema::{Fault, Kind, Schema, field::Type, filter};

/// All nodes of a kind that pass the filters.
pub(super) async fn list(
    kind: Kind,
    State(app): State<Shared>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let caller = Caller::reader(&app, &headers).await?;
    let snapshot = app.federation.snapshot();
    let tag = answer::etag(&snapshot, caller.audience(false));
    let question = answer::question(&caller, uri.path_and_query().map_or("", |text| text.as_str()));
    if let Some(kept) = answer::kept(&snapshot, &question, &tag) {
        return Ok(answer::not_modified(&headers, &tag).unwrap_or(kept));
    }
    let pairs = query::pairs(uri.query())?;
    let entity = snapshot.graph.schema.entity(kind);
    let special = special(snapshot.graph.schema, kind, &pairs);
    let query = match (filter::parse(entity, &pairs), special) {
        (Ok(query), Ok(special)) => (query, special),
        (query, special) => {
            let faults = special.err().into_iter().flatten().chain(query.err().into_iter().flatten());
            return Err(ApiError::Invalid(faults.collect()));
        }
    };
    let (query, special) = query;
    let private = |place: usize| !entity.fields[place].public;
    if query.filters.iter().any(|filter| private(filter.field))
        || query.sort.is_some_and(|(place, _)| private(place))
    {
        caller.may_ask_private()?;
    }
    if let Some(response) = answer::not_modified(&headers, &tag) {
        return Ok(response);
    }
    let wanted = Wanted {
        ids: select(&snapshot.graph, kind, &query, &special),
        list: true,
        audience: caller.audience(query.short),
        extended: query.with_conn,
        special,
    };
    Ok(answer::write(snapshot, wanted, Some(&question), &tag, StatusCode::OK))
}

/// The parameters that look beyond the node. Two of them are enumerations of the provider.
fn special(schema: &Schema, kind: Kind, pairs: &[(String, String)]) -> Result<Special, Vec<Fault>> {
    let mut special = Special::default();
    let mut faults = Vec::new();
    for (name, value) in pairs.iter().filter(|(name, _)| Special::names(kind).contains(&name.as_str())) {
        let provider = schema.entity(Kind::Provider);
        let field = name.strip_prefix("provider_").and_then(|name| provider.field(name));
        if let Some(Type::Enum { members, .. }) = field.map(|place| provider.fields[place].ty)
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
