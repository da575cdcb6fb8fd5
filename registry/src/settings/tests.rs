use std::collections::{BTreeMap, HashMap};
use std::fs;

use serde::Deserialize;

use super::*;
use crate::auth::Rule;

/// Loads a file with this text in a folder of its own; file names in messages become `FILE`.
fn load(text: &str, environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fedreg.yaml");
    fs::write(&file, text).unwrap();
    let environment = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Loaded::new(Some(&file), environment).map_err(|e| e.to_string().replace(file.to_str().unwrap(), "FILE"))
}

fn fault(text: &str, environment: &[(&str, &str)]) -> String {
    load(text, environment).map(|loaded| format!("{:?}", loaded.settings)).expect_err("this must not load")
}

#[test]
fn nothing_given_is_the_defaults() {
    let loaded = Loaded::new(None, HashMap::new()).unwrap();
    assert_eq!(format!("{:?}", loaded.settings), format!("{:?}", Settings::default()));
    let loaded = load("auth:\nlimits:\nstore:\nlog:\nfeeder:\n", &[]).unwrap();
    assert_eq!(format!("{:?}", loaded.settings), format!("{:?}", Settings::default()));
}

#[test]
fn the_environment_comes_after_the_file() {
    let text = "listen: 0.0.0.0:80\nlimits:\n  body_bytes: 5\n  request_seconds: 6\nlog:\n  format: json\n";
    let environment = [
        ("FEDREG__LIMITS__BODY_BYTES", "7"),
        ("FEDREG__STORE__PATH", "/tmp/elsewhere"),
        ("FEDREG__AUTH__ANONYMOUS_READS", "false"),
        ("FEDREG__AUTH__KEYS__COOLDOWN_SECONDS", "3"),
        ("FEDREG__LOG__LEVEL", ""),
        ("FEDREG_CONFIG", "not a setting"),
        ("LISTEN", "not ours"),
    ];
    let settings = load(text, &environment).unwrap().settings;
    assert_eq!(settings.listen.to_string(), "0.0.0.0:80");
    assert_eq!((settings.limits.body_bytes, settings.limits.request_seconds), (7, 6));
    assert!(matches!(settings.store, StoreSettings::Embedded { path } if path == *"/tmp/elsewhere"));
    assert!(!settings.auth.anonymous_reads);
    assert_eq!(settings.auth.keys.cooldown_seconds, 3);
    assert_eq!((settings.log.format, settings.log.level), (LogFormat::Json, LogLevel::Info));
}

#[test]
fn issuers_and_administrators() {
    let text = "
auth:
  issuers:
    - issuer: https://iam.example.org/
      audiences: [federation-registry]
    - issuer: https://sso.example.org/realms/one
      algorithms: [ES256]
      group_claims: [groups]
      trust_email: true
      at_jwt_only: true
  administrators:
    - issuer: https://iam.example.org/
      group: /admins
    - email: ada@example.org
";
    let auth = load(text, &[]).unwrap().settings.auth;
    assert_eq!(auth.issuers[0].audiences, ["federation-registry"]);
    assert_eq!(auth.issuers[0].group_claims.len(), 4);
    assert_eq!(auth.issuers[1].algorithms, ["ES256".parse().unwrap()]);
    assert!(auth.issuers[1].trust_email && auth.issuers[1].at_jwt_only);
    assert_eq!(auth.administrators[0], Rule::group("https://iam.example.org/", "/admins"));
    assert_eq!(auth.administrators[1], Rule::email("ada@example.org"));
}

