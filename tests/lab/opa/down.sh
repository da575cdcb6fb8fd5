#!/usr/bin/env bash
# Stops the server that up.sh started on HOME:  down.sh HOME [SIGNAL]
set -euo pipefail
home=${1:?usage: down.sh HOME [SIGNAL]}
# shellcheck source=../process.sh
. "$(dirname "$0")/../process.sh"
halt "${2:-TERM}" 10 "$home/pid"
