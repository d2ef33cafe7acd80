//! What grows with what: time and memory of trainings, data and sweeps, each point in a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};

use super::{Size, Values, collect, machine, output, program};
use crate::{flaglab, workspace};

const PAGE: &str = "benches/GROWTH.md";
const CHART: &str = "docs/growth.svg";
const SCRIPT: &str = "benches/growth.js";
/// Times that each training and each walk through data is measured; the fastest counts, which other programs on the
/// machine have disturbed least.
const TURNS: usize = 2;
/// Seeds, arms, tokens, trainable layers and bars where they do not grow.
const BASE: [usize; 5] = [1, 1, 200, 1, 500];
/// What grows in trainings, its place in [`BASE`], and its values.
const TRAININGS: [(&str, usize, &[usize]); 5] = [
    ("seeds", 0, &[1, 2, 4, 8]),
    ("arms", 1, &[1, 2, 4, 8]),
    (TOKENS, 2, &[100, 200, 400, 800]),
    ("trainable layers", 3, &[0, 1, 2, 4, 8]),
    ("bars of training", 4, &[500, 1000, 2000, 4000]),
];
/// Of these a training has as many as the data give it, about what was asked for.
const TOKENS: &str = "tokens of a prompt";
const BARS: [usize; 4] = [500, 1000, 2000, 4000];
const RUNS: [usize; 3] = [100, 1000, 10_000];
/// Sweeps of a smoke run, which takes the first two points of the other curves.
const FEW_RUNS: [usize; 3] = [10, 20, 40];
/// Seeds of an arm in the sweeps.
const SEEDS: usize = 10;

/// One measured point.
struct Point {
    x: f64,
    /// Environment steps, bars or runs.
    work: f64,
    seconds: f64,
    /// Bytes.
    memory: f64,
}

/// Points of one thing that grows.
struct Curve {
    name: &'static str,
    points: Vec<Point>,
}

/// A column of a curve's points.
type Column = fn(&Point) -> f64;

