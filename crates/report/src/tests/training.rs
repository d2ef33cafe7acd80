//! The diagnostics of updates: thinning, bands, gaps.

use trading_env::{Role, UpdateRecord};

use super::page::{ablation, input, input_of, own_text};
use crate::ReportInput;
use crate::band::Band;
use crate::groups::groups;
use crate::numbers::rounded;
use crate::page::page;
use crate::render::html;
use crate::training::{MOST_POINTS, Training, training};

/// Eight steps per update.
fn row(update: u32, entropy: f64) -> UpdateRecord {
    UpdateRecord { update, global_step: 8 * (u64::from(update) + 1), entropy, ..UpdateRecord::default() }
}

/// Only the base has updates: one list per seed.
fn with_updates(seeds: &[Vec<UpdateRecord>]) -> ReportInput {
    let mut input = input(3);
    for run in &mut input.runs {
        run.updates = Vec::new();
    }
    for (run, updates) in input.runs.iter_mut().zip(seeds) {
        assert_eq!(run.arm, 0);
        run.updates = updates.clone();
    }
    input
}

fn training_of(input: &ReportInput) -> Training {
    training(&groups(input)[0]).unwrap()
}

/// The band of the first line by the diagnostic's name.
fn band<'a>(training: &'a Training, label: &str) -> &'a Band {
    let d = training.diagnostics.iter().position(|d| d.label == label).unwrap();
    training.lines[0].bands[d].as_ref().unwrap()
}

#[test]
fn a_band_spans_the_series_that_have_a_value() {
    let series = [
        vec![Some(1.0), Some(2.0), None, None, Some(7.0)],
        vec![Some(3.0), Some(2.0), Some(5.0)],
        vec![None, Some(f64::NAN), Some(-1.0), None],
    ];
    let band = Band::new(&series, |v| rounded(v, 3)).unwrap();
    assert_eq!(band.mean, [Some(2.0), Some(2.0), Some(2.0), None, Some(7.0)]);
    assert_eq!(band.low.unwrap(), [Some(1.0), Some(2.0), Some(-1.0), None, Some(7.0)]);
    assert_eq!(band.high.unwrap(), [Some(3.0), Some(2.0), Some(5.0), None, Some(7.0)]);
    // Seeds that agree have no spread, and no value at all is no band.
    let agree = Band::new(&[vec![Some(1.0)], vec![Some(1.0)]], |v| v).unwrap();
    assert_eq!((agree.low, agree.high), (None, None));
    assert_eq!(Band::new(&[vec![None, None]], |v| v), None);
    assert_eq!(Band::new(&[], |v| v), None);
}

#[test]
fn seeds_that_end_early_leave_the_rest_to_the_others() {
    // Seed 0 fails in its third update, whose entropy is not a number.
    let seeds = [
        vec![row(0, 1.0), row(1, 0.8), row(2, f64::NAN)],
        vec![row(0, 0.9), row(1, 0.6), row(2, 0.5), row(3, 0.4)],
        vec![],
    ];
    let training = training_of(&with_updates(&seeds));
    let line = &training.lines[0];
    assert_eq!((line.name.as_str(), line.n, training.lines.len()), ("base", 2, 1));
    assert_eq!(line.steps, [8, 16, 24, 32]);
    assert_eq!((training.updates_per_point, training.last_step), (1, 32));
    let entropy = band(&training, "Entropy");
    assert_eq!(entropy.mean, [Some(0.95), Some(0.7), Some(0.5), Some(0.4)]);
    assert_eq!(entropy.low.as_ref().unwrap(), &[Some(0.9), Some(0.6), Some(0.5), Some(0.4)]);
    assert_eq!(entropy.high.as_ref().unwrap(), &[Some(1.0), Some(0.8), Some(0.5), Some(0.4)]);
}

#[test]
fn a_long_run_is_thinned_to_means_of_consecutive_updates() {
    // 121 updates are one too many: pairs, and the last update alone. Entropy is the number of the update, so that
    // pair k has 2 k + 1/2; steps are 8 (u + 1), so that it stands at 8 (2 k + 3/2) = 16 k + 12.
    let whole: Vec<_> = (0..=MOST_POINTS).map(|u| row(u, f64::from(u))).collect();
    // The second seed reached three updates: its second point is update 2 alone.
    let ragged: Vec<_> = (0..3).map(|u| row(u, f64::from(u) + 1.0)).collect();
    let training = training_of(&with_updates(&[whole, ragged, vec![]]));
    let line = &training.lines[0];
    assert_eq!((training.updates_per_point, line.steps.len()), (2, 61));
    assert_eq!((&line.steps[..3], line.steps[60]), (&[12, 28, 44][..], 8 * 121));
    let entropy = band(&training, "Entropy");
    // (0.5 + 1.5) / 2; (2.5 + 3) / 2; then the first seed alone.
    assert_eq!(entropy.mean[..3], [Some(1.0), Some(2.75), Some(4.5)]);
    assert_eq!((entropy.mean.len(), entropy.mean[60]), (61, Some(120.0)));
    let (low, high) = (entropy.low.as_ref().unwrap(), entropy.high.as_ref().unwrap());
    assert_eq!(
        (&low[..3], &high[..3]),
        (&[Some(0.5), Some(2.5), Some(4.5)][..], &[Some(1.5), Some(3.0), Some(4.5)][..])
    );

    let exactly: Vec<_> = (0..MOST_POINTS).map(|u| row(u, 1.0)).collect();
    assert_eq!(training_of(&with_updates(&[exactly])).updates_per_point, 1);
    let far = training_of(&with_updates(&[vec![row(0, 1.0), row(u32::MAX, 1.0)]]));
    assert_eq!(far.lines[0].steps.len(), 2);
}

