//! `completions`: scripts that shells accept and that know every command.

use std::process::Command;

use crate::folder::Folder;

/// Commands as `--help` lists them.
fn commands(folder: &Folder) -> Vec<String> {
    let help = folder.run(&["--help"]);
    let after = help.ok().split_once("Commands:\n").unwrap().1;
    let lines = after.lines().take_while(|line| !line.is_empty());
    let names: Vec<String> =
        lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).map(str::to_owned).collect();
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_command_stands_in_every_script() {
    let folder = Folder::empty();
    let commands = commands(&folder);
    assert!(commands.len() > 12 && commands.contains(&"export".to_owned()), "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let output = folder.run(&["completions", shell]);
        let script = output.ok();
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell}: {command}");
        }
        assert!(
            script.contains("--fail-unless") || script.contains("-l fail-unless"),
            "{shell}: options too"
        );
        assert_eq!(output.stderr, "");
    }
    assert!(folder.names().is_empty());
}

/// What a shell offers after `it ex` and after `it export --to `.
#[test]
fn bash_accepts_its_script_and_completes_with_it() {
    let folder = Folder::empty();
    folder.write("script", folder.run(&["completions", "bash"]).ok());
    let bash = |args: &[&str]| {
        let output = Command::new("bash").args(args).current_dir(folder.path(".")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(bash(&["-n", "script"]), "");
    let offered = |words: &str, at: usize| {
        let call = "source ./script; COMP_WORDS=($1); COMP_CWORD=$2; \
                    _it it \"${COMP_WORDS[$2]}\" \"${COMP_WORDS[$2-1]}\"; echo \"${COMPREPLY[*]}\"";
        bash(&["--norc", "-c", call, "bash", words, &at.to_string()])
    };
    assert_eq!(offered("it exp", 1), "export\n");
    assert_eq!(offered("it export --to", 3).trim(), "csv tensorboard");
}

#[test]
fn another_shell_is_refused_with_those_that_are_known() {
    let message = Folder::empty().run(&["completions", "bsh"]).refused();
    assert!(message.contains("bash") && message.contains("zsh") && message.contains("fish"), "{message}");
}

#[test]
fn commands_of_whoever_starts_it_stand_in_the_script_too() {
    let also = ["completions", "fish", "--also", "ci --full --only=tests,lints", "--also", "oracle"];
    let output = Folder::empty().run(&also);
    let script = output.ok();
    for part in ["-a \"oracle\"", "__fish_it_using_subcommand ci\" -l full", "-l only -r -f -a \"tests"] {
        assert!(script.contains(part), "{part} is missing from:\n{script}");
    }
}
