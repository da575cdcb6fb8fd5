//! Reading the provider files: one file, or all `*.config.yaml` of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::agreements::agreements;
use super::fault::{ConfigFault, Issue, Source};
use super::file::{ProviderEntry, SiteFile};
use super::resolve::{Surroundings, resolve};
use super::secret::Environment;
use super::{Inventory, ProviderKey};

/// What the names of provider files in a folder end with.
const SUFFIX: &str = ".config.yaml";

/// Reads, checks and resolves the provider files at a path. Faults do not stop at the first: all files are read, and
/// what is without fault can be used.
pub fn load(path: &Path) -> Inventory {
    load_with(path, &|name| std::env::var(name).ok())
}

/// As [`load`], with the environment variables given.
pub fn load_with(path: &Path, environment: Environment<'_>) -> Inventory {
    let mut inventory = Inventory::default();
    let mut read = Vec::new();
    for path in files(path, &mut inventory.faults) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(why) => {
                inventory.faults.push(unreadable(path, &why));
                continue;
            }
        };
        let source = Source::new(path.clone(), &text);
        match serde_saphyr::from_str::<SiteFile>(&text) {
            Ok(file) => read.push((path, source, file)),
            Err(error) => inventory.faults.push(source.not_understood::<SiteFile>(&error)),
        }
    }
    for (path, source, file) in &read {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        let resolved = resolve(source, file, Surroundings { folder, environment });
        let good: Vec<_> = resolved.providers.iter().map(|provider| &provider.key).collect();
        inventory.faulty.extend(file.keys().filter(|key| !good.contains(&key)));
        inventory
            .faults
            .extend(resolved.issues.iter().map(|(issue, keys)| source.fault(issue, keys.clone())));
        inventory
            .warnings
            .extend(resolved.warnings.iter().map(|(issue, keys)| source.fault(issue, keys.clone())));
        inventory.providers.extend(resolved.providers);
    }
    across_files(&read, &mut inventory);
    if inventory.faults.is_empty() && inventory.providers.is_empty() {
        let message = "no provider is named here: add one below `openstack` or `kubernetes`. Those that the registry has stay; \
                       the last ones of a federation are removed over its API"
            .to_owned();
        inventory.faults.push(ConfigFault::of_file(path.to_owned(), message));
    }
    inventory.faults.sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
    inventory.faulty.sort();
    inventory.faulty.dedup();
    inventory
}

fn files(path: &Path, faults: &mut Vec<ConfigFault>) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match entries {
        Ok(entries) => {
            let names_a_site = |path: &PathBuf| path.to_string_lossy().ends_with(SUFFIX);
            let mut files: Vec<_> =
                entries.iter().map(std::fs::DirEntry::path).filter(names_a_site).collect();
            files.sort();
            if files.is_empty() {
                let message =
                    format!("there is no *{SUFFIX} file here: add one for each site, or name a file");
                faults.push(ConfigFault::of_file(path.to_owned(), message));
            }
            files
        }
        Err(why) => {
            faults.push(unreadable(path.to_owned(), &why));
            Vec::new()
        }
    }
}

fn unreadable(path: PathBuf, why: &std::io::Error) -> ConfigFault {
    let message = match why.kind() {
        std::io::ErrorKind::NotFound => {
            "there is no such file or folder: name providers.yaml or a folder of *.config.yaml files"
                .to_owned()
        }
        _ => format!("cannot be read ({why}): make it readable for the user that runs this"),
    };
    ConfigFault::of_file(path, message)
}

/// What only shows when all files are seen: a provider described twice, an agreement of two groups.
fn across_files(read: &[(PathBuf, Source, SiteFile)], inventory: &mut Inventory) {
    let mut providers: BTreeMap<ProviderKey, String> = BTreeMap::new();
    let mut slas: BTreeMap<String, (String, [String; 2])> = BTreeMap::new();
    for (path, source, file) in read {
        for ((kind, place, _), key) in file.providers().zip(file.keys()) {
            let here = format!("{}[{place}]", kind.list());
            let Some(first) = providers.get(&key) else {
                providers.insert(key, format!("{here} of {}", path.display()));
                continue;
            };
            let message = format!(
                "a provider of this name and type stands in {first} too: neither is used; give one another name, or \
                 remove it"
            );
            let issue = Issue { at: format!("{here}.name"), message };
            give_up(inventory, source, &issue, vec![key]);
        }
        for (doc_uuid, grant) in agreements(file).0 {
            let owner = [grant.idp.1.issuer.clone(), grant.group.1.name.clone()];
            let Some((first, known)) = slas.get(doc_uuid) else {
                slas.insert(doc_uuid.to_owned(), (path.display().to_string(), owner));
                continue;
            };
            if *known == owner {
                continue;
            }
            let message = format!(
                "the agreement with this doc_uuid is of the group `{}` of {} in {first}: an agreement is of one group",
                known[1], known[0]
            );
            let issue = Issue { at: format!("{}.doc_uuid", grant.sla_entry()), message };
            let uses = |entry: &ProviderEntry| entry.projects.iter().any(|project| project.sla == doc_uuid);
            let using =
                file.providers().zip(file.keys()).filter(|((.., entry), _)| uses(entry)).map(|(_, key)| key);
            give_up(inventory, source, &issue, using.collect());
        }
    }
}

fn give_up(inventory: &mut Inventory, source: &Source, issue: &Issue, keys: Vec<ProviderKey>) {
    inventory.providers.retain(|provider| !keys.contains(&provider.key));
    inventory.faulty.extend(keys.iter().cloned());
    inventory.faults.push(source.fault(issue, keys));
}