#[test]
fn the_variables_of_earlier_deployments_add_to_the_file() {
    let text = "auth:\n  issuers:\n    - issuer: https://one.example.org/\n      audiences: [x]\n";
    for (issuers, emails) in [
        (
            r#"["https://one.example.org/", "https://two.example.org"]"#,
            r#"["ada@example.org", "bob@example.org"]"#,
        ),
        ("https://one.example.org/, https://two.example.org", "ada@example.org,bob@example.org,"),
    ] {
        let environment = [("TRUSTED_IDP_LIST", issuers), ("ADMIN_EMAIL_LIST", emails)];
        let auth = load(text, &environment).unwrap().settings.auth;
        let names: Vec<_> = auth.issuers.iter().map(|issuer| issuer.issuer.as_str()).collect();
        assert_eq!(names, ["https://one.example.org/", "https://two.example.org"]);
        assert_eq!(auth.issuers[0].audiences, ["x"]);
        assert_eq!(auth.administrators, [Rule::email("ada@example.org"), Rule::email("bob@example.org")]);
    }
    let auth = load("", &[("TRUSTED_IDP_LIST", ""), ("ADMIN_EMAIL_LIST", " [] ")]).unwrap().settings.auth;
    assert_eq!((auth.issuers.len(), auth.administrators.len()), (0, 0));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_fault_says_where_what_and_what_is_allowed() {
    let long = "/etc/hostname/data";
    let store = format!("store:\n  path: {long}\n");
    for (text, environment, expected) in [
        (
            "isuers: 1\n",
            &[][..],
            "FILE: isuers: 'isuers' is not a known key; known: listen, base_path, lenient_documents, store, auth, \
             tls, proxies, cors, history, limits, log, feeder.",
        ),
        (
            "auth:\n  isuers: []\n",
            &[],
            "FILE: auth.isuers: 'isuers' is not a known key; did you mean 'issuers'? Known: issuers, \
             administrators, site_administrators, feeders, readers, anonymous_reads, issuers_required_at_start, leeway_seconds, token_bytes, \
             token_cache_entries, userinfo_seconds, keys, policy.",
        ),
        (
            "auth:\n  issuers:\n    - issuer: https://a.example.org\n      audience: x\n",
            &[],
            "FILE: auth.issuers[0].audience: 'audience' is not a known key; did you mean 'audiences'? Known: issuer, \
             profile, audiences, algorithms, group_claims, entitlement_claims, role_claims, email_claim, \
             email_verified_claim, trust_email, at_jwt_only, introspection.",
        ),
        (
            "",
            &[("FEDREG__LIMITS__BODY_BITES", "1")],
            "Environment variable FEDREG__LIMITS__BODY_BITES: 'body_bites' is not a known key; did you mean \
             'body_bytes'? Known: body_bytes, request_seconds, header_bytes, header_seconds, \
             body_bytes_per_second, idle_seconds, connections, connections_per_client, rates, notice_seconds, \
             drain_seconds, answer_cache_bytes.",
        ),
        (
            "listen: localhost:8000\n",
            &[],
            "FILE: listen: 'localhost:8000' is not an IP address and a port; write it like 127.0.0.1:8000, \
             0.0.0.0:8000 or [::]:8000.",
        ),
        (
            "listen: 127.0.0.1:1\n",
            &[("FEDREG__LISTEN", "8000")],
            "Environment variable FEDREG__LISTEN: '8000' is not an IP address and a port; write it like \
             127.0.0.1:8000, 0.0.0.0:8000 or [::]:8000.",
        ),
        (
            "limits:\n  body_bytes: lots\n",
            &[],
            "FILE: limits.body_bytes: an integer is expected, not string \"lots\".",
        ),
        (
            "limits:\n  body_bytes: 1\n",
            &[("FEDREG__LIMITS__BODY_BYTES", "32M")],
            "Environment variable FEDREG__LIMITS__BODY_BYTES: an integer is expected, not string \"32M\".",
        ),
        (
            "log:\n  format: jsn\n",
            &[],
            "FILE: log.format: 'jsn' is not a known value; did you mean 'json'? Known: text, json.",
        ),
        (
            "store:\n  kind: redis\n",
            &[],
            "FILE: store.kind: 'redis' is not a known value; known: embedded, neo4j.",
        ),
        (
            "store:\n  kind: neo4j\n  url: bolt://host\n  password: no\n",
            &[],
            "FILE: store.password: is not read from a file that others may see: name a file that holds only the \
             password as store.password_file, or give FEDREG__STORE__PASSWORD.",
        ),
        (
            "store:\n  kind: neo4j\n  url: bolt://neo4j:hidden@host\n",
            &[("FEDREG__STORE__PASSWORD", "x")],
            "FILE: store.url: holds a user or a password, which logs would show; give them as user and password_file.",
        ),
        (
            "store:\n  kind: neo4j\n  url: http://host:7474\n  password_file: /etc/hostname\n",
            &[],
            "FILE: store.url: 'http://host:7474' is not the address of a Neo4j server; write it like \
             bolt://host:7687, or bolt+s://host:7687 with TLS.",
        ),
        (
            "store:\n  kind: neo4j\n  url: bolt://host\n  ca: /etc/hostname\n",
            &[],
            "FILE: store.ca: means nothing with bolt, which checks no certificate; write bolt+s.\n\
             FILE: store.password_file: is missing; name a file that holds the password, or give \
             FEDREG__STORE__PASSWORD.\n\
             FILE: store.ca: '/etc/hostname' holds no certificate in PEM form.",
        ),
        ("store:\n  kind: neo4j\n", &[], "FILE: store.url: is missing."),
        (store.as_str(), &[], "FILE: store.path: '/etc/hostname' is not a folder; name another one."),
        (
            "auth:\n  issuers:\n    - issuer: http://iam.example.org/\n",
            &[],
            "FILE: auth.issuers[0].issuer: 'http://iam.example.org/' is not an issuer: http is allowed on 127.0.0.1, \
             [::1] and localhost only, elsewhere use https. Write it as in the tokens' iss, like \
             https://iam.example.org/.",
        ),
        ("auth:\n  issuers:\n    - audiences: [x]\n", &[], "FILE: auth.issuers[0].issuer: is missing."),
        (
            "auth:\n  issuers:\n    - issuer: https://a.example.org\n      algorithms: [HS256]\n",
            &[],
            "FILE: auth.issuers[0].algorithms[0]: 'HS256' is not an algorithm that can be accepted; allowed are \
             RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.",
        ),
        (
            "auth:\n  administrators:\n    - group: /admins\n",
            &[],
            "FILE: auth.administrators[0]: a rule by subject, group, entitlement or role needs the issuer that it is \
             about.",
        ),
        (
            "auth:\n  anonymous_reads: maybe\n",
            &[],
            "FILE: auth.anonymous_reads: a boolean is expected, not string \"maybe\".",
        ),
        (
            "",
            &[("TRUSTED_IDP_LIST", "[\"https://a.example.org\"")],
            "Environment variable TRUSTED_IDP_LIST: it is not a JSON list of texts (EOF while parsing a list at line \
             1 column 24); write [\"one\", \"two\"] or one,two.",
        ),
        (
            "",
            &[("ADMIN_EMAIL_LIST", "ada")],
            "Environment variable ADMIN_EMAIL_LIST: 'ada' is not an e-mail address.",
        ),
    ] {
        assert_eq!(fault(text, environment), expected);
    }
}

#[test]
fn faults_of_the_network_sections() {
    for (text, expected) in [
        (
            "proxies:\n  trusted: [localhost]\n",
            "FILE: proxies.trusted[0]: 'localhost' is neither an IP address nor a network; write it like 10.1.2.3, \
             10.0.0.0/8 or 2001:db8::/32.",
        ),
        (
            "proxies:\n  header: x-real-ip\n",
            "FILE: proxies.header: 'x-real-ip' is not a known value; known: x-forwarded-for, forwarded.",
        ),
        (
            "cors:\n  origins: [\"https://dashboard.example.org/\"]\n",
            "FILE: cors.origins[0]: 'https://dashboard.example.org/' is not an origin; write it like \
             https://dashboard.example.org, without a path, or '*'.",
        ),
        (
            "auth:\n  policy:\n    data: x.json\n",
            "FILE: auth.policy: names no policy: give opa, an address, or file, a policy file.\n\
             FILE: auth.policy.data: is of no use without file.",
        ),
        (
            "auth:\n  policy:\n    opa: http://a:b@opa.example.org/v1/data/fed_reg\n    cache_seconds: 61\n",
            "FILE: auth.policy.opa: holds a user name or a password; opa_token_file is the place for a secret.\n\
             FILE: auth.policy.cache_seconds: is 61; allowed are 0 to 60.",
        ),
        ("tls:\n  certificate: a.pem\n", "FILE: tls.key: is missing."),
    ] {
        assert_eq!(fault(text, &[]), expected);
    }
}

#[test]
fn all_wrong_values_are_told_at_once() {
    let text = "
base_path: api/
limits:
  header_bytes: 100
  request_seconds: 0
auth:
  token_bytes: 200
  administrators:
    - issuer: https://iam.example.org
      group: /admins
";
    let environment =
        [("FEDREG__LIMITS__HEADER_SECONDS", "0"), ("TRUSTED_IDP_LIST", "https://iam.example.org/")];
    assert_eq!(
        fault(text, &environment),
        "\
FILE: base_path: 'api/' is not a path: write it like /api/v1, with a slash in front, none at the end, and letters, \
digits, '-', '.', '_', '~' between; or leave it empty.
FILE: limits.request_seconds: is 0; allowed are 1 to 86400.
FILE: limits.header_bytes: is 100; allowed are 8192 to 1048576.
Environment variable FEDREG__LIMITS__HEADER_SECONDS: is 0; allowed are 1 to 86400.
FILE: auth.administrators[0].issuer: https://iam.example.org is not one of auth.issuers; write it exactly as there, or \
add it there.
FILE: auth.token_bytes: is 200, and limits.header_bytes 100: such a token could not be sent; make the second one larger."
    );
}

#[test]
fn files_that_cannot_be_read() {
    let missing =
        Loaded::new(Some(Path::new("/no/such/fedreg.yaml")), HashMap::new()).unwrap_err().to_string();
    assert!(
        missing.starts_with("The configuration file '/no/such/fedreg.yaml' cannot be read: No such"),
        "{missing}"
    );
    let syntax = fault("listen: [\n", &[]);
    assert!(syntax.starts_with("The configuration file 'FILE' is not valid YAML: "), "{syntax}");
    assert!(syntax.contains("line 2"), "{syntax}");
    let list = fault("- listen\n", &[]);
    assert!(list.starts_with("The configuration file 'FILE' is not valid YAML: "), "{list}");
    let twice = fault("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", &[]);
    assert!(twice.contains("duplicated key"), "{twice}");
}

#[test]
fn other_sections_are_read_with_the_same_errors() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Feeder {
        #[serde(default)]
        every_minutes: u32,
        #[serde(default)]
        inventory: BTreeMap<String, String>,
    }
    let section = |text, environment| {
        load(text, environment).unwrap().section::<Feeder>("feeder").map_err(|e| {
            e.to_string().split_once("fedreg.yaml").map_or(e.to_string(), |(_, rest)| rest.to_owned())
        })
    };
    assert_eq!(section("", &[]).unwrap().every_minutes, 0);
    assert_eq!(section("feeder:\n", &[]).unwrap().every_minutes, 0);
    let feeder =
        section("feeder:\n  inventory: {Site-A: B}\n", &[("FEDREG__FEEDER__EVERY_MINUTES", "5")]).unwrap();
    assert_eq!((feeder.every_minutes, feeder.inventory["Site-A"].as_str()), (5, "B"));
    assert_eq!(
        section("feeder:\n  every_minute: 5\n", &[]).unwrap_err(),
        ": feeder.every_minute: 'every_minute' is not a known key; did you mean 'every_minutes'? Known: \
         every_minutes, inventory."
    );
    assert_eq!(
        section("", &[("FEDREG__FEEDER__EVERY_MINUTES", "x")]).unwrap_err(),
        "Environment variable FEDREG__FEEDER__EVERY_MINUTES: an integer is expected, not string \"x\"."
    );
}

