//! `cuda`: NVIDIA GPUs through CUDA.

use plugin::{BuildError, Plugin};
use serde_json::Value;
use trading_env::{BackendKind, Compute};

use super::AcceleratorParams;

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
        plugin::schema_of::<AcceleratorParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn Compute>, BuildError> {
        open(plugin::params(params)?)
    }
}

#[cfg(feature = "cuda")]
fn open(params: AcceleratorParams) -> Result<Box<dyn Compute>, BuildError> {
    use burn::tensor::{Device, DeviceIndex, DeviceType};
    super::accelerator::open("cuda", DeviceType::Cuda, params.slots, || {
        let info = trading_env::DeviceInfo { api: Some("cuda".to_owned()), ..Default::default() };
        (Device::cuda(DeviceIndex::Default), info, None)
    })
}

#[cfg(not(feature = "cuda"))]
fn open(_params: AcceleratorParams) -> Result<Box<dyn Compute>, BuildError> {
    Err(BuildError::MissingFeature { feature: "cuda" })
}
