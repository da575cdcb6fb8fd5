#!/usr/bin/env bash
# Stops what up.sh started on HOME:  down.sh HOME [SIGNAL]   (KILL: as in a crash; the realm stays in HOME)
set -euo pipefail
home=${1:?usage: down.sh HOME [SIGNAL]}
# shellcheck source=../process.sh
. "$(dirname "$0")/../process.sh"
halt "${2:-TERM}" 30 "$home/server.pid" "$home/handle.pid"
