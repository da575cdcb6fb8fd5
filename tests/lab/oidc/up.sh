#!/usr/bin/env bash
# Starts a real OpenID Connect issuer (oidc-provider on node) on loopback: the everyday one, about a second.
#   up.sh HOME [PORT]        needs node 20+, npm (first time only); a second issuer is a second HOME and PORT
# HOME keeps the signing keys; tokens and grants live in memory. HOME/env says what a client needs; id in HOME/pid, log in HOME/console.log.
# OIDC_LIFESPAN=300  seconds an access token lives    OIDC_ALG=RS256 (PS256 ES256 EdDSA...; first start of a HOME)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${1:?usage: up.sh HOME [PORT]}; port=${2:-8082}
# shellcheck source=../process.sh
. "$here/../process.sh"
say() { echo "oidc: $*" >&2; }
command -v node >/dev/null || { say "node is not installed (20 or newer is needed)"; exit 1; }
! taken "$port" || { say "port $port is taken by another program"; exit 1; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fedreg/oidc-$(cksum < "$here/package.json" | cut -d' ' -f1)
if [ ! -e "$cache/.complete" ]; then
  mkdir -p "$cache"; cp "$here/package.json" "$cache/"
  (cd "$cache" && timeout 300 npm install --no-audit --no-fund --loglevel=error >install.log 2>&1) || { tail -5 "$cache/install.log" >&2; say "npm install failed"; exit 1; }
  touch "$cache/.complete"
fi
mkdir -p "$home"; home=$(cd "$home" && pwd)
launch "$home/pid" "$home/console.log" env OIDC_MODULES="$cache" node "$here/issuer.mjs" "$home" "$port"
for _ in $(seq 150); do
  if curl -fsS -m 3 -o /dev/null "http://127.0.0.1:$port/.well-known/openid-configuration" 2>/dev/null; then
    printf '%s\n' "OIDC_ISSUER=http://127.0.0.1:$port" "OIDC_TOKEN_URL=http://127.0.0.1:$port/token" >"$home/env"
    exit 0
  fi
  alive "$home/pid" || { tail -20 "$home/console.log" >&2; say "the issuer ended, see $home/console.log"; exit 1; }
  sleep 0.1
done
say "no discovery document within 15 s, see $home/console.log"; exit 1
