//! From one file as it is written to providers as they are read: cross references checked, defaults and overrides
//! applied, secrets looked up.

use std::path::Path;

use garde::Validate;

use super::agreements::agreements;
use super::entry::Work;
use super::fault::{Issue, Source};
use super::file::SiteFile;
use super::secret::Environment;
use super::{Provider, ProviderKey, ProviderKind};

/// What a file says.
#[derive(Default)]
pub struct Resolved {
    /// The providers without fault.
    pub providers: Vec<Provider>,
    /// What is wrong, and which providers cannot be read because of it.
    pub issues: Vec<(Issue, Vec<ProviderKey>)>,
    /// What is not wrong, but has no effect, and for which provider.
    pub warnings: Vec<(Issue, Vec<ProviderKey>)>,
}

impl Resolved {
    /// Several providers can fail by the same fault, such as a token that is not there.
    fn wrong(&mut self, issue: Issue, key: &ProviderKey) {
        match self.issues.iter_mut().find(|(known, _)| *known == issue) {
            Some((_, providers)) => providers.push(key.clone()),
            None => self.issues.push((issue, vec![key.clone()])),
        }
    }
}

/// Where secrets are looked for.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The folder of the provider file.
    pub folder: &'a Path,
    /// Environment variables.
    pub environment: Environment<'a>,
}

impl ProviderKind {
    /// The name of its list in the file.
    pub(super) fn list(self) -> &'static str {
        match self {
            Self::Openstack => "openstack",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// The region of a provider that names none.
    pub(super) fn default_region(self) -> &'static str {
        match self {
            Self::Openstack => "RegionOne",
            Self::Kubernetes => "default",
        }
    }
}

/// Checks and resolves one file.
pub fn resolve(source: &Source, file: &SiteFile, surroundings: Surroundings<'_>) -> Resolved {
    let mut resolved = Resolved::default();
    let (grants, mut of_file) = agreements(file);
    let mut of_entries = Vec::new();
    if let Err(report) = file.validate() {
        for (path, error) in report.into_inner() {
            let issue = Issue { at: path.to_string(), message: error.message().to_owned() };
            if issue.at.starts_with("trusted_idps") { of_file.push(issue) } else { of_entries.push(issue) }
        }
    }
    let shared_fault = !of_file.is_empty();
    let all: Vec<_> = file.keys().collect();
    resolved.issues.extend(of_file.into_iter().map(|issue| (issue, all.clone())));
    for ((kind, place, entry), key) in file.providers().zip(&all) {
        let mut work = Work::new(source, (kind, place, entry), &grants, surroundings);
        let provider = work.provider(key);
        let rules = of_entries.iter().filter(|issue| work.is_of(issue)).cloned();
        let issues: Vec<_> = rules.chain(work.issues.iter().cloned()).collect();
        if !shared_fault && issues.is_empty() {
            resolved.providers.push(provider);
        }
        for issue in issues {
            resolved.wrong(issue, key);
        }
        resolved.warnings.extend(work.warnings.into_iter().map(|issue| (issue, vec![key.clone()])));
    }
    resolved
}
