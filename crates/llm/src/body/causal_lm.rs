//! Next-token prediction: the loss of a language model over every position, and its gradients.

#[cfg(test)]
mod tests;

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::Body;
use crate::backbone::lookup;
use crate::decoder::{Geometry, rms_norm};
use crate::names::EMBEDDING;
use crate::params::to_host;
use crate::{GradSet, LlmError};

/// Token sequences of equal length to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSequences {
    /// Ids, as many in every sequence: `n + 1` ids have `n` predictions.
    pub rows: Vec<Vec<u32>>,
    /// The token that ends a document, where sequences are made of several: no position sees what stands before the
    /// last such token before it, and rotary positions count from there.
    pub end_of_document: Option<u32>,
}

impl Body {
    /// Mean cross-entropy in nats per predicted token: position `i` of every sequence predicts token `i + 1`, with
    /// nothing but the tokens of its document up to `i`.
    ///
    /// # Errors
    /// When there is no sequence, the sequences differ in length or are shorter than 2, an id or the length is beyond
    /// the model's, the head is not the embedding, or the embedding is not trained.
    pub fn next_token_loss(&self, sequences: &TokenSequences) -> Result<f64, LlmError> {
        self.check_sequences(sequences)?;
        let hidden = self.all_positions(sequences, false);
        let logits = hidden.matmul(self.param(EMBEDDING, false).transpose());
        let [_, vocab] = logits.dims();
        let mut logits = to_host(logits);
        Ok(cross_entropy(&mut logits, &sequences.targets(), vocab))
    }

    /// [`Body::next_token_loss`] and its gradients with respect to the trained tensors.
    ///
    /// The derivative by the logits, `(softmax - one_hot) / n`, has a closed form. It is carried back through the
    /// tied head by hand, so that no graph holds anything as large as the logits: with hidden states `H` and
    /// embedding `E`, `dH = D E` and, from the head, `dE = D^T H`; autodiff does the rest.
    ///
    /// # Errors
    /// As [`Body::next_token_loss`].
    pub fn next_token_gradients(&self, sequences: &TokenSequences) -> Result<(f64, GradSet), LlmError> {
        self.check_sequences(sequences)?;
        let hidden = self.all_positions(sequences, true);
        let states = hidden.clone().inner();
        let embedding = self.param(EMBEDDING, false);
        let logits = states.clone().matmul(embedding.clone().transpose());
        let shape = logits.dims();
        let mut values = to_host(logits);
        let loss = cross_entropy(&mut values, &sequences.targets(), shape[1]);
        let d_logits = Tensor::<2>::from_data(TensorData::new(values, shape), self.device());
        let d_hidden = d_logits.clone().matmul(embedding);
        let d_embedding = d_logits.transpose().matmul(states);
        let objective = (hidden * d_hidden).sum() + (self.param(EMBEDDING, true) * d_embedding).sum();
        Ok((loss, self.params.gradients(&mut objective.backward())))
    }

    fn check_sequences(&self, sequences: &TokenSequences) -> Result<(), LlmError> {
        if !self.plan.embedding || !self.backbone.config().tie_word_embeddings {
            let problem = "expected the group `embedding` and a model whose head is the embedding, for next-token prediction";
            return Err(LlmError::Spec { key: "trainable", problem: problem.to_owned() });
        }
        let length = sequences.rows.first().map_or(0, Vec::len);
        if length < 2 {
            let found = format!("expected sequences of 2 or more to predict from, found {length}");
            return Err(LlmError::Tokens(found));
        }
        for ids in &sequences.rows {
            if ids.len() != length {
                let found = ids.len();
                let problem = format!("expected sequences of equal length, found {length} and {found}");
                return Err(LlmError::Tokens(problem));
            }
            self.backbone.check_tokens(0, &ids[..length - 1])?;
            self.backbone.check_tokens(0, &ids[length - 1..])?;
        }
        Ok(())
    }

    /// Hidden states after the final norm of all positions but the last of each sequence, `[rows * n, d]`.
    fn all_positions(&self, sequences: &TokenSequences, graph: bool) -> Tensor<2> {
        let config = self.backbone.config();
        let documents = sequences.documents();
        let lengths: Vec<usize> = documents.iter().map(|ids| ids.len()).collect();
        let at = Geometry::padded(self.backbone.rotary(), &lengths, self.device());
        // Padding takes token 0: nobody sees it, and what it becomes is left out below.
        let (mut ids, mut kept) = (Vec::new(), Vec::new());
        for document in documents {
            ids.resize(ids.len() + at.padding(document.len()), 0);
            kept.extend(ids.len()..ids.len() + document.len());
            ids.extend(document);
        }
        let mut x = lookup(self.param(EMBEDDING, graph), &ids, self.device());
        for i in 0..self.n_layers() {
            x = self.layer(i, graph).forward(config, x, &at, None).0;
        }
        if kept.len() < ids.len() {
            let kept: Vec<u32> = kept.iter().map(|row| *row as u32).collect();
            x = lookup(x, &kept, self.device());
        }
        rms_norm(x, self.norm(graph), config.rms_norm_eps)
    }
}

impl TokenSequences {
    /// The documents of all rows in their order, without the last token of each row, which predicts nothing.
    fn documents(&self) -> Vec<&[u32]> {
        let of_row = |ids: &'_ Vec<u32>| -> Vec<Range<usize>> {
            let n = ids.len() - 1;
            let ends = (0..n).filter(|i| Some(ids[*i]) == self.end_of_document).map(|i| i + 1);
            let mut start = 0;
            let mut next = |end| std::mem::replace(&mut start, end)..end;
            ends.chain([n]).map(&mut next).filter(|range| !range.is_empty()).collect()
        };
        self.rows.iter().flat_map(|ids| of_row(ids).into_iter().map(|range| &ids[range])).collect()
    }

    /// The token after each position, in the order of the positions.
    fn targets(&self) -> Vec<u32> {
        self.rows.iter().flat_map(|ids| &ids[1..]).copied().collect()
    }
}

/// Mean of `-ln softmax(row)[target]` over the rows of `logits`, which become the derivative of that mean. Rows are
/// independent and added in their order, so that the result does not depend on threads.
fn cross_entropy(logits: &mut [f32], targets: &[u32], vocab: usize) -> f64 {
    let weight = 1.0 / targets.len() as f32;
    let losses: Vec<f64> = logits
        .par_chunks_mut(vocab)
        .zip(targets)
        .map(|(row, target)| {
            let target = *target as usize;
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let chosen = row[target] - top;
            let mut total = 0.0f64;
            for x in row.iter_mut() {
                *x = (*x - top).exp();
                total += f64::from(*x);
            }
            let scale = weight / total as f32;
            row.iter_mut().for_each(|x| *x *= scale);
            row[target] -= weight;
            total.ln() - f64::from(chosen)
        })
        .collect();
    losses.iter().sum::<f64>() / targets.len() as f64
}
