//! Names a federation of European research clouds could have. Sites are invented; cities lie where they lie.
//!
//! Countries are English short names of ISO 3166-1: the registry refuses others.

/// A city: name, country, latitude and longitude in degrees.
pub type City = (&'static str, &'static str, f64, f64);

/// Where sites stand.
pub const CITIES: &[City] = &[
    ("Bari", "Italy", 41.12, 16.87),
    ("Catania", "Italy", 37.50, 15.09),
    ("Bologna", "Italy", 44.49, 11.34),
    ("Padova", "Italy", 45.41, 11.88),
    ("Napoli", "Italy", 40.85, 14.27),
    ("Frascati", "Italy", 41.81, 12.68),
    ("Pisa", "Italy", 43.72, 10.40),
    ("Torino", "Italy", 45.07, 7.69),
    ("Perugia", "Italy", 43.11, 12.39),
    ("Cagliari", "Italy", 39.22, 9.12),
    ("Trieste", "Italy", 45.65, 13.78),
    ("Lyon", "France", 45.76, 4.84),
    ("Strasbourg", "France", 48.57, 7.75),
    ("Marseille", "France", 43.30, 5.37),
    ("Karlsruhe", "Germany", 49.01, 8.40),
    ("Hamburg", "Germany", 53.55, 9.99),
    ("Freiburg", "Germany", 47.99, 7.85),
    ("Dresden", "Germany", 51.05, 13.74),
    ("Barcelona", "Spain", 41.39, 2.17),
    ("Santander", "Spain", 43.46, -3.81),
    ("Valencia", "Spain", 39.47, -0.38),
    ("Lisboa", "Portugal", 38.72, -9.14),
    ("Coimbra", "Portugal", 40.21, -8.43),
    ("Braga", "Portugal", 41.55, -8.42),
    ("Athina", "Greece", 37.98, 23.73),
    ("Patra", "Greece", 38.25, 21.73),
    ("Iraklio", "Greece", 35.34, 25.14),
    ("Praha", "Czechia", 50.08, 14.44),
    ("Brno", "Czechia", 49.20, 16.61),
    ("Bratislava", "Slovakia", 48.15, 17.11),
    ("Kosice", "Slovakia", 48.72, 21.26),
    ("Krakow", "Poland", 50.06, 19.94),
    ("Poznan", "Poland", 52.41, 16.93),
    ("Warszawa", "Poland", 52.23, 21.01),
    ("Budapest", "Hungary", 47.50, 19.04),
    ("Ljubljana", "Slovenia", 46.06, 14.51),
    ("Zagreb", "Croatia", 45.81, 15.98),
    ("Wien", "Austria", 48.21, 16.37),
    ("Innsbruck", "Austria", 47.27, 11.39),
    ("Geneve", "Switzerland", 46.20, 6.14),
    ("Zurich", "Switzerland", 47.38, 8.54),
    ("Amsterdam", "Netherlands", 52.37, 4.90),
    ("Groningen", "Netherlands", 53.22, 6.57),
    ("Gent", "Belgium", 51.05, 3.72),
    ("Leuven", "Belgium", 50.88, 4.70),
    ("Kobenhavn", "Denmark", 55.68, 12.57),
    ("Umea", "Sweden", 63.83, 20.26),
    ("Linkoping", "Sweden", 58.41, 15.62),
    ("Bergen", "Norway", 60.39, 5.32),
    ("Espoo", "Finland", 60.21, 24.66),
    ("Kajaani", "Finland", 64.23, 27.73),
    ("Tartu", "Estonia", 58.38, 26.72),
    ("Riga", "Latvia", 56.95, 24.11),
    ("Vilnius", "Lithuania", 54.69, 25.28),
    ("Sofia", "Bulgaria", 42.70, 23.32),
    ("Bucuresti", "Romania", 44.43, 26.10),
    ("Cluj", "Romania", 46.77, 23.60),
    ("Nicosia", "Cyprus", 35.19, 33.38),
    ("Valletta", "Malta", 35.90, 14.51),
    ("Dublin", "Ireland", 53.35, -6.26),
];

/// What an OpenStack site calls itself before its city: `CLOUD-BARI`.
pub const OPENSTACK_PREFIXES: &[&str] = &[
    "CLOUD", "RECAS", "TIER1", "UNI", "PHYS", "BIO", "HPC", "GRID", "ASTRO", "CAMPUS", "DATA", "LAB", "CORE",
    "EDU", "GEO", "NANO", "SCI", "STACK",
];