#[test]
fn the_password_of_the_database_is_shown_by_nothing() {
    let text = "store:\n  kind: neo4j\n  url: bolt://host\n";
    let loaded = load(text, &[("FEDREG__STORE__PASSWORD", "very-secret")]).unwrap();
    let StoreSettings::Neo4j(neo4j) = &loaded.settings.store else { panic!("{:?}", loaded.settings.store) };
    assert_eq!((neo4j.user.as_str(), neo4j.database.as_str()), ("neo4j", "neo4j"));
    assert_eq!(neo4j.address(), "bolt://host:7687");
    assert!(!format!("{loaded:?}").contains("very-secret"));
}

#[test]
fn secrets_of_other_sections_are_not_shown() {
    let loaded = load("feeder:\n  password: hunter2\n", &[("FEDREG__FEEDER__TOKEN", "hunter3")]).unwrap();
    assert!(!format!("{loaded:?}").contains("hunter"));
}

const EXAMPLE: &str = include_str!("../../../fedreg.example.yaml");
const PAGE: &str = include_str!("../../../docs/configuration.md");

/// The example with the lines after `#|` taken in.
fn example_in_full() -> String {
    EXAMPLE.replace("#|", "")
}

#[test]
fn the_example_shows_the_defaults_and_loads_with_its_comments_taken_in() {
    let settings = load(EXAMPLE, &[]).unwrap().settings;
    assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
    let settings = load(&example_in_full(), &[]).unwrap().settings;
    assert_eq!(settings.auth.issuers.len(), 2);
    assert_eq!(settings.auth.administrators.len(), 3);
}

