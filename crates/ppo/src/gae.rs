//! Generalised advantage estimation over a rollout.

/// What [`advantages`] needs of a rollout; every slice is `[n_steps, n_envs]`, step by step.
#[derive(Debug, Clone, Copy)]
pub struct GaeInput<'a> {
    /// Environments side by side.
    pub n_envs: usize,
    /// Reward of each step.
    pub rewards: &'a [f64],
    /// Value of the observation at which each step was decided.
    pub values: &'a [f64],
    /// Whether the step ended its episode in ruin.
    pub terminated: &'a [bool],
    /// Whether the step ended its episode by a time limit or the end of the data.
    pub truncated: &'a [bool],
    /// Value of the observation after the step. Read where an episode was truncated and in the last row, where the
    /// rollout was cut.
    pub final_values: &'a [f64],
}

/// Generalised advantage estimation (Schulman et al. 2016), `A_t = sum_k (gamma lambda)^k delta_{t+k}` with
/// `delta_t = r_t + gamma V(s_{t+1}) - V(s_t)`.
///
/// The sum stops at either kind of end. A terminated step bootstraps from 0, a truncated one and the rollout's last
/// from `final_values`.
///
/// # Shapes
/// Returns advantages `[n_steps, n_envs]`, in units of the reward. The target of the value function is
/// `advantages + values`.
pub fn advantages(input: GaeInput<'_>, gamma: f64, lambda: f64) -> Vec<f64> {
    let n = input.rewards.len();
    debug_assert!(n.is_multiple_of(input.n_envs), "rows of n_envs");
    let mut advantages = vec![0.0; n];
    for i in (0..n).rev() {
        let next = i + input.n_envs;
        let cut = input.truncated[i] || next >= n;
        let next_value = match (input.terminated[i], cut) {
            (true, _) => 0.0,
            (false, true) => input.final_values[i],
            (false, false) => input.values[next],
        };
        let delta = input.rewards[i] + gamma * next_value - input.values[i];
        let ends = input.terminated[i] || cut;
        advantages[i] = delta + if ends { 0.0 } else { gamma * lambda * advantages[next] };
    }
    advantages
}

#[cfg(test)]
mod tests;
