# shellcheck shell=bash
# The configuration files of every service, written anew at each start. Sourced by up.sh, which sets the variables.
# SFX, DSFX, OFF, REGION, ETC, VAR, LOG are those of the region at hand (in_region).

db() { echo "mysql+pymysql://oslab:$PW@127.0.0.1:$DBPORT/$1$DSFX?charset=utf8"; }
rbac() { [ "${OSLAB_NEW_RBAC:-0}" = 1 ] && printf 'enforce_new_defaults = true\nenforce_scope = true\n' || printf 'enforce_new_defaults = false\nenforce_scope = false\n'; }
authtoken() { cat <<E
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:5000/v3
auth_url = http://127.0.0.1:5000/v3
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = $1
password = $PW
service_token_roles = service
service_token_roles_required = true
memcached_servers = 127.0.0.1:$MCPORT
E
}
svcauth() { cat <<E
[$1]
auth_url = http://127.0.0.1:5000/v3
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = $2
password = $PW
region_name = $REGION
E
}
write_config() {
  mkdir -p "$ETC"/{keystone/policy.d,apache,wsgi,issuer} "$VAR/keystone"
  cat >"$ETC/keystone/keystone.conf" <<E
[DEFAULT]
log_dir = $LOG
log_file = keystone.log
use_stderr = false
[database]
connection = $(db keystone)
[token]
provider = fernet
expiration = 14400
[fernet_tokens]
key_repository = $ETC/keystone/fernet-keys
[credential]
key_repository = $ETC/keystone/credential-keys
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memcached
memcache_servers = 127.0.0.1:$MCPORT
expiration_time = 60
[auth]
methods = password,token,application_credential,mapped,openid
[federation]
remote_id_attribute = HTTP_OIDC_ISS
[openid]
remote_id_attribute = HTTP_OIDC_ISS
[oslo_policy]
policy_dirs = $ETC/keystone/policy.d
$(rbac)
E
  cat >"$ETC/wsgi/keystone.wsgi" <<E
import os
os.environ['OS_KEYSTONE_CONFIG_DIR'] = '$ETC/keystone'
from keystone.server.wsgi import initialize_public_application
application = initialize_public_application()
E
  M=/usr/lib/apache2/modules
  cat >"$ETC/apache/apache2.conf" <<E
ServerRoot "$ETC/apache"
ServerName 127.0.0.1
PidFile "$RUN/apache-own.pid"
DefaultRuntimeDir "$RUN"
User www-data
Group www-data
Listen 127.0.0.1:5000
LoadModule mpm_event_module $M/mod_mpm_event.so
LoadModule authn_core_module $M/mod_authn_core.so
LoadModule authz_core_module $M/mod_authz_core.so
LoadModule authz_user_module $M/mod_authz_user.so
LoadModule env_module $M/mod_env.so
LoadModule alias_module $M/mod_alias.so
LoadModule setenvif_module $M/mod_setenvif.so
LoadModule wsgi_module $M/mod_wsgi.so
LoadModule auth_openidc_module $M/mod_auth_openidc.so
ErrorLog "$LOG/apache-error.log"
LogLevel warn auth_openidc:${OSLAB_OIDC_LOGLEVEL:-warn}
LogFormat "%h %l %u %t \"%r\" %>s %b \"%{User-Agent}i\" %D" combined
StartServers 1
ThreadsPerChild 25
MaxRequestWorkers 75
WSGIPythonHome /usr
WSGISocketPrefix $RUN/wsgi
WSGIPassAuthorization On
<Directory />
  Require all granted
</Directory>
<VirtualHost 127.0.0.1:5000>
  CustomLog "$LOG/keystone-access.log" combined
  WSGIDaemonProcess keystone processes=2 threads=4 user=www-data group=www-data display-name=%{GROUP} lang=C.UTF-8 locale=C.UTF-8
  WSGIProcessGroup keystone
  WSGIApplicationGroup %{GLOBAL}
  WSGIScriptAlias / $ETC/wsgi/keystone.wsgi
  # ---- OIDC federation, resource-server ("oauth20") mode
  $(if [ -n "$VERIFY_KEYS" ]; then echo "OIDCOAuthVerifyCertFiles $VERIFY_KEYS"; else echo "OIDCOAuthVerifyJwksUri $JWKS_URI"; fi)
  OIDCOAuthSSLValidateServer On
  OIDCCABundlePath $ISSUER_CA
  OIDCOAuthRemoteUserClaim sub
  OIDCOAuthAcceptTokenAs header
  OIDCClaimPrefix "OIDC-"
  OIDCClaimDelimiter ";"
  OIDCPassClaimsAs both
  OIDCCryptoPassphrase $PW-openidc-passphrase
  OIDCCacheType shm
  <Location /v3/OS-FEDERATION/identity_providers/$IDP_ID/protocols/openid/auth>
    AuthType oauth20
    Require claim iss:$ISSUER
  </Location>
  <Location /v3/OS-FEDERATION/identity_providers/$IDP_ID-two/protocols/openid/auth>
    AuthType oauth20
    Require claim iss:$ISSUER2
  </Location>
</VirtualHost>
$(for r in $(regions); do in_region $r placement_vhost; done)
E
  touch "$LOG/keystone.log"; chown www-data "$LOG/keystone.log"
  for r in $(regions); do in_region $r write_region_config; done
}
write_region_config() {
  mkdir -p "$ETC"/{glance,nova,placement,neutron,cinder,wsgi} "$VAR"/{glance/images,nova,neutron,cinder,lock}
  cat >"$ETC/glance/glance-api.conf" <<E
[DEFAULT]
bind_host = 127.0.0.1
bind_port = $((OFF+9292))
workers = 0
enforce_secure_rbac = $([ "${OSLAB_NEW_RBAC:-0}" = 1 ] && echo true || echo false)
enabled_backends = file:file
transport_url = fake:///
log_file = $LOG/glance-api.log
use_stderr = false
[database]
connection = $(db glance)
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = $VAR/glance/images
[os_glance_tasks_store]
filesystem_store_datadir = $VAR/glance/tasks
[os_glance_staging_store]
filesystem_store_datadir = $VAR/glance/staging
[paste_deploy]
flavor = keystone
config_file = $ROOT/usr/share/glance-common/glance-api-paste.ini
[oslo_concurrency]
lock_path = $VAR/lock
[oslo_policy]
policy_dirs = $ETC/glance/policy.d
$(rbac)
$(authtoken glance)
E
  cat >"$ETC/placement/placement.conf" <<E
[DEFAULT]
log_file = $LOG/placement.log
use_stderr = false
[placement_database]
connection = $(db placement)
[api]
auth_strategy = keystone
$(authtoken placement)
E
  cat >"$ETC/nova/nova.conf" <<E
[DEFAULT]
transport_url = fake:///
enabled_apis = osapi_compute
osapi_compute_listen = 127.0.0.1
osapi_compute_listen_port = $((OFF+8774))
osapi_compute_workers = 1
compute_driver = fake.FakeDriver
host = lab-hv$SFX-1
my_ip = 127.0.0.1
state_path = $VAR/nova
log_file = $LOG/nova.log
use_stderr = false
[api]
auth_strategy = keystone
[api_database]
connection = $(db nova_api)
[database]
connection = $(db nova)
[wsgi]
api_paste_config = $ROOT/usr/share/nova-common/api-paste.ini
[glance]
api_servers = http://127.0.0.1:$((OFF+9292))
[oslo_concurrency]
lock_path = $VAR/lock
[oslo_policy]
policy_dirs = $ETC/nova/policy.d
$(rbac)
[cinder]
os_region_name = $REGION
[scheduler]
discover_hosts_in_cells_interval = 5
[vnc]
enabled = false
[workarounds]
skip_cpu_compare_on_dest = true
$(authtoken nova)
$(svcauth placement placement)
$(svcauth neutron neutron)
E
  cat >"$ETC/neutron/neutron.conf" <<E
[DEFAULT]
bind_host = 127.0.0.1
bind_port = $((OFF+9696))
transport_url = fake:///
core_plugin = ml2
service_plugins = router
auth_strategy = keystone
api_workers = 0
rpc_workers = 0
rpc_state_report_workers = 0
api_paste_config = $ROOT/usr/share/neutron-common/api-paste.ini
state_path = $VAR/neutron
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
dhcp_agent_notification = false
log_file = $LOG/neutron-server.log
use_stderr = false
[database]
connection = $(db neutron)
[oslo_concurrency]
lock_path = $VAR/lock
[oslo_policy]
policy_dirs = $ETC/neutron/policy.d
$(rbac)
$(authtoken neutron)
E
  cat >"$ETC/neutron/ml2_conf.ini" <<E
[ml2]
type_drivers = flat,vlan,vxlan,local
tenant_network_types = vxlan
mechanism_drivers = openvswitch
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
[ml2_type_vlan]
network_vlan_ranges = physnet1:100:200
[ml2_type_vxlan]
vni_ranges = 1:10000
[securitygroup]
enable_security_group = true
E
  cat >"$ETC/cinder/cinder.conf" <<E
[DEFAULT]
transport_url = fake:///
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = $((OFF+8776))
osapi_volume_workers = 1
auth_strategy = keystone
api_paste_config = $ROOT/usr/share/cinder-common/api-paste.ini
resource_query_filters_file = $ROOT/etc/cinder/resource_filters.json
state_path = $VAR/cinder
my_ip = 127.0.0.1
glance_api_servers = http://127.0.0.1:$((OFF+9292))
allow_availability_zone_fallback = true
host = lab-store$SFX-1
enabled_backends = fake
default_volume_type = ssd
log_file = $LOG/cinder.log
use_stderr = false
[database]
connection = $(db cinder)
[oslo_concurrency]
lock_path = $VAR/lock
[oslo_policy]
policy_dirs = $ETC/cinder/policy.d
$(rbac)
[coordination]
backend_url = file://$VAR/cinder/coordination
[fake]
volume_driver = cinder.tests.fake_driver.FakeLoggingVolumeDriver
volume_backend_name = fake
$(authtoken cinder)
E
  # policy overrides (empty by default; drop *.yaml in there)
  mkdir -p "$ETC"/{glance,nova,neutron,cinder}/policy.d
  cat >"$ETC/wsgi/placement.wsgi" <<E
import os
os.environ['OS_PLACEMENT_CONFIG_DIR'] = '$ETC/placement'
from placement.wsgi import init_application
application = init_application()
E
  touch "$LOG/placement.log"; chown www-data "$LOG/placement.log"
}

placement_vhost() { cat <<E
Listen 127.0.0.1:$((OFF+8778))
<VirtualHost 127.0.0.1:$((OFF+8778))>
  CustomLog "$LOG/placement-access.log" combined
  WSGIDaemonProcess placement$SFX processes=1 threads=4 user=www-data group=www-data display-name=%{GROUP}
  WSGIProcessGroup placement$SFX
  WSGIApplicationGroup %{GLOBAL}
  WSGIScriptAlias / $ETC/wsgi/placement.wsgi
</VirtualHost>
E
}
