"""Two sets of things side by side: what a cloud's own client lists, and what the registry answers."""


def differences(kind, cloud, registry):
    """Every difference between two {key: {field: value}}, one sentence each; nothing when they are equal.

    Both directions: what is missing, what is too much, and each field of what both have, fields that only one has included.
    """
    said = []
    for key in sorted(cloud.keys() - registry.keys()):
        said.append(f"{kind} {named(key)}: the cloud has it, the registry does not")
    for key in sorted(registry.keys() - cloud.keys()):
        said.append(f"{kind} {named(key)}: the registry has it, the cloud does not")
    for key in sorted(cloud.keys() & registry.keys()):
        ours, theirs = registry[key], cloud[key]
        for field in sorted(ours.keys() | theirs.keys()):
            if field not in theirs:
                said.append(f"{kind} {named(key)}: {field} is {ours[field]!r} in the registry, and nothing says what it should be")
            elif field not in ours:
                said.append(f"{kind} {named(key)}: {field} should be {theirs[field]!r}, the registry has no such field")
            elif type(ours[field]) is not type(theirs[field]) or ours[field] != theirs[field]:
                said.append(f"{kind} {named(key)}: {field} is {ours[field]!r} in the registry and {theirs[field]!r} in the cloud")
    return said


def named(key):
    return " / ".join(key) if isinstance(key, tuple) else str(key)


class Comparison:
    """Collects the outcome of many comparisons; a comparison of nothing with nothing is a fault of its own."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, title, cloud, registry, may_be_empty=()):
        """`cloud` and `registry`: {kind: {key: {field: value}}} of one provider."""
        said = self.differences(cloud, registry, may_be_empty)
        self.note(title, said, ", ".join(f"{len(cloud[kind])} {kind}" for kind in sorted(cloud)))

    @staticmethod
    def differences(cloud, registry, may_be_empty=()):
        said = [f"{kind}: only one side knows this kind" for kind in sorted(cloud.keys() ^ registry.keys())]
        for kind in sorted(cloud.keys() & registry.keys()):
            said += differences(kind, cloud[kind], registry[kind])
            if not cloud[kind] and kind not in may_be_empty:
                said.append(f"{kind}: nothing to compare, the lab should have some")
        return said

    def note(self, title, said, detail=""):
        if said:
            self.failed += 1
            print(f"FAILED {title}", flush=True)
            for line in said:
                print(f"    {line}", flush=True)
        else:
            self.passed += 1
            print(f"ok     {title}" + (f": {detail}" if detail else ""), flush=True)

    def end(self):
        """The summary line; the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0
