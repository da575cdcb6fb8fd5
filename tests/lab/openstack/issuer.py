#!/usr/bin/python3
"""Tiny lab OIDC issuer: RS256 JWT access tokens. LAB ONLY: /token hands a token to anybody on loopback.

GET  /.well-known/openid-configuration   GET /jwks   GET /userinfo (Bearer)   GET /lab (which lab this is, and its folder)
POST /token       form: grant_type=client_credentials|password|refresh_token, sub=..., [groups=a,b] [ttl=secs] [aud=..] [scope=..]
POST /introspect  form: token=...   (RFC 7662)
Served over https (tls.pem/tls.key signed by ca.pem) and plain http, both on 127.0.0.1.
"""
import argparse, base64, json, ssl, threading, time, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse
import jwt
from cryptography.hazmat.primitives import serialization

ap = argparse.ArgumentParser()
ap.add_argument('--dir', required=True); ap.add_argument('--home', default=''); ap.add_argument('--issuer', required=True)
ap.add_argument('--https-port', type=int, default=8443); ap.add_argument('--http-port', type=int, default=8099)
A = ap.parse_args()
KEY = serialization.load_pem_private_key(open(A.dir + '/sign.key', 'rb').read(), None)
KID = 'oslab-1'
COUNTS = {}               # tokens given, by client
TTL = {'short-lived': 4}  # seconds that the tokens of a client are good, when it does not say

def b64(n):
    return base64.urlsafe_b64encode(n.to_bytes((n.bit_length() + 7) // 8, 'big')).rstrip(b'=').decode()

PUB = KEY.public_key().public_numbers()
JWKS = {'keys': [{'kty': 'RSA', 'use': 'sig', 'alg': 'RS256', 'kid': KID, 'n': b64(PUB.n), 'e': b64(PUB.e)}]}
# known subjects -> default claims
USERS = {
    'feeder': {'name': 'Feeder Robot', 'email': 'feeder@example.org', 'groups': ['lab-users']},
    'bob': {'name': 'Bob', 'email': 'bob@example.org', 'groups': ['lab-users', 'other']},
    'mallory': {'name': 'Mallory', 'email': 'mallory@example.org', 'groups': ['outsiders']},
}

def mint(sub, groups=None, ttl=3600, aud='oslab', scope='openid profile email', **extra):
    now = int(time.time())
    u = USERS.get(sub, {'name': sub, 'email': sub + '@example.org', 'groups': []})
    c = {'iss': A.issuer, 'sub': sub, 'aud': aud, 'iat': now, 'nbf': now - 5, 'exp': now + ttl, 'jti': str(uuid.uuid4()),
         'client_id': 'oslab', 'scope': scope, 'preferred_username': sub, **u, **extra}
    if groups is not None:
        c['groups'] = groups
    return jwt.encode(c, KEY, algorithm='RS256', headers={'kid': KID, 'typ': 'at+jwt'})

class H(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def out(self, obj, code=200):
        b = json.dumps(obj).encode()
        self.send_response(code); self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(b))); self.end_headers(); self.wfile.write(b)
    def claims(self, tok):
        return jwt.decode(tok, KEY.public_key(), algorithms=['RS256'], options={'verify_aud': False})
    def basic(self):
        kind, _, value = self.headers.get('Authorization', '').partition(' ')
        return base64.b64decode(value).decode().partition(':')[0] if kind == 'Basic' else ''
    def do_GET(self):
        p = urlparse(self.path).path.rstrip('/')
        if p == '/.well-known/openid-configuration':
            i = A.issuer.rstrip('/')
            return self.out({'issuer': A.issuer, 'jwks_uri': i + '/jwks', 'token_endpoint': i + '/token', 'introspection_endpoint': i + '/introspect',
                'userinfo_endpoint': i + '/userinfo', 'authorization_endpoint': i + '/authorize', 'response_types_supported': ['code'],
                'grant_types_supported': ['client_credentials', 'password', 'refresh_token'], 'subject_types_supported': ['public'],
                'id_token_signing_alg_values_supported': ['RS256'], 'token_endpoint_auth_methods_supported': ['client_secret_basic', 'client_secret_post', 'none']})
        if p in ('/jwks', '/jwk'):
            return self.out(JWKS)
        if p == '/lab':
            return self.out({'lab': 'openstack', 'home': A.home, 'tokens': COUNTS})
        if p == '/userinfo':
            try:
                return self.out(self.claims(self.headers.get('Authorization', '').split(' ', 1)[1]))
            except Exception as e:
                return self.out({'error': 'invalid_token', 'error_description': str(e)}, 401)
        self.out({'error': 'not_found'}, 404)
    def do_POST(self):
        p = urlparse(self.path).path.rstrip('/')
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
        f = {k: v[-1] for k, v in parse_qs(body).items()}
        if p == '/token':
            who = self.basic()
            COUNTS[who] = COUNTS.get(who, 0) + 1
            ttl = int(f.get('ttl', TTL.get(who, 3600))); sub = f.get('sub') or f.get('username') or 'feeder'
            g = f['groups'].split(',') if 'groups' in f else None
            t = mint(sub, g, ttl, f.get('aud', 'oslab'), f.get('scope', 'openid profile email'))
            return self.out({'access_token': t, 'token_type': 'Bearer', 'expires_in': ttl, 'scope': f.get('scope', 'openid profile email')})
        if p == '/introspect':
            try:
                return self.out({'active': True, 'token_type': 'Bearer', **self.claims(f['token'])})
            except Exception:
                return self.out({'active': False})
        self.out({'error': 'not_found'}, 404)

h = ThreadingHTTPServer(('127.0.0.1', A.http_port), H)
s = ThreadingHTTPServer(('127.0.0.1', A.https_port), H)
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); ctx.load_cert_chain(A.dir + '/tls.pem', A.dir + '/tls.key')
s.socket = ctx.wrap_socket(s.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=h.serve_forever, daemon=True).start()
print('issuer', A.issuer, flush=True)
s.serve_forever()
