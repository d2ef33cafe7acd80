//! The body of a policy: a frozen language model whose top, or whose adapters, are trained.
//!
//! A sequence has two parts. The shared part (task, prices, news) is the same for every run that stands at the same
//! bar; the own part (account, memory) differs. [`Body::encode_shared`] and [`Body::encode_own`] carry both through
//! the layers below the boundary, where nothing is trained, so their results can be kept as long as the backbone;
//! [`Body::forward`] goes on from there with gradients.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use crate::decoder::{Adapter, Geometry, KeyValues, Layer, Product, rms_norm};
use crate::names::{EMBEDDING, NORM, Projection, input_norm, layer_tensors, post_norm};
use crate::params::{NewParam, ParamSet};
use crate::{Backbone, LlmError, TrainPlan, TrainSpec, backbone, lora};

/// A backbone with what one run trains of it.
#[derive(Debug, Clone)]
pub struct Body {
    backbone: Arc<Backbone>,
    spec: TrainSpec,
    plan: TrainPlan,
    boundary: usize,
    params: ParamSet,
}

/// The shared part of a sequence at the boundary. Depends on its tokens, the boundary and the backbone alone.
#[derive(Debug, Clone)]
pub struct SharedPart {
    ids: Arc<[u32]>,
    /// Keys and values of the layers below the boundary, `[1, ids, kv_heads, head_dim]`.
    past: Vec<KeyValues>,
    /// Hidden states at the boundary, `[ids, d]`; absent when no trained layer reads them or the embedding is trained.
    hidden: Option<Tensor<2>>,
}

/// The own part of a sequence at the boundary, after a given shared part.
#[derive(Debug, Clone)]
pub struct OwnPart {
    ids: Arc<[u32]>,
    /// Hidden states at the boundary: `[ids, d]`, or `[1, d]`, the last position's, when no layer is trained; absent
    /// when the embedding is trained.
    hidden: Option<Tensor<2>>,
}

impl SharedPart {
    /// Its tokens.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Memory of its tensors, in bytes.
    pub fn bytes(&self) -> usize {
        let of_past = |kv: &KeyValues| 2 * kv.keys.shape().num_elements();
        let hidden = self.hidden.as_ref().map_or(0, |h| h.shape().num_elements());
        size_of::<f32>() * (self.past.iter().map(of_past).sum::<usize>() + hidden + self.ids.len())
    }
}

impl OwnPart {
    /// Its tokens.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }
}

/// Digest of one tensor of a policy's language model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyDigest {
    /// Name as in the checkpoint.
    pub name: String,
    /// Whether it is trained.
    pub trained: bool,
    /// sha256 (hex) of its present values.
    pub digest: String,
}

impl Body {
    /// A body whose trained tensors start as the backbone's. `seed` draws the adapters.
    pub fn new(backbone: Arc<Backbone>, spec: TrainSpec, seed: u64) -> Result<Self, LlmError> {
        let config = backbone.config();
        let plan = spec.plan(config)?;
        let mut params = ParamSet::new(backbone.device());
        if plan.embedding {
            let shape = [config.vocab_size, config.hidden_size];
            params.insert(NewParam::matrix(EMBEDDING, "embedding", shape, backbone.values(EMBEDDING)));
        }
        for layer in 0..config.num_hidden_layers {
            let group = format!("layers.{layer}");
            if plan.full[layer] {
                for (name, shape) in layer_tensors(config, layer) {
                    let values = backbone.values(&name);
                    params.insert(match shape[..] {
                        [d_out, d_in] => NewParam::linear(&name, &group, [d_out, d_in], values),
                        _ => NewParam::vector(&name, &group, values),
                    });
                }
            }
            for projection in &plan.adapted[layer] {
                for factor in lora::factors(config, &spec.lora, *projection, layer, seed) {
                    params.insert(factor);
                }
            }
        }
        if plan.norm {
            params.insert(NewParam::vector(NORM, "norm", backbone.values(NORM)));
        }
        let boundary = plan.boundary();
        Ok(Self { backbone, spec, plan, boundary, params })
    }

    /// The frozen model.
    pub fn backbone(&self) -> &Arc<Backbone> {
        &self.backbone
    }

    /// What is trained, as it was asked for.
    pub fn spec(&self) -> &TrainSpec {
        &self.spec
    }

    /// What is trained, per layer.
    pub fn plan(&self) -> &TrainPlan {
        &self.plan
    }

    /// First layer at or below which something is trained; the number of layers when nothing below the final norm is.
    pub fn boundary(&self) -> usize {
        self.boundary
    }

