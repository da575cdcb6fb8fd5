//! Documents that the registry keeps beside the graph, in the same revisions: written by the same change sets, so that
//! other replicas follow them and two writers cannot both win.

use crate::graph::change::Note;
use serde_json::Value as Json;
use std::{ops::Bound, sync::Arc};

/// All notes by their path; a copy shares what did not change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notes(imbl::OrdMap<Arc<str>, Arc<Json>>);

impl Notes {
    /// With these changes.
    pub fn apply(&self, changes: &[Note]) -> Self {
        let mut next = self.clone();
        for Note { key, value } in changes {
            match value {
                Some(value) => next.0.insert(key.as_str().into(), Arc::new(value.clone())),
                None => next.0.remove(key.as_str()),
            };
        }
        next
    }

    /// What a path says.
    pub fn get(&self, key: &str) -> Option<&Arc<Json>> {
        self.0.get(key)
    }

    /// All whose paths begin so, in order of their paths.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl DoubleEndedIterator<Item = (&'a str, &'a Arc<Json>)> {
        let end = prefix.char_indices().next_back().map_or(Bound::Unbounded, |(place, last)| {
            let next = char::from_u32(u32::from(last) + 1).unwrap_or(char::MAX);
            Bound::Excluded(Arc::from(format!("{}{next}", &prefix[..place])))
        });
        let range = (Bound::Included(Arc::from(prefix)), end);
        self.0.range::<_, Arc<str>>(range).map(|(key, value)| (&**key, value))
    }

    /// All of them, in order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = Note> + '_ {
        self.0.iter().map(|(key, value)| Note { key: key.to_string(), value: Some((**value).clone()) })
    }
}

impl FromIterator<Note> for Notes {
    fn from_iter<I: IntoIterator<Item = Note>>(notes: I) -> Self {
        Self::default().apply(&notes.into_iter().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn notes_are_found_by_path_and_by_its_beginning() {
        let note =
            |key: &str, value: Option<i32>| Note { key: key.to_owned(), value: value.map(|n| json!(n)) };
        let first: Notes =
            ["runs/2", "runs/1", "run", "runs0", "lease"].map(|key| note(key, Some(1))).into_iter().collect();
        let keys = |notes: &Notes, prefix: &str| -> Vec<String> {
            notes.under(prefix).map(|(key, _)| key.to_owned()).collect()
        };
        assert_eq!(keys(&first, "runs/"), ["runs/1", "runs/2"]);
        assert_eq!(keys(&first, "").len(), 5);
        let second = first.apply(&[note("runs/1", None), note("runs/3", Some(3))]);
        assert_eq!(keys(&second, "runs/"), ["runs/2", "runs/3"]);
        assert_eq!(second.get("runs/3").map(|value| value.as_i64()), Some(Some(3)));
        assert_eq!(keys(&first, "runs/"), ["runs/1", "runs/2"], "the earlier one stays as it was");
        assert_eq!(second.iter().collect::<Notes>(), second);
    }
}
