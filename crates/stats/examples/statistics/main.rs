//! Our side of `cargo xtask bench --peer stats`: prints seconds and bytes as lines of `name value`.
//!
//! `make FILE` writes the input for the other side, little-endian doubles; `run` computes and measures.

#[path = "../../../../benches/process.rs"]
mod process;
mod work;

use std::hint::black_box;
use std::time::Instant;

use work::Sweep;

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", file] => {
            let sweep = Sweep::new();
            let numbers = sweep.returns.iter().flatten().flatten().chain(&sweep.benchmark);
            std::fs::write(file, numbers.flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
        }
        ["run"] => {
            run();
            Ok(())
        }
        _ => {
            eprintln!("expected `make FILE` or `run`");
            std::process::exit(2);
        }
    }
}

fn timed<T>(name: &str, work: impl Fn() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    let seconds = start.elapsed().as_secs_f64();
    println!("{name} {seconds}");
    seconds
}

fn run() {
    let sweep = Sweep::new();
    let (scores, panel) = (sweep.scores(), sweep.panel());
    // The pool of threads starts before the clock does.
    rayon::broadcast(|_| ());
    timed("tear sheets", || sweep.tear_sheets());
    let cpu = process::cpu_seconds();
    let together = timed("intervals", || work::intervals(&scores))
        + timed("improvement", || work::improvements(&scores))
        + timed("SPA", || work::spa(&panel, &sweep.benchmark))
        + timed("deflated Sharpe", || work::deflated(&panel))
        + timed("PBO", || work::overfitting(&panel));
    println!("together {together}");
    println!("together, processor time {}", process::cpu_seconds() - cpu);
    println!("memory {}", process::peak_bytes());
}
