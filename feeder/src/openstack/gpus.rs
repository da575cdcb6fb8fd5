//! GPUs of a flavor, from its extra specs.

use serde_json::{Map, Value};

use super::tolerant::{said, whole, yes};
use crate::inventory::Accelerators;

/// The GPUs of a flavor.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Gpus {
    pub number: i64,
    pub model: Option<String>,
    pub vendor: Option<String>,
}

impl Gpus {
    /// Model and vendor mean something only where there is a GPU: the registry refuses them otherwise.
    pub fn of(specs: &Map<String, Value>, names: &Accelerators) -> Self {
        let named = names.gpu_number.iter().find_map(|name| specs.get(name).and_then(whole));
        let number =
            named.unwrap_or_else(|| virtual_gpus(specs) + passed_through(specs, &names.gpu_aliases)).max(0);
        if number == 0 {
            return Self::default();
        }
        let text = |names: &[String]| names.iter().find_map(|name| said(specs, name)).map(str::to_owned);
        Self { number, model: text(&names.gpu_model), vendor: text(&names.gpu_vendor) }
    }
}

/// Whether one of these properties says yes.
pub(super) fn any_yes(properties: &Map<String, Value>, names: &[String]) -> bool {
    names.iter().filter_map(|name| properties.get(name)).any(yes)
}

/// `resources:VGPU=1`, `resources2:PGPU=1`, `resources:CUSTOM_GPU_A100=2`: what Nova asks Placement for.
fn virtual_gpus(specs: &Map<String, Value>) -> i64 {
    let is_gpu = |key: &str| {
        key.split_once(':')
            .is_some_and(|(group, class)| group.starts_with("resources") && class.contains("GPU"))
    };
    specs.iter().filter(|(key, _)| is_gpu(key)).filter_map(|(_, value)| whole(value)).sum()
}

/// `pci_passthrough:alias=gpu-a100:2,nic:1`: PCI devices by the site's own names. Only those that are known as GPUs
/// by one of these words are counted, since network cards are passed through in the same way.
fn passed_through(specs: &Map<String, Value>, words: &[String]) -> i64 {
    let aliases = said(specs, "pci_passthrough:alias").unwrap_or_default();
    let devices = aliases.split(',').filter_map(|alias| alias.trim().rsplit_once(':'));
    let is_gpu = |name: &str| {
        let name = name.to_ascii_lowercase();
        words.iter().any(|word| name.contains(&word.to_ascii_lowercase()))
    };
    let gpus = devices.filter(|(name, _)| is_gpu(name));
    gpus.filter_map(|(_, number)| number.parse::<i64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(specs: &Value) -> (i64, Option<String>, Option<String>) {
        by(specs, &Accelerators::default())
    }

    fn by(specs: &Value, names: &Accelerators) -> (i64, Option<String>, Option<String>) {
        let Gpus { number, model, vendor } = Gpus::of(specs.as_object().unwrap(), names);
        (number, model, vendor)
    }

    #[test]
    fn a_site_may_name_its_properties_as_it_likes() {
        let names: Accelerators =
            serde_json::from_value(json!({"gpu_number": ["our:gpus"], "gpu_aliases": ["T4"]})).unwrap();
        assert_eq!(
            by(&json!({"our:gpus": 3, "gpu_number": 1, "gpu_model": "X"}), &names),
            (3, Some("X".into()), None)
        );
        assert_eq!(by(&json!({"pci_passthrough:alias": "t4:2,gpu:1"}), &names).0, 2);
        assert!(serde_json::from_value::<Accelerators>(json!({"gpus": []})).is_err());
    }

    #[test]
    fn the_federations_names_count_first() {
        let t4 = json!({
            "gpu_number": "1", "gpu_model": "T4", "gpu_vendor": "NVIDIA", "pci_passthrough:alias": "gpu-t4:4",
        });
        assert_eq!(of(&t4), (1, Some("T4".into()), Some("NVIDIA".into())));
        let egi = json!({"Accelerator:Number": "2", "Accelerator:Model": "A100"});
        assert_eq!(of(&egi), (2, Some("A100".into()), None));
    }

    #[test]
    fn placement_and_pci_devices_count_when_nothing_is_named() {
        assert_eq!(
            of(&json!({"resources:VGPU": "1", "resources2:CUSTOM_GPU_A100": "2", "resources:VCPU": "4"})).0,
            3
        );
        assert_eq!(of(&json!({"pci_passthrough:alias": "GPU-a100:2, mlx5:1"})).0, 2);
        assert_eq!(of(&json!({"pci_passthrough:alias": "t4:1"})).0, 0);
    }

    #[test]
    fn without_a_gpu_there_is_no_model() {
        assert_eq!(of(&json!({"gpu_number": "0", "gpu_model": "T4"})), (0, None, None));
        assert_eq!(of(&json!({"gpu_number": "two", "gpu_vendor": "NVIDIA"})), (0, None, None));
        assert_eq!(of(&json!({})), (0, None, None));
    }
}
