//! The words and numbers of an action file.

use trading_env::Action;

use super::{Decisions, read_actions_csv};

fn read(text: &str) -> Result<Decisions, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, text).unwrap();
    read_actions_csv(&path).map_err(|e| e.to_string())
}

#[test]
fn words_and_numbers_are_the_same_actions() {
    use Action::{Buy, Hold, Sell};
    let actions = |text: &str| read(text).unwrap().iter().map(|(_, a)| a).collect::<Vec<_>>();
    assert_eq!(actions("date,action\n2020-01-02,buy\n2020-01-03,sell\n2020-01-04,hold\n"), [Buy, Sell, Hold]);
    assert_eq!(actions("date,action\n2020-01-02,1\n2020-01-03,-1\n2020-01-04,0\n"), [Buy, Sell, Hold]);
    assert_eq!(actions("date,action\n2020-01-02,Buy\n"), [Buy]);
}

#[test]
fn anything_else_is_an_error_and_never_a_hold() {
    for cell in ["", "by", "2", "0.0", "none", "nan"] {
        let error = read(&format!("date,action\n2020-01-02,buy\n2020-01-03,{cell}\n")).unwrap_err();
        assert!(
            error.contains("a.csv:3: expected buy, sell, hold or 1, -1, 0 in column `action`"),
            "{cell}: {error}"
        );
    }
}
