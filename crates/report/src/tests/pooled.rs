//! Windows joined in time, tasks side by side.

use chrono::NaiveDate;
use serde_json::json;
use store::{EqualTurnover, RunState};
use trading_env::Role;

use super::page::{ablation, input_of};
use crate::pooled::Pooled;
use crate::{PlannedTask, PlannedWindow, ReportInput};

/// The ablation without trouble, twice: as two windows, the second a year after the first and with growth turned round.
fn in_windows() -> ReportInput {
    windows_of(&super::demo::Demo { troubled: false, ..ablation(3) })
}

fn windows_of(demo: &super::demo::Demo) -> ReportInput {
    let input = input_of(demo, &demo.plan());
    let mut windows = ReportInput { plan: input.plan.clone(), runs: Vec::new(), ..input.clone() };
    windows.plan.arms.clear();
    for number in [1, 2] {
        for (index, arm) in input.plan.arms.iter().enumerate() {
            let mut own = arm.clone();
            own.name = format!("{},window={number}", arm.name);
            let year = 2018 + number;
            own.spec["split"]["test"] = json!([format!("{year}-01-02"), format!("{year}-12-31")]);
            let split = json!({ "walk_forward": { "train": "1y", "test": "1y" }, "purge": 2 });
            own.place.window = Some(PlannedWindow { number, arm: arm.name.clone(), split });
            let place = windows.plan.arms.len();
            windows.plan.arms.push(own);
            for run in input.runs.iter().filter(|run| run.arm == index) {
                let mut run = run.clone();
                run.arm = place;
                if number == 2 {
                    run.run_id += "2";
                    later(&mut run);
                }
                windows.runs.push(run);
            }
        }
    }
    windows
}

fn later(run: &mut crate::ReportRun) {
    let curve = run.curve.as_mut().unwrap();
    for date in &mut curve.dates {
        *date = *date + chrono::Days::new(365);
    }
    for growth in &mut curve.growth {
        *growth = 1.0 / *growth;
    }
}

#[test]
fn windows_are_joined_seed_by_seed() {
    let ran = in_windows();
    let pooled = Pooled::of(&ran);
    assert!(pooled.is_made() && pooled.together.is_empty());
    let input = &*pooled.input;
    assert_eq!(input.plan.arms.len() * 2, ran.plan.arms.len());
    assert_eq!(input.runs.len() * 2, ran.runs.len());
    let arm = &input.plan.arms[1];
    assert_eq!((arm.name.as_str(), pooled.windows(1).len()), ("n_trainable_layers=0", 2));
    assert_eq!(arm.spec["split"]["test"], json!(["2019-01-02", "2020-12-31"]));
    let run = input.runs.iter().find(|run| run.arm == 1 && run.seed == 2).unwrap();
    let curve = run.curve.as_ref().unwrap();
    assert_eq!((curve.dates.len(), curve.growth.len(), curve.actions.len()), (120, 121, 120));
    // What the first window earns, the second loses.
    assert!((curve.growth[120] - 1.0).abs() < 1e-12);
    assert!((run.test_metric("cumulative_return").unwrap()).abs() < 1e-12);
    assert_eq!(run.test_metric("n"), Some(120.0));
    let first = ran.runs.iter().find(|r| r.arm == 1 && r.seed == 2).unwrap();
    assert_eq!(curve.growth[..61], first.curve.as_ref().unwrap().growth);
    assert!((curve.exposure - first.curve.as_ref().unwrap().exposure).abs() < 1e-12);
}

#[test]
fn a_seed_counts_when_all_its_windows_have_completed() {
    let mut ran = in_windows();
    let last = ran.plan.arms.len() / 2;
    let run = ran.runs.iter_mut().find(|run| run.arm == last && run.seed == 1).unwrap();
    (run.state, run.manifest, run.curve) = (RunState::Planned, None, None);
    let pooled = Pooled::of(&ran);
    let state = |seed| {
        let run = pooled.input.runs.iter().find(|run| run.arm == 0 && run.seed == seed).unwrap();
        (run.state.clone(), run.curve.is_some())
    };
    assert_eq!(state(0), (RunState::Completed, true));
    assert_eq!(state(1), (RunState::Planned, false));
}

