#!/usr/bin/env bash
# Stops what up.sh started on HOME:  down.sh HOME [SIGNAL [server|issuer]]   (KILL: as in a crash; data and keys stay in HOME)
set -euo pipefail
home=${1:?usage: down.sh HOME [SIGNAL [server|issuer]]}
# shellcheck source=../process.sh
. "$(dirname "$0")/../process.sh"
case ${3:-all} in
  all) halt "${2:-TERM}" 30 "$home/server.pid" "$home/issuer.pid" ;;
  *) halt "${2:-TERM}" 30 "$home/$3.pid" ;;
esac
