//! The graph in memory: an immutable snapshot with indices. Applying a change set gives the next snapshot, which
//! shares with the old one all that did not change: O(changes x log n), never O(n). No I/O.

pub mod apply;
pub mod arena;
pub mod change;
pub mod diff;
pub mod digest;
pub mod expand;
mod faults;
pub mod hold;
pub mod ids;
pub mod plan;
pub mod select;
pub mod stored;
pub mod uid;

use arena::Arena;
use change::{Created, Link};
use digest::Digest;
use ids::Ids;
use schema::{Audience, EntityInfo, Kind, Plain, RelationId, Schema, Slot, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use uid::Uid;

/// What a node is, without its relations; shared between snapshots until a value changes.
#[derive(Debug)]
pub struct Record {
    /// Its identity.
    pub uid: Uid,
    /// Its entity.
    pub kind: Kind,
    /// Whether all projects may use it (flavors, images, networks).
    pub shared: bool,
    /// Its values in declared order.
    pub values: Box<[Value]>,
    /// Its plain shapes, written when first asked for.
    private: OnceLock<Plain>,
    public: OnceLock<Plain>,
}

/// A node with its neighbours.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub record: Arc<Record>,
    /// Its neighbours, one set for each slot of its entity.
    pub links: Box<[Ids]>,
}

/// A snapshot of the whole federation.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The declarations that it follows.
    pub schema: &'static Schema,
    nodes: Arena<Node>,
    by_uid: imbl::HashMap<Uid, u32>,
    by_kind: Vec<Ids>,
    by_value: imbl::HashMap<IndexKey, Ids>,
    properties: imbl::HashMap<(RelationId, u32, u32), Arc<[Value]>>,
    digest: Digest,
}

/// Kind, place of the field, hash of the value.
type IndexKey = (Kind, u8, u64);

impl Record {
    pub(crate) fn new(created: Created) -> Self {
        let Created { uid, kind, shared, values } = created;
        Self { uid, kind, shared, values, private: OnceLock::new(), public: OnceLock::new() }
    }

    /// Its plain shape, from the second time on without work.
    pub fn plain(&self, schema: &Schema, audience: Audience) -> &Plain {
        let cell = match audience {
            Audience::Private => &self.private,
            Audience::Public => &self.public,
        };
        cell.get_or_init(|| {
            let entity = schema.entity(self.kind);
            if audience == Audience::Private {
                self.tell_beyond_v1(entity);
            }
            Plain::render(entity, &self.values, self.shared, &self.uid.to_string(), audience)
        })
    }

    /// Logs that a field holds a number which v1 cannot show: once for each field, since what one site counts so
    /// large most sites do (`behaviour.md` 35).
    fn tell_beyond_v1(&self, entity: &EntityInfo) {
        static TOLD: Mutex<BTreeSet<(Kind, usize)>> = Mutex::new(BTreeSet::new());
        for (place, field) in entity.fields.iter().enumerate().filter(|(i, _)| self.values[*i].is_beyond_v1())
        {
            if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert((self.kind, place)) {
                tracing::warn!(
                    entity = entity.decl.name,
                    field = field.name,
                    uid = %self.uid,
                    "{} of {} {} does not fit in 32 bits: v1 shows 2147483647 (told once for each field)",
                    field.name,
                    entity.decl.name,
                    self.uid
                );
            }
        }
    }

    /// As the change that would create it.
    pub fn to_created(&self) -> Created {
        Created { uid: self.uid, kind: self.kind, shared: self.shared, values: self.values.clone() }
    }
}

impl Graph {
    /// Nothing yet.
    pub fn empty(schema: &'static Schema) -> Self {
        Self {
            schema,
            nodes: Arena::default(),
            by_uid: imbl::HashMap::default(),
            by_kind: vec![Ids::default(); Kind::ALL.len()],
            by_value: imbl::HashMap::default(),
            properties: imbl::HashMap::default(),
            digest: Digest::default(),
        }
    }

    /// What is in it, as a number: see [`Digest`].
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many nodes.
    pub fn len(&self) -> usize {
        self.by_uid.len()
    }

    /// No nodes.
    pub fn is_empty(&self) -> bool {
        self.by_uid.is_empty()
    }

    /// The node at a place that an index or a neighbour named.
    ///
    /// # Panics
    /// Never, for places of this snapshot.
    pub fn node(&self, id: u32) -> &Node {
        match self.nodes.get(id) {
            Some(node) => node,
            None => unreachable!("place {id} is named by an index of this snapshot"),
        }
    }

    /// What the node at a place is.
    pub fn record(&self, id: u32) -> &Record {
        &self.node(id).record
    }

