#!/usr/bin/env bash
# Starts a real one-node Apache Kafka (KRaft: broker and controller in one process) on loopback. Needs java 17 or newer,
# python3, and mvn the first time (57 jars, 46 MB).
#   up.sh HOME [PORT]        a second broker is a second HOME and PORT (9092); PORT+1 is the controller
# KAFKA_SECURE=1 also listens, for user feeder with password feeder-secret and the files in HOME/tls, on
#   PORT+2 SASL_PLAINTEXT (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512)   PORT+3 SSL with a client certificate   PORT+4 SASL_SSL
# HOME keeps topics and messages; HOME/env says what a client needs; id in HOME/pid, log in HOME/console.log.
# KAFKA_HEAP=384m   KAFKA_EXTRA='more lines of server.properties'   KAFKA_WAIT=90  seconds
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${1:?usage: up.sh HOME [PORT]}; port=${2:-9092}
# shellcheck source=../process.sh
. "$here/../process.sh"
say() { echo "kafka: $*" >&2; }
for c in java python3 openssl; do command -v $c >/dev/null || { say "$c is not installed"; exit 1; }; done
for p in "$port" $((port + 1)); do ! taken "$p" || { say "port $p is taken by another program"; exit 1; }; done
jars=${XDG_CACHE_HOME:-$HOME/.cache}/fedreg/kafka-$(cksum < "$here/pom.xml" | cut -d' ' -f1)
if [ ! -e "$jars/.complete" ]; then
  command -v mvn >/dev/null || { say "mvn is not installed (it fetches the broker, once)"; exit 1; }
  say "fetching the broker (once)"
  mkdir -p "$jars"
  (flock -w 900 8 && { [ -e "$jars/.complete" ] || timeout 900 mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars"; }) \
    8>"$jars/.lock" >"$jars/fetch.log" 2>&1 || { tail -5 "$jars/fetch.log" >&2; say "the broker could not be fetched, see $jars/fetch.log"; exit 1; }
  touch "$jars/.complete"
fi
mkdir -p "$home/data"; home=$(cd "$home" && pwd)

listeners="PLAINTEXT://127.0.0.1:$port" secure=
if [ "${KAFKA_SECURE:-0}" = 1 ]; then
  listeners+=",SASL_PLAINTEXT://127.0.0.1:$((port + 2)),SSL://127.0.0.1:$((port + 3)),SASL_SSL://127.0.0.1:$((port + 4))"
  if [ ! -e "$home/tls/client.pem" ]; then
    mkdir -p "$home/tls"
    (cd "$home/tls" && openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=lab kafka ca" -keyout ca.key -out ca.pem &&
      for who in server client; do
        openssl req -newkey rsa:2048 -nodes -subj "/CN=$who" -keyout $who.key -out $who.csr &&
          openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out $who.pem \
            -extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:localhost") || exit 1
      done && cat server.key server.pem ca.pem >server.chain.pem) >"$home/tls.log" 2>&1 || { tail -5 "$home/tls.log" >&2; say "the certificates failed"; exit 1; }
  fi
  login=org.apache.kafka.common.security
  secure="ssl.keystore.type=PEM
ssl.keystore.location=$home/tls/server.chain.pem
ssl.truststore.type=PEM
ssl.truststore.location=$home/tls/ca.pem
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
$(for listener in sasl_plaintext sasl_ssl; do
    echo "listener.name.$listener.plain.sasl.jaas.config=$login.plain.PlainLoginModule required user_feeder=\"feeder-secret\";"
    for mechanism in scram-sha-256 scram-sha-512; do echo "listener.name.$listener.$mechanism.sasl.jaas.config=$login.scram.ScramLoginModule required;"; done
  done)"
fi
cat >"$home/server.properties" <<C
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
listeners=$listeners,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=$listeners
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$home/data
num.partitions=1
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
$secure
${KAFKA_EXTRA:-}
C
cat >"$home/log4j.properties" <<'C'
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
C
run=(java -Xms128m "-Xmx${KAFKA_HEAP:-384m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "-Dlog4j.configuration=file:$home/log4j.properties" -cp "$jars/*")
if [ ! -e "$home/data/meta.properties" ]; then
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)
  "${run[@]}" kafka.tools.StorageTool format -t "$id" -c "$home/server.properties" \
    --add-scram 'SCRAM-SHA-256=[name=feeder,password=feeder-secret]' --add-scram 'SCRAM-SHA-512=[name=feeder,password=feeder-secret]' \
    >"$home/format.log" 2>&1 || { tail -5 "$home/format.log" >&2; say "formatting $home/data failed"; exit 1; }
fi
launch "$home/pid" "$home/console.log" "${run[@]}" kafka.Kafka "$home/server.properties"
end=$((SECONDS + ${KAFKA_WAIT:-90}))
while [ $SECONDS -lt $end ]; do
  if python3 "$here/answers.py" "$port"; then
    echo "KAFKA_BOOTSTRAP=127.0.0.1:$port" >"$home/env"
    [ -z "$secure" ] || printf '%s\n' "KAFKA_SASL_PLAINTEXT=127.0.0.1:$((port + 2))" "KAFKA_SSL=127.0.0.1:$((port + 3))" "KAFKA_SASL_SSL=127.0.0.1:$((port + 4))" "KAFKA_TLS=$home/tls" >>"$home/env"
    exit 0
  fi
  alive "$home/pid" || { grep -E 'ERROR|FATAL|Exception' "$home/console.log" | head -5 >&2; say "the broker ended, see $home/console.log"; exit 1; }
  sleep 0.2
done
say "no metadata within ${KAFKA_WAIT:-90} s, see $home/console.log"; exit 1
