//! What a client in Rust does, with the client that progenitor generates.

use fedreg::{Client, Error, ResponseValue, types};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use std::{collections::BTreeSet, env, process::ExitCode};

type Outcome = Result<(), Box<dyn std::error::Error>>;
type Answer<T> = Result<ResponseValue<T>, Error<types::Refusal>>;

struct Clients {
    reader: Client,
    admin: Client,
    nobody: Client,
    stranger: Client,
}

macro_rules! expect {
    ($holds:expr, $($said:tt)*) => {
        if !$holds {
            return Err(format!($($said)*).into());
        }
    };
}

macro_rules! same {
    ($got:expr, $wanted:expr) => {
        let (got, wanted) = (&$got, &$wanted);
        expect!(got == wanted, "{got:?}, not {wanted:?}");
    };
}

/// The item of a union in the variant that it must have.
macro_rules! variant {
    ($value:expr, $($variant:ident)::+) => {
        match $value {
            $($variant)::+(inner) => Ok(inner),
            other => Err(format!("not a {}: {other:?}", stringify!($($variant)::+))),
        }
    };
}

/// The error of a call that must not go well.
fn refused<T: std::fmt::Debug>(answer: Answer<T>, status: u16) -> Result<types::RefusalDetail, String> {
    match answer {
        Err(Error::ErrorResponse(refusal)) if refusal.status() == status => Ok(refusal.into_inner().detail),
        other => Err(format!("{other:?}, instead of {status}")),
    }
}

fn text(detail: types::RefusalDetail) -> Result<String, String> {
    variant!(detail, types::RefusalDetail::String)
}

/// The places of faults: `query.size`.
fn places(detail: types::RefusalDetail) -> Result<BTreeSet<String>, String> {
    let faults = variant!(detail, types::RefusalDetail::Array)?;
    let place = |fault: types::ValidationError| {
        fault.loc.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
    };
    Ok(faults.into_iter().map(place).collect())
}

/// Whether an answer has a status that is neither success nor error.
fn is_304<T>(answer: &Answer<T>) -> bool {
    matches!(answer, Err(Error::UnexpectedResponse(response)) if response.status() == 304)
}

fn tag<T>(answer: &ResponseValue<T>) -> Result<String, Box<dyn std::error::Error>> {
    Ok(answer.headers().get("etag").ok_or("no ETag")?.to_str()?.to_owned())
}

fn client(registry: &str, token: Option<&str>) -> Result<Client, Box<dyn std::error::Error>> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
    }
    let http = reqwest::Client::builder().no_proxy().default_headers(headers).build()?;
    // the paths of the document start behind its server's /api/v1
    Ok(Client::new_with_client(registry, http))
}

impl Clients {
    async fn openstack(&self) -> Result<types::Provider, Box<dyn std::error::Error>> {
        let all = self.reader.list_providers().type_("openstack").sort("name").send().await?.into_inner();
        Ok(variant!(all.into_iter().next().ok_or("no providers")?, types::AnyProvider::Provider)?)
    }

    async fn projects(&self) -> Result<Vec<types::ExtendedProject>, Box<dyn std::error::Error>> {
        let uid = self.openstack().await?.uid;
        let all = self.reader.list_projects().provider_uid(uid).with_conn(true).send().await?.into_inner();
        expect!(!all.is_empty(), "no projects");
        Ok(all
            .into_iter()
            .map(|project| variant!(project, types::AnyProject::ExtendedProject))
            .collect::<Result<_, _>>()?)
    }

    async fn lists_providers(&self) -> Outcome {
        let shown = self.reader.list_providers().send().await?.into_inner();
        expect!(
            shown.iter().all(|one| matches!(one, types::AnyProvider::Provider(_))),
            "with a token: private"
        );
        let shown = self.nobody.list_providers().send().await?.into_inner();
        expect!(
            shown.iter().all(|one| matches!(one, types::AnyProvider::PublicProvider(_))),
            "without: public"
        );
        same!(self.reader.list_providers().name("no such name").send().await?.into_inner().len(), 0);
        Ok(())
    }

