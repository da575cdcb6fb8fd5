#!/usr/bin/env bash
# Starts a real Open Policy Agent on loopback with policy.rego and data.json of this folder. Needs go; the first start builds it.
#   up.sh HOME [PORT]        a second one is a second HOME and PORT      up.sh HOME build    builds it only
# HOME/env says what a client needs; id in HOME/pid, log in HOME/console.log.
# OPA_POLICY=FILE.rego OPA_DATA=FILE.json   others than this folder's      OPA_DECISIONS=true   one line of log for each decision
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${1:?usage: up.sh HOME [PORT|build]}; port=${2:-8181} version=v1.22.0
# shellcheck source=../process.sh
. "$here/../process.sh"
say() { echo "opa: $*" >&2; }
[ "$port" = build ] || ! taken "$port" || { say "port $port is taken by another program"; exit 1; }
bin=${XDG_CACHE_HOME:-$HOME/.cache}/fedreg/opa-$version
mkdir -p "$home"; home=$(cd "$home" && pwd)
if [ ! -x "$bin/opa" ]; then                            # once: 2 minutes of computing
  command -v go >/dev/null || { say "go is not installed (1.26 or newer is needed)"; exit 1; }
  mkdir -p "$bin"; exec 9>"$bin.lock"
  flock -w 1500 9 || { say "another build is still under way"; exit 1; }
  [ -x "$bin/opa" ] || GOBIN=$bin CGO_ENABLED=0 timeout 1500 nice -n 5 go install "github.com/open-policy-agent/opa@$version" >"$home/build.log" 2>&1 ||
    { tail -5 "$home/build.log" >&2; say "the build failed"; exit 1; }
  exec 9>&-
fi
[ "$port" != build ] || exit 0
policy=${OPA_POLICY:-$here/policy.rego} data=${OPA_DATA:-$here/data.json}
"$bin/opa" check --strict "$policy" >&2 || exit 1
printf '{"lab": {"lab": "opa", "home": "%s"}}\n' "$home" >"$home/marker.json"
launch "$home/pid" "$home/console.log" "$bin/opa" run --server --addr "127.0.0.1:$port" --disable-telemetry --log-level error \
  --set "decision_logs.console=${OPA_DECISIONS:-false}" "$policy" "$data" "$home/marker.json"
for _ in $(seq 150); do
  if curl -fsS -m 3 --noproxy '*' -o /dev/null "http://127.0.0.1:$port/health" 2>/dev/null; then
    echo "OPA_URL=http://127.0.0.1:$port/v1/data/fed_reg" >"$home/env"
    exit 0
  fi
  alive "$home/pid" || { tail -10 "$home/console.log" >&2; say "the server ended, see $home/console.log"; exit 1; }
  sleep 0.1
done
say "no answer within 15 s, see $home/console.log"; exit 1
