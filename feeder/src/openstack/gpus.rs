//! GPUs of a flavor, from its extra specs.

use serde_json::{Map, Value};

use super::tolerant::{said, whole};

/// The federation's own names first, then those that other federations and EGI use.
const NUMBER: [&str; 3] = ["gpu_number", "gpu:number", "Accelerator:Number"];
const MODEL: [&str; 3] = ["gpu_model", "gpu:model", "Accelerator:Model"];
const VENDOR: [&str; 3] = ["gpu_vendor", "gpu:vendor", "Accelerator:Vendor"];

/// The GPUs of a flavor.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Gpus {
    pub number: i64,
    pub model: Option<String>,
    pub vendor: Option<String>,
}

impl Gpus {
    /// Model and vendor mean something only where there is a GPU: the registry refuses them otherwise.
    pub fn of(specs: &Map<String, Value>) -> Self {
        let named = NUMBER.iter().find_map(|name| specs.get(*name).and_then(whole));
        let number = named.unwrap_or_else(|| virtual_gpus(specs) + passed_through(specs)).max(0);
        if number == 0 {
            return Self::default();
        }
        let text = |names: [&str; 3]| names.iter().find_map(|name| said(specs, name)).map(str::to_owned);
        Self { number, model: text(MODEL), vendor: text(VENDOR) }
    }
}

/// `resources:VGPU=1`, `resources2:PGPU=1`, `resources:CUSTOM_GPU_A100=2`: what Nova asks Placement for.
fn virtual_gpus(specs: &Map<String, Value>) -> i64 {
    let is_gpu = |key: &str| {
        key.split_once(':')
            .is_some_and(|(group, class)| group.starts_with("resources") && class.contains("GPU"))
    };
    specs.iter().filter(|(key, _)| is_gpu(key)).filter_map(|(_, value)| whole(value)).sum()
}

/// `pci_passthrough:alias=gpu-a100:2,nic:1`: PCI devices by the site's own names. Only those that call themselves
/// GPUs are counted, since network cards are passed through in the same way.
fn passed_through(specs: &Map<String, Value>) -> i64 {
    let aliases = said(specs, "pci_passthrough:alias").unwrap_or_default();
    let devices = aliases.split(',').filter_map(|alias| alias.trim().rsplit_once(':'));
    let gpus = devices.filter(|(name, _)| name.to_ascii_lowercase().contains("gpu"));
    gpus.filter_map(|(_, number)| number.parse::<i64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(specs: &Value) -> (i64, Option<String>, Option<String>) {
        let Gpus { number, model, vendor } = Gpus::of(specs.as_object().unwrap());
        (number, model, vendor)
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
