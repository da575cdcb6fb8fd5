// What a client in Java does, with the client that openapi-generator generates (library native: java.net.http).

import com.fasterxml.jackson.databind.JsonNode;
import fedreg.ApiClient;
import fedreg.ApiException;
import fedreg.ApiResponse;
import fedreg.api.*;
import fedreg.model.*;
import java.net.URI;
import java.time.Year;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;

public final class Check {
    private interface Test {
        void run() throws Exception;
    }

    private interface Call {
        void run() throws ApiException;
    }

    private static String registry;
    private static String token;
    private static String adminToken;
    private static int passed;
    private static int failed;

    private static ApiClient client(String token) {
        // the paths of the document start behind its server's /api/v1
        ApiClient client = new ApiClient();
        client.updateBaseUri(registry);
        if (token != null) {
            client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
        }
        return client;
    }

    private static void check(String what, Test test) {
        try {
            test.run();
            passed++;
            System.out.println("java: " + what);
        } catch (Exception | AssertionError why) {
            failed++;
            System.out.println("java: FAILED: " + what + ": " + String.valueOf(why).replace('\n', ' '));
        }
    }

    private static void expect(boolean holds, Object what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    private static void same(Object got, Object wanted) {
        expect(Objects.equals(got, wanted), got + ", not " + wanted);
    }

    /** The error of a call that must not go well, in its shape. */
    private static <T> T refused(Call call, int status, Class<T> shape) throws Exception {
        try {
            call.run();
        } catch (ApiException refused) {
            same(refused.getCode(), status);
            return ApiClient.createDefaultObjectMapper().readValue(refused.getResponseBody(), shape);
        }
        throw new AssertionError("it went well, instead of " + status);
    }

    private static int status(Call call) {
        try {
            call.run();
            return 200;
        } catch (ApiException other) {
            return other.getCode();
        }
    }

    private static String tag(ApiResponse<?> response) {
        Map<String, List<String>> headers = response.getHeaders();
        return headers.get("etag").get(0);
    }

    private static Provider openstack() throws ApiException {
        var request = ProvidersApi.APIListProvidersRequest.newBuilder().type("openstack").sort("name").build();
        return new ProvidersApi(client(token)).listProviders(request).get(0).getProvider();
    }

    private static List<ExtendedProject> projects() throws ApiException {
        var request = ProjectsApi.APIListProjectsRequest.newBuilder().providerUid(openstack().getUid()).withConn(true);
        List<AnyProject> projects = new ProjectsApi(client(token)).listProjects(request.build());
        expect(!projects.isEmpty(), "no projects");
        return projects.stream().map(AnyProject::getExtendedProject).toList();
    }

    private static Set<String> places(ValidationErrors faults) {
        return faults.getDetail().stream()
                .map(fault -> fault.getLoc().stream()
                        .map(step -> String.valueOf(step.getActualInstance()))
                        .collect(Collectors.joining(".")))
                .collect(Collectors.toSet());
    }

    private static void listsProviders() throws Exception {
        ProvidersApi reader = new ProvidersApi(client(token));
        var all = ProvidersApi.APIListProvidersRequest.newBuilder().build();
        expect(reader.listProviders(all).get(0).getActualInstance() instanceof Provider, "with a token: private");
        List<AnyProvider> shown = new ProvidersApi(client(null)).listProviders(all);
        expect(shown.get(0).getActualInstance() instanceof PublicProvider, "without: public");
        var none = ProvidersApi.APIListProvidersRequest.newBuilder().name("no such name").build();
        same(reader.listProviders(none), List.of());
    }

    private static void readsOneWithConnections() throws Exception {
        AnyProvider answer = new ProvidersApi(client(token)).getProvider(openstack().getUid(), null, null, null, true);
        ExtendedProvider provider = answer.getExtendedProvider();
        for (ProviderRegion region : provider.getRegions()) {
            Set<Class<?>> kinds = new HashSet<>();
            region.getServices().forEach(service -> kinds.add(service.getActualInstance().getClass()));
            expect(kinds.containsAll(Set.of(IdentityService.class, ProviderComputeService.class)), kinds);
            expect(region.getLocation() == null || !region.getLocation().getCountry().isEmpty(), "a country");
        }
        ProviderIdentityProvider issuer = provider.getIdentityProviders().get(0);
        expect(issuer.getRelationship().getProtocol() != null, "a protocol");
        same(issuer.getRelationship().getAudience(), null);
        expect(issuer.getUserGroups().get(0).getSlas().get(0).getStartDate().isAfter(Year.of(2000).atDay(1)), "a date");
    }

    private static void followsToProjects() throws Exception {
        for (ExtendedProject project : projects()) {
            same(project.getProvider().getUid(), openstack().getUid());
            ProjectIdentityProvider issuer = project.getSla().getUserGroup().getIdentityProvider();
            expect(issuer.getProviders().get(0).getRelationship().getIdpName() != null, "a name in Keystone");
        }
    }

    private static void followsToFlavors() throws Exception {
        FlavorsApi reader = new FlavorsApi(client(token));
        String uid = projects().get(0).getFlavors().get(0).getUid();
        ExtendedFlavor flavor = reader.getFlavor(uid, null, null, null, true).getExtendedFlavor();
        same(flavor.getService().getRegion().getProvider().getUid(), openstack().getUid());
        var request = FlavorsApi.APIListFlavorsRequest.newBuilder().gpusGt(0).sort("-ram").limit(3).build();
        List<Flavor> large = reader.listFlavors(request).stream().map(AnyFlavor::getFlavor).toList();
        expect(!large.isEmpty() && large.stream().allMatch(one -> one.getGpus() > 0), "have GPUs");
        same(large, large.stream().sorted(Comparator.comparing(Flavor::getRam).reversed()).toList());
    }

    private static void followsToImages() throws Exception {
        String uid = projects().get(0).getImages().get(0).getUid();
        ExtendedImage image = new ImagesApi(client(token)).getImage(uid, null, null, null, true).getExtendedImage();
        same(image.getServices().get(0).getRegion().getProvider().getUid(), openstack().getUid());
        same(image.getCreatedAt().getNano(), 0);
    }

    private static void followsToNetworks() throws Exception {
        String uid = projects().stream().flatMap(one -> one.getNetworks().stream()).findFirst().get().getUid();
        ExtendedNetwork network = new NetworksApi(client(token)).getNetwork(uid, null, null, null, true).getExtendedNetwork();
        same(network.getService().getRegion().getProvider().getUid(), openstack().getUid());
    }

    private static void followsToQuotas() throws Exception {
        List<Object> quotas =
                projects().stream().flatMap(one -> one.getQuotas().stream()).map(ProjectQuota::getActualInstance).toList();
        List<ProjectComputeQuota> cores = quotas.stream()
                .filter(ProjectComputeQuota.class::isInstance)
                .map(ProjectComputeQuota.class::cast)
                .toList();
        same(cores.stream().map(ProjectComputeQuota::getUsage).collect(Collectors.toSet()), Set.of(true, false));
        expect(quotas.stream().anyMatch(ProjectBlockStorageQuota.class::isInstance), "quotas of volumes");
        ComputeQuotasApi reader = new ComputeQuotasApi(client(token));
        ExtendedComputeQuota quota =
                reader.getComputeQuota(cores.get(0).getUid(), null, null, null, true).getExtendedComputeQuota();
        same(quota.getService().getRegion().getProvider().getUid(), openstack().getUid());
    }

    private static void asksAgainForNothing() throws Exception {
        ProvidersApi reader = new ProvidersApi(client(token));
        String uid = openstack().getUid();
        String tag = tag(reader.getProviderWithHttpInfo(uid, null, null, null, null));
        same(status(() -> reader.getProvider(uid, null, tag, null, null)), 304);
    }

    private static void patches() throws Exception {
        ProvidersApi admin = new ProvidersApi(client(adminToken));
        Provider before = openstack();
        String uid = before.getUid();
        String tag = tag(admin.getProviderWithHttpInfo(uid, null, null, null, null));
        ProviderPatch patch = new ProviderPatch().description("from Java");
        Provider changed = admin.patchProvider(uid, patch, null, tag);
        same(changed.getDescription(), "from Java");
        same(changed.description(before.getDescription()), before);
        same(status(() -> admin.patchProvider(uid, patch, null, null)), 304);
        refused(() -> admin.patchProvider(uid, new ProviderPatch().description("too late"), null, tag), 412, ApiError.class);
        same(admin.patchProvider(uid, new ProviderPatch().description(before.getDescription()), null, null), before);
    }

    private static ProviderCreate document() {
        ComputeServiceCreate service = new ComputeServiceCreate()
                .endpoint(URI.create("https://nova.example.org/v2"))
                .name(ComputeServiceName.ORG_OPENSTACK_NOVA)
                .addFlavorsItem(new FlavorCreate(
                        new PrivateFlavorCreate().name("small").uuid("f1").addProjectsItem("1").ram(2048)))
                .addFlavorsItem(new FlavorCreate(new SharedFlavorCreate().name("large").uuid("f2").ram(4096)))
                .addQuotasItem(new ComputeQuotaCreate().project("1").cores(-1).ram(8192));
        RegionCreate region = new RegionCreate()
                .name("here")
                .location(new LocationCreate().site("java-client").country("Italy"))
                .addComputeServicesItem(service);
        return new ProviderCreate()
                .name("JAVA-CLIENT")
                .type(ProviderType.OPENSTACK)
                .addProjectsItem(new ProjectCreate().name("one").uuid("1"))
                .addRegionsItem(region);
    }

    private static void createsAndDeletes() throws Exception {
        ProvidersApi admin = new ProvidersApi(client(adminToken));
        ExtendedProvider created = admin.createProvider(document(), null, null);
        try {
            ProviderComputeService service =
                    created.getRegions().get(0).getServices().get(0).getProviderComputeService();
            Set<Boolean> shared = service.getFlavors().stream().map(Flavor::getIsShared).collect(Collectors.toSet());
            same(shared, Set.of(true, false));
            same(service.getQuotas().get(0).getCores(), null);
            same(service.getQuotas().get(0).getRam(), 8192);
            ApiError again = refused(() -> admin.createProvider(document(), null, null), 409, ApiError.class);
            same(again.getDetail(), "Provider with name 'JAVA-CLIENT' and type 'openstack' already exists.");
        } finally {
            same(admin.deleteProviderWithHttpInfo(created.getUid(), null, null).getStatusCode(), 204);
        }
        ApiError gone = refused(() -> admin.getProvider(created.getUid(), null, null, null, null), 404, ApiError.class);
        same(gone.getDetail(), "Provider with uid '" + created.getUid() + "' not found");
    }

    private static void readsWhatChanged() throws Exception {
        ChangesApi changes = new ChangesApi(client(adminToken));
        var first = ChangesApi.APIListChangesRequest.newBuilder().after(0).limit(1).build();
        Changes page = changes.listChanges(first);
        Change change = page.getChanges().get(0);
        same(change.getRevision(), page.getNext());
        NodeChange provider = change.getNodes().get(0);
        same(provider.getAction(), NodeAction.CREATED);
        same(provider.getKind(), "Provider");
        Changes history = new ProvidersApi(client(adminToken)).getProviderHistory(provider.getUid(), null, null, null);
        same(history.getChanges().get(0).getNodes(), List.of(provider));
        var far = ChangesApi.APIListChangesRequest.newBuilder().after(1_000_000_000).build();
        same(refused(() -> changes.listChanges(far), 410, ChangesGone.class).getKeptAfter(), 0);
    }

    private static void handles401() throws Exception {
        ProvidersApi stranger = new ProvidersApi(client("not-a-token"));
        var all = ProvidersApi.APIListProvidersRequest.newBuilder().build();
        expect(!refused(() -> stranger.listProviders(all), 401, ApiError.class).getDetail().isEmpty(), "a detail");
    }

    private static void handles403() throws Exception {
        String uid = openstack().getUid();
        ProvidersApi reader = new ProvidersApi(client(token));
        ProviderPatch patch = new ProviderPatch().description("mine");
        expect(!refused(() -> reader.patchProvider(uid, patch, null, null), 403, ApiError.class).getDetail().isEmpty(), "a detail");
    }

    private static void handles422() throws Exception {
        ProvidersApi admin = new ProvidersApi(client(adminToken));
        var wrong = ProvidersApi.APIListProvidersRequest.newBuilder().size(0).build();
        same(places(refused(() -> admin.listProviders(wrong), 422, ValidationErrors.class)), Set.of("query.size"));
        ProviderCreate document = document().projects(List.of());
        String service = "body.regions.0.compute_services.0";
        same(
                places(refused(() -> admin.createProvider(document, null, null), 422, ValidationErrors.class)),
                Set.of(service + ".flavors.0.projects.0", service + ".quotas.0.project"));
    }

    public static void main(String[] arguments) throws Exception {
        JsonNode demo = ApiClient.createDefaultObjectMapper().readTree(System.getenv("FEDREG_DEMO"));
        registry = demo.get("registry").asText();
        token = demo.get("token").asText();
        adminToken = demo.get("admin_token").asText();
        check("lists providers, also without a token", Check::listsProviders);
        check("reads one with its connections", Check::readsOneWithConnections);
        check("follows to projects", Check::followsToProjects);
        check("follows to flavors", Check::followsToFlavors);
        check("follows to images", Check::followsToImages);
        check("follows to networks", Check::followsToNetworks);
        check("follows to quotas", Check::followsToQuotas);
        check("asks again for nothing when nothing changed", Check::asksAgainForNothing);
        check("patches a description and back, not over somebody else's change", Check::patches);
        check("creates and deletes a provider; 409 and 404", Check::createsAndDeletes);
        check("reads what changed, and what one was; 410", Check::readsWhatChanged);
        check("handles 401", Check::handles401);
        check("handles 403", Check::handles403);
        check("handles 422 of parameters and bodies", Check::handles422);
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
