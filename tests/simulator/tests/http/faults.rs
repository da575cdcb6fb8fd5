//! Everything that can go wrong, seen by a client.

use super::{Member, cluster, feeder, json_of, openstack_site, tiny};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use simulator::Fault;
use std::collections::HashSet;
use std::time::{Duration, Instant};

#[tokio::test]
async fn statuses_come_for_the_paths_and_times_that_were_asked() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    let faults = openstack_site(&running).faults();
    faults.set_times("/flavors", Fault::Status(503), 2);
    faults.set("/images", Fault::Status(403));
    assert_eq!(member.get("compute", "/flavors/detail").await.status(), 503);
    assert_eq!(member.get("network", "/v2.0/networks").await.status(), 200);
    assert_eq!(member.get("compute", "/flavors").await.status(), 503);
    assert_eq!(member.get("compute", "/flavors").await.status(), 200);
    let forbidden = member.get("image", "/v2/images").await;
    assert_eq!(
        (forbidden.status().as_u16(), json_of(forbidden).await["error"]["code"].as_u64()),
        (403, Some(403))
    );
    assert_eq!(faults.hits("/flavors"), 3);
    faults.clear();
    assert_eq!(member.get("image", "/v2/images").await.status(), 200);
    // another site does not notice
    assert_eq!(cluster(&running).faults().hits(""), 0);
}

#[tokio::test]
async fn a_busy_site_says_when_to_come_again() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    openstack_site(&running).faults().set("/networks", Fault::Busy { retry_after: 7 });
    let busy = member.get("network", "/v2.0/networks").await;
    assert_eq!((busy.status().as_u16(), busy.headers()["retry-after"].to_str().unwrap()), (429, "7"));
}

#[tokio::test]
async fn delays_add_up_and_let_other_faults_act() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    let faults = openstack_site(&running).faults();
    faults.set("", Fault::Delay(Duration::from_millis(60)));
    faults.set("/flavors", Fault::Delay(Duration::from_millis(60)));
    faults.set("/flavors", Fault::Status(500));
    let start = Instant::now();
    assert_eq!(member.get("compute", "/flavors").await.status(), 500);
    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_hanging_site_ends_when_it_is_stopped() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    openstack_site(&running).faults().set("/flavors", Fault::Hang);
    let short = Duration::from_millis(150);
    let url = format!("{}/flavors", member.endpoint("compute", "RegionOne"));
    let given_up = Client::new().get(&url).timeout(short).send().await.unwrap_err();
    assert!(given_up.is_timeout());
    let hanging = tokio::spawn(Client::new().get(&url).header("x-auth-token", &member.token).send());
    while openstack_site(&running).faults().hits("/flavors") < 2 {
        tokio::task::yield_now().await;
    }
    running.stop().await;
    assert_eq!(hanging.await.unwrap().unwrap().status(), 503);
    assert!(Client::new().get(&url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn garbage_is_html() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    openstack_site(&running).faults().set("/images", Fault::Garbage);
    let garbage = member.get("image", "/v2/images").await;
    assert_eq!(garbage.status(), 200);
    assert!(garbage.json::<serde_json::Value>().await.unwrap_err().is_decode());
}

/// Reads the body piece by piece until it ends, or breaks, or nothing comes for a while.
async fn read(mut response: Response) -> (usize, Option<u64>, &'static str) {
    let (mut read, whole) = (0, response.content_length());
    loop {
        match tokio::time::timeout(Duration::from_millis(200), response.chunk()).await {
            Err(_) => return (read, whole, "silence"),
            Ok(Err(_)) => return (read, whole, "broken"),
            Ok(Ok(None)) => return (read, whole, "end"),
            Ok(Ok(Some(chunk))) => read += chunk.len(),
        }
    }
}

#[tokio::test]
async fn half_a_body_is_cut_or_followed_by_silence() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    let whole = member.get("image", "/v2/images").await.bytes().await.unwrap().len();
    for (fault, end) in [(Fault::HalfBody, "broken"), (Fault::Stall, "silence")] {
        openstack_site(&running).faults().clear();
        openstack_site(&running).faults().set("/images", fault);
        let (read, announced, ended) = read(member.get("image", "/v2/images").await).await;
        assert_eq!((read, announced, ended), (whole / 2, Some(whole as u64), end));
    }
    running.stop().await;
}

