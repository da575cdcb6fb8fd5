#!/usr/bin/env python3
"""A history of the OpenStack lab while the feeder runs as a daemon: quotas change, flavors and images are shared and unshared, services stop one
by one, tokens end, issuers go, a project is disabled. After each event everything that the registry shows is compared with what the rules say.

The lab is left as it was, also after a failure.
"""
import contextlib
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cloud
from federation import federation, trusted
from fedreg import REPOSITORY, lab, post
from history import History
from openstack_api import Api, listing
from rules import LISTS, is_unknown

NAME = "LAB"
ONE, TWO = REGIONS = ("RegionOne", "RegionTwo")
AGREEMENTS = {"alpha": "5f5b6a0c6d1e4f0e8f3b2a1c0d9e8f70", "beta": "7d1c9a3e2b484c1f9e6a5d4c3b2a1908"}
MARK = f"history-{os.getpid()}"  # what this test adds to the cloud
DEFAULTS = {"alpha-net", "beta-net", "public-shared"}

env = lab("openstack")
home = pathlib.Path(env["OPENSTACK_HOME"])
api = Api(env)
projects = {item["name"]: item["id"] for item in api.get(ONE, "identity", "projects")["projects"]}
alpha, beta = projects["proj-alpha"], projects["proj-beta"]
undo = contextlib.ExitStack()


# ---------------------------------------------------------------- the cloud
def read(unknown):
    """What the registry should show of what is not unknown."""
    everything = [(region, project) for region in REGIONS for project in (alpha, beta)]
    read = [(region, project) for region, project in everything if not is_unknown(unknown, region, project, None, None)]
    unread = lambda *place: {(service, name) for service in LISTS for name in LISTS[service] if is_unknown(unknown, *place, service, name)}
    with ThreadPoolExecutor(4) as pool:
        listings = dict(zip(read, pool.map(lambda place: listing(api, *place, "alice", unread(*place)), read), strict=True))
    return cloud.expected(listings, DEFAULTS, {alpha, beta})