    async fn reads_one_with_connections(&self) -> Outcome {
        let uid = self.openstack().await?.uid;
        let answer = self.reader.get_provider().provider_uid(uid).with_conn(true).send().await?.into_inner();
        let provider = variant!(answer, types::AnyProvider::ExtendedProvider)?;
        for region in &provider.regions {
            let services = &region.services;
            expect!(
                services.iter().any(|one| matches!(one, types::ProviderService::ProviderComputeService(_))),
                "computes"
            );
            expect!(
                services.iter().any(|one| matches!(one, types::ProviderService::IdentityService(_))),
                "knows users"
            );
            expect!(
                region.location.as_ref().is_none_or(|location| !location.country.is_empty()),
                "a country"
            );
        }
        let issuer = provider.identity_providers.first().ok_or("no issuer")?;
        expect!(
            issuer.relationship.protocol.is_some() && issuer.relationship.audience.is_none(),
            "{issuer:?}"
        );
        let sla = issuer.user_groups.iter().flat_map(|group| &group.slas).next().ok_or("no SLA")?;
        expect!(sla.start_date < sla.end_date, "{sla:?}");
        Ok(())
    }

    async fn follows_to_projects(&self) -> Outcome {
        let uid = self.openstack().await?.uid;
        for project in self.projects().await? {
            same!(project.provider.uid, uid);
            let issuer = project.sla.ok_or("no SLA")?.user_group.identity_provider;
            expect!(
                issuer.providers.first().is_some_and(|one| one.relationship.idp_name.is_some()),
                "{issuer:?}"
            );
        }
        Ok(())
    }

    async fn follows_to_flavors(&self) -> Outcome {
        let uid =
            self.projects().await?.into_iter().flat_map(|one| one.flavors).next().ok_or("no flavor")?.uid;
        let answer = self.reader.get_flavor().flavor_uid(uid).with_conn(true).send().await?.into_inner();
        let flavor = variant!(answer, types::AnyFlavor::ExtendedFlavor)?;
        same!(flavor.service.region.provider.uid, self.openstack().await?.uid);
        let large = self.reader.list_flavors().gpus_gt(0).sort("-ram").limit(3).send().await?.into_inner();
        let large = large.into_iter().map(|one| variant!(one, types::AnyFlavor::Flavor));
        let large = large.collect::<Result<Vec<_>, _>>()?;
        expect!(!large.is_empty() && large.iter().all(|one| one.gpus > 0), "have GPUs: {large:?}");
        expect!(large.is_sorted_by_key(|one| std::cmp::Reverse(one.ram)), "the largest first: {large:?}");
        Ok(())
    }

    async fn follows_to_images(&self) -> Outcome {
        let uid = self.projects().await?.into_iter().flat_map(|one| one.images).next().ok_or("no image")?.uid;
        let answer = self.reader.get_image().image_uid(uid).with_conn(true).send().await?.into_inner();
        let image = variant!(answer, types::AnyImage::ExtendedImage)?;
        let service = image.services.first().ok_or("no service")?;
        same!(service.region.provider.uid, self.openstack().await?.uid);
        same!(image.created_at.ok_or("no date")?.timestamp_subsec_nanos(), 0);
        Ok(())
    }

    async fn follows_to_networks(&self) -> Outcome {
        let uid =
            self.projects().await?.into_iter().flat_map(|one| one.networks).next().ok_or("no network")?.uid;
        let answer = self.reader.get_network().network_uid(uid).with_conn(true).send().await?.into_inner();
        let network = variant!(answer, types::AnyNetwork::ExtendedNetwork)?;
        same!(network.service.region.provider.uid, self.openstack().await?.uid);
        Ok(())
    }

    async fn follows_to_quotas(&self) -> Outcome {
        let quotas: Vec<_> = self.projects().await?.into_iter().flat_map(|one| one.quotas).collect();
        let cores: Vec<_> = quotas
            .iter()
            .filter_map(|quota| match quota {
                types::ProjectQuota::ComputeQuota(quota) => Some(quota),
                _ => None,
            })
            .collect();
        expect!(cores.iter().any(|one| one.usage) && cores.iter().any(|one| !one.usage), "limits and usage");
        expect!(
            quotas.iter().any(|one| matches!(one, types::ProjectQuota::BlockStorageQuota(_))),
            "of volumes"
        );
        let uid = &cores.first().ok_or("no quota")?.uid;
        let answer =
            self.reader.get_compute_quota().quota_uid(uid).with_conn(true).send().await?.into_inner();
        let quota = variant!(answer, types::AnyComputeQuota::ExtendedComputeQuota)?;
        same!(quota.service.region.provider.uid, self.openstack().await?.uid);
        Ok(())
    }

