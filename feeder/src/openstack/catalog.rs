//! The service catalog: which services a region has, and where.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};
use url::Url;

/// What Keystone says of the services, as far as readers use it. Clouds leave out or null almost anything here
/// (`region` in favour of `region_id`, names, whole endpoints), and one odd entry must not hide the others.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Catalog(#[serde(deserialize_with = "or_default")] Vec<Service>);

#[derive(Debug, Clone, Deserialize)]
struct Service {
    #[serde(default, deserialize_with = "or_default")]
    id: String,
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, Deserialize)]
struct Endpoint {
    #[serde(default, deserialize_with = "or_default")]
    interface: String,
    region: Option<String>,
    region_id: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    url: String,
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

impl Endpoint {
    /// An endpoint without any region serves all of them.
    fn serves(&self, region: &str) -> bool {
        let mut names = self.region.iter().chain(&self.region_id).peekable();
        names.peek().is_none() || names.any(|name| name == region)
    }
}

impl Catalog {
    /// The addresses, as they are written, of the first of these types that the region has on this interface.
    pub fn addresses(&self, kinds: &[&str], interface: &str, region: &str) -> Vec<&str> {
        let of = |kind: &&str| {
            let services = self.0.iter().filter(|service| service.kind == *kind);
            let endpoints = services.flat_map(|service| &service.endpoints);
            let here =
                endpoints.filter(|endpoint| endpoint.interface == interface && endpoint.serves(region));
            let mut addresses: Vec<_> = here.map(|endpoint| endpoint.url.as_str()).collect();
            addresses.dedup();
            addresses
        };
        kinds.iter().map(of).find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// All types of services with an address that the region has on this interface.
    pub fn all(&self, interface: &str, region: &str) -> Vec<(&str, &str)> {
        let here = self.0.iter().flat_map(|service| {
            let endpoints = service.endpoints.iter();
            let here =
                endpoints.filter(|endpoint| endpoint.interface == interface && endpoint.serves(region));
            here.map(|endpoint| (service.kind.as_str(), endpoint.url.as_str()))
        });
        here.collect()
    }

    /// The type of a service.
    pub fn type_of(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|service| service.id == id).map(|service| service.kind.as_str())
    }

    /// Whether some endpoint serves the region.
    pub fn has_region(&self, region: &str) -> bool {
        self.0.iter().flat_map(|service| &service.endpoints).any(|endpoint| endpoint.serves(region))
    }

    /// The names of all regions.
    pub fn regions(&self) -> BTreeSet<&str> {
        let endpoints = self.0.iter().flat_map(|service| &service.endpoints);
        endpoints
            .filter_map(|endpoint| endpoint.region.as_deref().or(endpoint.region_id.as_deref()))
            .collect()
    }
}

/// The address of a service without the project that some of them end with (`.../v3/PROJECT`,
/// `.../v1/AUTH_PROJECT`): all projects use one service.
pub(super) fn without_project<'a>(address: &'a str, project_id: &str) -> &'a str {
    let trimmed = address.trim_end_matches('/');
    match trimmed.rsplit_once('/') {
        Some((service, last)) if last.contains(project_id) => service,
        _ => address,
    }
}

/// The root of an API: the address, and the version when the catalog leaves it out.
pub(super) fn versioned(address: &Url, version: &str) -> Url {
    let is_version = |segment: &str| {
        segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    if address.path_segments().is_some_and(|mut segments| segments.any(is_version)) {
        return below(address, &[]);
    }
    below(address, &[version])
}

/// An address below another one; what could be taken for a separator is escaped.
pub(super) fn below(address: &Url, path: &[&str]) -> Url {
    let mut url = address.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn catalog(services: serde_json::Value) -> Catalog {
        serde_json::from_value(services).unwrap()
    }

    #[test]
    fn a_region_is_known_by_its_name_or_its_id() {
        let catalog = catalog(json!([
            {"type": "compute", "endpoints": [
                {"interface": "public", "region": "R1", "region_id": "r-1", "url": "http://one"},
                {"interface": "public", "region": null, "region_id": "R2", "url": "http://two"},
                {"interface": "internal", "region": "R3", "url": "http://three"},
            ]},
            {"type": "image", "name": null, "endpoints": [{"interface": "public", "url": "http://everywhere"}]},
            {"type": null, "endpoints": null},
            {},
        ]));
        let compute = |region| catalog.addresses(&["compute"], "public", region);
        assert_eq!(compute("R1"), ["http://one"]);
        assert_eq!(compute("r-1"), ["http://one"]);
        assert_eq!(compute("R2"), ["http://two"]);
        assert!(compute("R3").is_empty());
        assert_eq!(catalog.addresses(&["image"], "public", "R9"), ["http://everywhere"]);
        assert_eq!(Vec::from_iter(catalog.regions()), ["R1", "R2", "R3"]);
    }

    #[test]
    fn the_first_type_that_the_region_has_is_taken() {
        let endpoint = |url| json!([{"interface": "public", "region": "R", "url": url}]);
        let catalog = catalog(json!([
            {"type": "volume", "endpoints": endpoint("http://old")},
            {"type": "volumev3", "endpoints": endpoint("http://new")},
        ]));
        assert_eq!(catalog.addresses(&["volumev3", "volume"], "public", "R"), ["http://new"]);
        assert_eq!(catalog.addresses(&["block-storage", "volume"], "public", "R"), ["http://old"]);
    }

    #[test]
    fn null_is_an_empty_catalog() {
        assert!(!catalog(json!(null)).has_region("R"));
    }

    #[test]
    fn addresses_name_the_service_not_the_project() {
        let cut = |address| without_project(address, "e5e3");
        assert_eq!(cut("http://h:8776/v3/e5e3"), "http://h:8776/v3");
        assert_eq!(cut("http://h/swift/v1/AUTH_e5e3/"), "http://h/swift/v1");
        assert_eq!(cut("http://h:9696"), "http://h:9696");
        assert_eq!(cut("http://h:9696/"), "http://h:9696/");
    }

    #[test]
    fn versions_are_added_when_they_are_missing() {
        let root = |address: &str, version| versioned(&address.parse().unwrap(), version).to_string();
        assert_eq!(root("http://h:9292", "v2"), "http://h:9292/v2");
        assert_eq!(root("http://h/image/", "v2"), "http://h/image/v2");
        assert_eq!(root("http://h/v2.0/", "v2.0"), "http://h/v2.0");
        assert_eq!(root("http://h/v2.1/e5e3", "v2.1"), "http://h/v2.1/e5e3");
        assert_eq!(root("http://h/volumes", "v3"), "http://h/volumes/v3");
        assert_eq!(
            below(&"http://h/v3".parse().unwrap(), &["a/b", "c?d"]).as_str(),
            "http://h/v3/a%2Fb/c%3Fd"
        );
    }
}
