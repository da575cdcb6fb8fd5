#!/usr/bin/env bash
# Starts a real Keycloak on loopback with the realm `federation`, and its handle on PORT+5. Needs java 17+, python3, and mvn the first time.
#   up.sh HOME [PORT]        a second one is a second HOME and PORT      up.sh HOME build    fetches and prepares the server only
# HOME keeps the realm: a second up.sh on the same HOME finds the same keys, users and sessions.
# HOME/env says what a client needs; ids in HOME/*.pid, logs in HOME/*.log.
# KC_HEAP=512m     KC_WAIT=240 seconds
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${1:?usage: up.sh HOME [PORT|build]}; port=${2:-8081}
# shellcheck source=../process.sh
. "$here/../process.sh"
say() { echo "keycloak: $*" >&2; }
for c in java curl python3; do command -v $c >/dev/null || { say "$c is not installed (java: 17 or newer)"; exit 1; }; done
if [ "$port" != build ]; then
  handle=$((port + 5))
  for p in "$port" "$handle"; do ! taken "$p" || { say "port $p is taken by another program"; exit 1; }; done
fi
version=$(sed -n 's:.*<keycloak.version>\(.*\)</keycloak.version>.*:\1:p' "$here/pom.xml")
dist=${XDG_CACHE_HOME:-$HOME/.cache}/fedreg/keycloak-$version
if [ ! -e "$dist/.complete" ]; then                     # once: fetch, unpack, bake the build-time options in
  command -v mvn >/dev/null || { say "mvn is not installed (maven; the first start fetches the server with it)"; exit 1; }
  mkdir -p "$(dirname "$dist")"; exec 9>"$dist.lock"
  flock -w 900 9 || { say "another build is still under way"; exit 1; }
fi
if [ ! -e "$dist/.complete" ]; then
  work=$(mktemp -d "$dist.XXXXXX"); trap 'rm -rf "$work"' EXIT
  timeout 600 mvn -q -B -f "$here/pom.xml" dependency:copy -DoutputDirectory="$work" -Dmdep.useBaseVersion=true >"$dist.log" 2>&1 ||
    { tail -5 "$dist.log" >&2; say "the server could not be fetched, see $dist.log"; exit 1; }
  tar xzf "$work"/keycloak-quarkus-dist-*.tar.gz -C "$work" --strip-components=1; rm "$work"/keycloak-quarkus-dist-*.tar.gz
  timeout 300 nice -n 5 "$work/bin/kc.sh" build --db=dev-file --health-enabled=false --metrics-enabled=false \
    >>"$dist.log" 2>&1 || { tail -20 "$dist.log" >&2; say "the build step failed, see $dist.log"; exit 1; }
  touch "$work/.complete"; rm -rf "$dist"; mv "$work" "$dist"; trap - EXIT
fi
[ "$port" != build ] || exit 0
exec 9>&-

mkdir -p "$home/kc/data/import"; home=$(cd "$home" && pwd)
for d in bin lib providers themes; do ln -sfn "$dist/$d" "$home/kc/$d"; done
[ -d "$home/kc/conf" ] || cp -r "$dist/conf" "$home/kc/conf"
cp "$here/realm.json" "$home/kc/data/import/federation-realm.json"
export KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=labpassword
trap '[ $? = 0 ] || "$here/down.sh" "$home" KILL' EXIT  # nothing stays behind a start that failed
# What bin/kc.sh would run, without its shell in between, so that the id is the server's own. cache=local: no cluster, so
# nothing listens but the http port.
launch "$home/server.pid" "$home/server.log" java -Xms64m -Xmx"${KC_HEAP:-512m}" -XX:MaxMetaspaceSize=256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -Dfile.encoding=UTF-8 -Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory \
  -Djava.util.logging.manager=org.jboss.logmanager.LogManager -Dpicocli.disable.closures=true \
  --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED --add-opens=java.base/java.security=ALL-UNNAMED \
  -Dkc.home.dir="$home/kc" -Djboss.server.config.dir="$home/kc/conf" \
  -cp "$home/kc/lib/quarkus-run.jar" io.quarkus.bootstrap.runner.QuarkusEntryPoint \
  start --optimized --import-realm --cache=local --http-enabled=true --http-host=127.0.0.1 --http-port="$port" --hostname="http://127.0.0.1:$port"
launch "$home/handle.pid" "$home/handle.log" python3 "$here/handle.py" "$home" "$port" "$handle"
issuer=http://127.0.0.1:$port/realms/federation
end=$((SECONDS + ${KC_WAIT:-240}))
while [ $SECONDS -lt $end ]; do
  if curl -fsS -m 3 --noproxy '*' -o /dev/null "$issuer/.well-known/openid-configuration" 2>/dev/null &&
    curl -fsS -m 3 --noproxy '*' -o /dev/null "http://127.0.0.1:$handle/lab" 2>/dev/null; then
    printf '%s\n' "KEYCLOAK_ISSUER=$issuer" "KEYCLOAK_LAB=http://127.0.0.1:$handle/lab" >"$home/env"
    exit 0
  fi
  for p in server handle; do alive "$home/$p.pid" || { tail -20 "$home/$p.log" >&2; say "the $p ended, see $home/$p.log"; exit 1; }; done
  sleep 0.25
done
say "no discovery document within ${KC_WAIT:-240} s, see $home/server.log"; exit 1