    async fn asks_again_for_nothing(&self) -> Outcome {
        let uid = self.openstack().await?.uid;
        let tag = tag(&self.reader.get_provider().provider_uid(&uid).send().await?)?;
        let again = self.reader.get_provider().provider_uid(&uid).if_none_match(tag).send().await;
        expect!(is_304(&again), "{again:?}");
        Ok(())
    }

    async fn patches(&self) -> Outcome {
        let before = self.openstack().await?;
        let tag = tag(&self.admin.get_provider().provider_uid(&before.uid).send().await?)?;
        let patch = |text: &str| {
            let body = types::ProviderPatch::builder().description(text.to_owned());
            self.admin.patch_provider().provider_uid(&before.uid).body(body)
        };
        let changed = patch("from Rust").if_match(tag.as_str()).send().await?.into_inner();
        same!(changed.description, "from Rust");
        same!(changed.name, before.name);
        let again = patch("from Rust").send().await;
        expect!(is_304(&again), "{again:?}");
        refused(patch("too late").if_match(tag).send().await, 412)?;
        same!(patch(&before.description).send().await?.description, before.description);
        Ok(())
    }

    async fn creates_and_deletes(&self) -> Outcome {
        let created = self.admin.create_provider().body(document(&["1"])?).send().await?.into_inner();
        let checked = self.created(&created).await;
        let gone = self.admin.delete_provider().provider_uid(&created.uid).send().await?;
        checked?;
        same!(gone.status(), 204);
        let gone = refused(self.admin.get_provider().provider_uid(&created.uid).send().await, 404)?;
        same!(text(gone)?, format!("Provider with uid '{}' not found", created.uid));
        Ok(())
    }

    async fn created(&self, created: &types::ExtendedProvider) -> Outcome {
        let service = created.regions.iter().flat_map(|region| region.services.clone()).next();
        let service = variant!(service.ok_or("no service")?, types::ProviderService::ProviderComputeService)?;
        let shared: BTreeSet<_> =
            service.flavors.iter().map(|one| (one.name.as_str(), one.is_shared)).collect();
        same!(shared, BTreeSet::from([("large", true), ("small", false)]));
        let quota = service.quotas.first().ok_or("no quota")?;
        same!((quota.cores, quota.ram), (None, Some(8192)));
        let again = refused(self.admin.create_provider().body(document(&["1"])?).send().await, 409)?;
        same!(text(again)?, "Provider with name 'RUST-CLIENT' and type 'openstack' already exists.");
        Ok(())
    }

    async fn reads_what_changed(&self) -> Outcome {
        let page = self.admin.list_changes().after(0_u64).send().await?.into_inner();
        let change = page.changes.first().ok_or("no changes")?;
        expect!(change.revision > 0 && change.revision <= page.last, "a revision");
        let provider = change.nodes.first().ok_or("no nodes")?;
        same!((provider.action, provider.kind.as_str()), (types::NodeAction::Created, "Provider"));
        let history = self.admin.get_provider_history().provider_uid(&provider.uid).send().await?.into_inner();
        let told = history.changes.first().and_then(|change| change.nodes.first()).ok_or("no history")?;
        same!((&told.uid, told.fields.contains_key("name")), (&provider.uid, true));
        let gone = self.admin.list_changes().after(1_000_000_000_u64).send().await;
        expect!(text(refused(gone, 410)?)?.contains("not kept"), "what is kept");
        Ok(())
    }

    async fn handles_401(&self) -> Outcome {
        expect!(!text(refused(self.stranger.list_providers().send().await, 401)?)?.is_empty(), "a detail");
        Ok(())
    }

