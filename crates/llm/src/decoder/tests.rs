//! The fused operations compute what the plain ones do, forward and backward, for every form of a layer.

use burn::tensor::TensorData;

use super::*;
use crate::LoraSpec;
use crate::init;
use crate::params::to_host;
use crate::testing::{distance, tiny_config};

/// Six query heads on two key heads, widths that are no multiples of a vector's.
fn config() -> LlmConfig {
    LlmConfig {
        hidden_size: 44,
        intermediate_size: 70,
        num_attention_heads: 6,
        head_dim: 10,
        max_position_embeddings: 512,
        ..tiny_config(true)
    }
}

fn tensor(name: &str, [rows, columns]: [usize; 2]) -> Tensor<2> {
    let values = init::normal(1, name, rows * columns, (columns as f64).sqrt().recip());
    Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::flex())
}

/// Tensors of a layer by name, in an order.
struct Weights {
    tensors: Vec<Tensor<2>>,
    together: bool,
    biases: bool,
    adapters: bool,
    dropout: bool,
}

impl Weights {
    fn new(config: &LlmConfig, together: bool, biases: bool, adapters: bool) -> Self {
        let mut weights = Self { tensors: Vec::new(), together, biases, adapters, dropout: false };
        let mut made = Vec::new();
        weights.layer(config, &mut |name, shape| {
            let tensor = tensor(name, shape);
            made.push(tensor.clone());
            tensor
        });
        weights.tensors = made;
        weights
    }

    /// The layer, each of its tensors given by `take`.
    fn layer(&self, config: &LlmConfig, take: &mut impl FnMut(&str, [usize; 2]) -> Tensor<2>) -> Layer {
        let (d, ff) = (config.hidden_size, config.intermediate_size);
        let (q, kv) = (config.q_width(), config.kv_width());
        // Both ways of computing draw the same masks, because they draw them in the same order.
        let spec = LoraSpec { rank: 3, dropout: 0.5, ..LoraSpec::default() };
        let dropout = Dropout::new(&spec, 1).map(Arc::new).filter(|_| self.dropout);
        let input_norm = take("input norm", [1, d]);
        let mut product = |name: &str, d_in: usize, widths: &[usize]| {
            let each = match self.together {
                true => vec![widths.iter().sum()],
                false => widths.to_vec(),
            };
            let weights: Vec<_> =
                each.iter().enumerate().map(|(i, n)| take(&format!("{name} {i}"), [d_in, *n])).collect();
            let biases = each.iter().filter(|_| self.biases);
            let biases =
                biases.enumerate().map(|(i, n)| take(&format!("{name} bias {i}"), [1, *n])).collect();
            let mut adapter = |i: usize, n: usize| Adapter {
                a: take(&format!("{name} a {i}"), [d_in, 3]),
                b: take(&format!("{name} b {i}"), [3, n]),
                scale: 0.7,
                dropout: dropout.clone(),
            };
            let adapters = widths.iter().enumerate();
            let adapters = adapters.map(|(i, n)| (self.adapters && i != 1).then(|| adapter(i, *n))).collect();
            let weights = weights.into_iter().map(Weight::Tensor).collect();
            Product { weights, biases, widths: widths.to_vec(), adapters }
        };
        let qkv = product("qkv", d, &[q, kv, kv]);
        let o = product("o", q, &[d]);
        let gate_up = product("gate up", d, &[ff, ff]);
        let down = product("down", ff, &[d]);
        Layer { input_norm, qkv, o, post_norm: take("post norm", [1, d]), gate_up, down }
    }
}

/// What a pass is asked for.
#[derive(Debug, Clone, Copy)]
struct Ask {
    last: bool,
    padded: bool,
}

/// Result of a pass for the rows that are no padding, and gradients of input and weights.
fn pass(config: &LlmConfig, weights: &Weights, fused: bool, ask: Ask) -> Vec<Vec<f32>> {
    let device = Device::flex();
    let table = RotaryTable::with(config, &device, FloatDType::F32, fused);
    let lengths: &[usize] = if ask.padded { &[70, 1, 66] } else { &[66, 66] };
    let at = Geometry::padded(&table, lengths, &device);
    let leaf = |t: Tensor<2>| t.autodiff().require_grad();
    let xs: Vec<_> = (0..lengths.len())
        .map(|i| leaf(tensor(&format!("x {i}"), [lengths[i], config.hidden_size])))
        .collect();
    let mut rows = Vec::new();
    for (x, n) in xs.iter().zip(lengths) {
        if at.padding(*n) > 0 {
            rows.push(tensor("padding", [at.padding(*n), config.hidden_size]));
        }
        rows.push(x.clone());
    }
    let leaves: Vec<_> = weights.tensors.iter().cloned().map(leaf).collect();
    let mut next = leaves.iter().cloned();
    let layer = weights.layer(config, &mut |_, _| next.next().expect("one tensor per name"));
    let y = match ask.last {
        true => layer.forward_last(config, Tensor::cat(rows, 0), &at, None),
        false => {
            let y = layer.forward(config, Tensor::cat(rows, 0), &at, None).0;
            let mut end = 0;
            let mut real = |n: &usize| {
                end += at.padding(*n) + n;
                y.clone().narrow(0, end - n, *n)
            };
            Tensor::cat(lengths.iter().map(&mut real).collect(), 0)
        }
    };
    let mut gradients = y.clone().mul(tensor("loss", y.dims())).sum().backward();
    let mut found = vec![to_host(y.inner())];
    for leaf in xs.iter().chain(&leaves) {
        found.push(to_host(leaf.grad_remove(&mut gradients).expect("every tensor has a gradient")));
    }
    found
}

