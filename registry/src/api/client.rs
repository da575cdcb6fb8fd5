//! Where a request comes from: the peer of its connection, or what the proxies that are trusted say.

use axum::http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer},
};
use std::net::{IpAddr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The address of whoever sent a request. Handlers find it among the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub IpAddr);

/// An address, or all that begin alike: `10.1.2.3`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether the address is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl std::str::FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        net.map(Self).map_err(|_| {
            format!("'{text}' is neither an IP address nor a network; write it like 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32")
        })
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The proxies between clients and this process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Proxies {
    /// Whose word about the client is taken. Nobody else's is.
    pub trusted: Vec<Network>,
    /// Where they write it. The other header is never read: a proxy passes on what it does not know.
    #[serde(deserialize_with = "word")]
    pub header: ForwardedBy,
}

fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ForwardedBy, D::Error> {
    let text = String::deserialize(deserializer)?;
    ForwardedBy::deserialize(text.to_lowercase().into_deserializer())
        .map_err(|error: serde::de::value::Error| D::Error::custom(error))
}

/// A header that names the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedBy {
    /// `X-Forwarded-For`: addresses with commas between them.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Proxies {
    /// Whether this is one of the proxies.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Who sent the request. Each proxy appends whom it heard; so the list is read from its end for as long as the
    /// one who wrote the entry is trusted. What stands before that could have been written by anybody. An entry that
    /// is no address ends it too: then the last proxy is all that is known.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if self.trusted.is_empty() || !self.trust(client) {
            return client;
        }
        let name = match self.header {
            ForwardedBy::XForwardedFor => &X_FORWARDED_FOR,
            ForwardedBy::Forwarded => &FORWARDED,
        };
        let lines: Vec<_> =
            headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default()).collect();
        for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let heard = match self.header {
                ForwardedBy::XForwardedFor => address(entry.trim()),
                ForwardedBy::Forwarded => forwarded_for(entry).and_then(address),
            };
            let Some(heard) = heard else { break };
            client = heard.to_canonical();
            if !self.trust(client) {
                break;
            }
        }
        client
    }
}

/// The value of `for` in one element (RFC 7239, section 4). Commas within quotes do not occur in addresses: an element
/// torn apart by one has no `for` that is an address.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut found = element.split(';').filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    });
    let first = found.next();
    if found.next().is_some() { None } else { first }
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: ForwardedBy, trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let trusted = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = if header == ForwardedBy::Forwarded { FORWARDED } else { X_FORWARDED_FOR };
            headers.append(name, line.parse().unwrap());
            // the other header is the client's own invention
            let other = if header == ForwardedBy::Forwarded { X_FORWARDED_FOR } else { FORWARDED };
            headers.append(other, "for=6.6.6.6".parse().unwrap());
        }
        Proxies { trusted, header }.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn x_forwarded_for_is_read_from_its_end_as_far_as_proxies_are_trusted() {
        let trusted = ["10.0.0.0/8", "fd00::1"];
        for (peer, lines, expected) in [
            ("192.0.2.9", &["6.6.6.6"][..], "192.0.2.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["::ffff:192.0.2.1"], "192.0.2.1"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            ("fd00::2", &["2001:db8::7"], "fd00::2"),
            ("10.0.0.1", &["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["6.6.6.6, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            ("10.0.0.1", &["6.6.6.6", "192.0.2.1", "10.0.0.2 , 10.0.0.3"], "192.0.2.1"),
            ("10.0.0.1", &["10.9.9.9, 10.0.0.2"], "10.9.9.9"),
            ("10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1"),
            ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["6.6.6.6, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, , 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["6.6.6.6 7.7.7.7"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            assert_eq!(
                client(ForwardedBy::XForwardedFor, &trusted, peer, lines),
                expected,
                "{peer} {lines:?}"
            );
        }
        assert_eq!(client(ForwardedBy::XForwardedFor, &[], "10.0.0.1", &["6.6.6.6"]), "10.0.0.1");
    }

    #[test]
    fn forwarded_too() {
        let trusted = ["10.0.0.0/8"];
        for (lines, expected) in [
            (&["for=192.0.2.1"][..], "192.0.2.1"),
            (&["for=6.6.6.6;proto=http, for=192.0.2.1;by=10.0.0.1;host=x"], "192.0.2.1"),
            (&["For=\"[2001:db8::7]:4711\";proto=https"], "2001:db8::7"),
            (&["for=192.0.2.1", "for=10.0.0.2"], "192.0.2.1"),
            (&["for=_hidden"], "10.0.0.1"),
            (&["for=unknown, for=10.0.0.2"], "10.0.0.2"),
            (&["proto=https"], "10.0.0.1"),
            (&["for=192.0.2.1;for=6.6.6.6"], "10.0.0.1"),
            (&["for=\"192.0.2.1, for=6.6.6.6\""], "6.6.6.6"),
            (&["192.0.2.1"], "10.0.0.1"),
        ] {
            assert_eq!(client(ForwardedBy::Forwarded, &trusted, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn networks() {
        let network = |text: &str| text.parse::<Network>();
        assert!(network("10.1.2.3").unwrap().contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network("10.1.2.3").unwrap().contains("10.1.2.4".parse().unwrap()));
        assert!(network("0.0.0.0/0").unwrap().contains("192.0.2.1".parse().unwrap()));
        for text in ["", "10", "10.0.0.0/33", "example.org", "10.0.0.0/8 "] {
            assert!(network(text).unwrap_err().contains("10.0.0.0/8"), "{text}");
        }
    }
}