#[test]
fn absent_values_are_gaps_and_diagnostics_without_any_are_left_out() {
    let mut rows: Vec<_> = (0..4).map(|u| row(u, 1.0)).collect();
    (rows[1].episode_return, rows[3].episode_return) = (Some(0.5), Some(-0.25));
    let input = with_updates(&[rows]);
    let training = training_of(&input);
    assert_eq!(band(&training, "Episode return").mean, [None, Some(0.5), None, Some(-0.25)]);
    let labels: Vec<_> = training.diagnostics.iter().map(|d| d.label).collect();
    assert!(!labels.contains(&"KL to the initial policy") && !labels.contains(&"Explained variance"));
    assert_eq!((labels.len(), training.lines[0].bands.len()), (11, 11));
    let json = serde_json::to_value(&training.lines[0].bands[0]).unwrap();
    assert_eq!(json, serde_json::json!({"mean": [null, 0.5, null, -0.25]}));
    // The last value that there is, in words.
    let (page, _) = page(&input);
    let end = &page.training[0].ends[0];
    assert_eq!((end.runs.as_str(), end.step.as_str(), end.values[0].as_str()), ("1", "32", "\u{2212}0.250"));
}

#[test]
fn a_point_of_updates_with_and_without_a_value_is_the_mean_of_those_that_have_one() {
    let mut rows: Vec<_> = (0..=MOST_POINTS).map(|u| row(u, 1.0)).collect();
    rows[0].explained_variance = Some(0.5);
    (rows[2].explained_variance, rows[3].explained_variance) = (Some(0.25), Some(0.75));
    let training = training_of(&with_updates(&[rows]));
    assert_eq!(band(&training, "Explained variance").mean[..3], [Some(0.5), Some(0.5), None]);
}

#[test]
fn a_failed_run_is_shown_as_far_as_it_got() {
    let input = input(3);
    let failed = input.runs.iter().find(|r| r.arm == 3 && r.seed == 1).unwrap();
    assert_eq!((failed.state.word(), failed.updates.len()), ("failed", 17));
    let (page, charts) = page(&input);
    let training = charts.groups[0].training.as_ref().unwrap();
    // 8 environments of 40 steps; the plan's last run was never started, and it is of a baseline.
    assert_eq!((training.lines.len(), training.last_step), (8, 20 * 320));
    assert_eq!((training.lines[3].n, training.lines[3].steps.len()), (3, 20));
    assert!(training.lines.iter().all(|l| l.look.hue.is_some()), "baselines have no updates");
    assert_eq!(training.lines.iter().filter(|l| l.shown).count(), 6);
    assert_eq!((page.training.len(), page.training[0].hidden_lines), (1, 2));
    // Lines look as in the chart of accounts.
    let accounts = charts.groups[0].accounts.as_ref().unwrap();
    for line in &training.lines {
        assert_eq!(accounts.lines.iter().find(|l| l.name == line.name).unwrap().look, line.look);
    }
    // Only two arms have a KL to the initial policy; the others are absent there.
    let kl = training.diagnostics.iter().position(|d| d.label == "KL to the initial policy").unwrap();
    assert_eq!(training.lines.iter().filter(|l| l.bands[kl].is_some()).count(), 2);
    assert_eq!(page.training[0].ends[0].values[kl], "–");
}

#[test]
fn controls_are_one_click_away_and_baselines_are_left_out() {
    let mut input = with_updates(&[vec![row(0, 1.0)]]);
    input.plan.arms[0].role = Role::Control;
    let line = &training_of(&input).lines[0];
    assert!(!line.shown && line.look.hue.is_none());
    input.plan.arms[0].role = Role::Baseline;
    assert!(training(&groups(&input)[0]).is_none());
}

#[test]
fn without_updates_there_is_no_section() {
    let input = with_updates(&[]);
    assert!(training(&groups(&input)[0]).is_none());
    let html = own_text(&html(&input).unwrap());
    assert!(!html.contains("id=\"training\"") && !html.contains("class=\"training"));
    assert_eq!(html.matches("role=\"img\"").count(), 2 + 2 + 3 + 3);
}

#[test]
fn each_data_set_has_its_own_charts_of_training() {
    let demo =
        super::demo::Demo { symbols: vec!["MSFT", "JNJ"], mode: "grid", troubled: false, ..ablation(3) };
    let mut input = input_of(&demo, &demo.plan());
    let own = own_text(&html(&input).unwrap());
    assert_eq!(own.matches("class=\"training needs-script\"").count(), 2);
    assert_eq!(
        own.matches("Rises, then levels off").count(),
        1 + 2,
        "said once, and in the data of each group"
    );
    // A group without updates has none; the other one keeps its place in the data.
    let (of_first, _): (Vec<_>, Vec<_>) =
        (0..input.plan.arms.len()).partition(|i| input.plan.arms[*i].spec["data"]["symbol"] == "MSFT");
    for run in input.runs.iter_mut().filter(|r| of_first.contains(&r.arm)) {
        run.updates.clear();
    }
    let (page, _) = page(&input);
    assert_eq!(page.training.iter().map(|t| (t.group, t.heading.as_str())).collect::<Vec<_>>(), [(1, "JNJ")]);
}
