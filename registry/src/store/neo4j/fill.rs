//! A whole graph in the place of what the database holds of ours: many transactions, since one would not fit into the
//! server's memory. A mark says so until the last one.

use super::{
    connect::{Connection, Fault, STATEMENT},
    names::{self, GRAPH, LOG, META, NOTE},
    packed,
    property::{list, map, weight},
    statements,
};
use crate::{
    graph::change::ChangeSet,
    progress::Progress,
    store::{Contents, Entry, Loaded, StoreError},
};
use neo4rs::{BoltType, Query, query};
use schema::Schema;
use std::time::Duration;

/// Nodes or relations in one transaction.
const AT_ONCE: usize = 2_000;
/// Bytes of log texts in one message.
const LOG_MESSAGE: usize = 1_000_000;
const DELETING: Duration = Duration::from_mins(10);

/// See [`crate::store::Store::fill`]. The database must have been prepared.
pub(super) async fn fill(
    connection: &Connection,
    schema: &Schema,
    contents: Contents,
    progress: &Progress,
) -> Result<(), Fault> {
    let Contents { loaded, log } = contents;
    let mark =
        format!("MATCH (m:{META} {{key: '{GRAPH}'}}) SET m.incomplete = true RETURN m.revision AS revision");
    connection.execute(query(&mark), STATEMENT).await?;
    for label in names::bases(schema).iter().map(String::as_str).chain([LOG, NOTE]) {
        let delete =
            format!("MATCH (n:{label}) CALL {{ WITH n DETACH DELETE n }} IN TRANSACTIONS OF {AT_ONCE} ROWS");
        connection.execute(query(&delete), DELETING).await?;
    }
    let Loaded { revision, epoch, changed, nodes, links, notes, .. } = loaded;
    let mut place = statements::first_place(revision + 1).saturating_sub_unsigned(nodes.len() as u64);
    for created in nodes.chunks(AT_ONCE) {
        let changes = ChangeSet { created: created.to_vec(), ..ChangeSet::default() };
        all(connection, statements::of(schema, &changes, place)).await?;
        place = place.saturating_add_unsigned(created.len() as u64);
        progress.add(created.len());
    }
    for linked in links.chunks(AT_ONCE) {
        all(connection, statements::first_links(schema, linked)).await?;
        progress.add(linked.len());
    }
    for notes in notes.chunks(AT_ONCE) {
        let changes = ChangeSet { notes: notes.to_vec(), ..ChangeSet::default() };
        all(connection, statements::of(schema, &changes, 0)).await?;
        progress.add(notes.len());
    }
    let oldest = log.first().map_or(revision + 1, |entry| entry.revision);
    for (count, message) in log_messages(schema, &log)? {
        all(connection, vec![message]).await?;
        progress.add(count);
    }
    let done = format!(
        "MATCH (m:{META} {{key: '{GRAPH}'}}) \
         SET m.revision = $revision, m.epoch = $epoch, m.oldest = $oldest, m.changed = $changed, m.changed_at = $at \
         REMOVE m.incomplete RETURN m.revision AS revision"
    );
    let done = query(&done)
        .param("revision", statements::number(revision))
        .param("epoch", epoch)
        .param("oldest", statements::number(oldest))
        .param("changed", statements::number(changed.revision))
        .param("at", changed.at.map_or_else(String::new, |at| at.to_rfc3339()));
    connection.execute(done, STATEMENT).await?;
    Ok(())
}

/// Entries of the log, as many at once as a message should hold.
fn log_messages(schema: &Schema, log: &[Entry]) -> Result<Vec<(usize, Query)>, Fault> {
    let text = format!("UNWIND $rows AS r CREATE (l:{LOG}) SET l = r");
    let rows = log.iter().map(|entry| log_row(schema, entry)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = rows.into_iter().peekable();
    let mut messages = Vec::new();
    while let Some(first) = rows.next() {
        let (mut size, mut part) = (weight(&first), vec![first]);
        while let Some(row) = rows.next_if(|row| size + weight(row) < LOG_MESSAGE) {
            size += weight(&row);
            part.push(row);
        }
        messages.push((part.len(), query(&text).param("rows", list(part.into_iter()))));
    }
    Ok(messages)
}

fn log_row(schema: &Schema, entry: &Entry) -> Result<BoltType, Fault> {
    let texts = [
        ("commit", entry.id.clone()),
        ("at", entry.at.to_rfc3339()),
        ("who", entry.who.clone()),
        ("what", entry.what.clone()),
        ("entry", packed::pack(schema, entry)?),
    ];
    let texts = texts.map(|(name, text)| (name, BoltType::from(text)));
    Ok(map(texts.into_iter().chain([("revision", statements::number(entry.revision).into())])))
}

/// Statements in one transaction.
async fn all(connection: &Connection, queries: Vec<Query>) -> Result<(), Fault> {
    let graph = connection.writing();
    let mut transaction = connection.within(STATEMENT, graph.start_txn()).await?;
    let mut result = Ok(());
    for query in queries {
        result = connection.within(STATEMENT, transaction.run(query)).await;
        if result.is_err() {
            break;
        }
    }
    let ended = match result {
        Ok(()) => connection.within(STATEMENT, transaction.commit()).await,
        Err(fault) => {
            let _ = connection.within(STATEMENT, transaction.rollback()).await;
            Err(fault)
        }
    };
    if ended.is_err() {
        connection.renew_writing();
    }
    ended
}

/// Whether an earlier one was interrupted.
pub(super) async fn interrupted(connection: &Connection) -> Result<bool, StoreError> {
    let text = format!("MATCH (m:{META} {{key: '{GRAPH}'}}) RETURN m.incomplete = true AS incomplete");
    let row = connection.row(query(&text)).await.map_err(|fault| connection.explain(fault))?;
    Ok(row.is_some_and(|row| row.get::<Option<bool>>("incomplete").ok().flatten() == Some(true)))
}
