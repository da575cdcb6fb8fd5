// One OpenID Connect issuer on loopback: oidc-provider (certified) with the users and clients below.
//   node issuer.mjs HOME PORT
// What the library does not have: the password grant (registered below) and GET/POST /lab, the test's handle:
//   GET  /lab                       {"lab": "oidc", "home": folder, "hits": {"GET /jwks": 3, ...}, "alg": ..., "kids": [...], "lifetime": ...}
//   POST /lab {"rotate":"keep"}     a new signing key, the old ones stay published; "drop": they go; "alg":"ES256" with it
//   POST /lab {"lifetime":5}        seconds that access tokens issued from now on live
//   POST /lab {"fail":{"/jwks":503}, "delay_ms":{"/token":2000}}    by path, {} ends it;  {"reset":true} zeroes the hits
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [home, port] = process.argv.slice(2);
const require = createRequire(`${process.env.OIDC_MODULES}/`);          // the installed packages live in the cache
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { Provider, errors } = await load('oidc-provider');
const jose = await load(createRequire(require.resolve('oidc-provider')).resolve('jose')).catch(() => load('jose'));

const issuer = `http://127.0.0.1:${port}`;
const resource = 'urn:lab:federation-registry';
const state = { lifetime: Number(process.env.OIDC_LIFESPAN ?? 300), fail: {}, delay_ms: {}, hits: {} };

const user = (name, groups, more = {}) => [name, { password: `${name}pw`, email: `${name}@example.org`, email_verified: true, name, preferred_username: name, groups, ...more }];
const users = new Map([
  user('admin', ['/admins', '/users']), user('user', ['/users', '/beta/testers']),
  user('unverified', ['/admins'], { email_verified: false }), user('nogroup', undefined),
]);
for (const [name, u] of users) u.sub = `sub-${name}`;
const services = { feeder: { email: 'feeder@example.org', email_verified: true, groups: ['/admins'] } };

const open = (id) => ({ client_id: id, token_endpoint_auth_method: 'none', grant_types: ['password', 'refresh_token'], response_types: [], redirect_uris: [] });
const closed = (id, secret, grants) => ({ client_id: id, client_secret: secret, grant_types: grants, response_types: [], redirect_uris: [] });
const clients = [
  open('orchestrator'),               // JWT that carries e-mail and groups
  open('orchestrator-short'),         // the same, 5 s
  open('orchestrator-bare'),          // JWT without them
  open('orchestrator-light'),         // opaque: userinfo or introspection tell
  open('stranger'),                   // JWT for another audience
  closed('feeder', 'feeder-secret', ['client_credentials']),
  closed('federation-registry', 'registry-secret', ['client_credentials']),     // may introspect
  closed('registry', 'registry-secret', ['client_credentials']),                // must not
];
const jwt = (client) => client.clientId !== 'orchestrator-light';
const life = (client) => (client.clientId === 'orchestrator-short' ? 5 : state.lifetime);
const server = (client) => ({
  scope: 'openid profile email offline_access', accessTokenFormat: 'jwt', accessTokenTTL: life(client),
  audience: client.clientId === 'stranger' ? 'somebody-else' : 'federation-registry', jwt: { sign: { alg: keys[0].alg } },
});

function account(sub) {
  const { password, ...claims } = [...users.values()].find((u) => u.sub === sub) ?? {};
  return claims.sub && { accountId: sub, claims: () => claims };
}

