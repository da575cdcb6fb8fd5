//! From a place in a provider document back to the entry of the file that it comes from.

use schema::Loc;

use super::ProviderKey;
use super::fault::{ConfigFault, Issue, Source};

/// Where the parts of a provider's document stand in its file.
#[derive(Debug, Clone)]
pub struct Origin {
    source: Source,
    provider: ProviderKey,
    /// Beginnings of places in the document (`regions[0]`) and the entries that they come from.
    entries: Vec<(String, String)>,
}

/// Lists of a region: a cloud tells them, except for what is noted.
const FROM_THE_CLOUD: &str = "_services[";

impl Origin {
    /// The origin of a provider whose entry is `base`.
    pub(super) fn new(source: Source, provider: ProviderKey, base: &str) -> Self {
        Self { source, provider, entries: vec![(String::new(), base.to_owned())] }
    }

    /// Notes that what stands at `place` and below comes from `entry`.
    pub(super) fn note(&mut self, place: impl Into<String>, entry: impl Into<String>) {
        self.entries.push((place.into(), entry.into()));
    }

    /// The entry that a place comes from, what the file calls otherwise included.
    pub(super) fn entry(&self, place: &str) -> String {
        let below = |start: &str| match place.strip_prefix(start) {
            Some(rest) if start.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']) => {
                Some(rest.to_owned())
            }
            _ => None,
        };
        let found =
            self.entries.iter().filter_map(|(start, entry)| Some((start.len(), entry, below(start)?)));
        match found.max_by_key(|(length, ..)| *length) {
            Some((0, entry, rest)) if !rest.is_empty() => format!("{entry}.{rest}"),
            Some((_, entry, rest)) => format!("{entry}{rest}"),
            None => place.to_owned(),
        }
    }

    /// A fault that the registry or the schema found in the document, at the entry of the file that caused it; none
    /// when a cloud said it.
    pub fn fault(&self, loc: &[Loc], message: &str) -> Option<ConfigFault> {
        let place = place(loc);
        let told = |start: &str| start.contains(FROM_THE_CLOUD) && place.starts_with(start);
        if place.contains(FROM_THE_CLOUD) && !self.entries.iter().any(|(start, _)| told(start)) {
            return None;
        }
        let issue = Issue { at: self.entry(&place), message: message.to_owned() };
        Some(self.source.fault(&issue, vec![self.provider.clone()]))
    }
}

/// `["body", "regions", 0, "name"]` as `regions[0].name`.
pub(crate) fn place(loc: &[Loc]) -> String {
    let mut place = String::new();
    for step in loc.iter().skip_while(|step| matches!(step, Loc::Key(key) if key == "body")) {
        match step {
            Loc::Key(key) if place.is_empty() => place.push_str(key),
            Loc::Key(key) => {
                place.push('.');
                place.push_str(key);
            }
            Loc::Index(index) => place.extend(["[", &index.to_string(), "]"]),
        }
    }
    place
}
