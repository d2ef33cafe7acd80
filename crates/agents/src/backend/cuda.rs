//! `cuda`: NVIDIA GPUs through CUDA.

use plugin::{BuildError, Plugin};
use serde_json::Value;
use trading_env::{BackendKind, Compute};

use super::NoParams;

/// Plugin of the `cuda` backend.
pub struct CudaPlugin;

impl Plugin<BackendKind> for CudaPlugin {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn summary(&self) -> &'static str {
        "The first NVIDIA GPU, through CUDA; needs the cargo feature `cuda`."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<NoParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn Compute>, BuildError> {
        plugin::params::<NoParams>(params)?;
        open()
    }
}

#[cfg(feature = "cuda")]
fn open() -> Result<Box<dyn Compute>, BuildError> {
    use burn::tensor::{Device, DeviceIndex, DeviceType};
    super::accelerator::open("cuda", DeviceType::Cuda, || Device::cuda(DeviceIndex::Default))
}

#[cfg(not(feature = "cuda"))]
fn open() -> Result<Box<dyn Compute>, BuildError> {
    Err(BuildError::MissingFeature { feature: "cuda" })
}
