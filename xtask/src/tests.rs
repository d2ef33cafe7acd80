use super::*;

#[test]
fn a_slip_of_our_own_commands_is_told_and_others_are_left_to_flaglab() {
    assert_eq!(meant("bnech"), Some("bench"));
    assert_eq!(meant("orcale"), Some("oracle"));
    for left in ["bench", "ci", "sweep", "swep", "paper", "--version", "xyz"] {
        assert_eq!(meant(left), None, "{left}");
    }
}

#[test]
fn completions_are_told_of_every_check_and_flag() {
    let told = completed().join("\n");
    for word in ["ci --full --with=formatting,", "wgpu", "\noracle\n", "bench --peer"] {
        assert!(told.contains(word), "{word} is missing from:\n{told}");
    }
}
