"""A registry with an empty store in a folder of its own, and a feeder that fills it: what the comparisons look at."""
import contextlib
import json
import subprocess
import time

from fedreg import free_port, keep, keep_answers, lab, post, program, ready, running, scratch, status
from registry import Registry

FEEDER = ("feeder", "feeder-secret")  # a client of the issuer's lab, in the group of administrators


class Federation:
    def __init__(self, folder, issuer, **feeder):
        self.folder, self.issuer = folder, issuer
        self.url = f"http://127.0.0.1:{free_port()}"
        self.settings, self.providers = folder / "fedreg.yaml", folder / "providers.yaml"
        self.registry = Registry(self.url, self.token)
        self.settings.write_text(json.dumps({  # JSON is YAML
            "listen": self.url.removeprefix("http://"),
            "store": {"kind": "embedded", "path": str(folder / "data")},
            "auth": {"issuers": [{"issuer": issuer["OIDC_ISSUER"], "audiences": ["federation-registry"]}],
                     "administrators": [{"issuer": issuer["OIDC_ISSUER"], "group": "/admins"}]},
            "feeder": {"providers": str(self.providers), "registry": self.url + "/api/v1", "token_file": str(folder / "token"), **feeder},
        }, indent=1))

    def token(self):
        return post(self.issuer["OIDC_TOKEN_URL"], FEEDER, grant_type="client_credentials", scope="openid")["access_token"]

    def write(self, trusted_idps, **providers):
        self.providers.write_text(json.dumps({"trusted_idps": trusted_idps, **providers}, indent=1))

    def renew(self):
        """The feeder's token at the registry."""
        (self.folder / "token").write_text(self.token())

    def feed(self, fails=False):
        """One run of the feeder; its exit status must say whether a provider failed."""
        self.renew()
        began, log = time.monotonic(), self.folder / "feed.log"
        with open(log, "w") as out:
            ended = subprocess.run([program(), "feed", "--config", self.settings], stdout=out, stderr=subprocess.STDOUT, timeout=300).returncode
        told = log.read_text()
        keep(log)
        if (ended != 0) != fails:
            raise SystemExit(f"fedreg feed ended with status {ended}, which should {'not ' if fails else ''}be 0:\n{told}")
        print(f"       fedreg feed: status {ended} after {time.monotonic() - began:.1f} s", flush=True)
        return told

    @contextlib.contextmanager
    def feeding(self):
        """The feeder as a daemon, which runs when it is asked to."""
        self.renew()
        log = self.folder / "feeder.log"
        with running(["feed", "--config", self.settings, "--schedule", "0 0 1 1 *"], log):
            yield log

    def run(self, seconds=240, **ask):
        """Asks for a run and waits for its record."""
        self.renew()
        request, end = self.registry.post("feeder/runs", ask)["id"], time.monotonic() + seconds
        while True:
            for record in self.registry.get("feeder/runs", limit=3)["runs"]:
                if request in record["requests"]:
                    return self.registry.get(f"feeder/runs/{record['id']}")
            if time.monotonic() > end:
                raise SystemExit(f"the run {request} that was asked for is not recorded within {seconds} s; see {self.folder}")
            time.sleep(0.1)

    def revision(self):
        """What changes when anything changes."""
        code, headers, _ = status(f"{self.url}/api/v1/providers", token=self.token())
        if code != 200 or "ETag" not in headers:
            raise SystemExit(f"GET providers answered {code}, ETag {headers.get('ETag')}")
        return headers["ETag"]


@contextlib.contextmanager
def federation(**feeder):
    """A running registry; `feeder`: more of the feeder's settings."""
    issuer = lab("oidc")
    with scratch() as folder:
        made = Federation(folder, issuer, **feeder)
        log = folder / "serve.log"
        with running(["serve", "--config", made.settings], log) as process:
            ready(process, made.url, log)
            yield made
            keep_answers(made.url, made.token(), folder)
            if " audit: done: " not in log.read_text():
                raise SystemExit(f"{log} has no line about what was written (the target audit)")


def trusted(issuer, token, **groups):
    """One entry of `trusted_idps`: an agreement for each group, named by its id. `token`: the token, or another way to get one."""
    way = {"token": token} if isinstance(token, str) else token
    return {"issuer": issuer, "group_claim": "groups", **way, "user_groups": [
        {"name": name, "slas": [{"doc_uuid": agreement, "start_date": "2026-01-01", "end_date": "2029-12-31"}]} for name, agreement in groups.items()]}
