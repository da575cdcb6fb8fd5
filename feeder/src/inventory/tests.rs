use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Credentials, Inventory, load_with};
use crate::tokens::TokenSource;

const SITE: &str = include_str!("testdata/site.config.yaml");

/// The groups of the second identity provider.
const GROUP_3: &str = "\
user_groups:
      - name: g3
        slas:
          - doc_uuid: \"67\"
            start_date: 2024-01-01
            end_date: 2029-12-31
";

fn load(files: &[(&str, &str)]) -> (tempfile::TempDir, Inventory) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let inventory = read(folder.path());
    (folder, inventory)
}

fn read(path: &Path) -> Inventory {
    let environment = BTreeMap::from([("CLOUD_PASSWORD", "hunter2")]);
    load_with(path, &|name| environment.get(name).map(|&value| value.to_owned()))
}

/// All that is said of the files, without the folder's name.
fn said(folder: &Path, inventory: &Inventory) -> String {
    let mut said = String::new();
    for fault in &inventory.faults {
        writeln!(said, "{fault}\n").unwrap();
    }
    for warning in &inventory.warnings {
        writeln!(said, "as a warning: {warning}\n").unwrap();
    }
    writeln!(said, "can be read: {:?}", names(inventory)).unwrap();
    let faulty: Vec<_> = inventory.faulty.iter().map(|key| key.name.as_str()).collect();
    writeln!(said, "cannot be read: {faulty:?}").unwrap();
    said.replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), "FOLDER")
}

fn names(inventory: &Inventory) -> Vec<&str> {
    inventory.providers.iter().map(|provider| provider.key.name.as_str()).collect()
}

fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(SITE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the sample");
        text.replacen(from, to, 1)
    })
}

#[test]
fn a_good_file_is_resolved() {
    let (_folder, inventory) =
        load(&[("site.config.yaml", SITE), ("token", "from-a-file\n"), ("notes.txt", "{")]);
    assert_eq!(inventory.faults, []);
    assert_eq!(inventory.warnings, []);
    assert_eq!(names(&inventory), ["SITE-A", "SITE-A-OLD", "SITE-B"]);

    let site = &inventory.providers[0];
    let connections: Vec<_> =
        site.connections.iter().map(|c| (c.region.as_str(), c.project_id.as_str())).collect();
    assert_eq!(connections, [("R1", "p1"), ("R1", "p2"), ("R2", "p1"), ("R2", "p2")]);
    insta::assert_json_snapshot!("document", site.document);

    let Credentials::OidcAccessToken { idp_name, protocol, token: TokenSource::Given { token, .. } } =
        &site.connections[0].credentials
    else {
        panic!("{:?}", site.connections[0].credentials);
    };
    assert_eq!(
        (idp_name.as_str(), protocol.as_str(), token.expose_secret()),
        ("iam", "openid", "from-a-file")
    );
    let Credentials::Password { username, user_domain, password } = &site.connections[1].credentials else {
        panic!("{:?}", site.connections[1].credentials);
    };
    assert_eq!(
        (username.as_str(), user_domain.as_str(), password.expose_secret()),
        ("feeder", "Default", "hunter2")
    );
    assert!(!format!("{inventory:?}").contains("hunter2"), "a secret shows in Debug");
    assert!(!format!("{inventory:?}").contains("from-a-file"), "a secret shows in Debug");

    let first = &site.connections[0].properties;
    assert_eq!(first.default_private_net.as_deref(), Some("lan"));
    assert_eq!(
        Value::from(first.per_user_limits["compute"].clone()),
        json!({"cores": 2, "gpus": {"A100": 1}})
    );
    let replaced = &site.connections[2].properties;
    assert_eq!(
        replaced.default_private_net, None,
        "a region's properties replace the project's all together"
    );
    assert_eq!(replaced.default_public_net.as_deref(), Some("ext2"));
    assert!(replaced.per_user_limits.is_empty());

    let old = &inventory.providers[1];
    assert!(old.connections.is_empty(), "a provider that is not active is not contacted");
    assert_eq!(
        Value::from(old.document.clone()),
        json!({"name": "SITE-A-OLD", "type": "openstack", "status": "maintenance", "is_public": false,
               "support_emails": [], "description": ""})
    );

    let cluster = &inventory.providers[2].connections[0];
    assert_eq!((cluster.region.as_str(), cluster.project_id.as_str()), ("default", "ns1"));
    assert!(
        cluster.site.ca_path.as_deref().is_some_and(|path| path.ends_with("ca.pem") && path.is_absolute())
    );
    assert!(
        matches!(&cluster.credentials, Credentials::BearerToken { token: TokenSource::Given { token, .. } }
            if token.expose_secret() == "sa-token")
    );
}

