"""The side of the comparison that says what should be there: were it wrong or blind, the comparison would prove nothing."""
import contextlib
import io
import unittest
from fractions import Fraction

from cloud import expected, flavor, image
from cluster import limits, quota
from comparison import Comparison, differences
from quantity import quantity
from rules import kept, scopes


class Differences(unittest.TestCase):
    CLOUD = {("R", "a"): {"ram": 512, "tags": ["x"]}, ("R", "b"): {"ram": 1, "tags": []}}

    def said(self, **change):
        ours = {key: dict(fields) for key, fields in self.CLOUD.items()}
        ours[("R", "a")].update(change)
        return differences("flavors", self.CLOUD, ours)

    def test_equal_sides_differ_in_nothing(self):
        self.assertEqual(self.said(), [])

    def test_a_field_of_another_value_or_type(self):
        self.assertEqual(self.said(ram=513), ["flavors R / a: ram is 513 in the registry and 512 in the cloud"])
        self.assertEqual(len(self.said(ram=512.0)), 1)
        self.assertEqual(len(self.said(tags=["x", "x"])), 1)

    def test_fields_that_one_side_has_alone(self):
        self.assertEqual(len(self.said(disk=1)), 1)
        self.assertEqual(len(differences("flavors", {"a": {"ram": 1}}, {"a": {}})), 1)

    def test_missing_and_extra_things(self):
        self.assertEqual(len(differences("flavors", self.CLOUD, {})), 2)
        self.assertEqual(len(differences("flavors", {}, self.CLOUD)), 2)

    def test_nothing_compared_with_nothing_is_a_failure(self):
        result = Comparison()
        with contextlib.redirect_stdout(io.StringIO()):
            result.check("empty", {"flavors": {}}, {"flavors": {}})
            self.assertEqual(result.end(), 1)
            self.assertEqual(Comparison().end(), 1)


class Quantities(unittest.TestCase):
    def test_the_grammar(self):
        for text, value in {"500m": Fraction(1, 2), "16Gi": 2**34, "2.5Gi": 5 * 2**29, "1e3": 1000, "12E6": 12_000_000, "1E": 10**18, "1Ei": 2**60, ".5": Fraction(1, 2),
                            "5.": 5, "-1": -1, "+3k": 3000, "100n": Fraction(1, 10**7), "196083712500m": Fraction(392167425, 2), "129e6": 129_000_000}.items():
            self.assertEqual(quantity(text), value, text)
        for text in ("", "Gi", "1Kb", "1.2.3", "1ee3", "m", "1 Gi", "0x10"):
            self.assertRaises(ValueError, quantity, text)


