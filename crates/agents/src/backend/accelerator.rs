//! Opening a device that may not be there.

use std::panic::{UnwindSafe, catch_unwind};

use burn::tensor::{Device, DeviceType, Tensor};
use plugin::BuildError;
use trading_env::Compute;

use super::BurnDevice;

/// Looks for adapters, opens the device and lets it compute a sum. burn and wgpu panic where a driver is missing or
/// refuses, so every step is guarded: a machine without the device is a reason, not a crash.
pub(super) fn open(
    name: &'static str,
    kind: DeviceType,
    open: impl FnOnce() -> Device + UnwindSafe,
) -> Result<Box<dyn Compute>, BuildError> {
    let probe = move || {
        if Device::enumerate(kind).into_vec().is_empty() {
            return Err(format!("backend `{name}`: no adapter on this machine"));
        }
        let device = open();
        let numbers = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device).sum();
        match numbers.try_into_vec_as::<f32>() {
            Ok(sum) if sum == [6.0] => Ok(device),
            Ok(sum) => Err(format!("backend `{name}`: computes 1 + 2 + 3 = {sum:?}")),
            Err(e) => Err(format!("backend `{name}`: {e}")),
        }
    };
    let device = match catch_unwind(std::panic::AssertUnwindSafe(probe)) {
        Ok(opened) => opened.map_err(BuildError::Unavailable)?,
        Err(panic) => {
            let text =
                panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let reason = text.and_then(|t| t.lines().next()).unwrap_or("the driver failed");
            return Err(BuildError::Unavailable(format!("backend `{name}`: {reason}")));
        }
    };
    let description = match device.identity() {
        Some(identity) => format!("{name} on {} ({})", identity.name, identity.fingerprint),
        None => name.to_owned(),
    };
    Ok(Box::new(BurnDevice::new(device, description)))
}
