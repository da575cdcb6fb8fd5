"""What the registry answers, brought into the form in which it is compared."""
import json
import urllib.error
import urllib.parse
import urllib.request

WEB = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SERVICES = ("block_storage_services", "compute_services", "identity_services", "network_services", "object_store_services")
SHARING = ("flavors", "images", "networks")
QUOTAS = ("block_storage_quotas", "compute_quotas", "network_quotas", "object_store_quotas")
ABOUT_US = {"uid", "schema_type"}  # what the registry itself adds to each item


class Registry:
    def __init__(self, url, token):
        self.url = url.rstrip("/") + "/api/v1"
        self.token = token

    def get(self, path, **query):
        """The whole list, or one item; an error ends the test with what the registry said."""
        return self.send("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)

    def post(self, path, body):
        return self.send("POST", path, json.dumps(body).encode())

    def send(self, method, path, body=None):
        request = urllib.request.Request(f"{self.url}/{path}", method=method, data=body, headers={"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"})
        try:
            with WEB.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {request.full_url}: {error.code} {error.read().decode(errors='replace')[:600]}") from None

    def uid(self, name, kind):
        return next(provider["uid"] for provider in self.get("providers", name=name, type=kind))

    def groups(self, provider):
        """{user group: {kind: {region, uuid}}} of the flavors, images and networks that its members are shown at a provider (uid)."""
        shown = {}
        for group in self.get("user_groups"):
            for project in self.get("projects", with_conn="true", user_group_uid=group["uid"], provider_uid=provider):
                own = shown.setdefault(group["name"], {kind: set() for kind in SHARING})
                for kind in SHARING:
                    own[kind] |= {item["uuid"] for item in project[kind]}
        return shown

    def provider(self, name, kind, storage_classes=False):
        """Everything below one provider: {kind: {key: {field: value}}}, keys as in README of the contract."""
        of_provider = lambda provider: (provider["name"], provider["type"]) == (name, kind)
        of_region = lambda region: of_provider(region["provider"])
        seen = {"projects": {}, "regions": {}, "services": {}, "flavors": {}, "images": {}, "networks": {}, "quotas": {}}
        for item in self.get("projects", with_conn="true"):
            if of_provider(item["provider"]):
                seen["projects"][(item["uuid"],)] = fields(item, "provider", "sla", "quotas", "flavors", "images", "networks")
        for item in self.get("regions", with_conn="true"):
            if of_provider(item["provider"]):
                seen["regions"][(item["name"],)] = {}
        for path in SERVICES:
            for item in self.get(path, with_conn="true"):
                if of_region(item["region"]):
                    key = (item["region"]["name"], item["type"], item["endpoint"])
                    put(seen["services"], key, fields(item, "region", "quotas", "flavors", "images", "networks", "storage_classes"))
        for path in ("flavors", "networks"):
            for item in self.get(path, with_conn="true"):
                if of_region(item["service"]["region"]):
                    put(seen[path], (item["service"]["region"]["name"], item["service"]["endpoint"], item["uuid"]), shared(item, "service"))
        for item in self.get("images", with_conn="true"):
            for service in item["services"]:
                if of_region(service["region"]):
                    put(seen["images"], (service["region"]["name"], service["endpoint"], item["uuid"]), shared(item, "services"))
        for path in QUOTAS:
            for item in self.get(path, with_conn="true"):
                service = item["service"]
                if of_region(service["region"]):
                    put(seen["quotas"], (service["region"]["name"], service["endpoint"], item["type"], item["project"]["uuid"], use(item)),
                        fields(item, "service", "project", "usage", "per_user"))
        if storage_classes:
            seen["storage classes"], seen["storage class quotas"] = {}, {}
            for item in self.get("storage_classes", with_conn="true"):
                service = item["service"]
                if of_region(service["region"]):
                    put(seen["storage classes"], (service["region"]["name"], service["endpoint"], item["name"]), fields(item, "service", "quotas"))
            for item in self.get("storage_class_quotas", with_conn="true"):
                service = item["storage_class"]["service"]
                if of_region(service["region"]):
                    put(seen["storage class quotas"], (service["region"]["name"], service["endpoint"], item["storage_class"]["name"], item["project"]["uuid"], use(item)),
                        fields(item, "storage_class", "project", "usage", "per_user"))
        return seen


def fields(item, *relations):
    return {name: value for name, value in item.items() if name not in ABOUT_US and name not in relations}


def shared(item, relation):
    """A flavor, an image or a network: who may use it stands beside its own fields. Order says nothing."""
    own = fields(item, relation, "projects")
    if "tags" in own:
        own["tags"] = sorted(own["tags"])
    return {**own, "projects": sorted(project["uuid"] for project in item["projects"])}


def use(quota):
    return "usage" if quota["usage"] else "per user" if quota["per_user"] else "limit"


def put(where, key, value):
    """Nothing may come twice."""
    if key in where:
        raise SystemExit(f"the registry answers {' / '.join(key)} twice")
    where[key] = value
