//! A body's tensors as they stand now: merged into the model's own, and their digests.

use std::path::Path;

use super::Body;
use crate::params::to_host;
use crate::{LlmError, lora};

/// Digest of one tensor of a policy's language model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyDigest {
    /// Name as in the checkpoint.
    pub name: String,
    /// Whether it is trained.
    pub trained: bool,
    /// Of its present values, see [`tensor_digest`](crate::tensor_digest).
    pub digest: String,
}

impl Body {
    /// The model with what was trained in its place, adapters added to the weights that they adapt: `config.json` and
    /// `model.safetensors` in an existing folder, as `transformers` loads them.
    pub fn save_merged(&self, dir: &Path) -> Result<(), LlmError> {
        self.backbone.save_with(dir, |name| self.merged(name))
    }

    /// Values of a tensor of the model in on-disk layout.
    fn merged(&self, name: &str) -> Vec<f32> {
        if let Some(param) = self.params.get(name) {
            return param.values();
        }
        let mut values = self.backbone.values(name);
        let adapted = self.plan.adapted.iter().enumerate();
        let mut pairs = adapted.flat_map(|(layer, projections)| projections.iter().map(move |p| (layer, *p)));
        if let Some((layer, projection)) = pairs.find(|(layer, p)| p.weight(*layer) == name) {
            let [a, b] = lora::factor_names(projection, layer).map(|factor| self.param(&factor, false));
            // `A B` is the transpose of what disk holds.
            let update = to_host(a.matmul(b).mul_scalar(self.spec.lora.scale() as f32).transpose());
            values.iter_mut().zip(update).for_each(|(w, u)| *w += u);
        }
        values
    }

    /// Digests of all tensors of the language model as they stand now: those of the backbone in its order, the ones
    /// trained in full with their trained values, then the adapters. Parameters that a policy added are not among
    /// them, see [`ParamSet::digests`](crate::ParamSet::digests).
    pub fn digests(&self) -> Vec<BodyDigest> {
        let trained = self.params.digests();
        let of = |name: &str| trained.iter().find(|(n, _)| n == name).map(|(_, digest)| digest.clone());
        let mut digests: Vec<BodyDigest> = Vec::new();
        for (name, frozen) in self.backbone.digests_now() {
            let own = of(&name);
            digests.push(BodyDigest { name, trained: own.is_some(), digest: own.unwrap_or(frozen) });
        }
        for (layer, projections) in self.plan.adapted.iter().enumerate() {
            for name in projections.iter().flat_map(|p| lora::factor_names(*p, layer)) {
                let digest = of(&name).expect("invariant: adapters are parameters");
                digests.push(BodyDigest { name, trained: true, digest });
            }
        }
        digests
    }
}
