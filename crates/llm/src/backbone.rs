//! A frozen language model on a device, shared by all runs that use it.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use rayon::prelude::*;

use crate::checkpoint::{Checkpoint, HostTensor, SINGLE, write_file};
use crate::decoder::{Geometry, Layer, Product, RotaryTable, Weight, rms_norm};
use crate::kernels::{self, Packed};
use crate::names::{EMBEDDING, LM_HEAD, NORM, Projection, input_norm, model_tensors, post_norm};
use crate::params::to_host;
use crate::transpose::{beside, transpose};
use crate::{LlmConfig, LlmError, combined_digest, init, tensor_digest};

/// Weights of a model without a graph. Nothing changes them after construction.
#[derive(Debug)]
pub struct Backbone {
    config: LlmConfig,
    device: Device,
    dtype: FloatDType,
    embedding: Tensor<2>,
    layers: Vec<FrozenLayer>,
    norm: Tensor<2>,
    /// `[d, vocab]`; absent where it is the embedding.
    lm_head: Option<Tensor<2>>,
    rotary: RotaryTable,
    digests: Vec<(String, String)>,
    digest: String,
}

/// Weights of one layer, those of a shared input side by side.
#[derive(Debug)]
struct FrozenLayer {
    input_norm: Tensor<2>,
    qkv: FrozenProduct,
    o: FrozenProduct,
    post_norm: Tensor<2>,
    gate_up: FrozenProduct,
    down: FrozenProduct,
}

/// Values of a tensor by name and shape, in on-disk layout.
type Read<'a> = dyn Fn(&str, &[usize]) -> Result<Vec<f32>, LlmError> + Sync + 'a;

/// `(name, digest)` of tensors in their order.
type Digests = Vec<(String, String)>;

/// What a new model is made from. Layers are made in parallel, each from its own tensors, so that little more than
/// the finished model is ever in memory.
struct Source<'a> {
    config: &'a LlmConfig,
    device: &'a Device,
    read: &'a Read<'a>,
}

/// One or several projections of the same input.
#[derive(Debug)]
struct FrozenProduct {
    /// `[d_in, sum of d_out]`, or packed one per projection.
    weights: Vec<Weight>,
    /// `[1, sum of d_out]`, or one per projection: as many as there are weights, or none.
    biases: Vec<Tensor<2>>,
}

impl Source<'_> {
    fn take(&self, name: String, shape: &[usize], digests: &mut Digests) -> Result<Vec<f32>, LlmError> {
        let values = (self.read)(&name, shape)?;
        digests.push((name, tensor_digest(shape, &values)));
        Ok(values)
    }

    fn place(&self, values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), self.device)
    }

    fn row(&self, name: String, n: usize, digests: &mut Digests) -> Result<Tensor<2>, LlmError> {
        Ok(self.place(self.take(name, &[n], digests)?, [1, n]))
    }

    fn layer(&self, i: usize) -> Result<(FrozenLayer, Digests), LlmError> {
        let d = self.config.hidden_size;
        let mut digests = Vec::new();
        let layer = FrozenLayer {
            input_norm: self.row(input_norm(i), d, &mut digests)?,
            qkv: self.product(i, &Projection::QKV, &mut digests)?,
            o: self.product(i, &[Projection::O], &mut digests)?,
            post_norm: self.row(post_norm(i), d, &mut digests)?,
            gate_up: self.product(i, &Projection::GATE_UP, &mut digests)?,
            down: self.product(i, &[Projection::Down], &mut digests)?,
        };
        Ok((layer, digests))
    }

    /// Projections of the same input beside each other.
    fn product(
        &self,
        layer: usize,
        projections: &[Projection],
        digests: &mut Digests,
    ) -> Result<FrozenProduct, LlmError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for projection in projections {
            for (name, shape) in projection.tensors(self.config, layer) {
                let values = self.take(name, &shape, digests)?;
                if shape.len() == 2 { weights.push(values) } else { biases.push(values) }
            }
        }
        let d_in = projections[0].shape(self.config)[1];
        let row = |biases: Vec<f32>| {
            let n = biases.len();
            self.place(biases, [1, n])
        };
        if packs(self.device, FloatDType::F32) {
            let pack = |values: Vec<f32>| {
                Weight::Packed(Arc::new(Packed::from_transposed(&values, [d_in, values.len() / d_in])))
            };
            return Ok(FrozenProduct {
                weights: weights.into_iter().map(pack).collect(),
                biases: biases.into_iter().map(row).collect(),
            });
        }
        let parts: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        let weight = beside(&parts, d_in);
        let d_out = weight.len() / d_in;
        let biases = if biases.is_empty() { Vec::new() } else { vec![row(biases.concat())] };
        Ok(FrozenProduct { weights: vec![Weight::Tensor(self.place(weight, [d_in, d_out]))], biases })
    }
}

