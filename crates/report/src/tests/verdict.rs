//! The rules of verdicts, at their edges.

use stats::{Seed, SeedScores};

use crate::search::Tests;
use crate::verdict::{Beside, Control, Facts, Grade, Verdict, headline, p_value, probability};

fn seeds(values: &[f64]) -> SeedScores {
    SeedScores::new(values.iter().enumerate().map(|(i, v)| (Seed(i as u64), Some(*v))))
}

/// An arm that is better by every rule.
fn facts() -> Facts {
    Facts {
        name: "arm".to_owned(),
        completed: 5,
        sharpe: seeds(&[1.3, 1.4, 1.5, 1.6, 1.7]),
        beside: Some(Beside {
            difference: seeds(&[0.3, 0.4, 0.5, 0.6, 0.7]),
            tests: Tests { above: Some(0.01), below: Some(1.0), timing: Some(0.02) },
            shifts: Some((3, 5)),
        }),
        controls: vec![control("shuffled-returns", true, &[0.1, 0.2, 0.2, 0.3, 0.3])],
        deflated: Some(0.71),
        trials: 36,
    }
}

fn control(name: &str, is_null: bool, lost: &[f64]) -> Control {
    Control { name: name.to_owned(), is_null, lost: seeds(lost) }
}

fn beside(change: impl FnOnce(&mut Beside)) -> Facts {
    let mut facts = facts();
    change(facts.beside.as_mut().unwrap());
    facts
}

fn grade(facts: &Facts) -> Grade {
    Verdict::new(facts).grade
}

#[test]
fn an_arm_that_passes_everything_is_better() {
    let verdict = Verdict::new(&facts());
    assert_eq!((verdict.grade, verdict.words), (Grade::Better, "better than Buy & Hold"));
    assert_eq!(
        verdict.sentence,
        "Sharpe 1.50 [1.38, 1.62] over 5 seeds; above Buy & Hold in 5 of 5 seeds, the interval of the difference is \
         above zero; over days, corrected for all trials, p = 0.010; after 36 trials the deflated Sharpe probability \
         of its seeds as a portfolio is 0.71; every control is shown to do worse."
    );
}

#[test]
fn each_rule_alone_withholds_the_claim() {
    // The interval over seeds has to be above zero, not at it.
    assert_eq!(grade(&beside(|b| b.difference = seeds(&[-0.9, 0.4, 0.5, 0.6, 0.7]))), Grade::Open);
    assert_eq!(grade(&beside(|b| b.difference = seeds(&[0.0; 5]))), Grade::Open);
    // The corrected test over days, which has to be below 5%.
    assert_eq!(grade(&beside(|b| b.tests.above = Some(0.0499))), Grade::Better);
    assert_eq!(grade(&beside(|b| b.tests.above = Some(0.05))), Grade::Open);
    assert_eq!(grade(&beside(|b| b.tests.above = None)), Grade::Open);
    // Timing: a position that is smaller or larger on average is no skill.
    assert_eq!(grade(&beside(|b| b.tests.timing = Some(0.05))), Grade::Open);
    assert_eq!(grade(&beside(|b| b.tests.timing = None)), Grade::Open);
    // Equal turnover: half of the seeds.
    assert_eq!(grade(&beside(|b| b.shifts = Some((2, 4)))), Grade::Better);
    assert_eq!(grade(&beside(|b| b.shifts = Some((2, 5)))), Grade::Open);
    assert_eq!(grade(&beside(|b| b.shifts = None)), Grade::Better, "runs of earlier versions have none");
}

#[test]
fn a_null_control_that_is_not_shown_to_do_worse_withholds_the_claim_and_others_are_named() {
    let mut facts = facts();
    facts.controls = vec![control("shuffled-returns", true, &[-0.1, 0.0, 0.1, 0.1, -0.1])];
    let verdict = Verdict::new(&facts);
    assert_eq!(verdict.grade, Grade::Open);
    let told = "the control shuffled-returns is not shown to do worse.";
    assert!(verdict.sentence.ends_with(told), "{}", verdict.sentence);
    // Nothing is shown without the language: better it is, though nobody knows whether by the language.
    facts.controls = vec![
        control("random-weights", false, &[-0.1, 0.0, 0.1, 0.1, -0.1]),
        control("ppo-mlp", false, &[-0.1, 0.0, 0.1, 0.1, -0.1]),
    ];
    let verdict = Verdict::new(&facts);
    assert_eq!(verdict.grade, Grade::Better);
    assert!(
        verdict.sentence.ends_with("the controls random-weights and ppo-mlp are not shown to do worse."),
        "{}",
        verdict.sentence
    );
    // Two seeds of a control say nothing.
    facts.controls = vec![control("shuffled-returns", true, &[-0.1, 0.0])];
    let verdict = Verdict::new(&facts);
    assert_eq!(verdict.grade, Grade::Better);
    assert!(!verdict.sentence.contains("control"), "{}", verdict.sentence);
}

