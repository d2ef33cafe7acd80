//! One seed of a PPO agent, whatever its network: training, decisions, and what it leaves on disk.

use std::path::Path;

use llm::Adam;
use ppo::{ActorCritic, Decider, PpoConfig};
use serde::{Deserialize, Serialize};
use trading_env::{
    AgentError, Arena, Decision, EnvBatch, FreezeReceipt, Learner, Observation, PolicyEntropy, PromptCounts,
    Training,
};

use crate::receipt::{TensorState, receipt};

/// Trained tensors, in safetensors.
const POLICY: &str = "policy.safetensors";
/// Moments of the optimiser.
const OPTIMIZER: &str = "optimizer.safetensors";
/// What the tensors belong to.
const DESCRIPTION: &str = "policy.json";
/// Version of the three files together.
const FORMAT: u32 = 1;

/// A network that an agent trains.
pub(crate) trait Network: ActorCritic<Envs = EnvBatch> + Send {
    /// Kind of the agent, as in experiment files.
    const KIND: &'static str;

    /// Called before training, also before one that resumes, with the training part; `chunk` observations are to go
    /// through the network at a time.
    fn prepare(&mut self, _arena: &Arena, _chunk: usize) -> Result<(), AgentError> {
        Ok(())
    }

    /// All tensors, the frozen ones too, as they stand now.
    fn tensors(&self) -> Vec<TensorState>;

    /// Digest of the frozen model that the trained tensors belong to.
    fn base(&self) -> Option<String>;

    /// Prompts that it has read; absent for a network that reads none.
    fn prompts(&self) -> Option<PromptCounts> {
        None
    }

    /// What the log of a training is to say at its end, other than how it went.
    fn note(&self) -> Option<String> {
        None
    }
}

/// One seed's learner.
pub(crate) struct PpoLearner<N> {
    network: N,
    config: PpoConfig,
    seed: u64,
    decider: Decider,
    trained: Option<Trained>,
}

struct Trained {
    adam: Adam,
    receipt: FreezeReceipt,
    kept_update: u32,
    entropy: PolicyEntropy,
}

/// Contents of `policy.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    format: u32,
    agent: String,
    seed: u64,
    /// Digest of the frozen model below the trained tensors.
    base: Option<String>,
    /// Update (from 0) whose parameters these are; absent for a policy that was not trained.
    kept_update: Option<u32>,
}

impl<N: Network> PpoLearner<N> {
    pub(crate) fn new(network: N, config: PpoConfig, seed: u64) -> Self {
        Self { network, config, seed, decider: Decider::new(seed), trained: None }
    }

    /// The network with what was trained.
    pub(crate) fn into_network(self) -> N {
        self.network
    }

    /// Takes the trained tensors that [`Learner::save`] left in `dir`.
    pub(crate) fn load(mut self, dir: &Path) -> Result<Self, AgentError> {
        let path = dir.join(DESCRIPTION);
        let at = |e: &dyn std::fmt::Display| AgentError::Other(format!("{}: {e}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|e| at(&e))?;
        let found: Description = serde_json::from_str(&text).map_err(|e| at(&e))?;
        let expected = |key: &str, expected: &str, found: &str| {
            Err(at(&format!("{key}: expected {expected}, found {found}")))
        };
        if found.format != FORMAT {
            return expected("format", &FORMAT.to_string(), &found.format.to_string());
        }
        if found.agent != N::KIND {
            return expected("agent", N::KIND, &found.agent);
        }
        let base = self.network.base();
        if found.base != base {
            let word = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "none".to_owned());
            return expected("base", &word(&base), &word(&found.base));
        }
        self.network.params_mut().load(&dir.join(POLICY)).map_err(|e| AgentError::Other(e.to_string()))?;
        Ok(self)
    }
}

impl<N: Network> Learner for PpoLearner<N> {
    fn train(&mut self, training: Training<'_>) -> Result<(), AgentError> {
        self.network.prepare(training.arena, self.config.minibatch_size)?;
        let before = self.network.tensors();
        let n_frozen = before.iter().filter(|t| t.group.is_none()).count();
        let Training { arena, validation, log } = training;
        log.note(&format!(
            "training {} numbers in {} tensors; {n_frozen} tensors are frozen",
            self.network.params().n_trainable(),
            before.len() - n_frozen
        ));
        let training = Training { arena, validation, log: &mut *log };
        let ppo::Trained { adam, group_norms, kept_update, entropy } =
            ppo::train(&mut self.network, training, &self.config, self.seed)?;
        if let Some(line) = self.network.note() {
            log.note(&line);
        }
        let receipt = receipt(&before, &self.network.tensors(), group_norms)?;
        self.trained = Some(Trained { adam, receipt, kept_update, entropy });
        Ok(())
    }

    fn reset(&mut self) {
        self.decider.reset();
    }

    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        self.decider.decide(&mut self.network, observations, &self.config)
    }

    fn save(&self, dir: &Path) -> Result<bool, AgentError> {
        let failed = |e: &dyn std::fmt::Display| AgentError::Other(e.to_string());
        self.network.params().save(&dir.join(POLICY)).map_err(|e| failed(&e))?;
        if let Some(trained) = &self.trained {
            trained.adam.save(self.network.params(), &dir.join(OPTIMIZER)).map_err(|e| failed(&e))?;
        }
        let description = Description {
            format: FORMAT,
            agent: N::KIND.to_owned(),
            seed: self.seed,
            base: self.network.base(),
            kept_update: self.trained.as_ref().map(|t| t.kept_update),
        };
        let text = serde_json::to_string_pretty(&description).map_err(|e| failed(&e))?;
        let path = dir.join(DESCRIPTION);
        std::fs::write(&path, text + "\n").map_err(|e| failed(&format!("{}: {e}", path.display())))?;
        Ok(true)
    }

    fn receipt(&self) -> Option<FreezeReceipt> {
        self.trained.as_ref().map(|t| t.receipt.clone())
    }

    fn final_entropy(&self) -> Option<PolicyEntropy> {
        self.trained.as_ref().map(|t| t.entropy)
    }

    fn prompts(&self) -> Option<PromptCounts> {
        self.network.prompts()
    }
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
