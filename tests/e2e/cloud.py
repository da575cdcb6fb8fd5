"""What the registry should say of an OpenStack cloud, made from what OpenStack's own client lists (openstack_client.listing)."""

SERVICES = {  # type in the catalog: type and name in the registry
    "compute": ("compute", "org.openstack.nova"),
    "network": ("network", "org.openstack.neutron"),
    "volumev3": ("block-storage", "org.openstack.cinder"),
    "block-storage": ("block-storage", "org.openstack.cinder"),
    "identity": ("identity", "org.openstack.keystone"),
    "object-store": ("object-store", "org.openstack.swift"),
    "s3": ("object-store", "org.openstack.swift-s3"),
}
OS_TYPES = {"linux": "Linux", "windows": "Windows", "macos": "MacOS"}
# field of the registry: column of `quota show`, row of `quota list --detail`
COMPUTE = {"cores": ("cores", "cores"), "instances": ("instances", "instances"), "ram": ("ram", "ram")}
NETWORK = {"public_ips": ("floating-ips", "floating_ips"), "networks": ("networks", "networks"), "ports": ("ports", "ports"),
           "security_groups": ("secgroups", "security_groups"), "security_group_rules": ("secgroup-rules", "security_group_rules")}
BLOCK_STORAGE = {"gigabytes": "gigabytes", "volumes": "volumes", "per_volume_gigabytes": "per-volume-gigabytes"}
OF_KUBERNETES = {"compute": ("limits_cpu", "requests_cpu", "limits_memory", "requests_memory", "pods", "gpus"),
                 "block-storage": ("pvcs", "storage", "requests_ephemeral_storage", "limits_ephemeral_storage")}


def is_true(text):
    return str(text).lower() == "true"


def flavor(shown, projects):
    """One flavor of `flavor show`. The GPU's model and vendor mean something only where there is one."""
    extra = shown["properties"]
    gpus = int(extra.get("gpu_number", 0))
    own = {
        "name": shown["name"], "uuid": shown["id"], "description": shown["description"] or "",
        "vcpus": shown["vcpus"], "ram": shown["ram"], "disk": shown["disk"], "swap": shown["swap"] or 0, "ephemeral": shown["OS-FLV-EXT-DATA:ephemeral"],
        "gpus": gpus, "gpu_model": extra.get("gpu_model") if gpus else None, "gpu_vendor": extra.get("gpu_vendor") if gpus else None,
        "infiniband": is_true(extra.get("infiniband")), "local_storage": extra.get("aggregate_instance_extra_specs:local_storage"),
    }
    is_shared = shown["os-flavor-access:is_public"]
    return {**own, "is_shared": is_shared, "projects": [] if is_shared else sorted(set(shown["access_project_ids"]) & set(projects))}


def image(shown, listed_by):
    """One image of `image show`; `listed_by`: the projects that list it."""
    extra = shown["properties"]
    is_shared = shown["visibility"] in ("public", "community")
    return {
        "name": shown["name"], "uuid": shown["id"], "description": shown.get("description") or extra.get("description") or "",
        "os_type": OS_TYPES.get(extra.get("os_type", "").lower()), "os_distro": extra.get("os_distro"), "os_version": extra.get("os_version"),
        "architecture": extra.get("architecture"), "kernel_id": extra.get("kernel_id"),
        "cuda_support": is_true(extra.get("cuda_support")), "gpu_driver": is_true(extra.get("gpu_driver")),
        "created_at": shown["created_at"].replace("Z", "+00:00"), "tags": sorted(shown["tags"]),
        "is_shared": is_shared, "projects": [] if is_shared else sorted(listed_by),
    }


def network(shown, listed_by, is_default):
    """One network of `network show`."""
    is_shared = shown["shared"]
    return {
        "name": shown["name"], "uuid": shown["id"], "description": shown["description"] or "", "mtu": shown["mtu"],
        "is_router_external": shown["router:external"], "is_default": is_default, "proxy_host": None, "proxy_user": None, "tags": sorted(shown["tags"]),
        "is_shared": is_shared, "projects": [] if is_shared else sorted(listed_by),
    }


def quotas(seen):
    """Type, use and fields of each quota of one project in one region. -1 is unlimited: v1 shows it as null for compute, as -1 elsewhere."""
    limits = seen["limits"]
    closed = lambda value: None if value == -1 else value
    gigabytes = sum(item["Size"] for item in seen["volumes"] + seen["snapshots"])
    yield "compute", "limit", {field: closed(limits[column]) for field, (column, _) in COMPUTE.items()}
    yield "compute", "usage", {field: seen["compute usage"][row] for field, (_, row) in COMPUTE.items()}
    yield "network", "limit", {field: limits[column] for field, (column, _) in NETWORK.items()}
    yield "network", "usage", {field: seen["network usage"][row] for field, (_, row) in NETWORK.items()}
    yield "block-storage", "limit", {field: limits[column] for field, column in BLOCK_STORAGE.items()}
    yield "block-storage", "usage", {"gigabytes": gigabytes, "volumes": len(seen["volumes"]), "per_volume_gigabytes": 0}
    if account := seen["account"]:
        most = lambda value: min(int(value), 2**31 - 1)  # what a number of v1 can say
        yield "object-store", "limit", {"bytes": most(account.get("properties", {}).get("Quota-Bytes", -1)), "containers": -1, "objects": -1}
        yield "object-store", "usage", {"bytes": most(account["Bytes"]), "containers": int(account["Containers"]), "objects": int(account["Objects"])}


def endpoints(seen, region, project_id):
    """Type and name of each service of the region by its public endpoint, without the project's id at its end."""
    for service in seen["catalog"]:
        if service["Type"] in SERVICES:
            for endpoint in service["Endpoints"]:
                if (endpoint["interface"], endpoint["region_id"]) == ("public", region):
                    yield endpoint["url"].removesuffix("/" + project_id).removesuffix("/AUTH_" + project_id), SERVICES[service["Type"]]


def expected(listings, default_networks=frozenset(), projects=frozenset()):
    """`listings`: {(region, project): listing}; `default_networks`: names; `projects`: those of the federation, when not all are listed."""
    said = {kind: {} for kind in ("projects", "regions", "services", "flavors", "images", "networks", "quotas")}
    projects = projects or {project for _, project in listings}
    for (region, project), seen in listings.items():
        shown = seen["project"]
        said["projects"][(project,)] = {"name": shown["name"], "uuid": shown["id"], "description": shown["description"]}
        said["regions"][(region,)] = {}
        at = {}
        for endpoint, (kind, name) in endpoints(seen, region, project):
            at[kind] = endpoint
            said["services"][region, kind, endpoint] = {"description": "", "type": kind, "name": name, "endpoint": endpoint}
        listed_by = lambda kind, uuid: {who for (where, who), other in listings.items() if where == region and uuid in {item["id"] for item in other[kind]}}
        for item in seen["flavors"]:
            if not item["OS-FLV-DISABLED:disabled"]:
                said["flavors"][region, at["compute"], item["id"]] = flavor(item, projects)
        for item in seen["images"]:
            if item["status"] == "active":
                said["images"][region, at["compute"], item["id"]] = image(item, listed_by("images", item["id"]))
        for item in seen["networks"]:
            if item["status"] == "ACTIVE":
                said["networks"][region, at["network"], item["id"]] = network(item, listed_by("networks", item["id"]), item["name"] in default_networks)
        for kind, use, fields in quotas(seen):
            unused = dict.fromkeys(OF_KUBERNETES.get(kind, ()))
            said["quotas"][region, at[kind], kind, project, use] = {"description": "", "type": kind, **unused, **fields}
    return said
