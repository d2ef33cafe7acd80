//! `wgpu`: GPUs through Vulkan, Metal or DirectX, and software renderers such as lavapipe.

use plugin::{BuildError, Plugin};
use serde_json::Value;
use trading_env::{BackendKind, Compute};

use super::AcceleratorParams;

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
        plugin::schema_of::<AcceleratorParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn Compute>, BuildError> {
        open(plugin::params(params)?)
    }
}

#[cfg(feature = "wgpu")]
fn open(params: AcceleratorParams) -> Result<Box<dyn Compute>, BuildError> {
    use burn::tensor::{Device, DeviceKind, DeviceType};
    super::accelerator::open("wgpu", DeviceType::Wgpu, params.slots, || {
        let (info, pci) = adapter();
        (Device::wgpu(DeviceKind::DefaultDevice), info, pci)
    })
}

/// What wgpu tells of the default device's adapter, and its PCI address. Only who sets the device up hears of it, and
/// that is possible once in a process: where burn has done so before, nothing is told.
#[cfg(feature = "wgpu")]
fn adapter() -> (trading_env::DeviceInfo, Option<String>) {
    use std::sync::OnceLock;

    use burn::tensor::Device;
    use trading_env::DeviceInfo;

    static ADAPTER: OnceLock<(DeviceInfo, Option<String>)> = OnceLock::new();
    let ask = || {
        let Ok((_, setup)) = Device::wgpu_options().init_with_setup() else { return Default::default() };
        let found = setup.adapter.get_info();
        let driver = format!("{} {}", found.driver, found.driver_info);
        let told = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let info = DeviceInfo {
            adapter: told(found.name),
            driver: told(driver),
            api: told(found.backend.to_string()),
            memory_bytes: None,
        };
        (info, told(found.device_pci_bus_id))
    };
    ADAPTER.get_or_init(ask).clone()
}

#[cfg(not(feature = "wgpu"))]
fn open(_params: AcceleratorParams) -> Result<Box<dyn Compute>, BuildError> {
    Err(BuildError::MissingFeature { feature: "wgpu" })
}