    /// The trained tensors. A policy adds its heads here, so that one norm clips and one optimiser moves all of them.
    pub fn params(&self) -> &ParamSet {
        &self.params
    }

    /// The trained tensors, to be moved.
    pub fn params_mut(&mut self) -> &mut ParamSet {
        &mut self.params
    }

    /// What distinguishes shared parts of equal tokens, besides the backbone: where they end.
    pub(crate) fn cut(&self) -> (usize, bool) {
        (self.boundary, self.plan.embedding)
    }

    fn device(&self) -> &Device {
        self.backbone.device()
    }

    fn n_layers(&self) -> usize {
        self.plan.full.len()
    }

    /// Carries the shared part up to the boundary. Always computed as a batch of one, so that its bytes depend on
    /// nothing but tokens, boundary and backbone.
    pub fn encode_shared(&self, ids: &[u32]) -> Result<SharedPart, LlmError> {
        self.backbone.check_tokens(0, ids)?;
        let mut part = SharedPart { ids: ids.into(), past: Vec::with_capacity(self.boundary), hidden: None };
        if self.plan.embedding {
            return Ok(part);
        }
        let config = self.backbone.config();
        let at = Geometry::row(self.backbone.rotary(), 0, ids.len(), self.device());
        let mut x = self.backbone.embed(ids);
        for i in 0..self.boundary {
            let layer = self.backbone.layer(i);
            if i + 1 == self.n_layers() {
                // Nobody reads the hidden states above the last layer, other than those of the own part.
                part.past.push(layer.key_values(config, x, &at));
                return Ok(part);
            }
            let (hidden, own) = layer.forward(config, x, &at, None);
            part.past.push(own);
            x = hidden;
        }
        part.hidden = Some(x);
        Ok(part)
    }

    /// Carries the own part up to the boundary, with the shared part's keys and values. Always computed as a batch
    /// of one: its bytes depend on its tokens and on the shared part, not on companions.
    pub fn encode_own(&self, shared: &SharedPart, ids: &[u32]) -> Result<OwnPart, LlmError> {
        self.backbone.check_tokens(shared.ids.len(), ids)?;
        let mut part = OwnPart { ids: ids.into(), hidden: None };
        if self.plan.embedding {
            return Ok(part);
        }
        let config = self.backbone.config();
        let at = Geometry::row(self.backbone.rotary(), shared.ids.len(), ids.len(), self.device());
        let mut x = self.backbone.embed(ids);
        for (i, past) in shared.past.iter().enumerate() {
            let layer = self.backbone.layer(i);
            x = if i + 1 == self.n_layers() {
                layer.forward_last(config, x, &at, Some(past.clone()))
            } else {
                layer.forward(config, x, &at, Some(past.clone())).0
            };
        }
        part.hidden = Some(x);
        Ok(part)
    }

    /// Hidden states of the last token after the final norm, `[batch, d]`, with the graph of the trained tensors.
    ///
    /// Rows are padded on the left to the longest; padding is seen by nobody and positions count from a row's first
    /// token, so padding changes a row by float error at most. The matrix library may choose another kernel for
    /// another number of rows, so the bytes of a row can depend on its companions: equal batches give equal bytes.
    ///
    /// # Panics
    /// When the batch is empty or a part was encoded by a body with another boundary.
    pub fn forward(&self, batch: &[(Arc<SharedPart>, OwnPart)]) -> Tensor<2> {
        self.run(batch, true)
    }

    /// The same as [`Body::forward`], by the same code, without a graph: equal up to float error (about 1e-6), because
    /// some operations are fused outside of autodiff.
    pub fn forward_frozen(&self, batch: &[(Arc<SharedPart>, OwnPart)]) -> Tensor<2> {
        self.run(batch, false)
    }

    fn run(&self, batch: &[(Arc<SharedPart>, OwnPart)], graph: bool) -> Tensor<2> {
        assert!(!batch.is_empty(), "a batch has at least one row");
        let config = self.backbone.config();
        let mut x = if self.boundary == self.n_layers() {
            let rows = batch.iter().map(|(_, own)| own.hidden.clone().expect("part of another body"));
            Tensor::cat(rows.collect(), 0)
        } else {
            let lengths: Vec<usize> = batch.iter().map(|(s, own)| s.ids.len() + own.ids.len()).collect();
            let at = Geometry::padded(self.backbone.rotary(), &lengths, self.device());
            let mut x = self.padded_rows(batch, at.seq, graph);
            for i in self.boundary..self.n_layers() {
                let layer = self.layer(i, graph);
                x = if i + 1 == self.n_layers() {
                    layer.forward_last(config, x, &at, None)
                } else {
                    layer.forward(config, x, &at, None).0
                };
            }
            x
        };
        x = rms_norm(x, self.norm(graph), config.rms_norm_eps);
        x
    }

