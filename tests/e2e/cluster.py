"""What a Kubernetes cluster holds, read from its raw API as its administrator, and what the registry should say of it.

The numbers are computed with exact fractions, apart from the feeder: CPUs in CPUs, memory and storage in GiB, limits rounded down, usage up.
"""
import json
import ssl
import time
import urllib.error
import urllib.request
from math import ceil, floor

from fedreg import register
from quantity import quantity

GIB = 2**30
CLASS = ".storageclass.storage.k8s.io/"
DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
CLAIMS = {"requests.storage": ("storage", GIB), "persistentvolumeclaims": ("pvcs", 1)}
KEYS = {  # key of a resource quota: quota type, field, unit
    "cpu": ("compute", "requests_cpu", 1), "requests.cpu": ("compute", "requests_cpu", 1), "limits.cpu": ("compute", "limits_cpu", 1),
    "memory": ("compute", "requests_memory", GIB), "requests.memory": ("compute", "requests_memory", GIB), "limits.memory": ("compute", "limits_memory", GIB),
    "pods": ("compute", "pods", 1), "count/pods": ("compute", "pods", 1), "requests.nvidia.com/gpu": ("compute", ("gpus", "nvidia.com/gpu"), 1),
    "requests.storage": ("block-storage", "storage", GIB),
    "persistentvolumeclaims": ("block-storage", "pvcs", 1), "count/persistentvolumeclaims": ("block-storage", "pvcs", 1),
    "ephemeral-storage": ("block-storage", "requests_ephemeral_storage", GIB), "requests.ephemeral-storage": ("block-storage", "requests_ephemeral_storage", GIB),
    "limits.ephemeral-storage": ("block-storage", "limits_ephemeral_storage", GIB),
}
FIELDS = {
    "compute": ("cores", "instances", "ram", "limits_cpu", "requests_cpu", "limits_memory", "requests_memory", "pods", "gpus"),
    "block-storage": ("gigabytes", "per_volume_gigabytes", "volumes", "pvcs", "storage", "requests_ephemeral_storage", "limits_ephemeral_storage"),
    "storageclass": ("pvcs", "storage"),
}


class Api:
    """The cluster's API as its administrator, or with another token."""

    def __init__(self, env, token=None):
        self.url = env["KUBERNETES_URL"]
        self.token = register("kubernetes", token or open(env["KUBERNETES_ADMIN_TOKEN_FILE"]).read().strip())
        tls = ssl.create_default_context(cafile=env["KUBERNETES_CA"])
        self.web = urllib.request.build_opener(urllib.request.HTTPSHandler(context=tls), urllib.request.ProxyHandler({}))

    def status(self, path):
        """The status of a request."""
        try:
            self.send(path)
            return 200
        except urllib.error.HTTPError as error:
            return error.code

    def send(self, path, method="GET", body=None, kind="application/json"):
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind})
        with self.web.open(request, timeout=20) as answer:
            return json.load(answer)

    def call(self, path, method="GET", body=None, kind="application/json"):
        try:
            return self.send(path, method, body, kind)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.code} {error.read().decode(errors='replace')[:600]}") from None

    def until(self, what, holds, seconds=30):
        """Waits for what the cluster's controllers do in a moment."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise SystemExit(f"{what}: not within {seconds} s")
            time.sleep(0.1)

    def exists(self, path):
        return self.status(path) == 200

    def apply(self, path, body):
        """Server-side apply: makes it, or makes it so."""
        return self.call(f"{path}?fieldManager=comparison&force=true", "PATCH", body, "application/apply-patch+yaml")


class ServiceAccount:
    """A service account that may read what the feeder reads of its namespace, as long as the block lasts."""

    RBAC = "/apis/rbac.authorization.k8s.io/v1"

    def __init__(self, api, namespace, name):
        self.api, self.namespace, self.name = api, namespace, name
        self.path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        self.of_cluster, self.of_namespace = f"{self.RBAC}/clusterrolebindings/{name}", f"{self.RBAC}/namespaces/{namespace}/rolebindings/{name}"

    def __enter__(self):
        self.make()
        self.bind(self.of_cluster, "ClusterRoleBinding", "federation-cluster")
        self.bind(self.of_namespace, "RoleBinding", "federation-namespace")
        return self

    def __exit__(self, *_):
        for path in (self.of_cluster, self.of_namespace, self.path):
            if self.api.exists(path):
                self.api.call(path, "DELETE")

    def make(self):
        self.api.apply(self.path, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.name}})

    def bind(self, path, kind, role):
        subject = {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}
        self.api.apply(path, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": self.name}, "subjects": [subject],
                              "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}})

    def token(self):
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        return self.api.call(f"{self.path}/token", "POST", wanted)["status"]["token"]


def zones(api):
    """What the offer should say of the cluster's zones: nodes that are ready and take pods."""
    found = {}
    for node in api.call("/api/v1/nodes")["items"]:
        ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in node["status"].get("conditions", ()))
        if not ready or node["spec"].get("unschedulable"):
            continue
        labels, free = node["metadata"].get("labels", {}), node["status"].get("allocatable", {})
        region, zone = (labels.get(f"topology.kubernetes.io/{name}") for name in ("region", "zone"))
        sums = found.setdefault((str(region), str(zone)), {"nodes": 0, "cpus": 0, "memory": 0, "gpus": {}, "gpu_models": set()})
        sums |= {name: value for name, value in (("region", region), ("zone", zone)) if value}
        sums["nodes"] += 1
        sums["cpus"] += floor(quantity(free["cpu"]))
        sums["memory"] += floor(quantity(free["memory"]) / GIB)
        if "nvidia.com/gpu" in free:
            sums["gpus"]["nvidia.com/gpu"] = sums["gpus"].get("nvidia.com/gpu", 0) + floor(quantity(free["nvidia.com/gpu"]))
        sums["gpu_models"] |= {labels["nvidia.com/gpu.product"]} if "nvidia.com/gpu.product" in labels else set()
    return {key: {**sums, "gpu_models": sorted(sums["gpu_models"])} for key, sums in found.items()}


