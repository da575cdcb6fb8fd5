//! Where the database stands, and how it got there.

use super::{
    connect::{Connection, Fault, STATEMENT},
    names::{GRAPH, LOG, META},
    packed,
    statements::number,
};
use crate::{
    graph::uid::Uid,
    store::{Changed, Entry, Head, StoreError},
};
use neo4rs::{Query, query};
use schema::Schema;
use std::{sync::Arc, time::Duration};

/// How often to look again at a bookkeeping node that says nothing.
const BEING_DELETED: u32 = 3;

/// What the bookkeeping node says.
pub(super) struct Meta {
    pub format: u64,
    pub head: Head,
    pub changed: Changed,
}

/// Where it stands; `None` when no registry was there yet.
pub(super) async fn meta(connection: &Connection) -> Result<Option<Meta>, Fault> {
    let text = format!(
        "MATCH (m:{META} {{key: '{GRAPH}'}}) RETURN m.format AS format, m.epoch AS epoch, m.revision AS revision, \
         m.oldest AS oldest, m.changed AS changed, m.changed_at AS changed_at"
    );
    let mut tries = 0;
    let (row, revision) = loop {
        let Some(row) = connection.row(query(&text)).await? else { return Ok(None) };
        match row.get::<Option<u64>>("revision")? {
            Some(revision) => break (row, revision),
            // a node that is just being deleted is found, and has nothing any more
            None if tries < BEING_DELETED => tries += 1,
            None => {
                let text = format!(
                    "(:{META} {{key: '{GRAPH}'}}) has no revision. Restore a backup, or delete this node and \
                     start again: the graph stays, its log begins anew"
                );
                return Err(Fault::Answer(text));
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let at: Option<String> = row.get("changed_at")?;
    Ok(Some(Meta {
        format: row.get::<Option<u64>>("format")?.unwrap_or_default(),
        head: Head { epoch: row.get("epoch")?, revision, oldest: row.get("oldest")? },
        changed: Changed {
            revision: row.get::<Option<u64>>("changed")?.unwrap_or(revision),
            at: at.and_then(|at| at.parse().ok()),
        },
    }))
}

/// Where it stands.
pub(super) async fn head(connection: &Connection) -> Result<Option<Head>, StoreError> {
    let meta = meta(connection).await.map_err(|fault| connection.explain(fault))?;
    Ok(meta.map(|meta| meta.head))
}

/// The changes after a revision.
pub(super) async fn after(
    connection: &Connection,
    schema: &Schema,
    revision: u64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let text = format!(
        "MATCH (l:{LOG}) WHERE l.revision > $revision RETURN l.revision AS revision, l.entry AS entry \
         ORDER BY l.revision LIMIT $limit"
    );
    let query = query(&text).param("revision", number(revision)).param("limit", number(limit as u64));
    entries(connection, schema, query, limit, |_| true).await
}

/// Those of them that change a node or one of its relations.
pub(super) async fn about(
    connection: &Connection,
    schema: &Schema,
    uid: Uid,
    revision: u64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let text = format!(
        "MATCH (l:{LOG}) WHERE l.revision > $revision AND (l.entry CONTAINS $uid OR l.entry CONTAINS $short) \
         RETURN l.revision AS revision, l.entry AS entry ORDER BY l.revision"
    );
    let query = query(&text).param("revision", number(revision));
    let query = query.param("uid", uid.to_string()).param("short", packed::short(uid));
    entries(connection, schema, query, limit, |entry| entry.changes.is_about(uid)).await
}

async fn entries(
    connection: &Connection,
    schema: &Schema,
    query: Query,
    limit: usize,
    wanted: impl Fn(&Entry) -> bool,
) -> Result<Vec<Entry>, StoreError> {
    let failed = |fault: Fault| connection.explain(fault);
    let mut rows = connection.rows(query).await.map_err(failed)?;
    let mut entries = Vec::new();
    while entries.len() < limit
        && let Some(row) = rows.next().await.map_err(failed)?
    {
        let revision: u64 = row.get("revision").map_err(|error| failed(error.into()))?;
        let entry: &str = row.get("entry").map_err(|error| failed(error.into()))?;
        let entry = packed::unpack(schema, revision, entry)?;
        if wanted(&entry) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Deletes the entries that the log no longer has. What cannot be deleted now is the next time.
pub(super) async fn forget(connection: Arc<Connection>) {
    let text = format!(
        "MATCH (m:{META} {{key: '{GRAPH}'}}) MATCH (old:{LOG}) WHERE old.revision < m.oldest DELETE old \
         RETURN count(old) AS gone"
    );
    for pause in [50, 500, 0].map(Duration::from_millis) {
        match connection.execute(query(&text), STATEMENT).await {
            Ok(_) => return,
            // another registry may be at it
            Err(fault) => {
                tracing::debug!("old entries of the log stay for now: {}", connection.explain(fault));
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether a commit took place. Waits for its lock first: a commit that is still queued on the server could land
/// after a look without it.
pub(super) async fn settle(connection: &Connection, revision: u64, id: &str) -> Result<bool, StoreError> {
    let text = format!(
        "MATCH (m:{META} {{key: '{GRAPH}'}}) SET m.lock = true \
         WITH m OPTIONAL MATCH (l:{LOG} {{revision: $revision}}) WHERE l.commit = $commit \
         RETURN l IS NOT NULL AS there, m.oldest > $revision AS forgotten"
    );
    let query = query(&text).param("revision", number(revision)).param("commit", id);
    let failed = |fault: Fault| connection.explain(fault);
    let Some(row) = connection.execute(query, STATEMENT).await.map_err(failed)? else { return Ok(false) };
    let flag = |name: &str| row.get::<bool>(name).map_err(|error| failed(error.into()));
    if flag("forgotten")? {
        return Err(StoreError::Failed(format!("the log no longer has revision {revision}")));
    }
    flag("there")
}
