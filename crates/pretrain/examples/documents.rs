//! Prints documents of the pretraining text: `cargo run -p pretrain --example documents -- [COUNT] [SEED]`.

fn main() -> Result<(), std::num::ParseIntError> {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let count = arguments.first().copied().unwrap_or(20) as usize;
    let seed = arguments.get(1).copied().unwrap_or(0);
    for document in pretrain::Corpus::new(seed, "training").take(count) {
        println!("{document}");
    }
    Ok(())
}
