//! OpenStack regions.

use super::{Params, dashed_id, day, hex_id};
use crate::model::{Amount, Cloud, CloudQuota, Flavor, Image, Network, Offer, Project, Visibility};
use crate::names::{DISTRIBUTIONS, FLAVOR_FAMILIES, FLAVOR_SIZES, GPUS, IMAGE_PURPOSES};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::collections::BTreeMap;

/// Region names with what is in them. Further regions repeat some flavors and images of the first under the
/// same ids, as sites do that copy them.
pub(super) fn regions(params: &Params, projects: &[Project], rng: &mut StdRng) -> Vec<(String, Offer)> {
    let ids: Vec<String> = projects.iter().map(|p| p.id.clone()).collect();
    let mut clouds: Vec<Cloud> = Vec::with_capacity(params.regions);
    for _ in 0..params.regions {
        let next = cloud(params, &ids, clouds.first(), rng);
        clouds.push(next);
    }
    let name = |nth: usize| match nth {
        0 => "RegionOne".to_owned(),
        1 => "RegionTwo".to_owned(),
        2 => "RegionThree".to_owned(),
        n => format!("Region{}", n + 1),
    };
    clouds.into_iter().enumerate().map(|(nth, cloud)| (name(nth), Offer::OpenStack(cloud))).collect()
}

fn cloud(params: &Params, projects: &[String], copied: Option<&Cloud>, rng: &mut StdRng) -> Cloud {
    let (admin, foreign) = (hex_id(rng), hex_id(rng));
    let mut flavors: Vec<_> = copied.map_or_else(Vec::new, |c| c.flavors[..params.flavors / 3].to_vec());
    flavors.extend((flavors.len()..params.flavors).map(|nth| flavor(nth, projects, &foreign, rng)));
    flavors.extend(hidden_flavors(&foreign, rng));
    let mut images: Vec<_> = copied.map_or_else(Vec::new, |c| c.images[..params.images / 3].to_vec());
    images.extend((images.len()..params.images).map(|nth| image(nth, projects, &admin, &foreign, rng)));
    images.push(Image {
        active: false,
        name: "withdrawn".to_owned(),
        ..image(0, projects, &admin, &foreign, rng)
    });
    let mut networks: Vec<_> = (0..params.networks).map(|nth| network(nth, projects, &admin, rng)).collect();
    networks.push(Network {
        name: "storage-internal".to_owned(),
        owner: foreign,
        shared: false,
        ..network(2, &[], &admin, rng)
    });
    Cloud {
        flavors,
        images,
        networks,
        quotas: projects.iter().map(|id| (id.clone(), quota(rng))).collect::<BTreeMap<_, _>>(),
        volume_types: ["ceph", "ssd", "__DEFAULT__"].map(str::to_owned).to_vec(),
        swift: rng.random_bool(0.3),
        s3: rng.random_bool(0.2),
    }
}

/// Up to three projects, at least one.
fn some_projects(projects: &[String], rng: &mut StdRng) -> Vec<String> {
    let amount = rng.random_range(1..=projects.len().clamp(1, 3));
    projects.choose_multiple(rng, amount).cloned().collect()
}

fn flavor(nth: usize, projects: &[String], foreign: &str, rng: &mut StdRng) -> Flavor {
    let place = nth % 24;
    let (family, mib) = FLAVOR_FAMILIES[place / FLAVOR_SIZES.len()];
    let (size, mut vcpus) = FLAVOR_SIZES[place % FLAVOR_SIZES.len()];
    let mut name = format!("{family}.{size}");
    let gpu = (nth % 7 == 6).then(|| {
        let (model, vendor, _) = GPUS[rng.random_range(0..GPUS.len())];
        let number = 1 << rng.random_range(0..3);
        vcpus = 8 * number;
        name = format!("gpu{nth}.{number}x{}", model.to_lowercase());
        (number, model.to_owned(), vendor.to_owned())
    });
    if nth >= 24 && gpu.is_none() {
        name = format!("{name}-v{}", nth / 24 + 1);
    }
    let is_public = nth % 4 != 3 || projects.is_empty();
    let mut access = if is_public { Vec::new() } else { some_projects(projects, rng) };
    if !is_public && rng.random_bool(0.3) {
        access.push(foreign.to_owned());
    }
    Flavor {
        id: dashed_id(rng),
        description: if gpu.is_some() { "With GPU".to_owned() } else { String::new() },
        vcpus,
        ram: vcpus * if gpu.is_some() { 8192 } else { mib },
        disk: *[0, 10, 20, 40, 80].choose(rng).unwrap_or(&20),
        swap: if nth % 10 == 9 { 1024 } else { 0 },
        ephemeral: if nth % 12 == 11 { 100 } else { 0 },
        is_public,
        access,
        disabled: false,
        infiniband: gpu.is_some() && rng.random_bool(0.4),
        local_storage: (nth % 9 == 8).then(|| "ssd".to_owned()),
        gpu,
        name,
    }
}

