#!/usr/bin/env bash
# Starts a real Neo4j 5 Community server on loopback. Needs java 17 or newer, and mvn the first time (230 jars, 125 MB).
#   up.sh HOME [BOLT_PORT] [HTTP_PORT]    a second server is a second HOME and two other ports
# Root on Debian gets both where they are missing.
# HOME keeps the database; HOME/env says what a client needs; id in HOME/pid, logs in HOME/logs and HOME/console.log.
# NEO4J_PASSWORD=labpassword (first start of a HOME)   NEO4J_HEAP=768m   NEO4J_EXTRA_CONF='more lines of neo4j.conf'
# NEO4J_TLS=1: Bolt with TLS only; the certificate is for localhost, that of its authority is HOME/certificates/bolt/ca.pem
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${1:?usage: up.sh HOME [BOLT_PORT] [HTTP_PORT]}; bolt=${2:-7687}; http=${3:-7474}
# shellcheck source=../process.sh
. "$here/../process.sh"
say() { echo "neo4j: $*" >&2; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fedreg
jars=$cache/neo4j-$(cksum < "$here/pom.xml" | cut -d' ' -f1)
mkdir -p "$jars"
if { ! command -v java || { [ ! -e "$jars/.complete" ] && ! command -v mvn; }; } >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "installing a JDK and Maven"
  { apt-get -qq update && apt-get -qq -o DPkg::Lock::Timeout=600 install --no-install-recommends default-jdk-headless maven; } >"$cache/neo4j-packages.log" 2>&1 ||
    say "that failed, see $cache/neo4j-packages.log"
fi
command -v java >/dev/null || { say "java is not installed (17 or newer is needed)"; exit 1; }
for port in "$bolt" "$http"; do ! taken "$port" || { say "port $port is taken by another program"; exit 1; }; done
if [ ! -e "$jars/.complete" ]; then
  command -v mvn >/dev/null || { say "mvn is not installed (it fetches the server, once)"; exit 1; }
  say "fetching the server (once)"
  (flock -w 900 8 && { [ -e "$jars/.complete" ] || timeout 900 mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars"; }) \
    8>"$jars/.lock" >"$jars/fetch.log" 2>&1 || { tail -5 "$jars/fetch.log" >&2; say "the server could not be fetched, see $jars/fetch.log"; exit 1; }
  touch "$jars/.complete"
fi
mkdir -p "$home"/{conf,data,logs,plugins,import}; home=$(cd "$home" && pwd)
password=${NEO4J_PASSWORD:-labpassword}
url=bolt://127.0.0.1:$bolt tls=
if [ -n "${NEO4J_TLS:-}" ]; then
  command -v openssl >/dev/null || { say "openssl is not installed"; exit 1; }
  files=$home/certificates/bolt url=bolt+s://localhost:$bolt
  mkdir -p "$files"
  [ -e "$files/server.pem" ] || (cd "$files"
    ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    # shellcheck disable=SC2086
    openssl req -x509 $ec -days 3650 -subj "/CN=lab neo4j ca" -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout ca.key -out ca.pem &&
      openssl req $ec -subj "/CN=lab neo4j" -keyout server.key -out server.csr &&
      openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out server.pem \
        -extfile <(printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n')) 2>"$home/openssl.log" ||
    { cat "$home/openssl.log" >&2; say "no certificate could be made"; exit 1; }
  tls="server.bolt.tls_level=REQUIRED
dbms.ssl.policy.bolt.enabled=true
dbms.ssl.policy.bolt.base_directory=$files
dbms.ssl.policy.bolt.private_key=server.key
dbms.ssl.policy.bolt.public_certificate=server.pem
dbms.ssl.policy.bolt.client_auth=NONE"
fi
cat > "$home/conf/neo4j.conf" <<C
server.default_listen_address=127.0.0.1
server.bolt.listen_address=127.0.0.1:$bolt
server.bolt.advertised_address=127.0.0.1:$bolt
server.http.listen_address=127.0.0.1:$http
server.http.advertised_address=127.0.0.1:$http
server.memory.heap.max_size=${NEO4J_HEAP:-768m}
server.memory.pagecache.size=128m
db.transaction.timeout=30s
db.lock.acquisition.timeout=10s
dbms.cypher.statistics_divergence_threshold=1.0
dbms.usage_report.enabled=false
$tls
${NEO4J_EXTRA_CONF:-}
C
export NEO4J_HOME=$home NEO4J_CONF=$home/conf
if [ ! -e "$home/data/dbms/auth.ini" ] && [ ! -d "$home/data/databases" ]; then
  java -cp "$jars/*" org.neo4j.cli.AdminTool dbms set-initial-password "$password" >"$home/console.log" 2>&1 ||
    { tail -5 "$home/console.log" >&2; say "the first password could not be set"; exit 1; }
fi
opens=()
for package in java.nio java.io sun.nio.ch java.util.concurrent; do opens+=("--add-opens=java.base/$package=ALL-UNNAMED"); done
launch "$home/pid" "$home/console.log" java -Xms256m "-Xmx${NEO4J_HEAP:-768m}" -XX:+UseG1GC -Dfile.encoding=UTF-8 "${opens[@]}" \
  --enable-native-access=ALL-UNNAMED -cp "$home/plugins/*:$jars/*" org.neo4j.server.CommunityEntryPoint --home-dir="$home" --config-dir="$home/conf"
for _ in $(seq 600); do
  if taken "$http"; then
    printf '%s\n' "NEO4J_URL=$url" "NEO4J_USER=neo4j" "NEO4J_PASSWORD=$password" "NEO4J_HTTP=http://127.0.0.1:$http" >"$home/env"
    [ "$http" != 7474 ] || ln -sfn "$home" "$cache/neo4j.home" # where `lab` of another checkout finds it
    exit 0
  fi
  alive "$home/pid" || { tail -20 "$home/console.log" >&2; say "the server ended, see $home/console.log"; exit 1; }
  sleep 0.2
done
say "no answer within 120 s, see $home/logs and $home/console.log"; exit 1
