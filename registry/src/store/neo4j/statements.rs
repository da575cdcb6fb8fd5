//! A change set as statements: few texts that never vary, so that the server plans each of them once; all data in
//! parameters; no message longer than what the driver sends in one piece.

use super::{
    names::{self, GRAPH, LOG, META, NOTE, ORDER},
    packed,
    property::{encode_all, list, map, weight},
};
use crate::{
    graph::{
        change::{ChangeSet, Link},
        uid::Uid,
    },
    store::Entry,
};
use neo4rs::{BoltNull, BoltType, Query};
use schema::{RelationId, Schema, Value};
use std::collections::{BTreeMap, HashSet};

/// The driver writes up to 8 KiB at once; the rest of a longer message waits 40 ms for an acknowledgement.
const MESSAGE: usize = 7_900;
/// So long that many small messages take longer than that wait.
const LONG: usize = 400_000;
const LONG_PART: usize = 500_000;
/// Nodes of one change set, at most, whose order of creation is kept: the rest of a number is the revision.
const ORDER_BITS: u32 = 20;

/// Fails the statement, and with it the transaction, when a MATCH before it did not find each row once: somebody
/// changed the database by hand. (Asking for the count and comparing it here would cost a round trip each.)
const EACH_FOUND: &str = "WITH count(*) AS found \
    FOREACH (_ IN CASE found WHEN $want THEN [] ELSE [0] END | CREATE (:FedRegMeta {key: 1 / (found - found)}))";
/// The server's word for that failure.
pub(super) const NOT_FOUND: &str = "Neo.ClientError.Statement.ArithmeticError";

/// A statement and its rows.
struct Step {
    text: String,
    rows: Vec<BoltType>,
}

impl Step {
    fn new(text: impl Into<String>, rows: Vec<BoltType>) -> Self {
        Self { text: text.into(), rows }
    }

    fn weight(&self) -> usize {
        self.rows.iter().map(weight).sum()
    }

    /// As messages that are each sent in one piece, or as few long ones.
    fn messages(self, into: &mut Vec<Query>) {
        let rows: Vec<_> = self.rows.into_iter().map(|row| (weight(&row), row)).collect();
        let room = part(rows.iter().map(|(weight, _)| weight).sum()) - self.text.len();
        let mut rows = rows.into_iter().peekable();
        while let Some((first, row)) = rows.next() {
            let (mut size, mut chunk) = (first, vec![row]);
            while let Some((next, row)) = rows.next_if(|(next, _)| size + next <= room) {
                size += next;
                chunk.push(row);
            }
            into.push(Query::new(self.text.clone()).params(rows_of(chunk)));
        }
    }
}

