"""The OpenStack lab by its raw APIs, for whoever changes it and for whoever reads it often: `listing` has the shape of
openstack_client.listing, in a hundredth of its time. compare_openstack.py shows that the registry says what OpenStack's own client says."""
import json
import urllib.error
import urllib.parse
import urllib.request

from cloud import BLOCK_STORAGE, COMPUTE, NETWORK

WEB = urllib.request.build_opener(urllib.request.ProxyHandler({}))
VERSION = {"compute": "", "network": "/v2.0", "image": "/v2", "volumev3": "", "identity": "", "object-store": ""}  # what the catalog's addresses lack
NEUTRON = {"public_ips": "floatingip", "networks": "network", "ports": "port", "security_groups": "security_group", "security_group_rules": "security_group_rule"}


class Refused(Exception):
    def __init__(self, text, status):
        super().__init__(text)
        self.status = status


class Api:
    """One cloud; requests are the administrator's unless they name another user."""

    def __init__(self, env):
        self.auth_url, self.password = env["OPENSTACK_AUTH_URL"], env["OPENSTACK_PASSWORD"]
        self.scopes = {}

    def send(self, url, method="GET", body=None, **headers):
        """`body`: JSON, or bytes as they are."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, method=method, data=data, headers=headers)
        try:
            with WEB.open(request, timeout=120) as answer:
                text = answer.read()
                return answer.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {url}: {error.code} {error.read().decode(errors='replace')[:600]}", error.code) from None

    def log_in(self, user="admin", project=None):
        """A new token: its value, and what Keystone says with it."""
        scope = {"id": project} if project else {"name": "admin", "domain": {"id": "default"}}
        who = {"name": user, "domain": {"id": "default"}, "password": self.password}
        headers, body = self.send(f"{self.auth_url}/auth/tokens", "POST", {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": {"project": scope}}})
        self.scopes[user, project] = headers["X-Subject-Token"], body["token"]
        return self.scopes[user, project]

    def call(self, region, service, path, method="GET", body=None, user="admin", project=None, **headers):
        """Headers and JSON of an answer."""
        known = self.scopes.get((user, project))
        token, said = known or self.log_in(user, project)
        endpoints = {entry["type"]: entry["endpoints"] for entry in said["catalog"]}[service]
        base = next(each["url"] for each in endpoints if (each["interface"], each["region_id"]) == ("public", region)) + VERSION[service]
        try:
            return self.send(f"{base}/{path}".rstrip("/"), method, body, X_Auth_Token=token, **headers)
        except Refused as refused:
            if refused.status != 401 or not known:
                raise
            del self.scopes[user, project]  # Keystone revokes tokens when it changes what they are for
            return self.call(region, service, path, method, body, user, project, **headers)

    def get(self, *where, **how):
        return self.call(*where, **how)[1]

    def pages(self, region, service, kind, **how):
        """All items of a list; these labs answer it on one page."""
        answer = self.get(region, service, **how)
        if answer.get("next") or answer.get(f"{kind}_links"):
            raise SystemExit(f"the list of {kind} has more than one page")
        return answer[kind]


def listing(api, region, project, user, unread=frozenset()):
    """What `user` sees of a project in a region. `unread`: lists as the registry names them, which are not asked for and stand empty."""
    mine = {"user": user, "project": project}
    _, said = api.log_in(**mine)
    catalog = [{"Type": entry["type"], "Endpoints": entry["endpoints"]} for entry in said["catalog"]]
    here = {entry["Type"] for entry in catalog for endpoint in entry["Endpoints"] if (endpoint["interface"], endpoint["region_id"]) == ("public", region)}
    wanted = lambda service, name, kind=None: (service, name) not in unread and (kind is None or kind in here)
    shown = api.get("RegionOne", "identity", f"projects/{project}", **mine)["project"]
    seen = {"project": shown, "catalog": catalog, "flavors": [], "images": [], "networks": [], "volumes": [], "snapshots": [], "account": None, "limits": {}}
    if wanted("compute", "flavors"):
        for flavor in api.pages(region, "compute", "flavors", path="flavors/detail?is_public=None", OpenStack_API_Version="compute 2.61", **mine):
            private = not flavor["os-flavor-access:is_public"]
            access = api.get(region, "compute", f"flavors/{flavor['id']}/os-flavor-access")["flavor_access"] if private else []
            seen["flavors"].append({**flavor, "properties": flavor["extra_specs"], "access_project_ids": [each["tenant_id"] for each in access]})
    if wanted("compute", "images"):
        seen["images"] = [{**image, "properties": image} for image in api.pages(region, "image", "images", path="images?limit=1000", **mine)]
    if wanted("network", "networks"):
        seen["networks"] = api.pages(region, "network", "networks", path="networks", **mine)
    numbers = lambda answer, name: answer[name] if answer else {}
    nova = numbers(wanted("compute", "quotas") and api.get(region, "compute", f"os-quota-sets/{project}/detail"), "quota_set")
    neutron = numbers(wanted("network", "quotas") and api.get(region, "network", f"quotas/{project}/details.json"), "quota")
    cinder = numbers(wanted("block-storage", "quotas") and api.get(region, "volumev3", f"os-quota-sets/{project}?usage=True"), "quota_set")
    figure = lambda answer, name, which: answer.get(name, {}).get(which, 0)
    seen["limits"] |= {column: figure(nova, field, "limit") for field, (column, _) in COMPUTE.items()}
    seen["limits"] |= {column: figure(neutron, NEUTRON[field], "limit") for field, (column, _) in NETWORK.items()}
    seen["limits"] |= {column: figure(cinder, field, "limit") for field, column in BLOCK_STORAGE.items()}
    seen["compute usage"] = {row: figure(nova, field, "in_use") for field, (_, row) in COMPUTE.items()}
    seen["network usage"] = {row: figure(neutron, NEUTRON[field], "used") for field, (_, row) in NETWORK.items()}
    if cinder:  # as for the client: what is there is counted
        for kind in ("volumes", "snapshots"):
            seen[kind] = [{"Size": item["size"]} for item in api.pages(region, "volumev3", kind, path=f"{kind}/detail", **mine)]
    if "object-store" in here:
        head = api.call(region, "object-store", "", "HEAD", **mine)[0] if wanted("object-store", "quotas") else {}
        figure = lambda name: head.get(f"X-Account-{name}", -1)
        seen["account"] = {"Bytes": figure("Bytes-Used"), "Containers": figure("Container-Count"), "Objects": figure("Object-Count"),
                           "properties": {"Quota-Bytes": figure("Meta-Quota-Bytes")}}
    return seen
