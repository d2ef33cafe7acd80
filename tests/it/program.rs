//! What the program calls itself where it tells the user what to type.

use crate::folder::Folder;

#[test]
fn a_program_goes_by_the_name_under_which_it_was_started() {
    let mut folder = Folder::empty();
    let usage = |folder: &Folder| folder.run(&["sweep", "--help"]).ok().to_owned();
    assert!(usage(&folder).contains("Usage: it sweep [OPTIONS] <FILE>"), "{}", usage(&folder));
    let script = folder.run(&["completions", "bash"]);
    assert!(script.ok().contains("complete -F _it "), "{}", script.stdout);
    folder.set("FLAGLAB_PROGRAM", "cargo xtask");
    assert!(usage(&folder).contains("Usage: cargo xtask sweep [OPTIONS] <FILE>"), "{}", usage(&folder));
    assert!(folder.run(&["completions", "bash"]).ok().contains("complete -F _flaglab "));
}

#[test]
fn the_version_is_told() {
    let version = folder_version();
    let number = version.strip_prefix("flaglab ").unwrap().trim_end();
    assert!(
        number.split('.').count() == 3 && number.bytes().all(|b| b.is_ascii_digit() || b == b'.'),
        "{version}"
    );
}

fn folder_version() -> String {
    Folder::empty().run(&["--version"]).ok().to_owned()
}
