//! SLAs, and resources that become shared or private: 17 and 18.

use super::{
    common::Registry,
    world::{filled, inner, project, site_a, site_b, uid},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The SLA of each project by the names of SLA and group.
async fn agreed(registry: &Registry) -> BTreeMap<String, String> {
    let projects = registry.list("/projects?with_conn=true").await;
    let agreed = projects.iter().map(|project| {
        let sla = &project["sla"];
        let text = format!(
            "{} {}",
            sla["doc_uuid"].as_str().unwrap_or("none"),
            sla["user_group"]["name"].as_str().unwrap_or("none")
        );
        (
            project["name"].as_str().unwrap().to_owned(),
            text.trim_start_matches("a00000000000400080000000000000").to_owned(),
        )
    });
    agreed.collect()
}

fn sla(document: &mut Json, idp: usize, group: usize) -> &mut Json {
    &mut document["identity_providers"][idp]["user_groups"][group]["sla"]
}

#[tokio::test]
async fn p17_each_project_has_exactly_the_sla_that_the_document_gives_it() {
    let registry = filled().await;
    let provider = uid(&registry.only("/providers?name=SITE-A").await);
    let both = uid(&registry.only("/slas?doc_uuid=a0000000000040008000000000000065").await);
    let mut expected: BTreeMap<String, String> = [
        ("p1", "65 g1"),
        ("p2", "66 g2"),
        ("p3", "67 g3"),
        ("ns1", "65 g1"),
        ("ns2", "69 g4"),
        ("ns3", "none none"),
    ]
    .map(|(project, sla)| (project.to_owned(), sla.to_owned()))
    .into();
    assert_eq!(agreed(&registry).await, expected);
    let mut settles = async |document: &Json, changes: &[(&str, &str)]| {
        let (status, body) = registry.put(&provider, document).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        expected.extend(changes.iter().map(|(project, sla)| ((*project).to_owned(), (*sla).to_owned())));
        assert_eq!(agreed(&registry).await, expected);
        assert_eq!(registry.put(&provider, document).await.0, StatusCode::NOT_MODIFIED);
    };

    // 34: swapped SLAs keep their uids
    let uids = async || registry.texts("/slas?sort=doc_uuid", "uid").await;
    let before = uids().await;
    let mut document = site_a();
    sla(&mut document, 0, 0)["project"] = project(2).into();
    sla(&mut document, 0, 1)["project"] = project(1).into();
    settles(&document, &[("p1", "66 g2"), ("p2", "65 g1")]).await;
    assert_eq!(uids().await, before);

    // an SLA left with no project goes; one that another provider's project has stays
    let mut document = site_a();
    document["identity_providers"][0]["user_groups"].as_array_mut().unwrap().clear();
    settles(&document, &[("p1", "none none"), ("p2", "none none")]).await;
    assert_eq!(uid(&registry.only("/slas?doc_uuid=a0000000000040008000000000000065").await), both);
    assert_eq!(registry.list("/slas?doc_uuid=a0000000000040008000000000000066").await, [Json::Null; 0]);
    // groups, identity providers and locations are never deleted by a document
    let mut document = site_a();
    document["identity_providers"] = json!([]);
    document["regions"] = json!([]);
    settles(&document, &[("p3", "none none")]).await;
    assert_eq!(registry.texts("/user_groups?sort=name", "name").await, ["g1", "g2", "g3", "g4"]);
    assert_eq!(registry.list("/identity_providers").await.len(), 2);
    assert_eq!(registry.list("/locations").await.len(), 2);
    // a new agreement of a group that is known, and a group of its own
    let mut document = site_a();
    sla(&mut document, 0, 0)["doc_uuid"] = "a0000000000040008000000000000070".into();
    settles(&document, &[("p1", "70 g1"), ("p2", "66 g2"), ("p3", "67 g3")]).await;
}

#[tokio::test]
async fn p17_an_sla_of_another_group_is_409() {
    let registry = filled().await;
    let provider = uid(&registry.only("/providers?name=SITE-A").await);
    let before = registry.admin_get("/slas?with_conn=true").await;
    let mut other_group = site_a();
    sla(&mut other_group, 1, 0)["doc_uuid"] = "a0000000000040008000000000000069".into();
    let mut within = site_a();
    within["identity_providers"][0]["user_groups"][1]["name"] = "new".into();
    let mut other_issuer = site_a();
    let moved = other_issuer["identity_providers"][0]["user_groups"][0].clone();
    other_issuer["identity_providers"][0]["user_groups"].as_array_mut().unwrap().remove(0);
    other_issuer["identity_providers"][1]["user_groups"].as_array_mut().unwrap().push(moved);
    for (document, group) in [(&other_group, "g4"), (&within, "g2"), (&other_issuer, "g1")] {
        let (status, body) = registry.put(&provider, document).await;
        assert_eq!(status, StatusCode::CONFLICT, "{body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("'{group}'")) && detail.contains("SLA with doc_uuid"), "{detail}");
    }
    let mut third = site_b();
    third["name"] = "SITE-C".into();
    third["identity_providers"][0]["user_groups"][0]["name"] = "new".into();
    assert_eq!(registry.send(Method::POST, "/providers", Some(&third)).await.0, StatusCode::CONFLICT);
    assert_eq!(registry.admin_get("/slas?with_conn=true").await, before, "nothing was written");
}

#[tokio::test]
async fn p18_shared_and_private_of_one_uuid_are_one_node() {
    let registry = filled().await;
    let provider = uid(&registry.only("/providers?name=SITE-A").await);
    for (list, services, shared, private) in [
        ("flavors", "compute_services", "small", "big"),
        ("images", "compute_services", "ubuntu", "priv12"),
        ("networks", "network_services", "public", "priv"),
    ] {
        let seen = async || {
            let items = registry.list(&format!("/{list}?with_conn=true")).await;
            let of_r1 = items.into_iter().filter(|item| {
                let service = if list == "images" { &item["services"][0] } else { &item["service"] };
                service["region"]["name"] == "R1"
            });
            let seen = of_r1.map(|item| {
                let projects = inner(&item, "projects", "name").join(" ");
                (item["name"].as_str().unwrap().to_owned(), (uid(&item), item["is_shared"] == true, projects))
            });
            seen.collect::<BTreeMap<_, _>>()
        };
        let before = seen().await;
        let mut document = site_a();
        let regions = document["regions"].as_array_mut().unwrap().iter_mut();
        let items =
            regions.filter_map(|region| region.pointer_mut(&format!("/{services}/0/{list}"))?.as_array_mut());
        for item in items.flatten() {
            if item["name"] == shared {
                item["is_shared"] = false.into();
                item["projects"] = json!([project(3), project(3)]);
            } else if item["name"] == private {
                item["is_shared"] = true.into();
                item.as_object_mut().unwrap().remove("projects");
            }
        }
        let (status, body) = registry.put(&provider, &document).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let after = seen().await;
        for (name, (uid, ..)) in &before {
            assert_eq!(*uid, after[name].0, "{list} {name}");
        }
        assert_eq!((after[shared].1, after[shared].2.as_str()), (false, "p3"));
        assert_eq!((after[private].1, after[private].2.as_str()), (true, ""));
        assert_eq!(registry.put(&provider, &document).await.0, StatusCode::NOT_MODIFIED);
        assert_eq!(registry.put(&provider, &site_a()).await.0, StatusCode::OK);
        assert_eq!(seen().await, before, "{list}");
    }
}
