//! The numbers behind the verdicts, and the sentences below them.

use serde_json::json;
use store::RunState;

use super::page::input;
use crate::ReportInput;
use crate::groups::groups;
use crate::page::page;
use crate::run_page::run_page;

fn window(input: &ReportInput) -> Vec<String> {
    page(input).0.groups.remove(0).judged.window
}

#[test]
fn sentences_below_the_verdicts_say_what_was_tested() {
    let mut input = input(3);
    let told = window(&input);
    let power = "Power: one uncorrected test at 5% over these 60 days finds a true Sharpe ratio (against 0, not Buy \
                 & Hold) of 0.5 with probability ";
    assert!(told[0].starts_with(power), "{told:?}");
    assert!(told[1].ends_with(" on average, its seeds as a portfolio."), "{told:?}");
    let overfitting = |told: &[String]| told.iter().find(|s| s.starts_with("Overfitting")).unwrap().clone();
    let of = |n: usize| {
        format!(
            "Overfitting: of the {n} arms with completed runs the one that is best in one half of the days is at or \
             below the middle in the other half with probability "
        )
    };
    assert!(overfitting(&told).starts_with(&of(8)), "{told:?}");
    // An arm of which nothing has completed is not among those of which one is the best.
    for run in input.runs.iter_mut().filter(|run| run.arm == 7) {
        run.state = RunState::Failed { reason: "diverged".to_owned(), step: None };
        run.curve = None;
    }
    assert!(overfitting(&window(&input)).starts_with(&of(7)));
}

#[test]
fn no_probability_is_told_as_certain() {
    let mut input = input(3);
    for run in input.runs.iter_mut().filter(|run| run.arm == 0) {
        let scores = run.manifest.as_mut().unwrap().metrics.test.as_mut().unwrap();
        (scores["sharpe"], scores["psr"]) = (json!(90 + run.seed), json!(1.0));
    }
    let improvement = &page(&input).0.groups[0].judged.rows[0].cells[2];
    assert_eq!((improvement.mean.as_str(), improvement.value), ("> 0.99", Some(1.0)));
    assert_eq!(improvement.interval.as_deref(), Some("> 0.99 to > 0.99"));
    let (sheet, _) = run_page(&input, &groups(&input)[0], &input.runs[0], None, None).unwrap();
    let psr = sheet.scores.iter().find(|row| row.name == "Probabilistic Sharpe ratio").unwrap();
    assert_eq!(psr.values, ["> 0.99"]);
}
