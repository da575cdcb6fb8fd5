#!/usr/bin/python3
"""Every flavor, image, network, quota, project and service of the OpenStack lab in the registry, against what OpenStack's own client lists.

Starts or finds the labs `openstack` and `oidc`, runs the registry and the feeder of the program under test against them, and compares both ways,
field by field: all projects and regions through Keystone's federation; filtered by tags with a password; one project with an application
credential. Then the cloud is changed, and changed back.
"""
import contextlib
import json
import os
import sys

import cloud
from comparison import Comparison
from federation import federation, trusted
from fedreg import lab, post, register
from openstack_client import Client, access_token, listing, password

ALPHA, BETA = "5f5b6a0c6d1e4f0e8f3b2a1c0d9e8f70", "7d1c9a3e2b484c1f9e6a5d4c3b2a1908"  # agreements
IMAGE_TAGS, NETWORK_TAGS = ("egi", "lts"), ("shared", "lan")
MARK = f"comparison-{os.getpid()}"  # what this test adds to the cloud

checks = Comparison()
env = lab("openstack")
token = post(env["OPENSTACK_TOKEN_URL"], sub="feeder")["access_token"]


def admin(region):
    return Client(region, {"os_project_name": "admin", "os_project_domain_name": "Default"}, password(env, "admin"))


def member(region, project, auth):
    return Client(region, {"os_project_id": project}, auth)


projects = {item["Name"]: item["ID"] for item in admin("RegionOne").lists(["project", "list"])[0]}
alpha, beta = projects["proj-alpha"], projects["proj-beta"]


def listings(auth, regions, members, **tags):
    return {(region, project): listing(member(region, project, auth), admin(region), region, project, **tags) for region in regions for project in members}


def provider(name, regions, members, **more):
    return {"name": name, "auth_url": env["OPENSTACK_AUTH_URL"], "regions": [{"name": region} for region in regions], "projects": members,
            "identity_providers": [{"endpoint": env["OPENSTACK_ISSUER"], "name": env["OPENSTACK_IDENTITY_PROVIDER"], "protocol": env["OPENSTACK_PROTOCOL"]}], **more}


@contextlib.contextmanager
def application_credential():
    """Of alice, for proj-beta."""
    alice = Client("RegionOne", {"os_project_id": beta}, password(env, "alice"))
    made = json.loads(alice.act("application", "credential", "create", MARK, "-f", "json"))
    try:
        yield {"id": made["id"], "secret": register("application-credential", made["secret"])}
    finally:
        alice.act("application", "credential", "delete", MARK)


@contextlib.contextmanager
def changed_cloud():
    """A private flavor, a network and a quota of proj-beta that were not there before."""
    root, user = admin("RegionOne"), member("RegionOne", beta, password(env, "alice"))
    root.act("flavor", "create", MARK, "--private", "--project", beta, "--vcpus", "3", "--ram", "3072", "--disk", "30", "--property", "gpu_number=1", "--property", "gpu_model=L4")
    try:
        user.act("network", "create", MARK, "--tag", "new")
        try:
            root.act("quota", "set", "--cores", "43", beta)
            try:
                yield
            finally:
                root.act("quota", "set", "--cores", "40", beta)
        finally:
            user.act("network", "delete", MARK)
    finally:
        root.act("flavor", "delete", MARK)


both = ("RegionOne", "RegionTwo")
federated, alice = access_token(env, token), password(env, "alice")
idps = [trusted(env["OPENSTACK_ISSUER"], token, alpha=ALPHA, beta=BETA)]
DEFAULTS = {"alpha-net", "beta-net", "public-shared"}

with application_credential() as credential, federation() as registry:
    entries = [
        provider("LAB-FEDERATED", both, [{"id": alpha, "sla": ALPHA, "default_private_net": "alpha-net", "default_public_net": "public-shared"},
                                         {"id": beta, "sla": BETA, "default_private_net": "beta-net", "default_public_net": "public-shared"}]),
        provider("LAB-TAGGED", both[:1], [{"id": alpha, "sla": ALPHA}, {"id": beta, "sla": BETA}], image_tags=IMAGE_TAGS, network_tags=NETWORK_TAGS,
                 auth={"password": {"username": "alice", "password": env["OPENSTACK_PASSWORD"]}}),
        provider("LAB-CREDENTIAL", both[1:], [{"id": beta, "sla": BETA, "auth": {"application_credential": credential}, "default_private_net": "beta-net"}]),
    ]
    registry.write(idps, openstack=entries)

    def compare(what, name, seen, defaults):
        checks.check(f"{name}: {what}", cloud.expected(seen, defaults), registry.registry.provider(name, "openstack"))

    registry.feed()
    whole = listings(federated, both, (alpha, beta))
    compare("through federation", "LAB-FEDERATED", whole, DEFAULTS)
    compare("by tags, with a password", "LAB-TAGGED", listings(alice, both[:1], (alpha, beta), image_tags=IMAGE_TAGS, network_tags=NETWORK_TAGS), {"shared-lan"})
    compare("with an application credential", "LAB-CREDENTIAL", {key: seen for key, seen in whole.items() if key == ("RegionTwo", beta)}, {"beta-net", "public-shared"})

    before = registry.revision()
    registry.feed()
    checks.note("a second run changes nothing", [] if registry.revision() == before else ["the registry's revision changed"])

    with changed_cloud():
        registry.feed()
        changed = {**whole, **listings(federated, both[:1], (alpha, beta))}
        compare("a new flavor, a new network, another quota", "LAB-FEDERATED", changed, DEFAULTS)
        checks.note("the change is one", [] if cloud.expected(changed) != cloud.expected(whole) else ["the client lists the same as before"])
    registry.write(idps, openstack=[*entries, {**provider("LAB-DEAD", both, [{"id": alpha, "sla": ALPHA}]), "auth_url": "http://127.0.0.1:1/v3"}])
    told = registry.feed(fails=True)
    checks.note("a provider that does not answer is named", [] if "LAB-DEAD" in told else [told])
    compare("changed back, beside a provider that does not answer", "LAB-FEDERATED", whole, DEFAULTS)

sys.exit(checks.end())
