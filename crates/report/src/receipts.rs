//! What the freeze receipts of the runs say: what was frozen stayed, what was trained moved.

use serde::Serialize;
use store::RunState;
use trading_env::FreezeReceipt;

use crate::{ReportInput, numbers};

/// The receipts of one arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ReceiptRow {
    pub arm: String,
    /// Completed runs with a receipt.
    pub runs: String,
    /// Frozen tensors whose digest is the same after training, of all frozen ones, in the run with the fewest.
    pub frozen: String,
    /// Trained tensors whose digest changed, of all trained ones, in the run with the fewest.
    pub moved: String,
    /// Groups with their mean gradient norms, averaged over runs.
    pub groups: Vec<(String, String)>,
}

/// One row per arm that has receipts, in plan order.
pub(crate) fn receipts(input: &ReportInput) -> Vec<ReceiptRow> {
    let arms = input.plan.arms.iter().enumerate();
    let row = |(index, arm): (usize, &crate::PlannedArm)| {
        let completed = input.runs.iter().filter(|r| r.arm == index && r.state == RunState::Completed);
        let receipts: Vec<&FreezeReceipt> =
            completed.filter_map(|r| r.manifest.as_ref()?.receipt.as_ref()).collect();
        Some(ReceiptRow {
            arm: arm.name.clone(),
            runs: numbers::count(receipts.len()),
            frozen: counts(&receipts, false)?,
            moved: counts(&receipts, true)?,
            groups: groups(&receipts),
        })
    };
    arms.filter_map(row).collect()
}

/// `as expected of all` tensors that are (not) trained, in the run with the fewest; none without receipts.
fn counts(receipts: &[&FreezeReceipt], trained: bool) -> Option<String> {
    let of = |receipt: &&FreezeReceipt| {
        let tensors = receipt.tensors.iter().filter(|t| t.trained == trained);
        let (moved, stayed): (Vec<_>, Vec<_>) = tensors.partition(|t| t.before != t.after);
        let all = moved.len() + stayed.len();
        (if trained { moved.len() } else { stayed.len() }, all)
    };
    let (n, all) = receipts.iter().map(of).min()?;
    Some(format!("{} of {}", numbers::count(n), numbers::count(all)))
}

fn groups(receipts: &[&FreezeReceipt]) -> Vec<(String, String)> {
    let Some(first) = receipts.first() else { return Vec::new() };
    let mean = |name: &str| {
        let norms = receipts.iter().flat_map(|r| &r.groups).filter(|g| g.group == name);
        norms.map(|g| g.mean_grad_norm).sum::<f64>() / receipts.len() as f64
    };
    first.groups.iter().map(|g| (g.group.clone(), format!("{:.2e}", mean(&g.group)))).collect()
}
