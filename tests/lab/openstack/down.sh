#!/usr/bin/env bash
# Stops what up.sh started on HOME, nothing else; data stays.   down.sh HOME
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${1:?usage: down.sh HOME}
# shellcheck source=../process.sh
. "$here/../process.sh"
pids() { local n; for n; do [ ! -e "$home/run/$n.pid" ] || echo "$home/run/$n.pid"; done; }
services=
for s in swift-container-updater swift-proxy swift-object swift-container swift-account cinder neutron-server nova glance-api; do services="$services $s $s-r2"; done
# in this order: each group still needs the next
for group in "$services" "apache issuer memcached" mysql; do
  # shellcheck disable=SC2046,SC2086
  halt TERM 15 $(pids $group)
done
