//! Canonical JSON: equal values, equal bytes.

use std::fmt::Write;

use serde_json::{Number, Value};

/// Canonical JSON of a value: keys sorted by their bytes, no white space, numbers by value.
///
/// A number that is a whole one is written without a fraction, so `1` and `1.0` are equal; any other is written
/// in the shortest form that reads back to the same `f64`, with an exponent (`3e-4`). A key whose value is null is
/// left out: TOML cannot say null, so an absent optional setting and a null one are the same setting.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => write_number(out, n),
        Value::String(s) => write_string(out, s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().filter(|(_, v)| !v.is_null()).collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (i, (key, item)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write_value(out, item);
            }
            out.push('}');
        }
    }
}

fn write_string(out: &mut String, s: &str) {
    out.push_str(&Value::from(s).to_string());
}

fn write_number(out: &mut String, n: &Number) {
    // Beyond 2^53 an `f64` no longer tells neighbouring integers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let written = match (n.as_i64(), n.as_u64(), n.as_f64()) {
        (Some(i), _, _) => write!(out, "{i}"),
        (_, Some(u), _) => write!(out, "{u}"),
        (_, _, Some(f)) if f.fract() == 0.0 && f.abs() <= EXACT => write!(out, "{}", f as i64),
        (_, _, Some(f)) => write!(out, "{f:e}"),
        _ => write!(out, "{n}"),
    };
    written.expect("invariant: writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::canonical_json;

    #[test]
    fn keys_are_sorted_and_numbers_are_written_by_value() {
        let value = json!({ "b": [1.0, 0.0003, -0.0], "a": { "y": true, "x": "é\"\n" }, "c": null });
        assert_eq!(canonical_json(&value), r#"{"a":{"x":"é\"\n","y":true},"b":[1,3e-4,0]}"#);
    }

    #[test]
    fn large_integers_stay_apart() {
        let (a, b) = (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64));
        assert_ne!(canonical_json(&a), canonical_json(&b));
        assert_eq!(canonical_json(&json!(u64::MAX)), "18446744073709551615");
    }
}
