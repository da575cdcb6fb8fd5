//! A document whose author could not read everything. What an unknown scope holds stays: through it each project sees
//! exactly what it saw before. One project's complete list removes what that project saw, and nothing that another
//! project's unknown list may still offer.

use super::{
    super::{Graph, uid::Uid},
    draft::{Draft, Wanted},
};
use schema::{Kind, Projects, entity::Child};
use serde::{Deserialize, Serialize};

/// What one list of one project covers. What is not said is all of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The region's name.
    pub region: String,
    /// The project's id at its provider.
    pub project: String,
    /// The type of the service: `compute`. None: not even which services there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The service's address. None: all services of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The list, as the document names it: `flavors`. None: all of the service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
}

/// What a document does not know of its provider.
#[derive(Debug, Clone, Default)]
pub struct Unknown {
    /// Scopes that could not be read.
    pub scopes: Vec<Scope>,
    /// The only lists that were asked for; none: all.
    pub asked: Option<Vec<String>>,
    /// Add and change, but let nothing go.
    pub keep_all: bool,
}

impl Unknown {
    fn is_nothing(&self) -> bool {
        self.scopes.is_empty() && self.asked.is_none() && !self.keep_all
    }

    /// Whether anything of a project is unknown.
    fn project(&self, project: &str) -> bool {
        self.keep_all || self.scopes.iter().any(|scope| scope.project == project)
    }

    /// Whether it is unknown which services a project has in a region.
    fn catalog(&self, region: &str, project: &str) -> bool {
        let all = |scope: &Scope| scope.service.is_none();
        self.keep_all || self.of(region, project).any(all)
    }

    fn list(&self, region: &str, project: &str, service: &Service<'_>, list: &str) -> bool {
        let is = |said: &Option<String>, value: &str| said.as_deref().is_none_or(|said| said == value);
        self.keep_all
            || self.asked.as_ref().is_some_and(|asked| asked.iter().all(|asked| asked != list))
            || self.of(region, project).any(|scope| {
                is(&scope.service, service.ty)
                    && is(&scope.endpoint, service.endpoint)
                    && is(&scope.list, list)
            })
    }

    fn of<'a>(&'a self, region: &'a str, project: &'a str) -> impl Iterator<Item = &'a Scope> {
        self.scopes.iter().filter(move |scope| scope.region == region && scope.project == project)
    }
}

/// A service as scopes name it.
struct Service<'a> {
    id: u32,
    region: &'a str,
    ty: &'a str,
    endpoint: &'a str,
}

/// Wants, besides what the document says, what unknown scopes hold.
pub(super) fn keep(draft: &mut Draft<'_>, provider: u32, unknown: &Unknown) {
    if unknown.is_nothing() {
        return;
    }
    let graph = draft.graph;
    let projects = graph.neighbours(provider, "projects");
    let projects = projects.map(|id| (id, graph.value(id, "uuid").as_str().unwrap_or_default())).collect();
    let mut keeper = Keeper { graph, unknown, projects, after: Vec::new() };
    keeper.projects(draft, provider);
    for region in graph.neighbours(provider, "regions") {
        if draft.wanted(graph.record(region).uid).is_some() {
            keeper.services(draft, region);
        } else if unknown.keep_all {
            draft.keep(provider, "regions", region);
        }
    }
}

struct Keeper<'a> {
    graph: &'a Graph,
    unknown: &'a Unknown,
    /// The provider's stored projects with their ids at the provider.
    projects: Vec<(u32, &'a str)>,
    /// The projects that the provider has from now on, by their ids at the provider.
    after: Vec<String>,
}

