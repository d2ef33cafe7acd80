//! Learned agents, put together from prompt, language model and PPO, and the devices they compute on.
//!
//! `ppo-llm` is the subject of the experiments; `ppo-mlp` is the same training on numbers alone, `zero-shot-llm` the
//! same model without training. They are plugins of the `agent` section, burn's backends are plugins of the `backend`
//! section. With `llm`, `ppo` and `pretrain` this is the only crate that knows burn.

mod backend;
mod learner;
mod model;
mod ppo_llm;
mod ppo_mlp;
mod reader;
mod receipt;
mod zero_shot;

pub use backend::{AcceleratorParams, BurnDevice, CudaPlugin, FlexPlugin, NoParams, WgpuPlugin};
pub use burn::tensor::FloatDType;
pub use model::{ModelParams, Weights, dtype, imported};
pub use ppo_llm::{HEADS, LlmPolicy, PpoLlmParams, PpoLlmPlugin, TrainedLlm};
pub use ppo_mlp::{PpoMlpParams, PpoMlpPlugin};
pub use zero_shot::{ZeroShotParams, ZeroShotPlugin};

use plugin::Plugin;
use trading_env::{AgentKind, BackendKind};

/// Agents with a network, in the order of listings.
pub const AGENTS: &[&dyn Plugin<AgentKind>] = &[&PpoLlmPlugin, &PpoMlpPlugin, &ZeroShotPlugin];

/// Backends, in the order of listings; the first is the default.
pub const BACKENDS: &[&dyn Plugin<BackendKind>] = &[&FlexPlugin, &WgpuPlugin, &CudaPlugin];

#[cfg(test)]
mod testing;
