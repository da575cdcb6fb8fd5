#!/usr/bin/env bash
# Stops the broker that up.sh started on HOME:  down.sh HOME [SIGNAL]   (KILL: as in a crash; topics and messages stay)
set -euo pipefail
home=${1:?usage: down.sh HOME [SIGNAL]}
# shellcheck source=../process.sh
. "$(dirname "$0")/../process.sh"
halt "${2:-TERM}" 30 "$home/pid"
