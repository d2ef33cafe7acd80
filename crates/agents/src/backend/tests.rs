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

/// Without its feature a backend names it; with it the device is there or the reason is told, and nothing panics.
#[test]
fn a_backend_that_cannot_run_says_why() {
    let catalog: Catalog<BackendKind> = Catalog::new(crate::BACKENDS);
    for (name, built_in) in [("wgpu", cfg!(feature = "wgpu")), ("cuda", cfg!(feature = "cuda"))] {
        match catalog.get(name).unwrap().build(&serde_json::json!({}), ()) {
            Ok(compute) => assert!(built_in && compute.describe().starts_with(name)),
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
