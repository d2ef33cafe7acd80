//! The suite fails for sources that break one promise each.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::ThreadId;

use chrono::{Days, NaiveDate};
use plugin::contract::told;
use plugin::{BuildError, Content, Files, Plugin, schema_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::source;
use crate::{BarSeries, Columns, DataSource, SourceKind};

#[derive(Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct Params {
    /// The file; empty: none.
    #[schemars(extend("x-unhashed" = true))]
    path: String,
}

/// Loads the closes 1 and what a function says.
#[derive(Clone, Copy)]
struct Made {
    symbol: &'static str,
    last: fn(&Instance) -> f64,
    missing: fn(&str) -> Result<(), BuildError>,
    content: fn() -> Content,
}

struct Instance {
    made: Made,
    path: String,
    built_on: ThreadId,
    loads: AtomicU32,
}

const SOUND: Made = Made {
    symbol: "MADE",
    last: |_| 2.0,
    missing: |path| Err(BuildError::Invalid(format!("{path}: not found"))),
    content: Content::default,
};

impl Plugin<SourceKind> for Made {
    fn name(&self) -> &'static str {
        "made"
    }
    fn summary(&self) -> &'static str {
        "Made for a test."
    }
    fn schema(&self) -> Value {
        schema_of::<Params>()
    }
    fn content(&self, _params: &Value, _files: &Files) -> Result<Content, BuildError> {
        Ok((self.content)())
    }
    fn build(&self, params: &Value, _files: &Files) -> Result<Box<dyn DataSource>, BuildError> {
        let Params { path } = plugin::params(params)?;
        let built_on = std::thread::current().id();
        Ok(Box::new(Instance { made: *self, path, built_on, loads: AtomicU32::new(0) }))
    }
}

impl DataSource for Instance {
    fn load(&self) -> Result<BarSeries, BuildError> {
        if !self.path.is_empty() {
            (self.made.missing)(&self.path)?;
        }
        let first = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        let columns =
            Columns::of_closes(vec![first, first + Days::new(1)], vec![1.0, (self.made.last)(self)]);
        BarSeries::from_columns(self.made.symbol, None, columns)
            .map_err(|e| BuildError::Invalid(e.to_string()))
    }
}

fn run(made: Made) {
    source(&made, &json!({}), &Files { root: PathBuf::from("/"), ..Files::default() });
}

#[test]
fn sources_that_break_a_promise_are_told() {
    run(SOUND);
    static BUILDS: AtomicU32 = AtomicU32::new(0);
    static CONTENTS: AtomicU32 = AtomicU32::new(0);
    for (made, expected) in [
        (Made { symbol: " ", ..SOUND }, "the asset has a name"),
        (Made { last: |_| -1.0, ..SOUND }, "loads, found"),
        (
            Made { last: |i| 1.0 + f64::from(i.loads.fetch_add(1, Ordering::Relaxed)), ..SOUND },
            "the same twice",
        ),
        (
            Made {
                last: |i| {
                    let first = i.loads.fetch_add(1, Ordering::Relaxed) == 0;
                    if first && BUILDS.fetch_add(1, Ordering::Relaxed) == 1 { 3.0 } else { 2.0 }
                },
                ..SOUND
            },
            "another instance loads the same",
        ),
        (
            Made { last: |i| if std::thread::current().id() == i.built_on { 2.0 } else { 3.0 }, ..SOUND },
            "on another thread",
        ),
        (Made { missing: |_| Ok(()), ..SOUND }, "loads from path"),
        (Made { missing: |_| Err(BuildError::Invalid("not found".to_owned())), ..SOUND }, "names the path"),
        (
            Made {
                content: || {
                    let digest = CONTENTS.fetch_add(1, Ordering::Relaxed).to_string();
                    Content { files: vec![("data".to_owned(), digest)], ..Content::default() }
                },
                ..SOUND
            },
            "the content is the same each time",
        ),
    ] {
        let text = told(|| run(made)).unwrap_or_else(|| panic!("not told: {expected}"));
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
