//! What a list is filtered by: 5, 6, 7 and 29.

use super::{
    common::Registry,
    world::{filled, small, uid},
};
use reqwest::StatusCode;
use serde_json::{Value as Json, json};

#[tokio::test]
async fn p05_skip_and_limit_then_pages() {
    let registry = filled().await;
    let all = registry.texts("/projects?sort=name", "name").await;
    let names = async |query: &str| registry.texts(&format!("/projects?sort=name&{query}"), "name").await;
    assert_eq!(all, ["ns1", "ns2", "ns3", "p1", "p2", "p3"]);
    assert_eq!(names("limit=0").await, [""; 0]);
    assert_eq!(names("skip=2").await, all[2..]);
    assert_eq!(names("skip=1&limit=3").await, all[1..4]);
    assert_eq!(names("skip=1&limit=3&size=2&page=1").await, all[3..4], "pages of what skip and limit left");
    assert_eq!(names("size=4&page=1").await, all[4..]);
    assert_eq!(names("page=3").await, all, "a page means nothing without size");
    assert_eq!(names("skip=100").await, [""; 0]);
    assert_eq!(names("size=9223372036854775807&page=9223372036854775807").await, [""; 0]);
    assert_eq!(names("limit=2&name__startswith=p").await, ["p1", "p2"], "filters come first");
    for (query, place) in [
        ("size=0", "size"),
        ("size=-1", "size"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("skip=-1", "skip"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=2.0", "limit"),
        ("limit=99999999999999999999", "limit"),
    ] {
        assert_eq!(
            registry.faults(&format!("/projects?{query}")).await,
            (422, vec![json!(["query", place])]),
            "{query}"
        );
    }
    let (status, places) = registry.faults("/projects?size=0&page=x&skip=-1&limit=y&short=z&sort=q").await;
    assert_eq!((status, places.len()), (422, 6), "all at once: {places:?}");
}

#[tokio::test]
async fn p06_regular_expressions_match_the_whole_value_and_bad_ones_are_faults() {
    let registry = filled().await;
    let names = async |query: &str| registry.texts(&format!("/images?sort=name&{query}"), "name").await;
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let matching = async |suffix: &str, text: &str| names(&format!("name__{suffix}={}", encoded(text))).await;
    assert_eq!(matching("regex", "priv").await, [""; 0]);
    assert_eq!(matching("regex", "priv.").await, ["priv1"]);
    assert_eq!(matching("regex", "priv.*").await, ["priv1", "priv12"]);
    assert_eq!(matching("regex", "priv1|ubuntu|nothing").await, ["priv1", "ubuntu"], "either as a whole");
    assert_eq!(matching("regex", "a|priv1.").await, ["priv12"]);
    assert_eq!(matching("regex", "(?m)priv1$").await, ["priv1"]);
    assert_eq!(matching("regex", "(?x) priv1 # the first one").await, ["priv1"]);
    assert_eq!(matching("regex", "PRIV1").await, [""; 0]);
    assert_eq!(matching("iregex", "PRIV1").await, ["priv1"]);
    assert_eq!(matching("iregex", "P[A-R]IV\\d+").await, ["priv1", "priv12"], "a pattern as well");
    assert_eq!(names("os_distro__regex=.*").await, ["ubuntu"], "missing values match nothing");
    for bad in ["(", "*", "a)|(?:b", "[z-a]", "(?<", "(a{1000}){1000}", "\\w{1000}{1000}", "\\", "(?P=x)"] {
        for suffix in ["regex", "iregex"] {
            let path = format!("/images?name__{suffix}={}", encoded(bad));
            let expected = json!(["query", format!("name__{suffix}")]);
            assert_eq!(registry.faults(&path).await, (422, vec![expected]), "{bad}");
        }
    }
}

#[tokio::test]
async fn p06_lists_are_filtered_and_every_attribute_sorts() {
    let registry = filled().await;
    let names = async |query: &str| registry.texts(&format!("/images?{query}"), "name").await;
    assert_eq!(names("tags__contains=bas").await, ["ubuntu"]);
    assert_eq!(names("tags__contains=BAS").await, [""; 0]);
    assert_eq!(names("tags__icontains=BAS").await, ["ubuntu"]);
    assert_eq!(names("tags__icontains=%C3%89").await, ["ubuntu"], "É is é in another case");
    assert_eq!(registry.texts("/providers?support_emails__contains=ops@", "name").await, ["SITE-A"]);
    assert_eq!(registry.texts("/providers?support_emails__icontains=A.EXAMPLE", "name").await, ["SITE-A"]);
    for entity in &schema::Schema::get().entities {
        let mut names: Vec<&str> = entity.fields.iter().map(|field| field.name).collect();
        names.push("uid");
        let all = registry.list(&format!("/{}", entity.decl.path)).await.len();
        for name in names {
            for sort in [name.to_owned(), format!("-{name}"), format!("{name}_asc"), format!("{name}_desc")] {
                let path = format!("/{}?sort={sort}", entity.decl.path);
                assert_eq!(registry.list(&path).await.len(), all, "{path}");
            }
        }
        for unknown in ["colour", "-", "_asc", "name__contains", "projects"] {
            let path = format!("/{}?sort={unknown}", entity.decl.path);
            assert_eq!(registry.faults(&path).await, (422, vec![json!(["query", "sort"])]), "{path}");
        }
    }
}

/// Flavors of all sorts of values, one of them null in every attribute that can be.
async fn flavors() -> Registry {
    let registry = Registry::start().await;
    let flavor = |name: &str, ram: i64, model: Json, local: Json| {
        json!({
            "name": name, "uuid": format!("u-{name}"), "ram": ram, "gpus": 1, "gpu_model": model,
            "local_storage": local, "infiniband": ram > 2,
        })
    };
    let flavors = json!([
        flavor("a", 1, "A100".into(), Json::Null),
        flavor("b", 2, Json::Null, "x".into()),
        flavor("c", 2, "a100".into(), "y".into()),
        flavor("d", 4, "H100".into(), "".into()),
    ]);
    registry.post(&small("S", flavors, json!([]))).await;
    registry
}

#[tokio::test]
async fn p07_comparisons() {
    let registry = flavors().await;
    let names = async |query: &str| registry.texts(&format!("/flavors?sort=name&{query}"), "name").await;
    for (query, expected) in [
        ("ram=2", "bc"),
        ("ram__lt=2", "a"),
        ("ram__lte=2", "abc"),
        ("ram__gt=2", "d"),
        ("ram__gte=2", "bcd"),
        ("ram__ne=2", "ad"),
        ("ram__gte=2&ram__lt=4", "bc"),
        ("ram=9223372036854775807", ""),
        ("gpu_model=A100", "a"),
        ("gpu_model__contains=100", "acd"),
        ("gpu_model__icontains=a1", "ac"),
        ("gpu_model__startswith=a", "c"),
        ("gpu_model__istartswith=a", "ac"),
        ("gpu_model__endswith=0", "acd"),
        ("gpu_model__iendswith=A100", "ac"),
        ("gpu_model__contains=", "acd"),
        ("local_storage=", "d"),
        ("local_storage__startswith=", "bcd"),
        ("name=a&name=b", "b"),
        ("name=a&ram=1", "a"),
        ("name=a&ram=2", ""),
        ("unknown=1&name__unknown=2&vcpus__contains=3&infiniband__ne=x", "abcd"),
        ("infiniband=true", "d"),
        ("infiniband=0", "abc"),
        ("infiniband=YES", "d"),
        ("infiniband=off", "abc"),
        ("infiniband=True", "d"),
    ] {
        assert_eq!(names(query).await.concat(), expected, "{query}");
    }
    for bad in [
        "ram=2.0",
        "ram=",
        "ram=x",
        "ram=-1",
        "ram__lt=1e3",
        "ram__ne=-2",
        "infiniband=maybe",
        "infiniband=2",
    ] {
        let place = bad.split('=').next().unwrap();
        assert_eq!(
            registry.faults(&format!("/flavors?{bad}")).await,
            (422, vec![json!(["query", place])]),
            "{bad}"
        );
    }
    assert_eq!(names("ram=x&ram=2").await.concat(), "bc", "of a repeated parameter the last wins");
    assert_eq!(registry.faults("/flavors?ram=2&ram=x").await.0, 422);
}

#[tokio::test]
async fn p07_what_is_an_enumeration_and_what_is_text() {
    let registry = filled().await;
    let faults = async |path: &str| registry.faults(path).await;
    assert_eq!(
        faults("/user_groups?provider_type=cloud").await,
        (422, vec![json!(["query", "provider_type"])])
    );
    assert_eq!(
        faults("/user_groups?provider_status=up").await,
        (422, vec![json!(["query", "provider_status"])])
    );
    assert_eq!(faults("/user_groups?provider_status=up&provider_type=x&skip=-1").await.1.len(), 3);
    assert_eq!(faults("/user_groups?provider_type=x&provider_type=openstack").await.0, 200, "the last wins");
    for query in ["type=cloud", "status=up", "type=Openstack"] {
        assert_eq!(registry.list(&format!("/providers?{query}")).await, [Json::Null; 0], "{query}");
    }
    assert_eq!(registry.texts("/providers?type=openstack&status=active", "name").await, ["SITE-A"]);
    let by = async |url: &str| registry.list(&format!("/identity_providers?endpoint={url}")).await.len();
    assert_eq!(by("https://iam-1.example.org/").await, 1);
    assert_eq!(by("https://iam-1.example.org").await, 0);
    assert_eq!(by("HTTPS://iam-1.example.org/").await, 0);
}

#[tokio::test]
async fn p07_any_text_is_a_uid() {
    let registry = filled().await;
    let known = uid(&registry.only("/providers?name=SITE-A").await);
    let dashed = format!("{}-{}-{}", &known[..8], &known[8..12], &known[12..]);
    let other = uid(&registry.only("/providers?name=SITE-B").await);
    let others = [known.to_uppercase(), dashed, format!("{known}0"), "x".into(), "%20".into(), "%00".into()];
    for uid in others.into_iter().chain([
        "%ff%fe".into(),
        "%zz".into(),
        "a%2Fb".into(),
        "é".into(),
        "x".repeat(5000),
    ]) {
        let (status, body) = registry.get(&format!("/providers/{uid}"), Some(&registry.admin)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{uid}: {body}");
        assert!(body["detail"].as_str().unwrap().ends_with(" not found"), "{body}");
        let (status, _) = registry.patch(&format!("/providers/{uid}"), &json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{uid}");
        registry.delete(&format!("/providers/{uid}/")).await;
    }
    assert_eq!(
        registry.get(&format!("/regions/{other}"), None).await.0,
        StatusCode::NOT_FOUND,
        "of another kind"
    );
    assert_eq!(registry.list("/providers").await.len(), 2);
}

#[tokio::test]
async fn p29_contains_on_a_list_of_texts_means_that_some_element_contains_it() {
    let registry = filled().await;
    let found = async |text: &str| registry.list(&format!("/networks?tags__contains={text}")).await.len();
    assert_eq!(found("t1").await, 1);
    assert_eq!(found("1").await, 1);
    assert_eq!(found("t11").await, 0);
    assert_eq!(found("t1,").await, 0, "elements, not the list as text");
    assert_eq!(found("[").await, 0);
    assert_eq!(found("").await, 1, "an empty list has no element that contains anything");
}
