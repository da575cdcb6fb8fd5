#!/usr/bin/env bash
# Starts a real Kubernetes API server (kube-apiserver, etcd and a few controllers in one process) and a small OIDC
# issuer, both with TLS on loopback. Needs go 1.26, openssl, curl, python3; the first start of all builds the server.
#   up.sh HOME [PORT]        the API server on PORT (6443), the issuer on PORT+1; a second cluster is a second HOME and PORT
#   up.sh HOME build         builds the server only
# HOME keeps certificates, keys and data: a second up.sh on the same HOME finds the same cluster.
# HOME/env says what a client needs; HOME/ca.pem signed both, HOME/admin.token may do all; ids in HOME/*.pid, logs in HOME/*.log,
# one line for each request (who, what, status) in HOME/audit.log.
# KUBE_AUDIENCE=kubernetes   audiences the cluster takes, separated by commas     KUBE_SEED=0  leaves a new HOME empty
# KUBE_ISSUER=https://... KUBE_ISSUER_CA=FILE   trusts that issuer instead, the lab's own stays off
# KUBE_CONTROLLERS=off       nobody fills status (quotas have neither hard nor used there)
# KUBE_FLAGS="..."           more flags of kube-apiserver       KUBE_WAIT=90 KUBE_BUILD_WAIT=1500  seconds
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${1:?usage: up.sh HOME [PORT|build]}; port=${2:-6443}
# shellcheck source=../process.sh
. "$here/../process.sh"
say() { echo "kubernetes: $*" >&2; }
for c in openssl curl python3; do command -v $c >/dev/null || { say "$c is not installed"; exit 1; }; done
if [ "$port" != build ]; then
  side=$((port + 1))
  alive "$home/server.pid" || ! taken "$port" || { say "port $port is taken by another program"; exit 1; }
  [ -n "${KUBE_ISSUER:-}" ] || alive "$home/issuer.pid" || ! taken "$side" || { say "port $side is taken by another program"; exit 1; }
fi