/// Compares results and gradients of both ways.
fn assert_agreement(config: &LlmConfig, weights: &Weights, ask: Ask) {
    let (plain, fused) = (pass(config, weights, false, ask), pass(config, weights, true, ask));
    assert_eq!(plain.len(), fused.len());
    for (i, (plain, fused)) in plain.iter().zip(&fused).enumerate() {
        let size = plain.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let error = distance(plain, fused);
        assert!(error < 1e-5 * size.max(1e-3), "{ask:?}, tensor {i}: {error} of {size}");
    }
}

#[test]
fn fused_and_plain_layers_agree() {
    let config = config();
    for (together, biases, adapters) in
        [(true, false, false), (false, false, false), (true, true, true), (false, true, true)]
    {
        let weights = Weights::new(&config, together, biases, adapters);
        for (last, padded) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_agreement(&config, &weights, Ask { last, padded });
        }
    }
}

#[test]
fn fused_and_plain_layers_agree_under_dropout() {
    let config = config();
    let weights = Weights { dropout: true, ..Weights::new(&config, true, true, true) };
    for last in [false, true] {
        assert_agreement(&config, &weights, Ask { last, padded: false });
    }
}

#[test]
fn fused_and_plain_agree_after_a_past() {
    let config = config();
    let weights = Weights::new(&config, true, true, false);
    let device = Device::flex();
    let run = |fused| {
        let table = RotaryTable::with(&config, &device, FloatDType::F32, fused);
        let mut tensors = weights.tensors.iter().cloned();
        let layer = weights.layer(&config, &mut |_, _| tensors.next().expect("one tensor per name"));
        let first = Geometry::row(&table, 0, 100, &device);
        let (_, past) = layer.forward(&config, tensor("first", [100, 44]), &first, None);
        let alone = layer.key_values(&config, tensor("first", [100, 44]), &first);
        let kept = [first.keep(past.clone())];
        let then = Geometry::row(&table, 100, 9, &device);
        let (y, own) = layer.forward(&config, tensor("then", [9, 44]), &then, Some(&kept));
        let last = layer.forward_last(&config, tensor("then", [9, 44]), &then, Some(&kept));
        let of = |kv: KeyValues| [to_host(kv.keys), to_host(kv.values)];
        let [past, alone, own] = [of(past), of(alone), of(own)];
        assert_eq!(past, alone);
        let y = to_host(y);
        assert!(distance(&y[8 * 44..], &to_host(last)) < 1e-5);
        [past.concat(), own.concat(), y]
    };
    for (plain, fused) in run(false).iter().zip(&run(true)) {
        assert!(distance(plain, fused) < 1e-5);
    }
}

/// Sequences of different lengths after pasts of different lengths, together and one at a time.
#[test]
fn sequences_after_different_pasts_go_together() {
    let config = config();
    let weights = Weights::new(&config, true, true, false);
    let device = Device::flex();
    for fused in [false, true] {
        let table = RotaryTable::with(&config, &device, FloatDType::F32, fused);
        let mut tensors = weights.tensors.iter().cloned();
        let layer = weights.layer(&config, &mut |_, _| tensors.next().expect("one tensor per name"));
        let lengths = [(100, 5), (40, 9), (70, 1)];
        let past = |(past, _): &(usize, usize)| {
            let at = Geometry::row(&table, 0, *past, &device);
            at.keep(layer.forward(&config, tensor("first", [*past, 44]), &at, None).1)
        };
        let pasts: Vec<Past> = lengths.iter().map(past).collect();
        let x = |(i, (_, own)): (usize, &(usize, usize))| tensor(&format!("then {i}"), [*own, 44]);
        let at = Geometry::continued(&table, &lengths, &device);
        let mut pieces = Vec::new();
        for (i, length) in lengths.iter().enumerate() {
            let padding = at.padding(length.1);
            pieces.extend((padding > 0).then(|| Tensor::<2>::zeros([padding, 44], &device)));
            pieces.push(x((i, length)));
        }
        let together = Tensor::cat(pieces, 0);
        let all = layer.forward(&config, together.clone(), &at, Some(&pasts)).0;
        let last = to_host(layer.forward_last(&config, together, &at, Some(&pasts)));
        let mut end = 0;
        for (i, (before, own)) in lengths.iter().enumerate() {
            let alone = Geometry::row(&table, *before, *own, &device);
            let y = layer.forward(&config, x((i, &lengths[i])), &alone, Some(&pasts[i..=i])).0;
            end += at.padding(*own) + own;
            let found = to_host(all.clone().narrow(0, end - own, *own));
            let expected = to_host(y);
            assert!(distance(&found, &expected) < 1e-5, "fused {fused}, sequence {i}");
            let last = &last[i * 44..][..44];
            assert!(distance(last, &expected[expected.len() - 44..]) < 1e-5, "fused {fused}, sequence {i}");
        }
    }
}

/// The same bytes from pools of one to four threads.
#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let config = LlmConfig {
        hidden_size: 192,
        intermediate_size: 512,
        num_attention_heads: 6,
        head_dim: 32,
        ..config()
    };
    let weights = Weights::new(&config, false, true, true);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| pass(&config, &weights, true, Ask { last: false, padded: false }))
    };
    let one = run(1);
    for threads in 2..=4 {
        assert!(run(threads) == one, "{threads} threads");
    }
}