/// Rows, and how many they are.
fn rows_of(rows: Vec<BoltType>) -> [(&'static str, BoltType); 2] {
    let want = number(rows.len() as u64);
    [("rows", list(rows.into_iter())), ("want", want.into())]
}

/// How much of so many bytes is sent at once.
fn part(bytes: usize) -> usize {
    if bytes > LONG { LONG_PART } else { MESSAGE }
}

fn text(uid: Uid) -> BoltType {
    uid.to_string().into()
}

/// The place in the order of creation of the first node that a revision makes.
pub(super) fn first_place(revision: u64) -> i64 {
    number(revision).saturating_mul(1 << ORDER_BITS)
}

/// A number as the database has them.
pub(super) fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What a change set does. The nodes that it creates get these places in the order of creation.
pub(super) fn of(schema: &Schema, changes: &ChangeSet, first: i64) -> Vec<Query> {
    messages(all(schema, changes, first))
}

fn all(schema: &Schema, changes: &ChangeSet, first: i64) -> Vec<Step> {
    let new: HashSet<Uid> = changes.created.iter().map(|node| node.uid).collect();
    [
        unlinked(schema, changes),
        deleted(schema, changes),
        created(schema, changes, first),
        updated(schema, changes),
        shared(schema, changes),
        linked(schema, changes, |uid| new.contains(&uid)),
        notes(changes),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn messages(steps: Vec<Step>) -> Vec<Query> {
    let mut messages = Vec::new();
    for step in steps {
        step.messages(&mut messages);
    }
    messages
}

/// Relations between nodes that have none yet.
pub(super) fn first_links(schema: &Schema, links: &[Link]) -> Vec<Query> {
    let changes = ChangeSet { linked: links.to_vec(), ..ChangeSet::default() };
    messages(linked(schema, &changes, |_| true))
}

/// Rows by the text of their statement, in a fixed order: two writers touch nodes in the same one.
fn steps<R: Into<BoltType>>(rows: impl Iterator<Item = (String, R)>) -> Vec<Step> {
    let mut by_text: BTreeMap<String, Vec<BoltType>> = BTreeMap::new();
    for (text, row) in rows {
        by_text.entry(text).or_default().push(row.into());
    }
    by_text.into_iter().map(|(text, rows)| Step::new(text, rows)).collect()
}

fn deleted(schema: &Schema, changes: &ChangeSet) -> Vec<Step> {
    steps(changes.deleted.iter().map(|node| {
        let base = names::base(schema.entity(node.kind));
        (
            format!("UNWIND $rows AS u MATCH (n:{base} {{uid: u}}) DETACH DELETE n {EACH_FOUND}"),
            text(node.uid),
        )
    }))
}

fn created(schema: &Schema, changes: &ChangeSet, first: i64) -> Vec<Step> {
    steps(changes.created.iter().zip(0..).map(|(node, place)| {
        let entity = schema.entity(node.kind);
        let mut properties = encode_all(entity.fields.iter().zip(&node.values));
        properties.put("uid".into(), text(node.uid));
        properties.put(ORDER.into(), first.saturating_add(place).into());
        let labels = entity.labels(node.shared).join(":");
        (format!("UNWIND $rows AS r CREATE (n:{labels}) SET n = r"), BoltType::Map(properties))
    }))
}

fn updated(schema: &Schema, changes: &ChangeSet) -> Vec<Step> {
    let changed = changes.updated.iter().filter(|node| !node.set.is_empty());
    steps(changed.map(|node| {
        let entity = schema.entity(node.kind);
        let base = names::base(entity);
        let set = encode_all(node.set.iter().map(|(place, value)| (&entity.fields[*place], value)));
        let row = map([("uid", text(node.uid)), ("set", BoltType::Map(set))]);
        (format!("UNWIND $rows AS r MATCH (n:{base} {{uid: r.uid}}) SET n += r.set {EACH_FOUND}"), row)
    }))
}

fn shared(schema: &Schema, changes: &ChangeSet) -> Vec<Step> {
    steps(changes.updated.iter().filter_map(|node| {
        let shared = node.shared?;
        let entity = schema.entity(node.kind);
        let (before, after) = (entity.labels(!shared), entity.labels(shared));
        let base = names::base(entity);
        let text_of = format!(
            "UNWIND $rows AS u MATCH (n:{base} {{uid: u}}) REMOVE n:{} SET n:{} {EACH_FOUND}",
            before[0], after[0]
        );
        Some((text_of, text(node.uid)))
    }))
}

fn both_ends(schema: &Schema, relation: RelationId) -> String {
    let (from, to) = names::ends(schema, relation);
    format!("UNWIND $rows AS r MATCH (a:{from} {{uid: r.a}}) MATCH (b:{to} {{uid: r.b}})")
}

fn unlinked(schema: &Schema, changes: &ChangeSet) -> Vec<Step> {
    steps(changes.unlinked.iter().map(|link| {
        let (both, ty) = (both_ends(schema, link.relation), schema.relation(link.relation).decl.ty);
        let text_of = format!("{both} MATCH (a)-[x:{ty}]->(b) DELETE x WITH DISTINCT a, b {EACH_FOUND}");
        (text_of, map([("a", text(link.from)), ("b", text(link.to))]))
    }))
}

/// A node that `is_new` has no relation yet that would have to be looked for.
fn linked(schema: &Schema, changes: &ChangeSet, is_new: impl Fn(Uid) -> bool) -> Vec<Step> {
    // of what is said twice the last holds
    let links: BTreeMap<_, _> =
        changes.linked.iter().map(|link| ((link.relation, link.from, link.to), &link.properties)).collect();
    steps(links.into_iter().map(|((relation, from, to), values)| {
        let (both, decl) = (both_ends(schema, relation), &schema.relation(relation).decl);
        let verb = if is_new(from) || is_new(to) { "CREATE" } else { "MERGE" };
        let nothing = vec![Value::Null; decl.properties.len()];
        let values = if values.is_empty() { &nothing } else { values };
        let set = (!decl.properties.is_empty()).then(|| encode_all(decl.properties.iter().zip(values)));
        let and_set = if set.is_some() { "SET x += r.set" } else { "" };
        let text_of =
            format!("{both} {verb} (a)-[x:{}]->(b) {and_set} WITH DISTINCT a, b {EACH_FOUND}", decl.ty);
        let set = set.map(|set| ("set", BoltType::Map(set)));
        (text_of, map([("a", text(from)), ("b", text(to))].into_iter().chain(set)))
    }))
}

fn notes(changes: &ChangeSet) -> Vec<Step> {
    let last: BTreeMap<&str, _> = changes.notes.iter().map(|note| (note.key.as_str(), &note.value)).collect();
    steps(last.into_iter().map(|(key, value)| match value {
        Some(value) => (
            format!("UNWIND $rows AS r MERGE (n:{NOTE} {{key: r.key}}) SET n.value = r.value"),
            map([("key", key.into()), ("value", value.to_string().into())]),
        ),
        None => (format!("UNWIND $rows AS k MATCH (n:{NOTE} {{key: k}}) DELETE n"), key.into()),
    }))
}

/// A whole change set with its entry in the log. The first statement takes the revision and fails as [`NOT_FOUND`] says
/// when somebody else has it; the lock comes first, since comparing without it loses updates. A change that needs but
/// one statement more is part of the first one: it then costs as many round trips as if there were no log.
pub(super) fn commit(
    schema: &Schema,
    entry: &Entry,
    epoch: &str,
    keep: u64,
) -> serde_json::Result<Vec<Query>> {
    let take = format!(
        "MATCH (m:{META} {{key: '{GRAPH}'}}) SET m.lock = true \
         WITH m WHERE m.revision = $before AND m.epoch = $epoch \
         SET m.revision = $revision, m.changed = coalesce($changed, m.changed), \
             m.changed_at = coalesce($changed_at, m.changed_at), \
             m.oldest = CASE WHEN m.oldest < $oldest THEN $oldest ELSE m.oldest END \
         CREATE (:{LOG} {{revision: $revision, commit: $commit, at: $at, who: $who, what: $what, entry: $entry}}) \
         {}",
        EACH_FOUND.replace("$want", "1")
    );
    let mut steps =
        if entry.by_hand { Vec::new() } else { all(schema, &entry.changes, first_place(entry.revision)) };
    let whole = packed::pack(schema, entry)?;
    let room = MESSAGE.saturating_sub(take.len() + 300 + entry.who.len() + entry.what.len());
    let alone = match &*steps {
        [step] if step.text.len() + step.weight() + whole.len() <= room => steps.pop(),
        _ => None,
    };
    let (first, mut rest) = split(&whole, room);
    let touched = entry.touches_graph();
    let revision = number(entry.revision);
    let at = entry.at.to_rfc3339();
    let nothing = || BoltType::Null(BoltNull);
    let text = alone.as_ref().map_or(take.clone(), |step| format!("{take} WITH 1 AS taken {}", step.text));
    let mut take = Query::new(text).params([
        ("before", BoltType::from(revision - 1)),
        ("epoch", epoch.into()),
        ("revision", revision.into()),
        ("changed", if touched { revision.into() } else { nothing() }),
        ("changed_at", if touched { at.as_str().into() } else { nothing() }),
        ("oldest", number(entry.revision.saturating_sub(keep) + 1).into()),
        ("commit", entry.id.as_str().into()),
        ("at", at.as_str().into()),
        ("who", entry.who.as_str().into()),
        ("what", entry.what.as_str().into()),
        ("entry", first.into()),
    ]);
    if let Some(step) = alone {
        take = take.params(rows_of(step.rows));
    }
    let mut queries = vec![take];
    let add = format!("MATCH (l:{LOG} {{revision: $revision}}) SET l.entry = l.entry + $part");
    let part = part(rest.len()) - add.len();
    while !rest.is_empty() {
        let (now, later) = split(rest, part);
        queries.push(Query::new(add.clone()).param("revision", revision).param("part", now));
        rest = later;
    }
    queries.extend(messages(steps));
    Ok(queries)
}

/// At most so many bytes, and the rest.
fn split(text: &str, most: usize) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(most))
}
