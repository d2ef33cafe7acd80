//! The promises that every data source keeps, as a check that its crate's tests call.

use plugin::contract::{places, settings, who, with};
use plugin::{Files, Plugin};
use serde_json::Value;

use crate::{BarSeries, SourceKind};

/// A place where nothing is.
const NOWHERE: &str = "no/such/place";

/// Checks a source plugin with the settings `given`, whose paths start from `files`: its settings as
/// [`plugin::contract::settings`] does; it loads, under a name, the same bars and news each time, from one instance or
/// two, on one thread or another; a path at which nothing is is an error that names it.
///
/// A path is a text that is marked `x-unhashed`.
///
/// # Panics
/// When a promise is broken.
pub fn source(plugin: &dyn Plugin<SourceKind>, given: &Value, files: &Files) {
    let params = settings(plugin, given, |p| plugin.build(p, files).map(drop));
    let who = who(plugin);
    let content = || plugin.content(&params, files).map_err(|e| e.to_string());
    assert_eq!(content(), content(), "{who}: the content is the same each time");

    let build = || plugin.build(&params, files).expect("invariant: the defaults build");
    let load = |source: &dyn crate::DataSource| -> BarSeries {
        source.load().unwrap_or_else(|error| panic!("{who}: loads, found {error}"))
    };
    let one = build();
    let series = load(&*one);
    assert!(!series.symbol().trim().is_empty(), "{who}: the asset has a name");
    let wanted = series.fingerprint();
    assert_eq!(load(&*one).fingerprint(), wanted, "{who}: loads the same twice");
    assert_eq!(load(&*build()).fingerprint(), wanted, "{who}: another instance loads the same");
    let elsewhere = std::thread::scope(|scope| {
        let other = scope.spawn(|| one.load().map(|series| series.fingerprint()));
        other.join().unwrap_or_else(|_| panic!("{who}: panics on another thread"))
    });
    assert_eq!(elsewhere.ok(), Some(wanted), "{who}: loads the same on another thread");

    for path in places(plugin, &params) {
        let missing = with(&params, &path, Value::from(NOWHERE));
        let error = match plugin.build(&missing, files).and_then(|source| source.load()) {
            Ok(_) => panic!("{who}: loads from {} = {NOWHERE:?}", path.join(".")),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(NOWHERE), "{who}: an error names the path that is not there, found {error:?}");
    }
}

#[cfg(test)]
mod tests;
