//! Tiny models and a plain-loop decoder in f64 for the tests.

use crate::names::{EMBEDDING, LM_HEAD, NORM, Projection, input_norm, post_norm};
use crate::{Architecture, Backbone, Biases, LlmConfig, Rope, RopeScaling, init};

/// Three layers, four query heads on two key heads whose widths do not add up to the model's.
pub(crate) fn tiny_config(tie_word_embeddings: bool) -> LlmConfig {
    LlmConfig {
        architecture: Architecture::Llama,
        vocab_size: 23,
        hidden_size: 12,
        intermediate_size: 20,
        num_hidden_layers: 3,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 4,
        max_position_embeddings: 64,
        rope: Rope { theta: 100.0, scaling: RopeScaling::Default },
        rms_norm_eps: 1e-5,
        initializer_range: 0.4,
        tie_word_embeddings,
        bias: Biases::default(),
    }
}

/// `n` token ids below the tiny vocabulary.
pub(crate) fn ids(seed: u64, n: usize) -> Vec<u32> {
    use rand::RngExt;
    let mut rng = init::stream(seed, "test ids");
    (0..n).map(|_| rng.random_range(0..23)).collect()
}

type Rows = Vec<Vec<f64>>;

/// `x W^T` with `w: [d_out, d_in]` as on disk.
fn linear(x: &Rows, w: &[f32], d_out: usize) -> Rows {
    let product = |row: &Vec<f64>, o: usize| -> f64 {
        row.iter().zip(&w[o * row.len()..]).map(|(x, w)| x * f64::from(*w)).sum()
    };
    x.iter().map(|row| (0..d_out).map(|o| product(row, o)).collect()).collect()
}

fn norm(x: &Rows, w: &[f32], eps: f64) -> Rows {
    let one = |row: &Vec<f64>| {
        let mean = row.iter().map(|v| v * v).sum::<f64>() / row.len() as f64;
        row.iter().zip(w).map(|(v, w)| v / (mean + eps).sqrt() * f64::from(*w)).collect()
    };
    x.iter().map(one).collect()
}

/// Rotates one head: pair `(i, i + d/2)` by `position * theta^(-2i/d)`.
fn rotate(head: &mut [f64], position: usize, theta: f64) {
    let half = head.len() / 2;
    for i in 0..half {
        let angle = position as f64 * theta.powf(-2.0 * i as f64 / head.len() as f64);
        let (a, b) = (head[i], head[i + half]);
        head[i] = a * angle.cos() - b * angle.sin();
        head[i + half] = b * angle.cos() + a * angle.sin();
    }
}

/// Hidden states after the final norm, by loops over positions, heads and keys.
pub(crate) fn oracle_hidden(backbone: &Backbone, ids: &[u32]) -> Rows {
    let c = backbone.config();
    let table = backbone.values(EMBEDDING);
    let embed = |id: &u32| {
        let start = *id as usize * c.hidden_size;
        table[start..start + c.hidden_size].iter().map(|v| f64::from(*v)).collect()
    };
    let mut x: Rows = ids.iter().map(embed).collect();
    let hd = c.head_dim;
    for layer in 0..c.num_hidden_layers {
        let apply = |x: &Rows, p: Projection| {
            let mut y = linear(x, &backbone.values(&p.weight(layer)), p.shape(c)[0]);
            if p.has_bias(c) {
                let bias = backbone.values(&p.bias(layer));
                y.iter_mut().for_each(|row| row.iter_mut().zip(&bias).for_each(|(y, b)| *y += f64::from(*b)));
            }
            y
        };
        let h = norm(&x, &backbone.values(&input_norm(layer)), c.rms_norm_eps);
        let mut q = apply(&h, Projection::Q);
        let mut k = apply(&h, Projection::K);
        let v = apply(&h, Projection::V);
        for position in 0..ids.len() {
            q[position].chunks_mut(hd).for_each(|head| rotate(head, position, c.rope.theta));
            k[position].chunks_mut(hd).for_each(|head| rotate(head, position, c.rope.theta));
        }
        let mut mixed = vec![vec![0.0; c.q_width()]; ids.len()];
        for (t, out) in mixed.iter_mut().enumerate() {
            for head in 0..c.num_attention_heads {
                let kv = head / (c.num_attention_heads / c.num_key_value_heads);
                let score = |s: usize| -> f64 {
                    let products = (0..hd).map(|i| q[t][head * hd + i] * k[s][kv * hd + i]);
                    products.sum::<f64>() / (hd as f64).sqrt()
                };
                let weights: Vec<f64> = (0..=t).map(|s| score(s).exp()).collect();
                let total: f64 = weights.iter().sum();
                for (s, w) in weights.iter().enumerate() {
                    for i in 0..hd {
                        out[head * hd + i] += w / total * v[s][kv * hd + i];
                    }
                }
            }
        }
        let add = |x: &Rows, y: Rows| -> Rows {
            x.iter().zip(y).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
        };
        x = add(&x, apply(&mixed, Projection::O));
        let h = norm(&x, &backbone.values(&post_norm(layer)), c.rms_norm_eps);
        let gate = apply(&h, Projection::Gate);
        let up = apply(&h, Projection::Up);
        let silu = |v: f64| v / (1.0 + (-v).exp());
        let inner = gate.iter().zip(&up).map(|(g, u)| g.iter().zip(u).map(|(g, u)| silu(*g) * u).collect());
        x = add(&x, apply(&inner.collect(), Projection::Down));
    }
    norm(&x, &backbone.values(NORM), c.rms_norm_eps)
}

/// Logits of every position.
pub(crate) fn oracle_logits(backbone: &Backbone, ids: &[u32]) -> Rows {
    let tied = backbone.config().tie_word_embeddings;
    let head = backbone.values(if tied { EMBEDDING } else { LM_HEAD });
    linear(&oracle_hidden(backbone, ids), &head, backbone.config().vocab_size)
}

/// Largest absolute difference.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
