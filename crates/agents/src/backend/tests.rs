use burn::tensor::Tensor;
use plugin::{Catalog, Plugin};
use trading_env::BackendKind;

use super::*;

#[test]
fn flex_computes_and_says_where() {
    let compute = FlexPlugin.build(&serde_json::json!({}), ()).unwrap();
    assert!(compute.describe().starts_with("flex on "), "{}", compute.describe());
    let device = BurnDevice::of(&*compute, "test").unwrap().device();
    let sum = Tensor::<1>::from_floats([1.0, 2.0], device).sum().try_into_vec_as::<f32>().unwrap();
    assert_eq!(sum, [3.0]);
}

#[test]
fn every_backend_keeps_the_contract() {
    for plugin in crate::BACKENDS {
        trading_env::contract::backend(*plugin, &serde_json::json!({}));
    }
}

/// Without its feature a backend names it; with it the device is there or the reason is told, and nothing panics.
#[test]
fn a_backend_that_cannot_run_says_why() {
    let catalog: Catalog<BackendKind> = Catalog::new(crate::BACKENDS);
    for (name, built_in) in [("wgpu", cfg!(feature = "wgpu")), ("cuda", cfg!(feature = "cuda"))] {
        match catalog.get(name).unwrap().build(&serde_json::json!({}), ()) {
            Ok(compute) => {
                assert!(built_in && compute.describe().starts_with(name));
                let info = compute.device_info().unwrap();
                assert!(info.adapter.is_some() && info.api.is_some(), "{info:?}");
                assert_eq!(compute.slots(), Some(AcceleratorParams::default().slots));
            }
            Err(BuildError::MissingFeature { feature }) => assert!(!built_in && feature == name),
            Err(BuildError::Unavailable(reason)) => assert!(built_in && reason.contains(name), "{reason}"),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn an_unknown_parameter_is_an_error() {
    assert!(FlexPlugin.build(&serde_json::json!({ "threads": 2 }), ()).is_err());
}

#[test]
fn a_device_that_is_not_burns_is_refused() {
    struct Abacus;
    impl Compute for Abacus {
        fn describe(&self) -> String {
            "an abacus".to_owned()
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }
    let error = BurnDevice::of(&Abacus, "ppo-mlp").unwrap_err().to_string();
    assert_eq!(error, "agent `ppo-mlp` needs one of burn's backends, found an abacus");
}

#[test]
fn flex_tells_of_the_machine_and_has_no_limit() {
    let compute = FlexPlugin.build(&serde_json::json!({}), ()).unwrap();
    let info = compute.device_info().unwrap();
    assert_eq!((info.driver, info.api, compute.slots()), (None, None, None));
    #[cfg(target_os = "linux")]
    assert!(info.memory_bytes.unwrap() > 1 << 20);
}

/// How many runs share a device is within bounds, has a default, and is no part of what a run is.
#[test]
fn slots_are_checked_and_not_hashed() {
    let catalog: Catalog<BackendKind> = Catalog::new(crate::BACKENDS);
    for name in ["wgpu", "cuda"] {
        let schema = catalog.get(name).unwrap().schema();
        assert_eq!(plugin::unhashed_keys(&schema), ["slots"]);
        let mut resolved = serde_json::Map::new();
        plugin::fill_defaults(&schema, &mut resolved);
        assert_eq!(resolved["slots"], 4);
        for (slots, is_good) in [(0, false), (1, true), (64, true), (65, false)] {
            let errors = plugin::check_value(&schema, &serde_json::json!({ "slots": slots }));
            assert_eq!(errors.is_empty(), is_good, "{name}: {slots}");
        }
    }
    let device = BurnDevice::new(Device::flex(), String::new()).with_slots(NonZeroUsize::MIN);
    assert_eq!(device.slots(), Some(NonZeroUsize::MIN));
}
