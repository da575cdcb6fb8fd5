//! Which nodes a list shows, in which order, and what the special parameters of v1 prune from them.

use super::Graph;
use crate::{notes::Notes, sync::freshness::is_limited_by_reading};
use schema::{
    Kind, Value,
    filter::{By, ListQuery, Test, TooSlow},
};

/// The parameters of `projects` and `user_groups` that look beyond the node itself.
#[derive(Debug, Clone, Default)]
pub struct Special {
    /// `projects`: of this provider.
    pub provider_uid: Option<String>,
    /// `projects`: granted to this group.
    pub user_group_uid: Option<String>,
    /// Both: in regions of this name.
    pub region_name: Option<String>,
    /// `projects`: of providers with this identity service.
    pub identity_service_endpoint: Option<String>,
    /// `user_groups`: of this issuer.
    pub idp_endpoint: Option<String>,
    /// `user_groups`: with projects at a provider of this name.
    pub provider_name: Option<String>,
    /// `user_groups`: of this type.
    pub provider_type: Option<String>,
    /// `user_groups`: in this status.
    pub provider_status: Option<String>,
    /// What tells whether a provider is `limited` only because something of it could not be read.
    pub notes: Notes,
}

fn holds(wanted: Option<&String>, value: &Value) -> bool {
    wanted.is_none_or(|wanted| value.as_str() == Some(wanted))
}

impl Special {
    /// The names that a list of this kind takes.
    pub fn names(kind: Kind) -> &'static [&'static str] {
        match kind {
            Kind::Project => &["identity_service_endpoint", "provider_uid", "region_name", "user_group_uid"],
            Kind::UserGroup => {
                &["idp_endpoint", "region_name", "provider_name", "provider_type", "provider_status"]
            }
            _ => &[],
        }
    }

    /// Sets a parameter by name; one without value counts as not given (`behaviour.md` 37).
    pub fn set(&mut self, name: &str, value: &str) {
        let place = match name {
            "provider_uid" => &mut self.provider_uid,
            "user_group_uid" => &mut self.user_group_uid,
            "region_name" => &mut self.region_name,
            "identity_service_endpoint" => &mut self.identity_service_endpoint,
            "idp_endpoint" => &mut self.idp_endpoint,
            "provider_name" => &mut self.provider_name,
            "provider_type" => &mut self.provider_type,
            "provider_status" => &mut self.provider_status,
            _ => return,
        };
        *place = (!value.is_empty()).then(|| value.to_owned());
    }

    /// Whether a list shows this node.
    fn selects(&self, graph: &Graph, id: u32) -> bool {
        match graph.record(id).kind {
            Kind::Project => self.project(graph, id),
            Kind::UserGroup => {
                let issuer = graph.neighbour(id, "identity_provider");
                let issuer = issuer.map_or(&Value::Null, |idp| graph.value(idp, "endpoint"));
                holds(self.idp_endpoint.as_ref(), issuer)
                    && (!self.prunes_slas() || graph.neighbours(id, "slas").any(|sla| self.sla(graph, sla)))
            }
            _ => true,
        }
    }

    /// Whether an answer shows this node under a branch of this name.
    pub fn keeps(&self, graph: &Graph, branch: &str, id: u32) -> bool {
        match branch {
            "slas" => !self.prunes_slas() || self.sla(graph, id),
            "projects" => !self.prunes_slas() || self.group_project(graph, id),
            "quotas" | "networks" | "flavors" => {
                self.region_name.is_none()
                    || graph.neighbour(id, "service").is_some_and(|service| self.in_region(graph, service))
            }
            "images" => {
                self.region_name.is_none()
                    || graph.neighbours(id, "services").any(|service| self.in_region(graph, service))
            }
            "regions" => holds(self.region_name.as_ref(), graph.value(id, "name")),
            "providers" => {
                self.provider_uid.as_ref().is_none_or(|uid| graph.record(id).uid.to_string() == *uid)
            }
            _ => true,
        }
    }

    /// Nothing is given: nothing is pruned.
    pub fn is_empty(&self) -> bool {
        !self.prunes_slas()
            && self.provider_uid.is_none()
            && self.user_group_uid.is_none()
            && self.identity_service_endpoint.is_none()
            && self.idp_endpoint.is_none()
    }

    fn prunes_slas(&self) -> bool {
        self.provider_name.is_some()
            || self.provider_type.is_some()
            || self.provider_status.is_some()
            || self.region_name.is_some()
    }

    fn in_region(&self, graph: &Graph, service: u32) -> bool {
        let region = graph.neighbour(service, "region");
        region.is_some_and(|region| holds(self.region_name.as_ref(), graph.value(region, "name")))
    }

    fn sla(&self, graph: &Graph, sla: u32) -> bool {
        graph.neighbours(sla, "projects").any(|project| self.group_project(graph, project))
    }

    /// One project must satisfy all that is said of provider and region together.
    fn group_project(&self, graph: &Graph, project: u32) -> bool {
        let Some(provider) = graph.neighbour(project, "provider") else { return false };
        holds(self.provider_name.as_ref(), graph.value(provider, "name"))
            && holds(self.provider_type.as_ref(), graph.value(provider, "type"))
            && self.in_status(graph, provider)
            && self.uses_region(graph, project)
    }

    /// A provider of which something could not be read is in use as before: it also counts as `active`
    /// (`docs/decisions/limited-is-still-offered.md`).
    fn in_status(&self, graph: &Graph, provider: u32) -> bool {
        let status = graph.value(provider, "status");
        holds(self.provider_status.as_ref(), status)
            || (self.provider_status.as_deref() == Some("active")
                && status.as_str() == Some("limited")
                && is_limited_by_reading(&self.notes, graph.record(provider).uid))
    }

    fn uses_region(&self, graph: &Graph, project: u32) -> bool {
        self.region_name.is_none()
            || graph
                .neighbours(project, "quotas")
                .filter_map(|quota| graph.neighbour(quota, "service"))
                .any(|service| self.in_region(graph, service))
    }

    fn project(&self, graph: &Graph, project: u32) -> bool {
        let is = |id: Option<u32>, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|uid| id.is_some_and(|id| graph.record(id).uid.to_string() == *uid))
        };
        let provider = graph.neighbour(project, "provider");
        let group = || graph.neighbour(project, "sla").and_then(|sla| graph.neighbour(sla, "user_group"));
        let has_identity = || {
            let Some(endpoint) = &self.identity_service_endpoint else { return true };
            let regions = provider.into_iter().flat_map(|provider| graph.neighbours(provider, "regions"));
            regions
                .flat_map(|region| graph.neighbours(region, "services"))
                .filter(|service| graph.record(*service).kind == Kind::IdentityService)
                .any(|service| graph.value(service, "endpoint").as_str() == Some(endpoint))
        };
        is(provider, &self.provider_uid)
            && (self.user_group_uid.is_none() || is(group(), &self.user_group_uid))
            && self.uses_region(graph, project)
            && has_identity()
    }
}

