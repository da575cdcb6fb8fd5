//! One site that is broken or was taken over delays and damages no other.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use feeder::settings::LimitSettings;
use feeder::{Settings, Tried};
use simulator::{Fault, Federation, Issuer, IssuerOptions, Params, Running, Signing};

async fn federation() -> Running {
    let issuer =
        Issuer::start(IssuerOptions { signing: Signing::Es256, ..IssuerOptions::default() }).await.unwrap();
    let params = Params { openstack: 8, kubernetes: 2, projects: 3, ..Params::demo() };
    Federation::new(11, params).start(&issuer).await.unwrap()
}

async fn tried(running: &Running) -> Vec<Tried> {
    let folder = tempfile::tempdir().unwrap();
    let providers = folder.path().join("providers.yaml");
    let token = running.issuer().token(&running.feeder()).unwrap();
    std::fs::write(&providers, running.providers_yaml(&token)).unwrap();
    let limits = LimitSettings {
        request_seconds: 15.0,
        connection_seconds: 25.0,
        pages: 50,
        bytes: 8 << 20,
        retries: 0,
        ..LimitSettings::default()
    };
    // few places over all sites: those that hang must not keep them from others
    let settings = Settings { providers, limits, requests: 8, connections: 1000, ..Settings::default() };
    feeder::connect(&settings).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_sites_keep_their_trouble_to_themselves() {
    let running = federation().await;
    let sites = running.sites();
    sites[0].faults().set("", Fault::Hang);
    sites[1].faults().set("/flavors", Fault::HugeBody(10 << 30));
    sites[2].faults().set("/networks", Fault::EndlessPages);
    sites[3].faults().set("/images", Fault::Redirect("http://169.254.169.254/latest/meta-data/".to_owned()));
    let metadata = ("network".to_owned(), "http://169.254.169.254/".to_owned());
    sites[4].configure(|settings| settings.catalog = [metadata].into());
    sites[5].faults().set("/os-quota-sets", Fault::Stall);
    let names: Vec<String> = sites.iter().map(|site| site.provider().name.clone()).collect();

    let tried = tried(&running).await;
    assert_eq!(tried.len(), 30);
    for one in &tried {
        let place = names.iter().position(|name| *name == one.provider.name).unwrap();
        let lost: Vec<&str> = one
            .problems
            .iter()
            .filter(|trouble| trouble.required)
            .map(|trouble| trouble.what.as_str())
            .collect();
        let expected: &[&str] = match place {
            0 => &["login"],
            1 => &["compute flavors"],
            2 => &["network networks"],
            3 => &["compute images"],
            4 => &["network networks", "network quotas"],
            5 => &["compute quotas", "block storage quotas"],
            _ => &[],
        };
        if place == 5 {
            // what stalls keeps the site's own places, so that more of it can be lost, but of it alone
            assert!(expected.iter().all(|list| lost.contains(list)), "{}: {:?}", one.provider, one.problems);
        } else {
            assert_eq!(lost, expected, "{}: {:?}", one.provider, one.problems);
        }
        if expected.is_empty() {
            assert!(
                one.seconds < 14.0,
                "{} took {} s, as long as those that hang",
                one.provider,
                one.seconds
            );
        }
    }
}
