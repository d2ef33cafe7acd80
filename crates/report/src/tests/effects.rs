//! Averages over several arms.

use stats::{Seed, SeedScores};
use store::RunState;

use super::demo::Demo;
use super::page::ablation;
use crate::ReportInput;
use crate::page::page;

/// Twelve arms: four depths by three ranks, three seeds each.
fn grid() -> ReportInput {
    let demo = Demo { mode: "grid", troubled: false, ..ablation(3) };
    demo.input(&demo.plan())
}

#[test]
fn a_seed_counts_only_where_all_arms_of_the_value_have_its_score() {
    let mut input = grid();
    let arm = input.plan.arms.iter().position(|a| a.name == "n_trainable_layers=0,rank=4").unwrap();
    let run = input.runs.iter_mut().find(|r| r.arm == arm && r.seed == 1).unwrap();
    run.state = RunState::Failed { reason: "diverged".to_owned(), step: None };
    let (shown, charts) = page(&input);
    let row = &shown.groups[0].effects[0].rows[0];
    assert_eq!((row.value.as_str(), row.seeds), ("0", 3));
    assert_eq!(row.score.missing.as_deref(), Some("undefined for 1 of 3 seeds"));
    // Seeds 0 and 2 over ranks 0, 4 and 8; never seed 1 over ranks 0 and 8 alone.
    let sharpe = |rank: u32, seed: u64| {
        let name = format!("n_trainable_layers=0,rank={rank}");
        let of = |r: &&crate::ReportRun| input.plan.arms[r.arm].name == name && r.seed == seed;
        input.runs.iter().find(of).unwrap().test_metric("sharpe").unwrap()
    };
    let mean = |seed: u64| [0, 4, 8].map(|rank| sharpe(rank, seed)).iter().sum::<f64>() / 3.0;
    let expected = SeedScores::new([0, 2].map(|seed| (Seed(seed), Some(mean(seed))))).mean();
    assert_eq!(row.score.mean, crate::numbers::fixed(expected, 2));
    let point = &charts.groups[0].effects[0].metrics[0].points[0];
    assert_eq!((point.seeds.len(), point.interval), (2, None), "two seeds have no interval");
    // Depths of which no arm lacks a seed keep all three.
    assert_eq!(shown.groups[0].effects[0].rows[1].score.missing, None);
}

#[test]
fn a_cell_of_several_arms_says_how_many_seeds_it_lacks() {
    // A third axis: the reward. Each cell of depth and rank now has two arms.
    let mut plan = grid().plan;
    let twins: Vec<_> = plan.arms.iter().filter(|a| a.role == trading_env::Role::Arm).cloned().collect();
    for mut twin in twins {
        twin.name.push_str(",reward=sharpe-delta");
        for seed in 0..3 {
            let run_id = format!("{:016x}", 0x7000 + plan.runs.len());
            plan.runs.push(crate::PlannedRun { arm: twin.name.clone(), seed, run_id });
        }
        plan.arms.push(twin);
    }
    let mut input = Demo { mode: "grid", troubled: false, ..ablation(3) }.input(&plan);
    let last = input.plan.arms.len() - 1;
    let run = input.runs.iter_mut().find(|r| r.arm == last && r.seed == 2).unwrap();
    run.state = RunState::Failed { reason: "diverged".to_owned(), step: None };
    let map = page(&input).0.groups.remove(0).heat_maps.remove(0);
    assert!(map.is_pooled);
    let cells = &map.table.rows[3].1;
    assert_eq!(cells[2].missing.as_deref(), Some("undefined for 1 of 3 seeds"));
    assert_eq!((cells[2].interval.as_deref(), cells[1].missing.as_deref()), (None, None));
    assert!(cells[1].interval.is_some() && cells[2].value.is_some());
}
