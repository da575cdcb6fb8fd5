# What deployments ask: may this user do this? input: user_info, path, method, has_body.
package fed_reg

import rego.v1

default allow := false

verified if object.get(input.user_info, "email_verified", true) == true

is_admin if {
	verified
	input.user_info.email in data.federation.admins
}

is_admin if "/admins" in input.user_info.groups

# a site's people look after their own provider
is_site_admin if {
	some site, group in data.federation.sites
	group in input.user_info.groups
	regex.match(sprintf(`^/api/v1/providers/%s/?$`, [site]), input.path)
}

allow if is_admin

allow if {
	input.method in {"GET", "HEAD"}
	count(object.get(input.user_info, "groups", [])) > 0
	not startswith(input.path, "/api/v1/slas")
}

allow if {
	input.method == "PATCH"
	input.has_body
	is_site_admin
}
