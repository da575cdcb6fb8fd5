//! Quotas: the limits of a project, and what it uses.

use serde_json::{Map, Value};

use super::tolerant::whole;
use crate::reading::Item;

/// A quota set with its usage as two items of the document: `fields` pairs the cloud's names with the document's,
/// and `used` is the cloud's name of what is in use (`in_use`, `used`). -1 is unlimited, as the document allows it.
///
/// A service too old to tell the usage gives plain numbers: then there is a limit and no usage.
pub(super) fn items(
    project: &str,
    set: &Map<String, Value>,
    fields: &[(&str, &str)],
    used: &str,
) -> Vec<Item> {
    let limit = |value: &Value| whole(value.get("limit").unwrap_or(value)).map(|limit| limit.max(-1));
    let usage = |value: &Value| whole(value.get(used)?).map(|used| used.max(0));
    let values = |read: &dyn Fn(&Value) -> Option<i64>| -> Vec<_> {
        let value =
            |(theirs, ours): &(&str, &str)| Some((String::from(*ours), read(set.get(*theirs)?)?.into()));
        fields.iter().filter_map(value).collect()
    };
    [item(project, false, values(&limit)), item(project, true, values(&usage))]
        .into_iter()
        .flatten()
        .collect()
}

/// What a service says of quotas: as the document has them, and all of it.
#[derive(Debug, Clone)]
pub(super) struct Quotas {
    pub document: Vec<Item>,
    pub whole: Vec<Item>,
}

impl Quotas {
    /// See [`items`] and [`whole_set`].
    pub fn of(project: &str, set: &Map<String, Value>, fields: &[(&str, &str)], used: &str) -> Self {
        Self { document: items(project, set, fields, used), whole: whole_set(project, set, used) }
    }
}

/// A whole quota set with its usage, in the cloud's own names: what v1 has no field for.
pub(super) fn whole_set(project: &str, set: &Map<String, Value>, used: &str) -> Vec<Item> {
    let fields: Vec<_> = set
        .iter()
        .filter(|(name, _)| *name != "id")
        .map(|(name, _)| (name.as_str(), name.as_str()))
        .collect();
    items(project, set, &fields, used)
}

/// One quota; none when it says nothing.
pub(super) fn item(project: &str, usage: bool, values: Vec<(String, Value)>) -> Option<Item> {
    let head = [("project".to_owned(), project.into()), ("usage".to_owned(), Value::Bool(usage))];
    (!values.is_empty()).then(|| head.into_iter().chain(values).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(set: &Value) -> Value {
        items("p", set.as_object().unwrap(), &[("cores", "cores"), ("floatingip", "public_ips")], "in_use")
            .into()
    }

    #[test]
    fn limits_and_usage() {
        let set = json!({"cores": {"limit": -1, "in_use": 6, "reserved": 1}, "floatingip": {"limit": 20, "in_use": -1}});
        let expected = json!([
            {"project": "p", "usage": false, "cores": -1, "public_ips": 20},
            {"project": "p", "usage": true, "cores": 6, "public_ips": 0},
        ]);
        assert_eq!(shown(&set), expected);
    }

    #[test]
    fn plain_numbers_are_limits_without_usage() {
        assert_eq!(shown(&json!({"cores": 5})), json!([{"project": "p", "usage": false, "cores": 5}]));
        assert_eq!(shown(&json!({})), json!([]));
    }
}
