//! Learned agents, put together from prompt, language model and PPO, and the devices they compute on.
//!
//! `ppo-llm` is the subject of the experiments; `ppo-mlp` is the same training on numbers alone. Both are plugins of
//! the `agent` section, burn's backends are plugins of the `backend` section. With `llm`, `ppo` and
//! `pretrain` this is the only crate that knows burn.

mod backend;
mod learner;
mod ppo_llm;
mod ppo_mlp;
mod receipt;

pub use backend::{BurnDevice, CudaPlugin, FlexPlugin, NoParams, WgpuPlugin};
pub use burn::tensor::FloatDType;
pub use ppo_llm::{HEADS, ModelParams, PpoLlmParams, PpoLlmPlugin, TrainedLlm, Weights, dtype};
pub use ppo_mlp::{PpoMlpParams, PpoMlpPlugin};

use plugin::Plugin;
use trading_env::{AgentKind, BackendKind};

/// Learned agents, in the order of listings.
pub const AGENTS: &[&dyn Plugin<AgentKind>] = &[&PpoLlmPlugin, &PpoMlpPlugin];

/// Backends, in the order of listings; the first is the default.
pub const BACKENDS: &[&dyn Plugin<BackendKind>] = &[&FlexPlugin, &WgpuPlugin, &CudaPlugin];

#[cfg(test)]
mod testing;
