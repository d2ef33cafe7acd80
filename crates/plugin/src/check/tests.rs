use serde_json::{Value, json};

use crate::params_fixture::{Everything, Model};
use crate::{check_value, fill_defaults, key_docs, markdown_table, schema_of, toml_text, unhashed_keys};

fn problems(value: &Value) -> Vec<String> {
    check_value(&schema_of::<Everything>(), value).iter().map(ToString::to_string).collect()
}

#[test]
fn defaults_pass_their_own_check_and_load() {
    let schema = schema_of::<Everything>();
    let mut value = serde_json::Map::new();
    fill_defaults(&schema, &mut value);
    let value = Value::Object(value);
    assert_eq!(check_value(&schema, &value), []);
    let params: Everything = serde_json::from_value(value).unwrap();
    assert_eq!((params.inner.rank, params.shared.gamma), (8, 0.99));
    assert!(matches!(params.model, Model::Random { n_layers: 2, width: 4 }));
}

#[test]
fn each_mistake_says_what_is_accepted() {
    for (value, expected) in [
        (json!({ "learning_rte": 1 }), "learning_rte: unknown key; did you mean \"learning_rate\"?"),
        (json!({ "learning_rate": 0 }), "learning_rate: expected a number > 0, found 0"),
        (json!({ "learning_rate": "low" }), "learning_rate: expected a number > 0, found \"low\""),
        (json!({ "share": 1.5 }), "share: expected a number >= 0 and <= 1, found 1.5"),
        (json!({ "num_steps": 3.0 }), "num_steps: expected a whole number >= 1, found 3.0"),
        (json!({ "num_steps": -1 }), "num_steps: expected a whole number >= 1, found -1"),
        (json!({ "small": 256 }), "small: expected a whole number >= 0 and <= 255, found 256"),
        (
            json!({ "medium": 4_294_967_296_u64 }),
            "medium: expected a whole number >= 0 that fits 32 bits, found 4294967296",
        ),
        (
            json!({ "offset": -2_147_483_649_i64 }),
            "offset: expected a whole number that fits 32 bits, found -2147483649",
        ),
        (json!({ "anneal": 1 }), "anneal: expected true or false, found 1"),
        (json!({ "target_kl": -1 }), "target_kl: expected a number >= 0 or \"none\", found -1"),
        (json!({ "target_kl": "x" }), "target_kl: expected a number >= 0 or \"none\", found \"x\""),
        (
            json!({ "size": "verylarge" }),
            "size: expected one of small, very-large (did you mean \"very-large\"?), found \"verylarge\"",
        ),
        (json!({ "size": 3 }), "size: expected one of small, very-large, found 3"),
        (
            json!({ "scale": "lag" }),
            "scale: expected one of plain, log (did you mean \"log\"?), found \"lag\"",
        ),
        (
            json!({ "maybe_size": "huge" }),
            "maybe_size: expected one of small, very-large, none, found \"huge\"",
        ),
        (json!({ "names": [] }), "names: expected a list that is not empty, each a string, found []"),
        (json!({ "names": ["a", 2] }), "names[1]: expected a string, found 2"),
        (json!({ "range": [1] }), "range: expected a list of 2 values, each a number, found [1]"),
        (json!({ "inner": { "rank": 65 } }), "inner.rank: expected a whole number >= 0 and <= 64, found 65"),
        (json!({ "inner": { "rnak": 1 } }), "inner.rnak: unknown key; did you mean \"rank\"?"),
        (json!({ "inner": 3 }), "inner: expected a table, found 3"),
        (
            json!({ "maybe_inner": { "rank": -1 } }),
            "maybe_inner.rank: expected a whole number >= 0 and <= 64, found -1",
        ),
        (json!({ "maybe_inner": [] }), "maybe_inner: expected a table or \"none\", found []"),
        (
            json!({ "model": { "from": "checkpiont" } }),
            "model.from: expected one of checkpoint, random (did you mean \"checkpoint\"?), found \"checkpiont\"",
        ),
        (
            json!({ "model": { "path": "x" } }),
            "model.from: expected one of checkpoint, random, found nothing",
        ),
        (json!({ "model": { "from": "checkpoint" } }), "model.path: expected a string, found nothing"),
        (
            json!({ "model": { "from": "random", "path": "x" } }),
            "model.path: unknown key; known: from, n_layers, width",
        ),
        (json!({ "weights": { "a b": "x" } }), "weights.\"a b\": expected a number, found \"x\""),
        (json!({ "gamma": 2 }), "gamma: expected a number >= 0 and <= 1, found 2"),
        (json!({ "gama": 1 }), "gama: unknown key; did you mean \"gamma\"?"),
        (json!(3), "expected a table, found 3"),
    ] {
        assert_eq!(problems(&value), [expected], "{value}");
    }
}

