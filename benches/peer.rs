//! Our side of `cargo xtask bench --peer`: one measurement per process, printed as lines of `name value`.
//!
//! `peer layer` times one decoder layer, in seconds; `peer load FOLDER` a checkpoint, in seconds, with the peak of
//! resident memory in bytes. `peer.py` is the other side.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use bench::{peak_bytes, smol_layer};
use burn::tensor::{Device, Tensor, TensorData};
use llm::{Backbone, Body, TrainSpec, init};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// Sequences and tokens of a batch.
const BATCH: [usize; 2] = [4, 256];
/// Passes whose median is printed.
const PASSES: usize = 15;

fn main() -> ExitCode {
    memory::keep_freed();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["layer"] => layer(),
        ["load", folder] => load(Path::new(folder)),
        _ => {
            eprintln!("error: expected `layer` or `load FOLDER`, found `{}`", args.join(" "));
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn layer() {
    let config = smol_layer();
    let device = Device::flex();
    let backbone = Arc::new(Backbone::random(&config, 0, &device));
    let [batch, tokens] = BATCH;
    let shape = [batch * tokens, config.hidden_size];
    let random = |name: &str| {
        let values = init::normal(0, name, shape[0] * shape[1], 1.0);
        Tensor::<2>::from_data(TensorData::new(values, shape), &device)
    };
    let (x, gradient) = (random("x"), random("gradient"));
    let body = |n_trainable_layers| {
        let spec = TrainSpec { n_trainable_layers, ..TrainSpec::default() };
        Body::new(backbone.clone(), spec, 0).expect("a valid training spec")
    };
    let frozen = body(0);
    println!("layer/forward {}", median(|| drop(frozen.layer_alone(0, x.clone(), batch))));
    let trained = body(1);
    let both = || {
        let x = x.clone().autodiff().require_grad();
        let loss = trained.layer_alone(0, x.clone(), batch).mul(gradient.clone()).sum();
        let mut gradients = loss.backward();
        x.grad_remove(&mut gradients).expect("the input is tracked");
        trained.params().gradients(&mut gradients)
    };
    println!("layer/forward+backward {}", median(|| drop(both())));
}

fn load(folder: &Path) {
    let start = Instant::now();
    let backbone = Backbone::load(folder, &Device::flex()).expect("a checkpoint made for this");
    println!("load/time {}", start.elapsed().as_secs_f64());
    println!("load/memory {}", peak_bytes());
    drop(backbone);
}

/// Median seconds of a call, after two that are not counted.
fn median(mut call: impl FnMut()) -> f64 {
    let mut time = || {
        let start = Instant::now();
        call();
        start.elapsed().as_secs_f64()
    };
    time();
    time();
    let mut seconds: Vec<f64> = (0..PASSES).map(|_| time()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[PASSES / 2]
}
