//! What the system tells of a graphics card that its driver's interface does not: memory and version of the driver.
//! Nothing here fails: what is not told is left out.

use std::process::{Command, Stdio};

use trading_env::DeviceInfo;

const MIB: u64 = 1024 * 1024;

/// Adds what is known of the card at a PCI address (`0000:01:00.0`); without an address, of the only card.
pub(super) fn complete(device: &mut DeviceInfo, pci: Option<&str>) {
    if device.memory_bytes.is_none() {
        device.memory_bytes = pci.and_then(of_amd);
    }
    let is_complete = device.memory_bytes.is_some() && device.driver.is_some();
    let names_nvidia =
        |text: &Option<String>| text.as_ref().is_some_and(|t| t.to_lowercase().contains("nvidia"));
    let is_nvidia = device.api.as_deref() == Some("cuda")
        || names_nvidia(&device.adapter)
        || names_nvidia(&device.driver);
    if is_complete || !is_nvidia {
        return;
    }
    let Some(card) = nvidia_smi().and_then(|text| card(&text, pci)) else { return };
    device.memory_bytes = device.memory_bytes.or(card.memory_bytes);
    if device.driver.is_none() {
        device.driver = Some(format!("NVIDIA {}", card.driver));
    }
}

/// The kernel's driver of AMD tells the size of the memory in a file.
fn of_amd(pci: &str) -> Option<u64> {
    let is_address = pci.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'));
    let text = std::fs::read_to_string(format!("/sys/bus/pci/devices/{pci}/mem_info_vram_total"));
    text.ok().filter(|_| is_address)?.trim().parse().ok()
}

fn nvidia_smi() -> Option<String> {
    let query = ["--query-gpu=pci.bus_id,memory.total,driver_version", "--format=csv,noheader,nounits"];
    let output = Command::new("nvidia-smi").args(query).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[derive(Debug, Clone, PartialEq)]
struct Card {
    memory_bytes: Option<u64>,
    driver: String,
}

/// The card at an address, or the only one, of lines such as `00000000:01:00.0, 81559, 570.86.15`.
fn card(text: &str, pci: Option<&str>) -> Option<Card> {
    let cards: Vec<(Option<[u32; 4]>, Card)> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(',').map(str::trim);
            let (bus, memory, driver) = (fields.next()?, fields.next()?, fields.next()?);
            let memory_bytes = memory.parse().ok().map(|mib: u64| mib * MIB);
            Some((address(bus), Card { memory_bytes, driver: driver.to_owned() }))
        })
        .collect();
    match (pci.and_then(address), cards.as_slice()) {
        (Some(wanted), cards) => {
            cards.iter().find(|(found, _)| *found == Some(wanted)).map(|(_, card)| card.clone())
        }
        (None, [(_, card)]) => Some(card.clone()),
        (None, _) => None,
    }
}

/// Domain, bus, device and function, whatever number of digits they are written with.
fn address(text: &str) -> Option<[u32; 4]> {
    let (rest, function) = text.rsplit_once('.')?;
    let parts: Vec<&str> = rest.split(':').chain([function]).collect();
    let numbers: Vec<u32> =
        parts.iter().map(|part| u32::from_str_radix(part, 16)).collect::<Result<_, _>>().ok()?;
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "00000000:01:00.0, 81559, 570.86.15\n00000000:C1:00.0, 24564, 570.86.15\n";

    #[test]
    fn the_card_is_found_by_its_address() {
        let at = |pci| card(TWO, pci).map(|card| card.memory_bytes.unwrap() / MIB);
        assert_eq!(at(Some("0000:01:00.0")), Some(81_559));
        assert_eq!(at(Some("0000:c1:00.0")), Some(24_564));
        assert_eq!(at(Some("0000:02:00.0")), None);
        assert_eq!(at(None), None, "which of two?");
        assert_eq!(at(Some("nonsense")), None);
    }

    #[test]
    fn without_an_address_it_is_the_only_card() {
        let one = "00000000:01:00.0, [N/A], 570.86.15\n";
        let expected = Card { memory_bytes: None, driver: "570.86.15".to_owned() };
        assert_eq!(card(one, None), Some(expected));
        for nothing in ["", "No devices were found\n", "a, b"] {
            assert_eq!(card(nothing, None), None);
        }
    }

    #[test]
    fn what_is_not_told_is_left_out() {
        let mut device = DeviceInfo { adapter: Some("llvmpipe".to_owned()), ..DeviceInfo::default() };
        let before = device.clone();
        complete(&mut device, Some("../../etc"));
        complete(&mut device, None);
        assert_eq!(device, before);
    }
}
