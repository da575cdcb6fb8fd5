//! A provider document against the graph: what it describes is matched by key, keeps its uid, and becomes equal to
//! the document; what the document no longer names goes (`contract/README.md`, `behaviour.md` 14-20, 27, 34).

use super::{
    super::{Graph, change::ChangeSet, ids::Ids, uid::Uid},
    Refused,
    draft::{Draft, Wanted},
    patch::{images, taken_text},
    unknown::{Unknown, keep},
};
use schema::{
    Kind, Projects, Value,
    document::Item,
    entity::{Child, Scope, quota::Use},
};
use std::collections::{HashMap, HashSet};

/// Below this many neighbours looking at each is faster than asking the index.
const SCAN: usize = 64;

/// The change that adds a provider.
pub fn create(
    graph: &Graph,
    document: &Item,
    fresh: &mut dyn FnMut() -> Uid,
) -> Result<(Uid, ChangeSet), Refused> {
    no_other_provider(graph, document)?;
    let mut planner = Planner::new(graph, fresh);
    let uid = planner.provider(document, None)?;
    Ok((uid, planner.draft.finish()))
}

/// The change that makes a provider equal to a document.
pub fn replace(
    graph: &Graph,
    provider: u32,
    document: &Item,
    fresh: &mut dyn FnMut() -> Uid,
) -> Result<ChangeSet, Refused> {
    replace_known(graph, provider, document, &Unknown::default(), fresh)
}

/// The change that makes a provider equal to a document in all that the document's author knows; the rest stays.
pub fn replace_known(
    graph: &Graph,
    provider: u32,
    document: &Item,
    unknown: &Unknown,
    fresh: &mut dyn FnMut() -> Uid,
) -> Result<ChangeSet, Refused> {
    // existing databases can hold several with one key: as long as it stays, a document is not refused for that
    let key = graph.schema.entity(Kind::Provider).decl.keys[0];
    if key.iter().any(|name| *graph.value(provider, name) != document.get(graph.schema, name)) {
        no_other_provider(graph, document)?;
    }
    let mut planner = Planner::new(graph, fresh);
    planner.provider(document, Some(provider))?;
    keep(&mut planner.draft, provider, unknown);
    Ok(planner.draft.finish())
}

fn no_other_provider(graph: &Graph, document: &Item) -> Result<(), Refused> {
    let entity = graph.schema.entity(Kind::Provider);
    let get = |name: &str| document.get(graph.schema, name);
    let same = |id: u32| entity.decl.keys[0].iter().all(|name| *graph.value(id, name) == get(name));
    let (Some(place), name) = (entity.field("name"), get("name")) else { return Ok(()) };
    let taken = graph.with_text(Kind::Provider, place, name.as_str().unwrap_or_default()).any(same);
    if taken {
        Err(Refused::Conflict(taken_text(entity.decl.name, entity.decl.keys[0], &get)))
    } else {
        Ok(())
    }
}

struct Planner<'a> {
    graph: &'a Graph,
    draft: Draft<'a>,
    fresh: &'a mut dyn FnMut() -> Uid,
    /// The provider's projects by uuid.
    projects: HashMap<String, Uid>,
    /// The provider's stored images by uuid.
    images: HashMap<Box<str>, u32>,
    /// What this document described already, by kind and key, where keys reach beyond one parent.
    described: HashMap<(Kind, String), Uid>,
    /// Stored nodes that an item was matched with.
    taken: HashSet<u32>,
    /// Whether the document says which SLAs the projects have.
    says_slas: bool,
}

/// A parent on the way down: its identity, and its place when it is stored.
#[derive(Clone, Copy)]
struct Parent {
    uid: Uid,
    id: Option<u32>,
}

impl<'a> Planner<'a> {
    fn new(graph: &'a Graph, fresh: &'a mut dyn FnMut() -> Uid) -> Self {
        Self {
            graph,
            draft: Draft::new(graph),
            fresh,
            projects: HashMap::new(),
            images: HashMap::new(),
            described: HashMap::new(),
            taken: HashSet::new(),
            says_slas: false,
        }
    }

