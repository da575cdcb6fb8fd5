"""What an existing Python client does, with the client that openapi-python-client generates."""

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jsonschema
from fedreg import AuthenticatedClient, Client, models
from fedreg.api.changes import list_changes
from fedreg.api.compute_quotas import get_compute_quota
from fedreg.api.flavors import get_flavor, list_flavors
from fedreg.api.images import get_image
from fedreg.api.networks import get_network
from fedreg.api.projects import list_projects
from fedreg.api.providers import create_provider, delete_provider, get_provider, get_provider_history, list_providers, patch_provider
from fedreg.types import UNSET, Response

DEMO = json.loads(sys.argv[1])
OPENAPI = json.load(open(sys.argv[2]))
URL = DEMO["registry"]
reader = AuthenticatedClient(URL, DEMO["token"], raise_on_unexpected_status=True)
admin = AuthenticatedClient(URL, DEMO["admin_token"], raise_on_unexpected_status=True)
# the generator does not see that a token is optional where the document allows none
nobody = cast(AuthenticatedClient, Client(URL, raise_on_unexpected_status=True))
stranger = AuthenticatedClient(URL, "not-a-token", raise_on_unexpected_status=True)

T = TypeVar("T")
passed = failed = 0


def check(what: str, test: Callable[[], None]) -> None:
    """Runs one check and says in one line how it went."""
    global passed, failed
    try:
        test()
    except Exception as why:  # noqa: BLE001
        failed += 1
        print(f"python: FAILED: {what}: {type(why).__name__}: {why}")
    else:
        passed += 1
        print(f"python: {what}")


def answer(response: Response[Any], status: int, shape: type[T]) -> T:
    """The parsed answer, which must have this status and shape."""
    assert response.status_code == status, f"{response.status_code}, not {status}: {response.content[:300]!r}"
    assert isinstance(response.parsed, shape), f"{type(response.parsed).__name__}, not {shape.__name__}"
    return response.parsed


def all_of(items: list[Any], shape: type[T]) -> list[T]:
    """A list that is not empty, all of one shape."""
    assert items, "the list is empty"
    for item in items:
        assert isinstance(item, shape), f"{type(item).__name__}, not {shape.__name__}"
    return items


def openstack() -> models.Provider:
    """The provider that the checks look at."""
    name_first = answer(list_providers.sync_detailed(client=reader, type_="openstack", sort="name"), 200, list)
    return all_of(name_first, models.Provider)[0]


def projects() -> list[models.ExtendedProject]:
    """Its projects with what they can use."""
    answered = list_projects.sync_detailed(client=reader, provider_uid=openstack().uid, with_conn=True)
    return all_of(answer(answered, 200, list), models.ExtendedProject)


def lists_providers() -> None:
    all_of(answer(list_providers.sync_detailed(client=reader), 200, list), models.Provider)
    all_of(answer(list_providers.sync_detailed(client=nobody), 200, list), models.PublicProvider)
    assert answer(list_providers.sync_detailed(client=reader, name="no such name"), 200, list) == []


def reads_one_with_connections() -> None:
    provider = answer(
        get_provider.sync_detailed(openstack().uid, client=reader, with_conn=True), 200, models.ExtendedProvider
    )
    for region in provider.regions:
        assert isinstance(region.location, models.Location | None)
        kinds = {type(service) for service in region.services}
        assert {models.IdentityService, models.ProviderComputeService} <= kinds, kinds
    for issuer in provider.identity_providers:
        assert issuer.relationship.protocol and issuer.relationship.audience is None
        assert issuer.user_groups[0].slas[0].start_date.year > 2000


def follows_to_projects() -> None:
    for project in projects():
        assert project.provider.uid == openstack().uid
        assert project.sla and project.sla.user_group.identity_provider.providers[0].relationship.idp_name