#[test]
fn the_example_and_the_page_have_every_key() {
    let text = example_in_full();
    let mut checked = 0;
    for (section, text) in [
        ("", "zzz: 1"),
        ("store", "store: {zzz: 1}"),
        ("limits", "limits: {zzz: 1}"),
        ("limits.rates", "limits: {rates: {zzz: 1}}"),
        ("tls", "tls: {zzz: 1}"),
        ("proxies", "proxies: {zzz: 1}"),
        ("cors", "cors: {zzz: 1}"),
        ("log", "log: {zzz: 1}"),
        ("auth", "auth: {zzz: 1}"),
        ("auth.keys", "auth: {keys: {zzz: 1}}"),
        ("auth.policy", "auth: {policy: {zzz: 1}}"),
        ("auth.issuers", "auth: {issuers: [{zzz: 1}]}"),
        (
            "auth.issuers.introspection",
            "auth: {issuers: [{issuer: 'https://x.org', introspection: {zzz: 1}}]}",
        ),
        ("auth.administrators", "auth: {administrators: [{zzz: 1}]}"),
    ]
    .map(|(section, wrong)| (section, (wrong, &text)))
    {
        let (wrong, example) = text;
        let message = fault(wrong, &[]);
        let (_, known) = message
            .trim_end_matches('.')
            .to_lowercase()
            .split_once("known: ")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        for key in known.split(", ") {
            let line = |line: &str| {
                line.trim_start_matches(['#', ' ']).trim_start_matches("- ").starts_with(&format!("{key}:"))
            };
            assert!(example.lines().any(line), "fedreg.example.yaml lacks {section} {key}");
            let name = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            assert!(PAGE.contains(&format!("`{name}`")), "docs/configuration.md lacks {name}");
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} keys were found");
}

/// What the pages about issuers give to paste, one after the other.
#[test]
fn the_settings_on_the_pages_about_issuers_load() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/issuers");
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "a secret").unwrap();
    let mut loaded = Vec::new();
    for page in std::fs::read_dir(folder).unwrap() {
        let page = page.unwrap().path();
        let text = std::fs::read_to_string(&page).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let block = block.replace("/run/secrets/introspection", &secret.path().display().to_string());
            let settings =
                load(&block, &[]).unwrap_or_else(|fault| panic!("{}: {fault}\n{block}", page.display()));
            loaded.extend(settings.settings.auth.issuers.into_iter().map(|issuer| issuer.issuer.to_string()));
        }
    }
    loaded.sort();
    loaded.dedup();
    assert_eq!(loaded.len(), 3, "{loaded:?}");
}
