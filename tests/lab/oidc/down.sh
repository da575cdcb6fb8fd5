#!/usr/bin/env bash
# Stops the issuer that up.sh started on HOME:  down.sh HOME [SIGNAL]   (the signing keys stay in HOME)
set -euo pipefail
home=${1:?usage: down.sh HOME [SIGNAL]}
# shellcheck source=../process.sh
. "$(dirname "$0")/../process.sh"
halt "${2:-TERM}" 10 "$home/pid"
