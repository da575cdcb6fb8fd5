#!/usr/bin/env python3
"""The demo as a newcomer meets it: one command, no configuration. Starts it, asks it, stops it with Ctrl-C, looks what it left behind."""
import json
import os
import signal
import sys
import time

from comparison import Comparison
from fedreg import running, scratch, status, stop

checks = Comparison()


def check(title, *faults):
    checks.note(title, [text for wrong, text in faults if wrong])


with scratch() as folder:
    places = {name: folder / name for name in ("home", "tmp", "work")}
    for place in places.values():
        place.mkdir()
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(places["home"]), "TMPDIR": str(places["tmp"])}
    log = folder / "demo.log"
    began = time.monotonic()
    with running(["demo", "--json", "--port", "0"], log, stdout=-1, text=True, cwd=places["work"], env=surroundings) as demo:
        line = demo.stdout.readline()
        took = time.monotonic() - began
        told = json.loads(line)
        check(f"ready after {took:.1f} s, one line of JSON", *((key not in told, f"no {key} in {line}") for key in ("registry", "issuer", "token", "admin_token")))
        base = told["registry"].rstrip("/").removesuffix("/api/v1")
        api = base + "/api/v1"

        for path in ("/healthz", "/readyz", "/metrics"):
            code, _, _ = status(base + path)
            check(f"GET {path}", (code != 200, f"answered {code}"))

        code, _, body = status(f"{api}/providers?with_conn=true", token=told["token"])
        providers = json.loads(body)
        kinds = {provider["type"] for provider in providers}
        check(f"{len(providers)} providers of both kinds", (code != 200, f"answered {code}"), (len(providers) < 3, "fewer than three"), (kinds != {"openstack", "kubernetes"}, f"kinds: {kinds}"),
              *((not provider["projects"] or not provider["regions"], f"{provider['name']} is empty") for provider in providers))

        code, _, body = status(f"{api}/user_groups?with_conn=true&provider_status=active", token=told["token"])
        groups = json.loads(body)
        quotas = [quota for group in groups for sla in group["slas"] for project in sla["projects"] for quota in project["quotas"]]
        check("the orchestrator's question", (code != 200, f"answered {code}"), (not quotas, "no user group has a quota"))

        code, headers, _ = status(f"{api}/flavors?with_conn=true", token="not-a-token")
        check("a token that is none is refused", (code != 401, f"answered {code}"), ("WWW-Authenticate" not in headers, "no WWW-Authenticate"))
        code, _, body = status(f"{api}/flavors")
        check("anonymous readers see public fields only", (code != 200, f"answered {code}"), (b'"vcpus"' in body, "vcpus is shown"))

        document = json.dumps({"name": "written-by-hand", "type": "openstack"}).encode()
        for who, token, wanted in (("nobody", None, 401), ("a user", told["token"], 403), ("an administrator", told["admin_token"], 201)):
            code, _, body = status(f"{api}/providers/", "POST", token, document)
            check(f"POST by {who}: {wanted}", (code != wanted, f"answered {code}: {body[:300]!r}"))

        began = time.monotonic()
        stop(demo, signal.SIGINT, log, seconds=15)
        check(f"Ctrl-C ends it after {time.monotonic() - began:.1f} s with status 0")
    told = log.read_text()
    check("nothing but errors is logged, and there was none", (bool(told), told[:500]))
    left = [str(path.relative_to(folder)) for place in places.values() for path in place.rglob("*")]
    check("nothing is left behind", *((True, path) for path in left))

sys.exit(checks.end())
