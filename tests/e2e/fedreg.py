"""The program under test: where it is, and its processes. Nothing that is started here outlives the test."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
WEB = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def program():
    """FEDREG, or what `cargo build --release` made."""
    path = pathlib.Path(os.environ.get("FEDREG", REPOSITORY / "target/release/fedreg"))
    if not path.is_file():
        raise SystemExit(f"{path} is not there: cargo build --release (or name another one in FEDREG)")
    return path


def lab(name):
    """Starts or finds a lab; what it tells its clients."""
    told = subprocess.run([REPOSITORY / "tests/lab/lab", "up", name], stdout=subprocess.PIPE, text=True)
    if told.returncode:
        raise SystemExit(f"the {name} lab did not start, the reason is above")
    return dict(line.split("=", 1) for line in told.stdout.split())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(url, basic=None, **form):
    """The JSON that answers a form."""
    request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode())
    if basic:
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        passwords.add_password(None, url, *basic, is_authenticated=True)
        web = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords))
    else:
        web = WEB
    with web.open(request, timeout=20) as answer:
        return json.load(answer)


def status(url, method="GET", token=None, body=None):
    """Status, headers and body of one request, errors included."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, method=method, headers=headers, data=body)
    try:
        with WEB.open(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@contextlib.contextmanager
def scratch():
    """A folder that only this test sees."""
    with tempfile.TemporaryDirectory(prefix="fedreg-test-") as folder:
        yield pathlib.Path(folder)


def register(name, secret):
    """Has a secret looked for that has no form by which it would be found."""
    if folder := os.environ.get("FEDREG_TEST_SECRETS"):
        with open(pathlib.Path(folder) / name, "a") as known:
            known.write(secret + "\n")
    return secret


def keep(log):
    """A copy of what the program printed, for the search for secrets at the end of all tests (tests/secrets)."""
    if folder := os.environ.get("FEDREG_TEST_OUTPUT"):
        with tempfile.NamedTemporaryFile(prefix=f"{log.stem}-", suffix=".log", dir=folder, delete=False) as copy:
            copy.write(log.read_bytes())


def keep_answers(url, token, folder):
    """The same of what the registry tells: metrics, changes, runs."""
    for name, path in (("metrics", "/metrics"), ("changes", "/api/v1/changes?limit=1000"), ("runs", "/api/v1/feeder/runs"), ("freshness", "/api/v1/freshness")):
        code, _, body = status(url + path, token=None if name == "metrics" else token)
        if code != 200:
            raise SystemExit(f"GET {path} answered {code}")
        (folder / f"{name}.answer").write_bytes(body)
        keep(folder / f"{name}.answer")


@contextlib.contextmanager
def running(arguments, log, **options):
    """A process of the program. It is asked to end (SIGTERM) when the block ends, and must do so in time and with status 0."""
    with open(log, "w") as out:
        process = subprocess.Popen([program(), *arguments], stderr=out, **{"stdout": out, **options})
    try:
        yield process
    except BaseException:
        process.kill()
        process.wait()
        print(f"--- the end of {log}\n" + "".join(open(log).readlines()[-40:]) + "---", flush=True)
        raise
    stop(process, signal.SIGTERM, log)
    keep(log)


def stop(process, how, log, seconds=30):
    if process.poll() is None:
        process.send_signal(how)
    try:
        ended = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise SystemExit(f"{how.name} did not end the program within {seconds} s") from None
    if ended != 0:
        raise SystemExit(f"the program ended with status {ended} after {how.name}:\n" + "".join(open(log).readlines()[-40:]))


def ready(process, url, log, seconds=30):
    """Waits until the registry says that it is ready."""
    end = time.monotonic() + seconds
    while True:
        if process.poll() is not None:
            raise SystemExit(f"the registry ended with status {process.returncode}:\n" + "".join(open(log).readlines()[-40:]))
        with contextlib.suppress(OSError):
            if status(f"{url}/readyz")[0] == 200:
                return
        if time.monotonic() > end:
            raise SystemExit(f"{url}/readyz does not say ready within {seconds} s, see {log}")
        time.sleep(0.05)