    async fn handles_403(&self) -> Outcome {
        let uid = self.openstack().await?.uid;
        let body = types::ProviderPatch::builder().description("mine".to_owned());
        let answer = self.reader.patch_provider().provider_uid(uid).body(body).send().await;
        expect!(!text(refused(answer, 403)?)?.is_empty(), "a detail");
        Ok(())
    }

    async fn handles_422(&self) -> Outcome {
        let list = self.reader.list_providers().sort("no such attribute").send().await;
        same!(places(refused(list, 422)?)?, BTreeSet::from(["query.sort".to_owned()]));
        let create = self.admin.create_provider().body(document(&[])?).send().await;
        let service = "body.regions.0.compute_services.0";
        let wanted = ["flavors.0.projects.0", "quotas.0.project"].map(|place| format!("{service}.{place}"));
        same!(places(refused(create, 422)?)?, BTreeSet::from(wanted));
        Ok(())
    }
}

/// A small provider with these projects; it needs the project 1.
fn document(projects: &[&str]) -> Result<types::ProviderCreate, Box<dyn std::error::Error>> {
    let project = |uuid: &&str| types::ProjectCreate::builder().name("one").uuid(*uuid).try_into();
    let projects = projects.iter().map(project).collect::<Result<Vec<types::ProjectCreate>, _>>()?;
    let small =
        types::PrivateFlavorCreate::builder().name("small").uuid("f1").projects(["1".to_owned()]).ram(2048);
    let large = types::SharedFlavorCreate::builder().name("large").uuid("f2").ram(4096);
    let quota = types::ComputeQuotaCreate::builder().project("1").cores(-1).ram(8192);
    let service = types::ComputeServiceCreate::builder()
        .endpoint("https://nova.example.org/v2")
        .name(types::ComputeServiceName::OrgOpenstackNova)
        .flavors(vec![
            types::FlavorCreate::from(types::PrivateFlavorCreate::try_from(small)?),
            types::FlavorCreate::from(types::SharedFlavorCreate::try_from(large)?),
        ])
        .quotas(vec![types::ComputeQuotaCreate::try_from(quota)?]);
    let location = types::LocationCreate::builder().site("rust-client").country("Italy");
    let region = types::RegionCreate::builder()
        .name("here")
        .location(types::LocationCreate::try_from(location)?)
        .compute_services(vec![types::ComputeServiceCreate::try_from(service)?]);
    let provider = types::ProviderCreate::builder()
        .name("RUST-CLIENT")
        .type_(types::ProviderType::Openstack)
        .projects(projects)
        .regions(vec![types::RegionCreate::try_from(region)?]);
    Ok(provider.try_into()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let demo: serde_json::Value =
        serde_json::from_str(&env::args().nth(1).ok_or("the JSON line of the demo")?)?;
    let said = |key: &str| demo[key].as_str().ok_or(format!("the JSON line has no {key}"));
    let registry = said("registry")?;
    let all = Clients {
        reader: client(registry, Some(said("token")?))?,
        admin: client(registry, Some(said("admin_token")?))?,
        nobody: client(registry, None)?,
        stranger: client(registry, Some("not-a-token"))?,
    };
    let checks = [
        ("lists providers, also without a token", all.lists_providers().await),
        ("reads one with its connections", all.reads_one_with_connections().await),
        ("follows to projects", all.follows_to_projects().await),
        ("follows to flavors", all.follows_to_flavors().await),
        ("follows to images", all.follows_to_images().await),
        ("follows to networks", all.follows_to_networks().await),
        ("follows to quotas", all.follows_to_quotas().await),
        ("asks again for nothing when nothing changed", all.asks_again_for_nothing().await),
        ("patches a description and back, not over somebody else's change", all.patches().await),
        ("creates and deletes a provider; 409 and 404", all.creates_and_deletes().await),
        ("reads what changed, and what one was; 410", all.reads_what_changed().await),
        ("handles 401", all.handles_401().await),
        ("handles 403", all.handles_403().await),
        ("handles 422 of parameters and bodies", all.handles_422().await),
    ];
    let mut failed = 0;
    for (what, outcome) in &checks {
        match outcome {
            Ok(()) => println!("rust: {what}"),
            Err(why) => {
                failed += 1;
                println!("rust: FAILED: {what}: {why}");
            }
        }
    }
    println!("{} passed, {failed} failed", checks.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
