//! What is trained, how long and how: the options of `model pretrain`.

use serde::Serialize;

use crate::PretrainError;

/// A recipe. The defaults make `models/tiny-llama`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// Seed of documents and first weights.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Width of the residual stream; a multiple of 64, since heads are 32 wide and two query heads share keys.
    pub width: usize,
    /// Most tokens of the vocabulary: 256 bytes, one special token, and merges.
    pub vocab: usize,
    /// Sequences per step.
    pub batch: usize,
    /// Tokens per sequence.
    pub sequence: usize,
    /// Largest learning rate, reached after the warm-up.
    pub learning_rate: f64,
    /// Steps in which the learning rate grows in a straight line from 0.
    pub warmup: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest global norm of a gradient; what is longer is scaled down.
    pub max_grad_norm: f64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 0,
            steps: 700,
            layers: 4,
            width: 128,
            vocab: 2000,
            batch: 10,
            sequence: 160,
            learning_rate: 2e-3,
            warmup: 40,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
        }
    }
}

/// Width of an attention head.
pub(crate) const HEAD_DIM: usize = 32;
/// Longest sequence that a model is made for, in tokens.
pub(crate) const MAX_POSITIONS: usize = 1024;

impl Recipe {
    /// Checks the ranges of all options.
    ///
    /// # Errors
    /// For the first one that is out of its range.
    pub fn check(&self) -> Result<(), PretrainError> {
        let fail = |option, expected: &str, found: &dyn std::fmt::Display| {
            Err(PretrainError::Recipe { option, expected: expected.to_owned(), found: found.to_string() })
        };
        let Self { steps, layers, width, vocab, batch, sequence, warmup, .. } = *self;
        for (option, found, low, high) in [
            ("steps", steps, 1, 10_000_000),
            ("layers", layers, 1, 64),
            ("width", width, 64, 4096),
            ("vocab", vocab, 300, 100_000),
            ("batch", batch, 1, 65_536),
            ("sequence", sequence, 16, MAX_POSITIONS),
            ("warmup", warmup, 0, steps),
        ] {
            if !(low..=high).contains(&found) {
                return fail(option, &format!("{low} to {high}"), &found);
            }
        }
        if !width.is_multiple_of(2 * HEAD_DIM) {
            return fail("width", &format!("a multiple of {}", 2 * HEAD_DIM), &width);
        }
        for (option, found) in [("learning-rate", self.learning_rate), ("max-grad-norm", self.max_grad_norm)]
        {
            if !(found.is_finite() && found > 0.0) {
                return fail(option, "a finite number above 0", &found);
            }
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return fail("weight-decay", "a finite number, 0 or above", &self.weight_decay);
        }
        Ok(())
    }

    /// Learning rate of optimiser step `step`, counted from 0: a straight line from 0 over the warm-up, then half a
    /// cosine down to a tenth of the largest.
    pub fn learning_rate_at(&self, step: usize) -> f64 {
        let floor = 0.1;
        let share = if step < self.warmup {
            (step + 1) as f64 / self.warmup as f64
        } else {
            let done = (step - self.warmup) as f64 / (self.steps - self.warmup) as f64;
            floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
        };
        self.learning_rate * share
    }

    /// The command of `program` that carries it out, with every option that is not at its default.
    pub fn command(&self, program: &str, out: &str) -> String {
        let mut command = format!("{program} model pretrain --out {out}");
        let (mine, default) = (self.options(), Self::default().options());
        for ((name, value), (_, default)) in mine.into_iter().zip(default) {
            if value != default {
                command.push_str(&format!(" --{name} {value}"));
            }
        }
        command
    }

    /// Names and values of all options.
    fn options(&self) -> Vec<(String, String)> {
        let value = serde_json::to_value(self).expect("invariant: a recipe is plain numbers");
        let options = value.as_object().expect("invariant: a recipe is a struct").iter();
        options.map(|(name, value)| (name.replace('_', "-"), value.to_string())).collect()
    }
}