/// Measures everything and writes page and chart.
pub fn run(size: Size) -> anyhow::Result<ExitCode> {
    let ours = flaglab::example("growth")?;
    let many = program("many")?;
    let folder = size.folder("growth")?;
    let model = folder.join("model");
    output(Command::new(&ours).arg("model").arg(&model))?;

    let mut curves = trainings(&ours, &model, size)?;
    curves.extend(data(&ours, size)?);
    let sweeps = sweeps(&many, &folder, size)?;
    let text = page(&curves, &sweeps)?;
    fs::write(size.page(PAGE)?, &text)?;
    draw(&chart_points(&curves, &sweeps), &size.page(CHART)?)?;
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// The trainings' curves. Turns go over all points, so that a disturbance of some seconds cannot meet all turns of one; a
/// point that several curves share is measured once.
fn trainings(ours: &Path, model: &Path, size: Size) -> anyhow::Result<Vec<Curve>> {
    let (turns, points) = (size.pick(TURNS, 1), size.pick(usize::MAX, 2));
    let args = |place: usize, value: usize| {
        let mut args = BASE;
        args[place] = value;
        args
    };
    let all: BTreeSet<[usize; 5]> = TRAININGS
        .iter()
        .flat_map(|(_, place, values)| values.iter().take(points).map(|value| args(*place, *value)))
        .collect();
    let mut measured: BTreeMap<[usize; 5], Values> = BTreeMap::new();
    for turn in 1..=turns {
        for args in &all {
            eprintln!("turn {turn} of {turns}: seeds, arms, tokens, layers, bars {args:?}");
            let words = args.map(|arg| arg.to_string());
            let text = output(Command::new(ours).arg("train").arg(model).args(words))?;
            collect(measured.entry(*args).or_default(), &text)?;
        }
    }
    let mut curves = Vec::new();
    for (name, place, values) in TRAININGS {
        let point_of = |value: &usize| {
            let found = &measured[&args(place, *value)];
            let x = if name == TOKENS { of(found, "tokens")? } else { *value as f64 };
            point(x, found)
        };
        let points = values.iter().take(points).map(point_of).collect::<anyhow::Result<_>>()?;
        curves.push(Curve { name, points });
    }
    Ok(curves)
}

/// Steps of an environment on more and more bars, and what loading them takes.
fn data(ours: &Path, size: Size) -> anyhow::Result<[Curve; 2]> {
    let (mut walked, mut loaded) = (Vec::new(), Vec::new());
    for &bars in BARS.iter().take(size.pick(usize::MAX, 2)) {
        eprintln!("data: {bars} bars");
        let mut found = Values::new();
        for _ in 0..size.pick(TURNS, 1) {
            collect(&mut found, &output(Command::new(ours).arg("data").arg(bars.to_string()))?)?;
        }
        let x = bars as f64;
        walked.push(point(x, &found)?);
        loaded.push(Point { seconds: of(&found, "load")?, work: x, ..point(x, &found)? });
    }
    let curve = |name, points| Curve { name, points };
    Ok([curve("bars of an environment", walked), curve("bars loaded", loaded)])
}

/// Sweeps of small runs, each once: the long ones average enough.
fn sweeps(many: &Path, folder: &Path, size: Size) -> anyhow::Result<Curve> {
    let mut points = Vec::new();
    let scratch = folder.join("runs");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    for runs in size.pick(RUNS, FEW_RUNS) {
        eprintln!("a sweep of {runs} runs");
        let folder = scratch.join(runs.to_string());
        fs::create_dir_all(&folder)?;
        let words = [runs, SEEDS].map(|n| n.to_string());
        let mut found = Values::new();
        collect(&mut found, &output(Command::new(many).args(words).arg(&folder))?)?;
        let parts = ["load", "plan", "prepare", "execute"].map(|part| of(&found, part));
        let seconds = parts.into_iter().sum::<anyhow::Result<f64>>()?;
        let memory = of(&found, "memory")?;
        points.push(Point { x: runs as f64, work: runs as f64, seconds, memory });
    }
    // Not in between: ext4 looks for inodes that were not freed in the last moments, and takes the longer the more were.
    fs::remove_dir_all(&scratch)?;
    Ok(Curve { name: "runs of a sweep", points })
}

/// The least of a value's turns.
fn of(values: &Values, name: &str) -> anyhow::Result<f64> {
    let turns = values.get(name).with_context(|| format!("no `{name}`"))?;
    Ok(turns.iter().copied().fold(f64::INFINITY, f64::min))
}

fn point(x: f64, values: &Values) -> anyhow::Result<Point> {
    let [work, seconds, memory] = ["steps", "seconds", "memory"].map(|name| of(values, name));
    Ok(Point { x, work: work?, seconds: seconds?, memory: memory? })
}

/// Least-squares slope of the logarithm of a column against that of `x`, where both are above 0.
fn exponent(points: &[Point], column: Column) -> f64 {
    let points: Vec<(f64, f64)> =
        points.iter().filter(|p| p.x > 0.0).map(|p| (p.x.ln(), column(p).ln())).collect();
    let n = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let products = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    products / points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>()
}

/// What a curve's time is the time of. Total time where there is more to do at each point, so that an exponent of 1 is
/// proportional growth everywhere.
const SECONDS: Column = |point| point.seconds;
const MEMORY: Column = |point| point.memory;

fn page(curves: &[Curve], sweeps: &Curve) -> anyhow::Result<String> {
    let (mut exponents, mut table) = (String::new(), String::new());
    for Curve { name, points } in curves.iter().chain([sweeps]) {
        let ends = |column: Column| {
            let mut above = points.iter().filter(|p| p.x > 0.0);
            let first = above.next().map_or(f64::NAN, column);
            above.next_back().map_or(f64::NAN, column) / first
        };
        writeln!(
            exponents,
            "| {name} | {:.0} | {:.1} | **{:.2}** | {:.1} | **{:.2}** |",
            ends(|p| p.x),
            ends(SECONDS),
            exponent(points, SECONDS),
            ends(MEMORY),
            exponent(points, MEMORY),
        )?;
        for Point { x, work, seconds, memory } in points {
            let each = 1e6 * seconds / work;
            writeln!(
                table,
                "| {name} | {x:.0} | {work:.0} | {seconds:.3} | {each:.2} | {:.1} |",
                memory / 1024.0 / 1024.0
            )?;
        }
    }
    let [few, .., many] = &sweeps.points[..] else { anyhow::bail!("no sweep was measured") };
    let per_run = (many.memory - few.memory) / (many.x - few.x);
    let [seeds, arms, tokens, layers, bars] = BASE;
    Ok(format!(
        "# Growth\n\n\
         Written by `cargo xtask bench --growth`: every point is a process of its own, its memory the peak of that process\n\
         (`VmHWM`). The fastest of {TURNS} turns; sweeps once. An exponent is the slope of a least-squares line through the\n\
         logarithms: 1 is growth in proportion, below 1 is better. [The chart](../docs/growth.svg); what it says in words:\n\
         [docs/performance.md](../docs/performance.md#growth).\n\n\
         Trainings are those of `experiments/base.toml` with the shipped model's shape in 8 layers (random weights), 128\n\
         environment steps and one epoch per run, the first reading of every date included, one run per core. Where it does not grow: {seeds}\n\
         seed, {arms} arm, {tokens} tokens, {layers} trainable layer, {bars} bars. Time is that of all runs together. Seeds and\n\
         arms double up to 8 runs on the machine's cores; the zero of trainable layers is left out of the exponents. Data:\n\
         a walk with `trade` through synthetic bars, and their generation, checks and cuts. Sweeps: `random` on 250 bars,\n\
         {SEEDS} seeds per arm, planned, checked, done and summed up, without a report.\n\n\
         | what grows | by | time, by | exponent | memory, by | exponent |\n|---|---|---|---|---|---|\n{exponents}\n\
         A sweep takes {:.2} ms and {per_run:.0} bytes of memory per run.\n\n\
         ## Points\n\n\
         Work is environment steps of all runs; bars where they are loaded, runs of a sweep.\n\n\
         | what grows | value | work | seconds | µs per unit of work | peak, MiB |\n|---|---|---|---|---|---|\n{table}\n\
         {}\n",
        1e3 * many.seconds / many.x,
        machine("Flex backend, f32")?
    ))
}

/// Lines for the chart, in the order of its panels.
fn chart_points(curves: &[Curve], sweeps: &Curve) -> String {
    let mut text = String::new();
    let mut add = |panel: &str, name: &str, points: &[Point], column: Column| {
        for point in points.iter().filter(|point| point.x > 0.0) {
            text.push_str(&format!("{panel}\t{name}\t{}\t{}\n", point.x, column(point)));
        }
    };
    for (panel, column) in [("time", SECONDS), ("peak of memory", MEMORY)] {
        for curve in curves.iter().filter(|curve| curve.name != "bars loaded") {
            add(panel, curve.name, &curve.points, column);
        }
    }
    for (name, column) in [("time", SECONDS), ("peak of memory", MEMORY)] {
        add("runs of a sweep", name, &sweeps.points, column);
    }
    text
}

fn draw(points: &str, chart: &Path) -> anyhow::Result<()> {
    let mut child = Command::new("node")
        .arg(SCRIPT)
        .arg(chart)
        .current_dir(workspace::root())
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start node (Debian: nodejs), which draws the chart")?;
    child.stdin.take().context("invariant: stdin is piped")?.write_all(points.as_bytes())?;
    ensure!(child.wait()?.success(), "{}: cannot be drawn", chart.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(of: impl Fn(f64) -> f64) -> Vec<Point> {
        let point = |x: f64| Point { x, work: 1.0, seconds: of(x), memory: 5.0 };
        [1.0, 2.0, 4.0, 8.0].map(point).into()
    }

    #[test]
    fn an_exponent_is_the_slope_of_logarithms() {
        let close = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-12, "{found}");
        close(exponent(&points(|x| 3.0 * x), SECONDS), 1.0);
        close(exponent(&points(|x| 0.5 * x * x), SECONDS), 2.0);
        close(exponent(&points(|x| x), MEMORY), 0.0);
        // By hand: logarithms 0, 1, 2, 3 of base 2 against 0, 1, 1, 2 have the slope 3/5.
        close(
            exponent(
                &points(|x| {
                    if x == 4.0 {
                        2.0
                    } else if x == 8.0 {
                        4.0
                    } else {
                        x
                    }
                }),
                SECONDS,
            ),
            0.6,
        );
        let mut with_zero = points(|x| x);
        with_zero.insert(0, Point { x: 0.0, work: 1.0, seconds: 9.0, memory: 5.0 });
        close(exponent(&with_zero, SECONDS), 1.0);
    }
}
