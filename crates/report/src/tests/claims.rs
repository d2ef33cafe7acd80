//! Whole pages on pure noise, which must hardly ever claim anything, and on an effect that is there.

use trading_env::{Action, Role, StepRecord};

use super::demo::{Demo, Noise, scores};
use super::page::ablation;
use crate::page::page;
use crate::verdict::Grade;
use crate::{Curve, ReportInput, ReportRun};

const DAYS: usize = 252;
const SEEDS: u64 = 5;

/// How an arm of a made-up sweep decides.
struct Policies {
    /// Share of the days on which the arm's decisions are right about the next return; `None`: it knows nothing.
    right: Option<f64>,
    /// How much the seeds of an arm have in common, from 0 to 1: they were trained on the same data.
    shared: f64,
}

/// A sweep over a market without structure. `first` decides for the first arm, `others` for the rest.
fn sweep(key: u64, first: &Policies, others: &Policies) -> ReportInput {
    sweep_on(key, first, others, false)
}

/// The same with the market's days in an order of every seed's own, if they are `shuffled`.
fn sweep_on(key: u64, first: &Policies, others: &Policies, shuffled: bool) -> ReportInput {
    let demo = Demo { seeds: SEEDS, days: DAYS, updates: 0, troubled: false, ..ablation(SEEDS) };
    let mut input = demo.input(&demo.plan());
    input.markets.clear();
    let mut market = Noise(key);
    // Buy & Hold is not better in truth where its luck is what is looked at.
    let drift = if shuffled { 0.0 } else { 0.0006 * market.normal() };
    let returns: Vec<f64> = (0..DAYS).map(|_| drift + 0.011 * market.normal()).collect();
    if shuffled {
        for arm in &mut input.plan.arms {
            arm.spec["split"]["shuffle"] = "returns".into();
        }
        // Every seed has a Buy & Hold of its own.
        let hold =
            input.runs.iter().find(|run| input.plan.arms[run.arm].name == "buy-and-hold").unwrap().clone();
        input.runs.extend((1..SEEDS).map(|seed| ReportRun { seed, ..hold.clone() }));
    }
    for run in &mut input.runs {
        let arm = &input.plan.arms[run.arm];
        let mut returns = returns.clone();
        if shuffled {
            let mut order = Noise(key ^ (run.seed + 1) << 30);
            let mut keyed: Vec<(f64, f64)> = returns.iter().map(|r| (order.normal(), *r)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            returns = keyed.into_iter().map(|(_, r)| r).collect();
        }
        let place = run.arm as u64;
        let policies = if run.arm == 0 { first } else { others };
        let mut common = Noise(key ^ (place + 1) << 20);
        let mut own = Noise(key ^ (place + 1) << 20 ^ (run.seed + 1) << 40);
        // An arm may be long or short most of the time, as a policy is that has memorised a trend.
        let bias = 0.8 * common.normal();
        let mut decide = |t: usize| {
            let drawn = policies.shared * common.normal()
                + (1.0 - policies.shared * policies.shared).sqrt() * own.normal();
            match (arm.role, policies.right) {
                (Role::Baseline, _) => Action::Buy,
                (_, Some(right)) => {
                    let is_right = own.normal() < quantile(right);
                    if (returns[t] > 0.0) == is_right { Action::Buy } else { Action::Sell }
                }
                (_, None) if drawn + bias > 0.3 => Action::Buy,
                (_, None) if drawn + bias < -0.3 => Action::Sell,
                _ => Action::Hold,
            }
        };
        let actions: Vec<Action> = (0..DAYS).map(&mut decide).collect();
        let dates = run.curve.as_ref().unwrap().dates.clone();
        let mut equity = 100_000.0;
        let step = |t: usize| {
            let position = f64::from(actions[t].sign());
            equity *= (position * returns[t]).exp();
            StepRecord {
                split: trading_env::SplitName::Test,
                episode: 0,
                t: t as u32,
                date: dates[t],
                action: actions[t],
                position,
                price: 100.0,
                cash: 0.0,
                equity,
                reward: position * returns[t],
                log_prob: None,
                value: None,
            }
        };
        let steps: Vec<StepRecord> = (0..DAYS).map(step).collect();
        run.curve = Curve::new(100_000.0, &steps);
        let manifest = run.manifest.as_mut().unwrap();
        manifest.metrics.test = Some(scores(&steps));
        // Without policies of equal turnover, which would withhold claims too.
        manifest.equal_turnover = None;
    }
    input
}

/// The normal quantile of a share, near enough.
fn quantile(share: f64) -> f64 {
    // Logistic approximation, off by less than 0.02 between 0.2 and 0.8.
    (share / (1.0 - share)).ln() / 1.702
}

fn grades(input: &ReportInput) -> Vec<Grade> {
    page(input).0.groups[0].judged.verdicts.iter().map(|v| v.verdict.grade).collect()
}

#[test]
fn on_pure_noise_pages_claim_nothing() {
    let knows_nothing = |shared| Policies { right: None, shared };
    let claims = |key: u64| {
        // Seeds that agree have narrow intervals: the luck of the days is then the luck of all of them.
        let policies = knows_nothing([0.0, 0.5, 0.9, 1.0][key as usize % 4]);
        grades(&sweep(1_000 + 7919 * key, &policies, &policies)).contains(&Grade::Better)
    };
    let n = (0..20).filter(|key| claims(*key)).count();
    assert!(n <= 2, "{n} of 20 pages on pure noise claim that an arm is better");
}

/// What the window gave by luck it gave to every order of its days: it is no reason to call anything better or worse.
#[test]
fn the_luck_of_a_shuffled_window_is_one_luck() {
    let nothing = Policies { right: None, shared: 0.0 };
    let claims = |key: u64| {
        let found = grades(&sweep_on(5_000 + 7919 * key, &nothing, &nothing, true));
        found.contains(&Grade::Better) || found.contains(&Grade::Worse)
    };
    let n = (0..20).filter(|key| claims(*key)).count();
    assert!(n <= 3, "{n} of 20 pages on shuffled noise claim that an arm is better or worse");
}

#[test]
fn an_effect_that_is_there_is_claimed_and_no_other() {
    let knows = Policies { right: Some(0.8), shared: 0.5 };
    let nothing = Policies { right: None, shared: 0.5 };
    for key in [3, 11, 29] {
        let input = sweep(key, &knows, &nothing);
        let grades = grades(&input);
        let sentence = page(&input).0.groups[0].judged.verdicts[0].verdict.sentence.clone();
        assert_eq!(grades[0], Grade::Better, "sweep {key}: {sentence}");
        assert!(!grades[1..].contains(&Grade::Better), "sweep {key}: {grades:?}");
        let (page, _) = page(&input);
        assert_eq!(page.headline.split(" shown").next(), Some("1 of 8 arms is"), "{}", page.headline);
        // After a thousand trials of the same kind the same result is still above luck, though less clearly.
        let many = ReportInput { trials: 40, ..input };
        let p =
            |input: &ReportInput| crate::page::page(input).0.groups[0].judged.rows[0].cells[3].value.unwrap();
        assert!(
            p(&many) > 4.0 * p(&ReportInput { trials: 8, ..many.clone() }),
            "trials enter the correction"
        );
    }
}