#[test]
fn fewer_than_three_seeds_are_an_anecdote_without_interval_or_comparison() {
    let mut two = facts();
    two.sharpe = seeds(&[1.3, 1.7]);
    two.completed = 2;
    let verdict = Verdict::new(&two);
    assert_eq!(verdict.grade, Grade::Anecdote);
    assert_eq!(
        verdict.sentence,
        "Sharpe 1.50 over 2 seeds; an anecdote, too few for an interval or a comparison."
    );
    let mut three = facts();
    three.sharpe = seeds(&[1.3, 1.5, 1.7]);
    assert_eq!(grade(&three), Grade::Better);
    // Three runs of which one has no ratio are two.
    three.sharpe = SeedScores::new([(Seed(0), Some(1.3)), (Seed(1), None), (Seed(2), Some(1.7))]);
    let verdict = Verdict::new(&three);
    assert_eq!(verdict.grade, Grade::Anecdote);
    assert!(
        verdict.sentence.starts_with("Sharpe 1.50 over 2 seeds (1 more without a ratio); "),
        "{}",
        verdict.sentence
    );
}

#[test]
fn worse_needs_the_interval_and_the_corrected_test() {
    let worse = |p| {
        beside(|b| {
            b.difference = seeds(&[-0.3, -0.4, -0.5, -0.6, -0.7]);
            b.tests = Tests { above: Some(1.0), below: Some(p), timing: None };
        })
    };
    assert_eq!(grade(&worse(0.04)), Grade::Worse);
    let open = Verdict::new(&worse(0.2));
    assert_eq!(open.grade, Grade::Open);
    assert!(open.sentence.contains("above Buy & Hold in 0 of 5 seeds, the interval of the difference is below zero; over days, corrected for all trials, p = 0.200 is not enough"), "{}", open.sentence);
}

#[test]
fn without_results_or_without_buy_and_hold_nothing_is_claimed() {
    let mut none = facts();
    none.sharpe = seeds(&[]);
    none.completed = 0;
    assert_eq!(Verdict::new(&none).sentence, "no run has completed.");
    none.completed = 3;
    assert_eq!(Verdict::new(&none).sentence, "no Sharpe ratio, its returns never vary (3 seeds).");
    assert_eq!(grade(&none), Grade::Absent);
    let mut alone = facts();
    alone.beside = None;
    let verdict = Verdict::new(&alone);
    assert_eq!(verdict.grade, Grade::Alone);
    assert!(verdict.sentence.contains("no completed Buy & Hold with a Sharpe ratio to compare it with"));
}

#[test]
fn a_reason_for_withholding_is_said() {
    let timing = Verdict::new(&beside(|b| b.tests.timing = Some(0.3)));
    assert!(timing.sentence.contains("Buy & Hold at the same average position is not shown to earn less"));
    let shifts = Verdict::new(&beside(|b| b.shifts = Some((1, 5))));
    assert!(shifts.sentence.contains("only 1 of 5 seeds earn more than 97.5% of policies of equal turnover"));
    let short = Verdict::new(&beside(|b| b.tests = Tests::default()));
    assert!(short.sentence.contains("too few days to test it over days"));
}

#[test]
fn probabilities_never_claim_certainty() {
    assert_eq!(
        [0.0, 0.004, 0.005, 0.5, 0.995, 0.996, 1.0].map(probability),
        ["below 0.01", "below 0.01", "0.01", "0.50", "0.99", "above 0.99", "above 0.99"]
    );
    assert_eq!(
        [0.0, 0.0009, 0.001, 0.05, 1.0].map(p_value),
        ["p < 0.001", "p < 0.001", "p = 0.001", "p = 0.050", "p = 1.000"]
    );
}

#[test]
fn the_headline_counts_claims_only() {
    use Grade::*;
    assert_eq!(headline(&[]), "The plan has no arm.");
    let absent = "No arm has a Sharpe ratio: no run has completed, or its returns never vary.";
    assert_eq!(headline(&[Absent, Absent]), absent);
    assert_eq!(headline(&[Anecdote, Absent]), "With fewer than 3 seeds an arm, these results are anecdotes.");
    assert_eq!(headline(&[Open, Anecdote]), "No arm is shown to be better than Buy & Hold.");
    assert_eq!(
        headline(&[Open, Worse, Open]),
        "No arm is shown to be better than Buy & Hold; 1 of 3 arms is worse."
    );
    assert_eq!(headline(&[Worse, Worse]), "Every arm is shown to be worse than Buy & Hold.");
    assert_eq!(headline(&[Better]), "The arm is shown to be better than Buy & Hold.");
    assert_eq!(headline(&[Better, Open, Better]), "2 of 3 arms are shown to be better than Buy & Hold.");
    let alone = "There is no completed Buy & Hold to compare the arms with.";
    assert_eq!(headline(&[Alone, Alone]), alone);
    assert_eq!(headline(&[Alone, Anecdote, Absent]), alone);
    // One group of several lacks it: the other arms were compared.
    assert_eq!(headline(&[Open, Open, Alone]), "No arm is shown to be better than Buy & Hold.");
}

#[test]
fn a_control_is_told_only_where_its_seeds_say_something() {
    let of = |controls: Vec<Control>| Verdict::new(&Facts { controls, ..facts() }).sentence;
    let [lost, open, few] = [&[0.1, 0.2, 0.3][..], &[-0.1, 0.0, 0.1], &[0.2]];
    let [a, b] = ["a", "b"].map(|name| move |values: &[f64]| control(name, false, values));
    assert!(of(vec![a(lost), b(lost)]).ends_with("; every control is shown to do worse."));
    assert!(of(vec![a(lost), b(few)]).ends_with("; the control a is shown to do worse."));
    assert!(of(vec![a(lost), b(open)]).ends_with("; the control b is not shown to do worse."));
    assert!(of(vec![a(open), b(open)]).ends_with("; the controls a and b are not shown to do worse."));
}