def limits(quotas):
    """{(type or storage class, field): (hard, used or None)} of one namespace: of several limits the smallest, with its own usage."""
    found = {}
    for item in quotas:
        spec, status = item.get("spec", {}), item.get("status", {})
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue  # limits some of the pods only
        for key, text in (status.get("hard") or spec.get("hard", {})).items():
            if CLASS in key:
                name, _, resource = key.rpartition(CLASS)
                place, (field, unit) = ("class", name), CLAIMS[resource]
            elif key in KEYS:
                place, field, unit = KEYS[key]
            else:
                continue
            used = status.get("used", {}).get(key)
            both = quantity(text) / unit, None if used is None else quantity(used) / unit
            if (place, field) not in found or both[0] < found[place, field][0]:
                found[place, field] = both
    return found


def quota(kind, place, found):
    """The limit and the usage quota of one place, as far as there is something to say."""
    own = {field: numbers for (where, field), numbers in found.items() if where == place}
    for use, pick in (("limit", lambda hard, used: floor(hard)), ("usage", lambda hard, used: None if used is None else ceil(used))):
        values = {field: pick(*numbers) for field, numbers in own.items()}
        values = {field: value for field, value in values.items() if value is not None}
        if values:
            gpus = {field[1]: value for field, value in values.items() if isinstance(field, tuple)}
            shown = {"description": "", "type": kind, **{field: values.get(field) for field in FIELDS[kind]}}
            yield use, {**shown, "gpus": gpus} if gpus else shown


def expected(api, url, namespaces, region="default"):
    """What the registry should answer of a provider whose `auth_url` is `url`."""
    compute, storage = f"{url}/v1", f"{url}/storage.k8s.io/v1"
    services = (("compute", "v1", compute), ("block-storage", "storage.k8s.io/v1", storage), ("identity", "v1", url))
    said = {
        "projects": {(name,): {"description": "", "name": name, "uuid": name} for name in namespaces},
        "regions": {(region,): {}},
        "services": {(region, kind, endpoint): {"description": "", "type": kind, "name": name, "endpoint": endpoint} for kind, name, endpoint in services},
        "flavors": {}, "images": {}, "networks": {}, "quotas": {}, "storage classes": {}, "storage class quotas": {},
    }
    classes = api.call("/apis/storage.k8s.io/v1/storageclasses")["items"]
    for item in classes:
        notes = item["metadata"].get("annotations", {})
        said["storage classes"][region, storage, item["metadata"]["name"]] = {
            "description": "", "name": item["metadata"]["name"], "provisioner": item["provisioner"], "is_default": any(notes.get(key) == "true" for key in DEFAULT)}
    for name in namespaces:
        api.call(f"/api/v1/namespaces/{name}")
        found = limits(api.call(f"/api/v1/namespaces/{name}/resourcequotas")["items"])
        for kind, endpoint in (("compute", compute), ("block-storage", storage)):
            for use, fields in quota(kind, kind, found):
                said["quotas"][region, endpoint, kind, name, use] = fields
        for item in classes:
            for use, fields in quota("storageclass", ("class", item["metadata"]["name"]), found):
                said["storage class quotas"][region, storage, item["metadata"]["name"], name, use] = fields
    return said
