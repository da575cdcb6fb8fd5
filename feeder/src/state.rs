//! What a feeder remembers from run to run. A new one starts without and reads everything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clouds::Commons;
use crate::inventory::{Inventory, Provider, ProviderKey};
use crate::messages::{self, MessagesError, Messenger};
use crate::order::{Order, Trigger};
use crate::report::{Outcome, Report};
use crate::settings::{Intervals, Settings};

/// The lists that can have an interval of their own.
pub const LISTS: [&str; 5] = ["flavors", "images", "networks", "quotas", "storage_classes"];

/// See the module.
#[derive(Default)]
pub struct State {
    /// What readers keep: which sites failed, tokens.
    pub commons: Commons,
    /// The providers as the files last described them without fault.
    good: Mutex<Vec<Provider>>,
    /// When each list of each provider was last read whole.
    read: Mutex<HashMap<(ProviderKey, &'static str), Instant>>,
    /// Who sends messages, and by which settings.
    messenger: Mutex<Option<(messages::Settings, Arc<Messenger>)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Who sends the messages of a run: the one of the runs before, unless the settings changed; nobody in a dry run.
    pub fn messenger(&self, settings: &Settings) -> Result<Option<Arc<Messenger>>, MessagesError> {
        let Some(wanted) = settings.kafka.as_ref().filter(|_| !settings.dry_run) else { return Ok(None) };
        let mut known = locked(&self.messenger);
        if let Some((_, messenger)) = known.as_ref().filter(|(settings, _)| settings == wanted) {
            return Ok(Some(Arc::clone(messenger)));
        }
        let messenger = Arc::new(Messenger::start(wanted)?);
        *known = Some((wanted.clone(), Arc::clone(&messenger)));
        Ok(Some(messenger))
    }

    /// The files as they are; where they have faults, with the last good description of what they lost by that.
    pub fn complete(&self, mut inventory: Inventory) -> Inventory {
        let mut good = locked(&self.good);
        if inventory.is_complete() {
            good.clone_from(&inventory.providers);
            return inventory;
        }
        for provider in &inventory.providers {
            match good.iter_mut().find(|known| known.key == provider.key) {
                Some(known) => *known = provider.clone(),
                None => good.push(provider.clone()),
            }
        }
        let known = |key: &ProviderKey| inventory.providers.iter().any(|provider| provider.key == *key);
        let lost: Vec<Provider> = good.iter().filter(|provider| !known(&provider.key)).cloned().collect();
        inventory.faulty.retain(|key| !lost.iter().any(|provider| provider.key == *key));
        inventory.providers.extend(lost);
        inventory
    }

    /// Leaves out of a scheduled run what is not due. All other runs read everything.
    pub fn due(&self, order: &mut Order, inventory: &Inventory, intervals: &Intervals, now: Instant) {
        if order.trigger != Trigger::Schedule || intervals.is_empty() {
            return;
        }
        let read = locked(&self.read);
        for Provider { key, .. } in &inventory.providers {
            let own = intervals.of_provider(&key.name);
            let due = |list: &&&'static str| {
                let wanted = own.max(intervals.of_list(list));
                // a little early is in time: runs do not start to the second
                let is_due = |at: &Instant| now.duration_since(*at) >= wanted.mul_f64(0.95);
                read.get(&(key.clone(), **list)).is_none_or(is_due)
            };
            let due: Vec<&'static str> = LISTS.iter().filter(due).copied().collect();
            if due.is_empty() {
                order.resting.push(key.clone());
            } else if due.len() < LISTS.len() {
                order.asked.insert(key.clone(), due);
            }
        }
    }

    /// Remembers what a run read whole.
    pub fn remember(&self, report: &Report, order: &Order, began: Instant) {
        let mut read = locked(&self.read);
        for provider in &report.providers {
            if matches!(provider.outcome, Outcome::Failed | Outcome::Skipped) {
                continue;
            }
            let unread = |list: &str| {
                provider.unread.iter().any(|unread| unread.list.as_ref().is_none_or(|of| of.name == list))
            };
            let asked = order.asked.get(&provider.key).map_or(&LISTS[..], Vec::as_slice);
            for list in asked.iter().filter(|list| !unread(list)) {
                read.insert((provider.key.clone(), list), began);
            }
        }
    }
}

impl Intervals {
    /// Whether all is read at each run.
    pub fn is_empty(&self) -> bool {
        self.providers.is_empty() && self.lists.is_empty()
    }

    fn of_provider(&self, name: &str) -> Duration {
        Duration::from_secs(self.providers.get(name).copied().unwrap_or_default())
    }

    fn of_list(&self, list: &str) -> Duration {
        Duration::from_secs(self.lists.get(list).copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_is_not_due_is_not_asked_for() {
        let state = State::default();
        let inventory = testing::inventory(&testing::file(&["often", "seldom"], 1, 1));
        let intervals: Intervals = serde_json::from_str(
            r#"{"providers": {"seldom": 3600}, "lists": {"flavors": 1800, "images": 1800, "networks": 1800, "storage_classes": 1800}}"#,
        )
        .unwrap();
        let (often, seldom) = (inventory.providers[0].key.clone(), inventory.providers[1].key.clone());
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_mins(minutes);
        let order = |minutes| {
            let mut order = Order { trigger: Trigger::Schedule, ..Order::default() };
            state.due(&mut order, &inventory, &intervals, at(minutes));
            order
        };
        assert!(order(0).asked.is_empty() && order(0).resting.is_empty(), "a new feeder reads everything");
        let mut report = testing::report(&[&often, &seldom]);
        state.remember(&report, &order(0), at(0));
        assert_eq!(order(10).resting, *std::slice::from_ref(&seldom));
        assert_eq!(order(10).asked[&often], ["quotas"]);
        assert!(!order(31).asked.contains_key(&often), "half an hour later all lists are due");
        assert_eq!(order(31).resting, *std::slice::from_ref(&seldom));
        assert!(order(58).resting.is_empty(), "a little early is in time");

        report.providers[0].unread = vec![testing::unread("images")];
        state.remember(&report, &order(31), at(31));
        assert_eq!(
            order(41).asked[&often],
            ["images", "quotas"],
            "what could not be read is tried at the next run"
        );
        let mut now = Order { trigger: Trigger::Request, ..Order::default() };
        state.due(&mut now, &inventory, &intervals, at(41));
        assert!(now.asked.is_empty() && now.resting.is_empty(), "who asks for a run gets a whole one");
    }

    #[test]
    fn a_broken_file_is_ignored_and_the_last_good_one_goes_on() {
        let state = State::default();
        let names = |inventory: &Inventory| -> Vec<String> {
            inventory.providers.iter().map(|provider| provider.key.name.clone()).collect()
        };
        let good = || testing::inventory(&testing::file(&["a", "b"], 1, 1));
        state.complete(good());
        let mut broken = testing::inventory(&testing::file(&["a"], 1, 1));
        broken.faults = crate::inventory::load(std::path::Path::new("/nowhere")).faults;
        broken.faulty = vec![good().providers[1].key.clone()];
        let completed = state.complete(broken);
        assert_eq!(names(&completed), ["a", "b"]);
        assert!(completed.faulty.is_empty() && !completed.is_complete(), "and it is still told");
        let gone = testing::inventory(&testing::file(&["a"], 1, 1));
        assert_eq!(names(&state.complete(gone)), ["a"], "without faults the files are right");
    }
}
