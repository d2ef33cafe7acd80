//! What the check of settings finds wrong, one broken promise at a time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::params_fixture::Everything;
use crate::{params, schema_of};

enum ThingKind {}

impl Kind for ThingKind {
    const SECTION: &'static str = "thing";
    type Context<'a> = ();
    type Output = f64;
}

/// A plugin whose every part a test can replace by a broken one.
struct Thing {
    name: &'static str,
    summary: &'static str,
    schema: fn() -> Value,
    check: fn(&Value) -> Result<(), Vec<ParamError>>,
    build: fn(&Value) -> Result<f64, BuildError>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Sound {
    /// A share.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    share: f64,
    /// Bars.
    #[schemars(range(min = 1, max = 8))]
    window: i64,
    /// Where the file is.
    #[schemars(extend("x-unhashed" = true))]
    path: String,
}

impl Default for Sound {
    fn default() -> Self {
        Self { share: 0.5, window: 2, path: String::new() }
    }
}

const SOUND: Thing = Thing {
    name: "two-words",
    summary: "One sentence, and no more.",
    schema: schema_of::<Sound>,
    check: |_| Ok(()),
    build: |value| params::<Sound>(value).map(|p| p.share / p.window as f64),
};

impl Plugin<ThingKind> for Thing {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn schema(&self) -> Value {
        (self.schema)()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        (self.check)(params)
    }

    fn build(&self, params: &Value, _context: ()) -> Result<f64, BuildError> {
        (self.build)(params)
    }
}

fn checked(thing: &Thing, given: &Value) -> Value {
    settings(thing, given, |p| thing.build(p, ()).map(drop))
}

/// What the suite says of a broken plugin.
fn told(thing: &Thing) -> String {
    super::told(|| drop(checked(thing, &json!({})))).expect("the suite passes a broken plugin")
}

#[test]
fn a_sound_plugin_passes_with_what_is_given_and_its_defaults() {
    let resolved = checked(&SOUND, &json!({"window": 3}));
    assert_eq!(resolved, json!({"share": 0.5, "window": 3, "path": ""}));
    assert_eq!(places(&SOUND, &resolved), [["path"]]);
    let numbers: Vec<(Value, Value)> =
        edges(&SOUND, &resolved).into_iter().map(|e| (e["share"].clone(), e["window"].clone())).collect();
    assert_eq!(
        numbers,
        [
            (json!(0.0), json!(3)),
            (json!(1.0 - INSIDE), json!(3)),
            (json!(0.5), json!(1)),
            (json!(0.5), json!(8))
        ]
    );
}

#[test]
fn nested_and_tagged_settings_are_looked_into() {
    let schema = schema_of::<Everything>();
    let mut filled = Map::new();
    fill_defaults(&schema, &mut filled);
    let keys: Vec<String> =
        leaves(&schema, &Value::Object(filled)).iter().map(|leaf| dotted(&leaf.path)).collect();
    for key in ["inner.rank", "model.n_layers", "maybe_inner", "learning_rate", "gamma"] {
        assert!(keys.iter().any(|k| k == key), "{key}: {keys:?}");
    }
    assert!(!keys.iter().any(|k| k == "model.path"), "of an alternative that is not chosen");
}

#[test]
fn names_are_in_kebab_case_and_summaries_one_sentence() {
    for name in ["log-return", "a2", "x"] {
        assert!(is_kebab_case(name), "{name}");
    }
    for name in ["", "Log", "log_return", "-a", "a-", "a--b", "2a", "ä"] {
        assert!(!is_kebab_case(name), "{name}");
        assert!(told(&Thing { name, ..SOUND }).contains("kebab case"));
    }
    for summary in ["", "No full stop", "Two. Sentences.", " Space.", "Two\nlines."] {
        assert!(told(&Thing { summary, ..SOUND }).contains("one sentence"), "{summary:?}");
    }
}

#[test]
fn keys_without_a_doc_a_bound_or_a_default_are_named() {
    #[derive(Deserialize, JsonSchema)]
    struct Silent {
        /// Documented.
        #[serde(default)]
        _said: bool,
        #[serde(default)]
        _unsaid: bool,
    }
    assert!(
        told(&Thing { schema: schema_of::<Silent>, ..SOUND }).contains("key `_unsaid` has no doc comment")
    );

    #[derive(Deserialize, JsonSchema)]
    struct Endless {
        /// How much.
        #[serde(default)]
        _rate: f64,
    }
    let told_endless = told(&Thing { schema: schema_of::<Endless>, ..SOUND });
    assert!(told_endless.contains("key `_rate` is a number without a bound"), "{told_endless}");

    #[derive(Deserialize, JsonSchema)]
    struct Asking {
        /// Whether.
        _flag: bool,
    }
    let told_asking = told(&Thing { schema: schema_of::<Asking>, ..SOUND });
    assert!(told_asking.contains("_flag") && told_asking.contains("hand over settings"), "{told_asking}");
    assert!(told_asking.starts_with("contract of thing `two-words`: "), "{told_asking}");
}

#[test]
fn an_open_schema_is_refused() {
    let schema = || {
        let mut schema = schema_of::<Sound>();
        schema["additionalProperties"] = json!(true);
        schema
    };
    assert!(told(&Thing { schema, ..SOUND }).contains("a misspelt key is accepted"));
}

#[test]
fn defaults_that_are_refused_are_told() {
    let told_check = told(&Thing { check: |_| Err(vec![ParamError::missing("window", "a week")]), ..SOUND });
    assert!(told_check.contains("its own defaults") && told_check.contains("a week"), "{told_check}");
    let told_build = told(&Thing { build: |_| Err(BuildError::Invalid("no disk".to_owned())), ..SOUND });
    assert!(told_build.contains("the defaults do not build: no disk"), "{told_build}");
}

#[test]
fn wrong_values_are_errors_and_no_panics() {
    let panics = told(&Thing { build: |p| Ok(p["share"].as_f64().unwrap()), ..SOUND });
    assert!(panics.contains("`build` panics on") && panics.contains("no such value"), "{panics}");
    let accepts = told(&Thing { build: |_| Ok(0.0), ..SOUND });
    assert!(accepts.contains("builds from a wrong type, share = \"no such value\""), "{accepts}");
    let divides = told(&Thing { build: |p| params::<Sound>(p).map(|p| (100 / p.window) as f64), ..SOUND });
    assert!(divides.contains("`build` panics on") && divides.contains("divide by zero"), "{divides}");
    let checks = told(&Thing {
        check: |p| {
            assert!(p["window"].as_i64().is_none_or(|w| w < 8), "eight");
            Ok(())
        },
        ..SOUND
    });
    assert!(checks.contains("`check` panics on") && checks.contains("eight"), "{checks}");
}
