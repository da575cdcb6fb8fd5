"""What OpenStack's own client (python3-openstackclient of Debian) lists, command by command, as JSON."""
import contextlib
import io
import json
import multiprocessing

try:
    from openstackclient.shell import OpenStackShell
except ImportError as error:
    raise SystemExit(f"{error}: run this with /usr/bin/python3, after `tests/lab/lab build openstack` has installed python3-openstackclient") from None


def command(arguments):
    """One command in this process. Only in a child that ends with it: the client keeps state from one run to the next."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = OpenStackShell().run(arguments)
    return status, out.getvalue(), err.getvalue()


class Client:
    """One identity in one project and region. Commands run in forked children: the client is loaded once only."""

    pool = None

    def __init__(self, region, project, auth):
        options = {"os_identity_api_version": "3", "os_region_name": region, **project, **auth}
        self.options = [part for name, value in options.items() for part in ("--" + name.replace("_", "-"), value)]
        Client.pool = Client.pool or multiprocessing.get_context("fork").Pool(maxtasksperchild=1)

    def lists(self, *commands):
        """The JSON of each command, in order."""
        asked = [[*self.options, *words, "-f", "json"] for words in commands]
        said = []
        for words, (status, out, err) in zip(commands, self.pool.map(command, asked, chunksize=1), strict=True):
            if status:
                raise SystemExit(f"openstack {' '.join(words)}: exit status {status}: {err.strip()}")
            said.append(json.loads(out))
        return said

    def act(self, *words):
        """A command that changes something; what it prints."""
        status, out, err = self.pool.apply(command, ([*self.options, *words],))
        if status:
            raise SystemExit(f"openstack {' '.join(words)}: exit status {status}: {err.strip()}")
        return out


def password(env, username):
    return {"os_auth_url": env["OPENSTACK_AUTH_URL"], "os_auth_type": "password", "os_username": username,
            "os_password": env["OPENSTACK_PASSWORD"], "os_user_domain_name": "Default"}


def access_token(env, token):
    return {"os_auth_url": env["OPENSTACK_AUTH_URL"], "os_auth_type": "v3oidcaccesstoken", "os_access_token": token,
            "os_identity_provider": env["OPENSTACK_IDENTITY_PROVIDER"], "os_protocol": env["OPENSTACK_PROTOCOL"]}


def listing(client, admin, region, project_id, image_tags=(), network_tags=()):
    """All that the client tells about one project in one region; tags are the client's own filter: what has all of them.

    Usage of compute and network is what `quota list --detail` shows to the administrator. This version of the client shows none for
    volumes ("doesn't provide detailed quota information"): there the volumes and snapshots themselves are counted.
    """
    names = ("project", "catalog", "flavors", "images", "networks", "limits", "volumes", "snapshots")
    images = [word for tag in image_tags for word in ("--tag", tag)]
    networks = ["--tags", ",".join(network_tags)] if network_tags else []
    seen = dict(zip(names, client.lists(
        ["project", "show", project_id], ["catalog", "list"], ["flavor", "list", "--all"], ["image", "list", "--limit", "1000", *images],
        ["network", "list", *networks], ["quota", "show"], ["volume", "list"], ["volume", "snapshot", "list"]), strict=True))
    for kind in ("flavors", "images", "networks"):
        seen[kind] = client.lists(*([kind[:-1], "show", item["ID"]] for item in seen[kind]))
    details = admin.lists(*(["quota", "list", service, "--detail", "--project", project_id] for service in ("--compute", "--network")))
    seen["compute usage"], seen["network usage"] = ({row["Resource"]: row["In Use"] for row in rows} for rows in details)
    here = [service["Type"] for service in seen["catalog"] for endpoint in service["Endpoints"] if endpoint["region_id"] == region]
    seen["account"] = client.lists(["object", "store", "account", "show"])[0] if "object-store" in here else None
    return seen
