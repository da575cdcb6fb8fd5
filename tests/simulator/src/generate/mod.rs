//! A federation made of a seed: the same seed and parameters give the same providers, each one by its index
//! alone, so that a thousand of them need not be in memory at once.

mod kubernetes;
mod openstack;

use crate::model::{Agreement, Location, Login, PerUser, Project, Provider, Region, Technology};
use crate::names::{CITIES, City, GROUPS, KUBERNETES_PREFIXES, OPENSTACK_PREFIXES, slug};
use chrono::{Days, NaiveDate};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

/// How large a federation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// OpenStack providers.
    pub openstack: usize,
    /// Kubernetes providers.
    pub kubernetes: usize,
    /// Regions of each OpenStack provider.
    pub regions: usize,
    /// Projects (namespaces) of each provider.
    pub projects: usize,
    /// Flavors that the federation sees in each OpenStack region; sites hide two more.
    pub flavors: usize,
    /// Images that the federation sees in each OpenStack region; sites hide one more.
    pub images: usize,
    /// Networks that the federation sees in each OpenStack region; sites hide one more.
    pub networks: usize,
    /// User groups of the federation; at least as many as a provider has projects.
    pub groups: usize,
}

impl Params {
    /// What `fedreg demo` shows: small enough to read, large enough to be a federation.
    pub fn demo() -> Self {
        Self {
            openstack: 4,
            kubernetes: 2,
            regions: 1,
            projects: 4,
            flavors: 14,
            images: 16,
            networks: 6,
            groups: 8,
        }
    }

    /// A few nodes of every kind, for property tests.
    pub fn tiny() -> Self {
        Self {
            openstack: 1,
            kubernetes: 1,
            regions: 2,
            projects: 2,
            flavors: 4,
            images: 5,
            networks: 3,
            groups: 3,
        }
    }

    /// OpenStack providers of 10 projects, 30 flavors and 60 images each, about 190 nodes: 10 of them make some
    /// 2,000 nodes, 100 some 20,000 and 1,000 some 200,000. Ten groups hold an agreement with every provider.
    pub fn benchmark(providers: usize) -> Self {
        Self {
            openstack: providers,
            kubernetes: 0,
            regions: 1,
            projects: 10,
            flavors: 30,
            images: 60,
            networks: 8,
            groups: 10,
        }
    }

    /// Providers of both technologies.
    pub fn providers(&self) -> usize {
        self.openstack + self.kubernetes
    }
}

/// What the generator is asked for; each has its own stream of randomness.
#[derive(Clone, Copy)]
enum Stream {
    Map = 1,
    Provider = 2,
    Agreement = 3,
}

/// A federation that is not written down: ask for any of its providers.
#[derive(Debug, Clone)]
pub struct World {
    seed: u64,
    params: Params,
    issuers: Vec<String>,
    cities: Vec<usize>,
    offsets: Vec<usize>,
}

impl World {
    /// The federation of this seed. Groups are dealt over the issuers; with none, two invented ones.
    pub fn new(seed: u64, params: Params, issuers: Vec<String>) -> Self {
        let issuers = if issuers.is_empty() {
            vec!["https://iam-1.example.org/".to_owned(), "https://iam-2.example.org/".to_owned()]
        } else {
            issuers
        };
        let mut world =
            Self { seed, params, issuers, cities: (0..CITIES.len()).collect(), offsets: Vec::new() };
        let mut rng = world.rng(Stream::Map, 0);
        world.cities.shuffle(&mut rng);
        world.offsets = CITIES.iter().map(|_| rng.random_range(0..OPENSTACK_PREFIXES.len())).collect();
        world
    }

