#!/usr/bin/env python3
"""The test's handle on a Keycloak of this lab, as the lab `oidc` has one:  handle.py HOME KEYCLOAK-PORT PORT

GET  /lab                        {"lab": "keycloak", "home": folder, "keys": [{"kid", "alg", "use"}, ...]}
POST /lab {"rotate": "keep"}     a new signing key, the old ones stay published; "drop": they go; "alg": "ES256" with it
"""
import json
import sys
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOME, KEYCLOAK, PORT = sys.argv[1], f"http://127.0.0.1:{sys.argv[2]}", int(sys.argv[3])
REALM = f"{KEYCLOAK}/admin/realms/federation"
CERTIFICATES = f"{KEYCLOAK}/realms/federation/protocol/openid-connect/certs"
PRIORITY = 0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, body=None, method=None, token=None, kind="application/json"):
    request = urllib.request.Request(url, data=body, method=method, headers={"content-type": kind})
    if token:
        request.add_header("authorization", f"Bearer {token}")
    with DIRECT.open(request, timeout=30) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def administrator():
    form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "labpassword"}
    url = f"{KEYCLOAK}/realms/master/protocol/openid-connect/token"
    body = urllib.parse.urlencode(form).encode()
    return ask(url, body, kind="application/x-www-form-urlencoded")["access_token"]


def provider(algorithm):
    """The kind of key provider for an algorithm, and what it is told."""
    if algorithm.startswith("ES"):
        curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm]
        return "ecdsa-generated", {"ecdsaEllipticCurveKey": [curve]}
    if algorithm == "EdDSA":
        return "eddsa-generated", {"eddsaEllipticCurveKey": ["Ed25519"]}
    return "rsa-generated", {"algorithm": [algorithm], "keySize": ["2048"]}


def rotate(mode, algorithm):
    token = administrator()
    kinds = ("rsa-generated", "ecdsa-generated", "eddsa-generated")
    found = ask(f"{REALM}/components?type=org.keycloak.keys.KeyProvider", token=token)
    old = [one["id"] for one in found if one["providerId"] in kinds]
    kind, config = provider(algorithm)
    # of the keys for an algorithm, the one of the highest priority signs
    global PRIORITY
    PRIORITY = max(PRIORITY + 1, int(time.time()))
    config |= {"priority": [str(PRIORITY)], "enabled": ["true"], "active": ["true"]}
    component = {
        "name": f"rotated-{time.time_ns()}", "providerId": kind, "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": ask(REALM, token=token)["id"], "config": config,
    }
    ask(f"{REALM}/components", json.dumps(component).encode(), token=token)
    # first, because Keycloak makes a key by itself when the last one of the default algorithm goes
    ask(REALM, json.dumps({"defaultSignatureAlgorithm": algorithm}).encode(), "PUT", token)
    if mode == "drop":
        for one in old:
            ask(f"{REALM}/components/{one}", method="DELETE", token=token)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/lab":
            return self.reply(404, {})
        try:
            keys = [{name: key.get(name) for name in ("kid", "alg", "use")} for key in ask(CERTIFICATES)["keys"]]
        except OSError:
            keys = []
        return self.reply(200, {"lab": "keycloak", "home": HOME, "keys": keys})

    def do_POST(self):
        try:
            wanted = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
            if "rotate" in wanted:
                rotate(wanted["rotate"], wanted.get("alg", "RS256"))
        except (OSError, ValueError, KeyError) as error:
            return self.reply(400, {"error": str(error)})
        return self.do_GET()

    def reply(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
