#!/usr/bin/env python3
"""Every quota, storage class, project and service of the Kubernetes lab in the registry, against the cluster's raw API.

Starts or finds the labs `kubernetes` and `oidc`, runs the registry and the feeder of the program under test against them, and compares both ways,
field by field: with a token of the cluster's issuer, and with one of a service account. Then the cluster is changed, and changed back.
"""
import contextlib
import json
import os
import sys
import urllib.parse

from cluster import Api, ServiceAccount, expected
from comparison import Comparison
from federation import federation, trusted
from fedreg import lab

AGREEMENTS = {"alpha": "11d0c1f4f4b14b2c9ce5ad4f1f2f0a01", "beta": "11d0c1f4f4b14b2c9ce5ad4f1f2f0a02", "delta": "11d0c1f4f4b14b2c9ce5ad4f1f2f0a03"}
MARK = f"comparison-{os.getpid()}"  # what this test adds to the cluster
EMPTY = {"flavors", "images", "networks"}  # Kubernetes has none

checks = Comparison()
env = lab("kubernetes")
api = Api(env)
url = env["KUBERNETES_URL"]
form = urllib.parse.urlencode({"grant_type": "client_credentials", "sub": "feeder", "aud": env["KUBERNETES_AUDIENCE"]}).encode()
token = json.load(api.web.open(env["KUBERNETES_TOKEN_URL"], form, timeout=20))["access_token"]


def provider(name, namespaces, **more):
    return {"name": name, "auth_url": url, "ca_path": env["KUBERNETES_CA"], "projects": [{"id": name, "sla": AGREEMENTS[name]} for name in namespaces],
            "identity_providers": [{"endpoint": env["KUBERNETES_ISSUER"], "audience": env["KUBERNETES_AUDIENCE"]}], **more}


@contextlib.contextmanager
def changed_cluster():
    """A quota in delta, which has none, and another storage class."""
    quota, kind = f"/api/v1/namespaces/delta/resourcequotas/{MARK}", f"/apis/storage.k8s.io/v1/storageclasses/{MARK}"
    api.apply(quota, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": MARK}, "spec": {"hard": {
        "pods": "7", "limits.cpu": "1500m", f"{MARK}.storageclass.storage.k8s.io/requests.storage": "2Ti"}}})
    try:
        api.until("the controller fills the new quota's status", lambda: api.call(quota).get("status", {}).get("used"))
        api.apply(kind, {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": MARK}, "provisioner": "example.org/test"})
        try:
            yield
        finally:
            api.call(kind, "DELETE")
    finally:
        api.call(quota, "DELETE")


issuer = [trusted(env["KUBERNETES_ISSUER"], token, **AGREEMENTS)]
with ServiceAccount(api, "alpha", MARK) as account, federation() as registry:
    entries = [provider("LAB-OIDC", AGREEMENTS), provider("LAB-SERVICE-ACCOUNT", ["alpha"], auth={"token": account.token()})]
    registry.write(issuer, kubernetes=entries)

    def compare(what, name, namespaces):
        cloud = expected(api, url, namespaces)
        checks.check(f"{name}: {what}", cloud, registry.registry.provider(name, "kubernetes", storage_classes=True), EMPTY)
        return cloud

    registry.feed()
    whole = compare("with a token of the cluster's issuer", "LAB-OIDC", AGREEMENTS)
    compare("with a service account", "LAB-SERVICE-ACCOUNT", ["alpha"])

    before = registry.revision()
    registry.feed()
    checks.note("a second run changes nothing", [] if registry.revision() == before else ["the registry's revision changed"])

    with changed_cluster():
        registry.feed()
        changed = compare("a new quota, a new storage class", "LAB-OIDC", AGREEMENTS)
        checks.note("the change is one", [] if changed != whole else ["the cluster answers the same as before"])
    registry.write(issuer, kubernetes=[*entries, {**provider("LAB-DEAD", ["alpha"]), "auth_url": "https://127.0.0.1:1"}])
    told = registry.feed(fails=True)
    checks.note("a provider that does not answer is named", [] if "LAB-DEAD" in told else [told])
    checks.note("changed back", [] if compare("beside a provider that does not answer", "LAB-OIDC", AGREEMENTS) == whole else ["the cluster is not as it was"])

sys.exit(checks.end())
