//! What completed runs warn of.

use store::{Warning, WarningKind};

use super::page::{input, own_text};
use crate::page::page;
use crate::render::html;

#[test]
fn equal_warnings_of_an_arm_are_one_row() {
    // Seeds 0 to 4 of the second arm are constant, seed 0 on two splits; seed 1 of the fifth arm explodes.
    let (page, _) = page(&input(5));
    assert_eq!(page.warnings.len(), 2);
    let [constant, explosion] = &page.warnings[..] else { panic!("two rows") };
    assert_eq!((constant.arm.as_str(), constant.what), ("n_trainable_layers=0", "constant action"));
    assert_eq!((constant.seeds.as_str(), constant.runs.as_str()), ("0, 1, 2, 3, 4", "5 of 5"));
    assert_eq!((constant.step.as_str(), constant.example), ("13,860", Some(0)));
    assert_eq!(constant.text, "`hold` at every bar after one `buy` of the valid split");
    assert_eq!((explosion.arm.as_str(), explosion.what), ("rank=4", "KL explosion"));
    assert_eq!((explosion.seeds.as_str(), explosion.runs.as_str()), ("1", "1 of 5"));
    assert_eq!((explosion.step.as_str(), explosion.example), ("3,200", None));
    let (count, kinds) = page.warned.unwrap();
    assert_eq!(
        (count.as_str(), kinds.as_str()),
        ("6 completed runs with warnings", "constant action in 5, KL explosion in 1")
    );
}

#[test]
fn arms_and_runs_with_warnings_are_marked_by_a_word() {
    let input = input(5);
    let (page, _) = page(&input);
    let rows = &page.groups[0].table.arms;
    assert_eq!(rows[0].warned, None);
    assert_eq!(rows[1].warned.as_deref(), Some("constant action (seeds 0, 1, 2, 3, 4)"));
    assert_eq!(rows[4].warned.as_deref(), Some("KL explosion (seed 1)"));
    let marked: Vec<_> = page.runs.iter().filter(|r| r.warned.is_some()).collect();
    assert_eq!(marked.len(), 6);
    let last = marked[5].warned.as_deref().unwrap();
    assert_eq!(last, "KL explosion: approx_kl 0.913 in update 9; above 0.5 in 1 update, at most 0.913");
    let html = own_text(&html(&input).unwrap());
    // Two arms in the table of verdicts and in two of scores, and six runs.
    assert_eq!(html.matches(">warning</a>").count(), 2 * 3);
    assert_eq!(html.matches(">warning</span>").count(), 6);
    assert!(html.contains("id=\"warnings\"") && html.contains("Completed runs with warnings"));
}

#[test]
fn the_first_warning_is_that_of_the_lowest_seed() {
    let mut input = input(3);
    // Two kinds in one run, the seeds out of order.
    input.runs.retain(|r| r.arm == 0);
    input.runs.reverse();
    let warning = |kind, step, text: &str| Warning { kind, step, text: text.to_owned() };
    for run in &mut input.runs {
        let manifest = run.manifest.as_mut().unwrap();
        let text = format!("of seed {}", run.seed);
        manifest.warnings = vec![warning(WarningKind::KlExplosion, 10 - run.seed, &text)];
        if run.seed == 2 {
            manifest.warnings.push(warning(WarningKind::ConstantAction, 99, "too"));
        }
    }
    let (page, _) = page(&input);
    let rows: Vec<_> =
        page.warnings.iter().map(|w| (w.what, w.seeds.as_str(), w.step.as_str(), w.text.as_str())).collect();
    assert_eq!(rows, [("constant action", "2", "99", "too"), ("KL explosion", "0, 1, 2", "10", "of seed 0")]);
    let mark = "constant action (seed 2); KL explosion (seeds 0, 1, 2)";
    assert_eq!(page.groups[0].table.arms[0].warned.as_deref(), Some(mark));
    assert_eq!(page.warned.unwrap().0, "3 completed runs with warnings");
}

#[test]
fn words_of_warnings_are_escaped_and_without_warnings_nothing_is_said() {
    let mut input = input(3);
    let hostile = "\"></td><script>alert('x')</script>";
    for manifest in input.runs.iter_mut().filter_map(|r| r.manifest.as_mut()) {
        manifest.warnings.iter_mut().for_each(|w| w.text = hostile.to_owned());
    }
    let text = own_text(&html(&input).unwrap());
    assert!(!text.contains("<script>alert") && text.contains("&lt;script&gt;alert"));
    assert!(!text.contains("title=\"constant action: \">"), "a title ends where it should");

    for manifest in input.runs.iter_mut().filter_map(|r| r.manifest.as_mut()) {
        manifest.warnings.clear();
    }
    let text = own_text(&html(&input).unwrap());
    assert!(!text.contains("id=\"warnings\""));
    assert!(!text.contains(">warning</a>") && !text.contains("with warnings"));
}