#[test]
fn what_fits_is_accepted() {
    for value in [
        json!({}),
        json!({ "target_kl": "none", "maybe_inner": "none", "maybe_size": "none" }),
        json!({ "learning_rate": 1, "share": 0, "target_kl": null, "maybe_size": "very-large", "scale": "log" }),
        json!({ "maybe_inner": { "rank": 64 }, "maybe_size": null, "range": [1, 2.5], "weights": { "x": 1 } }),
        json!({ "model": { "from": "checkpoint", "path": "x" }, "gamma": 1 }),
    ] {
        assert_eq!(problems(&value), Vec::<String>::new(), "{value}");
    }
}

#[test]
fn all_problems_come_together() {
    let value = json!({ "learning_rate": -1, "nam_steps": 1, "inner": { "rank": "x", "beta": 1 } });
    assert_eq!(problems(&value).len(), 4);
}

#[test]
fn dates_are_days_of_the_calendar() {
    let schema = json!({ "type": "string", "format": "date" });
    let ok = |text: &str| check_value(&schema, &json!(text)).is_empty();
    for day in ["2020-02-29", "2000-02-29", "1999-12-31"] {
        assert!(ok(day), "{day}");
    }
    for day in [
        "2021-02-29",
        "1900-02-29",
        "2020-13-01",
        "2020-00-10",
        "2020-1-1",
        "20200101",
        "2020-01-32",
        "+020-01-01",
        "",
    ] {
        assert!(!ok(day), "{day}");
    }
}

#[test]
fn references_within_a_schema_are_followed() {
    let schema = json!({
        "type": "object",
        "properties": { "a": { "$ref": "#/$defs/Positive" } },
        "$defs": { "Positive": { "type": "integer", "minimum": 1 }, "Loop": { "$ref": "#/$defs/Loop" } }
    });
    let text: Vec<_> = check_value(&schema, &json!({ "a": 0 })).iter().map(ToString::to_string).collect();
    assert_eq!(text, ["a: expected a whole number >= 1, found 0"]);
    let circle = json!({ "$ref": "#/$defs/Loop", "$defs": schema["$defs"] });
    assert_eq!(check_value(&circle, &json!(1)), []);
}

#[test]
fn what_is_accepted_reads_well() {
    let text = |schema: Value| check_value(&schema, &json!({})).remove(0).expected;
    let pair =
        json!({ "type": ["array", "null"], "items": { "type": "string" }, "minItems": 2, "maxItems": 2 });
    assert_eq!(text(pair), "\"none\" or a list of 2 values, each a string");
    assert_eq!(text(json!({ "type": "number", "minimum": 0.0, "maximum": 0.0 })), "a number equal to 0");
    assert_eq!(
        text(json!({ "type": "number", "exclusiveMinimum": 0.0, "maximum": 1.5 })),
        "a number > 0 and <= 1.5"
    );
    assert_eq!(text(json!({ "type": ["integer", "string"] })), "a whole number or a string");
}

#[test]
fn unhashed_keys_are_found_at_any_depth() {
    let keys = unhashed_keys(&schema_of::<Everything>());
    assert_eq!(keys, ["inner.threads", "maybe_inner.threads", "folder"]);
}

#[test]
fn found_values_are_toml_and_short() {
    assert_eq!(
        toml_text(&json!({ "a": [1, 2.0, "x\n"], "b c": true, "d": [] })),
        r#"{ a = [1, 2.0, "x\n"], "b c" = true, d = [] }"#
    );
    assert_eq!(toml_text(&json!("x".repeat(200))).chars().count(), 60);
    assert_eq!(toml_text(&Value::Null), "\"none\"");
}

#[test]
fn the_reference_shows_keys_ranges_defaults_and_choices() {
    let text = markdown_table(&schema_of::<Everything>());
    for line in [
        "| `learning_rate` | a number > 0 | `0.0003` | A rate. |",
        "| `scale` | one of plain, log | `\"plain\"` | Explained choices. `plain`: As it is. `log`: In logarithms. |",
        "| `target_kl` | a number >= 0 or \"none\" | `\"none\"` | Perhaps a bound. |",
        "| `inner` | a table |  | Nested. |",
        "| `inner.rank` | a whole number >= 0 and <= 64 | `8` | Rank. |",
        "| `folder` | a string | `\"out\"` | Where to write. Not hashed. |",
        "| `model.from` | checkpoint or random | `\"random\"` |",
        "| `model.path` | a string | required | Folder. |",
        "| `gamma` | a number >= 0 and <= 1 | `0.99` | Discount. |",
    ] {
        assert!(text.contains(line), "{line}\nin\n{text}");
    }
    let docs = key_docs(&schema_of::<Everything>());
    assert!(docs.iter().enumerate().all(|(i, d)| docs[..i].iter().all(|e| e.key != d.key)));
}
