//! Compute devices: burn's backends as plugins of the `backend` section.

#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod accelerator;
mod cuda;
mod flex;
mod wgpu;

use std::any::Any;

use burn::tensor::Device;
use plugin::BuildError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading_env::Compute;

pub use cuda::CudaPlugin;
pub use flex::FlexPlugin;
pub use wgpu::WgpuPlugin;

/// A burn device with what the manifest says about it.
#[derive(Debug, Clone)]
pub struct BurnDevice {
    device: Device,
    description: String,
}

impl BurnDevice {
    /// A device under a description of adapter and driver.
    pub fn new(device: Device, description: String) -> Self {
        Self { device, description }
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

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A backend without parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoParams {}

#[cfg(test)]
mod tests;