class Kubernetes(unittest.TestCase):
    @staticmethod
    def of(hard, used=None, **spec):
        return {"spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used} if used is not None else {}}

    def test_limits_down_usage_up_in_the_registrys_units(self):
        found = limits([self.of({"requests.cpu": "7500m", "limits.memory": "1.5Gi"}, {"requests.cpu": "4500m", "limits.memory": "1Gi"})])
        shown = dict(quota("compute", "compute", found))
        self.assertEqual((shown["limit"]["requests_cpu"], shown["usage"]["requests_cpu"]), (7, 5))
        self.assertEqual((shown["limit"]["limits_memory"], shown["usage"]["limits_memory"]), (1, 1))

    def test_the_smallest_limit_with_its_own_usage(self):
        for order in (1, -1):
            found = limits([self.of({"cpu": "4"}, {"cpu": "3"}), self.of({"requests.cpu": "500m"}, {"requests.cpu": "150m"})][::order])
            self.assertEqual(found["compute", "requests_cpu"], (Fraction(1, 2), Fraction(3, 20)))

    def test_scoped_quotas_are_no_limits_of_the_namespace(self):
        self.assertEqual(limits([self.of({"pods": "1"}, {}, scopes=["BestEffort"]), self.of({"pods": "1"}, {}, scopeSelector={"matchExpressions": []} | {"x": 1})]), {})

    def test_class_names_keep_their_dots(self):
        found = limits([self.of({"nfs.old.storageclass.storage.k8s.io/requests.storage": "5Gi"}, {})])
        self.assertEqual(found, {(("class", "nfs.old"), "storage"): (5, None)})

    def test_a_quota_without_status_limits_and_says_no_usage(self):
        self.assertEqual([use for use, _ in quota("compute", "compute", limits([self.of({"pods": "3"})]))], ["limit"])


class Rules(unittest.TestCase):
    """Two projects, one region; what is shown when lists cannot be read."""

    SERVICES = {("R", "compute", "c"): {}, ("R", "identity", "i"): {}}
    SHARED, BOTH, OWN = {"is_shared": True, "projects": []}, {"is_shared": False, "projects": ["p", "q"]}, {"is_shared": False, "projects": ["q"]}

    def said(self, flavors, **more):
        kinds = {kind: {} for kind in ("regions", "images", "networks")}
        return {**kinds, "projects": {("p",): {}, ("q",): {}}, "services": self.SERVICES, "quotas": {}, "flavors": {("R", "c", name): item for name, item in flavors.items()}, **more}

    def shown(self, before, now, *unknown):
        after = kept(self.said(before), self.said(now), {("R", *scope): "timeout" for scope in unknown})
        return {key[2]: item for key, item in after["flavors"].items()}

    def test_a_complete_list_removes(self):
        self.assertEqual(self.shown({"a": self.SHARED}, {}), {})

    def test_what_nobody_can_read_stays(self):
        before = {"a": self.SHARED, "b": self.BOTH}
        self.assertEqual(self.shown(before, {}, ("p", "compute", "flavors"), ("q", "compute", "flavors")), before)
        self.assertEqual(self.shown(before, {}, ("p", None, None), ("q", None, None)), before)
        self.assertEqual(self.shown(before, {}, ("p", "compute", "images"), ("q", "network", None)), {})

    def test_one_unknown_project_keeps_what_it_saw_and_no_more(self):
        unknown = ("q", "compute", "flavors")
        self.assertEqual(self.shown({"a": self.SHARED}, {}, unknown), {"a": self.OWN})
        self.assertEqual(self.shown({"a": self.SHARED}, {"a": self.SHARED}, unknown), {"a": self.SHARED})
        self.assertEqual(self.shown({"a": self.BOTH}, {}, unknown), {"a": self.OWN})
        self.assertEqual(self.shown({"a": self.BOTH}, {"a": {"is_shared": False, "projects": ["p"]}}, unknown), {"a": self.BOTH})
        self.assertEqual(self.shown({"a": {"is_shared": False, "projects": ["p"]}}, {}, unknown), {})

    def test_quotas_and_services(self):
        quotas = {("R", "c", "compute", project, "limit"): {"cores": 1} for project in "pq"}
        fresh = {key: {"cores": 2} for key in quotas}
        after = lambda unknown, now, services: kept(self.said({}, quotas=quotas), self.said({}, quotas=now, services=services), unknown)
        one = after({("R", "q", "compute", "quotas"): "timeout"}, fresh, self.SERVICES)
        self.assertEqual([item["cores"] for item in one["quotas"].values()], [2, 1])
        self.assertEqual(len(after({("R", "q", None, None): "timeout"}, {}, {})["services"]), 2)
        self.assertEqual([key[1] for key in after({("R", "q", "compute", "quotas"): "timeout"}, {}, {})["services"]], ["identity"])

    def test_scopes(self):
        self.assertEqual(len(scopes(self.said({}))), 2 * 3)


class OpenStack(unittest.TestCase):
    SHOWN = {"id": "f", "name": "g2", "description": None, "vcpus": 4, "ram": 1024, "disk": 10, "swap": "", "OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": False,
             "os-flavor-access:is_public": False, "access_project_ids": ["p1", "p9"], "properties": {"gpu_number": "2", "gpu_model": "A100", "infiniband": "true"}}

    def test_a_private_flavor_names_projects_of_the_federation_only(self):
        shown = flavor(self.SHOWN, {"p1", "p2"})
        self.assertEqual((shown["is_shared"], shown["projects"], shown["swap"], shown["gpus"], shown["gpu_model"], shown["infiniband"]), (False, ["p1"], 0, 2, "A100", True))

    def test_no_gpu_no_model(self):
        shown = flavor({**self.SHOWN, "properties": {"gpu_model": "A100"}}, set())
        self.assertEqual((shown["gpus"], shown["gpu_model"]), (0, None))

    def test_who_lists_a_shared_image_may_use_it(self):
        item = {"id": "i", "name": "n", "visibility": "shared", "created_at": "2026-01-02T03:04:05Z", "tags": ["b", "a"], "properties": {"os_type": "linux", "gpu_driver": "True"}}
        shown = image(item, {"p2", "p1"})
        self.assertEqual((shown["projects"], shown["is_shared"], shown["tags"], shown["os_type"], shown["gpu_driver"], shown["created_at"]),
                         (["p1", "p2"], False, ["a", "b"], "Linux", True, "2026-01-02T03:04:05+00:00"))
        self.assertEqual(image({**item, "visibility": "community"}, {"p1"})["projects"], [])

    def test_endpoints_lose_the_project_and_disabled_flavors_are_left_out(self):
        urls = {"compute": "http://c/v2.1", "network": "http://n", "volumev3": "http://v/v3/p1", "placement": "http://p"}
        catalog = [{"Type": kind, "Endpoints": [{"interface": i, "region_id": r, "url": f"{url}" if (i, r) == ("public", "R") else "http://no"}
                                                for i in ("public", "admin") for r in ("R", "S")]} for kind, url in urls.items()]
        columns = ("cores", "instances", "ram", "floating-ips", "networks", "ports", "secgroups", "secgroup-rules", "gigabytes", "volumes", "per-volume-gigabytes")
        rows = ("cores", "instances", "ram", "floating_ips", "networks", "ports", "security_groups", "security_group_rules")
        seen = {"project": {"id": "p1", "name": "one", "description": ""}, "catalog": catalog, "flavors": [self.SHOWN, {**self.SHOWN, "id": "off", "OS-FLV-DISABLED:disabled": True}],
                "images": [], "networks": [], "limits": dict.fromkeys(columns, -1), "compute usage": dict.fromkeys(rows, 1), "network usage": dict.fromkeys(rows, 1),
                "volumes": [{"Size": 5}, {"Size": 7}], "snapshots": [{"Size": 5}], "account": None}
        said = expected({("R", "p1"): seen})
        self.assertEqual(set(said["services"]), {("R", "compute", "http://c/v2.1"), ("R", "network", "http://n"), ("R", "block-storage", "http://v/v3")})
        self.assertEqual(set(said["flavors"]), {("R", "http://c/v2.1", "f")})
        quotas = {key[2:3] + key[4:]: fields for key, fields in said["quotas"].items()}
        self.assertIsNone(quotas["compute", "limit"]["cores"])
        self.assertEqual(quotas["network", "limit"]["ports"], -1)
        self.assertEqual((quotas["block-storage", "usage"]["gigabytes"], quotas["block-storage", "usage"]["volumes"]), (17, 2))


if __name__ == "__main__":
    unittest.main()
