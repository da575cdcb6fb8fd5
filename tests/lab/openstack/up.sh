#!/usr/bin/env bash
# A real OpenStack control plane (Debian 12 packages, "Zed") on 127.0.0.1. Needs root. May be repeated: what is there stays.
#   up.sh HOME [install|start|seed|all]      (default: all)
#   up.sh HOME resume                        starts again what `down.sh HOME SERVICE...` stopped
# HOME holds everything: etc/ var/ log/ run/ root/ deb/. It must be reachable by the users www-data and mysql.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
OSLAB=${1:?usage: up.sh HOME [install|start|seed|all|resume]} what=${2:-all}
# shellcheck source=../process.sh
. "$here/../process.sh"
fail() { echo "openstack: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "needs root: it installs Debian packages and runs services as mysql and www-data (sudo tests/lab/lab up openstack)"
mkdir -p "$OSLAB"; OSLAB=$(cd "$OSLAB" && pwd)
runuser -u nobody -- test -x "$OSLAB" || fail "other users cannot enter $OSLAB, but mysql and www-data must: set FEDREG_LAB_HOME to a folder they can reach, such as /var/tmp/fedreg-lab"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin          # Debian's python3 is required, whatever the caller has first in PATH
unset PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE VIRTUAL_ENV || true
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
ETC=$OSLAB/etc VAR=$OSLAB/var LOG=$OSLAB/log RUN=$OSLAB/run ROOT=$OSLAB/root BIN=$OSLAB/root/usr/bin
PW=${OSLAB_PW:-lab}                                # every lab password
DBPORT=${OSLAB_DBPORT:-13306}
MCPORT=${OSLAB_MCPORT:-11311}
SWIFTPORT=${OSLAB_SWIFTPORT:-8080}
ISSUER_HTTPS_PORT=${ISSUER_HTTPS_PORT:-8443}
ISSUER_HTTP_PORT=${ISSUER_HTTP_PORT:-8099}
ISSUER2_HTTPS_PORT=${ISSUER2_HTTPS_PORT:-8444}      # the second issuer: the same key, another name
ISSUER2_HTTP_PORT=${ISSUER2_HTTP_PORT:-8098}
ISSUER2=https://127.0.0.1:$ISSUER2_HTTPS_PORT
# Point these somewhere else to trust another issuer instead of the lab's one.
ISSUER=${OSLAB_ISSUER:-https://127.0.0.1:$ISSUER_HTTPS_PORT}
JWKS_URI=${OSLAB_JWKS_URI:-https://127.0.0.1:$ISSUER_HTTPS_PORT/jwks}
ISSUER_CA=${OSLAB_ISSUER_CA:-$ETC/issuer/ca.pem}   # CA for fetching the JWKS (https only)
VERIFY_KEYS=${OSLAB_VERIFY_KEYS:-}                 # "kid#/path/key-or-cert.pem ...": static keys instead of a JWKS URL (for an issuer on plain http)
IDP_ID=${OSLAB_IDP_ID:-lab}
WITH_SWIFT=${OSLAB_SWIFT:-1}
REGION2=${OSLAB_REGION2:-real}                     # real: own nova/placement/neutron/glance/cinder (ports +10000, own databases) | alias: same services under a second name | none
SFX='' DSFX='' OFF=0 REGION=RegionOne
mkdir -p "$ETC" "$VAR" "$LOG" "$RUN" "$ROOT"
chmod 755 "$OSLAB" "$ETC" "$VAR" "$LOG" "$RUN"

in_region() { # RegionOne|RegionTwo fn...   (dynamic scope: fn sees the region's directories, ports and names)
  local r=$1; shift
  if [ "$r" = RegionTwo ]; then
    local SFX=-r2 DSFX=_r2 OFF=10000 REGION=RegionTwo ETC=$ETC/r2 VAR=$VAR/r2 LOG=$LOG/r2
    mkdir -p "$ETC" "$VAR" "$LOG"; "$@"
  else "$@"; fi
}
regions() { echo RegionOne; [ "$REGION2" = real ] && echo RegionTwo || true; }
say() { printf '[%(%H:%M:%S)T] %s\n' -1 "$*" >&2; }
wait_svc() { # NAME URL: as long as the process lives, 120 s at most
  local i
  for ((i = 0; i < 600; i++)); do
    curl -sk -o /dev/null --max-time 5 "$2" && return 0
    alive "$RUN/$1.pid" || { tail -n 15 "$LOG/$1.log" >&2; fail "$1 ended, see $LOG/$1.log"; }
    sleep 0.2
  done
  fail "$1 does not answer at $2 within 120 s, see $LOG/$1.log"
}
daemon() { # NAME PORT|- COMMAND...
  local n=$1 port=$2; shift 2
  if alive "$RUN/$n.pid"; then say "$n already runs"; return; fi
  [ "$port" = - ] || ! taken "$port" || fail "port $port, which $n needs, is taken by another program"
  launch "$RUN/$n.pid" "$LOG/$n.log" "$@"
  say "started $n"
}
. "$here/config.sh"
. "$here/swift.sh"

# ---------------------------------------------------------------- packages
PKGS="python3-keystone python3-glance python3-nova python3-neutron python3-cinder python3-placement
 apache2 libapache2-mod-wsgi-py3 libapache2-mod-auth-openidc python3-openstackclient python3-pymysql
 python3-jwt python3-cryptography mariadb-server memcached python3-memcache curl openssl"
# service packages: only their scripts and paste files are needed; unpacked, never configured (no debconf, no postinst)
DEBS="keystone glance-api glance-common nova-api nova-common neutron-common neutron-server cinder-api cinder-common placement-api placement-common"
if [ "$WITH_SWIFT" = 1 ]; then
  PKGS="$PKGS python3-swift" DEBS="$DEBS swift swift-proxy swift-account swift-container swift-object"
fi

apt_get() { apt-get -y --no-install-recommends -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >>"$LOG/apt.log" 2>&1; }
update() { say "apt-get update"; apt_get update || { tail -5 "$LOG/apt.log" >&2; fail "apt-get update failed, see $LOG/apt.log"; }; }
install_pkgs() {
  local want="" miss="" p d made=0
  [ "$(. /etc/os-release; echo "$ID-$VERSION_ID")" = debian-12 ] || fail "this lab is made of the packages of Debian 12, and this is another system"
  for p in $PKGS; do dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || want="$want $p"; done
  if [ -n "$want" ]; then
    apt-cache show python3-keystone >/dev/null 2>&1 || update     # no package lists yet
    say "apt-get install$want"
    # the packages' own services must not start: the lab runs its own
    if [ ! -e /usr/sbin/policy-rc.d ]; then printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; made=1; fi
    # shellcheck disable=SC2086
    apt_get install $want || { update; apt_get install $want; } || { [ $made = 0 ] || rm -f /usr/sbin/policy-rc.d; tail -5 "$LOG/apt.log" >&2; fail "apt-get install failed, see $LOG/apt.log"; }
    [ $made = 0 ] || rm -f /usr/sbin/policy-rc.d
  fi
  mkdir -p "$OSLAB/deb"
  for d in $DEBS; do [ -e "$ROOT/.$d" ] || miss="$miss $d"; done
  [ -n "$miss" ] || return 0
  cd "$OSLAB/deb"
  # shellcheck disable=SC2086
  apt_get download $miss || { update; apt_get download $miss; } || { tail -5 "$LOG/apt.log" >&2; fail "apt-get download failed, see $LOG/apt.log"; }
  for d in $miss; do dpkg -x "${d}"_*.deb "$ROOT"; touch "$ROOT/.$d"; rm -f "${d}"_*.deb; done
  cd /
}

# ---------------------------------------------------------------- database
sql() { mysql --no-defaults -S "$RUN/mysql.sock" -uroot "$@"; }
start_db() {
  if [ ! -d "$VAR/mysql/mysql" ]; then
    say "init mariadb"; mkdir -p "$VAR/mysql"; chown mysql:mysql "$VAR/mysql"
    mariadb-install-db --no-defaults --datadir="$VAR/mysql" --user=mysql --auth-root-authentication-method=normal --skip-test-db >"$LOG/mysql-init.log" 2>&1
  fi
  chmod 1777 "$RUN"
  daemon mysql "$DBPORT" mariadbd --no-defaults --user=mysql --datadir="$VAR/mysql" --socket="$RUN/mysql.sock" --pid-file="$VAR/mysql/mysqld.pid" \
    --bind-address=127.0.0.1 --port=$DBPORT --max-connections=500 --character-set-server=utf8mb3 --collation-server=utf8mb3_general_ci \
    --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=128M --skip-log-bin --skip-name-resolve --performance-schema=OFF
  until sql -e 'select 1' >/dev/null 2>&1; do alive "$RUN/mysql.pid" || fail "mariadb ended, see $LOG/mysql.log"; sleep 0.2; done
  [ ! -e "$VAR/.done-databases" ] || return 0
  local d x; for x in "" _r2; do for d in keystone glance nova_api nova nova_cell0 placement neutron cinder; do d=$d$x
    echo "CREATE DATABASE IF NOT EXISTS $d; GRANT ALL ON $d.* TO 'oslab'@'127.0.0.1' IDENTIFIED BY '$PW';"
  done; done | sql
  touch "$VAR/.done-databases"
}

# ---------------------------------------------------------------- schemas, each step once
once() { # NAME COMMAND...
  local done="$VAR/.done-$1" name=$1
  shift
  [ ! -e "$done" ] || return 0
  say "$REGION: $name"
  "$@" >>"$LOG/dbsync.log" 2>&1 || { tail -20 "$LOG/dbsync.log" >&2; fail "$name failed in $REGION, see $LOG/dbsync.log"; }
  touch "$done"
}
sync_keystone() {
  local K="keystone-manage --config-file $ETC/keystone/keystone.conf --log-file $LOG/keystone-manage.log"
  mkdir -p "$ETC/keystone/fernet-keys" "$ETC/keystone/credential-keys"; chown -R www-data:www-data "$ETC/keystone"
  once keystone-schema $K db_sync
  once keystone-fernet $K fernet_setup --keystone-user www-data --keystone-group www-data
  once keystone-credential $K credential_setup --keystone-user www-data --keystone-group www-data
  once keystone-bootstrap $K bootstrap --bootstrap-password "$PW" --bootstrap-admin-url http://127.0.0.1:5000/v3 --bootstrap-internal-url http://127.0.0.1:5000/v3 --bootstrap-public-url http://127.0.0.1:5000/v3 --bootstrap-region-id RegionOne
  chown -R www-data:www-data "$ETC/keystone"
}
sync_placement() { OS_PLACEMENT_CONFIG_DIR=$ETC/placement once placement-schema placement-manage --config-file "$ETC/placement/placement.conf" db sync; chown www-data "$LOG/placement.log"; }
sync_glance() { once glance-schema "$BIN/glance-manage" --config-file "$ETC/glance/glance-api.conf" db_sync; }
sync_nova() {
  local N="$BIN/nova-manage --config-file $ETC/nova/nova.conf"
  once nova-api-schema $N api_db sync
  once nova-cell0 $N cell_v2 map_cell0 --database_connection "$(db nova_cell0)"
  once nova-schema $N db sync
  once nova-cell1 $N cell_v2 create_cell --name cell1 --verbose
}
sync_neutron() { once neutron-schema "$BIN/neutron-db-manage" --config-file "$ETC/neutron/neutron.conf" --config-file "$ETC/neutron/ml2_conf.ini" upgrade heads; }
sync_cinder() { once cinder-schema "$BIN/cinder-manage" --config-file "$ETC/cinder/cinder.conf" db sync; }
# two cores, two lanes: keystone first (everything authenticates against it), catalog while the other schemas are made.
# nova's conductor refuses to start when its service user does not exist yet, so the catalog comes before the services.
bring_up() {
  local a b r
  sync_nova & a=$!
  sync_keystone; start_issuer
  for r in $(regions); do in_region $r sync_placement; done
  start_apache
  ( once "catalog-$REGION2-$WITH_SWIFT" seedenv /usr/bin/python3 "$here/seed.py" catalog; sync_glance; sync_cinder; [ "$REGION2" != real ] || { in_region RegionTwo sync_neutron; in_region RegionTwo sync_glance; } ) & b=$!
  wait $a; sync_neutron; [ "$REGION2" != real ] || { in_region RegionTwo sync_nova; in_region RegionTwo sync_cinder; }
  wait $b
}

# ---------------------------------------------------------------- start
start_issuer() {
  [ -s "$ETC/issuer/ca.pem" ] || ( cd "$ETC/issuer"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=oslab-ca -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout tls.key -out tls.csr
    printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n' >ext
    openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile ext -out tls.pem
    openssl genrsa -out sign.key 2048 ) 2>>"$LOG/issuer.log"
  chmod 755 "$ETC/issuer"; chmod 644 "$ETC/issuer/ca.pem"
  [ -z "${OSLAB_ISSUER:-}" ] || return 0            # an issuer of your own: the lab's stays off
  issuer issuer "$ISSUER" "$ISSUER_HTTPS_PORT" "$ISSUER_HTTP_PORT"
  issuer issuer-two "$ISSUER2" "$ISSUER2_HTTPS_PORT" "$ISSUER2_HTTP_PORT"
}
issuer() { # NAME URL HTTPS-PORT HTTP-PORT
  daemon "$1" "$4" /usr/bin/python3 "$here/issuer.py" --dir "$ETC/issuer" --issuer "$2" --https-port "$3" --http-port "$4" --home "$OSLAB"
  wait_svc "$1" "http://127.0.0.1:$4/jwks"
}
start_apache() {                                    # keystone and placement
  daemon apache 5000 env -i PATH="$PATH" LC_ALL=C.UTF-8 apache2 -f "$ETC/apache/apache2.conf" -DFOREGROUND
  wait_svc apache http://127.0.0.1:5000/v3
}
start_region() {
  daemon "glance-api$SFX" $((OFF + 9292)) "$BIN/glance-api" --config-file "$ETC/glance/glance-api.conf"
  daemon "nova$SFX" $((OFF + 8774)) /usr/bin/python3 "$here/nova_all.py" --config-file "$ETC/nova/nova.conf"
  daemon "neutron-server$SFX" $((OFF + 9696)) "$BIN/neutron-server" --config-file "$ETC/neutron/neutron.conf" --config-file "$ETC/neutron/ml2_conf.ini"
  daemon "cinder$SFX" $((OFF + 8776)) /usr/bin/python3 "$here/cinder_all.py" --config-file "$ETC/cinder/cinder.conf"
}
wait_region() {
  wait_svc apache "http://127.0.0.1:$((OFF + 8778))/"
  wait_svc "glance-api$SFX" "http://127.0.0.1:$((OFF + 9292))/"
  wait_svc "nova$SFX" "http://127.0.0.1:$((OFF + 8774))/"
  wait_svc "neutron-server$SFX" "http://127.0.0.1:$((OFF + 9696))/"
  wait_svc "cinder$SFX" "http://127.0.0.1:$((OFF + 8776))/"
}
start_services() {
  local r
  for r in $(regions); do in_region "$r" start_region; done
  [ "$WITH_SWIFT" != 1 ] || start_swift
  for r in $(regions); do in_region "$r" wait_region; done
}
start_memcached() { daemon memcached "$MCPORT" memcached -u nobody -l 127.0.0.1 -p "$MCPORT" -m 32; }

write_clients() { # what a client needs: a file for openstackclient and SDK, and KEY=value lines
  local user
  { echo "clouds:"
    for user in admin alice; do cat <<E
  $user:
    auth: {auth_url: "http://127.0.0.1:5000/v3", username: $user, password: "$PW", project_name: $([ $user = admin ] && echo admin || echo proj-alpha), user_domain_name: Default, project_domain_name: Default}
    regions: [RegionOne, RegionTwo]
    identity_api_version: 3
E
    done; } >"$OSLAB/clouds.yaml"
  cat >"$OSLAB/env" <<E
OPENSTACK_AUTH_URL=http://127.0.0.1:5000/v3
OPENSTACK_IDENTITY_PROVIDER=$IDP_ID
OPENSTACK_PROTOCOL=openid
OPENSTACK_REGIONS=$(regions | paste -sd,)
OPENSTACK_PASSWORD=$PW
OPENSTACK_CLOUDS=$OSLAB/clouds.yaml
OPENSTACK_ISSUER=$ISSUER
OPENSTACK_ISSUER_CA=$ISSUER_CA
OPENSTACK_TOKEN_URL=http://127.0.0.1:$ISSUER_HTTP_PORT/token
OPENSTACK_SECOND_ISSUER=$ISSUER2
OPENSTACK_SECOND_IDENTITY_PROVIDER=$IDP_ID-two
OPENSTACK_SECOND_TOKEN_URL=http://127.0.0.1:$ISSUER2_HTTP_PORT/token
OPENSTACK_HOME=$OSLAB
E
}

seedenv() { env OSLAB="$OSLAB" PW="$PW" ISSUER="$ISSUER" ISSUER2="$ISSUER2" IDP_ID="$IDP_ID" RUN="$RUN" OSLAB_SWIFT="$WITH_SWIFT" SWIFTPORT="$SWIFTPORT" REGION="$REGION" OFF="$OFF" SFX="$SFX" DSFX="$DSFX" ETC="$ETC" REGION2="$REGION2" "$@"; }
seed_data() {
  local r
  for r in $(regions); do
    in_region "$r" seedenv /usr/bin/python3 "$here/seed.py" data >>"$LOG/seed.log" 2>&1 || { tail -5 "$LOG/seed.log" >&2; fail "seeding $r failed, see $LOG/seed.log"; }
  done
  touch "$VAR/.done-seed-2"
}
ports_free() { # before minutes are spent on packages
  local port
  ! alive "$RUN/mysql.pid" || return 0
  for port in $DBPORT $MCPORT "$ISSUER_HTTP_PORT" "$ISSUER_HTTPS_PORT" "$ISSUER2_HTTP_PORT" "$ISSUER2_HTTPS_PORT" "$SWIFTPORT" 5000 8774 8776 8778 9292 9696 18774 18776 18778 19292 19696; do
    ! taken "$port" || fail "port $port is taken by another program"
  done
}
step() { # WHAT FUNCTION: with its duration
  local t=$SECONDS
  "$2"; say "$1: $((SECONDS - t)) s"
}
resume() { start_memcached; start_db; start_issuer; start_apache; start_services; }
start_all() {
  write_config; write_clients
  start_memcached
  step database start_db
  step "keystone, schemas, catalog" bring_up
  step services start_services
}

case $what in
  install) step packages install_pkgs ;;
  start) ports_free; start_all ;;
  seed) step data seed_data ;;
  resume) [ -e "$OSLAB/env" ] || fail "nothing was started on $OSLAB yet"; step resumed resume ;;
  all) ports_free; step packages install_pkgs; start_all; [ -e "$VAR/.done-seed-2" ] || step data seed_data ;;
  *) fail "usage: up.sh HOME [install|start|seed|all|resume]" ;;
esac