/// Whether weights are kept in the order in which kernels read them.
fn packs(device: &Device, dtype: FloatDType) -> bool {
    kernels::support(device, DType::from(dtype)) && Packed::is_supported()
}

impl FrozenProduct {
    /// Values of projection `i`, whose columns begin at `first` and are `n`, in on-disk layout.
    fn weight(&self, i: usize, first: usize, n: usize) -> Vec<f32> {
        match &self.weights[if self.weights.len() == 1 { 0 } else { i }] {
            Weight::Packed(packed) => packed.to_transposed(),
            Weight::Tensor(joint) => to_host(joint.clone().narrow(1, first, n).transpose()),
        }
    }

    /// The same of a bias.
    ///
    /// # Panics
    /// When there is none.
    fn bias(&self, i: usize, first: usize, n: usize) -> Vec<f32> {
        if self.biases.len() == 1 {
            return to_host(self.biases[0].clone().narrow(1, first, n));
        }
        to_host(self.biases.get(i).expect("a product with biases").clone())
    }

    /// The same in another type.
    fn cast(self, dtype: FloatDType, device: &Device) -> Self {
        let tensor = |weight: Weight| match weight {
            Weight::Tensor(tensor) => tensor,
            Weight::Packed(packed) => {
                let [d_out, d_in] = [packed.n_columns(), packed.n_rows()];
                Tensor::from_data(TensorData::new(packed.to_transposed(), [d_out, d_in]), device).transpose()
            }
        };
        let together = |parts: Vec<Tensor<2>>| match parts.is_empty() {
            true => Vec::new(),
            false => vec![Tensor::cat(parts, 1).cast(dtype)],
        };
        let weights = together(self.weights.into_iter().map(tensor).collect());
        Self { weights: weights.into_iter().map(Weight::Tensor).collect(), biases: together(self.biases) }
    }
}

