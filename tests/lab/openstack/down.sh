#!/usr/bin/env bash
# Stops what up.sh started on HOME, nothing else; data stays.
#   down.sh HOME [SERVICE...]    SERVICE: one of HOME/run/*.pid, such as nova, nova-r2, apache (Keystone and Placement), issuer-two
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${1:?usage: down.sh HOME [SERVICE...]}
shift
# shellcheck source=../process.sh
. "$here/../process.sh"
pids() { local n; for n; do [ ! -e "$home/run/$n.pid" ] || echo "$home/run/$n.pid"; done; }
if [ $# -gt 0 ]; then
  for s; do [ -e "$home/run/$s.pid" ] || { echo "openstack: no service $s runs on $home" >&2; exit 1; }; done
  # shellcheck disable=SC2046
  halt TERM 15 $(pids "$@")
  exit
fi
services=
for s in swift-container-updater swift-proxy swift-object swift-container swift-account cinder neutron-server nova glance-api; do services="$services $s $s-r2"; done
# in this order: each group still needs the next
for group in "$services" "apache issuer issuer-two memcached" mysql; do
  # shellcheck disable=SC2046,SC2086
  halt TERM 15 $(pids $group)
done
