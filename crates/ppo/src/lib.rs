//! Proximal policy optimisation (Schulman et al. 2017) in its own loop: rollout, advantages, loss, update.
//!
//! The network stands behind [`ActorCritic`], where it acts behind [`Environments`]; everything around it happens on the host in double precision, and
//! everything random comes from ChaCha streams named by purpose, so a training depends on its seed and settings
//! alone. Names are CleanRL's. This crate opens no files.

mod actor_critic;
mod config;
mod decide;
mod environments;
mod gae;
mod init;
mod loss;
mod mlp;
mod policy;
mod rollout;
mod saved;
mod standardiser;
mod trainer;
mod update;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod test_net;

pub use actor_critic::{ActorCritic, HostOutput, Output, Seen, Usage, evaluate, with_parameters};
pub use config::{ActionAtTest, CheckpointRule, LearningRates, PpoConfig, TrainDtype};
pub use decide::Decider;
pub use environments::Environments;
pub use gae::{GaeInput, advantages};
pub use init::orthogonal;
pub use loss::{Loss, LossConfig, Sample, loss, whiten};
pub use mlp::{Activation, Mlp, POLICY_GAIN, POLICY_HEAD, VALUE_GAIN, VALUE_HEAD};
pub use policy::Policy;
pub use rollout::{Estimates, Rollout, explained_variance};
pub use standardiser::Standardiser;
pub use trainer::{Trained, Update, learn, train};
pub use update::{Batch, NonFinite, UpdateStats, update};
