//! Whole federations: repeatable, cheap, described by their provider file.

use super::{Member, issuer, names, openstack_site, tiny};
use simulator::model::{Login, Technology};
use simulator::{Counts, Federation, Listeners, Params, documents};
use std::collections::HashSet;

/// The text with this run's port taken out.
fn without_port(text: &str, root: &str) -> String {
    let host = root.split('/').nth(2).unwrap();
    text.replace(host, "HOST")
}

#[tokio::test]
async fn a_seed_gives_the_same_federation_again() {
    let issuer = issuer().await;
    let mut runs = Vec::new();
    for seed in [5, 5, 6] {
        let running = Federation::new(seed, Params::demo()).start(&issuer).await.unwrap();
        let all: Vec<_> = running.documents().map(|document| document.to_string()).collect();
        runs.push(without_port(&all.join("\n"), running.sites()[0].root()));
    }
    assert!(runs[0] == runs[1] && runs[0] != runs[2]);
}

#[tokio::test]
async fn it_holds_what_the_generator_says() {
    let running = Federation::new(9, Params::demo()).start(&issuer().await).await.unwrap();
    let counts = running.counts();
    assert_eq!((counts.providers, counts.regions, counts.projects), (6, 6, 24));
    assert_eq!((counts.flavors, counts.images, counts.networks), (4 * 14, 4 * 16, 4 * 6));
    // the same sizes as the documents of the same seed, which have two issuers
    let mut offline = Counts::of(documents(9, &Params::demo()));
    offline.identity_providers = counts.identity_providers;
    offline.relations = counts.relations;
    assert_eq!(counts, offline);
}

#[tokio::test]
async fn the_provider_file_names_every_site_and_how_to_enter() {
    let running = Federation::new(9, Params::demo()).start(&issuer().await).await.unwrap();
    let yaml = running.providers_yaml("THE-TOKEN");
    for site in running.sites() {
        let provider = site.provider();
        assert!(yaml.contains(&format!("\n  - name: \"{}\"\n", provider.name)));
        assert!(yaml.contains(&format!("    auth_url: \"{}\"\n", site.auth_url())));
        let secret = yaml.contains(site.secret());
        assert_eq!(secret, provider.login != Login::Federation, "{}", provider.name);
        assert!(
            provider.projects.iter().all(|p| yaml.contains(&format!("sla: \"{}\"", p.agreement.doc_uuid)))
        );
    }
    assert!(yaml.contains("\n    token: \"THE-TOKEN\"\n"));
    let ways: HashSet<_> = running.sites().iter().map(|site| site.provider().login).collect();
    assert_eq!(ways.len(), 3, "{ways:?}");
}

#[tokio::test]
async fn data_change_while_it_runs() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    let site = openstack_site(&running);
    let before = running.counts();
    let name = site.provider().cloud("RegionOne").unwrap().flavors[0].name.clone();
    assert!(site.rename_flavor(&name, "renamed"));
    assert!(!site.rename_flavor(&name, "again"));
    let flavors = member.pages("compute", "/flavors/detail", "flavors").await;
    assert!(names(&flavors).contains(&"renamed") && !names(&flavors).contains(&name.as_str()));
    let id = site.add_image("fresh").unwrap();
    let images = member.pages("image", "/v2/images", "images").await;
    assert!(images.iter().any(|image| image["id"] == id.as_str() && image["name"] == "fresh"));
    assert_eq!(running.counts().images, before.images + 1);
    assert!(site.root().ends_with(&site.provider().slug) && format!("{site:?}").len() < 80);
    assert!(running.site(&site.provider().name).is_some() && running.site("NOWHERE").is_none());
}

#[tokio::test]
async fn sites_listen_together_or_each_by_itself() {
    let issuer = issuer().await;
    let hosts = |running: &simulator::Running| -> HashSet<String> {
        running.sites().iter().map(|site| site.root().split('/').nth(2).unwrap().to_owned()).collect()
    };
    let together = Federation::new(1, Params::demo()).start(&issuer).await.unwrap();
    assert_eq!(hosts(&together).len(), 1);
    let apart = Federation { listeners: Listeners::PerSite, ..Federation::new(1, Params::demo()) };
    let apart = apart.start(&issuer).await.unwrap();
    assert_eq!(hosts(&apart).len(), apart.sites().len());
    for running in [&together, &apart] {
        for site in running.sites() {
            let path = match site.provider().technology {
                Technology::OpenStack => "identity/v3",
                Technology::Kubernetes => "version",
            };
            assert_eq!(reqwest::get(format!("{}/{path}", site.root())).await.unwrap().status(), 200);
        }
    }
    let (one, other) = (&apart.sites()[0], &apart.sites()[1]);
    let crossed = one.root().replace(&one.provider().slug, &other.provider().slug);
    assert_eq!(reqwest::get(format!("{crossed}/identity/v3")).await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let issuer = issuer().await;
    let first = Federation::new(1, Params::tiny()).start(&issuer).await.unwrap();
    let port = first.sites()[0].root().split([':', '/']).nth(4).unwrap().parse().unwrap();
    let second = Federation { port, ..Federation::new(1, Params::tiny()) };
    let refused = second.start(&issuer).await.unwrap_err().to_string();
    assert!(refused.contains(&port.to_string()) && refused.contains("another port"), "{refused}");
}

#[tokio::test]
async fn dropped_it_ends() {
    let running = tiny().await;
    let root = openstack_site(&running).root().to_owned();
    let host = root.split('/').nth(2).unwrap().to_owned();
    drop(running);
    // the listener closes when its task is next run
    while tokio::net::TcpStream::connect(&host).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

/// Resident memory of this process in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_large_federation_is_cheap() {
    let params = Params {
        openstack: 150,
        kubernetes: 20,
        regions: 1,
        projects: 5,
        flavors: 20,
        images: 40,
        networks: 6,
        groups: 20,
    };
    let issuer = issuer().await;
    let before = resident();
    let running = Federation::new(1, params).start(&issuer).await.unwrap();
    let grown = resident().saturating_sub(before);
    assert_eq!(running.sites().len(), 170);
    // other tests run in this process too; alone it is a quarter of this
    assert!(grown < 64 * 1024, "{grown} KiB for 170 sites");
    let member = Member::login(&running, 4).await;
    assert_eq!(member.get("compute", "/flavors/detail").await.status(), 200);
    running.stop().await;
}