#[tokio::test]
async fn endless_lists_never_repeat_a_marker() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    openstack_site(&running).faults().set("", Fault::EndlessPages);
    for (kind, first, key) in [
        ("compute", "/flavors/detail?limit=2", "flavors"),
        ("image", "/v2/images?status=active", "images"),
        ("network", "/v2.0/networks", "networks"),
    ] {
        let (mut path, mut seen) = (first.to_owned(), HashSet::new());
        let mut contents = HashSet::new();
        for _ in 0..20 {
            let body = member.read(kind, &path).await;
            contents.insert(body[key].to_string());
            let link = body[format!("{key}_links")][0]["href"].as_str().or(body["next"].as_str()).unwrap();
            path = link.strip_prefix(&member.endpoint(kind, "RegionOne")).unwrap_or(link).to_owned();
            assert!(seen.insert(path.clone()), "{path} again");
        }
        assert_eq!(contents.len(), 1, "always the first page");
    }
    let site = cluster(&running);
    site.faults().set("", Fault::EndlessPages);
    let namespace = site.provider().projects[0].id.clone();
    let url = format!("{}/api/v1/namespaces/{namespace}/resourcequotas", site.root());
    let mut next = String::new();
    for _ in 0..5 {
        let request =
            Client::new().get(format!("{url}?limit=2&continue={next}")).bearer_auth(feeder(&running));
        let page = json_of(request.send().await.unwrap()).await;
        let new = page["metadata"]["continue"].as_str().unwrap().to_owned();
        assert_ne!(new, std::mem::replace(&mut next, new.clone()));
        assert_eq!(page["items"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn the_second_page_can_fail_though_the_first_was_the_last() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    openstack_site(&running).faults().set("/images", Fault::PageTwoFails);
    let first = member.read("image", "/v2/images").await;
    let second = member.get("image", first["next"].as_str().unwrap()).await;
    assert_eq!(second.status(), 500);
}

#[tokio::test]
async fn a_continue_token_can_be_too_old() {
    let running = tiny().await;
    let site = cluster(&running);
    site.faults().set("/storageclasses", Fault::ContinueExpired);
    let url = format!("{}/apis/storage.k8s.io/v1/storageclasses?limit=1", site.root());
    let get =
        |url: String| async { Client::new().get(url).bearer_auth(feeder(&running)).send().await.unwrap() };
    let first = json_of(get(url.clone()).await).await;
    let next = first["metadata"]["continue"].as_str().unwrap();
    let second = get(format!("{url}&continue={next}")).await;
    assert_eq!(second.status(), 410);
    let second = json_of(second).await;
    assert_eq!((&second["reason"], second["metadata"]["continue"].is_string()), (&"Expired".into(), true));
}

#[tokio::test]
async fn a_huge_body_is_as_huge_as_asked() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    openstack_site(&running).faults().set("/flavors", Fault::HugeBody(5_000_001));
    assert_eq!(read(member.get("compute", "/flavors").await).await, (5_000_001, None, "end"));
}

#[tokio::test]
async fn a_redirect_goes_where_it_was_told() {
    let running = tiny().await;
    let member = Member::login(&running, 0).await;
    openstack_site(&running).faults().set("/flavors", Fault::Redirect("http://127.0.0.1:1/else".to_owned()));
    let url = format!("{}/flavors", member.endpoint("compute", "RegionOne"));
    let http = Client::builder().redirect(Policy::none()).build().unwrap();
    let response = http.get(url).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["location"].to_str().unwrap()),
        (302, "http://127.0.0.1:1/else")
    );
}
