use super::*;

fn tensor(name: &str, group: Option<&str>, digest: &str) -> TensorState {
    TensorState { name: name.to_owned(), group: group.map(str::to_owned), digest: digest.to_owned() }
}

fn states(frozen: &str, a: &str, b: &str) -> Vec<TensorState> {
    vec![tensor("frozen", None, frozen), tensor("a", Some("head"), a), tensor("b", Some("head"), b)]
}

#[test]
fn a_group_has_moved_when_one_of_its_tensors_has() {
    let receipt = receipt(&states("f", "a", "b"), &states("f", "a", "c"), Vec::new()).unwrap();
    let rows: Vec<_> =
        receipt.tensors.iter().map(|t| (t.name.as_str(), t.trained, t.before == t.after)).collect();
    assert_eq!(rows, [("frozen", false, true), ("a", true, true), ("b", true, false)]);
}

#[test]
fn a_frozen_tensor_that_moved_is_an_error() {
    let error = receipt(&states("f", "a", "b"), &states("g", "x", "y"), Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "freeze receipt: tensor `frozen` moved although frozen");
}

#[test]
fn a_trained_group_that_did_not_move_is_an_error() {
    let still = states("f", "a", "b");
    let error = receipt(&still, &still, Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "freeze receipt: tensor `a` did not move although trained");
}

#[test]
fn a_tensor_that_vanished_is_an_error() {
    let before = states("f", "a", "b");
    let error = receipt(&before, &before[..2], Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "freeze receipt: tensor `b` appeared or vanished in training");
}