/// The places of the nodes that a list shows: all filters, then the order, then `skip` and `limit`, then the page.
/// `late` says when regular expressions have had their time.
pub fn select<'q>(
    graph: &Graph,
    kind: Kind,
    query: &'q ListQuery,
    special: &Special,
    late: &mut dyn FnMut() -> bool,
) -> Result<Vec<u32>, TooSlow<'q>> {
    let entity = graph.schema.entity(kind);
    let indexed = query.filters.iter().filter_map(|filter| match &filter.test {
        Test::Is(Value::Text(text)) if entity.fields[filter.field].indexed => Some((filter.field, &**text)),
        _ => None,
    });
    let fewest = indexed.min_by_key(|(place, text)| graph.at_most_with_text(kind, *place, text));
    let mut passes = |id: u32| {
        for filter in &query.filters {
            if !filter.passes(&entity.fields, &graph.record(id).values, late)? {
                return Ok(None);
            }
        }
        Ok((special.is_empty() || special.selects(graph, id)).then_some(id))
    };
    let mut ids: Vec<u32> = match fewest {
        Some((place, text)) => graph
            .with_text(kind, place, text)
            .filter_map(|id| passes(id).transpose())
            .collect::<Result<_, _>>()?,
        None => graph.all(kind).iter().filter_map(|id| passes(id).transpose()).collect::<Result<_, _>>()?,
    };
    if let Some((by, descending)) = query.sort {
        ids.sort_by(|a, b| {
            let (a, b) = (graph.record(*a), graph.record(*b));
            let order = match by {
                By::Field(place) => {
                    let field = &entity.fields[place];
                    a.values[place].shown(field).order(&b.values[place].shown(field))
                }
                By::Uid => std::cmp::Ordering::Equal,
            };
            order.then_with(|| a.uid.cmp(&b.uid))
        });
        if descending {
            ids.reverse();
        }
    }
    cut(&mut ids, query.skip, query.limit);
    if let Some(size) = query.size {
        cut(&mut ids, query.page.saturating_mul(size), Some(size));
    }
    Ok(ids)
}

fn cut(ids: &mut Vec<u32>, skip: usize, limit: Option<usize>) {
    ids.drain(..skip.min(ids.len()));
    ids.truncate(limit.unwrap_or(usize::MAX));
}
