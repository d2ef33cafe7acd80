use super::*;

fn values(text: &str) -> Values {
    let mut values = Values::new();
    text.split('|').for_each(|turn| collect(&mut values, turn).unwrap());
    values
}

#[test]
fn a_row_holds_medians_and_the_ratios_of_neighbouring_turns() {
    let ours = values(
        "layer/forward 0.030\nload/memory 2097152|layer/forward 0.010\nload/memory 2097152|layer/forward 0.020",
    );
    let theirs = values("layer/forward 0.050\nload/memory 1048576|layer/forward 0.060|layer/forward 0.050");
    let mut table = String::new();
    rows(&mut table, "case", &ours, &theirs).unwrap();
    assert_eq!(
        table,
        "| case | `layer/forward` | 20.0 ms | 50.0 ms | 2.50 | 1.67 to 6.00 |\n\
         | case | `load/memory` | 2 MiB | 1 MiB | 0.50 | 0.50 to 0.50 |\n"
    );
}

#[test]
fn a_higher_rate_is_in_our_favour() {
    let ours = values("ppo-mlp/steps_per_s 6000|ppo-mlp/steps_per_s 9000|ppo-mlp/steps_per_s 8000");
    let theirs = values("ppo-mlp/steps_per_s 2000|ppo-mlp/steps_per_s 1000|ppo-mlp/steps_per_s 2000");
    let mut table = String::new();
    rows(&mut table, "case", &ours, &theirs).unwrap();
    assert_eq!(table, "| case | `ppo-mlp/steps_per_s` | 8000/s | 2000/s | 4.00 | 3.00 to 9.00 |\n");
}

#[test]
fn what_the_other_program_does_not_measure_is_an_error() {
    let error = rows(&mut String::new(), "case", &values("a 1"), &values("b 1")).unwrap_err();
    assert_eq!(error.to_string(), "the other program prints no `a`");
    assert!(collect(&mut Values::new(), "a one").is_err());
    assert!(collect(&mut Values::new(), "nothing").is_err());
}

#[test]
fn a_part_measured_again_leaves_the_others_as_they_are() {
    let first = with_section("", "A whole sweep", "| 1 |\n");
    let both = with_section(&first, "One layer, and loading", "| 2 |");
    let body = |page: &str| page[page.find("\n## ").unwrap()..].to_owned();
    assert_eq!(body(&both), "\n## One layer, and loading\n\n| 2 |\n\n## A whole sweep\n\n| 1 |\n");
    let again = with_section(&both, "A whole sweep", "| 3 |");
    assert_eq!(body(&again), "\n## One layer, and loading\n\n| 2 |\n\n## A whole sweep\n\n| 3 |\n");
    assert!(again.starts_with("# Beside PyTorch\n"));
    let last = with_section(&again, "Statistics of a sweep", "| 4 |");
    assert!(last.ends_with("| 3 |\n\n## Statistics of a sweep\n\n| 4 |\n"), "{last}");
}
