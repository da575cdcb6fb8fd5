//! What may be removed from the registry: providers that the files no longer name, and only when the files were read
//! without any fault. A run that would remove more than a part of the federation stops and says so.

use crate::inventory::Inventory;
use crate::publish::Stored;
use crate::run::Plan;

/// What becomes of the providers that the files no longer name.
#[derive(Debug, PartialEq, Eq)]
pub enum Removal {
    /// These are removed; often none.
    Of(Vec<Stored>),
    /// None is removed; why, and how to do it all the same.
    Refused(String),
}

/// Decides what is removed of what the registry has.
pub fn removal(stored: &[Stored], inventory: &Inventory, plan: &Plan) -> Removal {
    let Plan { removal_limit: limit, confirm_removals: confirmed, order, .. } = plan;
    let (limit, confirmed) = (*limit, *confirmed);
    let named = |stored: &&Stored| {
        inventory.faulty.contains(&stored.key)
            || inventory.providers.iter().any(|provider| provider.key == stored.key)
    };
    let gone = stored.iter().filter(|stored| !named(stored) && !order.leaves_out(&stored.key));
    let gone: Vec<Stored> = gone.cloned().collect();
    if gone.is_empty() {
        return Removal::Of(gone);
    }
    let who: Vec<_> = gone.iter().map(|stored| stored.key.to_string()).collect();
    let who = who.join(", ");
    if !inventory.is_complete() {
        return Removal::Refused(format!(
            "not removed, because the provider files have faults and may have lost them by mistake: {who}"
        ));
    }
    #[expect(clippy::cast_precision_loss, reason = "a federation has far fewer than 2^52 providers")]
    let part = gone.len() as f64 / stored.len() as f64;
    if gone.len() > 1 && part > limit && !confirmed {
        return Removal::Refused(format!(
            "not removed, because {} of the registry's {} providers at once ({:.0} %) is more than `removal_limit` \
             ({:.0} %) allows: {who}. Is `providers` the right file or folder? When they shall go, run once with \
             `confirm_removals` set",
            gone.len(),
            stored.len(),
            part * 100.0,
            limit * 100.0,
        ));
    }
    Removal::Of(gone)
}

#[cfg(test)]
mod tests {
    use super::{Removal, removal};
    use crate::inventory::{Inventory, ProviderKey, ProviderKind};
    use crate::publish::Stored;
    use crate::testing;

    fn stored(names: &[&str]) -> Vec<Stored> {
        let key = |name: &str| ProviderKey { name: name.to_owned(), kind: ProviderKind::Openstack };
        names.iter().map(|name| Stored { uid: format!("uid-{name}"), key: key(name) }).collect()
    }

    fn inventory(names: &[&str]) -> Inventory {
        testing::inventory(&testing::file(names, 1, 1))
    }

    fn plan(removal_limit: f64, confirm_removals: bool) -> crate::run::Plan {
        crate::run::Plan { removal_limit, confirm_removals, ..testing::plan() }
    }

    #[test]
    fn what_is_no_longer_named_goes_one_at_a_time_and_up_to_the_limit() {
        let ten: Vec<_> = (0..10).map(|i| format!("s{i}")).collect();
        let ten: Vec<_> = ten.iter().map(String::as_str).collect();
        for (kept, removed) in [(10, Some(0)), (9, Some(1)), (7, Some(3)), (6, None)] {
            let decided = removal(&stored(&ten), &inventory(&ten[..kept]), &plan(0.3, false));
            match removed {
                Some(removed) => {
                    assert_eq!(decided, Removal::Of(stored(&ten[10 - removed..])), "{kept} kept");
                }
                None => assert!(matches!(decided, Removal::Refused(_)), "{kept} kept"),
            }
        }
        assert_eq!(
            removal(&stored(&ten), &inventory(&ten[..1]), &plan(0.3, true)),
            Removal::Of(stored(&ten[1..]))
        );
        assert_eq!(
            removal(&stored(&["a"]), &inventory(&["b"]), &plan(0.0, false)),
            Removal::Of(stored(&["a"]))
        );
    }

    #[test]
    fn a_fault_in_the_files_removes_nothing_confirmed_or_not() {
        let mut faulty = inventory(&["a"]);
        faulty.faults = crate::inventory::load(std::path::Path::new("/nowhere")).faults;
        assert!(matches!(removal(&stored(&["a", "b"]), &faulty, &plan(1.0, true)), Removal::Refused(_)));
        assert_eq!(removal(&stored(&["a"]), &faulty, &plan(1.0, true)), Removal::Of(vec![]));
    }

    #[test]
    fn the_same_name_with_another_technology_is_another_provider() {
        let mut other = stored(&["a"]);
        other[0].key.kind = ProviderKind::Kubernetes;
        assert_eq!(removal(&other, &inventory(&["a"]), &plan(0.3, false)), Removal::Of(other.clone()));
    }
}
