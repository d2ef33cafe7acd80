//! Made-up runs whose differences are known by hand.

use proptest::prelude::*;
use serde_json::json;
use trading_env::{Action, DeviceInfo, StepRecord};

use super::{First, backend_sentences, backends, compared};
use crate::render::html;
use crate::tests::twins::{self, Left, left, step};
use crate::{ReportInput, TableFormat, collect, summary, tables};

/// `run`: what the run of a backend and seed leaves; `Err` is a reason to skip it.
fn input(
    backends: &[&str],
    seeds: u64,
    run: impl Fn(&str, u64) -> Result<Left, &'static str>,
) -> ReportInput {
    let (demo, plan) = twins::plan(backends, &[0], seeds);
    let root = tempfile::tempdir().unwrap();
    let store = twins::run(root.path(), &demo, &plan, |kind, _, seed| run(kind, seed));
    collect(&store, &plan).unwrap()
}

/// Seed 0: another last bit at step 4, another action at step 7. Seed 1: the sign of a zero at step 2. Seed 2: the value
/// of step 10, and nothing in the first update.
fn known(kind: &str, seed: u64) -> Left {
    let mut run = left(seed);
    if kind == "flex" {
        return run;
    }
    match seed {
        0 => {
            run.steps[3].log_prob = Some(f32::from_bits((-1.25f32).to_bits() + 1));
            run.steps[6].action = Action::Buy;
        }
        1 => run.steps[1].reward = -0.0,
        _ => run.steps[9].value = None,
    }
    run.updates[usize::from(seed == 2)].grad_norm = 0.2;
    run.parameters[1] += 0.5;
    run.speeds = vec![300.0];
    run.sharpe = Some(1.0 + seed as f64 + [0.1, -0.2, 0.4][seed as usize]);
    run
}

#[test]
fn differences_are_those_that_were_made() {
    let input = input(&["flex", "wgpu"], 3, |kind, seed| Ok(known(kind, seed)));
    let pairs = &input.backends.pairs;
    let found: Vec<_> = pairs
        .iter()
        .map(|p| (p.first_difference, p.first_action, p.equal_updates, p.updates, p.steps))
        .collect();
    assert_eq!(found, [(Some(4), Some(7), 0, 2, 10), (Some(2), None, 0, 2, 10), (Some(10), None, 1, 2, 10)]);
    // ||(0, 0.5)|| over the norms of (3, 4), (3, 5) and (3, 6).
    for (pair, size) in pairs.iter().zip([25.0f64, 34.0, 45.0]) {
        let parameters = pair.parameters.unwrap();
        assert!((parameters.relative - 0.5 / size.sqrt()).abs() < 1e-15 && !parameters.is_equal);
    }
    // Seeds 0 and 1, 1 and 2 on flex.
    let between: Vec<f64> = input.backends.seeds.iter().map(|(_, d)| *d).collect();
    assert!((between[0] - 0.2).abs() < 1e-15 && (between[1] - 1.0 / 34f64.sqrt()).abs() < 1e-15);
    assert_eq!(between.len(), 2);

    let all = compared(&input);
    let [one] = all.as_slice() else { panic!("one arm on two backends") };
    assert_eq!(one.first_difference, First { earliest: Some(2), median: Some(4.0), never: 0, n: 3 });
    assert_eq!(one.first_action, First { earliest: Some(7), median: None, never: 2, n: 3 });
    // One unit in the last place of 1.25.
    assert_eq!(one.log_prob, Some(2f64.powi(-23)));
    assert_eq!((one.equal_updates, one.speeds), (Some(0.0), [Some(30.0), Some(300.0)]));
    // The Sharpe ratios 1, 2 and 3 have a standard deviation of 1; the differences 0.1, -0.2 and 0.4.
    let change = (0.21f64 / 3.0).sqrt();
    assert!((one.noise.unwrap() - 1.0).abs() < 1e-12);
    assert!((one.change().unwrap() - change).abs() < 1e-12);
    assert!((one.share().unwrap() - change / 2f64.sqrt()).abs() < 1e-12);
    assert!((one.difference.mean().unwrap() - 0.1).abs() < 1e-12);
    assert_eq!(
        one.sentence(),
        "The backends part at step 4 of 10 in the median of 3 seeds, at the earliest at step 2; another action is \
         taken in 1 of 3 seeds, at the earliest at step 7; until then log-probabilities differ by 1.2e\u{2212}7 at most; \
         the trained parameters end 46% as far apart as those of two \
         seeds. A seed's test Sharpe ratio changes by 0.26, 0.19 of what another seed changes (1.41); the mean \
         difference of 0.10 has an interval of \u{2212}0.20 to 0.40, which covers zero: no difference is shown."
    );
}

