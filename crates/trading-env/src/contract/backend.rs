//! What every backend promises.

use plugin::contract::{settings, who};
use plugin::{BuildError, Plugin, check_value};
use serde_json::Value;

use crate::BackendKind;

/// Checks a backend plugin with the settings `given`: its settings as [`plugin::contract::settings`] does, and that
/// where there is such a device it has a description of one line.
///
/// A device that the machine or the build lacks is no broken promise.
///
/// # Panics
/// When a promise is broken.
pub fn backend(plugin: &dyn Plugin<BackendKind>, given: &Value) {
    let schema = plugin.schema();
    let params = settings(plugin, given, |p| match plugin.build(p, ()) {
        Err(BuildError::MissingFeature { .. } | BuildError::Unavailable(_))
            if check_value(&schema, p).is_empty() =>
        {
            Ok(())
        }
        built => built.map(drop),
    });
    if let Ok(device) = plugin.build(&params, ()) {
        let text = device.describe();
        assert!(
            !text.trim().is_empty() && !text.contains('\n'),
            "{}: a device is described in one line, found {text:?}",
            who(plugin)
        );
    }
}