impl Backbone {
    /// Loads a folder in Hugging Face layout: `config.json` and safetensors.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, LlmError> {
        let config = LlmConfig::read(dir)?;
        let checkpoint = Checkpoint::open(dir)?;
        checkpoint.check(&config)?;
        Self::build(config, device, &|name, shape| checkpoint.read(name, shape))
    }

    /// Random weights: matrices normal with the config's `initializer_range`, norms 1, biases 0, as `transformers` does. Each
    /// tensor has its own stream of `seed`.
    pub fn random(config: &LlmConfig, seed: u64, device: &Device) -> Self {
        let draw = |name: &str, shape: &[usize]| match shape {
            [n] => Ok(vec![if name.ends_with(".bias") { 0.0 } else { 1.0 }; *n]),
            _ => {
                let purpose = format!("backbone.{name}");
                Ok(init::normal(seed, &purpose, shape.iter().product(), config.initializer_range))
            }
        };
        Self::build(config.clone(), device, &draw).expect("invariant: drawing weights cannot fail")
    }

    fn build(config: LlmConfig, device: &Device, read: &Read<'_>) -> Result<Self, LlmError> {
        let device = device.clone().without_autodiff();
        let source = Source { config: &config, device: &device, read };
        let (vocab, d) = (config.vocab_size, config.hidden_size);
        let mut digests = Vec::new();
        let embedding = source.take(EMBEDDING.to_owned(), &[vocab, d], &mut digests)?;
        let embedding = source.place(embedding, [vocab, d]);
        let layers: Vec<_> = (0..config.num_hidden_layers).into_par_iter().map(|i| source.layer(i)).collect();
        let mut frozen = Vec::with_capacity(layers.len());
        for layer in layers {
            let (layer, of_layer) = layer?;
            frozen.push(layer);
            digests.extend(of_layer);
        }
        let norm = source.row(NORM.to_owned(), d, &mut digests)?;
        let lm_head = match config.tie_word_embeddings {
            true => None,
            false => {
                let head = source.take(LM_HEAD.to_owned(), &[vocab, d], &mut digests)?;
                Some(source.place(transpose(&head, vocab, d), [d, vocab]))
            }
        };
        let dtype = FloatDType::F32;
        let rotary = RotaryTable::new(&config, &device, dtype);
        let shape = serde_json::to_string(&config).expect("invariant: a config is plain numbers");
        let parts = digests.iter().map(|(name, digest)| (name.as_str(), digest.as_str()));
        let digest = combined_digest(std::iter::once(("config", shape.as_str())).chain(parts));
        Ok(Self { config, device, dtype, embedding, layers: frozen, norm, lm_head, rotary, digests, digest })
    }

    /// The same model computing in another type: weights, activations and their gradients. Sums of squares, softmax,
    /// trained master weights and policy heads stay f32. The digest stays that of the content as loaded.
    pub fn cast(self, dtype: FloatDType) -> Result<Self, LlmError> {
        if dtype == self.dtype {
            return Ok(self);
        }
        if !self.device.supports_dtype(dtype) {
            let device = format!("{:?}", self.device);
            return Err(LlmError::Dtype { dtype: format!("{dtype:?}").to_lowercase(), device });
        }
        let to = |t: Tensor<2>| t.cast(dtype);
        let device = self.device.clone();
        let product = |p: FrozenProduct| p.cast(dtype, &device);
        let layer = |l: FrozenLayer| FrozenLayer {
            input_norm: to(l.input_norm),
            qkv: product(l.qkv),
            o: product(l.o),
            post_norm: to(l.post_norm),
            gate_up: product(l.gate_up),
            down: product(l.down),
        };
        Ok(Self {
            rotary: RotaryTable::new(&self.config, &self.device, dtype),
            digest: self.digest,
            config: self.config,
            device: self.device,
            dtype,
            embedding: to(self.embedding),
            layers: self.layers.into_iter().map(layer).collect(),
            norm: to(self.norm),
            lm_head: self.lm_head.map(to),
            digests: self.digests,
        })
    }

    /// The type that it computes in.
    pub fn dtype(&self) -> FloatDType {
        self.dtype
    }

    /// Shape and constants.
    pub fn config(&self) -> &LlmConfig {
        &self.config
    }

    /// The plain device that holds the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// sha256 (hex) over the config and all tensors: equal content, equal digest, wherever it came from.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// `(name, digest)` of every tensor as it was loaded, before any cast.
    pub fn digests(&self) -> &[(String, String)] {
        &self.digests
    }

    /// `(name, digest)` of every tensor as it stands on the device now, read back and hashed again.
    pub fn digests_now(&self) -> Vec<(String, String)> {
        let digest = |(name, shape): (String, Vec<usize>)| {
            let digest = tensor_digest(&shape, &self.values(&name));
            (name, digest)
        };
        model_tensors(&self.config).into_iter().map(digest).collect()
    }

    /// Values of one tensor in on-disk layout.
    ///
    /// # Panics
    /// When the model has no tensor of that name.
    pub fn values(&self, name: &str) -> Vec<f32> {
        let config = &self.config;
        match name {
            EMBEDDING => return to_host(self.embedding.clone()),
            NORM => return to_host(self.norm.clone()),
            LM_HEAD => {
                let head = self.lm_head.clone().unwrap_or_else(|| panic!("`{name}` is the embedding"));
                return to_host(head.transpose());
            }
            _ => {}
        }
        for (layer_index, layer) in self.layers.iter().enumerate() {
            if name == input_norm(layer_index) {
                return to_host(layer.input_norm.clone());
            }
            if name == post_norm(layer_index) {
                return to_host(layer.post_norm.clone());
            }
            let named = |p: &Projection| name == p.weight(layer_index) || name == p.bias(layer_index);
            if let Some(p) = Projection::ALL.into_iter().find(named) {
                let (q, kv, ff) = (config.q_width(), config.kv_width(), config.intermediate_size);
                let (product, i, first) = match p {
                    Projection::Q => (&layer.qkv, 0, 0),
                    Projection::K => (&layer.qkv, 1, q),
                    Projection::V => (&layer.qkv, 2, q + kv),
                    Projection::O => (&layer.o, 0, 0),
                    Projection::Gate => (&layer.gate_up, 0, 0),
                    Projection::Up => (&layer.gate_up, 1, ff),
                    Projection::Down => (&layer.down, 0, 0),
                };
                let n = p.shape(config)[0];
                if name == p.weight(layer_index) {
                    return product.weight(i, first, n);
                }
                assert!(!product.biases.is_empty(), "no tensor `{name}` in this model");
                return product.bias(i, first, n);
            }
        }
        panic!("no tensor `{name}` in this model")
    }

    /// Writes `config.json` and `model.safetensors` (f32) into an existing folder.
    pub fn save(&self, dir: &Path) -> Result<(), LlmError> {
        self.save_with(dir, |name| self.values(name))
    }

    /// The same with other values of the same tensors, in on-disk layout.
    pub(crate) fn save_with(&self, dir: &Path, values: impl Fn(&str) -> Vec<f32>) -> Result<(), LlmError> {
        let path = dir.join("config.json");
        std::fs::write(&path, format!("{:#}\n", self.config.to_json()))
            .map_err(|e| LlmError::io(&path, e))?;
        let tensor = |(name, shape): (String, Vec<usize>)| {
            let values = values(&name);
            (name, HostTensor::new(shape, values))
        };
        write_file(&dir.join(SINGLE), model_tensors(&self.config).into_iter().map(tensor).collect())
    }

    pub(crate) fn rotary(&self) -> &RotaryTable {
        &self.rotary
    }

    pub(crate) fn norm(&self) -> Tensor<2> {
        self.norm.clone()
    }

    /// Layer `i` with frozen weights and no adapters.
    pub(crate) fn layer(&self, i: usize) -> Layer {
        let config = &self.config;
        let FrozenLayer { input_norm, qkv, o, post_norm, gate_up, down } = &self.layers[i];
        let (q, kv, ff, d) =
            (config.q_width(), config.kv_width(), config.intermediate_size, config.hidden_size);
        let product = |part: &FrozenProduct, widths: &[usize]| Product {
            weights: part.weights.clone(),
            biases: part.biases.clone(),
            widths: widths.to_vec(),
            adapters: widths.iter().map(|_| None).collect(),
        };
        Layer {
            input_norm: input_norm.clone(),
            qkv: product(qkv, &[q, kv, kv]),
            o: product(o, &[d]),
            post_norm: post_norm.clone(),
            gate_up: product(gate_up, &[ff, ff]),
            down: product(down, &[d]),
        }
    }

    /// Rows of the embedding: `[ids, d]`.
    pub(crate) fn embed(&self, ids: &[u32]) -> Tensor<2> {
        lookup(self.embedding.clone(), ids, &self.device)
    }

    /// Checks that `ids` can be the tokens at the positions from `start` on.
    pub(crate) fn check_tokens(&self, start: usize, ids: &[u32]) -> Result<(), LlmError> {
        let LlmConfig { vocab_size, max_position_embeddings, .. } = self.config;
        if ids.is_empty() {
            return Err(LlmError::Tokens("expected at least one, found none".to_owned()));
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocab_size) {
            return Err(LlmError::Tokens(format!("expected ids below {vocab_size}, found {id}")));
        }
        if start + ids.len() > max_position_embeddings {
            let n = start + ids.len();
            return Err(LlmError::Tokens(format!("expected at most {max_position_embeddings}, found {n}")));
        }
        Ok(())
    }

    /// Hidden states after the final norm of one sequence, `[ids, d]`, without any cache.
    pub fn hidden(&self, ids: &[u32]) -> Result<Tensor<2>, LlmError> {
        self.check_tokens(0, ids)?;
        let at = Geometry::row(&self.rotary, 0, ids.len(), &self.device);
        let mut x = self.embed(ids);
        for i in 0..self.layers.len() {
            x = self.layer(i).forward(&self.config, x, &at, None).0;
        }
        Ok(rms_norm(x, self.norm.clone(), self.config.rms_norm_eps).cast(FloatDType::F32))
    }

    /// Language model head on hidden states: `[rows, d]` to `[rows, vocab]`, f32.
    pub fn lm_head(&self, hidden: Tensor<2>) -> Tensor<2> {
        let head = self.lm_head.clone().unwrap_or_else(|| self.embedding.clone().transpose());
        hidden.cast(self.dtype).matmul(head).cast(FloatDType::F32)
    }

    /// Logits of the token after the last of `ids`.
    pub fn logits(&self, ids: &[u32]) -> Result<Vec<f32>, LlmError> {
        let hidden = self.hidden(ids)?;
        Ok(to_host(self.lm_head(hidden.narrow(0, ids.len() - 1, 1))))
    }
}

/// Rows `ids` of `table`.
pub(crate) fn lookup(table: Tensor<2>, ids: &[u32], device: &Device) -> Tensor<2> {
    let ids: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
    let n = ids.len();
    table.select(0, Tensor::<1, Int>::from_data(TensorData::new(ids, [n]), device))
}
