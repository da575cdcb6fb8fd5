"""What the registry shows when not everything could be read (docs/decisions/unknown-is-kept.md), computed apart from the program.

A scope is (region, project, service type or None, list or None): None stands for all of them.
"""

SHARING = {"flavors": ("compute", "flavors"), "images": ("compute", "images"), "networks": ("network", "networks")}
LISTS = {"compute": ("flavors", "images", "quotas"), "network": ("networks", "quotas"), "block-storage": ("quotas", "storage_classes"), "object-store": ("quotas",), "identity": ()}


def covers(wide, scope):
    return wide[:2] == scope[:2] and all(part is None or part == other for part, other in zip(wide[2:], scope[2:], strict=True))


def is_unknown(unknown, *scope):
    return any(covers(wide, scope) for wide in unknown)


def scopes(said):
    """All scopes of a provider that is shown so."""
    return {(region, project, kind, name) for region, kind, _ in said["services"] for (project,) in said["projects"] for name in LISTS[kind]}


def kept(before, now, unknown):
    """`before`: what was shown; `now`: what was read, without the unknown scopes; {kind: {key: {field: value}}} both.

    Through an unknown scope a project sees exactly what it saw before; all else is what was read.
    """
    projects = {project for (project,) in before["projects"] | now["projects"]}
    unread = lambda region, *what: {project for project in projects if is_unknown(unknown, region, project, *what)}
    after = {kind: dict(items) for kind, items in now.items()}
    for kind in ("projects", "regions"):  # the provider file names them
        after[kind] = {**before[kind], **now[kind]}
    for key, item in before["services"].items():  # the identity service is the provider file's, too
        if key[1] == "identity" or unread(key[0], None, None):
            after["services"].setdefault(key, item)
    for kind, (service, name) in SHARING.items():
        for key, item in before[kind].items():
            holders = unread(key[0], service, name)
            holding = holders if item["is_shared"] else holders & set(item["projects"])
            if not holding:
                continue
            present = after[kind].get(key)
            if present is None:
                everybody = item["is_shared"] and holders == projects
                after[kind][key] = {**item, "is_shared": everybody, "projects": [] if everybody else sorted(holding)}
            elif not present["is_shared"]:
                after[kind][key] = {**present, "projects": sorted(holding | set(present["projects"]))}
    quotas = [("quotas", lambda key: (key[0], key[3], key[2], "quotas"))]
    if "storage classes" in before:
        for key, item in before["storage classes"].items():
            if unread(key[0], "block-storage", "storage_classes"):
                after["storage classes"].setdefault(key, item)
        quotas.append(("storage class quotas", lambda key: (key[0], key[3], "block-storage", "storage_classes")))
    for kind, scope in quotas:
        read = {key: item for key, item in now[kind].items() if not is_unknown(unknown, *scope(key))}
        after[kind] = {**read, **{key: item for key, item in before[kind].items() if is_unknown(unknown, *scope(key))}}
    return after