#[test]
fn the_section_stands_on_the_page_and_in_texts() {
    let input = input(&["flex", "wgpu"], 3, |kind, seed| Ok(known(kind, seed)));
    let html = html(&input).unwrap();
    assert!(html.contains(r#"<section id="backends">"#) && html.contains(r##"<a href="#backends">"##));
    assert!(html.contains("wgpu against flex") && html.contains("no difference shown"));
    let markdown = tables(&input, TableFormat::Markdown);
    let row = "| rank=0 | wgpu against flex | 4 (from 2) | none (from 7) | 0.0857 (46%) | 0.10 ";
    assert!(markdown.contains(row), "{markdown}");
    assert!(tables(&input, TableFormat::Latex).contains("wgpu against flex & 4 (from 2)"));
    let json = &summary(&input)["backends"][0];
    assert_eq!(
        (&json["arm"], &json["reference"], &json["other"]),
        (&json!("rank=0"), &json!("flex"), &json!("wgpu"))
    );
    assert_eq!(json["first_difference"], json!({ "earliest": 2, "median": 4.0, "never": 0 }));
    assert_eq!(json["first_action"], json!({ "earliest": 7, "median": null, "never": 2 }));
}

#[test]
fn what_is_known_of_a_device_is_told() {
    let mut input = input(&["flex", "wgpu"], 1, |_, seed| Ok(left(seed)));
    let is_other = |run: &&mut crate::ReportRun| input.plan.arms[run.arm].name.contains("wgpu");
    let run = input.runs.iter_mut().find(is_other).unwrap();
    run.manifest.as_mut().unwrap().start.device = Some(DeviceInfo {
        adapter: Some("a card".to_owned()),
        driver: Some("NVIDIA 570.86.15".to_owned()),
        api: Some("vulkan".to_owned()),
        memory_bytes: Some(80 << 30),
    });
    let told = "wgpu on a made-up device, vulkan, driver NVIDIA 570.86.15, 80.0 GiB of memory";
    let section = backends(&input).unwrap();
    let flex = "flex on a made-up device".to_owned();
    assert_eq!(
        section.devices,
        [("flex".to_owned(), vec![flex]), ("wgpu".to_owned(), vec![told.to_owned()])]
    );
    assert!(html(&input).unwrap().contains(&format!("wgpu: {told}")), "in the provenance too");
}

#[test]
fn without_several_backends_there_is_no_section() {
    let input = crate::tests::page::input(3);
    assert!(input.backends == Default::default() && backends(&input).is_none());
    assert!(backend_sentences(&input).is_empty() && summary(&input).get("backends").is_none());
    assert!(!html(&input).unwrap().contains("id=\"backends\""));
}

#[test]
fn a_skipped_backend_is_named_with_its_reason() {
    let input = input(&["cuda", "flex", "wgpu"], 2, |kind, seed| match kind {
        "cuda" => Err("no <adapter> here"),
        kind => Ok(known(kind, seed)),
    });
    // The first of the axis has no run: the next one is the reference.
    let sentences = backend_sentences(&input);
    assert_eq!(sentences[0], "rank=0, cuda against flex: No seed has completed on both flex and cuda.");
    assert!(
        sentences[1].starts_with("rank=0, wgpu against flex: The backends part at step 3 of 10"),
        "{sentences:?}"
    );
    assert!(sentences[1].ends_with("with 2 seeds that is an anecdote."), "{sentences:?}");
    assert_eq!(sentences[2], "cuda: 2 runs skipped, no <adapter> here");
    let html = html(&input).unwrap();
    assert!(html.contains("cuda: 2 runs skipped, no &lt;adapter&gt; here"), "escaped");
}

#[test]
fn with_all_others_skipped_the_section_says_so() {
    let input = input(&["flex", "wgpu"], 2, |kind, seed| match kind {
        "flex" => Ok(left(seed)),
        _ => Err("no adapter"),
    });
    let section = backends(&input).unwrap();
    assert_eq!((section.rows.len(), section.rows[0].words, section.seeds.len()), (1, "no result", 0));
    assert_eq!(section.skipped, ["wgpu: 2 runs skipped, no adapter"]);
}

#[test]
fn a_run_that_is_shorter_differs_where_it_ends() {
    let input = input(&["flex", "wgpu"], 1, |kind, seed| {
        let mut run = left(seed);
        run.steps.truncate(if kind == "flex" { 10 } else { 6 });
        Ok(run)
    });
    let pair = &input.backends.pairs[0];
    assert_eq!((pair.first_difference, pair.first_action, pair.steps), (Some(7), Some(7), 10));
}

#[test]
fn what_happens_first_has_a_median_that_counts_never_as_last() {
    let of = |steps: &[Option<usize>]| First::of(steps.iter().copied()).median;
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[None]), None);
    assert_eq!(of(&[Some(3), None]), None);
    assert_eq!(of(&[Some(3), Some(5), None]), Some(5.0));
    assert_eq!(of(&[Some(3), None, None]), None);
    assert_eq!(of(&[Some(8), Some(3)]), Some(5.5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever runs hold: the same on both backends is equal in every bit, and one other bit is found where it is.
    #[test]
    fn equal_runs_are_equal_and_one_bit_is_found(
        numbers in proptest::collection::vec((any::<u32>(), any::<u32>(), any::<u64>(), 0..3usize), 1..30),
        parameters in proptest::collection::vec(-1e3f32..1e3, 1..9),
        at in any::<prop::sample::Index>(),
        bit in 0..32u32,
    ) {
        let run = |changed: bool| {
            let place = at.index(numbers.len());
            let steps = numbers.iter().enumerate().map(|(i, (log_prob, value, reward, action))| StepRecord {
                log_prob: Some(f32::from_bits(log_prob ^ if changed && i == place { 1 << bit } else { 0 })),
                value: Some(f32::from_bits(*value)),
                reward: f64::from_bits(*reward),
                action: Action::ALL[*action],
                ..step(i as u32)
            });
            Left { steps: steps.collect(), parameters: parameters.clone(), ..left(0) }
        };
        let equal = input(&["flex", "wgpu"], 1, |_, _| Ok(run(false)));
        prop_assert!(equal.backends.pairs[0].is_equal());
        prop_assert_eq!(&compared(&equal)[0].sentence(), "Equal in every bit, steps, updates and trained parameters, in the one seed.");
        let other = input(&["flex", "wgpu"], 1, |kind, _| Ok(run(kind == "wgpu")));
        prop_assert_eq!(other.backends.pairs[0].first_difference, Some(at.index(numbers.len()) + 1));
        prop_assert_eq!(other.backends.pairs[0].first_action, None);
    }
}

#[test]
fn seeds_that_all_score_the_same_have_a_noise_of_zero_and_nothing_to_compare_with() {
    let input = input(&["flex", "wgpu"], 3, |kind, seed| {
        Ok(Left { sharpe: Some(if kind == "flex" { 1.0 } else { 1.5 }), ..known(kind, seed) })
    });
    let all = compared(&input);
    assert_eq!((all[0].noise, all[0].share(), all[0].change()), (Some(0.0), None, Some(0.5)));
    let told = "A seed's test Sharpe ratio changes by 0.50; the mean difference of 0.50 has an interval of 0.50 to 0.50, \
                which excludes zero: a difference is shown.";
    assert!(all[0].sentence().ends_with(told), "{}", all[0].sentence());
}
