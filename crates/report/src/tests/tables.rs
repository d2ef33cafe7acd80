//! Heat maps, months, distributions, rules and assumptions.

use super::demo::Demo;
use super::page::{ablation, input, input_of};
use crate::figure::kept_places;
use crate::heat::{HeatCell, Scale};
use crate::metric::Unit;
use crate::page::page;

#[test]
fn colours_are_symmetric_around_the_middle() {
    let scale = Scale::around(1.0, [0.2, 1.0, 1.4].into_iter());
    let level = |v: f64| HeatCell::new(Unit::Ratio, Some(v), &scale).level;
    // The farthest value is 0.8 away.
    assert_eq!([0.2, 0.6, 0.95, 1.0, 1.4, 1.8, 9.0].map(level), ["n4", "n2", "z", "z", "p2", "p4", "p4"]);
    let absent = HeatCell::new(Unit::Ratio, Some(f64::NAN), &scale);
    assert_eq!((absent.text.as_str(), absent.level.as_str(), absent.value), ("–", "none", None));
    let flat = Scale::around(0.0, [0.0].into_iter());
    assert_eq!(HeatCell::new(Unit::Ratio, Some(0.0), &flat).level, "z");
}

#[test]
fn long_windows_are_thinned_and_keep_both_ends() {
    assert_eq!(kept_places(5, 1, 6), [0, 1, 2, 3, 4]);
    let kept = kept_places(1_000, 40, 6);
    assert!(kept.len() <= 102, "{}", kept.len());
    assert_eq!((kept[0], *kept.last().unwrap()), (0, 999));
    assert_eq!(kept_places(0, 3, 3), [] as [usize; 0]);
}

#[test]
fn a_grid_has_a_heat_map_with_the_means_of_its_arms() {
    let demo = Demo { mode: "grid", troubled: false, ..ablation(3) };
    let input = input_of(&demo, &demo.plan());
    let (page, _) = page(&input);
    let maps = &page.groups[0].heat_maps;
    assert_eq!(maps.len(), 1);
    let map = &maps[0];
    assert_eq!(
        (map.rows_axis.as_str(), map.columns_axis.as_str()),
        ("agent.n_trainable_layers", "agent.lora.rank")
    );
    assert_eq!(map.table.columns, ["0", "4", "8"]);
    assert_eq!(map.table.rows.iter().map(|r| r.0.as_str()).collect::<Vec<_>>(), ["0", "1", "2", "4"]);
    assert!(!map.is_pooled);
    let of_arm = |name: &str| {
        let row = page.groups[0].table.arms.iter().find(|r| r.name == name).unwrap();
        (row.cells[0].mean.clone(), row.cells[0].interval.clone())
    };
    let cell = &map.table.rows[2].1[1];
    assert_eq!((cell.text.clone(), cell.interval.clone()), of_arm("n_trainable_layers=2,rank=4"));
    // Sweeps of one at a time have no two settings that vary together.
    assert!(crate::page::page(&super::page::input(3)).0.groups[0].heat_maps.is_empty());
}

#[test]
fn months_compound_to_the_cumulative_return_of_the_portfolio() {
    let input = input(3);
    let (page, _) = page(&input);
    let months = page.groups[0].months.as_ref().unwrap();
    assert_eq!((months.by, months.table.columns[0].as_str()), ("month", "2019-01"));
    let hold = months.table.rows.iter().find(|r| r.0 == "buy-and-hold").unwrap();
    let growth: f64 = hold.1.iter().filter_map(|c| c.value).map(|v| 1.0 + v).product();
    let run = input.runs.iter().find(|r| input.plan.arms[r.arm].name == "buy-and-hold").unwrap();
    assert!((growth - 1.0 - run.test_metric("cumulative_return").unwrap()).abs() < 1e-4);
}

#[test]
fn every_share_of_a_distribution_is_of_days_with_a_position() {
    let (_, charts) = page(&input(3));
    let figure = charts.groups[0].figures.iter().find(|f| f.key == "return-distribution").unwrap();
    for line in &figure.lines {
        let sum: f64 = line.band.mean.iter().flatten().sum();
        assert!((sum - 1.0).abs() < 0.005, "{}: {sum}", line.name);
    }
    assert!(figure.lines.iter().all(|l| l.name != "flat"), "who never trades has no distribution");
}

#[test]
fn decisions_under_other_rules_stand_side_by_side_and_older_runs_have_dashes() {
    let demo = Demo { rescored: true, troubled: false, ..ablation(3) };
    let mut input = demo.input(&demo.plan());
    input
        .runs
        .iter_mut()
        .filter(|r| r.arm == 1)
        .filter_map(|r| r.manifest.as_mut())
        .for_each(|m| m.rescored.clear());
    let (shown, charts) = page(&input);
    let rules = shown.groups[0].rules_table.as_ref().unwrap();
    assert_eq!(rules.columns, ["paper", "investor-bench", "realistic", "realistic, 10 bp"]);
    let means = |row: usize| rules.rows[row].cells.iter().map(|c| c.mean.as_str()).collect::<Vec<_>>();
    assert_eq!(means(1), ["–"; 4]);
    assert_eq!(rules.rows[1].spread.mean, "–");
    assert_ne!(means(0)[0], means(0)[1], "hold keeps under one and is flat under the other");
    assert_eq!(means(0)[0], means(0)[2], "without costs and opens they are one account");
    let costs = charts.groups[0].figures.iter().find(|f| f.key == "cost-sensitivity").unwrap();
    let base = &costs.lines[0].band.mean;
    assert_eq!(base.len(), 5);
    assert!(base.windows(2).all(|w| w[1] < w[0]), "costs cost: {base:?}");
    assert!(costs.lines.iter().all(|l| l.name != input.plan.arms[1].name));
}

#[test]
fn assumptions_name_fills_costs_periods_knowledge_and_trials() {
    let shown = |input: &crate::ReportInput| {
        let all = page(input).0.groups.remove(0).assumptions;
        move |label: &str| all.iter().find(|a| a.label == label).map(|a| a.text.clone()).unwrap_or_default()
    };
    let mut input = input(3);
    let of = shown(&input);
    assert!(of("Fills").starts_with("at the close of the decision"));
    assert!(of("Costs").starts_with("none"));
    assert_eq!(of("Periods per year"), "252: daily bars, none of them on a weekend");
    assert_eq!(of("Knowledge of the model"), "none of this window: the data are synthetic");
    assert!(of("Trials").starts_with("8 distinct"));
    for arm in &mut input.plan.arms {
        arm.spec["data"]["kind"] = "investor-bench".into();
    }
    assert!(shown(&input)("Knowledge of the model").contains("unknown"));
    let window = page(&input).0.groups.remove(0).window.unwrap().0;
    for (day, said) in
        [("1999-12-31", "before the test window"), (window.as_str(), "could tell it the outcome")]
    {
        for arm in &mut input.plan.arms {
            if arm.spec.get("agent").and_then(|agent| agent.get("model")).is_some() {
                arm.spec["agent"]["model"]["knowledge_until"] = day.into();
            }
        }
        let text = shown(&input)("Knowledge of the model");
        assert!(text.starts_with(&format!("text up to {day}")) && text.contains(said), "{text}");
    }
    input.markets = ablation(3).markets();
    for market in &mut input.markets {
        let dates: Vec<_> = market.days.iter().map(|day| day.date).collect();
        market.periods = market_data::Periods::given(250.0, &dates);
    }
    assert_eq!(
        shown(&input)("Periods per year"),
        "250: as given; the dates alone would give 252: daily bars, none of them on a weekend"
    );
}
