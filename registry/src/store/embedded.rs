//! The default store: one crash-safe file in a folder, nothing to install.

use super::{Changed, CommitError, Contents, Entry, Head, Loaded, Store, StoreError};
use crate::{
    graph::{
        change::{ChangeSet, Created, Link, Note, Unreadable},
        stored::Stored,
        uid::Uid,
    },
    progress::Progress,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    WriteTransaction,
};
use schema::{RelationId, Schema};
use serde_json::Value as Json;
use std::{path::Path, sync::Arc};
use tokio::sync::Mutex;

/// `format`, `revision`, `changed` (the last revision that touched the graph), `next` (the place of the next new node).
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
/// `epoch`, `changed` (when the graph was touched last).
const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("texts");
/// uid -> place in the order of creation, node as JSON.
const NODES: TableDefinition<[u8; 16], (u64, &[u8])> = TableDefinition::new("nodes");
/// One end, other end, type.
type Ends = ([u8; 16], [u8; 16], &'static str);
/// from, to, type -> properties as JSON.
const LINKS: TableDefinition<Ends, &[u8]> = TableDefinition::new("links");
/// to, from, type: the way back, for deleting.
const BACK: TableDefinition<Ends, ()> = TableDefinition::new("back");
/// path -> JSON.
const NOTES: TableDefinition<&str, &[u8]> = TableDefinition::new("notes");
/// revision -> entry as JSON.
const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");

const FORMAT: u64 = 1;
const FILE: &str = "graph.redb";
/// The graph is in memory: the file is read once, at the start.
const CACHE_BYTES: usize = 4 << 20;

/// See the module.
pub struct Embedded {
    schema: &'static Schema,
    database: Arc<Database>,
    log_entries: u64,
    /// Held by a commit to its end, also when nobody waits for that any more.
    committing: Arc<Mutex<()>>,
}

impl Embedded {
    /// Opens the store in a folder, made if missing. The last `log_entries` changes are kept.
    pub fn open(schema: &'static Schema, folder: &Path, log_entries: u64) -> Result<Self, StoreError> {
        let path = || folder.display().to_string();
        let unusable =
            |why: &dyn std::fmt::Display| StoreError::Folder { path: path(), why: why.to_string() };
        std::fs::create_dir_all(folder).map_err(|why| unusable(&why))?;
        let database =
            Database::builder().set_cache_size(CACHE_BYTES).create(folder.join(FILE)).map_err(|error| {
                match error {
                    DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: path() },
                    other => unusable(&other),
                }
            })?;
        let committing = Arc::default();
        let store = Self { schema, database: Arc::new(database), log_entries, committing };
        let found = store.prepare().map_err(failed)?;
        if found == FORMAT {
            Ok(store)
        } else {
            Err(StoreError::Format { path: path(), found, known: FORMAT })
        }
    }

    /// Makes the tables of a new store. Says the format of the file.
    fn prepare(&self) -> Result<u64, redb::Error> {
        let transaction = self.database.begin_write()?;
        let format = {
            let mut numbers = transaction.open_table(NUMBERS)?;
            transaction.open_table(NODES)?;
            transaction.open_table(LINKS)?;
            transaction.open_table(BACK)?;
            transaction.open_table(LOG)?;
            transaction.open_table(NOTES)?;
            let mut texts = transaction.open_table(TEXTS)?;
            if texts.get("epoch")?.is_none() {
                texts.insert("epoch", super::new_epoch().as_str())?;
                numbers.insert("format", FORMAT)?;
                numbers.insert("revision", 0)?;
                numbers.insert("next", 0)?;
            }

            numbers.get("format")?.map_or(0, |format| format.value())
        };
        transaction.commit()?;
        Ok(format)
    }

    /// Runs what waits for the disk where it holds up no one.
    async fn blocking<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let database = Arc::clone(&self.database);
        match tokio::task::spawn_blocking(move || work(&database)).await {
            Ok(result) => result,
            Err(broken) => Err(StoreError::Failed(broken.to_string()).into()),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

fn parse(bytes: &[u8], what: &str) -> Result<Json, StoreError> {
    let what = || Unreadable { what: what.to_owned() };
    serde_json::from_slice(bytes).map_err(|_| what().into())
}

#[async_trait]
impl Store for Embedded {
    async fn load(&self) -> Result<Loaded, StoreError> {
        let schema = self.schema;
        self.blocking(move |database| load(schema, database)).await
    }

    async fn commit(&self, entry: Entry) -> Result<(), CommitError> {
        let (schema, keep) = (self.schema, self.log_entries);
        let committing = Arc::clone(&self.committing).lock_owned().await;
        self.blocking(move |database| {
            let _committing = committing;
            let mut transaction = database.begin_write().map_err(failed)?;
            // Costs a little on each commit, and saves reading the whole file at the start after a crash.
            transaction.set_quick_repair(true);
            check_revision(&transaction, entry.revision)?;
            write(schema, &transaction, &entry, keep)?;
            transaction.commit().map_err(failed)?;
            Ok(())
        })
        .await
    }

    async fn settle(&self, revision: u64, id: &str) -> Result<bool, StoreError> {
        // a commit that nobody waits for any more is still being written
        drop(self.committing.lock().await);
        let entries = self.log_after(revision.saturating_sub(1), 1).await?;
        Ok(entries.first().is_some_and(|entry| entry.revision == revision && entry.id == id))
    }

    async fn fill(&self, contents: Contents, progress: Arc<Progress>) -> Result<(), StoreError> {
        let schema = self.schema;
        self.blocking(move |database| {
            let transaction = database.begin_write().map_err(failed)?;
            fill(schema, &transaction, contents, &progress)?;
            transaction.commit().map_err(failed)
        })
        .await
    }

    async fn log_after(&self, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let schema = self.schema;
        self.blocking(move |database| {
            let transaction = database.begin_read().map_err(failed)?;
            let log = transaction.open_table(LOG).map_err(failed)?;
            let mut entries = Vec::new();
            for row in log.range(revision + 1..).map_err(failed)?.take(limit) {
                let (revision, bytes) = row.map_err(failed)?;
                let json = parse(bytes.value(), "log entry")?;
                entries.push(Entry::from_json(schema, revision.value(), &json)?);
            }
            Ok(entries)
        })
        .await
    }

    /// Looks for the uid as text, which is much faster than reading each entry.
    async fn log_about(&self, uid: Uid, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let (schema, name) = (self.schema, uid.to_string());
        self.blocking(move |database| {
            let transaction = database.begin_read().map_err(failed)?;
            let log = transaction.open_table(LOG).map_err(failed)?;
            let mut entries = Vec::new();
            for row in log.range(revision + 1..).map_err(failed)? {
                let (revision, bytes) = row.map_err(failed)?;
                if !std::str::from_utf8(bytes.value()).is_ok_and(|text| text.contains(&name)) {
                    continue;
                }
                let json = parse(bytes.value(), "log entry")?;
                let entry = Entry::from_json(schema, revision.value(), &json)?;
                if entry.changes.is_about(uid) {
                    entries.push(entry);
                }
                if entries.len() == limit {
                    break;
                }
            }
            Ok(entries)
        })
        .await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.blocking(move |database| {
            let transaction = database.begin_read().map_err(failed)?;
            let numbers = transaction.open_table(NUMBERS).map_err(failed)?;
            let texts = transaction.open_table(TEXTS).map_err(failed)?;
            let log = transaction.open_table(LOG).map_err(failed)?;
            let revision = number(&numbers, "revision")?.unwrap_or_default();
            let first = log.first().map_err(failed)?.map(|(revision, _)| revision.value());
            Ok(Head {
                epoch: text(&texts, "epoch")?.unwrap_or_default(),
                revision,
                oldest: first.unwrap_or(revision + 1),
            })
        })
        .await
    }
}

fn load(schema: &'static Schema, database: &Database) -> Result<Loaded, StoreError> {
    let transaction = database.begin_read().map_err(failed)?;
    let numbers = transaction.open_table(NUMBERS).map_err(failed)?;
    let texts = transaction.open_table(TEXTS).map_err(failed)?;
    let mut nodes = Vec::new();
    for row in transaction.open_table(NODES).map_err(failed)?.iter().map_err(failed)? {
        let (_, value) = row.map_err(failed)?;
        let (place, bytes) = value.value();
        nodes.push((place, Created::from_json(schema, &parse(bytes, "node")?)?));
    }
    nodes.sort_unstable_by_key(|(place, _)| *place);
    let mut links = Vec::new();
    for row in transaction.open_table(LINKS).map_err(failed)?.iter().map_err(failed)? {
        let (key, properties) = row.map_err(failed)?;
        let (from, to, ty) = key.value();
        let relation = relation(schema, ty)?;
        let properties = match properties.value() {
            [] => Vec::new(),
            bytes => read_properties(schema, relation, &parse(bytes, "relation")?),
        };
        links.push(Link { relation, from: Uid::from_bytes(from), to: Uid::from_bytes(to), properties });
    }
    let mut notes = Vec::new();
    for row in transaction.open_table(NOTES).map_err(failed)?.iter().map_err(failed)? {
        let (key, bytes) = row.map_err(failed)?;
        notes.push(Note { key: key.value().to_owned(), value: Some(parse(bytes.value(), "note")?) });
    }
    let revision = number(&numbers, "revision")?.unwrap_or_default();
    let at = match text(&texts, "changed")? {
        Some(at) => at.parse().ok(),
        // files of earlier versions: every change touched the graph
        None => last_entry(&transaction)?,
    };
    Ok(Loaded {
        revision,
        epoch: text(&texts, "epoch")?.unwrap_or_default(),
        changed: Changed { revision: number(&numbers, "changed")?.unwrap_or(revision), at },
        nodes: nodes.into_iter().map(|(_, node)| node).collect(),
        links,
        notes,
        faults: Vec::new(),
    })
}

fn number(numbers: &impl ReadableTable<&'static str, u64>, name: &str) -> Result<Option<u64>, StoreError> {
    Ok(numbers.get(name).map_err(failed)?.map(|number| number.value()))
}

fn text(
    texts: &impl ReadableTable<&'static str, &'static str>,
    name: &str,
) -> Result<Option<String>, StoreError> {
    Ok(texts.get(name).map_err(failed)?.map(|text| text.value().to_owned()))
}

/// When the last entry of the log was committed.
fn last_entry(transaction: &ReadTransaction) -> Result<Option<DateTime<Utc>>, StoreError> {
    let log = transaction.open_table(LOG).map_err(failed)?;
    let Some((_, bytes)) = log.last().map_err(failed)? else { return Ok(None) };
    Ok(parse(bytes.value(), "log entry")?.get("at").and_then(|at| at.as_str()?.parse().ok()))
}

fn relation(schema: &Schema, ty: &str) -> Result<RelationId, StoreError> {
    let unknown = || Unreadable { what: format!("relation type '{ty}'") };
    Ok(schema.relation_of_type(ty).ok_or_else(unknown)?)
}

fn read_properties(schema: &Schema, relation: RelationId, json: &Json) -> Vec<schema::Value> {
    let fields = schema.relation(relation).decl.properties.iter();
    let read = |field: &schema::Field| schema::Value::from_json(field.ty, json.get(field.name)?);
    fields.map(|field| read(field).unwrap_or_default()).collect()
}

fn check_revision(transaction: &WriteTransaction, wanted: u64) -> Result<(), CommitError> {
    let numbers = transaction.open_table(NUMBERS).map_err(failed)?;
    let found = numbers.get("revision").map_err(failed)?.map_or(0, |number| number.value());
    if found + 1 == wanted { Ok(()) } else { Err(CommitError::Moved { expected: wanted - 1, found }) }
}

fn write(
    schema: &'static Schema,
    transaction: &WriteTransaction,
    entry: &Entry,
    keep: u64,
) -> Result<(), StoreError> {
    if !entry.by_hand {
        write_changes(schema, transaction, &entry.changes)?;
    }
    let mut numbers = transaction.open_table(NUMBERS).map_err(failed)?;
    numbers.insert("revision", entry.revision).map_err(failed)?;
    if entry.touches_graph() {
        numbers.insert("changed", entry.revision).map_err(failed)?;
        let mut texts = transaction.open_table(TEXTS).map_err(failed)?;
        texts.insert("changed", entry.at.to_rfc3339().as_str()).map_err(failed)?;
    }
    let mut log = transaction.open_table(LOG).map_err(failed)?;
    log.insert(entry.revision, Stored(schema, entry).text().map_err(failed)?.as_bytes()).map_err(failed)?;
    let first = log.first().map_err(failed)?.map_or(entry.revision, |(revision, _)| revision.value());
    for old in first..=entry.revision.saturating_sub(keep) {
        log.remove(old).map_err(failed)?;
    }
    Ok(())
}

fn write_changes(
    schema: &'static Schema,
    transaction: &WriteTransaction,
    changes: &ChangeSet,
) -> Result<(), StoreError> {
    let mut numbers = transaction.open_table(NUMBERS).map_err(failed)?;
    let mut nodes = transaction.open_table(NODES).map_err(failed)?;
    let mut links = transaction.open_table(LINKS).map_err(failed)?;
    let mut back = transaction.open_table(BACK).map_err(failed)?;

    let gone =
        changes.unlinked.iter().map(|link| (link.from, link.to, schema.relation(link.relation).decl.ty));
    let mut gone: Vec<(Uid, Uid, String)> = gone.map(|(from, to, ty)| (from, to, ty.to_owned())).collect();
    for deleted in &changes.deleted {
        let uid = deleted.uid.to_bytes();
        let all = (uid, [0; 16], "")..=(uid, [0xff; 16], "\u{10ffff}");
        for row in links.range(all.clone()).map_err(failed)? {
            let (from, to, ty) = row.as_ref().map_err(failed)?.0.value();
            gone.push((Uid::from_bytes(from), Uid::from_bytes(to), ty.to_owned()));
        }
        for row in back.range(all).map_err(failed)? {
            let (to, from, ty) = row.as_ref().map_err(failed)?.0.value();
            gone.push((Uid::from_bytes(from), Uid::from_bytes(to), ty.to_owned()));
        }
        nodes.remove(uid).map_err(failed)?;
    }
    for (from, to, ty) in &gone {
        links.remove((from.to_bytes(), to.to_bytes(), ty.as_str())).map_err(failed)?;
        back.remove((to.to_bytes(), from.to_bytes(), ty.as_str())).map_err(failed)?;
    }

    let mut next = numbers.get("next").map_err(failed)?.map_or(0, |number| number.value());
    for created in &changes.created {
        let bytes = Stored(schema, created).text().map_err(failed)?;
        nodes.insert(created.uid.to_bytes(), (next, bytes.as_bytes())).map_err(failed)?;
        next += 1;
    }
    for updated in &changes.updated {
        let uid = updated.uid.to_bytes();
        let missing = || Unreadable { what: format!("node {}, which a change names", updated.uid) };
        let (place, mut node) = {
            let row = nodes.get(uid).map_err(failed)?.ok_or_else(missing)?;
            let (place, bytes) = row.value();
            (place, Created::from_json(schema, &parse(bytes, "node")?)?)
        };
        node.shared = updated.shared.unwrap_or(node.shared);
        for (field, value) in &updated.set {
            node.values[*field] = value.clone();
        }
        let bytes = Stored(schema, &node).text().map_err(failed)?;
        nodes.insert(uid, (place, bytes.as_bytes())).map_err(failed)?;
    }
    for link in &changes.linked {
        let relation = &schema.relation(link.relation).decl;
        let said = relation.properties.iter().zip(&link.properties).filter(|(_, value)| !value.is_null());
        let said: Json = said.map(|(field, value)| (field.name.to_owned(), value.to_json())).collect();
        let bytes = if relation.properties.is_empty() { String::new() } else { said.to_string() };
        let (from, to) = (link.from.to_bytes(), link.to.to_bytes());
        links.insert((from, to, relation.ty), bytes.as_bytes()).map_err(failed)?;
        back.insert((to, from, relation.ty), ()).map_err(failed)?;
    }

    let mut notes = transaction.open_table(NOTES).map_err(failed)?;
    for Note { key, value } in &changes.notes {
        match value {
            Some(value) => notes.insert(key.as_str(), value.to_string().as_bytes()).map_err(failed)?,
            None => notes.remove(key.as_str()).map_err(failed)?,
        };
    }

    numbers.insert("next", next).map_err(failed)?;
    Ok(())
}

/// All in one transaction: it is there or not.
fn fill(
    schema: &'static Schema,
    transaction: &WriteTransaction,
    contents: Contents,
    progress: &Progress,
) -> Result<(), StoreError> {
    const AT_ONCE: usize = 10_000;
    let Contents { loaded, log } = contents;
    transaction.delete_table(NODES).map_err(failed)?;
    transaction.delete_table(LINKS).map_err(failed)?;
    transaction.delete_table(BACK).map_err(failed)?;
    transaction.delete_table(NOTES).map_err(failed)?;
    transaction.delete_table(LOG).map_err(failed)?;
    transaction.open_table(NUMBERS).map_err(failed)?.insert("next", 0).map_err(failed)?;
    let part = |changes: ChangeSet| {
        progress.add(changes.len() + changes.notes.len());
        write_changes(schema, transaction, &changes)
    };
    for created in loaded.nodes.chunks(AT_ONCE) {
        part(ChangeSet { created: created.to_vec(), ..ChangeSet::default() })?;
    }
    for linked in loaded.links.chunks(AT_ONCE) {
        part(ChangeSet { linked: linked.to_vec(), ..ChangeSet::default() })?;
    }
    part(ChangeSet { notes: loaded.notes, ..ChangeSet::default() })?;
    let mut numbers = transaction.open_table(NUMBERS).map_err(failed)?;
    numbers.insert("revision", loaded.revision).map_err(failed)?;
    numbers.insert("changed", loaded.changed.revision).map_err(failed)?;
    let mut texts = transaction.open_table(TEXTS).map_err(failed)?;
    texts.insert("epoch", loaded.epoch.as_str()).map_err(failed)?;
    let at = loaded.changed.at.map_or_else(String::new, |at| at.to_rfc3339());
    texts.insert("changed", at.as_str()).map_err(failed)?;
    let mut table = transaction.open_table(LOG).map_err(failed)?;
    for entry in log {
        table
            .insert(entry.revision, Stored(schema, &entry).text().map_err(failed)?.as_bytes())
            .map_err(failed)?;
        progress.add(1);
    }
    Ok(())
}