    /// How large it is.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// All providers, OpenStack first, one at a time.
    pub fn providers(&self) -> impl Iterator<Item = Provider> + '_ {
        (0..self.params.providers()).map(|index| self.provider(index))
    }

    /// One provider, by its place in [`World::providers`].
    pub fn provider(&self, index: usize) -> Provider {
        let mut rng = self.rng(Stream::Provider, index);
        let (technology, place) = match index.checked_sub(self.params.openstack) {
            None => (Technology::OpenStack, index),
            Some(place) => (Technology::Kubernetes, place),
        };
        let name = self.name(technology, place);
        let slug = slug(&name);
        let projects = self.projects(index, technology, &mut rng);
        let regions = match technology {
            Technology::OpenStack => openstack::regions(&self.params, &projects, &mut rng),
            Technology::Kubernetes => {
                vec![("default".to_owned(), kubernetes::cluster(&projects, &mut rng))]
            }
        };
        let regions = regions
            .into_iter()
            .enumerate()
            .map(|(nth, (name, offer))| Region {
                name,
                location: location(self.city(place + nth)),
                overbooking_cpu: *[1.0, 1.5, 2.0, 4.0].choose(&mut rng).unwrap_or(&1.0),
                overbooking_ram: *[1.0, 1.0, 1.5].choose(&mut rng).unwrap_or(&1.0),
                bandwidth_in: *[1.0, 10.0, 40.0, 100.0].choose(&mut rng).unwrap_or(&10.0),
                bandwidth_out: *[1.0, 10.0, 40.0].choose(&mut rng).unwrap_or(&10.0),
                offer,
            })
            .collect();
        Provider {
            support_emails: vec![format!("support@{slug}.example.org")],
            is_public: rng.random_bool(0.25),
            name,
            slug,
            technology,
            login: login(technology, place),
            projects,
            regions,
        }
    }

    /// Every group of the federation with its issuer, whether a provider serves it or not.
    pub fn groups(&self) -> impl Iterator<Item = (&str, String)> + '_ {
        (0..self.params.groups.max(self.params.projects)).map(|nth| self.group(nth))
    }

    fn group(&self, nth: usize) -> (&str, String) {
        let name = GROUPS[nth % GROUPS.len()];
        let name = match nth / GROUPS.len() {
            0 => name.to_owned(),
            round => format!("{name}-{}", round + 1),
        };
        (&self.issuers[nth % self.issuers.len()], name)
    }

    fn city(&self, place: usize) -> City {
        CITIES[self.cities[place % self.cities.len()]]
    }

    /// Every (prefix, city) once before any comes with a number.
    fn name(&self, technology: Technology, place: usize) -> String {
        let prefixes = match technology {
            Technology::OpenStack => OPENSTACK_PREFIXES,
            Technology::Kubernetes => KUBERNETES_PREFIXES,
        };
        let city = self.cities[place % CITIES.len()];
        let prefix = prefixes[(place / CITIES.len() + self.offsets[city]) % prefixes.len()];
        let name = format!("{prefix}-{}", CITIES[city].0.to_uppercase());
        match place / (CITIES.len() * prefixes.len()) {
            0 => name,
            round => format!("{name}-{}", round + 1),
        }
    }

    fn projects(&self, provider: usize, technology: Technology, rng: &mut StdRng) -> Vec<Project> {
        let groups = self.params.groups.max(self.params.projects);
        rand::seq::index::sample(rng, groups, self.params.projects)
            .into_iter()
            .map(|group| {
                let agreement = self.agreement(group, provider);
                let name = slug(&agreement.group);
                Project {
                    id: match technology {
                        Technology::OpenStack => hex_id(rng),
                        Technology::Kubernetes => name.clone(),
                    },
                    description: match technology {
                        Technology::OpenStack => format!("Resources of {}", agreement.group),
                        Technology::Kubernetes => String::new(),
                    },
                    name,
                    agreement,
                    per_user: (technology == Technology::OpenStack && rng.random_bool(0.3)).then(|| {
                        let cores = rng.random_range(1..=8) * 2;
                        PerUser { cores, instances: cores / 2, ram: cores * 2048, gigabytes: cores * 50 }
                    }),
                }
            })
            .collect()
    }

    /// Every eighth provider shares the agreements of the one before it: one document, two sites.
    fn agreement(&self, group: usize, provider: usize) -> Agreement {
        let signatory = if provider % 8 == 7 { provider - 1 } else { provider };
        let mut rng = self.rng(Stream::Agreement, signatory * 100_000 + group);
        let (issuer, name) = self.group(group);
        let start = day(rng.random_range(0..700));
        let end = start + Days::new(rng.random_range(5..10) * 365);
        Agreement {
            issuer: issuer.to_owned(),
            group: name,
            doc_uuid: hex_id(&mut rng),
            start_date: start.to_string(),
            end_date: end.to_string(),
        }
    }

    fn rng(&self, stream: Stream, index: usize) -> StdRng {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8] = stream as u8;
        seed[16..24].copy_from_slice(&(index as u64).to_le_bytes());
        StdRng::from_seed(seed)
    }
}

/// Most sites take the issuer's tokens; the third of each eight does not, nor the sixth, and every second cluster.
fn login(technology: Technology, place: usize) -> Login {
    match technology {
        Technology::OpenStack if place % 8 == 2 => Login::ApplicationCredential,
        Technology::OpenStack if place % 8 == 5 => Login::Password,
        Technology::Kubernetes if place % 2 == 1 => Login::ServiceAccount,
        _ => Login::Federation,
    }
}

fn location((city, country, latitude, longitude): City) -> Location {
    Location { site: city.to_owned(), country: country.to_owned(), latitude, longitude }
}

/// A day counted from 2022-01-01.
fn day(number: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2022, 1, 1).unwrap_or_default() + Days::new(number)
}

/// 32 hexadecimal characters: Keystone's ids.
fn hex_id(rng: &mut impl Rng) -> String {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid().simple().to_string()
}

/// A dashed UUID: ids of Nova, Glance and Neutron.
fn dashed_id(rng: &mut impl Rng) -> String {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_seed_says_it_all() {
        let world = |seed| World::new(seed, Params::demo(), Vec::new());
        let first: Vec<_> = world(7).providers().collect();
        assert_eq!(first, world(7).providers().collect::<Vec<_>>());
        assert_eq!(first[3], world(7).provider(3), "a provider depends on its place alone");
        assert_ne!(first, world(8).providers().collect::<Vec<_>>());
    }

    #[test]
    fn names_are_unique_in_a_large_federation() {
        let world = World::new(1, Params { openstack: 1500, kubernetes: 900, ..Params::tiny() }, Vec::new());
        let names = |t, n| (0..n).map(|i| world.name(t, i)).collect::<HashSet<_>>();
        let mut all = names(Technology::OpenStack, 1500);
        all.extend(names(Technology::Kubernetes, 900));
        assert_eq!(all.len(), 2400);
    }

    #[test]
    fn an_agreement_of_two_sites_says_the_same_at_both() {
        let world = World::new(1, Params::tiny(), Vec::new());
        assert_eq!(world.agreement(1, 6), world.agreement(1, 7));
        assert_ne!(world.agreement(1, 5), world.agreement(1, 6));
    }

    #[test]
    fn a_provider_has_each_group_once() {
        let params = Params { projects: 40, groups: 3, ..Params::tiny() };
        let provider = World::new(5, params, Vec::new()).provider(0);
        let groups: HashSet<_> = provider.projects.iter().map(|p| &p.agreement.group).collect();
        assert_eq!(groups.len(), 40);
    }
}