    fn provider(&mut self, document: &Item, stored: Option<u32>) -> Result<Uid, Refused> {
        let graph = self.graph;
        if let Some(provider) = stored {
            for project in graph.neighbours(provider, "projects") {
                if let Some(uuid) = graph.value(project, "uuid").as_str() {
                    self.projects.insert(uuid.to_owned(), graph.record(project).uid);
                }
            }
            for image in images(graph, provider) {
                if let Some(uuid) = graph.value(image, "uuid").as_str() {
                    self.images.entry(uuid.into()).or_insert(image);
                }
            }
        }
        let children = graph.schema.entity(Kind::Provider).decl.children;
        let says = |kind| {
            let mut pairs = children.iter().zip(&document.children);
            pairs.any(|(child, items)| child.kind == kind && items.is_some())
        };
        self.says_slas = says(Kind::IdentityProvider);
        if let (Some(provider), true, false) = (stored, self.says_slas, says(Kind::Project)) {
            for project in graph.neighbours(provider, "projects") {
                self.govern_sla(project);
            }
        }
        let parent = self.node(document, stored);
        self.children(document, parent)?;
        Ok(parent.uid)
    }

    /// Wants the node that an item describes, stored or not.
    fn node(&mut self, item: &Item, stored: Option<u32>) -> Parent {
        let entity = self.graph.schema.entity(item.kind);
        let uid = stored.map_or_else(|| (self.fresh)(), |id| self.graph.record(id).uid);
        self.wanted(item, uid, stored);
        if let Some(id) = stored {
            self.taken.insert(id);
        }
        if let Some(key) = self.wide_key(item) {
            self.described.insert(key, uid);
        }
        if item.kind == Kind::Project {
            let uuid = item.get(self.graph.schema, "uuid");
            self.projects.insert(uuid.as_str().unwrap_or_default().to_owned(), uid);
            if let (Some(id), true) = (stored, self.says_slas) {
                self.govern_sla(id);
            }
        }
        debug_assert_eq!(entity.kind, item.kind);
        Parent { uid, id: stored }
    }

    fn wanted(&mut self, item: &Item, uid: Uid, stored: Option<u32>) {
        let entity = self.graph.schema.entity(item.kind);
        let before = self.draft.wanted(uid).map(|node| node.values.clone());
        let before = before.or_else(|| stored.map(|id| self.graph.record(id).values.clone()));
        let value = |place: usize| match (&item.values[place], &before) {
            (None, Some(before)) if entity.decl.common => before[place].clone(),
            _ => item.value(entity, place),
        };
        let values = (0..entity.fields.len()).map(value).collect();
        let projects = item.projects.iter().filter_map(|uuid| self.projects.get(uuid).copied()).collect();
        self.draft.want(Wanted { uid, id: stored, kind: item.kind, shared: item.shared, values, projects });
    }

    /// After this document a project has exactly the SLA that it gives.
    fn govern_sla(&mut self, project: u32) {
        self.draft.govern_named(project, "sla");
    }

    fn children(&mut self, item: &Item, parent: Parent) -> Result<(), Refused> {
        let graph = self.graph;
        let entity = graph.schema.entity(item.kind);
        for (child, items) in entity.decl.children.iter().zip(&item.children) {
            let Some((_, slot)) = entity.slot(child.relation) else { continue };
            // What a common entity has below it belongs to all providers: documents only add there. A list that
            // the provider's own document does not name stays; below that, not named is empty.
            let left_out = items.is_none() && (item.kind == Kind::Provider || !child.many);
            if let (Some(id), false, false) = (parent.id, entity.decl.common, left_out) {
                self.draft.govern(slot.relation, id, slot.outgoing);
            }
            for item in items.iter().flatten() {
                let stored = self.find(child, item, parent);
                if let (Kind::Sla, Some(sla)) = (item.kind, stored) {
                    self.same_group(sla, parent)?;
                }
                let known = self.wide_key(item).and_then(|key| self.described.get(&key).copied());
                let node = match known {
                    Some(uid) => {
                        let id = self.draft.wanted(uid).and_then(|node| node.id);
                        self.wanted(item, uid, id);
                        Parent { uid, id }
                    }
                    None => self.node(item, stored),
                };
                let (from, to) = if slot.outgoing { (parent.uid, node.uid) } else { (node.uid, parent.uid) };
                self.draft.link(slot.relation, from, to, item.relationship.clone());
                self.children(item, node)?;
            }
        }
        Ok(())
    }