    /// Hidden states at the boundary of all rows, each padded on the left: `[batch * seq, d]`.
    fn padded_rows(&self, batch: &[(Arc<SharedPart>, OwnPart)], seq: usize, graph: bool) -> Tensor<2> {
        let d = self.backbone.config().hidden_size;
        let mut pieces = Vec::with_capacity(3 * batch.len());
        for (shared, own) in batch {
            let pad = seq - shared.ids.len() - own.ids.len();
            if pad > 0 {
                pieces.push(Tensor::zeros([pad, d], self.device()));
            }
            if self.plan.embedding {
                let ids: Vec<u32> = shared.ids.iter().chain(own.ids.iter()).copied().collect();
                pieces.push(backbone::lookup(self.param(EMBEDDING, graph), &ids, self.device()));
            } else {
                pieces.push(shared.hidden.clone().expect("part of another body"));
                pieces.push(own.hidden.clone().expect("part of another body"));
            }
        }
        Tensor::cat(pieces, 0)
    }

    fn param(&self, name: &str, graph: bool) -> Tensor<2> {
        let param = self.params.get(name).unwrap_or_else(|| panic!("`{name}` is not trained"));
        if graph { param.tensor() } else { param.plain() }
    }

    fn norm(&self, graph: bool) -> Tensor<2> {
        if self.plan.norm { self.param(NORM, graph) } else { self.backbone.norm() }
    }

    /// Layer `i` with its trained tensors.
    fn layer(&self, i: usize, graph: bool) -> Layer {
        let mut layer = if self.plan.full[i] { self.full_layer(i, graph) } else { self.backbone.layer(i) };
        for projection in &self.plan.adapted[i] {
            let [a, b] = lora::factor_names(*projection, i).map(|name| self.param(&name, graph));
            let adapter = Adapter { a, b, scale: self.spec.lora.scale() as f32 };
            let slot = match projection {
                Projection::Q => &mut layer.qkv.adapters[0],
                Projection::K => &mut layer.qkv.adapters[1],
                Projection::V => &mut layer.qkv.adapters[2],
                Projection::O => &mut layer.o.adapters[0],
                Projection::Gate => &mut layer.gate_up.adapters[0],
                Projection::Up => &mut layer.gate_up.adapters[1],
                Projection::Down => &mut layer.down.adapters[0],
            };
            *slot = Some(adapter);
        }
        layer
    }

    fn full_layer(&self, i: usize, graph: bool) -> Layer {
        let config = self.backbone.config();
        let product = |projections: &[Projection]| Product {
            weights: projections.iter().map(|p| self.param(&p.weight(i), graph)).collect(),
            widths: projections.iter().map(|p| p.shape(config)[0]).collect(),
            adapters: projections.iter().map(|_| None).collect(),
        };
        Layer {
            input_norm: self.param(&input_norm(i), graph),
            qkv: product(&[Projection::Q, Projection::K, Projection::V]),
            o: product(&[Projection::O]),
            post_norm: self.param(&post_norm(i), graph),
            gate_up: product(&[Projection::Gate, Projection::Up]),
            down: product(&[Projection::Down]),
        }
    }

    /// Hidden states after the final norm of one sequence, `[ids, d]`, through every layer without cache or padding:
    /// the plain path that the others are checked against.
    pub fn hidden(&self, ids: &[u32]) -> Result<Tensor<2>, LlmError> {
        self.backbone.check_tokens(0, ids)?;
        let config = self.backbone.config();
        let at = Geometry::row(self.backbone.rotary(), 0, ids.len(), self.device());
        let mut x = match self.plan.embedding {
            true => backbone::lookup(self.param(EMBEDDING, false), ids, self.device()),
            false => self.backbone.embed(ids),
        };
        for i in 0..self.n_layers() {
            x = self.layer(i, false).forward(config, x, &at, None).0;
        }
        Ok(rms_norm(x, self.norm(false), config.rms_norm_eps))
    }

    /// Digests of all tensors of the language model as they stand now: those of the backbone in its order, the ones
    /// trained in full with their trained values, then the adapters. Parameters that a policy added are not among
    /// them, see [`ParamSet::digests`].
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
