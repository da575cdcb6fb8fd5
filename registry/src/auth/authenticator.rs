//! From an `Authorization` header to an identity.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use futures::future::join_all;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tokio::sync::Mutex;

use super::cache::{Cache, Digest};
use super::claims::{Email, Facts, Form, check};
use super::error::Refused;
use super::fetch::{FetchError, client};
use super::introspection::MAX_ISSUERS;
use super::issuer::Issuer;
use super::opaque::Asked;
use super::policy::Policy;
use super::rules::Verdict;
use super::token::{Header, Members, Token};
use super::{Access, AuthError, AuthSettings, Clock, Grant, Identity, Known, Role, Rule, SignatureAlgorithm};

/// For how long it is not asked again after userinfo did not answer, in seconds.
const USERINFO_PAUSE_SECONDS: u64 = 5;

/// How many tokens are remembered that issuers did not find good.
const ASKED_REMEMBERED: usize = 2000;

/// Why somebody is a reader when no rule says who is.
const EVERYBODY: &str = "every valid token, since auth.readers names nobody";

/// Tells who asks. One for the whole process; shared by reference.
pub struct Authenticator {
    issuers: HashMap<Arc<str>, Arc<Issuer>>,
    /// Those that opaque tokens are shown to, in this order.
    pub(super) opaque: Vec<Arc<Issuer>>,
    /// The strongest role first.
    rules: Vec<(Role, Rule)>,
    /// Whether only rules make readers.
    readers_by_rule: bool,
    anonymous_reads: bool,
    pub(super) leeway_seconds: u32,
    token_bytes: usize,
    userinfo: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) verified: Cache<Verified>,
    /// Tokens that issuers are asked about or did not find good.
    pub(super) asked: Cache<Asked>,
    policy: Option<Arc<Policy>>,
}

/// What is remembered of a token.
pub(super) struct Verified {
    pub issuer: Arc<Issuer>,
    /// Of the keys it was verified with, if it was with keys.
    generation: Option<u64>,
    /// Until when (monotonic) its issuer's word is taken, if it was asked for that.
    until: Option<Duration>,
    known: Arc<Known>,
    facts: Facts,
    /// All of its claims; for a policy, where there is one.
    claims: Members,
    /// Whether a rule could hold if more were known: one that gives the right to read, one that gives any other.
    lacks_reading: bool,
    lacks_writing: bool,
    /// What userinfo added, and until when (monotonic) that is used. One asks, others wait for it.
    completed: Mutex<Option<(Duration, Arc<Known>)>>,
}

/// A JSON web token whose signature is good.
pub(super) struct Signed {
    pub issuer: Arc<Issuer>,
    pub header: Header,
    pub claims: Members,
    /// Of the keys.
    pub generation: u64,
}

/// Why an issuer is not usable, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the issuer {issuer} cannot be used: {error}. {}", .error.advice())]
pub struct IssuerProblem {
    /// The issuer, as configured.
    pub issuer: String,
    /// What happened.
    pub error: FetchError,
}

/// The one `Authorization` header of a request; several are refused rather than one chosen.
pub fn authorization(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| AuthError::Malformed),
        (Some(_), Some(_)) => Err(AuthError::Malformed),
    }
}

impl Authenticator {
    /// Takes the settings as they are; nothing is fetched yet. Fails when no TLS client can be made.
    pub fn new(settings: &AuthSettings, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        let time = Duration::from_secs(settings.keys.fetch_seconds);
        let (near, far) = (client(time, true)?, client(time, false)?);
        let issuers = settings.issuers.iter().map(|issuer| {
            let client = if issuer.issuer.is_loopback() { &near } else { &far };
            Arc::new(Issuer::new(issuer.clone(), settings.keys.clone(), client.clone(), clock.clone()))
        });
        let issuers: Vec<_> = issuers.collect();
        if issuers.is_empty() {
            tracing::warn!("auth.issuers is empty: every token is refused and nothing can be written");
        }
        let opaque = issuers.iter().filter(|issuer| issuer.settings.is_shown_opaque_tokens());
        Ok(Self {
            opaque: opaque.take(MAX_ISSUERS).cloned().collect(),
            issuers: issuers.into_iter().map(|issuer| (issuer.name.clone(), issuer)).collect(),
            rules: settings
                .rules()
                .into_iter()
                .flat_map(|(_, role, rules)| rules.iter().map(move |rule| (role, rule.clone())))
                .collect(),
            readers_by_rule: !settings.readers.is_empty(),
            anonymous_reads: settings.anonymous_reads,
            leeway_seconds: settings.leeway_seconds,
            token_bytes: settings.token_bytes,
            userinfo: Duration::from_secs(settings.userinfo_seconds),
            clock,
            verified: Cache::new(settings.token_cache_entries),
            asked: Cache::new(ASKED_REMEMBERED),
            policy: None,
        })
    }

