//! Which extra specs of flavors and properties of images tell of GPUs and InfiniBand: sites name them as they like.

use schemars::JsonSchema;
use serde::Deserialize;

/// Names of properties, the first that a flavor or an image has counts. Each list replaces its default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Accelerators {
    /// Flavors: how many GPUs.
    pub gpu_number: Vec<String>,
    /// Flavors: which model.
    pub gpu_model: Vec<String>,
    /// Flavors: whose.
    pub gpu_vendor: Vec<String>,
    /// Words by which a device of `pci_passthrough:alias` is known as a GPU, in any case of letters.
    pub gpu_aliases: Vec<String>,
    /// Flavors: whether there is InfiniBand.
    pub infiniband: Vec<String>,
    /// Images: whether they bring a driver for GPUs.
    pub image_gpu_driver: Vec<String>,
    /// Images: whether they bring CUDA.
    pub image_cuda: Vec<String>,
}

impl Default for Accelerators {
    /// The federation's own names first, then those that other federations and EGI use.
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self {
            gpu_number: names(&["gpu_number", "gpu:number", "Accelerator:Number"]),
            gpu_model: names(&["gpu_model", "gpu:model", "Accelerator:Model"]),
            gpu_vendor: names(&["gpu_vendor", "gpu:vendor", "Accelerator:Vendor"]),
            gpu_aliases: names(&["gpu"]),
            infiniband: names(&["infiniband", "infiniband:enabled"]),
            image_gpu_driver: names(&["gpu_driver"]),
            image_cuda: names(&["cuda_support"]),
        }
    }
}
