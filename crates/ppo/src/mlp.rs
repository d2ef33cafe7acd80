//! Fully connected layers with an activation between them: the heads, and the body of `ppo-mlp`.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use llm::{NewParam, ParamSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::init::orthogonal;

/// Parameter group of a policy head.
pub const POLICY_HEAD: &str = "policy_head";
/// Parameter group of a value head.
pub const VALUE_HEAD: &str = "value_head";
/// Gain of the last policy layer: the first policy is close to uniform over the legal actions (CleanRL).
pub const POLICY_GAIN: f64 = 0.01;
/// Gain of the last value layer (CleanRL).
pub const VALUE_GAIN: f64 = 1.0;

/// What follows a hidden layer, number by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// `max(x, 0)`; its slope at 0 is 0.
    Relu,
}

impl Activation {
    fn of(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Tanh => x.tanh(),
            Self::Relu => relu(x),
        }
    }
}

/// `x -> f(x W_0 + b_0) -> .. -> x W_n + b_n` with an [`Activation`] `f`; its tensors live in a [`ParamSet`] as
/// `<group>.<i>.weight` (`[d_out, d_in]` on disk) and `<group>.<i>.bias`.
#[derive(Debug, Clone)]
pub struct Mlp {
    layers: Vec<[String; 2]>,
    activation: Activation,
    active_last: bool,
}

impl Mlp {
    /// Inserts the layers of a head: `input` wide at the bottom, then `hidden`, then `output`. Hidden weights are
    /// orthogonal with gain sqrt 2, the last with `gain`; biases are 0. A tanh follows each hidden layer.
    pub fn head(
        params: &mut ParamSet,
        group: &str,
        [input, output]: [usize; 2],
        hidden: &[usize],
        gain: f64,
        seed: u64,
    ) -> Self {
        let widths: Vec<_> = [input].into_iter().chain(hidden.iter().copied()).chain([output]).collect();
        let last = widths.len() - 2;
        let gains = |i: usize| if i == last { gain } else { std::f64::consts::SQRT_2 };
        Self {
            layers: insert(params, group, &widths, gains, seed),
            activation: Activation::Tanh,
            active_last: false,
        }
    }

    /// Inserts the layers of a body: `input` wide at the bottom, then `hidden` with a tanh after each. Without hidden
    /// layers it passes its input on.
    pub fn body(params: &mut ParamSet, group: &str, input: usize, hidden: &[usize], seed: u64) -> Self {
        let widths: Vec<_> = [input].into_iter().chain(hidden.iter().copied()).collect();
        let gains = |_| std::f64::consts::SQRT_2;
        Self {
            layers: insert(params, group, &widths, gains, seed),
            activation: Activation::Tanh,
            active_last: true,
        }
    }

    /// The same layers with another activation in place of tanh.
    pub fn with_activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// `[batch, input]` to `[batch, output]`, with the graph of the parameters.
    ///
    /// # Panics
    /// When `params` is not a set that the layers were inserted into.
    pub fn forward(&self, params: &ParamSet, x: Tensor<2>) -> Tensor<2> {
        self.run(x, |name| params.tensor(name))
    }

    /// The numbers of [`Mlp::forward`] without a graph.
    ///
    /// # Panics
    /// When `params` is not a set that the layers were inserted into.
    pub fn forward_frozen(&self, params: &ParamSet, x: Tensor<2>) -> Tensor<2> {
        self.run(x, |name| params.tensor(name).inner())
    }

    fn run(&self, mut x: Tensor<2>, tensor: impl Fn(&str) -> Tensor<2>) -> Tensor<2> {
        for (i, [weight, bias]) in self.layers.iter().enumerate() {
            x = x.matmul(tensor(weight)) + tensor(bias);
            if self.active_last || i + 1 < self.layers.len() {
                x = self.activation.of(x);
            }
        }
        x
    }
}

fn insert(
    params: &mut ParamSet,
    group: &str,
    widths: &[usize],
    gain: impl Fn(usize) -> f64,
    seed: u64,
) -> Vec<[String; 2]> {
    let mut layers = Vec::new();
    for (i, pair) in widths.windows(2).enumerate() {
        let (d_in, d_out) = (pair[0], pair[1]);
        let weight = format!("{group}.{i}.weight");
        let bias = format!("{group}.{i}.bias");
        let values = orthogonal(seed, &weight, [d_out, d_in], gain(i));
        params.insert(NewParam::linear(&weight, group, [d_out, d_in], values));
        params.insert(NewParam::vector(&bias, group, vec![0.0; d_out]));
        layers.push([weight, bias]);
    }
    layers
}

#[cfg(test)]
mod tests;