    /// From now on a policy decides as well; what it is told is kept of every token.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<Policy>) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The policy that decides as well.
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }

    /// Asks every issuer for its keys. For the start, and for `fedreg check`.
    pub async fn check(&self) -> Result<(), Vec<IssuerProblem>> {
        let outcomes = join_all(self.issuers.values().map(|issuer| async {
            issuer.fetch_now().await.map_err(|error| IssuerProblem { issuer: issuer.name.to_string(), error })
        }));
        let mut problems: Vec<_> = outcomes.await.into_iter().filter_map(Result::err).collect();
        problems.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What is needed where the public shapes can be read: more than nothing when the configuration has
    /// `anonymous_reads: false`.
    pub fn needed(&self, access: Access) -> Access {
        if access == Access::Public && !self.anonymous_reads { Access::Private } else { access }
    }

    /// Who asks: everything that can be known, userinfo included where the rules need it.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Identity, AuthError> {
        self.authenticate_for(authorization, Access::Federation).await
    }

    /// Who asks, as far as it matters for what needs that right: userinfo is asked only when the token alone does
    /// not give all of it and userinfo could. So a read never waits for it, unless rules say who is a reader.
    pub async fn authenticate_for(
        &self,
        authorization: Option<&str>,
        needed: Access,
    ) -> Result<Identity, AuthError> {
        let Some(header) = authorization else { return Ok(Identity::Anonymous) };
        self.identify(header, needed).await.map(Identity::Known).map_err(|Refused { error, detail }| {
            tracing::info!(reason = error.reason(), detail = ?cut(&detail), "a token was refused");
            metrics::counter!("fedreg_tokens_refused_total", "reason" => error.reason()).increment(1);
            error
        })
    }

    /// How long the token of a caller is still good: what is sent for longer than a request must end with it.
    pub fn lasts(&self, identity: &Identity) -> Duration {
        match identity {
            Identity::Anonymous => Duration::MAX,
            Identity::Known(known) => {
                Duration::from_secs(u64::try_from(known.expires_at - self.clock.now()).unwrap_or(0))
            }
        }
    }

    async fn identify(&self, header: &str, needed: Access) -> Result<Arc<Known>, Refused> {
        let token =
            bearer(header).ok_or_else(|| Refused::new(AuthError::Malformed, "not a Bearer header"))?;
        if token.len() > self.token_bytes {
            return Err(Refused::new(AuthError::TooLong, format!("{} bytes", token.len())));
        }
        let digest = sha256(token);
        let verified = match self.remembered(&digest) {
            Some(verified) => verified,
            // never seen, expired, its issuer has other keys now, or has to be asked again
            None => match self.verify(token, digest).await {
                Ok(verified) => verified,
                Err(refused) => {
                    if refused.error.retry_after_seconds().is_none() {
                        self.verified.remove(&digest);
                    }
                    return Err(refused);
                }
            },
        };
        if if needed.is_reading() { verified.lacks_reading } else { verified.lacks_writing } {
            return Ok(self.complete(&verified, token).await);
        }
        Ok(verified.known.clone())
    }

    /// What is known of a token, as long as it holds.
    pub(super) fn remembered(&self, digest: &Digest) -> Option<Arc<Verified>> {
        self.verified.get(digest).filter(|verified| verified.still_holds(&*self.clock))
    }

    /// Verifies a token that is not remembered, and remembers it.
    async fn verify(&self, token: &str, digest: Digest) -> Result<Arc<Verified>, Refused> {
        let parsed = match Token::parse(token) {
            Ok(parsed) => parsed,
            Err(refused) if self.opaque.is_empty() || !Token::may_be_opaque(token) => return Err(refused),
            Err(_) => return self.introspected(token, digest, None).await,
        };
        let signed = self.check_signature(parsed).await?;
        if signed.issuer.introspection.is_some() && !signed.claims.contains_key("sub") {
            return self.introspected(token, digest, Some(signed)).await;
        }
        let Signed { issuer, header, claims, generation } = signed;
        self.accept(digest, &issuer, claims, &Form::Signed(&header), Some(generation))
    }

    /// The issuer comes first: as long as it is not one of the configured ones, nothing else of the token is looked at.
    async fn check_signature(&self, token: Token<'_>) -> Result<Signed, Refused> {
        let named = token.claims.get("iss").and_then(Value::as_str);
        let issuer = named.and_then(|iss| self.issuers.get(iss)).ok_or_else(|| {
            Refused::new(
                AuthError::UnknownIssuer,
                named.map_or("no iss".to_owned(), |iss| format!("iss {iss}")),
            )
        })?;
        let header = token.header()?;
        let algorithm = header
            .algorithm
            .parse::<SignatureAlgorithm>()
            .ok()
            .filter(|algorithm| issuer.settings.algorithms.contains(algorithm))
            .ok_or_else(|| Refused::new(AuthError::Algorithm, format!("alg {}", header.algorithm)))?
            .algorithm();
        let signature = token.signature()?;
        let published = issuer.with_key(&header.key_id, algorithm).await?;
        if !published.keys.verify(&header.key_id, algorithm, token.signed(), &signature) {
            return Err(Refused::new(AuthError::BadSignature, format!("key {}", header.key_id)));
        }
        let generation = published.generation;
        Ok(Signed { issuer: issuer.clone(), header, claims: token.claims, generation })
    }

    /// Looks at what is said about a token, and remembers it.
    pub(super) fn accept(
        &self,
        digest: Digest,
        issuer: &Arc<Issuer>,
        claims: Members,
        form: &Form<'_>,
        generation: Option<u64>,
    ) -> Result<Arc<Verified>, Refused> {
        let checked = check(&claims, form, &issuer.settings, self.clock.now(), self.leeway_seconds)?;
        let facts = Facts::new(&claims, &issuer.settings);
        let mut known = self.known(issuer, checked.subject, checked.expires_at, &facts, None);
        let policy_lacks = self.policy.is_some() && (facts.email == Email::Unknown || facts.groups.is_none());
        let lacks = |more: &dyn Fn(Role) -> bool| {
            let mut rules = self.rules.iter().filter(|(role, _)| more(*role));
            rules.any(|(_, rule)| rule.judge(&issuer.name, &known.subject, &facts) == Verdict::Lacks)
        };
        let lacks_reading = known.role() == Role::Anonymous && lacks(&|_| true) || policy_lacks;
        let lacks_writing =
            known.role() != Role::Administrator && lacks(&|role| role != Role::Reader) || policy_lacks;
        let claims = if self.policy.is_some() { claims } else { Members::new() };
        known.user_info = self.user_info(&claims, Members::new(), known.email.is_some());
        let asked = matches!(form, Form::Introspected(_)).then_some(issuer.introspection.as_ref()).flatten();
        let until =
            asked.map(|asked| self.clock.monotonic() + Duration::from_secs(asked.settings.cache_seconds));
        let verified = Arc::new(Verified {
            issuer: issuer.clone(),
            generation,
            until,
            known: Arc::new(known),
            facts,
            claims,
            lacks_reading,
            lacks_writing,
            completed: Mutex::default(),
        });
        let as_good = |other: &Verified| other.generation == generation && until.is_none();
        Ok(self.verified.insert(digest, verified, as_good))
    }

    /// Adds what userinfo says. That is used for at most a minute, and never beyond the token's own end: a token
    /// that expired is not found to hold any more.
    async fn complete(&self, verified: &Verified, token: &str) -> Arc<Known> {
        let mut completed = verified.completed.lock().await;
        if let Some((until, known)) = &*completed
            && self.clock.monotonic() < *until
        {
            return known.clone();
        }
        let known = &verified.known;
        let mut said = Members::new();
        let (facts, undecided, lasts) = match verified.issuer.userinfo(token, &known.subject).await {
            Ok(Some(claims)) => {
                let more = Facts::new(&claims, &verified.issuer.settings);
                said = claims;
                (verified.facts.clone().or(more), None, self.userinfo)
            }
            Ok(None) => (verified.facts.clone(), None, self.userinfo),
            Err(error) => {
                tracing::warn!(issuer = %verified.issuer.name, %error, "userinfo could not be asked");
                let pause = Duration::from_secs(USERINFO_PAUSE_SECONDS);
                (verified.facts.clone(), Some(USERINFO_PAUSE_SECONDS), pause)
            }
        };
        let mut known =
            self.known(&verified.issuer, known.subject.clone(), known.expires_at, &facts, undecided);
        known.user_info = self.user_info(&verified.claims, said, known.email.is_some());
        let known = Arc::new(known);
        *completed = Some((self.clock.monotonic() + lasts, known.clone()));
        known
    }

    fn known(
        &self,
        issuer: &Issuer,
        subject: Box<str>,
        expires_at: i64,
        facts: &Facts,
        undecided_for_seconds: Option<u64>,
    ) -> Known {
        let holds = |rule: &Rule| rule.judge(&issuer.name, &subject, facts) == Verdict::Holds;
        let grants = self.rules.iter().filter(|(_, rule)| holds(rule)).map(|(role, rule)| Grant {
            role: *role,
            providers: rule.providers.clone(),
            rule: rule.to_string().into(),
        });
        let mut grants: Vec<_> = grants.collect();
        if grants.is_empty() && !self.readers_by_rule {
            grants.push(Grant { role: Role::Reader, providers: None, rule: EVERYBODY.into() });
        }
        Known {
            issuer: issuer.name.clone(),
            email: facts.email.verified().cloned(),
            groups: facts.groups.clone().unwrap_or_default(),
            entitlements: facts.entitlements.clone().unwrap_or_default(),
            roles: facts.roles.clone().unwrap_or_default(),
            grants,
            subject,
            expires_at,
            undecided_for_seconds,
            user_info: None,
        }
    }

    /// What a policy is told: what userinfo says, and over it what the token says; no address that does not count.
    fn user_info(&self, claims: &Members, mut said: Members, email_counts: bool) -> Option<Arc<Members>> {
        self.policy.as_ref()?;
        said.extend(claims.iter().map(|(name, value)| (name.clone(), value.clone())));
        if !email_counts {
            said.remove("email");
        }
        Some(Arc::new(said))
    }
}

