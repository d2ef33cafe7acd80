//! `flex`: burn's own CPU backend, always there.

use burn::tensor::Device;
use plugin::{BuildError, Plugin};
use serde_json::Value;
use trading_env::{BackendKind, Compute, DeviceInfo};

use super::{BurnDevice, NoParams};

/// Plugin of the `flex` backend.
pub struct FlexPlugin;

impl Plugin<BackendKind> for FlexPlugin {
    fn name(&self) -> &'static str {
        "flex"
    }

    fn summary(&self) -> &'static str {
        "burn's Flex backend on the CPU: always available, equal bytes for equal runs on one type of machine."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<NoParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn Compute>, BuildError> {
        plugin::params::<NoParams>(params)?;
        let adapter = processor();
        let description = format!("flex on {}", adapter.as_deref().unwrap_or("the CPU"));
        let info = DeviceInfo { adapter, memory_bytes: memory(), ..DeviceInfo::default() };
        Ok(Box::new(BurnDevice::new(Device::flex(), description).with_info(info)))
    }
}

/// Name of the processor, where the system tells it.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

/// Main memory, where the system tells it.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