/// Two windows whose shifted policies have means 0.01 and 0.03 and 95% ranges 0.06 and 0.08 wide: together 0.04, and
/// sqrt(0.06² + 0.08²) = 0.10 wide. The own account ends at 1: (0 - 0.04) / (0.10 / 3.92) = -1.568, which 94.2 % exceed.
#[test]
fn policies_of_equal_turnover_add_up() {
    let mut ran = in_windows();
    let of = |mean: f64, width: f64| EqualTurnover {
        policies: 200,
        mean_log_return: mean,
        low: mean - width / 2.0,
        high: mean + width / 2.0,
        at_least: 17,
    };
    let half = ran.plan.arms.len() / 2;
    for run in &mut ran.runs {
        let shifts = if run.arm < half { of(0.01, 0.06) } else { of(0.03, 0.08) };
        run.manifest.as_mut().unwrap().equal_turnover = Some(shifts);
    }
    let pooled = Pooled::of(&ran);
    let shifts = pooled.input.runs[0].manifest.as_ref().unwrap().equal_turnover.unwrap();
    assert!((shifts.mean_log_return - 0.04).abs() < 1e-12);
    assert!((shifts.high - shifts.low - 0.1).abs() < 1e-12);
    assert_eq!((shifts.policies, shifts.at_least), (200, 188));
}

/// Two assets as tasks, the second on one day that the first lacks and without one that it has.
#[test]
fn tasks_are_one_account_in_equal_parts() {
    let demo = super::demo::Demo { troubled: false, symbols: vec!["AA", "BB"], ..ablation(3) };
    let mut ran = input_of(&demo, &demo.plan());
    for arm in &mut ran.plan.arms {
        let symbol = arm.spec["data"]["symbol"].as_str().unwrap().to_owned();
        let variant = arm.name.replace(&format!("symbol={symbol},"), "").replace(&format!(" ({symbol})"), "");
        arm.name = format!("{variant},task={symbol}");
        arm.place.task = Some(PlannedTask { name: symbol, variant });
    }
    let bb = |arm: usize, input: &ReportInput| input.plan.arms[arm].spec["data"]["symbol"] == json!("BB");
    let saturday = NaiveDate::from_ymd_opt(2019, 1, 5).unwrap();
    let (mut dropped, mut days) = (None, Vec::new());
    let plan = ran.clone();
    for run in ran.runs.iter_mut().filter(|run| bb(run.arm, &plan)) {
        let curve = run.curve.as_mut().unwrap();
        // Its fourth day becomes a Saturday.
        dropped = Some(curve.dates[3]);
        curve.dates[3] = saturday;
        curve.dates.sort();
        days.clone_from(&curve.dates);
    }
    let pooled = Pooled::of(&ran);
    assert_eq!(pooled.together.len(), 6);
    let arm = &pooled.input.plan.arms[0];
    assert_eq!((arm.name.as_str(), arm.role), ("n_trainable_layers=0", Role::Arm));
    assert!(!arm.axes.contains_key("data.symbol") && arm.axes.contains_key("agent.n_trainable_layers"));
    let run = |input: &ReportInput, name: &str| {
        let arm = input.plan.arms.iter().position(|arm| arm.name == name).unwrap();
        input.runs.iter().find(|run| run.arm == arm && run.seed == 0).unwrap().clone()
    };
    let together = run(&pooled.input, "n_trainable_layers=0");
    let curve = together.curve.as_ref().unwrap();
    let [a, b] =
        ["AA", "BB"].map(|task| run(&ran, &format!("n_trainable_layers=0,task={task}")).curve.unwrap());
    assert_eq!(curve.dates.len(), 61);
    let on = |curve: &crate::Curve, date: NaiveDate| {
        let place = curve.dates.iter().position(|d| *d == date)?;
        Some(curve.returns()[place])
    };
    let mut equity = 1.0;
    for (date, growth) in curve.dates.iter().zip(&curve.growth[1..]) {
        equity *= 1.0
            + match (on(&a, *date), on(&b, *date)) {
                (Some(a), Some(b)) => (a + b) / 2.0,
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => panic!("a day of neither"),
            };
        assert!((equity - growth).abs() < 1e-12, "{date}");
    }
    assert!(on(&b, dropped.unwrap()).is_none() && on(&a, saturday).is_none() && days.contains(&saturday));
    // One day on a weekend does not make it a market that never closes.
    let returns = curve.returns();
    let mean = returns.iter().sum::<f64>() / 61.0;
    let sd = (returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 60.0).sqrt();
    let told = together.test_metric("annual_volatility").unwrap();
    assert!((told - sd * 252.0_f64.sqrt()).abs() < 1e-9, "{told}");
}