// keys: the first one signs; kept in HOME/keys.json so that a restart publishes the same
const file = `${home}/keys.json`;
let keys = existsSync(file) ? JSON.parse(readFileSync(file)) : [];
async function rotate(mode, alg = 'RS256') {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  const fresh = { ...(await jose.exportJWK(privateKey)), alg, use: 'sig', kid: randomUUID() };
  keys = mode === 'drop' ? [fresh] : [fresh, ...keys];
  writeFileSync(`${file}.new`, JSON.stringify(keys), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
if (!keys.length) await rotate('drop', process.env.OIDC_ALG ?? 'RS256');

function build() {
  const provider = new Provider(issuer, {
    clients, jwks: { keys }, scopes: ['openid', 'profile', 'email', 'offline_access'],
    clientDefaults: { id_token_signed_response_alg: keys[0].alg },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username', 'groups'] },
    ttl: { AccessToken: (ctx, token, client) => life(client), ClientCredentials: (ctx, token, client) => life(client), RefreshToken: 86400, Grant: 86400, IdToken: 300 },
    findAccount: (ctx, sub) => account(sub),
    extraTokenClaims: (ctx, token) => {                                  // in the JWT, or in what introspection answers
      const id = token.clientId; if (id === 'orchestrator-bare') return undefined;
      const of = token.accountId ? [...users.values()].find((u) => u.sub === token.accountId) : services[id];
      return of && { email: of.email, email_verified: of.email_verified, groups: of.groups, preferred_username: of.preferred_username };
    },
    features: {
      devInteractions: { enabled: false }, clientCredentials: { enabled: true }, revocation: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'federation-registry' },
      resourceIndicators: {
        enabled: true, defaultResource: (ctx, client) => (jwt(client) ? resource : undefined),
        getResourceServerInfo: (ctx, indicator, client) => server(client), useGrantedResource: () => true,
      },
    },
  });
  provider.registerGrantType('password', async (ctx) => {
    const { params, client } = ctx.oidc; const u = users.get(params.username);
    if (!u || u.password !== params.password) throw new errors.InvalidGrant('wrong user name or password');
    const scope = params.scope ?? 'openid'; const grant = new provider.Grant({ accountId: u.sub, clientId: client.clientId });
    grant.addOIDCScope(scope); if (jwt(client)) grant.addResourceScope(resource, scope);
    const grantId = await grant.save(); const base = { accountId: u.sub, client, grantId, gty: 'password', scope };
    ctx.oidc.entity('Grant', grant); ctx.oidc.entity('Account', account(u.sub));
    const access = new provider.AccessToken({ ...base, claims: {} });
    if (jwt(client)) access.resourceServer = new provider.ResourceServer(resource, server(client));
    ctx.oidc.entity('AccessToken', access);
    const body = { access_token: await access.save(), token_type: 'Bearer', expires_in: access.expiration, scope };
    if (scope.split(' ').includes('offline_access')) {
      body.refresh_token = await new provider.RefreshToken({ ...base, claims: {}, resource: jwt(client) ? resource : undefined }).save();
    }
    ctx.body = body;
  }, ['username', 'password', 'scope', 'resource'], ['resource']);
  provider.on('server_error', (ctx, err) => console.error(err));
  return provider.callback();
}

let serve = build();
createServer(async (req, res) => {
  const path = req.url.split('?')[0];
  const reply = (status, value) => { res.writeHead(status, { 'content-type': 'application/json' }); res.end(JSON.stringify(value)); };
  if (path === '/lab') {
    try {
      let text = ''; for await (const part of req) text += part;
      const ask = text ? JSON.parse(text) : {};
      for (const k of ['lifetime', 'fail', 'delay_ms']) if (k in ask) state[k] = ask[k];
      if (ask.reset) state.hits = {};
      if (ask.rotate) { await rotate(ask.rotate, ask.alg); serve = build(); }
      return reply(200, { lab: 'oidc', home, ...state, alg: keys[0].alg, kids: keys.map((k) => k.kid) });
    } catch (e) { return reply(400, { error: String(e) }); }
  }
  const hit = `${req.method} ${path}`; state.hits[hit] = (state.hits[hit] ?? 0) + 1;
  if (state.delay_ms[path]) await new Promise((done) => { setTimeout(done, state.delay_ms[path]); });
  if (state.fail[path]) return reply(state.fail[path], { error: 'lab' });
  return serve(req, res);
}).listen(Number(port), '127.0.0.1');
