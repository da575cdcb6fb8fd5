//! One running site: its data, its sessions, its faults, and the handles that change them while it runs.

use crate::fault::Faults;
use crate::issuer::{Claims, Issuer};
use crate::model::{Image, Project, Provider, Technology, Visibility};
use crate::server::locked;
use axum::extract::{FromRef, FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use tokio_util::sync::CancellationToken;

/// What a site's operator decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// No page has more items than this, whatever is asked for.
    pub page_size: usize,
    /// Members may read who has access to a private flavor; where the new defaults of 2023 hold they get 403.
    pub show_flavor_access: bool,
    /// Seconds that a Keystone token lives.
    pub token_ttl: i64,
    /// What the catalog says in place of the right address, by type of service.
    pub catalog: HashMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { page_size: 1000, show_flavor_access: true, token_ttl: 4 * 3600, catalog: HashMap::new() }
    }
}

/// A Keystone token.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub methods: Vec<&'static str>,
    pub user: User,
    pub project: Option<String>,
    /// Seconds since 1970.
    pub issued: i64,
    pub expires: i64,
}

/// Who a token stands for.
#[derive(Debug, Clone)]
pub(crate) enum User {
    /// From the federation: by which identity provider, and in which groups.
    Federated { name: String, idp: String, issuer: String, groups: Vec<String> },
    /// The site's own user of the feeder.
    Local,
}

/// One running site.
pub struct Site {
    root: String,
    issuer: Issuer,
    secret: String,
    provider: RwLock<Provider>,
    settings: RwLock<Settings>,
    sessions: Mutex<HashMap<String, Session>>,
    withdrawn: Mutex<HashSet<String>>,
    faults: Faults,
}

/// Name of the user that a site without federation gives to the feeder.
pub const USERNAME: &str = "feeder";

impl Site {
    pub(crate) fn new(provider: Provider, root: String, issuer: Issuer, stop: CancellationToken) -> Self {
        Self {
            root,
            issuer,
            // by this name it is looked for in logs (tests/secrets)
            secret: format!("SimulatedSecret-{}", uuid::Uuid::new_v4().simple()),
            provider: RwLock::new(provider),
            settings: RwLock::default(),
            sessions: Mutex::default(),
            withdrawn: Mutex::default(),
            faults: Faults::new(stop),
        }
    }

    /// The URL under which everything of the site stands, without a slash at its end.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// What the provider file calls `auth_url`.
    pub fn auth_url(&self) -> String {
        match self.provider().technology {
            Technology::OpenStack => format!("{}/identity/v3", self.root),
            Technology::Kubernetes => self.root.clone(),
        }
    }

    /// The site's data as they are now. Do not hold it over an `await`.
    pub fn provider(&self) -> RwLockReadGuard<'_, Provider> {
        self.provider.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong on purpose, by path; `""` is in every path.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What its operator decided.
    pub fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Decides otherwise.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Changes the site's data; the next request sees it.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Provider) -> T) -> T {
        change(&mut self.provider.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Renames a flavor in all regions. Returns whether there was one.
    pub fn rename_flavor(&self, from: &str, to: &str) -> bool {
        self.edit(|provider| {
            let flavors = provider.clouds_mut().flat_map(|cloud| &mut cloud.flavors);
            flavors.filter(|flavor| flavor.name == from).map(|flavor| to.clone_into(&mut flavor.name)).count()
                > 0
        })
    }

    /// Adds a public image to the first region, like its first one but for id and name. Returns the new id.
    pub fn add_image(&self, name: &str) -> Option<String> {
        self.edit(|provider| {
            let images = &mut provider.clouds_mut().next()?.images;
            let id = uuid::Uuid::new_v4().to_string();
            let new = Image {
                id: id.clone(),
                name: name.to_owned(),
                visibility: Visibility::Public,
                members: Vec::new(),
                ..images.first()?.clone()
            };
            images.push(new);
            Some(id)
        })
    }

    /// Takes a project away from everyone: its tokens end, and there are no new ones.
    pub fn withdraw(&self, project: &str) {
        locked(&self.withdrawn).insert(project.to_owned());
        locked(&self.sessions).retain(|_, session| session.project.as_deref() != Some(project));
    }

    /// Gives it back.
    pub fn restore(&self, project: &str) {
        locked(&self.withdrawn).remove(project);
    }

    /// Ends all Keystone tokens, as a lost key repository does: clients must log in anew.
    pub fn revoke_tokens(&self) {
        locked(&self.sessions).clear();
    }

    /// Password of [`USERNAME`], secret of each application credential, token of the service account.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Id of the application credential for a project.
    pub fn application_credential(project: &str) -> String {
        format!("ac{}", project.get(2..).unwrap_or(project))
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(crate) fn is_withdrawn(&self, project: &str) -> bool {
        locked(&self.withdrawn).contains(project)
    }

    /// The projects that are open to a user, in the order of their names.
    pub(crate) fn projects_of(&self, user: &User) -> Vec<Project> {
        let provider = self.provider();
        let mut projects: Vec<Project> = provider
            .projects
            .iter()
            .filter(|project| match user {
                User::Local => true,
                User::Federated { issuer, groups, .. } => {
                    project.agreement.issuer == *issuer && groups.contains(&project.agreement.group)
                }
            })
            .filter(|project| !self.is_withdrawn(&project.id))
            .cloned()
            .collect();
        projects.sort_by(|a, b| a.name.cmp(&b.name));
        projects
    }

    /// A group of the token has an agreement with this site.
    pub(crate) fn knows(&self, claims: &Claims) -> bool {
        let groups = claims.person.groups.as_deref().unwrap_or_default();
        let provider = self.provider();
        provider.projects.iter().any(|project| {
            project.agreement.issuer == claims.iss && groups.contains(&project.agreement.group)
        })
    }

    /// Opens a session; returns its token.
    pub(crate) fn open(&self, session: Session) -> String {
        let now = self.issuer.now();
        let token = format!("gAAAAA{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let mut sessions = locked(&self.sessions);
        sessions.retain(|_, session| session.expires > now);
        sessions.insert(token.clone(), session);
        token
    }

    pub(crate) fn close(&self, token: &str) -> bool {
        locked(&self.sessions).remove(token).is_some()
    }

    pub(crate) fn session(&self, token: &str) -> Option<Session> {
        let session = locked(&self.sessions).get(token).cloned()?;
        (session.expires > self.issuer.now()).then_some(session)
    }
}

/// Shows no secret and no token.
impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({})", self.root)
    }
}

/// An id that depends on the parts alone.
pub(crate) fn stable_uuid(parts: &[&str]) -> uuid::Uuid {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let hash = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, parts).hash(&mut hasher);
        hasher.finish()
    };
    uuid::Uuid::from_u64_pair(hash(0), hash(1))
}

/// The sites that one listener serves, by the first segment of the path.
#[derive(Debug, Clone)]
pub(crate) struct Sites(pub Arc<HashMap<String, Arc<Site>>>);

/// The site that a request is for; others answer 404.
pub(crate) struct At(pub Arc<Site>);

impl<S: Send + Sync> FromRequestParts<S> for At
where
    Sites: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let params =
            RawPathParams::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let slug = params.iter().find(|(name, _)| *name == "site").map(|(_, value)| value);
        let site = slug.and_then(|slug| Sites::from_ref(state).0.get(slug).cloned());
        site.map(At).ok_or_else(|| StatusCode::NOT_FOUND.into_response())
    }
}