/// What a Kubernetes site calls itself before its city: `K8S-BARI`.
pub const KUBERNETES_PREFIXES: &[&str] =
    &["K8S", "KUBE", "HUB", "PLATFORM", "CAAS", "NODES", "PODS", "BATCH", "EDGE", "FLEX", "MESH", "AI"];

/// User groups, as IAM and Check-in write them.
pub const GROUPS: &[&str] = &[
    "end-users-catchall",
    "users/beta-testers",
    "cms",
    "atlas",
    "lhcb",
    "alice/italy",
    "ml-infn",
    "virgo",
    "belle2",
    "km3net",
    "euclid",
    "fermi-lat",
    "juno",
    "xenon",
    "cta-south",
    "bioinformatics",
    "vo.elixir-europe",
    "vo.geoss",
    "climate-modelling",
    "ocean/copernicus",
    "proteomics",
    "medical-imaging",
    "humanities-text",
    "muon-collider",
    "darkside",
    "padme",
    "theory",
    "quantum-sim",
    "devops/ci",
    "training",
];

/// Distribution, version, and whether a site offers it in a variant with GPU driver and CUDA.
pub const DISTRIBUTIONS: &[(&str, &str, bool)] = &[
    ("ubuntu", "22.04", true),
    ("ubuntu", "24.04", true),
    ("rocky", "9", false),
    ("almalinux", "9", true),
    ("ubuntu", "20.04", false),
    ("rocky", "8", false),
    ("debian", "12", false),
    ("almalinux", "8", false),
    ("fedora", "40", false),
    ("debian", "11", false),
    ("centos", "7", false),
];

/// What is put on a distribution before it becomes an image.
pub const IMAGE_PURPOSES: &[&str] =
    &["", "docker", "jupyter", "hpc", "rke2", "slurm", "galaxy", "minimal", "cvmfs", "spark"];

/// Flavor families: prefix and MiB of RAM for each virtual CPU.
pub const FLAVOR_FAMILIES: &[(&str, i64)] = &[("m1", 2048), ("c1", 1024), ("r1", 8192), ("d1", 4096)];

/// Flavor sizes: suffix and virtual CPUs.
pub const FLAVOR_SIZES: &[(&str, i64)] =
    &[("tiny", 1), ("small", 2), ("medium", 4), ("large", 8), ("xlarge", 16), ("2xlarge", 32)];

/// GPUs: model, vendor and the vendor's resource name in Kubernetes.
pub const GPUS: &[(&str, &str, &str)] = &[
    ("A100", "NVIDIA", "nvidia.com/gpu"),
    ("T4", "NVIDIA", "nvidia.com/gpu"),
    ("V100", "NVIDIA", "nvidia.com/gpu"),
    ("L40S", "NVIDIA", "nvidia.com/gpu"),
    ("H100", "NVIDIA", "nvidia.com/gpu"),
    ("MI210", "AMD", "amd.com/gpu"),
];

/// Storage classes and their provisioners.
pub const STORAGE_CLASSES: &[(&str, &str)] = &[
    ("standard", "cinder.csi.openstack.org"),
    ("ssd", "cinder.csi.openstack.org"),
    ("cephfs", "cephfs.csi.ceph.com"),
    ("rbd", "rbd.csi.ceph.com"),
    ("nfs", "nfs.csi.k8s.io"),
    ("longhorn", "driver.longhorn.io"),
];

/// Lower-case letters, digits and single dashes only, as host names and namespaces want it.
pub fn slug(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_stands_twice() {
        assert_eq!(CITIES.iter().map(|c| c.0).collect::<HashSet<_>>().len(), CITIES.len());
        assert_eq!(GROUPS.iter().map(|g| slug(g)).collect::<HashSet<_>>().len(), GROUPS.len());
        let prefixes = OPENSTACK_PREFIXES.iter().chain(KUBERNETES_PREFIXES);
        assert_eq!(
            prefixes.collect::<HashSet<_>>().len(),
            OPENSTACK_PREFIXES.len() + KUBERNETES_PREFIXES.len()
        );
    }

    #[test]
    fn a_slug_is_a_host_name() {
        assert_eq!(slug("vo.elixir-europe"), "vo-elixir-europe");
        assert_eq!(slug("users/Beta  testers/"), "users-beta-testers");
    }
}
