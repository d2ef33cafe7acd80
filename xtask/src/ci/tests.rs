use super::*;

fn names(args: &[&str]) -> Result<Vec<&'static str>, String> {
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    extra(&args).map(|checks| checks.iter().map(|c| c.name).collect()).map_err(|e| e.to_string())
}

#[test]
fn the_checks_on_top_are_none_all_or_those_named() {
    assert_eq!(names(&[]), Ok(vec![]));
    assert_eq!(names(&["--with", "browser,parity"]), Ok(vec!["browser", "parity"]));
    assert_eq!(names(&["--full"]).unwrap().len(), FULL.len());
}

#[test]
fn an_unknown_check_is_an_error_that_lists_the_known() {
    let expected = "--with: expected some of parity, peft, browser, cuda, wgpu; found `gpu`";
    assert_eq!(names(&["--with", "gpu"]), Err(expected.to_owned()));
    assert_eq!(
        names(&["--ful"]),
        Err("cargo xtask ci takes --full or --with NAME,NAME; found `--ful`".to_owned())
    );
    assert!(names(&["--with"]).is_err());
}