    /// The declaration of the node at a place.
    pub fn entity(&self, id: u32) -> &'static EntityInfo {
        self.schema.entity(self.record(id).kind)
    }

    /// The place of a uid, of whatever kind.
    pub fn find(&self, uid: Uid) -> Option<u32> {
        self.by_uid.get(&uid).copied()
    }

    /// The place of a uid of one kind.
    pub fn find_kind(&self, kind: Kind, uid: Uid) -> Option<u32> {
        self.find(uid).filter(|id| self.record(*id).kind == kind)
    }

    /// All nodes of a kind, in order of creation.
    pub fn all(&self, kind: Kind) -> &Ids {
        &self.by_kind[kind.index()]
    }

    /// The nodes of a kind whose indexed field holds this text.
    pub fn with_text<'a>(
        &'a self,
        kind: Kind,
        place: usize,
        text: &'a str,
    ) -> impl Iterator<Item = u32> + 'a {
        let ids = self.by_value.get(&index_key(kind, place, text));
        let same = move |id: &u32| self.record(*id).values[place].as_str() == Some(text);
        ids.into_iter().flat_map(Ids::iter).filter(same)
    }

    /// How many nodes the index names for a text: at least as many as hold it.
    pub fn at_most_with_text(&self, kind: Kind, place: usize, text: &str) -> usize {
        self.by_value.get(&index_key(kind, place, text)).map_or(0, Ids::len)
    }

    /// The neighbours of a node along the relation of this name; none where its entity has no such relation.
    pub fn neighbours(&self, id: u32, name: &str) -> impl Iterator<Item = u32> + '_ {
        let node = self.node(id);
        let slot = self.schema.entity(node.record.kind).slot(name);
        slot.into_iter().flat_map(|(place, _)| node.links[usize::from(place)].iter())
    }

    /// The one neighbour along the relation of this name.
    pub fn neighbour(&self, id: u32, name: &str) -> Option<u32> {
        self.neighbours(id, name).next()
    }

    /// The value of the field of this name; null where its entity has no such field.
    pub fn value(&self, id: u32, name: &str) -> &Value {
        let record = self.record(id);
        self.schema.entity(record.kind).field(name).map_or(&Value::Null, |place| &record.values[place])
    }

    /// What a relation holds, in declared order.
    pub fn properties(&self, relation: RelationId, from: u32, to: u32) -> &[Value] {
        self.properties.get(&(relation, from, to)).map_or(&[], |values| values)
    }

    /// Whether a relation is there.
    pub fn has_link(&self, relation: RelationId, from: u32, to: u32) -> bool {
        let slot = self.entity(from).end(relation, true);
        slot.is_some_and(|(place, _)| self.node(from).links[usize::from(place)].contains(to))
    }

    /// All relations that start or end at a node.
    pub fn links_of(&self, id: u32) -> impl Iterator<Item = Link> + '_ {
        self.links(id, |_| true)
    }

    /// All relations that start at a node.
    pub fn links_from(&self, id: u32) -> impl Iterator<Item = Link> + '_ {
        self.links(id, |slot| slot.outgoing)
    }

    fn links(&self, id: u32, meant: fn(&Slot) -> bool) -> impl Iterator<Item = Link> + '_ {
        let slots =
            self.entity(id).slots.iter().zip(&self.node(id).links).filter(move |(slot, _)| meant(slot));
        slots.flat_map(move |(slot, ids)| {
            ids.iter().map(move |other| {
                let (from, to) = if slot.outgoing { (id, other) } else { (other, id) };
                Link {
                    relation: slot.relation,
                    from: self.record(from).uid,
                    to: self.record(to).uid,
                    properties: self.properties(slot.relation, from, to).to_vec(),
                }
            })
        })
    }

    /// Every node in order of creation.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let mut ids: Vec<u32> = self.by_uid.values().copied().collect();
        ids.sort_unstable();
        ids.into_iter()
    }

    /// Nodes and relations under their identities, without places: two graphs are the same when these are.
    pub fn export(&self) -> Export {
        let mut export = Export::default();
        for id in self.iter() {
            let record = self.record(id);
            export.nodes.insert(record.uid, (record.kind, record.shared, record.values.clone()));
            for link in self.links_from(id) {
                export.links.insert((link.relation, link.from, link.to), link.properties);
            }
        }
        export
    }

    /// Whether the indices that were kept up to date equal those built anew from the nodes: what tests and
    /// `fedreg check` ask.
    pub fn indices_hold(&self) -> bool {
        let mut anew = Self::empty(self.schema);
        let mut mirrored = true;
        for id in self.iter() {
            anew.index(id, &self.node(id).record, true);
            for link in self.links_from(id) {
                anew.digest.add(link.digest(self.schema));
            }
            for (slot, ids) in self.entity(id).slots.iter().zip(&self.node(id).links) {
                for other in ids.iter() {
                    let back = self.entity(other).end(slot.relation, !slot.outgoing);
                    mirrored &= back
                        .is_some_and(|(place, _)| self.node(other).links[usize::from(place)].contains(id));
                }
            }
        }
        mirrored
            && anew.by_uid == self.by_uid
            && anew.by_kind == self.by_kind
            && anew.by_value == self.by_value
            && anew.digest == self.digest
    }

    /// Enters a node into the indices, or takes it out of them.
    fn index(&mut self, id: u32, record: &Record, enter: bool) {
        let kind = &mut self.by_kind[record.kind.index()];
        if enter {
            self.by_uid.insert(record.uid, id);
            kind.insert(id);
            self.digest.add(digest::of_node(self.schema, record));
        } else {
            self.by_uid.remove(&record.uid);
            kind.remove(id);
            self.digest.take(digest::of_node(self.schema, record));
        }
        for (place, field) in self.schema.entity(record.kind).fields.iter().enumerate() {
            if field.indexed {
                self.index_value(id, record.kind, place, &record.values[place], enter);
            }
        }
    }

    fn index_value(&mut self, id: u32, kind: Kind, place: usize, value: &Value, enter: bool) {
        let Some(text) = value.as_str() else { return };
        let key = index_key(kind, place, text);
        if enter {
            self.by_value.entry(key).or_default().insert(id);
        } else if let Some(ids) = self.by_value.get_mut(&key) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_value.remove(&key);
            }
        }
    }
}

/// See [`Graph::export`].
#[derive(Debug, Default, PartialEq)]
pub struct Export {
    /// Kind, sharing and values.
    pub nodes: BTreeMap<Uid, (Kind, bool, Box<[Value]>)>,
    /// Properties of each relation.
    pub links: BTreeMap<(RelationId, Uid, Uid), Vec<Value>>,
}

/// The same text has the same key in every snapshot; two texts with one key are told apart by the record.
fn index_key(kind: Kind, place: usize, text: &str) -> IndexKey {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(text);
    (kind, u8::try_from(place).unwrap_or(u8::MAX), hash)
}