bin=${KUBE_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/fedreg/kubernetes-$(cd "$here" && cat go.mod go.sum server/*.go issuer/*.go | cksum | cut -d' ' -f1)}
if [ ! -e "$bin/.complete" ]; then                     # once: about 2100 packages
  command -v go >/dev/null || { say "go is not installed (1.26 or newer is needed)"; exit 1; }
  mkdir -p "$(dirname "$bin")"; exec 9>"$bin.lock"
  flock -w "${KUBE_BUILD_WAIT:-1500}" 9 || { say "another build is still under way"; exit 1; }
fi
if [ ! -e "$bin/.complete" ]; then
  t=$SECONDS
  work=$(mktemp -d "$bin.XXXXXX"); trap 'rm -rf "$work"' EXIT
  version=$(sed -n 's:^\tk8s.io/kubernetes \(v[0-9.]*\)$:\1:p' "$here/go.mod"); x="-X k8s.io/component-base/version"
  minor=${version#v*.}; minor=${minor%.*}
  say "building Kubernetes $version, minutes (log: $bin.log)"
  # not optimised: a quarter less to compile, and what little it does here is fast enough
  (cd "$here" && CGO_ENABLED=0 timeout "${KUBE_BUILD_WAIT:-1500}" nice -n 5 go build -mod=readonly -buildvcs=false -gcflags='all=-N -l' -o "$work/" \
    -ldflags "-s -w $x.gitVersion=$version $x.gitMajor=1 $x.gitMinor=$minor $x.gitTreeState=clean" ./server ./issuer) >"$bin.log" 2>&1 ||
    { tail -20 "$bin.log" >&2; say "build failed or took more than ${KUBE_BUILD_WAIT:-1500} s"; exit 1; }
  touch "$work/.complete"; rm -rf "$bin"; mv "$work" "$bin"; trap - EXIT
  say "built in $((SECONDS - t)) s"
fi
[ "$port" != build ] || exit 0
exec 9>&-

cafile=${KUBE_ISSUER_CA:+$(realpath "$KUBE_ISSUER_CA")}
mkdir -p "$home"; home=$(cd "$home" && pwd); cd "$home"; umask 077
if [ ! -e server.pem ]; then
  openssl ecparam -genkey -name prime256v1 -noout -out ca.key
  openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=lab kubernetes ca" -addext "keyUsage=critical,keyCertSign,cRLSign" -out ca.pem 2>/dev/null
  openssl ecparam -genkey -name prime256v1 -noout -out server.key
  printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' 'extendedKeyUsage=serverAuth' \
    'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc' > server.ext
  openssl req -new -key server.key -subj "/CN=localhost" | openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -sha256 -extfile server.ext -out server.pem 2>/dev/null
  openssl genrsa -out sa.key 2048 2>/dev/null; openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
  openssl rand -hex 24 > admin.token
fi
echo "$(cat admin.token),lab-admin,lab-admin,\"system:masters\"" > tokens.csv
issuer=${KUBE_ISSUER:-https://127.0.0.1:$side}; audience=${KUBE_AUDIENCE:-kubernetes}
{ # the server reads this file again when it changes: more issuers can be added while it runs
  echo 'apiVersion: apiserver.config.k8s.io/v1'; echo 'kind: AuthenticationConfiguration'; echo 'jwt:'; echo '- issuer:'
  echo "    url: $issuer"; echo "    audiences: [${audience}]"; case $audience in *,*) echo '    audienceMatchPolicy: MatchAny';; esac
  echo '    certificateAuthority: |'; sed 's/^/      /' "${cafile:-ca.pem}"
  echo '  claimMappings:'; echo '    username: {claim: sub, prefix: "oidc:"}'; echo '    groups: {claim: groups, prefix: "oidc:"}'
} > authentication.yaml
cat > audit.yaml <<A
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:apiserver", "lab-admin", "system:anonymous"]}
- {level: Metadata}
A

watch() { # NAME WHAT-IS-TRUE...: waits for it as long as the process lives
  local name=$1 end=$((SECONDS + ${KUBE_WAIT:-90})); shift
  while ! "$@" >/dev/null 2>&1; do
    alive "$name.pid" || { tail -20 "$name.log" >&2; rm -f "$name.pid"; say "the $name ended"; return 1; }
    [ $SECONDS -lt $end ] || { say "$name: no answer within ${KUBE_WAIT:-90} s, see $home/$name.log"; return 1; }
    sleep 0.2
  done
}
get() { curl -fsS -m 3 --noproxy '*' --cacert ca.pem "$@"; }
url=https://127.0.0.1:$port
trap '[ $? = 0 ] || "$here/down.sh" "$home" KILL' EXIT  # nothing stays behind a start that failed
if [ -z "${KUBE_ISSUER:-}" ]; then                     # first, since the server asks it at its start and then every 10 s only
  alive issuer.pid || launch issuer.pid issuer.log "$bin/issuer" "$home" "$side"
  watch issuer get "$issuer/.well-known/openid-configuration" || exit 1
fi
alive server.pid || launch server.pid server.log env -u HTTPS_PROXY -u https_proxy -u HTTP_PROXY -u http_proxy KUBE_CONTROLLERS="${KUBE_CONTROLLERS:-on}" "$bin/server" "$home" \
  --bind-address=127.0.0.1 --secure-port="$port" --advertise-address=127.0.0.1 --endpoint-reconciler-type=none \
  --tls-cert-file=server.pem --tls-private-key-file=server.key --service-cluster-ip-range=10.96.0.0/16 \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file=sa.pub --service-account-signing-key-file=sa.key \
  --authorization-mode=RBAC --disable-admission-plugins=TaintNodesByCondition --token-auth-file=tokens.csv --authentication-config=authentication.yaml \
  --audit-policy-file=audit.yaml --audit-log-path=audit.log --audit-log-maxsize=20 --audit-log-maxbackup=1 --profiling=false ${KUBE_FLAGS:-}
admin() { get -H "Authorization: Bearer $(cat admin.token)" "$url$1"; }
watch server admin /readyz || exit 1
if [ -z "${KUBE_ISSUER:-}" ]; then
  token=$(get "$issuer/token" -d grant_type=client_credentials -d sub=feeder -d aud="${audience%%,*}" | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
  watch server get -H "Authorization: Bearer $token" "$url/version" || { say "the server does not take the issuer's tokens"; exit 1; }
fi
if [ ! -e seeded ] && [ "${KUBE_SEED:-1}" != 0 ]; then
  timeout 120 python3 "$here/seed.py" "$home" "$url" $([ "${KUBE_CONTROLLERS:-on}" != off ] || echo --no-used) >seed.log 2>&1 || { tail -5 seed.log >&2; say "seeding failed"; exit 1; }
  touch seeded
fi
cat >env <<E
KUBERNETES_URL=$url
KUBERNETES_CA=$home/ca.pem
KUBERNETES_ADMIN_TOKEN_FILE=$home/admin.token
KUBERNETES_AUDIENCE=$audience
KUBERNETES_ISSUER=$issuer
KUBERNETES_TOKEN_URL=$issuer/token
E
