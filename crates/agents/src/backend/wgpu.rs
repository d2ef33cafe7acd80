//! `wgpu`: GPUs through Vulkan, Metal or DirectX, and software renderers such as lavapipe.

use plugin::{BuildError, Plugin};
use serde_json::Value;
use trading_env::{BackendKind, Compute};

use super::NoParams;

/// Plugin of the `wgpu` backend.
pub struct WgpuPlugin;

impl Plugin<BackendKind> for WgpuPlugin {
    fn name(&self) -> &'static str {
        "wgpu"
    }

    fn summary(&self) -> &'static str {
        "Any GPU that wgpu reaches (Vulkan, Metal, DirectX 12) or a software renderer; needs the cargo feature `wgpu`."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<NoParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn Compute>, BuildError> {
        plugin::params::<NoParams>(params)?;
        open()
    }
}

#[cfg(feature = "wgpu")]
fn open() -> Result<Box<dyn Compute>, BuildError> {
    use burn::tensor::{Device, DeviceKind, DeviceType};
    super::accelerator::open("wgpu", DeviceType::Wgpu, || Device::wgpu(DeviceKind::DefaultDevice))
}

#[cfg(not(feature = "wgpu"))]
fn open() -> Result<Box<dyn Compute>, BuildError> {
    Err(BuildError::MissingFeature { feature: "wgpu" })
}
