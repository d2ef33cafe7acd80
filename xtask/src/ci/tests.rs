use super::*;

fn names(args: &[&str]) -> Result<Vec<&'static str>, String> {
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    selected(&args).map(|checks| checks.iter().map(|c| c.name).collect()).map_err(|e| e.to_string())
}

#[test]
fn checks_are_the_quick_ones_all_or_those_named() {
    assert_eq!(names(&[]).unwrap().len(), CHECKS.len());
    assert_eq!(names(&["--full"]).unwrap().len(), CHECKS.len() + FULL.len());
    assert_eq!(names(&["--with", "browser,parity"]).unwrap()[CHECKS.len()..], ["browser", "parity"]);
    assert_eq!(names(&["--only", "tests"]).unwrap(), ["tests"]);
}

#[test]
fn an_unknown_check_is_an_error_that_lists_the_known() {
    let error = names(&["--with", "gpu"]).unwrap_err();
    assert!(error.starts_with("expected some of formatting, lints, "), "{error}");
    assert!(error.ends_with("; found `gpu` (did you mean \"wgpu\"?)"), "{error}");
    assert!(names(&["--ful"]).unwrap_err().ends_with("found `--ful` (did you mean \"--full\"?)"));
    assert!(names(&["--only", "test"]).unwrap_err().ends_with("found `test` (did you mean \"tests\"?)"));
    assert!(names(&["--only"]).is_err());
}