def follows_to_flavors() -> None:
    uid = projects()[0].flavors[0].uid
    flavor = answer(get_flavor.sync_detailed(uid, client=reader, with_conn=True), 200, models.ExtendedFlavor)
    assert flavor.service.region.provider.uid == openstack().uid
    large = answer(list_flavors.sync_detailed(client=reader, gpus_gt=0, sort="-ram", limit=3), 200, list)
    sizes = [flavor.ram for flavor in all_of(large, models.Flavor) if flavor.gpus > 0]
    assert len(sizes) == len(large) and sizes == sorted(sizes, reverse=True)


def follows_to_images() -> None:
    uid = projects()[0].images[0].uid
    image = answer(get_image.sync_detailed(uid, client=reader, with_conn=True), 200, models.ExtendedImage)
    assert image.services[0].region.provider.uid == openstack().uid
    assert image.created_at and image.created_at.tzinfo


def follows_to_networks() -> None:
    uid = next(project.networks[0].uid for project in projects() if project.networks)
    network = answer(get_network.sync_detailed(uid, client=reader, with_conn=True), 200, models.ExtendedNetwork)
    assert network.service.region.provider.uid == openstack().uid


def follows_to_quotas() -> None:
    quotas = [quota for project in projects() for quota in project.quotas]
    cores = [quota for quota in quotas if isinstance(quota, models.ProjectComputeQuota)]
    assert any(isinstance(quota, models.ProjectBlockStorageQuota) for quota in quotas)
    assert any(quota.usage for quota in cores) and not all(quota.usage for quota in cores)
    uid = cores[0].uid
    quota = answer(
        get_compute_quota.sync_detailed(uid, client=reader, with_conn=True), 200, models.ExtendedComputeQuota
    )
    assert quota.service.region.provider.uid == openstack().uid


def what_did_not_change_is_304() -> None:
    uid = openstack().uid
    tag = get_provider.sync_detailed(uid, client=reader).headers["etag"]
    assert get_provider.sync_detailed(uid, client=reader, if_none_match=tag).status_code == 304


def patches() -> None:
    uid, before = openstack().uid, openstack().description
    tag = get_provider.sync_detailed(uid, client=admin).headers["etag"]

    def patch(text: str, if_match: str | None = None) -> Response[Any]:
        body = models.ProviderPatch(description=text)
        return patch_provider.sync_detailed(uid, client=admin, body=body, if_match=if_match or UNSET)

    changed = answer(patch("from Python", if_match=tag), 200, models.Provider)
    assert changed.description == "from Python" and changed.name == openstack().name
    assert patch("from Python").status_code == 304
    answer(patch("too late", if_match=tag), 412, models.ApiError)
    assert answer(patch(before), 200, models.Provider).description == before


def document() -> models.ProviderCreate:
    """A small provider."""
    return models.ProviderCreate(
        name="PYTHON-CLIENT",
        type_=models.ProviderType.OPENSTACK,
        projects=[models.ProjectCreate(name="one", uuid="1")],
        regions=[
            models.RegionCreate(
                name="here",
                location=models.LocationCreate(site="python-client", country="Italy"),
                compute_services=[
                    models.ComputeServiceCreate(
                        endpoint="https://nova.example.org/v2",
                        name=models.ComputeServiceName.ORG_OPENSTACK_NOVA,
                        flavors=[
                            models.PrivateFlavorCreate(name="small", uuid="f1", projects=["1"], ram=2048),
                            models.SharedFlavorCreate(name="large", uuid="f2", ram=4096),
                        ],
                        quotas=[models.ComputeQuotaCreate(project="1", cores=-1, ram=8192)],
                    )
                ],
            )
        ],
    )


def creates_and_deletes() -> None:
    created = answer(create_provider.sync_detailed(client=admin, body=document()), 201, models.ExtendedProvider)
    service = created.regions[0].services[0]
    assert isinstance(service, models.ProviderComputeService)
    assert sorted((flavor.name, flavor.is_shared) for flavor in service.flavors) == [("large", True), ("small", False)]
    assert service.quotas[0].cores is None and service.quotas[0].ram == 8192
    try:
        again = answer(create_provider.sync_detailed(client=admin, body=document()), 409, models.ApiError)
        assert again.detail == "Provider with name 'PYTHON-CLIENT' and type 'openstack' already exists."
    finally:
        assert delete_provider.sync_detailed(created.uid, client=admin).status_code == 204
    gone = answer(get_provider.sync_detailed(created.uid, client=admin), 404, models.ApiError)
    assert gone.detail == f"Provider with uid '{created.uid}' not found"