/// Each of these says where the fault stands, shows the lines and tells what to do.
#[test]
fn broken_files() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("unknown_field", &[("auth_url: https://a", "auth_ulr: https://a")]),
        ("unknown_field_of_a_region", &[("overbooking_cpu", "overboking_cpu")]),
        ("unknown_field_of_a_location", &[("country: Italy", "contry: Italy")]),
        ("unknown_limit", &[("cores: 2", "core: 2")]),
        ("not_a_number", &[("latitude: 41.1", "latitude: north")]),
        ("not_a_country", &[("country: Italy", "country: Itly")]),
        ("out_of_range", &[("latitude: 41.1", "latitude: 410.1")]),
        ("not_a_limit", &[("cores: 2", "cores: -7")]),
        ("unknown_status", &[("status: maintenance", "status: maintainance")]),
        ("missing_field", &[("    group_claim: groups\n", "")]),
        ("bad_indentation", &[("    regions:\n", "   regions:\n")]),
        ("tab", &[("    regions:\n", "\tregions:\n")]),
        (
            "duplicate_key",
            &[("    group_claim: groups\n", "    group_claim: groups\n    group_claim: wlcg.groups\n")],
        ),
        ("not_a_url", &[("auth_url: https://a", "auth_url: a")]),
        ("not_an_email", &[("ops@a.example.org", "ops at a.example.org")]),
        (
            "unknown_sla",
            &[("sla: a0000000000040008000000000000065", "sla: a0000000000040008000000000000056")],
        ),
        (
            "untrusted_issuer",
            &[(
                "endpoint: https://iam.example.org/\n        name",
                "endpoint: https://iam.example.org\n        name",
            )],
        ),
        ("sla_ends_before_it_starts", &[("end_date: 2029-12-31", "end_date: 2019-12-31")]),
        ("not_a_date", &[("end_date: 2029-12-31", "end_date: 31.12.2029")]),
        (
            "sla_of_two_groups",
            &[(
                "a0000000000040008000000000000066\n            start",
                "a0000000000040008000000000000065\n            start",
            )],
        ),
        ("sla_without_uuid", &[("doc_uuid: a0000000000040008000000000000066\n            start", "start")]),
        ("two_projects_of_one_id", &[("- id: p2", "- id: p1")]),
        (
            "two_projects_of_one_group",
            &[(
                "sla: a0000000000040008000000000000066\n        auth",
                "sla: a0000000000040008000000000000065\n        auth",
            )],
        ),
        ("two_regions_of_one_name", &[("- name: R2", "- name: R1")]),
        ("two_providers_of_one_name", &[("- name: SITE-A-OLD", "- name: SITE-A")]),
        ("unknown_region", &[("region_name: R2", "region_name: R3")]),
        ("no_protocol", &[("        protocol: openid\n      - end", "      - end")]),
        ("no_audience", &[("        audience: k8s-b\n", ""), ("    auth:\n      token: sa-token\n", "")]),
        ("no_token", &[("    token_file: token\n", "")]),
        ("unset_variable", &[("CLOUD_PASSWORD", "OTHER_PASSWORD")]),
        (
            "two_ways_to_give_a_token",
            &[("    token_file: token\n", "    token_file: token\n    token: abc\n")],
        ),
        ("wrong_auth", &[("      token: sa-token", "      password: {username: u, password: sesame}")]),
        (
            "secret_near_a_fault",
            &[("    token_file: token\n    group_claim", "    token: sesame\n    group_clam")],
        ),
        ("secret_at_a_fault", &[("    token_file: token\n", "    token: {sesame: sesame}\n")]),
        ("wrong_type_of_provider", &[("- name: SITE-B\n", "- name: SITE-B\n    type: openstack\n")]),
        ("no_groups", &[(GROUP_3, "user_groups: []\n")]),
        ("no_name", &[("- name: SITE-B", "- name: ''")]),
    ];
    for (name, edits) in cases {
        let (folder, inventory) = load(&[("site.config.yaml", &edited(edits)), ("token", "t")]);
        let said = said(folder.path(), &inventory);
        assert!(!said.contains("sesame"), "{name} shows a secret:\n{said}");
        assert!(!inventory.is_complete() || !inventory.warnings.is_empty(), "{name} is not found:\n{said}");
        insta::assert_snapshot!(*name, said);
    }
}

#[test]
fn all_faulty_files_are_reported_and_the_others_are_used() {
    let (folder, inventory) = load(&[
        ("a.config.yaml", "trusted_idps: [}\n"),
        ("b.config.yaml", &edited(&[("status: maintenance", "status: gone")])),
        ("c.config.yaml", SITE),
        ("d.config.yaml", &edited(&[("name: g1", "name: other"), ("- name: SITE-A\n", "- name: SITE-D\n")])),
        ("token", "t"),
    ]);
    insta::assert_snapshot!("several_files", said(folder.path(), &inventory));
}

#[test]
fn nothing_to_read() {
    let (folder, inventory) = load(&[]);
    let gone = read(&folder.path().join("nowhere.yaml"));
    insta::assert_snapshot!("nothing", said(folder.path(), &inventory) + &said(folder.path(), &gone));
}

#[test]
fn the_commented_sample_is_without_fault() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../providers.yaml");
    let inventory = load_with(&sample, &|_| Some("any".to_owned()));
    assert_eq!(inventory.faults, []);
    assert_eq!(inventory.warnings, []);
    assert!(!inventory.providers.is_empty());
}

#[test]
fn one_fault_of_several_providers_is_told_once_and_is_of_each() {
    let text = edited(&[
        (
            "        auth:\n          password:\n            username: feeder\n            password_env: CLOUD_PASSWORD\n",
            "",
        ),
        ("    auth:\n      token: sa-token\n", ""),
    ]);
    let (_folder, inventory) = load(&[("site.config.yaml", &text)]);
    let of: Vec<_> =
        inventory.faults.iter().map(|fault| (fault.entry.as_str(), fault.providers.len())).collect();
    assert_eq!(of, [("trusted_idps[0].token_file", 2)], "the token is not there");
    assert_eq!(names(&inventory), ["SITE-A-OLD"]);
}