impl Keeper<'_> {
    fn projects(&mut self, draft: &mut Draft<'_>, provider: u32) {
        for (id, uuid) in &self.projects {
            if !draft.keeps(provider, "projects", *id) && self.unknown.project(uuid) {
                draft.keep(provider, "projects", *id);
                if !self.unknown.keep_all {
                    draft.govern_named(*id, "sla");
                }
            }
        }
        let uid = self.graph.record(provider).uid;
        let slot = self.graph.entity(provider).slot("projects");
        let after: Vec<Uid> =
            slot.into_iter().flat_map(|(_, slot)| draft.targets(slot.relation, uid)).collect();
        self.after = after.into_iter().filter_map(|uid| self.uuid(draft, uid)).collect();
    }

    fn uuid(&self, draft: &Draft<'_>, project: Uid) -> Option<String> {
        let place = self.graph.schema.entity(Kind::Project).field("uuid")?;
        let stored = || Some(&self.graph.record(self.graph.find(project)?).values[place]);
        let value = draft.wanted(project).map(|node| &node.values[place]).or_else(stored)?;
        value.as_str().map(str::to_owned)
    }

    fn services(&self, draft: &mut Draft<'_>, region: u32) {
        let graph = self.graph;
        let text = |id: u32, name: &str| graph.value(id, name).as_str().unwrap_or_default();
        let name = text(region, "name");
        for id in graph.neighbours(region, "services") {
            let service = Service { id, region: name, ty: text(id, "type"), endpoint: text(id, "endpoint") };
            let wanted = draft.wanted(graph.record(id).uid).is_some();
            if !wanted {
                // the identity service is the provider file's word, which is always complete
                let told_by_clouds = graph.record(id).kind != Kind::IdentityService || self.unknown.keep_all;
                let in_doubt = |(_, project): &(u32, &str)| self.unknown.catalog(name, project);
                if !told_by_clouds || !self.projects.iter().any(in_doubt) {
                    continue;
                }
                draft.keep(region, "services", id);
                for child in graph.entity(id).decl.children.iter().filter(|_| !self.unknown.keep_all) {
                    draft.govern_named(id, child.relation);
                }
            }
            for child in graph.entity(id).decl.children {
                self.list(draft, &service, child);
            }
        }
    }

    /// The projects for which a list is unknown.
    fn holders(&self, service: &Service<'_>, list: &str) -> Vec<u32> {
        let unknown = |(_, project): &&(u32, &str)| self.unknown.list(service.region, project, service, list);
        self.projects.iter().filter(unknown).map(|(id, _)| *id).collect()
    }

    fn list(&self, draft: &mut Draft<'_>, service: &Service<'_>, child: &Child) {
        let holders = self.holders(service, child.name);
        if holders.is_empty() {
            return;
        }
        let graph = self.graph;
        for item in graph.neighbours(service.id, child.relation) {
            if graph.record(item).kind != child.kind {
                continue;
            }
            match graph.schema.entity(child.kind).decl.projects {
                Projects::Sharing => self.shared(draft, service, child, item, &holders),
                Projects::One => keep_of(draft, service.id, child, item, &holders),
                Projects::No => {
                    let wanted = draft.wanted(graph.record(item).uid).is_some();
                    draft.keep(service.id, child.relation, item);
                    for below in graph.entity(item).decl.children {
                        if !wanted && !self.unknown.keep_all {
                            draft.govern_named(item, below.relation);
                        }
                        for quota in graph.neighbours(item, below.relation) {
                            keep_of(draft, item, below, quota, &holders);
                        }
                    }
                }
            }
        }
    }

    /// A flavor, an image, a network: those who may still see it keep seeing it.
    fn shared(
        &self,
        draft: &mut Draft<'_>,
        service: &Service<'_>,
        child: &Child,
        item: u32,
        holders: &[u32],
    ) {
        let graph = self.graph;
        let record = graph.record(item);
        let linked = || graph.neighbours(item, "projects").filter(|project| holders.contains(project));
        let held: Vec<u32> = if record.shared { holders.to_vec() } else { linked().collect() };
        if held.is_empty() {
            return;
        }
        let held: Vec<Uid> = held.into_iter().map(|project| graph.record(project).uid).collect();
        draft.keep(service.id, child.relation, item);
        if draft.wanted(record.uid).is_some() {
            draft.allow(record.uid, &held);
            return;
        }
        let in_doubt = |project: &String| self.unknown.list(service.region, project, service, child.name);
        let shared = record.shared && self.after.iter().all(in_doubt);
        draft.want(Wanted {
            uid: record.uid,
            id: Some(item),
            kind: record.kind,
            shared,
            values: record.values.clone(),
            projects: if shared { Vec::new() } else { held },
        });
    }
}

/// A quota stays when it is of one of these projects.
fn keep_of(draft: &mut Draft<'_>, parent: u32, child: &Child, quota: u32, holders: &[u32]) {
    if draft.graph.neighbour(quota, "project").is_some_and(|project| holders.contains(&project)) {
        draft.keep(parent, child.relation, quota);
    }
}