def reads_what_changed() -> None:
    page = answer(list_changes.sync_detailed(client=admin, after=0, limit=1), 200, models.Changes)
    (change,) = page.changes
    assert 0 < change.revision == page.next_ <= page.last and change.who.endswith(" administrator") and change.what
    provider = change.nodes[0]
    assert (provider.action, provider.kind) == (models.NodeAction.CREATED, "Provider") and change.relations
    history = answer(get_provider_history.sync_detailed(provider.uid, client=admin), 200, models.Changes)
    assert history.changes[0].nodes == [provider]
    assert history.changes[0].nodes[0].fields["name"].new and history.changes[0].nodes[0].fields["name"].old is UNSET
    gone = answer(list_changes.sync_detailed(client=admin, after=10**9), 410, models.ChangesGone)
    assert (gone.kept_after, gone.last >= page.last) == (0, True)


def who_is_not_known_is_401() -> None:
    response = list_providers.sync_detailed(client=stranger)
    assert answer(response, 401, models.ApiError).detail and response.headers["www-authenticate"].startswith("Bearer")


def who_may_not_is_403() -> None:
    body = models.ProviderPatch(description="mine")
    answer(patch_provider.sync_detailed(openstack().uid, client=reader, body=body), 403, models.ApiError)


def what_is_wrong_is_422() -> None:
    faults = answer(list_providers.sync_detailed(client=reader, size=0), 422, models.ValidationErrors)
    assert faults.detail[0].loc == ["query", "size"], faults
    wrong = document()
    wrong.projects = []
    faults = answer(create_provider.sync_detailed(client=admin, body=wrong), 422, models.ValidationErrors)
    places = {tuple(fault.loc) for fault in faults.detail}
    service = ("body", "regions", 0, "compute_services", 0)
    assert places == {(*service, "flavors", 0, "projects", 0), (*service, "quotas", 0, "project")}, places


def every_answer_is_as_described() -> None:
    """All lists in all shapes, and one of each single answer, held against the OpenAPI document."""
    schemas = {"components": OPENAPI["components"]}
    validators: dict[str, Any] = {}
    with_token, without = reader.get_httpx_client(), nobody.get_httpx_client()

    def shape(path: str) -> Any:
        shape = OPENAPI["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        return validators.setdefault(path, jsonschema.Draft202012Validator({**schemas, **shape}))

    changes = admin.get_httpx_client()
    shape("/changes").validate(changes.get("/changes").raise_for_status().json())
    history = "/providers/{provider_uid}/history"
    shape(history).validate(changes.get(history.format(provider_uid=openstack().uid)).raise_for_status().json())
    for path in [path for path in OPENAPI["paths"] if path.endswith("/")]:
        validator = shape(path)
        for http in with_token, without:
            for conn in "false", "true":
                validator.validate(http.get(path, params={"with_conn": conn}).raise_for_status().json())


check("lists providers, also without a token", lists_providers)
check("reads one with its connections", reads_one_with_connections)
check("follows to projects", follows_to_projects)
check("follows to flavors", follows_to_flavors)
check("follows to images", follows_to_images)
check("follows to networks", follows_to_networks)
check("follows to quotas", follows_to_quotas)
check("asks again for nothing when nothing changed", what_did_not_change_is_304)
check("patches a description and back, not over somebody else's change", patches)
check("creates and deletes a provider; 409 and 404", creates_and_deletes)
check("reads what changed, and what one was; 410", reads_what_changed)
check("handles 401", who_is_not_known_is_401)
check("handles 403", who_may_not_is_403)
check("handles 422 of parameters and bodies", what_is_wrong_is_422)
check("every answer is as the OpenAPI document says", every_answer_is_as_described)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
