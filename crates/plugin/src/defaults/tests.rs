use serde_json::{Map, Value, json};

use crate::params_fixture::Everything;
use crate::{drop_foreign_keys, fill_defaults, normalise, schema_of};

fn filled(value: &Value) -> Value {
    let mut map: Map<String, Value> = value.as_object().unwrap().clone();
    fill_defaults(&schema_of::<Everything>(), &mut map);
    Value::Object(map)
}

#[test]
fn a_table_given_in_part_keeps_the_rest_of_the_whole_default() {
    // `inner` has rank 8 by default as a whole, although `Inner` alone has 0.
    assert_eq!(
        filled(&json!({ "inner": { "alpha": 1.0 } }))["inner"],
        json!({ "rank": 8, "alpha": 1.0, "threads": 1 })
    );
    // An absent optional table stays absent; a given one takes the defaults of its keys.
    assert_eq!(filled(&json!({}))["maybe_inner"], Value::Null);
    assert_eq!(
        filled(&json!({ "maybe_inner": {} }))["maybe_inner"],
        json!({ "rank": 0, "alpha": 16.0, "threads": 1 })
    );
}

#[test]
fn a_tagged_table_takes_the_defaults_of_its_own_alternative() {
    assert_eq!(
        filled(&json!({ "model": { "from": "checkpoint", "path": "x" } }))["model"],
        json!({ "from": "checkpoint", "path": "x" })
    );
    // 4 is the alternative's own default; without a tag the default's tag counts.
    assert_eq!(
        filled(&json!({ "model": { "width": 8 } }))["model"],
        json!({ "from": "random", "n_layers": 4, "width": 8 })
    );
}

#[test]
fn none_takes_a_value_back() {
    let value = filled(
        &json!({ "target_kl": "none", "maybe_inner": "none", "maybe_size": "none", "folder": "none" }),
    );
    assert_eq!([&value["target_kl"], &value["maybe_inner"], &value["maybe_size"]], [&Value::Null; 3]);
    assert_eq!(value["folder"], "none", "a string that must have a value is that string");
}

#[test]
fn filling_is_idempotent_and_orders_keys_by_the_schema() {
    let once = filled(&json!({ "num_steps": 8, "learning_rate": 1.0, "zzz": 1 }));
    assert_eq!(filled(&once), once);
    let keys: Vec<_> = once.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys[..3], ["learning_rate", "share", "num_steps"]);
    assert_eq!(keys.last().unwrap(), "zzz");
}

#[test]
fn whole_numbers_become_numbers_where_the_schema_says_number() {
    let mut map = json!({ "learning_rate": 1, "num_steps": 8, "target_kl": 2, "range": [0, 1], "weights": { "a": 1 }, "inner": { "alpha": 3 } })
        .as_object()
        .unwrap()
        .clone();
    normalise(&schema_of::<Everything>(), &mut map);
    let value = Value::Object(map);
    // serde_json tells 1 from 1.0.
    assert_eq!(value["learning_rate"], json!(1.0));
    assert_eq!(value["num_steps"], json!(8));
    assert_eq!(value["target_kl"], json!(2.0));
    assert_eq!(value["range"], json!([0.0, 1.0]));
    assert_eq!(value["weights"], json!({ "a": 1.0 }));
    assert_eq!(value["inner"]["alpha"], json!(3.0));
}

#[test]
fn a_change_of_kind_drops_only_what_the_old_kind_alone_knows() {
    let old = json!({ "type": "object", "properties": {
        "a": { "type": "integer" }, "b": { "type": "integer" },
        "c": { "type": "object", "properties": { "x": {}, "y": {} } } } });
    let new = json!({ "type": "object", "properties": {
        "b": { "type": "integer" }, "c": { "type": "object", "properties": { "y": {} } } } });
    let mut value = json!({ "a": 1, "b": 2, "c": { "x": 1, "y": 2, "z": 3 }, "misspelt": 4 })
        .as_object()
        .unwrap()
        .clone();
    drop_foreign_keys(&old, &new, &mut value);
    assert_eq!(Value::Object(value), json!({ "b": 2, "c": { "y": 2, "z": 3 }, "misspelt": 4 }));
}