impl Verified {
    fn still_holds(&self, clock: &dyn Clock) -> bool {
        let same_keys =
            |generation| self.issuer.published().is_some_and(|published| published.generation == generation);
        clock.now() < self.known.expires_at
            && self.until.is_none_or(|until| clock.monotonic() < until)
            && self.generation.is_none_or(same_keys)
    }

    /// When the token ends, in seconds since 1970-01-01T00:00:00Z.
    pub fn expires_at(&self) -> i64 {
        self.known.expires_at
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("issuers", &self.issuers.keys()).finish_non_exhaustive()
    }
}

/// The token of a `Bearer` header; the scheme in any case (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn sha256(token: &str) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}

/// What comes from an unverified token does not fill the log.
fn cut(detail: &str) -> &str {
    detail.char_indices().nth(200).map_or(detail, |(end, _)| &detail[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_headers() {
        for header in ["Bearer x", "bearer x", "BEARER   x  "] {
            assert_eq!(bearer(header), Some("x"), "{header:?}");
        }
        for header in ["", "Bearer", "Bearer ", "Basic x", "Bearerx", "x", " Bearer x", "Bearer\tx"] {
            assert_eq!(bearer(header), None, "{header:?}");
        }
    }

    #[test]
    fn one_authorization_header() {
        let mut headers = HeaderMap::new();
        assert_eq!(authorization(&headers), Ok(None));
        headers.append(AUTHORIZATION, "Bearer x".parse().unwrap());
        assert_eq!(authorization(&headers), Ok(Some("Bearer x")));
        headers.append(AUTHORIZATION, "Bearer y".parse().unwrap());
        assert_eq!(authorization(&headers), Err(AuthError::Malformed));
        headers.insert(AUTHORIZATION, axum::http::HeaderValue::from_bytes(b"Bearer \xff").unwrap());
        assert_eq!(authorization(&headers), Err(AuthError::Malformed));
    }

    #[test]
    fn digests_are_sha_256() {
        // FIPS 180-2, appendix B.1
        assert_eq!(sha256("abc")[..8], [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea]);
    }

    #[test]
    fn details_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"é".repeat(500)).chars().count(), 200);
    }
}
