//! Bearer tokens, end to end: an issuer in the same process that can misbehave, a clock that is moved by hand.
//!
//! What must not work, and where that is seen:
//!
//! | attack or trouble | test |
//! |---|---|
//! | `alg` none | `attacks::unsigned_tokens` |
//! | HS256 with the public key; a shared secret among the keys | `attacks::a_public_key_is_no_shared_secret`, `attacks::a_shared_secret_among_the_published_keys_is_not_used` |
//! | algorithms that are not configured | `attacks::algorithms_that_the_configuration_leaves_out` |
//! | a key with another algorithm, a key for encryption | `tricks::one_keys_id_with_another_ones_algorithm` |
//! | `kid` wrong, missing, a path, an address; two keys of one id | `attacks::key_ids`, `attacks::two_keys_with_one_id` |
//! | `jku`, `x5u`, `jwk`, `x5c`; unknown issuers: nobody is asked | `attacks::tokens_choose_no_address` |
//! | another issuer's key | `tricks::another_issuers_key_under_a_known_id` |
//! | `crit` | `attacks::headers_that_must_be_understood` |
//! | duplicate claims | `attacks::claims_that_occur_twice` |
//! | nested and encrypted tokens | `attacks::tokens_within_tokens_and_encrypted_ones` |
//! | long, deep, wide tokens | `attacks::tokens_are_bounded`, `tricks::documents_that_are_burdens` |
//! | signatures of zeros, of another form, written differently | `tricks::signatures_that_are_none` |
//! | unicode look-alikes; `iss` with and without slash | `tricks::look_alikes`, `roles`, `attacks::the_slash_at_the_end_belongs_to_the_name` |
//! | `exp` and `nbf`: at, before, after; clock skew; no dates | `claims::a_remembered_token_ends_when_it_ends`, `claims::clocks_may_differ_a_little`, `tricks::times_that_are_none` |
//! | `aud` list, other, missing | `claims::audiences` |
//! | ID, offline, logout tokens; `at+jwt` and not | `claims::other_kinds_of_tokens` |
//! | `wlcg.ver` 2.0; no `sub`, no `exp` | `claims::what_every_token_must_have` |
//! | child group for the parent, unverified e-mail | `roles::rules_by_subject_group_and_email` |
//! | key sets: too long, too many keys, none | `outages::answers_without_end_are_cut_off`, `outages::documents_that_are_something_else` |
//! | slow issuers, redirects | `outages::slow_answers_are_cut_off`, `outages::redirects_are_not_followed`, `outages::other_requests_go_on_while_an_issuer_is_slow` |
//! | issuers that are down, with known keys and without | `outages::keys_outlive_their_issuer_for_two_days`, `outages::an_unknown_key_while_the_issuer_is_down` |
//! | rotation; made-up key ids | `keys` |
//! | opaque tokens: inactive, of another issuer, of another kind; a flood of them; answers that must not be used | `introspection` |
//! | tokens in the log | `logs` |
//! | an Open Policy Agent that does not answer, or with nonsense | `policy` |
//! | anonymous callers and private attributes | test program `behaviour`, `access` |
//! | brute force, slow clients, heads without end, pages of others | test program `network` |
//! | the same with real issuers | test programs `auth_real_issuer`, `real` |

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests are tests too")]

mod attacks;
mod claims;
mod clock;
mod introspection;
mod issuer;
mod keys;
mod logs;
mod outages;
mod policy;
mod roles;
mod start;
mod tricks;
mod userinfo;

use std::sync::Arc;

use registry::auth::{AuthError, AuthSettings, Authenticator, Identity, IssuerSettings, Known, Rule};

use clock::ManualClock;
use issuer::{Issuer, Key};

/// Who checks, the issuer that is trusted, and the time.
struct Setup {
    authenticator: Arc<Authenticator>,
    issuer: Issuer,
    clock: Arc<ManualClock>,
}

impl Setup {
    /// An issuer with one key, trusted with the audience `federation-registry`.
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings; the issuer is the first one in them.
    async fn with(change: impl FnOnce(&mut AuthSettings)) -> Self {
        simulator::record_log();
        let issuer = Issuer::start().await;
        let clock = Arc::new(ManualClock::default());
        let mut trusted = IssuerSettings::new(issuer.url().parse().unwrap());
        trusted.audiences = vec!["federation-registry".to_owned()];
        let mut settings = AuthSettings { issuers: vec![trusted], ..AuthSettings::default() };
        settings.administrators = vec![
            Rule::subject(issuer.url(), "root"),
            Rule::group(issuer.url(), "/admins"),
            Rule::email("admin@example.org"),
        ];
        settings.keys.fetch_seconds = 2;
        change(&mut settings);
        let authenticator = Arc::new(Authenticator::new(&settings, clock.clone()).unwrap());
        Self { authenticator, issuer, clock }
    }

    /// What the registry says about a token.
    async fn ask(&self, token: &str) -> Result<Arc<Known>, AuthError> {
        match self.authenticator.authenticate(Some(&format!("Bearer {token}"))).await? {
            Identity::Known(known) => Ok(known),
            Identity::Anonymous => panic!("a token made nobody of its holder"),
        }
    }
}
