//! The freeze receipt: what was trained moved, and nothing else did.

use trading_env::{AgentError, FreezeReceipt, GroupNorm, TensorDigest};

/// One tensor of a network at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorState {
    /// Name as in the checkpoint.
    pub name: String,
    /// Group of the optimiser that trains it; absent for a frozen tensor.
    pub group: Option<String>,
    /// BLAKE3 (hex) of its values.
    pub digest: String,
}

/// Compares all tensors before and after a training.
///
/// A frozen tensor that moved is an error, and so is a trained group none of whose tensors moved. A single tensor of
/// a group may stand still: a LoRA factor does in the first step, because the other factor starts at 0.
pub fn receipt(
    before: &[TensorState],
    after: &[TensorState],
    groups: Vec<GroupNorm>,
) -> Result<FreezeReceipt, AgentError> {
    let problem = |tensor: &str, problem: &str| AgentError::Receipt {
        tensor: tensor.to_owned(),
        problem: problem.to_owned(),
    };
    if before.len() != after.len() {
        let tensor = after.iter().chain(before).find(|a| !before.contains(a) || !after.contains(a));
        return Err(problem(tensor.map_or("", |t| &t.name), "appeared or vanished in training"));
    }
    for (old, new) in before.iter().zip(after) {
        if old.name != new.name {
            return Err(problem(&new.name, "appeared or vanished in training"));
        }
        if old.group.is_none() && old.digest != new.digest {
            return Err(problem(&old.name, "moved although frozen"));
        }
    }
    let moved = |group: &str| {
        let members = before.iter().zip(after).filter(|(old, _)| old.group.as_deref() == Some(group));
        members.into_iter().any(|(old, new)| old.digest != new.digest)
    };
    for old in before {
        if old.group.as_deref().is_some_and(|group| !moved(group)) {
            return Err(problem(&old.name, "did not move although trained"));
        }
    }
    let digest = |(old, new): (&TensorState, &TensorState)| TensorDigest {
        name: old.name.clone(),
        trained: old.group.is_some(),
        before: old.digest.clone(),
        after: new.digest.clone(),
    };
    Ok(FreezeReceipt { tensors: before.iter().zip(after).map(digest).collect(), groups })
}

#[cfg(test)]
mod tests;
