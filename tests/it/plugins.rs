//! Listings.

use crate::folder::Folder;

#[test]
fn plugins_lists_every_kind_with_parameters() {
    let folder = Folder::empty();
    let all = folder.run(&["plugins", "--format", "json"]).json();
    for kind in ["data", "rules", "reward", "agent", "backend", "launcher"] {
        assert!(!all[kind].as_array().unwrap().is_empty(), "{kind}");
    }
    let text = folder.run(&["plugins", "reward"]);
    assert!(text.ok().contains("log-return") && !text.stdout.contains("buy-and-hold"));
    assert!(folder.run(&["plugins", "agents"]).refused().contains("did you mean \"agent\"?"));
}

#[test]
fn options_describes_every_section() {
    let text = Folder::empty().run(&["options"]);
    for word in ["extends", "seeds", "split", "max_episode_steps", "test-agent", "log-return"] {
        assert!(text.ok().contains(word), "{word}");
    }
}

#[test]
fn a_misspelt_command_is_refused_with_the_nearest_one() {
    let output = Folder::empty().run(&["sweeep", "x.toml"]);
    assert!(output.refused().contains("sweep"), "{}", output.stderr);
    let output = Folder::empty().run(&["sweep", "x.toml", "--job", "2"]);
    assert!(output.refused().contains("--jobs"), "{}", output.stderr);
    Folder::empty().run(&[]).refused();
}

#[test]
fn help_goes_to_stdout() {
    assert!(Folder::empty().run(&["--help"]).ok().contains("sweep"));
    assert!(Folder::empty().run(&["sweep", "--help"]).ok().contains("--set"));
}
