//! Where the requests of one site may go.
//!
//! Addresses come from the provider file, and from the catalog that the site itself writes. The file may name any
//! address. The catalog may not: a site that was taken over must not make the feeder ask its own machine, its own
//! cloud's metadata service, or anything in clear text.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::inventory::Site;

/// The rules of one site. As a resolver it holds them for names too, at the moment of the connection, so that a name
/// that changes its address in between gains nothing.
#[derive(Debug, Clone)]
pub(crate) struct Egress(Arc<Rules>);

#[derive(Debug, Default)]
struct Rules {
    /// Hosts that the provider file names.
    configured: BTreeSet<String>,
    /// Whether one of them is this machine.
    loopback: bool,
    /// Whether `auth_url` is `https`: then all is.
    secure: bool,
    /// Hosts that the catalog may name besides; empty: any.
    catalog_hosts: Vec<String>,
}

impl Egress {
    /// As the provider file says.
    pub fn new(site: &Site) -> Self {
        let auth_url = site.auth_url.parse::<Url>().ok();
        let overrides = site.endpoints.values().flat_map(|region| region.values());
        let hosts = overrides.filter_map(|address| host_of(&address.parse().ok()?));
        let configured: BTreeSet<_> = auth_url.iter().filter_map(host_of).chain(hosts).collect();
        let is_loopback =
            |host: &String| host == "localhost" || literal(host).is_some_and(|ip| ip.is_loopback());
        Self(Arc::new(Rules {
            loopback: configured.iter().any(is_loopback),
            configured,
            secure: auth_url.is_some_and(|url| url.scheme() == "https"),
            catalog_hosts: site.catalog_hosts.clone(),
        }))
    }

    /// Whether an address of the catalog may be asked; else why not.
    pub fn check(&self, url: &Url) -> Result<(), String> {
        let Some(host) = host_of(url) else { return Err("it names no host".to_owned()) };
        match url.scheme() {
            "http" if self.0.secure => {
                let why = "it is http although `auth_url` is https: a token would travel unprotected";
                return Err(why.to_owned());
            }
            "https" | "http" => {}
            other => return Err(format!("it is {other}, neither http nor https")),
        }
        if self.0.configured.contains(&host) {
            return Ok(());
        }
        let patterns = &self.0.catalog_hosts;
        if !patterns.is_empty() && !patterns.iter().any(|pattern| matches(pattern, &host)) {
            return Err(format!("`catalog_hosts` of the provider file does not name {host}"));
        }
        match literal(&host) {
            Some(ip) => self.permits(ip),
            None => Ok(()),
        }
    }

    /// Whether a host that the provider file does not name may have this address.
    fn permits(&self, ip: IpAddr) -> Result<(), String> {
        let inner = match ip.to_canonical() {
            IpAddr::V4(ip) => v4(ip),
            IpAddr::V6(ip) => v6(ip),
        };
        match inner {
            None => Ok(()),
            Some(Inner::Loopback) if self.0.loopback => Ok(()),
            Some(inner) => Err(format!("{ip} is {}", inner.name())),
        }
    }
}

/// Addresses at which no service of a cloud is.
enum Inner {
    Loopback,
    LinkLocal,
    Metadata,
    Nowhere,
}

impl Inner {
    fn name(&self) -> &'static str {
        match self {
            Self::Loopback => "this machine itself (loopback)",
            Self::LinkLocal => "link-local",
            Self::Metadata => "a cloud's metadata service",
            Self::Nowhere => "no address of a single machine",
        }
    }
}

fn v4(ip: Ipv4Addr) -> Option<Inner> {
    match ip {
        _ if ip.is_loopback() => Some(Inner::Loopback),
        _ if ip.is_link_local() => Some(Inner::LinkLocal),
        // RFC 6890; the other one is Alibaba's
        _ if ip.octets()[0] == 0 || ip.is_multicast() || ip.is_broadcast() => Some(Inner::Nowhere),
        _ if ip == Ipv4Addr::new(100, 100, 100, 200) => Some(Inner::Metadata),
        _ => None,
    }
}

