//! Low-rank adapters: names, initial values, dropout.

use std::sync::{Mutex, PoisonError};

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::init;
use crate::names::Projection;
use crate::params::NewParam;
use crate::{LlmConfig, LoraSpec};

/// Dropout of an adapter's input, from a stream of its own: passes in the same order draw the same masks.
#[derive(Debug)]
pub(crate) struct Dropout {
    probability: f64,
    stream: Mutex<ChaCha8Rng>,
}

impl Dropout {
    /// None where nothing is dropped.
    pub fn new(spec: &LoraSpec, seed: u64) -> Option<Self> {
        let stream = Mutex::new(init::stream(seed, "lora.dropout"));
        (spec.rank > 0 && spec.dropout > 0.0).then_some(Self { probability: spec.dropout, stream })
    }

    /// Words that the stream has given.
    pub fn drawn(&self) -> u64 {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        u64::try_from(stream.get_word_pos()).expect("invariant: nobody draws 2^64 words")
    }

    /// Goes on after that many words.
    pub fn go_on(&self, drawn: u64) {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.set_word_pos(u128::from(drawn));
    }

    /// `x` with dropped entries 0 and the others scaled up, so that the mean stays.
    pub fn apply(&self, x: Tensor<2>) -> Tensor<2> {
        let [rows, width] = x.dims();
        let kept = (1.0 - self.probability).recip() as f32;
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let draw = |_| if stream.random::<f64>() < self.probability { 0.0 } else { kept };
        let mask: Vec<f32> = (0..rows * width).map(draw).collect();
        let mask = Tensor::from_data(TensorData::new(mask, [rows, width]), &x.device().without_autodiff());
        x.mul(mask)
    }
}

/// Names of the two factors of a projection, as in PEFT: `A` is `[rank, d_in]` on disk, `B` is `[d_out, rank]`.
pub(crate) fn factor_names(projection: Projection, layer: usize) -> [String; 2] {
    ["A", "B"].map(|factor| format!("{}.lora_{factor}.weight", projection.name(layer)))
}

/// The factors of one projection. `A` is normal with standard deviation `1 / sqrt(d_in)` whatever the rank, and each
/// of its `rank` rows has its own stream, so that rank 4 starts with the first four directions of rank 8: an ablation
/// of the rank then varies the rank alone. `B` is 0, so the adapted model starts as the frozen one.
pub(crate) fn factors(
    config: &LlmConfig,
    spec: &LoraSpec,
    projection: Projection,
    layer: usize,
    seed: u64,
) -> [NewParam; 2] {
    let [d_out, d_in] = projection.shape(config);
    let [name_a, name_b] = factor_names(projection, layer);
    let std = (d_in as f64).sqrt().recip();
    let row = |r: usize| init::normal(seed, &format!("lora.{name_a}.{r}"), d_in, std);
    let a = (0..spec.rank).flat_map(row).collect();
    let group = format!("layers.{layer}");
    [
        NewParam::linear(&name_a, &group, [spec.rank, d_in], a),
        NewParam::linear(&name_b, &group, [d_out, spec.rank], vec![0.0; d_out * spec.rank]),
    ]
}
