#!/usr/bin/env python3
"""A history of the Kubernetes lab while the feeder runs as a daemon: quotas come, change, tighten and go, the API server stops, rights are withdrawn,
a namespace and a service account are deleted, tokens end. After each event everything that the registry shows is compared with what the rules say.

The lab is left as it was, also after a failure.
"""
import contextlib
import os
import pathlib
import subprocess
import sys
import time

from cluster import Api, ServiceAccount, expected, zones
from federation import federation, trusted
from fedreg import REPOSITORY, lab
from history import History
from rules import is_unknown

NAME, REGION = "LAB", "default"
MARK = f"history-{os.getpid()}"  # what this test adds to the cluster; a namespace, too
NAMESPACES = ("alpha", "beta", "delta", MARK)  # alpha with a service account, the others with tokens of the cluster's issuer
AGREEMENTS = {name: f"11d0c1f4f4b14b2c9ce5ad4f1f2f0b{place:02}" for place, name in enumerate(NAMESPACES)}
QUOTAS = "/api/v1/namespaces/{}/resourcequotas/{}"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
MARKS = "storageclass.kubernetes.io/is-default-class"
LIFE = 4  # seconds that tokens of the cluster's issuer are good
RBAC = "/apis/rbac.authorization.k8s.io/v1"

env = lab("kubernetes")
home = pathlib.Path(env["KUBERNETES_CA"]).parent
api = Api(env)
url = env["KUBERNETES_URL"]
undo = contextlib.ExitStack()


# ---------------------------------------------------------------- the cluster
def read(unknown):
    readable = [name for name in NAMESPACES if not is_unknown(unknown, REGION, name, None, None)]
    said = expected(api, url, readable) if readable else {kind: {} for kind in history.said}
    return {**said, "zones": zones(api) if readable else {}}


def machine(script, *words):
    done = subprocess.run([REPOSITORY / "tests/lab/kubernetes" / script, home, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{script} {' '.join(words)}: {done.stdout}")


def resume():
    machine("up.sh")


def remove(path):
    """Deletes something, and waits until it is gone."""
    if api.exists(path):
        api.call(path, "DELETE")
        api.until(f"{path} is gone", lambda: not api.exists(path))


def quota(namespace, name, **hard):
    """Makes a quota, or makes it so; the controller fills in what is used."""
    path, hard = QUOTAS.format(namespace, name), {key.replace("_", "."): value for key, value in hard.items()}
    undo.callback(remove, path)
    api.apply(path, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": hard}})
    enforced(path)
    return path


def enforced(path):
    """Waits until what is asked for is what is enforced."""
    def holds():
        seen = api.call(path)
        return seen["status"].get("hard") == seen["spec"]["hard"] and seen["status"].get("used", {}).keys() == seen["spec"]["hard"].keys()
    api.until(f"{path} is enforced", holds)


def merge(path, body, kind="application/merge-patch+json"):
    return api.call(path, "PATCH", body, kind)


def default_class(name, value):
    merge(f"{CLASSES}/{name}", {"metadata": {"annotations": {MARKS: value}}})


def bound(namespace):
    """The feeder's group may read a namespace."""
    api.apply(f"{RBAC}/namespaces/{namespace}/rolebindings/federation", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "federation"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "federation-namespace"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "oidc:federation"}]})


