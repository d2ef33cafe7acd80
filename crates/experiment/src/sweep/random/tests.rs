use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Distribution, stream};
use crate::fixture::{Folder, errors_of, load_text, over_base};
use crate::{Experiment, Mode, SelectionMetric};

const VALID: &str =
    "[split]\ntrain = [\"2011-01-01\", \"2017-12-31\"]\nvalid = [\"2018-01-01\", \"2018-12-31\"]\n";

const AXES: &str = r#"
"agent.learning_rate" = { log_uniform = [1e-5, 1e-2] }
"agent.ent_coef" = { uniform = [0, 0.05] }
"agent.lora.rank" = { int_uniform = [1, 64] }
"agent.n_trainable_layers" = [0, 1, 4]
reward = ["log-return", { kind = "cvar", alpha = 0.1 }]
"#;

fn search(n: usize, seed: u64, axes: &str) -> String {
    format!("{VALID}[sweep]\nmode = \"random\"\nn_samples = {n}\nseed = {seed}\n[sweep.axes]\n{axes}")
}

fn arms_of(text: &str) -> Experiment {
    load_text(text).unwrap_or_else(|e| panic!("{e}"))
}

/// The values of each arm by key, the base's left out.
fn values(experiment: &Experiment) -> Vec<(String, BTreeMap<String, Value>)> {
    let samples = experiment.arms.iter().filter(|arm| arm.name != "base");
    samples.map(|arm| (arm.name.clone(), arm.axes.iter().cloned().collect())).collect()
}

/// Errors of a search over `axes`, without the name of the file and the lines before the axes.
fn axis_error(axes: &str) -> String {
    let text = errors_of(&search(5, 1, &format!("{axes}\n")));
    text.replace("x.toml:10: sweep.axes.", "")
}

fn distribution(written: &Value) -> Distribution {
    Distribution::new(written).unwrap_or_else(|problem| panic!("{problem:?}"))
}

#[test]
fn the_base_and_as_many_samples_as_asked_for() {
    let experiment = arms_of(&search(6, 1, AXES));
    assert_eq!((experiment.mode, experiment.select), (Some(Mode::Random), Some(SelectionMetric::Sharpe)));
    let names: Vec<&str> = experiment.arms.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["base", "sample-1", "sample-2", "sample-3", "sample-4", "sample-5", "sample-6"]);
    assert!(experiment.arms[0].changes.is_empty());
    for (_, values) in values(&experiment) {
        let number = |key: &str| values[key].as_f64().unwrap();
        assert!((1e-5..=1e-2).contains(&number("agent.learning_rate")));
        assert!((0.0..=0.05).contains(&number("agent.ent_coef")));
        assert!((1..=64).contains(&values["agent.lora.rank"].as_u64().unwrap()));
        assert!([0, 1, 4].contains(&values["agent.n_trainable_layers"].as_u64().unwrap()));
        assert!([json!("log-return"), json!({"kind": "cvar", "alpha": 0.1})].contains(&values["reward"]));
    }
    // The report shows what was drawn from.
    assert_eq!(experiment.axes[0].values, [json!({"log_uniform": [1e-5, 1e-2]})]);
}

/// Computed by other means from SHA-256 and ChaCha8. They are the draws of every version: runs that were made from them
/// are found again.
#[test]
fn draws_are_fixed_by_seed_sample_and_key() {
    let draws = |written: Value| -> Vec<Value> {
        let distribution = distribution(&written);
        (1..=4).map(|sample| distribution.draw(&mut stream(1, sample, "agent.x")).0).collect()
    };
    assert_eq!(draws(json!({"uniform": [0.0, 1.0]})), [0.573, 0.812, 0.699, 0.16].map(Value::from));
    assert_eq!(
        draws(json!({"log_uniform": [1e-5, 1e-2]})),
        [0.0005234, 0.002738, 0.001253, 3.012e-05].map(Value::from)
    );
    assert_eq!(draws(json!({"int_uniform": [8, 64]})), [40, 54, 47, 17].map(Value::from));
    assert_eq!(draws(json!({"int_log_uniform": [1, 512]})), [27, 140, 64, 2].map(Value::from));
    assert_eq!(draws(json!(["a", "b", "c"])), ["b", "c", "c", "a"].map(Value::from));
}

#[test]
fn more_samples_keep_the_earlier_ones() {
    let (few, many) = (values(&arms_of(&search(5, 1, AXES))), values(&arms_of(&search(20, 1, AXES))));
    assert_eq!(few, many[..5]);
    let other = values(&arms_of(&search(5, 2, AXES)));
    assert!(few.iter().zip(&other).all(|(a, b)| a.1 != b.1), "another seed draws others");
}

