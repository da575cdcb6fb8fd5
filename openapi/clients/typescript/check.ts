// What a client in TypeScript does, with the types that openapi-typescript generates and openapi-fetch.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./fedreg.d.ts";

type Schemas = components["schemas"];

const demo: { registry: string; token: string; admin_token: string } = JSON.parse(process.argv[2] ?? "{}");

function client(token?: string) {
  // the paths of the document start behind its server's /api/v1
  return createClient<paths>({
    baseUrl: demo.registry,
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
  });
}
const reader = client(demo.token);
const admin = client(demo.admin_token);
const nobody = client();
const stranger = client("not-a-token");

let passed = 0;
let failed = 0;

async function check(what: string, test: () => Promise<void>) {
  try {
    await test();
    passed += 1;
    console.log(`typescript: ${what}`);
  } catch (why) {
    failed += 1;
    console.log(`typescript: FAILED: ${what}: ${String(why).replaceAll("\n", " ")}`);
  }
}

/** The body of an answer that went well. */
function good<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  assert.ok(answer.data !== undefined, `${answer.response.status}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

/** The body of an answer that did not, which must have this status. */
function bad<E>(answer: { error?: E; response: Response }, status: number): E {
  assert.equal(answer.response.status, status);
  assert.ok(answer.error !== undefined, "an error has a body");
  return answer.error;
}

/** What is in shape `schema_type` of the items; the compiler knows then which properties they have. */
function only<T extends { schema_type: string }, S extends T["schema_type"]>(
  items: T[],
  schema_type: S,
): Extract<T, { schema_type: S }>[] {
  const fit = items.filter((item): item is Extract<T, { schema_type: S }> => item.schema_type === schema_type);
  assert.ok(items.length > 0, "the list is empty");
  assert.equal(fit.length, items.length, `all are ${schema_type}`);
  return fit;
}

function first<T>(items: T[]): T {
  const item = items[0];
  assert.ok(item !== undefined, "the list is empty");
  return item;
}

async function openstack(): Promise<Schemas["Provider"]> {
  const query = { type: "openstack", sort: "name" };
  return first(only(good(await reader.GET("/providers/", { params: { query } })), "private"));
}

async function projects(): Promise<Schemas["ExtendedProject"][]> {
  const query = { provider_uid: (await openstack()).uid, with_conn: true };
  return only(good(await reader.GET("/projects/", { params: { query } })), "private_extended");
}

const document: Schemas["ProviderCreate"] = {
  name: "TYPESCRIPT-CLIENT",
  type: "openstack",
  projects: [{ name: "one", uuid: "1" }],
  regions: [
    {
      name: "here",
      location: { site: "typescript-client", country: "Italy" },
      compute_services: [
        {
          endpoint: "https://nova.example.org/v2",
          name: "org.openstack.nova",
          flavors: [
            { name: "small", uuid: "f1", is_shared: false, projects: ["1"], ram: 2048 },
            { name: "large", uuid: "f2", is_shared: true, ram: 4096 },
          ],
          quotas: [{ project: "1", cores: -1, ram: 8192 }],
        },
      ],
    },
  ],
};

await check("lists providers, also without a token", async () => {
  only(good(await reader.GET("/providers/")), "private");
  only(good(await nobody.GET("/providers/")), "public");
  const none = await reader.GET("/providers/", { params: { query: { name: "no such name" } } });
  assert.deepEqual(good(none), []);
});

await check("reads one with its connections", async () => {
  const path = { provider_uid: (await openstack()).uid };
  const answer = await reader.GET("/providers/{provider_uid}", { params: { path, query: { with_conn: true } } });
  const provider = first(only([good(answer)], "private_extended"));
  for (const region of provider.regions) {
    assert.ok(region.location === null || region.location.country.length > 0);
    const compute = region.services.filter((service) => service.type === "compute");
    assert.ok(first(compute).flavors.length > 0);
    assert.ok(region.services.some((service) => service.type === "identity"));
  }
  const issuer = first(provider.identity_providers);
  assert.ok(issuer.relationship.protocol !== null && issuer.relationship.audience === null);
  assert.match(first(first(issuer.user_groups).slas).start_date, /^\d{4}-\d\d-\d\d$/);
});

await check("follows to projects", async () => {
  const { uid } = await openstack();
  for (const project of await projects()) {
    assert.equal(project.provider.uid, uid);
    assert.ok(project.sla !== null);
    assert.ok(first(project.sla.user_group.identity_provider.providers).relationship.idp_name);
  }
});

await check("follows to flavors", async () => {
  const path = { flavor_uid: first(first(await projects()).flavors).uid };
  const answer = await reader.GET("/flavors/{flavor_uid}", { params: { path, query: { with_conn: true } } });
  const flavor = first(only([good(answer)], "private_extended"));
  assert.equal(flavor.service.region.provider.uid, (await openstack()).uid);
  const query = { gpus__gt: 0, sort: "-ram", limit: 3 };
  const large = only(good(await reader.GET("/flavors/", { params: { query } })), "private");
  const sizes = large.map((flavor) => flavor.ram);
  assert.ok(large.every((flavor) => flavor.gpus > 0));
  assert.deepEqual(sizes, sizes.toSorted((a, b) => b - a));
});

await check("follows to images", async () => {
  const path = { image_uid: first(first(await projects()).images).uid };
  const answer = await reader.GET("/images/{image_uid}", { params: { path, query: { with_conn: true } } });
  const image = first(only([good(answer)], "private_extended"));
  assert.equal(first(image.services).region.provider.uid, (await openstack()).uid);
  assert.ok(image.created_at !== null && !Number.isNaN(Date.parse(image.created_at)));
});

await check("follows to networks", async () => {
  const path = { network_uid: first((await projects()).flatMap((project) => project.networks)).uid };
  const answer = await reader.GET("/networks/{network_uid}", { params: { path, query: { with_conn: true } } });
  const network = first(only([good(answer)], "private_extended"));
  assert.equal(network.service.region.provider.uid, (await openstack()).uid);
});

await check("follows to quotas", async () => {
  const quotas = (await projects()).flatMap((project) => project.quotas);
  const cores = quotas.filter((quota) => quota.type === "compute");
  assert.ok(cores.some((quota) => quota.usage) && cores.some((quota) => !quota.usage));
  assert.ok(quotas.some((quota) => quota.type === "block-storage" && quota.gigabytes !== null));
  const path = { quota_uid: first(cores).uid };
  const answer = await reader.GET("/compute_quotas/{quota_uid}", { params: { path, query: { with_conn: true } } });
  const quota = first(only([good(answer)], "private_extended"));
  assert.equal(quota.service.region.provider.uid, (await openstack()).uid);
});

await check("asks again for nothing when nothing changed", async () => {
  const path = { provider_uid: (await openstack()).uid };
  const tag = (await reader.GET("/providers/{provider_uid}", { params: { path } })).response.headers.get("etag");
  const header = { "If-None-Match": tag ?? "" };
  const again = await reader.GET("/providers/{provider_uid}", { params: { path, header } });
  assert.equal(again.response.status, 304);
});

await check("patches a description and back, not over somebody else's change", async () => {
  const before = await openstack();
  const path = { provider_uid: before.uid };
  const tag = (await admin.GET("/providers/{provider_uid}", { params: { path } })).response.headers.get("etag") ?? "";
  const patch = (description: string, tag?: string) =>
    admin.PATCH("/providers/{provider_uid}", {
      params: { path, ...(tag === undefined ? {} : { header: { "If-Match": tag } }) },
      body: { description },
    });
  const changed = good(await patch("from TypeScript", tag));
  assert.deepEqual({ ...changed, description: before.description }, before);
  assert.equal((await patch("from TypeScript")).response.status, 304);
  bad(await patch("too late", tag), 412);
  assert.deepEqual(good(await patch(before.description)), before);
});

await check("creates and deletes a provider; 409 and 404", async () => {
  const created = good(await admin.POST("/providers/", { body: document }));
  const path = { provider_uid: created.uid };
  try {
    const service = first(first(created.regions).services);
    assert.ok(service.type === "compute");
    const shared = service.flavors.map((flavor) => [flavor.name, flavor.is_shared]).sort();
    assert.deepEqual(shared, [["large", true], ["small", false]]);
    const { cores, ram } = first(service.quotas);
    assert.deepEqual({ cores, ram }, { cores: null, ram: 8192 });
    const again = bad(await admin.POST("/providers/", { body: document }), 409);
    assert.equal(again.detail, "Provider with name 'TYPESCRIPT-CLIENT' and type 'openstack' already exists.");
  } finally {
    const deleted = await admin.DELETE("/providers/{provider_uid}", { params: { path } });
    assert.equal(deleted.response.status, 204);
  }
  const gone = bad(await admin.GET("/providers/{provider_uid}", { params: { path } }), 404);
  assert.equal(gone.detail, `Provider with uid '${created.uid}' not found`);
});

await check("reads what changed, and what one was; 410", async () => {
  const page = good(await admin.GET("/changes", { params: { query: { after: 0, limit: 1 } } }));
  assert.ok(typeof page !== "string", "the stream is only for who asks for it");
  const change = first(page.changes);
  assert.ok(change.revision === page.next && page.next <= page.last);
  const provider = first(change.nodes);
  assert.deepEqual([provider.action, provider.kind], ["created", "Provider"]);
  const path = { provider_uid: provider.uid };
  const history = good(await admin.GET("/providers/{provider_uid}/history", { params: { path } }));
  assert.deepEqual(first(history.changes).nodes, [provider]);
  const gone = bad(await admin.GET("/changes", { params: { query: { after: 1e9 } } }), 410);
  assert.ok("kept_after" in gone && gone.kept_after === 0);
});

await check("handles 401", async () => {
  const answer = await stranger.GET("/providers/");
  assert.ok(bad(answer, 401).detail);
  assert.match(answer.response.headers.get("www-authenticate") ?? "", /^Bearer/);
});

await check("handles 403", async () => {
  const path = { provider_uid: (await openstack()).uid };
  const answer = await reader.PATCH("/providers/{provider_uid}", { params: { path }, body: { description: "mine" } });
  assert.ok(bad(answer, 403).detail);
});

await check("handles 422 of parameters and bodies", async () => {
  const faults = bad(await reader.GET("/providers/", { params: { query: { size: 0 } } }), 422);
  assert.ok(typeof faults.detail !== "string");
  assert.deepEqual(first(faults.detail).loc, ["query", "size"]);
  const wrong = bad(await admin.POST("/providers/", { body: { ...document, projects: [] } }), 422);
  assert.ok(typeof wrong.detail !== "string");
  const service = "body.regions.0.compute_services.0";
  const places = wrong.detail.map((fault) => fault.loc.join(".")).sort();
  assert.deepEqual(places, [`${service}.flavors.0.projects.0`, `${service}.quotas.0.project`]);
});

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
