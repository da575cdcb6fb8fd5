//! How to log in to a project: the project's own way, else the provider's, else the federation's token.

use std::path::PathBuf;
use std::sync::Arc;

use super::fault::Issue;
use super::file::{Auth, ClientCredentials, ProviderIdp, TokenIssuer, TrustedIdp};
use super::resolve::Surroundings;
use super::secret::{Missing, SecretSource};
use super::{Credentials, ProviderKind};
use crate::tokens::{Grant, Issued, TokenSource};

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
            let file = auth.token_file.as_ref().map(|file| folder.join(file));
            let token = token.get(folder, environment).map_err(lost(""))?;
            Ok(Credentials::BearerToken { token: TokenSource::Given { token, file } })
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
    surroundings: Surroundings<'_>,
) -> Result<Credentials, Vec<Issue>> {
    let mut issues = Vec::new();
    let (place, idp) = login.issuer;
    let token = of_trusted(idp, surroundings).map_err(|missing| {
        issues.push(Issue {
            at: join(&format!("trusted_idps[{place}]"), &missing.field),
            message: missing.message,
        });
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
            let audience =
                needed("audience", &trusted.audience, "the audience that the API server asks for in tokens");
            token.map(|token| Credentials::BearerToken { token: token.for_audience(&audience) })
        }
    };
    match credentials {
        Ok(credentials) if issues.is_empty() => Ok(credentials),
        _ => Err(issues),
    }
}

/// Where access tokens of an issuer of a provider file come from: exactly one of the ways.
fn of_trusted(idp: &TrustedIdp, surroundings: Surroundings<'_>) -> Result<TokenSource, Missing> {
    let given = SecretSource {
        name: "token",
        value: idp.token.as_ref(),
        file: idp.token_file.as_ref(),
        env: idp.token_env.as_deref(),
    };
    let asked = TokenIssuer {
        issuer: idp.issuer.clone(),
        oidc_agent: idp.oidc_agent.clone(),
        client_credentials: idp.client_credentials.clone(),
        refresh_token: idp.refresh_token.clone(),
        scope: idp.scope.clone(),
        audience: idp.audience.clone(),
        token_endpoint: idp.token_endpoint.clone(),
        ca_path: idp.ca_path.clone(),
    };
    token_source(&given, Some(&asked), surroundings)?.ok_or_else(|| Missing {
        field: String::new(),
        message: "there is no token: add `token_file`, `token_env`, `token`, `oidc_agent`, `client_credentials` or \
                  `refresh_token` of this issuer, or give the providers that use it an `auth` of their own"
            .to_owned(),
    })
}

/// Where access tokens come from: they are given, or an issuer is asked in exactly one of its ways. None when nothing is
/// said.
pub fn token_source(
    given: &SecretSource<'_>,
    issuer: Option<&TokenIssuer>,
    Surroundings { folder, environment }: Surroundings<'_>,
) -> Result<Option<TokenSource>, Missing> {
    let ways = [
        ("", !given.is_absent()),
        ("oidc_agent", issuer.is_some_and(|issuer| issuer.oidc_agent.is_some())),
        ("client_credentials", issuer.is_some_and(|issuer| issuer.client_credentials.is_some())),
        ("refresh_token", issuer.is_some_and(|issuer| issuer.refresh_token.is_some())),
    ];
    let mut taken = ways.iter().filter(|(_, taken)| *taken);
    match (taken.next(), taken.next()) {
        (None, _) => return Ok(None),
        (_, Some((second, _))) => {
            let message = "tokens of this issuer are given in more than one way: keep one of them".to_owned();
            return Err(Missing { field: (*second).to_owned(), message });
        }
        _ => {}
    }
    let within = |way: &'static str| {
        move |missing: Missing| Missing { field: join(way, &missing.field), message: missing.message }
    };
    let secret = |name, value, file, env| SecretSource { name, value, file, env };
    let Some(idp) = issuer.filter(|_| given.is_absent()) else {
        let file = given.file.map(|file| folder.join(file));
        return Ok(Some(TokenSource::Given { token: given.get(folder, environment)?, file }));
    };
    let grant = if let Some(agent) = &idp.oidc_agent {
        let socket = agent.socket.clone().or_else(|| environment("OIDC_SOCK").map(PathBuf::from));
        let socket = socket.ok_or_else(|| Missing {
            field: "oidc_agent".to_owned(),
            message: "the environment variable OIDC_SOCK is not set: start oidc-agent, or add its `socket`"
                .to_owned(),
        })?;
        Grant::Agent { account: agent.account.clone(), socket }
    } else if let Some(client) = &idp.client_credentials {
        let ClientCredentials { client_id, client_secret, client_secret_file, client_secret_env } = client;
        let proof = secret(
            "client_secret",
            client_secret.as_ref(),
            client_secret_file.as_ref(),
            client_secret_env.as_deref(),
        );
        let client_secret = proof.get(folder, environment).map_err(within("client_credentials"))?;
        Grant::ClientCredentials { client_id: client_id.clone(), client_secret }
    } else if let Some(refresh) = &idp.refresh_token {
        let proof = secret(
            "client_secret",
            refresh.client_secret.as_ref(),
            refresh.client_secret_file.as_ref(),
            refresh.client_secret_env.as_deref(),
        );
        let proof = (!proof.is_absent()).then(|| proof.get(folder, environment)).transpose();
        let token = secret(
            "token",
            refresh.token.as_ref(),
            refresh.token_file.as_ref(),
            refresh.token_env.as_deref(),
        );
        Grant::RefreshToken {
            client_id: refresh.client_id.clone(),
            client_secret: proof.map_err(within("refresh_token"))?,
            token: token.get(folder, environment).map_err(within("refresh_token"))?,
            file: refresh.token_file.as_ref().map(|file| folder.join(file)),
        }
    } else {
        return Ok(None);
    };
    Ok(Some(TokenSource::Issued(Arc::new(Issued {
        issuer: idp.issuer.clone(),
        ca_path: idp.ca_path.as_ref().map(|path| folder.join(path)),
        token_endpoint: idp.token_endpoint.clone(),
        scope: idp.scope.clone(),
        audience: idp.audience.clone(),
        grant,
    }))))
}

fn join(entry: &str, field: &str) -> String {
    if field.is_empty() { entry.to_owned() } else { format!("{entry}.{field}") }
}