#[test]
fn an_axis_keeps_its_draws_beside_others_and_in_any_order() {
    let all = values(&arms_of(&search(8, 1, AXES)));
    let reversed: Vec<&str> = AXES.trim().lines().rev().collect();
    assert_eq!(values(&arms_of(&search(8, 1, &reversed.join("\n")))), all);
    let one = values(&arms_of(&search(8, 1, "\"agent.learning_rate\" = { log_uniform = [1e-5, 1e-2] }\n")));
    for ((_, alone), (_, beside)) in one.iter().zip(&all) {
        assert_eq!(alone["agent.learning_rate"], beside["agent.learning_rate"]);
    }
}

#[test]
fn every_point_of_a_finite_space_is_found_and_no_more() {
    // The base has 2 layers and rank 0, so it is one of the eight points.
    let axes = "\"agent.n_trainable_layers\" = [1, 2]\n\"agent.lora.rank\" = { int_uniform = [0, 3] }\n";
    for seed in 0..20 {
        let experiment = arms_of(&search(7, seed, axes));
        let points: BTreeSet<String> = experiment.arms.iter().map(|arm| format!("{:?}", arm.axes)).collect();
        assert_eq!((experiment.arms.len(), points.len()), (8, 8));
    }
    assert_eq!(
        errors_of(&search(8, 1, axes)),
        "x.toml:7: sweep.n_samples: expected at most 7, as many as the axes and rules have beside the base, found 8"
    );
    assert_eq!(
        errors_of(&search(8, 1, "\"agent.n_trainable_layers\" = [2]\n")),
        "x.toml:7: sweep.n_samples: the axes and rules have no arm but the base"
    );
}

#[test]
fn rules_reject_samples_and_others_take_their_place() {
    let rule = "[[sweep.exclude]]\n\"agent.n_trainable_layers\" = [0, 4]\nreward = \"cvar\"\n";
    let all = values(&arms_of(&search(30, 1, AXES)));
    let kept = values(&arms_of(&format!("{}{rule}", search(12, 1, AXES))));
    assert_eq!(kept.len(), 12);
    let is_kept = |values: &BTreeMap<String, Value>| {
        values["agent.n_trainable_layers"] == 1 || values["reward"] == "log-return"
    };
    let expected: Vec<_> = all.into_iter().filter(|(_, values)| is_kept(values)).take(12).collect();
    assert_eq!(kept, expected, "the others are those that would be drawn without the rule");
    let include = "[[sweep.include]]\n\"agent.n_trainable_layers\" = 0\n\"agent.lora.rank\" = [1, 2]\n";
    let axes = "\"agent.n_trainable_layers\" = [0, 1, 4]\n\"agent.lora.rank\" = { int_uniform = [1, 64] }\n";
    // The rules leave the base out as well.
    let names: Vec<String> = arms_of(&format!("{}{include}", search(2, 1, axes)))
        .arms
        .iter()
        .map(|arm| arm.axes.iter().map(|(_, v)| v.to_string()).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(["0 1", "0 2"]));
    assert!(errors_of(&format!("{}{include}", search(3, 1, axes))).contains("expected at most 2, "));
    assert_eq!(
        errors_of(&format!("{}[[sweep.exclude]]\n\"agent.lora.rnk\" = 4\n", search(3, 1, axes))),
        "x.toml:13: sweep.exclude[0].\"agent.lora.rnk\": unknown key; did you mean \"agent.lora.rank\"?"
    );
}

#[test]
fn a_bad_distribution_is_named() {
    let key = "\"agent.ent_coef\"";
    let names = "one of uniform, log_uniform, int_uniform, int_log_uniform";
    for (written, expected) in [
        ("{ uniform = [0.1] }", "expected two numbers, the lower one first, found uniform = [0.1]"),
        ("{ uniform = [0.2, 0.1] }", "expected two numbers, the lower one first, found uniform = [0.2, 0.1]"),
        ("{ uniform = [0.1, 0.1] }", "expected two numbers, the lower one first, found uniform = [0.1, 0.1]"),
        ("{ uniform = \"wide\" }", "expected two numbers, the lower one first, found uniform = \"wide\""),
        (
            "{ log_uniform = [0, 0.1] }",
            "expected two numbers > 0, the lower one first, found log_uniform = [0, 0.1]",
        ),
        (
            "{ int_uniform = [1, 2.5] }",
            "expected two whole numbers, the lower one first, found int_uniform = [1, 2.5]",
        ),
        (
            "{ int_log_uniform = [0, 8] }",
            "expected two whole numbers > 0, the lower one first, found int_log_uniform = [0, 8]",
        ),
        ("0.1", "expected a list that is not empty or a table, found 0.1"),
        ("[]", "expected a list that is not empty, found []"),
    ] {
        assert_eq!(axis_error(&format!("{key} = {written}")), format!("{key}: {expected}"));
    }
    assert_eq!(
        axis_error(&format!("{key} = {{ uniform = [0, 1], log_uniform = [1, 2] }}")),
        format!("{key}: expected {names}, alone, found {{ uniform = [0, 1], log_uniform = [1, 2] }}")
    );
    assert_eq!(
        axis_error(&format!("{key} = {{ log_unifrom = [0.1, 0.2] }}")),
        format!("{key}: expected {names} (did you mean \"log_uniform\"?), found \"log_unifrom\"")
    );
    assert_eq!(
        axis_error(&format!("{key} = {{ normal = [0.1, 0.2] }}")),
        format!("{key}: expected {names}, found \"normal\"")
    );
}

