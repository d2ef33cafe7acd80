//! Compute devices: burn's backends as plugins of the `backend` section.

#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod accelerator;
mod cuda;
mod flex;
#[cfg(any(feature = "wgpu", feature = "cuda", test))]
mod probe;
mod wgpu;

use std::any::Any;
use std::num::NonZeroUsize;

use burn::tensor::Device;
use plugin::BuildError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading_env::{Compute, DeviceInfo};

pub use cuda::CudaPlugin;
pub use flex::FlexPlugin;
pub use wgpu::WgpuPlugin;

/// A burn device with what the manifest says about it.
#[derive(Debug, Clone)]
pub struct BurnDevice {
    device: Device,
    description: String,
    info: Option<DeviceInfo>,
    slots: Option<NonZeroUsize>,
}

impl BurnDevice {
    /// A device under a description of adapter and driver.
    pub fn new(device: Device, description: String) -> Self {
        Self { device, description, info: None, slots: None }
    }

    /// The same with what is known of the device, part by part.
    pub fn with_info(self, info: DeviceInfo) -> Self {
        Self { info: Some(info), ..self }
    }

    /// The same for at most as many runs at the same time.
    pub fn with_slots(self, slots: NonZeroUsize) -> Self {
        Self { slots: Some(slots), ..self }
    }

    /// The plain device, without autodiff.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The burn device behind a backend.
    pub(crate) fn of<'a>(compute: &'a dyn Compute, agent: &str) -> Result<&'a BurnDevice, BuildError> {
        compute.as_any().downcast_ref().ok_or_else(|| {
            let text = format!("agent `{agent}` needs one of burn's backends, found {}", compute.describe());
            BuildError::Invalid(text)
        })
    }
}

impl Compute for BurnDevice {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn device_info(&self) -> Option<DeviceInfo> {
        self.info.clone()
    }

    fn slots(&self) -> Option<NonZeroUsize> {
        self.slots
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A backend without parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoParams {}

/// A backend on a device of its own, which runs share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AcceleratorParams {
    /// Runs that use the device at the same time; further ones wait. Each holds its model and its batches there.
    #[schemars(range(min = 1, max = 64), extend("x-unhashed" = true))]
    pub slots: NonZeroUsize,
}

impl Default for AcceleratorParams {
    fn default() -> Self {
        const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();
        Self { slots: FOUR }
    }
}

#[cfg(test)]
mod tests;
