//! Opening a device that may not be there.

use std::num::NonZeroUsize;
use std::panic::{UnwindSafe, catch_unwind};

use burn::tensor::{Device, DeviceType, Tensor};
use plugin::BuildError;
use trading_env::{Compute, DeviceInfo};

use super::{BurnDevice, probe};

/// Looks for adapters, opens the device and lets it compute a sum. burn and wgpu panic where a driver is missing or
/// refuses, so every step is guarded: a machine without the device is a reason, not a crash.
///
/// `open`: the device, and what the API behind it tells, with the PCI address where that tells it.
pub(super) fn open(
    name: &'static str,
    kind: DeviceType,
    slots: NonZeroUsize,
    open: impl FnOnce() -> (Device, DeviceInfo, Option<String>) + UnwindSafe,
) -> Result<Box<dyn Compute>, BuildError> {
    let probe = move || {
        if Device::enumerate(kind).into_vec().is_empty() {
            return Err(format!("backend `{name}`: no adapter on this machine"));
        }
        let (device, info, pci) = open();
        let numbers = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device).sum();
        match numbers.try_into_vec_as::<f32>() {
            Ok(sum) if sum == [6.0] => Ok((device, info, pci)),
            Ok(sum) => Err(format!("backend `{name}`: computes 1 + 2 + 3 = {sum:?}")),
            Err(e) => Err(format!("backend `{name}`: {e}")),
        }
    };
    let (device, mut info, pci) = match catch_unwind(std::panic::AssertUnwindSafe(probe)) {
        Ok(opened) => opened.map_err(BuildError::Unavailable)?,
        Err(panic) => {
            let text =
                panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let reason = text.and_then(|t| t.lines().next()).unwrap_or("the driver failed");
            return Err(BuildError::Unavailable(format!("backend `{name}`: {reason}")));
        }
    };
    let identity = device.identity();
    let description = match &identity {
        Some(identity) => format!("{name} on {} ({})", identity.name, identity.fingerprint),
        None => name.to_owned(),
    };
    let of_card = identity.as_ref().and_then(|i| i.physical.as_ref()?.pci_address);
    info.adapter = info.adapter.or(identity.map(|identity| identity.name));
    probe::complete(&mut info, pci.or(of_card.map(|address| address.to_string())).as_deref());
    Ok(Box::new(BurnDevice::new(device, description).with_info(info).with_slots(slots)))
}