def machine(script, *words):
    done = subprocess.run([REPOSITORY / "tests/lab/openstack" / script, home, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{script} {' '.join(words)}: {done.stdout}")


def stop(*services):
    machine("down.sh", *services)


def resume():
    machine("up.sh", "resume")


def freeze(service, how):
    """The service neither answers nor refuses."""
    pid = (home / f"run/{service}.pid").read_text().split()[0]
    subprocess.run(["kill", f"-{how}", "--", f"-{pid}"], check=True)


def change(*where, back=None, **how):
    """A change, and how it is taken back at the end."""
    answer = api.call(*where, **how)[1]
    if back:
        undo.callback(lambda: gone_is_fine(back, answer))
    return answer


def gone_is_fine(back, answer):
    with contextlib.suppress(Exception):
        back(answer)


def quotas(region, service, path, body, before):
    api.call(region, service, path, "PUT", body)
    undo.callback(lambda: api.call(region, service, path, "PUT", before))
    return before


def switch(path, kind, value):
    """Enables or disables something of Keystone."""
    api.call(ONE, "identity", path, "PATCH", {kind: {"enabled": value}})


# ---------------------------------------------------------------- what cannot be read
def every(what, kind, regions=REGIONS, of=(alpha, beta)):
    """The scopes of these lists [(service, list)]; (None, None): not even the catalog."""
    return {(region, project, *each): kind for region in regions for project in of for each in what}


ALL = [(None, None)]
SERVICES = [  # name in the lab, lists that it tells
    ("nova", [("compute", "flavors"), ("compute", "quotas")]),
    ("glance-api", [("compute", "images")]),
    ("neutron-server", [("network", "networks"), ("network", "quotas")]),
    ("cinder", [("block-storage", "quotas")]),
]
token_file = None


def give(seconds):
    """alpha's token, which somebody else keeps: it is good for so long."""
    token_file.write_text(post(env["OPENSTACK_TOKEN_URL"], sub="feeder", ttl=seconds)["access_token"])


def tokens_given():
    return api.send(env["OPENSTACK_SECOND_TOKEN_URL"].replace("/token", "/lab"))[1]["tokens"].get("short-lived", 0)


limits = {"retries": 1, "request_seconds": 10}
undo.callback(resume)
with undo, federation(poll_seconds=1, run_at_start=False, limits=limits) as registry:
    token_file = registry.folder / "alpha.token"
    give(3600)
    issuers = ((env["OPENSTACK_ISSUER"], env["OPENSTACK_IDENTITY_PROVIDER"]), (env["OPENSTACK_SECOND_ISSUER"], env["OPENSTACK_SECOND_IDENTITY_PROVIDER"]))
    short = {"client_credentials": {"client_id": "short-lived", "client_secret": "any"}, "token_endpoint": env["OPENSTACK_SECOND_TOKEN_URL"]}
    project = lambda name, uuid: {"id": uuid, "sla": AGREEMENTS[name], "default_private_net": f"{name}-net", "default_public_net": "public-shared"}
    registry.write([trusted(issuers[0][0], {"token_file": str(token_file)}, alpha=AGREEMENTS["alpha"]), trusted(issuers[1][0], short, beta=AGREEMENTS["beta"])], openstack=[{
        "name": NAME, "auth_url": env["OPENSTACK_AUTH_URL"], "regions": [{"name": region} for region in REGIONS],
        "projects": [project("alpha", alpha), project("beta", beta)],
        "identity_providers": [{"endpoint": endpoint, "name": name, "protocol": env["OPENSTACK_PROTOCOL"]} for endpoint, name in issuers],
    }])
    history = History(registry, NAME, "openstack", read, {"alpha": alpha, "beta": beta})
    happens = history.happens
    tokens = tokens_given()
    with registry.feeding():
        happens("the first run")

        # what changes
        quotas(ONE, "compute", f"os-quota-sets/{beta}", {"quota_set": {"cores": 43, "force": True}}, {"quota_set": {"cores": 40, "force": True}})
        quotas(ONE, "network", f"quotas/{beta}", {"quota": {"port": 77, "security_group_rule": 55}}, {"quota": {"port": 200, "security_group_rule": -1}})
        quotas(TWO, "volumev3", f"os-quota-sets/{alpha}", {"quota_set": {"gigabytes": -1, "volumes": 3}}, {"quota_set": {"gigabytes": 2000, "volumes": 20}})
        happens("quotas of Nova, Neutron and Cinder are changed")

        flavor = change(ONE, "compute", "flavors", method="POST", body={"flavor": {
            "name": MARK, "vcpus": 3, "ram": 3072, "disk": 30, "os-flavor-access:is_public": False}},
            back=lambda made: api.call(ONE, "compute", f"flavors/{made['flavor']['id']}", "DELETE"))["flavor"]["id"]
        access = lambda action, project: api.call(ONE, "compute", f"flavors/{flavor}/action", "POST", {action: {"tenant": project}})
        image = change(ONE, "image", "images", method="POST", user="alice", project=alpha, body={"name": MARK, "disk_format": "raw", "container_format": "bare", "visibility": "private"},
                       back=lambda made: api.call(ONE, "image", f"images/{made['id']}", "DELETE"))["id"]
        mine = {"user": "alice", "project": alpha}
        api.call(ONE, "image", f"images/{image}/file", "PUT", b"x" * 512, Content_Type="application/octet-stream", **mine)
        network = change(ONE, "network", "networks", method="POST", body={"network": {"name": MARK, "description": "new"}}, **mine,
                         back=lambda made: api.call(ONE, "network", f"networks/{made['network']['id']}", "DELETE"))["network"]["id"]
        access("addTenantAccess", alpha)
        happens("a private flavor, a private image and a network of alpha appear")

        access("addTenantAccess", beta)
        shared = [{"op": "replace", "path": "/visibility", "value": "shared"}]
        api.call(ONE, "image", f"images/{image}", "PATCH", shared, Content_Type="application/openstack-images-v2.1-json-patch", **mine)
        api.call(ONE, "image", f"images/{image}/members", "POST", {"member": beta}, **mine)
        api.call(ONE, "image", f"images/{image}/members/{beta}", "PUT", {"status": "accepted"}, user="alice", project=beta)
        happens("flavor and image are shared with beta, which accepts")

        access("removeTenantAccess", alpha)
        api.call(ONE, "image", f"images/{image}/members/{beta}", "DELETE", **mine)
        api.call(ONE, "network", f"networks/{network}", "PUT", {"network": {"shared": True}})
        happens("the flavor is taken from alpha, the image from beta; the network is shared with all")

        for path, service in ((f"flavors/{flavor}", "compute"), (f"images/{image}", "image"), (f"networks/{network}", "network")):
            api.call(ONE, service, path, "DELETE")
        happens("flavor, image and network are deleted")

        # services stop, one after the other in each region; each is started again when the next one stops
        back = "all are up"
        for (one, of_one), (two, of_two) in zip(SERVICES, SERVICES[1:] + SERVICES[:1], strict=True):
            resume()
            stop(one, f"{two}-r2")
            happens(f"{one} of RegionOne and {two} of RegionTwo are stopped, {back}", every(of_one, "unreachable", [ONE]) | every(of_two, "unreachable", [TWO]), ["no connection"])
            back = "the last two are back"
        resume()
        stop("swift-proxy")
        freeze("glance-api-r2", "STOP")
        undo.callback(lambda: freeze("glance-api-r2", "CONT"))
        happens(f"Swift is stopped, glance-api of RegionTwo hangs, {back}", every([("object-store", "quotas")], "unreachable", [ONE]) | every([("compute", "images")], "timeout", [TWO]))
        freeze("glance-api-r2", "CONT")
        resume()
        stop("apache")
        happens("both are back, but Keystone is stopped", every(ALL, "unreachable"), ["no connection"])
        resume()

        # who may read
        flavors = {}
        for name, public, users in (("public", True, ()), ("of-beta", False, (beta,)), ("of-both", False, (alpha, beta))):
            flavors[name] = flavor = change(ONE, "compute", "flavors", method="POST", body={"flavor": {
                "name": f"{MARK}-{name}", "vcpus": 1, "ram": 1024, "disk": 1, "os-flavor-access:is_public": public}},
                back=lambda made: api.call(ONE, "compute", f"flavors/{made['flavor']['id']}", "DELETE"))["flavor"]["id"]
            for project in users:
                access("addTenantAccess", project)
        happens("Keystone is back; a public flavor and two private ones appear")

        undo.callback(lambda: switch(f"projects/{beta}", "project", True))
        switch(f"projects/{beta}", "project", False)
        for flavor in flavors.values():
            api.call(ONE, "compute", f"flavors/{flavor}", "DELETE")
        happens("beta is disabled in Keystone, and the three flavors are deleted", every(ALL, "forbidden", of=[beta]), ["disabled"])
        switch(f"projects/{beta}", "project", True)
        roles = {role["name"]: role["id"] for role in api.get(ONE, "identity", "roles")["roles"]}
        group = api.get(ONE, "identity", "groups?name=federated-users")["groups"][0]["id"]
        grant = f"projects/{alpha}/groups/{group}/roles/{roles['member']}"
        undo.callback(lambda: api.call(ONE, "identity", grant, "PUT"))
        api.call(ONE, "identity", grant, "DELETE")
        happens("beta is enabled again; the feeder's group loses its role on alpha", every(ALL, "forbidden", of=[alpha]), ["role on project"])
        api.call(ONE, "identity", grant, "PUT")
        give(-10)
        happens("alpha has the role again, but its token has ended and nobody renews it", every(ALL, "unauthorized", of=[alpha]), ["the token was refused", "expired"])
        give(3600)
        given = tokens_given() - tokens
        stop("issuer-two")
        happens("alpha has a new token; the issuer of beta is down", every(ALL, "unauthorized", of=[beta]), [env["OPENSTACK_SECOND_ISSUER"], "no connection"])
        resume()
        endpoint = next(each for each in api.get(ONE, "identity", "endpoints?interface=public")["endpoints"] if ":8080/" in each["url"])["id"]
        undo.callback(lambda: switch(f"endpoints/{endpoint}", "endpoint", True))
        switch(f"endpoints/{endpoint}", "endpoint", False)
        happens("the issuer is back; the catalog no longer names Swift")
        undo.close()
        history.returns("everything is as it was at first")
        history.checks.note("the tokens of beta, good for 4 s, were renewed all along", [] if given > 12 else [f"only {given} were given"], f"{given} were given")

sys.exit(history.checks.end())
