//! The whole page.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};
use stats::{Seed, SeedScores};
use store::RunState;
use trading_env::{Action, Role};

use super::demo::Demo;
use crate::page::page;
use crate::render::html;
use crate::{Curve, PlanInfo, ReportInput, collect, render};

pub(crate) fn ablation(seeds: u64) -> Demo {
    Demo {
        name: "ablation",
        title: "Depth, rank & reward",
        symbols: vec!["SYN"],
        seeds,
        days: 60,
        updates: 20,
        mode: "one-at-a-time",
        troubled: true,
        controls: false,
        rescored: false,
    }
}

pub(crate) fn input_of(demo: &Demo, plan: &PlanInfo) -> ReportInput {
    let root = tempfile::tempdir().unwrap();
    let store = demo.run(root.path(), plan);
    collect(&store, plan).unwrap()
}

/// The troubled ablation with 3 or 5 seeds, made once: a store of real files takes its time.
pub(crate) fn input(seeds: u64) -> ReportInput {
    static THREE: LazyLock<ReportInput> = LazyLock::new(|| input_of(&ablation(3), &ablation(3).plan()));
    static FIVE: LazyLock<ReportInput> = LazyLock::new(|| input_of(&ablation(5), &ablation(5).plan()));
    match seeds {
        3 => THREE.clone(),
        5 => FIVE.clone(),
        other => panic!("no store with {other} seeds"),
    }
}

/// The page without the chart library, whose text is not ours.
pub(super) fn own_text(html: &str) -> String {
    let begin = html.find("/*\n* Licensed to the Apache").expect("the library's header");
    let end = begin + html[begin..].find("</script>").expect("its end");
    format!("{}{}", &html[..begin], &html[end..])
}