fn v6(ip: Ipv6Addr) -> Option<Inner> {
    /// RFC 6052: an IPv4 address in its last four bytes.
    const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];
    /// Amazon's metadata service.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match ip {
        _ if ip.is_loopback() => Some(Inner::Loopback),
        _ if ip.is_unicast_link_local() => Some(Inner::LinkLocal),
        _ if ip.is_unspecified() || ip.is_multicast() => Some(Inner::Nowhere),
        METADATA => Some(Inner::Metadata),
        _ if ip.segments()[..6] == NAT64 => {
            let [.., a, b, c, d] = ip.octets();
            v4(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// `*.cloud.example.org` is every name below, anything else itself.
fn matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix('*') {
        Some(below) => host.len() > below.len() && host.ends_with(below),
        None => host == pattern,
    }
}

/// Lower-case, without the dot that a full name can end with.
fn host_of(url: &Url) -> Option<String> {
    Some(match url.host()? {
        Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => ip.to_string(),
    })
}

fn literal(host: &str) -> Option<IpAddr> {
    host.parse().ok()
}

/// A name that leads where no catalog may lead.
#[derive(Debug, thiserror::Error)]
#[error("{host} is not asked: {why}; give its address in `endpoints` of the provider file")]
struct Refused {
    host: String,
    why: String,
}

impl Resolve for Egress {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.clone();
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !rules.0.configured.contains(&host)
                && let Some(why) = found.iter().find_map(|address| rules.permits(address.ip()).err())
            {
                return Err(Refused { host, why }.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(auth_url: &str, catalog_hosts: &[&str]) -> Egress {
        let catalog_hosts = catalog_hosts.iter().map(ToString::to_string).collect();
        Egress::new(&Site { auth_url: auth_url.to_owned(), catalog_hosts, ..Site::default() })
    }

    fn refused(egress: &Egress, address: &str) -> Option<String> {
        egress.check(&address.parse().unwrap()).err()
    }

    #[test]
    fn a_catalog_leads_neither_inside_nor_into_the_clear() {
        let site = egress("https://keystone.example.org:5000/v3", &[]);
        for good in [
            "https://nova.example.org:8774",
            "https://10.1.2.3/",
            "https://other.example.com",
            "https://[2001:db8::1]/",
        ] {
            assert_eq!(refused(&site, good), None, "{good}");
        }
        for (bad, says) in [
            ("http://nova.example.org", "unprotected"),
            ("ftp://nova.example.org", "neither http nor https"),
            ("https://169.254.169.254/latest", "link-local"),
            ("https://127.0.0.1/", "loopback"),
            ("https://2130706433/", "loopback"),
            ("https://0.0.0.0/", "no address of a single machine"),
            ("https://[::1]/", "loopback"),
            ("https://[::ffff:169.254.169.254]/", "link-local"),
            ("https://[64:ff9b::a9fe:a9fe]/", "link-local"),
            ("https://[fe80::1]/", "link-local"),
            ("https://[fd00:ec2::254]/", "metadata"),
            ("https://100.100.100.200/", "metadata"),
        ] {
            let why = refused(&site, bad).unwrap_or_default();
            assert!(why.contains(says), "{bad}: {why}");
        }
    }

    #[test]
    fn a_site_that_is_configured_on_this_machine_may_name_this_machine() {
        for auth_url in ["http://127.0.0.1:5000/v3", "http://localhost:5000/v3", "http://[::1]:5000/v3"] {
            let site = egress(auth_url, &[]);
            assert_eq!(refused(&site, "http://127.0.0.1:8774"), None, "{auth_url}");
            assert!(refused(&site, "http://169.254.169.254").is_some());
        }
    }

    #[test]
    fn what_the_file_names_is_asked_wherever_it_is_and_its_list_bounds_the_rest() {
        let site = egress("https://keystone.example.org", &["*.example.org", "s3.example.com"]);
        assert_eq!(refused(&site, "https://nova.Example.org"), None);
        assert_eq!(refused(&site, "https://s3.example.com"), None);
        for bad in ["https://example.org", "https://evilexample.org", "https://example.org.evil.com"] {
            assert!(refused(&site, bad).unwrap().contains("catalog_hosts"), "{bad}");
        }
        assert_eq!(refused(&egress("https://169.254.1.1/v3", &[]), "https://169.254.1.1:8774"), None);
    }

    #[tokio::test]
    async fn a_name_is_judged_by_where_it_leads() {
        let resolve = |egress: Egress, host: &str| egress.resolve(host.parse().unwrap());
        let refused = resolve(egress("https://keystone.example.org", &[]), "localhost").await.err().unwrap();
        assert!(refused.to_string().starts_with("localhost is not asked: "), "{refused}");
        assert!(resolve(egress("https://localhost", &[]), "localhost").await.is_ok());
    }
}