/// What no member of the federation ever sees: a disabled flavor, and one of somebody else's project.
fn hidden_flavors(foreign: &str, rng: &mut StdRng) -> [Flavor; 2] {
    let base = flavor(0, &[], foreign, rng);
    [
        Flavor { id: dashed_id(rng), name: "x1.retired".to_owned(), disabled: true, ..base.clone() },
        Flavor {
            id: dashed_id(rng),
            name: "p9.tenant".to_owned(),
            is_public: false,
            access: vec![foreign.to_owned()],
            ..base
        },
    ]
}

fn image(nth: usize, projects: &[String], admin: &str, foreign: &str, rng: &mut StdRng) -> Image {
    let (distro, version, gpu) = DISTRIBUTIONS[nth % DISTRIBUTIONS.len()];
    let round = nth / DISTRIBUTIONS.len();
    let purpose = IMAGE_PURPOSES[round % IMAGE_PURPOSES.len()];
    let cuda = gpu && nth.is_multiple_of(3);
    let mut name = format!("{distro}-{version}");
    for part in [purpose, if cuda { "cuda" } else { "" }] {
        if !part.is_empty() {
            name = format!("{name}-{part}");
        }
    }
    if round >= IMAGE_PURPOSES.len() {
        name = format!("{name}-r{}", round / IMAGE_PURPOSES.len() + 1);
    }
    let visibility = match nth % 10 {
        6..=8 if !projects.is_empty() => Visibility::Private,
        9 if !projects.is_empty() => Visibility::Shared,
        _ => Visibility::Public,
    };
    let owner = match visibility {
        Visibility::Public | Visibility::Community => admin,
        Visibility::Private | Visibility::Shared => projects.choose(rng).map_or(admin, String::as_str),
    };
    let mut members = Vec::new();
    if visibility == Visibility::Shared {
        let asked = some_projects(projects, rng).into_iter().filter(|id| id != owner);
        members.extend(asked.map(|id| (id, rng.random_bool(0.7))));
        members.push((foreign.to_owned(), true));
    }
    let created = day(rng.random_range(0..1400)).and_hms_opt(
        rng.random_range(0..24),
        rng.random_range(0..60),
        rng.random_range(0..60),
    );
    Image {
        id: dashed_id(rng),
        name,
        os_distro: distro.to_owned(),
        os_version: version.to_owned(),
        cuda,
        visibility,
        owner: owner.to_owned(),
        members,
        tags: if purpose.is_empty() { Vec::new() } else { vec![purpose.to_owned()] },
        created_at: created.unwrap_or_default().and_utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        active: true,
    }
}

/// The first is the way out, the second a network for all, the others belong to a project each.
fn network(nth: usize, projects: &[String], admin: &str, rng: &mut StdRng) -> Network {
    let own = (nth >= 2 && !projects.is_empty()).then(|| nth % projects.len());
    Network {
        id: dashed_id(rng),
        name: match nth {
            0 => "public".to_owned(),
            1 => "shared-lan".to_owned(),
            n => format!("private-{}", n - 1),
        },
        owner: own.map_or(admin, |p| &projects[p]).to_owned(),
        external: nth == 0,
        shared: own.is_none(),
        // the way out, and of each project's own networks the first
        is_default: nth == 0 || own.is_some() && nth < 2 + projects.len(),
        mtu: *[1450, 1500, 9000].choose(rng).unwrap_or(&1500),
        tags: if nth == 0 { vec!["external".to_owned()] } else { Vec::new() },
        active: true,
    }
}

fn quota(rng: &mut StdRng) -> CloudQuota {
    let size = *[1, 2, 5, 10].choose(rng).unwrap_or(&1);
    let mut amount = |limit: i64| Amount { limit, used: rng.random_range(0..=limit * 3 / 4) };
    CloudQuota {
        cores: amount(20 * size),
        instances: amount(10 * size),
        ram: amount(81_920 * size),
        gigabytes: amount(1000 * size),
        per_volume_gigabytes: Amount { limit: -1, used: 0 },
        volumes: amount(10 * size),
        public_ips: amount(size),
        networks: amount(4 * size),
        ports: amount(50 * size),
        security_groups: amount(10 * size),
        security_group_rules: if size == 10 { Amount { limit: -1, used: 57 } } else { amount(100 * size) },
        bytes: amount(10_737_418_240 * size),
        containers: Amount { limit: -1, used: size },
        objects: Amount { limit: -1, used: 40 * size },
    }
}