def namespace():
    api.apply(f"/api/v1/namespaces/{MARK}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MARK}})
    bound(MARK)


def every(kind, *of):
    return {(REGION, name, None, None): kind for name in of}


last = contextlib.ExitStack()
last.callback(remove, f"/api/v1/namespaces/{MARK}")
with last, undo, ServiceAccount(api, "alpha", MARK) as account, federation(poll_seconds=1, run_at_start=False, limits={"retries": 1}) as registry:
    token_file = registry.folder / "alpha.token"
    token_file.write_text(account.token())
    namespace()
    short = {"client_credentials": {"client_id": "feeder", "client_secret": "any"}, "token_endpoint": env["KUBERNETES_TOKEN_URL"] + f"?ttl={LIFE}", "ca_path": env["KUBERNETES_CA"]}
    entry = {"name": NAME, "auth_url": url, "ca_path": env["KUBERNETES_CA"], "projects": [{"id": name, "sla": AGREEMENTS[name]} for name in NAMESPACES],
             "identity_providers": [{"endpoint": env["KUBERNETES_ISSUER"], "audience": env["KUBERNETES_AUDIENCE"]}]}
    entry["projects"][0]["auth"] = {"token_file": str(token_file)}
    registry.write([trusted(env["KUBERNETES_ISSUER"], short, **AGREEMENTS)], kubernetes=[entry])
    history = History(registry, NAME, "kubernetes", read, {name: name for name in NAMESPACES}, {"flavors", "images", "networks"})
    happens = history.happens
    with registry.feeding():
        happens("the first run")

        compute = QUOTAS.format("alpha", "compute")
        before = api.call(compute)["spec"]["hard"]
        undo.callback(lambda: (merge(compute, {"spec": {"hard": before}}), enforced(compute)))
        merge(compute, {"spec": {"hard": {"limits.cpu": "24500m", "requests.memory": "130Gi"}}})
        enforced(compute)
        more = quota("delta", MARK, pods="7", limits_cpu="1500m", **{f"ssd.storageclass.storage.k8s.io/requests.storage": "2Ti"})
        own = quota(MARK, "own", pods="3", requests_storage="5Gi")
        happens("a quota of alpha is changed, delta and a new namespace get one")

        tight = quota("beta", MARK, pods="9", limits_cpu="3", requests_memory="2Gi")
        remove(more)
        happens("a second quota tightens beta; that of delta is deleted")

        remove(tight)
        undo.callback(lambda: (default_class("standard", "true"), default_class("ssd", "false")))
        default_class("standard", "false")
        default_class("ssd", "true")
        undo.callback(remove, f"{CLASSES}/{MARK}")
        api.apply(f"{CLASSES}/{MARK}", {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": MARK}, "provisioner": "example.org/test"})
        happens("the tight quota is deleted, the mark of the default class moves, another class appears")

        node = "/api/v1/nodes/cpu-1"
        zone = lambda name: merge(node, {"metadata": {"labels": {"topology.kubernetes.io/zone": name}}})
        undo.callback(zone, "zone-a")
        zone("zone-c")
        undo.callback(merge, "/api/v1/nodes/gpu-333", {"spec": {"unschedulable": None}})
        merge("/api/v1/nodes/gpu-333", {"spec": {"unschedulable": True}})
        remove(f"{CLASSES}/{MARK}")
        happens("a node moves to another zone, one is cordoned; the new class is deleted")

        undo.callback(resume)
        machine("down.sh", "TERM", "server")
        happens("the API server is stopped", every("unreachable", *NAMESPACES), ["no connection"])
        resume()
        api.call(account.of_cluster, "DELETE")
        undo.callback(zone, "zone-a")
        zone("zone-b")
        merge(compute, {"spec": {"hard": {"limits.cpu": "25"}}})
        enforced(compute)
        happens("it is back; the service account may no longer read classes and nodes; a quota of alpha and a node's zone change",
                {(REGION, "alpha", "block-storage", "storage_classes"): "forbidden"}, ["storageclasses"], {"storage_classes", "zones"})

        account.bind(account.of_cluster, "ClusterRoleBinding", "federation-cluster")
        undo.callback(bound, "beta")
        remove(f"{RBAC}/namespaces/beta/rolebindings/federation")
        remove(QUOTAS.format("beta", "short"))
        undo.callback(subprocess.run, [sys.executable, REPOSITORY / "tests/lab/kubernetes/seed.py", home, url], check=True, stdout=subprocess.DEVNULL)
        happens("it may again; the feeder's group may no longer read quotas of beta, of which one is deleted", every("forbidden", "beta"), ["resourcequotas is forbidden"], {"resource_quotas"})

        bound("beta")
        remove(f"/api/v1/namespaces/{MARK}")
        happens("it may again; the new namespace is deleted", every("forbidden", MARK), ["resourcequotas is forbidden"], {"resource_quotas"})

        namespace()
        token = token_file.read_text()
        remove(account.path)
        api.until("the deleted account's token is refused", lambda: Api(env, token).status("/version") == 401)  # one that passed is remembered for 10 s
        happens("the namespace is there again, without quotas; the service account is deleted", every("unauthorized", "alpha"), ["the token was refused"])

        account.make()
        token_file.write_text(account.token())
        machine("down.sh", "TERM", "issuer")
        api.until("the last tokens of the issuer have ended", lambda: time.monotonic() > history.ran + LIFE)
        happens("it is made again, with a new token; the issuer is down", every("unauthorized", "beta", "delta", MARK), [env["KUBERNETES_ISSUER"], "no connection"])
        resume()
        undo.close()
        history.returns("everything is as it was at first")

sys.exit(history.checks.end())
