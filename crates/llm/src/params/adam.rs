//! Adam with bias correction and decoupled weight decay (Kingma and Ba 2015; Loshchilov and Hutter 2019).

use std::path::Path;

use burn::tensor::{Tensor, TensorData};

use super::{GradSet, Param, ParamSet, read_exactly, to_host};
use crate::LlmError;
use crate::checkpoint::{HostTensor, write_file};

/// Settings of [`Adam`]; learning rates are given per step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the corrected second moment.
    pub eps: f64,
    /// Decoupled weight decay; 0 is plain Adam.
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    /// PyTorch's defaults for Adam.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// First and second moment of every trainable parameter.
#[derive(Debug, Clone)]
pub struct Adam {
    config: AdamConfig,
    step: u64,
    moments: Vec<Option<(Tensor<2>, Tensor<2>)>>,
}

impl Adam {
    /// No step taken.
    pub fn new(config: AdamConfig) -> Self {
        Self { config, step: 0, moments: Vec::new() }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// One step: with gradient `g`, step count `t` and the parameter's learning rate `lr`,
    ///
    /// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
    /// `p = (1 - lr wd) p - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)`.
    ///
    /// A parameter without a gradient keeps its value and its moments.
    ///
    /// # Panics
    /// When `grads` belong to another parameter set.
    pub fn step(&mut self, params: &mut ParamSet, grads: &GradSet, lr: impl Fn(&Param) -> f64) {
        assert_eq!(params.len(), grads.len(), "gradients of another parameter set");
        self.step += 1;
        self.moments.resize(params.len(), None);
        let AdamConfig { beta1, beta2, eps, weight_decay } = self.config;
        let t = i32::try_from(self.step).unwrap_or(i32::MAX);
        let correction1 = 1.0 - beta1.powi(t);
        let correction2 = 1.0 - beta2.powi(t);
        for (i, slot) in self.moments.iter_mut().enumerate() {
            let Some(g) = grads.get(i) else { continue };
            let lr = lr(&params.params[i]);
            let g_scaled = g.clone().mul_scalar((1.0 - beta1) as f32);
            let g_square = g.square().mul_scalar((1.0 - beta2) as f32);
            let (m, v) = match slot.take() {
                Some((m, v)) => {
                    (m.mul_scalar(beta1 as f32).add(g_scaled), v.mul_scalar(beta2 as f32).add(g_square))
                }
                None => (g_scaled, g_square),
            };
            let denominator = v.clone().div_scalar(correction2 as f32).sqrt().add_scalar(eps as f32);
            let update = m.clone().mul_scalar((lr / correction1) as f32).div(denominator);
            let mut p = params.params[i].plain();
            if weight_decay != 0.0 {
                p = p.mul_scalar((1.0 - lr * weight_decay) as f32);
            }
            params.set_plain(i, p.sub(update));
            *slot = Some((m, v));
        }
    }

    /// Writes moments and step count to a safetensors file, as `m.<name>`, `v.<name>` (memory layout) and `step`.
    pub fn save(&self, params: &ParamSet, path: &Path) -> Result<(), LlmError> {
        // Two 24-bit halves: f32 holds integers up to 2^24 exactly.
        let halves = vec![(self.step >> 24) as f32, (self.step & 0xff_ffff) as f32];
        let mut tensors = vec![("step".to_owned(), HostTensor::new(vec![2], halves))];
        for (p, moments) in params.iter().zip(&self.moments) {
            let Some((m, v)) = moments else { continue };
            for (letter, moment) in [("m", m), ("v", v)] {
                let host = HostTensor::new(moment.dims().to_vec(), to_host(moment.clone()));
                tensors.push((format!("{letter}.{}", p.name()), host));
            }
        }
        write_file(path, tensors)
    }

    /// Reads what [`Adam::save`] wrote for the same parameters.
    pub fn load(config: AdamConfig, params: &ParamSet, path: &Path) -> Result<Self, LlmError> {
        let stored: std::collections::HashSet<String> =
            crate::checkpoint::read_file(path)?.into_keys().collect();
        let mut wanted = vec![("step".to_owned(), vec![2])];
        let mut owners = Vec::new();
        for (i, p) in params.iter().enumerate().filter(|(_, p)| p.trainable()) {
            if stored.contains(&format!("m.{}", p.name())) {
                let shape = p.plain().dims().to_vec();
                wanted.push((format!("m.{}", p.name()), shape.clone()));
                wanted.push((format!("v.{}", p.name()), shape.clone()));
                owners.push((i, [shape[0], shape[1]]));
            }
        }
        let mut values = read_exactly(path, &wanted)?.into_iter();
        let halves = values.next().expect("invariant: `step` was asked for");
        let mut adam = Self::new(config);
        adam.step = ((halves[0] as u64) << 24) | halves[1] as u64;
        adam.moments.resize(params.len(), None);
        for (i, shape) in owners {
            let mut moment = || {
                let values = values.next().expect("invariant: as many values as names");
                Tensor::from_data(TensorData::new(values, shape), params.device())
            };
            adam.moments[i] = Some((moment(), moment()));
        }
        Ok(adam)
    }
}