#[test]
fn what_an_arm_does_not_accept_is_told_once_an_axis() {
    assert_eq!(
        axis_error("\"agent.ent_coef\" = { uniform = [-2, -1] }").split(", found").next(),
        Some("\"agent.ent_coef\": expected a number >= 0")
    );
    let text = axis_error("\"agent.lora.rank\" = { uniform = [0, 8] }");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.starts_with("\"agent.lora.rank\": expected a whole number >= 0 and <= 64, found "),
        "{text}"
    );
    assert!(
        axis_error("\"agent.lora.rnk\" = { int_uniform = [0, 8] }").ends_with("did you mean \"rank\"?"),
        "the key itself"
    );
}

#[test]
fn a_search_needs_samples_axes_and_validation_data() {
    assert_eq!(
        errors_of("[sweep]\nmode = \"random\"\n"),
        "x.toml:2: sweep.n_samples: expected how many arms are drawn, found nothing\n\
         x.toml:2: sweep.axes: expected at least one axis to draw from, found nothing\n\
         base.toml:8: split.valid: expected first and last date of the part on which sweep.mode = \"random\" \
         selects an arm, found nothing"
    );
    assert_eq!(
        errors_of(&search(0, 1, AXES)),
        "x.toml:7: sweep.n_samples: expected a whole number >= 1 and <= 20000, found 0"
    );
    let text = format!("[sweep]\nselect = \"calmar\"\n[sweep.axes]\n{AXES}");
    let text = text.replace("{ log_uniform = [1e-5, 1e-2] }", "[1e-3]");
    let text = text.replace("{ uniform = [0, 0.05] }", "[0]").replace("{ int_uniform = [1, 64] }", "[1]");
    assert!(errors_of(&text).contains("on which sweep.select = \"calmar\" selects an arm"));
    let grid = arms_of(&format!("{VALID}{text}"));
    assert_eq!((grid.mode, grid.select), (Some(Mode::OneAtATime), Some(SelectionMetric::Calmar)));
    assert_eq!(arms_of("[sweep.axes]\n\"agent.ent_coef\" = [0.1]\n").select, None);
    assert!(errors_of(&format!("{VALID}[sweep]\nselect = \"sharp\"\n")).contains(
        "sweep.select: expected one of sharpe, sortino, calmar, cumulative_return, annual_return, \
             max_drawdown (did you mean \"sharpe\"?), found \"sharp\""
    ));
}

#[test]
fn what_only_a_search_reads_is_refused_elsewhere() {
    assert_eq!(
        errors_of(
            "[sweep]\nmode = \"grid\"\nseed = 1\nn_samples = 3\n[sweep.axes]\n\"agent.ent_coef\" = { uniform = [0, 1] }\n"
        ),
        "x.toml:5: sweep.n_samples: needs sweep.mode = \"random\", found \"grid\"\n\
         x.toml:4: sweep.seed: needs sweep.mode = \"random\", found \"grid\"\n\
         x.toml:7: sweep.axes.\"agent.ent_coef\": needs sweep.mode = \"random\", found \"grid\""
    );
}