#[test]
fn all_sections_are_there() {
    let html = html(&input(3)).unwrap();
    assert!(html.starts_with("<!doctype html>"));
    for part in [
        "What was run",
        "Results on SYN",
        "Effect of each setting",
        "Runs that failed or were skipped",
        "Completed runs with warnings",
        "<h2>Training</h2>",
        "Arms and what each changes",
        "Provenance",
        "Every setting of the base",
        "agent.n_trainable_layers",
        "buy-and-hold",
        "investor-bench",
        "diverged at update 17: policy_loss is NaN",
        "e4232478f1c0a9d2b7",
        "burn 0.22.1",
        "cargo xtask sweep experiments/ablation.toml",
        "InvestorBench formulas",
        "<noscript>",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(html.contains(part), "{part}");
    }
    // Every chart has words for those who do not see it.
    // Accounts, forests, figures, effects, diagnostics.
    let charts = 2 + 2 + 3 + 3 + 13;
    assert_eq!(html.matches("role=\"img\"").count(), charts);
    assert_eq!(own_text(&html).matches("role=\"img\" aria-label=\"").count(), charts);
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let html = own_text(&html(&input(3)).unwrap());
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn text_from_files_is_escaped_everywhere() {
    let demo = ablation(3);
    let hostile = "</script><script>alert('x')</script>";
    let mut plan = demo.plan();
    plan.title = Some(hostile.to_owned());
    plan.arms[0].name = hostile.to_owned();
    plan.runs.iter_mut().filter(|r| r.arm == "base").for_each(|r| r.arm = hostile.to_owned());
    plan.axes[0].values.push(json!(hostile));
    plan.arms[1].axes["agent.n_trainable_layers"] = json!(hostile);
    plan.base["data"]["path"] = json!(hostile);
    plan.arms.iter_mut().for_each(|a| a.spec["data"]["symbol"] = json!(hostile));
    plan.command = hostile.to_owned();
    let input = input_of(&demo, &plan);
    let html = own_text(&html(&input).unwrap());
    assert!(!html.contains("<script>alert"), "text became an element");
    assert!(html.contains("&lt;script&gt;alert"), "the text is shown");
    // The page's own three scripts and nothing else.
    assert_eq!(html.matches("<script").count(), 3);
    assert_eq!(html.matches("</script").count(), 3);
    let begin = html.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let data: Value =
        serde_json::from_str(&html[begin..begin + html[begin..].find("</script>").unwrap()]).unwrap();
    assert_eq!(data["groups"][0]["accounts"]["lines"][0]["name"], hostile);
    assert_eq!(data["groups"][0]["training"]["lines"][0]["name"], hostile);
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let input = input(3);
    let out = tempfile::tempdir().unwrap();
    let path = render(&input, out.path()).unwrap();
    assert_eq!(path, out.path().join("ablation/index.html"));
    let first = std::fs::read(&path).unwrap();
    assert_eq!(render(&input, out.path()).unwrap(), path);
    assert!(std::fs::read(&path).unwrap() == first);
    let names = |folder: &Path| {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let folder = path.parent().unwrap();
    assert_eq!(names(folder), ["assets", "index.html", "runs"], "no temporary file stays");
    let started = input.runs.iter().filter(|r| r.manifest.is_some());
    let mut pages: Vec<String> = started.map(|r| format!("{}.html", r.run_id)).collect();
    pages.sort();
    assert_eq!(names(&folder.join("runs")), pages, "a page for every run that was started");
}

#[test]
fn means_and_intervals_are_those_of_the_completed_seeds() {
    let input = input(5);
    let (page, _) = page(&input);
    let row = &page.groups[0].table.arms[0];
    assert_eq!((row.name.as_str(), row.is_base, row.completed, row.planned), ("base", true, 5, 5));
    let scores = input.runs.iter().filter(|r| r.arm == 0).map(|r| (Seed(r.seed), r.test_metric("sharpe")));
    let scores = SeedScores::new(scores);
    let interval = scores.interval(0.95).unwrap();
    assert_eq!(row.cells[0].mean, crate::numbers::fixed(scores.mean(), 2));
    let expected = format!(
        "{} to {}",
        crate::numbers::fixed(Some(interval.low), 2),
        crate::numbers::fixed(Some(interval.high), 2)
    );
    assert_eq!(row.cells[0].interval.as_deref(), Some(expected.as_str()));

    // The arm with a failed run counts the four others.
    let failed = &page.groups[0].table.arms[3];
    assert_eq!((failed.completed, failed.planned), (4, 5));
    // The arm with two completed runs is an anecdote and has no interval.
    let anecdote = &page.groups[0].table.arms[5];
    assert_eq!((anecdote.completed, anecdote.is_anecdote), (2, true));
    assert!(anecdote.cells.iter().all(|c| c.interval.is_none() && c.mean != "–"));
    assert!(html(&input).unwrap().contains("anecdote"));
    // Buy & Hold ran once: that is no anecdote but all there is.
    let hold = &page.groups[0].table.baselines[0];
    assert_eq!((hold.name.as_str(), hold.completed, hold.is_anecdote), ("buy-and-hold", 1, false));
    // A flat account has no Sharpe ratio.
    assert_eq!(page.groups[0].table.baselines[1].cells[0].mean, "–");
}

#[test]
fn problems_carry_their_reasons_and_unfinished_runs_are_named() {
    let (page, _) = page(&input(5));
    let states: Vec<_> = page.problems.iter().map(|p| (p.state, p.seed)).collect();
    assert_eq!(states, [("failed", 1), ("skipped", 2), ("skipped", 3), ("skipped", 4)]);
    assert_eq!(page.problems[0].step, None, "the reason says it");
    assert_eq!(page.unfinished.as_deref(), Some("1 planned"));
}

#[test]
fn one_at_a_time_compares_each_axis_with_the_base() {
    let input = input(5);
    let (page, charts) = page(&input);
    let effects = &page.groups[0].effects;
    let axes: Vec<_> = effects.iter().map(|e| e.axis.as_str()).collect();
    assert_eq!(axes, ["agent.n_trainable_layers", "agent.lora.rank", "reward"]);
    let depth = &effects[0];
    let values: Vec<_> = depth.rows.iter().map(|r| (r.value.as_str(), r.is_base)).collect();
    assert_eq!(values, [("0", false), ("1", false), ("2", true), ("4", false)]);
    assert_eq!(depth.chart.base, Some(2));
    assert!(depth.rows[2].difference.is_none());
    // Seed by seed: the mean of differences over the seeds that both arms completed.
    let sharpe = |arm: usize, seed: u64| {
        input.runs.iter().find(|r| r.arm == arm && r.seed == seed).unwrap().test_metric("sharpe")
    };
    let differences = (0..5).filter_map(|s| Some((Seed(s), Some(sharpe(3, s)? - sharpe(0, s)?))));
    let expected = SeedScores::new(differences);
    assert_eq!(expected.len(), 4);
    assert_eq!(depth.rows[3].difference.as_ref().unwrap().mean, crate::numbers::fixed(expected.mean(), 2));
    // The reference line is Buy & Hold.
    let (name, value) = charts.groups[0].effects[0].metrics[0].reference.clone().unwrap();
    let hold = input.plan.arms.iter().position(|a| a.name == "buy-and-hold").unwrap();
    assert_eq!((name.as_str(), Some(value)), ("buy-and-hold", sharpe(hold, 0)));
}

#[test]
fn each_data_set_is_a_group_with_its_own_buy_and_hold() {
    let symbols = vec!["MSFT", "JNJ", "UVV", "HON", "BTC"];
    let demo = Demo { symbols: symbols.clone(), mode: "grid", troubled: false, ..ablation(3) };
    let input = input_of(&demo, &demo.plan());
    let (page, charts) = page(&input);
    assert_eq!(page.groups.iter().map(|g| g.symbol.as_str()).collect::<Vec<_>>(), symbols);
    for (group, symbol) in page.groups.iter().zip(symbols) {
        assert_eq!(group.table.arms.len(), 2);
        assert_eq!(group.table.baselines[0].name, format!("buy-and-hold ({symbol})"));
        assert_eq!(group.effects.len(), 1, "data.symbol does not vary within a group");
        assert!(group.effects[0].rows[1].is_base, "each data set has its own arm with the base's settings");
        assert!(group.paper.is_some());
    }
    assert_eq!(charts.groups.len(), 5);
    // Side by side: two arms and four baselines on five data sets.
    let overview = page.overview.as_ref().unwrap();
    let names: Vec<_> = overview.rows.iter().map(|r| r.name.as_str()).collect();
    let expected =
        ["n_trainable_layers = 0", "n_trainable_layers = 2", "buy-and-hold", "flat", "random", "momentum"];
    assert_eq!(names, expected);
    for (g, group) in page.groups.iter().enumerate() {
        assert_eq!(overview.rows[2].cells[g].as_ref(), Some(&group.table.baselines[0].cells[0]));
    }
    assert!(html(&input).unwrap().contains("href=\"#group-5\""));
}

#[test]
fn a_row_of_all_data_sets_is_not_named_after_one_of_them() {
    let demo = Demo { symbols: vec!["MSFT", "JNJ"], mode: "grid", troubled: false, ..ablation(3) };
    let mut plan = demo.plan();
    for arm in &mut plan.arms {
        arm.axes.retain(|key, _| key.starts_with("data."));
    }
    let (page, _) = page(&input_of(&demo, &plan));
    assert_eq!(page.overview.unwrap().rows[0].name, "ppo-llm");
}

#[test]
fn receipts_say_what_stayed_and_what_moved() {
    let demo = Demo { troubled: false, ..ablation(3) };
    let input = input_of(&demo, &demo.plan());
    let (page, _) = page(&input);
    let arms = input.plan.arms.iter().filter(|a| a.role == Role::Arm).count();
    assert_eq!(page.receipts.len(), arms, "baselines have none");
    let row = &page.receipts[0];
    assert_eq!((row.runs.as_str(), row.frozen.as_str(), row.moved.as_str()), ("3", "2 of 2", "2 of 3"));
    // (0.1 + 0.2 + 0.3) / 3.
    assert_eq!(row.groups, [("layers.1".to_owned(), "2.00e-1".to_owned())]);
    assert!(html(&input).unwrap().contains("Freeze receipts"));
}

#[test]
fn other_modes_average_over_the_other_axes_seed_by_seed() {
    let demo = ablation(3);
    let mut plan = demo.plan();
    plan.mode = Some("grid".to_owned());
    let input = input_of(&demo, &plan);
    let (page, _) = page(&input);
    let rank = page.groups[0].effects.iter().find(|e| e.axis == "agent.lora.rank").unwrap();
    assert!(rank.note.contains("averages"), "{}", rank.note);
    assert!(!rank.has_base, "a pooled value is not the base arm");
    // Rank 0 is the value of all arms but the two that change it; three seeds remain three.
    assert_eq!(rank.rows.iter().map(|r| (r.value.as_str(), r.seeds)).next(), Some(("0", 3)));
}

#[test]
fn shortened_prompts_are_shown_run_by_run_where_there_are_prompts() {
    let mut input = input(3);
    let (shown, _) = page(&input);
    assert!(shown.has_prompts);
    let of = |arm: &str, seed| shown.runs.iter().find(|r| r.arm == arm && r.seed == seed).unwrap();
    assert_eq!(of("base", 2).shortened.as_deref(), Some("0 of 1,002"));
    assert_eq!(of(&shown.runs[3].arm, 1).shortened.as_deref(), Some("12 of 1,001"));
    assert_eq!(of("buy-and-hold", 0).shortened, None);
    assert!(html(&input).unwrap().contains("Shortened prompts"));

    for manifest in input.runs.iter_mut().filter_map(|r| r.manifest.as_mut()) {
        manifest.prompts = None;
    }
    assert!(!html(&input).unwrap().contains("Shortened prompts"));
}

#[test]
fn a_curve_begins_at_one_and_falls_from_its_peak() {
    // 100 -> 110 -> 99 -> 121: growth 1, 1.1, 0.99, 1.21; the fall is 0.99 / 1.1 - 1 = -0.1.
    let mut input = input(3);
    let dates = input.runs[0].curve.take().unwrap().dates[..3].to_vec();
    let curve = Curve {
        dates,
        growth: vec![1.0, 1.1, 0.99, 1.21],
        exposure: 1.0,
        actions: vec![Action::Buy; 3],
        positions: vec![1.0; 3],
        prices: vec![110.0, 99.0, 121.0],
    };
    let falls = curve.drawdown();
    assert!(falls.iter().zip([0.0, 0.0, -0.1, 0.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{falls:?}");
    assert_eq!(Curve::new(100_000.0, &[]), None);
    // The account of a run ends where its scores say.
    let run = &input.runs[1];
    let end = run.curve.as_ref().unwrap().growth.last().unwrap() - 1.0;
    assert!((end - run.test_metric("cumulative_return").unwrap()).abs() < 1e-9);
}

#[test]
fn bands_reach_from_the_lowest_to_the_highest_seed() {
    let input = input(3);
    let (_, charts) = page(&input);
    let accounts = charts.groups[0].accounts.as_ref().unwrap();
    assert_eq!(accounts.dates.len(), 61);
    assert_eq!((accounts.dates[0].as_str(), accounts.dates[60].as_str()), ("2019-01-02", "next close"));
    let line = &accounts.lines[0];
    let ends: Vec<f64> =
        input.runs[..3].iter().map(|r| *r.curve.as_ref().unwrap().growth.last().unwrap()).collect();
    let (low, high) =
        (line.growth.low.as_ref().unwrap()[60].unwrap(), line.growth.high.as_ref().unwrap()[60].unwrap());
    assert!((low - ends.iter().copied().fold(f64::INFINITY, f64::min)).abs() < 1e-5);
    assert!((high - ends.iter().copied().fold(0.0, f64::max)).abs() < 1e-5);
    assert!((line.growth.mean[60].unwrap() - ends.iter().sum::<f64>() / 3.0).abs() < 1e-5);
    let hold = accounts.lines.iter().find(|l| l.name == "buy-and-hold").unwrap();
    assert!(hold.growth.low.is_none() && hold.look.hue.is_none() && hold.shown);
    assert_eq!(accounts.lines.iter().filter(|l| l.look.hue.is_some() && l.shown).count(), 6);
}

#[test]
fn a_plan_without_any_run_makes_a_page() {
    let demo = ablation(3);
    let plan = demo.plan();
    let root = tempfile::tempdir().unwrap();
    let store = store::ExperimentStore::open(root.path(), "ablation");
    let input = collect(&store, &plan).unwrap();
    assert!(input.runs.iter().all(|r| r.state == RunState::Planned));
    let html = html(&input).unwrap();
    assert!(html.contains("No run has been started") && html.contains("Not finished"));
    assert_eq!(plan.arms.iter().filter(|a| a.role == Role::Arm).count(), 8);
}

/// Half of the arms under the same rules with costs.
pub(super) fn with_costs() -> ReportInput {
    let demo = Demo { troubled: false, ..ablation(3) };
    let mut plan = demo.plan();
    for (i, arm) in plan.arms.iter_mut().enumerate() {
        arm.spec["rules"] = json!({"kind": "realistic", "fee_bps": if i % 2 == 0 { 0.0 } else { 10.0 }});
    }
    demo.input(&plan)
}

#[test]
fn groups_that_differ_in_a_parameter_of_the_rules_have_names_of_their_own() {
    let input = with_costs();
    let (shown, charts) = page(&input);
    let headings: Vec<_> = shown.groups.iter().map(|g| g.heading.as_str()).collect();
    assert_eq!(headings, ["SYN · rules.fee_bps = 0.0", "SYN · rules.fee_bps = 10.0"]);
    assert_eq!(charts.groups.iter().map(|g| g.heading.as_str()).collect::<Vec<_>>(), headings);
    assert_eq!(shown.training.iter().map(|t| t.heading.as_str()).collect::<Vec<_>>(), headings);
    let html = html(&input).unwrap();
    for heading in headings {
        assert!(html.contains(&format!("{heading}</h2>")), "{heading}");
        assert!(html.contains(&format!("{heading}</a>")), "{heading} in the list of sections");
        assert!(html.contains(&format!("<th scope=\"col\" class=\"num\">{heading}</th>")), "{heading}");
    }
    let mut files: Vec<&str> =
        html.split("data-csv=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let n = files.len();
    files.sort_unstable();
    files.dedup();
    assert_eq!(files.len(), n, "no two tables are saved under one name: {files:?}");
}

#[test]
fn groups_with_names_of_their_own_need_no_settings_to_tell_them_apart() {
    let mut input = with_costs();
    for (i, arm) in input.plan.arms.iter_mut().enumerate() {
        arm.spec["rules"]["kind"] = json!(if i % 2 == 0 { "paper" } else { "realistic" });
    }
    // Another order of the window is no other window.
    input.plan.arms[2].spec["split"]["shuffle"] = json!("returns");
    let (page, _) = page(&input);
    let headings: Vec<_> = page.groups.iter().map(|g| g.heading.as_str()).collect();
    assert_eq!(headings, ["SYN · paper", "SYN · realistic"]);
}

#[test]
fn every_table_of_results_can_be_saved_and_its_columns_are_explained_in_the_page() {
    let html = own_text(&html(&input(3)).unwrap());
    for name in ["effect-agent.lora.rank-SYN", "training-SYN", "verdicts-SYN", "scores-SYN", "evidence-SYN"] {
        assert!(html.contains(&format!("data-csv=\"{name}\"")), "{name}");
    }
    let (page, _) = page(&input(3));
    for column in &page.groups[0].judged.columns {
        assert!(
            html.contains(&format!("<dt>{}</dt><dd>", column.label.replace('&', "&amp;"))),
            "{}",
            column.label
        );
    }
}