    /// The key of an item whose entity is matched beyond its parent.
    fn wide_key(&self, item: &Item) -> Option<(Kind, String)> {
        let decl = &self.graph.schema.entity(item.kind).decl;
        if item.kind == Kind::Provider || matches!(decl.scope, Scope::Parent(_)) {
            return None;
        }
        let key = item.get(self.graph.schema, decl.keys.first()?.first()?);
        Some((item.kind, key.as_str()?.to_owned()))
    }

    /// The stored node that an item describes.
    fn find(&self, child: &Child, item: &Item, parent: Parent) -> Option<u32> {
        let graph = self.graph;
        let entity = graph.schema.entity(item.kind);
        let free = |id: &u32| !self.taken.contains(id);
        let Some(key) = entity.decl.keys.first().and_then(|key| key.first()) else {
            return self.find_quota(child, item, parent);
        };
        let place = entity.field(key)?;
        let text = item.value(entity, place);
        let text = text.as_str()?;
        match entity.decl.scope {
            Scope::Federation => {
                // existing databases can hold several with one key: the one that stands here already goes first
                let here = self.below(child, parent);
                let candidates = || graph.with_text(item.kind, place, text);
                let related = candidates().find(|id| here.is_some_and(|ids| ids.contains(*id)));
                related.or_else(|| candidates().next())
            }
            Scope::Provider => self.images.get(text).copied(),
            Scope::Parent(_) => {
                let ids = self.below(child, parent)?;
                if ids.len() > SCAN && entity.fields[place].indexed {
                    return graph.with_text(item.kind, place, text).filter(|id| ids.contains(*id)).find(free);
                }
                let same = |id: &u32| {
                    let record = graph.record(*id);
                    record.kind == item.kind && record.values[place].as_str() == Some(text)
                };
                ids.iter().filter(same).find(free)
            }
        }
    }

    /// What stands at a list of a document now.
    fn below(&self, child: &Child, parent: Parent) -> Option<&'a Ids> {
        let id = parent.id?;
        let (slot, _) = self.graph.entity(id).slot(child.relation)?;
        Some(&self.graph.node(id).links[usize::from(slot)])
    }

    /// A quota is found by its project and use within its service or storage class.
    fn find_quota(&self, child: &Child, item: &Item, parent: Parent) -> Option<u32> {
        let graph = self.graph;
        debug_assert_eq!(graph.schema.entity(item.kind).decl.projects, Projects::One);
        let project = graph.find(*self.projects.get(item.projects.first()?)?)?;
        let wanted = item.quota_use(graph.schema);
        let here = self.below(child, parent)?;
        let is = |id: u32, name: &str| *graph.value(id, name) == Value::Bool(true);
        let same = |id: &u32| {
            graph.record(*id).kind == item.kind
                && !self.taken.contains(id)
                && Use::of(is(*id, "usage"), is(*id, "per_user")) == wanted
                && here.contains(*id)
        };
        graph.neighbours(project, "quotas").find(same)
    }

    fn same_group(&self, sla: u32, group: Parent) -> Result<(), Refused> {
        match self.graph.neighbour(sla, "user_group") {
            Some(holder) if Some(holder) != group.id => {
                let text =
                    |id: u32, name: &str| self.graph.value(id, name).as_str().unwrap_or_default().to_owned();
                let (doc, name) = (text(sla, "doc_uuid"), text(holder, "name"));
                Err(Refused::Conflict(format!(
                    "SLA with doc_uuid '{doc}' already belongs to user group '{name}'"
                )))
            }
            _ => Ok(()),
        }
    }
}