/// Each window selects by its own validation part; the selected arm's record is made of the runs of those that were.
#[test]
fn every_window_selects_its_own_arm() {
    let mut ran = windows_of(&super::demo::Demo { troubled: false, mode: "random", ..ablation(3) });
    let half = ran.plan.arms.len() / 2;
    let best = [1, half + 2];
    for run in &mut ran.runs {
        let score = if best.contains(&run.arm) { 3.0 } else { 1.0 };
        run.manifest.as_mut().unwrap().metrics.valid = Some(json!({ "sharpe": score }));
    }
    let names = best.map(|arm| ran.plan.arms[arm].name.clone());
    let selected = |ran: &ReportInput| {
        let pooled = Pooled::of(ran);
        let index = pooled.input.plan.arms.iter().position(|arm| arm.name == "selected").unwrap();
        let arm = pooled.input.plan.arms[index].clone();
        assert_eq!(pooled.windows(index), best);
        let runs: Vec<_> = pooled.input.runs.iter().filter(|run| run.arm == index).cloned().collect();
        (arm, runs)
    };
    let (arm, runs) = selected(&ran);
    assert_eq!(arm.choices(), names);
    assert!(arm.place.made.unwrap().is_final && arm.axes.is_empty());
    assert_eq!(runs.len(), 3);
    let growth = |arm: usize| {
        let run = ran.runs.iter().find(|run| run.arm == arm && run.seed == 0).unwrap();
        *run.curve.as_ref().unwrap().growth.last().unwrap()
    };
    let joined = runs[0].curve.as_ref().unwrap().growth.last().unwrap();
    assert!((joined - growth(best[0]) * growth(best[1])).abs() < 1e-12);
    // Whatever happens on the test parts, the choice stays.
    for run in ran.runs.iter_mut().filter(|run| best.contains(&run.arm)) {
        run.manifest.as_mut().unwrap().metrics.test.as_mut().unwrap()["sharpe"] = json!(-9.0);
    }
    assert_eq!(selected(&ran).0.choices(), names);
    let html = crate::render::html(&ran).unwrap();
    assert!(
        html.contains("What they come to is the arm “selected”")
            || html.contains("What they come to is the arm")
    );
    let told = crate::tables(&ran, crate::TableFormat::Markdown);
    assert!(told.contains("| selected |"), "{told}");
    // A window in which no arm has completed every seed selects none, and there is nothing to join.
    for run in ran.runs.iter_mut().filter(|run| run.arm >= half && run.seed == 1) {
        (run.state, run.manifest, run.curve) = (RunState::Planned, None, None);
    }
    let pooled = Pooled::of(&ran);
    assert!(pooled.input.plan.arms.iter().all(|arm| arm.choices().is_empty()));
}