#[test]
fn a_later_layer_replaces_the_distribution_of_an_axis() {
    let folder = over_base(&search(5, 1, "agent.ent_coef = { uniform = [0, 1] }\n"));
    let axis = |folder: &Folder, set: &str| {
        let set = format!("sweep.axes.\"agent.ent_coef\"={set}");
        folder.load("x.toml", &[&set], &[]).unwrap().axes.remove(0).values
    };
    let slip = "sweep.axes.\"agent.ent_coef\"={ unifrom = [0, 1] }";
    assert!(
        folder
            .errors("x.toml", &[slip], &[])
            .starts_with("--set: sweep.axes.\"agent.ent_coef\": expected one of"),
        "the layer that has it"
    );
    assert_eq!(axis(&folder, "{ uniform = [2, 3] }"), [json!({"uniform": [2, 3]})]);
    assert_eq!(axis(&folder, "{ log_uniform = [0.1, 1] }"), [json!({"log_uniform": [0.1, 1]})]);
    assert_eq!(axis(&folder, "[0.5, 1, 2, 3, 4]"), [0.5, 1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn drawn_numbers_are_short() {
    let digits = |written: Value| {
        let distribution = distribution(&written);
        let long = |sample| {
            let text = distribution.draw(&mut stream(3, sample, "k")).0.to_string();
            text.split('e').next().unwrap().trim_start_matches(['0', '.', '-']).replace('.', "").len()
        };
        (1..200).map(long).max().unwrap()
    };
    assert_eq!(digits(json!({"log_uniform": [1e-7, 1e3]})), 4);
    assert_eq!(digits(json!({"uniform": [0.0, 0.05]})), 4);
    // As fine as the range, not as the number.
    assert_eq!(digits(json!({"uniform": [0.99, 0.9999]})), 6);
    assert_eq!(digits(json!({"log_uniform": [0.99, 0.9999]})), 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Means over 4,000 draws are within five standard errors of what the distribution has.
    #[test]
    fn draws_have_the_mean_of_their_distribution(seed: u64, low in 1i64..50, width in 1i64..500) {
        let high = low + width;
        let (a, b) = (low as f64 / 100.0, high as f64 / 100.0);
        let n = 4_000;
        let mean = |written: Value, of: fn(f64) -> f64| {
            let distribution = distribution(&written);
            let draws = (0..n).map(|k| of(distribution.draw(&mut stream(seed, k, "k")).0.as_f64().unwrap()));
            draws.sum::<f64>() / n as f64
        };
        let error = |range: f64| 5.0 * range / (12.0 * n as f64).sqrt();
        let near = |found: f64, wanted: f64, range: f64| (found - wanted).abs() <= error(range) + 1e-3 * range;
        let found = mean(json!({"uniform": [a, b]}), |x| x);
        prop_assert!(near(found, (a + b) / 2.0, b - a));
        let (ln_a, ln_b) = (a.ln(), b.ln());
        let found = mean(json!({"log_uniform": [a, b]}), f64::ln);
        prop_assert!(near(found, (ln_a + ln_b) / 2.0, ln_b - ln_a));
        let wide = width as f64 + 1.0;
        let found = mean(json!({"int_uniform": [low, high]}), |x| x);
        prop_assert!(near(found, (low + high) as f64 / 2.0, wide));
        let choice: Vec<i64> = (low..=high).collect();
        let found = mean(json!(choice), |x| x);
        prop_assert!(near(found, (low + high) as f64 / 2.0, wide));
        // P(k) = ln((k + 1/2) / (k - 1/2)) / ln((high + 1/2) / (low - 1/2))
        let total = ((high as f64 + 0.5) / (low as f64 - 0.5)).ln();
        let p = |k: i64| ((k as f64 + 0.5) / (k as f64 - 0.5)).ln() / total;
        let wanted: f64 = (low..=high).map(|k| k as f64 * p(k)).sum();
        let found = mean(json!({"int_log_uniform": [low, high]}), |x| x);
        prop_assert!(near(found, wanted, 2.0 * wide));
    }

    #[test]
    fn draws_stay_within_their_bounds(seed: u64, a in -1e6..1e6f64, width in 1e-9..1e6f64, n in 1i64..1000) {
        let b = a + width;
        let within = |written: Value, low: f64, high: f64| {
            let distribution = distribution(&written);
            (0..50).all(|k| {
                let x = distribution.draw(&mut stream(seed, k, "k")).0.as_f64().unwrap();
                (low..=high).contains(&x)
            })
        };
        let is_within = within(json!({"uniform": [a, b]}), a, b);
        prop_assert!(is_within);
        let is_within = within(json!({"log_uniform": [width, 1e7]}), width, 1e7);
        prop_assert!(is_within);
        let is_within = within(json!({"int_uniform": [-n, n]}), -n as f64, n as f64);
        prop_assert!(is_within);
        let is_within = within(json!({"int_log_uniform": [n, n + 1]}), n as f64, n as f64 + 1.0);
        prop_assert!(is_within);
    }
}

#[test]
fn the_widest_bounds_draw_without_overflow() {
    for written in [
        json!({"int_uniform": [i64::MIN, i64::MAX]}),
        json!({"int_log_uniform": [1, i64::MAX]}),
        json!({"uniform": [-1.7e308, 1.7e308]}),
        json!({"log_uniform": [5e-324, 1.7e308]}),
    ] {
        let distribution = distribution(&written);
        let draws: BTreeSet<String> =
            (0..20).map(|k| distribution.draw(&mut stream(0, k, "k")).0.to_string()).collect();
        assert_eq!(draws.len(), 20, "{written}");
    }
}
