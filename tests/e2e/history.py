"""A history of events at one cloud while registry and feeder go on: after each one run, and everything that the registry shows against the rules.

What should be shown is what independent code reads of the cloud now, and of what cannot be read what was shown before (rules.kept); beside
that the provider's status, each stale scope with class, reason and times, what is offered beyond v1, what user groups are shown, and the record of the run.
"""
import signal
import sys
import time

from comparison import Comparison
from rules import covers, is_unknown, kept, scopes

signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # so that what was changed is taken back
SHARING = ("flavors", "images", "networks")
# lists of the offer by the service that tells them; None: those of the catalog
OFFER = {"openstack": {"compute": {"compute_quotas", "compute_zones"}, "network": {"network_quotas", "network_zones"},
                       "block-storage": {"block_storage_quotas", "block_storage_zones", "volume_types"}, None: {"services", "unified_limits"}},
         "kubernetes": {None: {"resource_quotas", "storage_classes", "zones"}}}


class History:
    """`read(unknown)`: what the registry should show of the cloud, but for unknown scopes; `groups`: {user group: project}."""

    def __init__(self, registry, name, kind, read, groups, may_be_empty=()):
        self.registry, self.name, self.kind, self.read, self.groups, self.may_be_empty = registry, name, kind, read, groups, may_be_empty
        self.checks = Comparison()
        self.first, self.said, self.unknown, self.attempted, self.stale = None, None, {}, None, {}

    def happens(self, event, unknown=(), says=(), offer=None):
        """One run after an event. `unknown`: {scope: class of the failure}; `says`: words of every reason; `offer`: the lists of the offer that are
        stale by that, when these are others than its services' own."""
        unknown, began, self.own_offer = dict(unknown), time.monotonic(), offer
        record = self.registry.run()
        self.ran = time.monotonic()
        took = self.ran - began
        now = self.read(unknown)
        said = kept(self.said, now, unknown) if self.said else now
        if "zones" in said:  # a list of the offer
            said["zones"] = self.said["zones"] if self.said and self.stale_offer("default", unknown) & {"zones"} else now["zones"]
        faults = [] if (said, unknown) != (self.said, self.unknown) else ["nothing happened: the cloud reads as before, and as much of it"]
        changed = self.changed(said)
        self.said, self.unknown, self.first = said, unknown, self.first or said
        uid = self.registry.registry.uid(self.name, self.kind)
        shown = self.registry.registry.provider(self.name, self.kind, storage_classes=self.kind == "kubernetes")
        if "zones" in said:
            zones = self.registry.registry.get(f"providers/{uid}/offer").get("default", {}).get("zones", {"items": []})["items"]
            shown["zones"] = {(str(zone.get("region")), str(zone.get("zone"))): zone for zone in zones}
        faults += self.checks.differences(said, shown, self.may_be_empty)
        faults += self.freshness(uid, says) + self.group_views(uid) + self.records(record, says)
        self.checks.note(event, faults, f"{changed}; {self.shown()}; {took:.1f} s, {time.monotonic() - began:.1f} s with the comparison")

    def returns(self, event):
        """One more run, after which all is as it was after the first."""
        self.happens(event)
        self.checks.note("the lab is as it was", self.checks.differences(self.first, self.said, self.may_be_empty))

    def changed(self, said):
        """What is other than before, in short."""
        if not self.said:
            return ", ".join(f"{len(said[kind])} {kind}" for kind in sorted(said) if said[kind])
        signs = []
        for kind in sorted(said):
            before, after = self.said[kind], said[kind]
            counts = (("+", len(after.keys() - before.keys())), ("-", len(before.keys() - after.keys())), ("~", sum(after[key] != before[key] for key in after.keys() & before.keys())))
            signs += [f"{sign}{count} {kind}" for sign, count in counts if count]
        return ", ".join(signs) or "all stays"

    def shown(self):
        classes = sorted(set(self.unknown.values()))
        return f"limited, {len(self.unknown)} scopes stale ({', '.join(classes)})" if classes else "active, all fresh"

    def freshness(self, uid, says):
        fresh = self.registry.registry.get(f"providers/{uid}/freshness")
        at, faults = fresh["attempted"], []
        wanted = {}
        for each, kind in self.unknown.items():
            covering = (stale for wide, stale in self.stale.items() if covers(wide, each))
            earlier = self.stale.get(each) or next(covering, None)
            last = self.attempted if self.was_fresh(each) else None
            wanted[each] = {"class": kind, "since": earlier["since"] if earlier else at, "attempted": at, "succeeded": earlier["succeeded"] if earlier else last}
        seen = {scope(entry): {part: entry.get(part) for part in ("class", "since", "attempted", "succeeded")} for entry in fresh["stale"]}
        faults += self.checks.differences({"stale scopes": texts(wanted)}, {"stale scopes": texts(seen)}, {"stale scopes"})
        faults += unsaid(fresh["stale"], says)
        status = "limited" if self.unknown else "active"
        faults += [f"status is {fresh['status']}, not {status}"] if fresh["status"] != status else []
        every = {each: {"state": "stale" if is_unknown(self.unknown, *each) else "fresh"} for each in scopes(self.said)}
        listed = {scope(entry): {"state": entry["state"]} for entry in fresh["scopes"]}
        faults += self.checks.differences({"scopes": texts(every)}, {"scopes": texts(listed)})
        self.stale, self.attempted = wanted, at
        return faults + self.offer(uid)

    def was_fresh(self, each):
        """Whether a scope was so at the last run."""
        return self.attempted is not None and not any(covers(wide, each) for wide in self.stale)

    def offer(self, uid):
        """Which lists of the offer are stale, and that they have what was read last: a list that one project could not read is so as a whole."""
        faults = []
        for region, lists in self.registry.registry.get(f"providers/{uid}/offer").items():
            stale = {name for name, each in lists.items() if each["stale"]}
            wanted = self.stale_offer(region, self.unknown) & lists.keys()
            faults += [f"offer of {region}: stale are {sorted(stale)}, not {sorted(wanted)}"] if stale != wanted else []
            faults += [f"offer of {region}: {name} has no items" for name, each in lists.items() if each["items"] is None]
        return faults

    def stale_offer(self, region, unknown):
        if self.own_offer is not None:
            return set(self.own_offer)
        of_service, wanted = OFFER[self.kind], set()
        for where, _, service, name in unknown:
            if where == region and service is None:
                return set().union(*of_service.values())
            if where == region and name == "quotas":
                wanted |= of_service.get(service, set())
        return wanted

    def group_views(self, uid):
        """Each group is shown what its project may use, and nothing else."""
        faults, shown = [], self.registry.registry.groups(uid)
        for group, project in self.groups.items():
            for kind in SHARING:
                wanted = {key[2] for key, item in self.said[kind].items() if item["is_shared"] or project in item["projects"]}
                other = wanted ^ shown.get(group, {}).get(kind, set())
                faults += [f"user group {group}: {kind} {sorted(other)} are shown and should not be, or the other way round"] if other else []
        return faults + [f"user groups: {sorted(shown)}, not {sorted(self.groups)}"] * (set(shown) != set(self.groups))

    def records(self, record, says):
        """The record of the run names every failure, and calls the run failed when there is one."""
        told = next(each for each in record["providers"] if each["name"] == self.name)
        faults = [f"the record calls the run failed: {record['failed']}"] if record["failed"] != bool(self.unknown) else []
        unread = {scope(entry): {"class": entry["class"]} for entry in told["unread"]}
        faults += self.checks.differences({"unread": texts({each: {"class": kind} for each, kind in self.unknown.items()})}, {"unread": texts(unread)}, {"unread"})
        return faults + unsaid(told["unread"], says)


def scope(entry):
    return tuple(entry.get(part) for part in ("region", "project", "service", "list"))


def texts(items):
    """Keys as the comparison prints them."""
    return {tuple(str(part or "all") for part in key): fields for key, fields in items.items()}


def unsaid(entries, says):
    return [f"the reason of {scope(entry)} does not say {word!r}: {entry['reason']}" for entry in entries for word in says if word not in entry["reason"]]
