# shellcheck shell=bash
# Object storage: one proxy, one object, container and account server. Sourced by up.sh, which sets the variables.

start_swift() {
  local E=$ETC/swift x port
  mkdir -p "$E" "$VAR/swift/d1" "$VAR/swift-recon"
  printf '[swift-hash]\nswift_hash_path_prefix = oslab\nswift_hash_path_suffix = oslab\n[storage-policy:0]\nname = default\ndefault = yes\n' >"$E/swift.conf"
  # swift reads /etc/swift/swift.conf unconditionally; this launcher points it here instead
  cat >"$E/launch.py" <<X
import sys
from swift.common import utils
utils.SWIFT_CONF_FILE = '$E/swift.conf'
from swift.common.wsgi import run_wsgi
sys.exit(run_wsgi(sys.argv[2], sys.argv[1], verbose=True))
X
  for x in object:6200 container:6201 account:6202; do port=${x#*:}; x=${x%:*}
    printf '[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = %s\nworkers = 0\nuser = root\nswift_dir = %s\ndevices = %s\nmount_check = false\n[pipeline:main]\npipeline = %s-server\n[app:%s-server]\nuse = egg:swift#%s\n' $port "$E" "$VAR/swift" $x $x $x >"$E/$x-server.conf"
    [ -e "$E/$x.ring.gz" ] || ( cd "$E"; "$BIN/swift-ring-builder" $x.builder create 4 1 1; "$BIN/swift-ring-builder" $x.builder add --region 1 --zone 1 --ip 127.0.0.1 --port $port --device d1 --weight 1; "$BIN/swift-ring-builder" $x.builder rebalance ) >>"$LOG/swift-ring.log" 2>&1
    daemon swift-$x $port /usr/bin/python3 "$E/launch.py" $x-server "$E/$x-server.conf"
  done
  # account usage headers are updated by the container updater only
  printf '[DEFAULT]\nuser = root\nswift_dir = %s\ndevices = %s\nmount_check = false\n[container-updater]\ninterval = 10\nrecon_cache_path = %s\n' "$E" "$VAR/swift" "$VAR/swift-recon" >"$E/container-updater.conf"
  sed 's/^from swift.common.wsgi.*/from swift.common.daemon import run_daemon; from swift.container.updater import ContainerUpdater/; s/^sys.exit.*/run_daemon(ContainerUpdater, sys.argv[1], verbose=True)/' "$E/launch.py" >"$E/updater.py"
  daemon swift-container-updater - /usr/bin/python3 "$E/updater.py" "$E/container-updater.conf"
  cat >"$E/proxy-server.conf" <<X
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $SWIFTPORT
workers = 0
user = root
swift_dir = $E
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl authtoken keystoneauth copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$MCPORT
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = True
$(authtoken swift | tail -n +2)
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
reseller_admin_role = ResellerAdmin
X
  for x in catch_errors:catch_errors gatekeeper:gatekeeper healthcheck:healthcheck proxy-logging:proxy_logging listing_formats:listing_formats bulk:bulk tempurl:tempurl copy:copy container-quotas:container_quotas account-quotas:account_quotas slo:slo dlo:dlo versioned_writes:versioned_writes symlink:symlink; do
    printf '[filter:%s]\nuse = egg:swift#%s\n' "${x%:*}" "${x#*:}"; done >>"$E/proxy-server.conf"
  daemon swift-proxy "$SWIFTPORT" /usr/bin/python3 "$E/launch.py" proxy-server "$E/proxy-server.conf"
  wait_svc swift-proxy "http://127.0.0.1:$SWIFTPORT/healthcheck"
}
