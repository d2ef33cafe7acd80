use super::*;

#[test]
fn a_page_is_its_blocks_in_order() {
    let page = "# T\n```console\ncargo install\n```\n```sh\na\nb\n```\n\n```text numbers\n1\n```\n```toml\n# x.toml\nk = 1\n```\n";
    let expected = Some(Expected { text: "1".to_owned(), is_exact: false });
    let run = Block::Run { line: 5, text: "a\nb".to_owned(), expected };
    let save = Block::Save { path: "x.toml".to_owned(), text: "# x.toml\nk = 1".to_owned() };
    assert_eq!(blocks(page).unwrap(), [run, save]);
    for (wrong, why) in [
        ("```text\n1\n```\n", "line 1: no command printed this"),
        ("```toml\nk = 1\n```\n", "line 1: a file without its name"),
        ("```bash\nls\n```\n", "line 1: a block in `bash`"),
        ("no fences", "has lost its blocks"),
    ] {
        assert!(blocks(wrong).unwrap_err().to_string().contains(why), "{why}");
    }
}

#[test]
fn numbers_that_come_from_a_training_may_be_others() {
    for (line, plain) in [
        ("base 3 3.906 -0.55 −0.5 -", "base 3 # # # -"),
        ("2021-01-01 to 2021-12-31, 95% p < 0.001", "2021-01-01 to 2021-12-31, 95% p < #"),
        ("(+1.2207) \\[3.56, 4.32\\]", "(#) \\[#, #\\]"),
        ("a1.5 v2 -> -1", "a1.5 v2 -> -1"),
    ] {
        assert_eq!(without_numbers(line), plain);
    }
}

#[test]
fn output_that_differs_from_the_page_is_told() {
    let expected = |text: &str, is_exact| Expected { text: text.to_owned(), is_exact };
    let table = expected("arm  runs\nbase  3  1.5\n...\nend", false);
    assert_eq!(agrees(&table, "arm runs\nbase   3   2.25\nx\ny\nend\n"), Ok(()));
    assert_eq!(
        agrees(&table, "arm runs\nbase 4 2.25\n"),
        Err("expected `base 3 #`, found `base 4 #`".to_owned())
    );
    assert_eq!(agrees(&table, "arm runs\nbase 3 1.5\nx\n"), Err("expected `end`, found nothing".to_owned()));
    let exact = expected("1.5", true);
    assert_eq!(agrees(&exact, "1.6"), Err("expected `1.5`, found `1.6`".to_owned()));
    assert_eq!(agrees(&exact, "1.5\nmore\n"), Err("expected nothing more, found `more`".to_owned()));
}

#[test]
fn each_block_is_beside_its_own_output() {
    let page = "```sh\na\n```\n```text\n1\n```\n```sh\nb\n```\n```text\n2\n```\n";
    let blocks = blocks(page).unwrap();
    let print = |one: &str, two: &str| format!("{MARK}0\n{one}\n{MARK}1\n{two}\n");
    assert!(compare(&blocks, &print("1", "2")).is_ok());
    let error = compare(&blocks, &print("1", "3")).unwrap_err().to_string();
    assert!(error.contains("block at line 7: expected `2`, found `3`"), "{error}");
    assert!(compare(&blocks, "").is_err());
}

/// The page is read and has what it is about; carrying it out is the check.
#[test]
fn the_page_has_every_step() {
    let page = std::fs::read_to_string(workspace::root().join(PAGE)).unwrap();
    let script = script(&blocks(&page).unwrap());
    for step in [
        "init ",
        "dataset import",
        "--plan",
        "--format markdown",
        "controls =",
        "why ",
        "--fail-unless",
        "export ",
    ] {
        assert!(script.contains(step), "{step}");
    }
}
