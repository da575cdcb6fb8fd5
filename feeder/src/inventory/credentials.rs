//! How to log in to a project: the project's own way, else the provider's, else the federation's token.

use super::fault::Issue;
use super::file::{Auth, ProviderIdp, TrustedIdp};
use super::resolve::Surroundings;
use super::secret::{Missing, SecretSource};
use super::{Credentials, ProviderKind};

/// All that decides how to log in to a project.
pub struct Login<'a> {
    /// The technology.
    pub kind: ProviderKind,
    /// `auth` of the provider.
    pub provider: Option<&'a Auth>,
    /// `auth` of the project, and the project's place.
    pub project: Option<(usize, &'a Auth)>,
    /// The issuer of the project's agreement and its place.
    pub issuer: (usize, &'a TrustedIdp),
    /// The same, as the provider knows it, and its place.
    pub trusted: (usize, &'a ProviderIdp),
}

/// The credentials for a project of the provider whose entry is `base`.
pub fn login(
    login: &Login<'_>,
    base: &str,
    surroundings: Surroundings<'_>,
) -> Result<Credentials, Vec<Issue>> {
    match (login.project, login.provider) {
        (Some((place, auth)), _) => {
            by_auth(login.kind, auth, &format!("{base}projects[{place}].auth"), surroundings)
                .map_err(|issue| vec![issue])
        }
        (None, Some(auth)) => {
            by_auth(login.kind, auth, &format!("{base}auth"), surroundings).map_err(|issue| vec![issue])
        }
        (None, None) => by_federation(login, base, surroundings),
    }
}

fn by_auth(
    kind: ProviderKind,
    auth: &Auth,
    at: &str,
    Surroundings { folder, environment }: Surroundings<'_>,
) -> Result<Credentials, Issue> {
    let lost = |below: &str| {
        let at = format!("{at}{below}");
        move |missing: Missing| Issue { at: join(&at, &missing.field), message: missing.message }
    };
    let token = SecretSource {
        name: "token",
        value: auth.token.as_ref(),
        file: auth.token_file.as_ref(),
        env: auth.token_env.as_deref(),
    };
    match (kind, &auth.application_credential, &auth.password, !token.is_absent()) {
        (ProviderKind::Openstack, Some(credential), None, false) => {
            let secret = SecretSource {
                name: "secret",
                value: credential.secret.as_ref(),
                file: credential.secret_file.as_ref(),
                env: credential.secret_env.as_deref(),
            };
            let secret = secret.get(folder, environment).map_err(lost(".application_credential"))?;
            Ok(Credentials::ApplicationCredential { id: credential.id.clone(), secret })
        }
        (ProviderKind::Openstack, None, Some(user), false) => {
            let password = SecretSource {
                name: "password",
                value: user.password.as_ref(),
                file: user.password_file.as_ref(),
                env: user.password_env.as_deref(),
            };
            let password = password.get(folder, environment).map_err(lost(".password"))?;
            Ok(Credentials::Password {
                username: user.username.clone(),
                user_domain: user.user_domain.clone(),
                password,
            })
        }
        (ProviderKind::Kubernetes, None, None, _) => {
            Ok(Credentials::BearerToken { token: token.get(folder, environment).map_err(lost(""))? })
        }
        (ProviderKind::Openstack, ..) => Err(Issue {
            at: at.to_owned(),
            message: "write either `application_credential` or `password` here, or leave `auth` out to use the federation's token".to_owned(),
        }),
        (ProviderKind::Kubernetes, ..) => Err(Issue {
            at: at.to_owned(),
            message: "Kubernetes takes a service account's token: write `token_file`, `token_env` or `token` here".to_owned(),
        }),
    }
}

/// With an access token of the issuer of the project's agreement.
fn by_federation(
    login: &Login<'_>,
    base: &str,
    Surroundings { folder, environment }: Surroundings<'_>,
) -> Result<Credentials, Vec<Issue>> {
    let mut issues = Vec::new();
    let (place, idp) = login.issuer;
    let source = SecretSource {
        name: "token",
        value: idp.token.as_ref(),
        file: idp.token_file.as_ref(),
        env: idp.token_env.as_deref(),
    };
    let token = source.get(folder, environment).map_err(|missing| {
        let message = match missing.field.as_str() {
            "" => format!(
                "{} of this issuer, or give the providers that use it an `auth` of their own",
                missing.message
            ),
            _ => missing.message,
        };
        issues.push(Issue { at: join(&format!("trusted_idps[{place}]"), &missing.field), message });
    });
    let (k, trusted) = login.trusted;
    let mut needed = |name: &str, value: &Option<String>, what: &str| {
        let value = value.clone().unwrap_or_default();
        if value.is_empty() {
            issues.push(Issue {
                at: format!("{base}identity_providers[{k}].{name}"),
                message: format!("add `{name}`: {what}"),
            });
        }
        value
    };
    let credentials = match login.kind {
        ProviderKind::Openstack => {
            let idp_name = needed("name", &trusted.name, "the name of this identity provider in Keystone");
            let protocol = needed(
                "protocol",
                &trusted.protocol,
                "the name of the federation protocol in Keystone, often `openid`",
            );
            token.map(|token| Credentials::OidcAccessToken { idp_name, protocol, token })
        }
        ProviderKind::Kubernetes => {
            needed("audience", &trusted.audience, "the audience that the API server asks for in tokens");
            token.map(|token| Credentials::BearerToken { token })
        }
    };
    match credentials {
        Ok(credentials) if issues.is_empty() => Ok(credentials),
        _ => Err(issues),
    }
}

fn join(entry: &str, field: &str) -> String {
    if field.is_empty() { entry.to_owned() } else { format!("{entry}.{field}") }
}
