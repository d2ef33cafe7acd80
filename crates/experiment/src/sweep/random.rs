//! Arms drawn at random from distributions.
//!
//! Every value comes from a stream of its own, keyed by the seed of the draws, the number of the sample and the key of
//! the axis. More samples therefore keep the earlier ones, and an axis keeps its draws whatever else the file sweeps and
//! in which order it does.

use std::collections::HashSet;

use plugin::{toml_text, unknown_name};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Candidate, MOST_POINTS, Override, Planner, Point, Task};
use crate::error::{ConfigError, Problem};
use crate::experiment::Axis;
use crate::file_keys::Sweep;
use crate::{canonical_json, keys};

const UNIFORM: &str = "uniform";
const LOG_UNIFORM: &str = "log_uniform";
const INT_UNIFORM: &str = "int_uniform";
const INT_LOG_UNIFORM: &str = "int_log_uniform";
const NAMES: [&str; 4] = [UNIFORM, LOG_UNIFORM, INT_UNIFORM, INT_LOG_UNIFORM];

/// Significant digits of a drawn number. Names and files stay readable, and the last bit of a mathematical function does
/// not reach them.
const DIGITS: i32 = 4;

/// Draws in a row without a new arm after which there are none left to find.
const PATIENCE: usize = 1_000;

/// Draws per point of a finite space after which each has been drawn, but for a chance of `e^-20`.
const PER_POINT: usize = 20;

/// Whether a table is one of a distribution, and none of further keys to sweep.
pub(crate) fn is_distribution(table: &Map<String, Value>) -> bool {
    table.keys().any(|key| NAMES.contains(&key.as_str()))
}

/// What the values of an axis are drawn from.
#[derive(Debug, Clone, PartialEq)]
enum Distribution {
    /// Each value equally likely.
    Choice(Vec<Value>),
    Uniform {
        low: f64,
        high: f64,
    },
    /// The logarithm is uniform.
    LogUniform {
        low: f64,
        high: f64,
    },
    /// Both ends included.
    IntUniform {
        low: i64,
        high: i64,
    },
    /// Both ends included; a whole number is as likely as what rounds to it under `LogUniform`.
    IntLogUniform {
        low: i64,
        high: i64,
    },
}

impl Distribution {
    /// What the value of an axis describes: a list, or a table such as `{ log_uniform = [1e-5, 1e-2] }`.
    fn new(value: &Value) -> Result<Self, Problem> {
        let table = match value {
            Value::Array(values) => return Ok(Self::Choice(values.clone())),
            Value::Object(table) => table,
            other => return Err(Problem::value(toml_text(other), "a list or a distribution")),
        };
        let (name, bounds) = match table.iter().collect::<Vec<_>>()[..] {
            [(name, bounds)] => (name.as_str(), bounds),
            _ => {
                let expected = format!("one of {}, alone", NAMES.join(", "));
                return Err(Problem::value(toml_text(value), expected));
            }
        };
        let wrong = |expected: &str| Problem::value(format!("{name} = {}", toml_text(bounds)), expected);
        let numbers = || two(bounds, Value::as_f64).ok_or_else(|| wrong("two numbers, the lower one first"));
        let integers =
            || two(bounds, Value::as_i64).ok_or_else(|| wrong("two whole numbers, the lower one first"));
        match name {
            UNIFORM => numbers().map(|[low, high]| Self::Uniform { low, high }),
            LOG_UNIFORM => match numbers()? {
                [low, high] if low > 0.0 => Ok(Self::LogUniform { low, high }),
                _ => Err(wrong("two numbers > 0, the lower one first")),
            },
            INT_UNIFORM => integers().map(|[low, high]| Self::IntUniform { low, high }),
            INT_LOG_UNIFORM => match integers()? {
                [low, high] if low > 0 => Ok(Self::IntLogUniform { low, high }),
                _ => Err(wrong("two whole numbers > 0, the lower one first")),
            },
            other => Err(Problem::Value(unknown_name("", other, NAMES))),
        }
    }

    /// How many values there are; `None` where there is no counting them.
    fn size(&self) -> Option<usize> {
        match self {
            Self::Choice(values) => Some(values.len()),
            Self::Uniform { .. } | Self::LogUniform { .. } => None,
            Self::IntUniform { low, high } | Self::IntLogUniform { low, high } => {
                usize::try_from(high.abs_diff(*low)).ok()?.checked_add(1)
            }
        }
    }

    /// A value, and its place in the list where there is one.
    fn draw(&self, rng: &mut ChaCha8Rng) -> (Value, Option<usize>) {
        match self {
            Self::Choice(values) => {
                let place = below(rng, values.len() as u64) as usize;
                (values.get(place).cloned().unwrap_or_default(), Some(place))
            }
            Self::Uniform { low, high } => {
                let u = unit(rng);
                (rounded(low * (1.0 - u) + high * u, places(high - low), *low, *high).into(), None)
            }
            Self::LogUniform { low, high } => {
                let x = log_uniform(rng, *low, *high);
                (rounded(x, places(x).max(places(high - low)), *low, *high).into(), None)
            }
            Self::IntUniform { low, high } => {
                // The whole range of 64 bits has one number more than they can count.
                let n = high.abs_diff(*low).saturating_add(1);
                (low.wrapping_add_unsigned(below(rng, n)).into(), None)
            }
            Self::IntLogUniform { low, high } => {
                let x = log_uniform(rng, *low as f64 - 0.5, *high as f64 + 0.5);
                ((x.round() as i64).clamp(*low, *high).into(), None)
            }
        }
    }
}

/// Two finite numbers, the lower one first.
fn two<T: PartialOrd>(bounds: &Value, number: impl Fn(&Value) -> Option<T>) -> Option<[T; 2]> {
    let [low, high] = bounds.as_array()?.as_slice() else { return None };
    let (low, high) = (number(low)?, number(high)?);
    (low < high).then_some([low, high])
}

/// Uniform from 0 to 1, 1 excluded. Not that of `rand`, whose draws may be others in its next version.
fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Uniform among `n` whole numbers from 0.
fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(n)) >> 64) as u64
}

fn log_uniform(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    let u = unit(rng);
    (low.ln() * (1.0 - u) + high.ln() * u).exp()
}

/// Decimal places that leave [`DIGITS`] significant digits of `x`.
fn places(x: f64) -> i32 {
    (DIGITS - 1).saturating_sub(x.log10().floor() as i32)
}

fn rounded(x: f64, places: i32, low: f64, high: f64) -> f64 {
    let places = usize::try_from(places).unwrap_or(0);
    format!("{x:.places$}").parse().unwrap_or(x).clamp(low, high)
}

/// The stream of one value: ChaCha8 keyed with `sha256("<seed>:sweep:<sample>:<key>")`.
fn stream(seed: u64, sample: usize, key: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(Sha256::digest(format!("{seed}:sweep:{sample}:{key}")).into())
}

impl Planner<'_> {
    /// The base, then samples until as many of them as the file asks for differ from all before and are kept by its
    /// rules. Those that the rules drop are among them, so that their keys are known.
    pub(super) fn samples(
        &self,
        sweep: &Sweep,
        axes: &[&Axis],
        tasks: &[Task],
        errors: &mut Vec<ConfigError>,
    ) -> Vec<Candidate> {
        let before = errors.len();
        let error = |path: &[&str], problem| self.error(path, problem);
        let n_samples = sweep.n_samples.unwrap_or_else(|| {
            errors.push(error(&["sweep", "n_samples"], Problem::value("nothing", "how many arms are drawn")));
            0
        });
        // Axes that are wrong as a whole have been told of and left out.
        let written = keys::get(&self.merged.table, &["sweep", "axes"].map(str::to_owned));
        if written.and_then(Value::as_object).is_none_or(Map::is_empty) {
            let problem = Problem::value("nothing", "at least one axis to draw from");
            errors.push(error(&["sweep", "axes"], problem));
        }
        let base = self.resolve(Point::new("base", Vec::new()));
        let mut known: Vec<(&str, Distribution)> = Vec::new();
        for axis in axes {
            let parts = keys::parts(&axis.key);
            // A table of no known distribution is read as further keys: `"agent.gamma" = { unifrom = [0, 1] }`.
            let above = parts.split_last().filter(|(_, above)| {
                keys::get(&base.spec, above).is_some_and(|value| !value.is_object() && !value.is_null())
            });
            if let Some((name, above)) = above {
                let unknown = Problem::Value(unknown_name("", name, NAMES));
                let error = error(&["sweep", "axes", &axis.key], unknown);
                let key = keys::dotted(&["sweep".to_owned(), "axes".to_owned(), above.join(".")]);
                errors.push(ConfigError { key, ..error });
                continue;
            }
            let written = sweep.axes.get(&axis.key).unwrap_or(&Value::Null);
            match Distribution::new(written) {
                Ok(distribution) => known.push((&axis.key, distribution)),
                Err(problem) => errors.push(error(&["sweep", "axes", &axis.key], problem)),
            }
        }
        if errors.len() > before || known.is_empty() {
            return vec![base];
        }
        let size = known
            .iter()
            .try_fold(1usize, |size, (_, d)| size.checked_mul(d.size()?))
            .filter(|size| *size <= MOST_POINTS);
        let patience = size.map_or(PATIENCE, |size| PATIENCE.max(PER_POINT * size));
        let mut specs = HashSet::from([canonical_json(&Value::Object(base.spec.clone()))]);
        let mut drawn: HashSet<String> = HashSet::new();
        let mut candidates = vec![base];
        let (mut found, mut in_vain) = (0, 0);
        for sample in 1.. {
            if found == n_samples
                || in_vain == patience
                || size == Some(drawn.len())
                || candidates.len() > MOST_POINTS
            {
                break;
            }
            in_vain += 1;
            let overrides = known.iter().map(|(key, distribution)| {
                let (value, place) = distribution.draw(&mut stream(sweep.seed.unwrap_or(0), sample, key));
                let mut origin = vec!["sweep".to_owned(), "axes".to_owned(), (*key).to_owned()];
                origin.extend(place.map(|place| place.to_string()));
                Override { key: (*key).to_owned(), path: keys::parts(key), value, origin }
            });
            let overrides: Vec<Override> = overrides.collect();
            let values: Value = overrides.iter().map(|o| o.value.clone()).collect();
            if !drawn.insert(canonical_json(&values)) {
                continue;
            }
            let candidate = self.resolve(Point::new(&format!("sample-{sample}"), overrides));
            if !specs.insert(canonical_json(&Value::Object(candidate.spec.clone()))) {
                continue;
            }
            let kept = |on_task: Vec<Candidate>| on_task.iter().any(|c| sweep.keeps(&c.spec));
            if kept(self.on_tasks(vec![candidate.clone()], tasks)) {
                (found, in_vain) = (found + 1, 0);
            }
            candidates.push(candidate);
        }
        if found < n_samples {
            let problem = match found {
                0 => Problem::text("the axes and rules have no arm but the base"),
                n => Problem::value(
                    n_samples.to_string(),
                    format!("at most {n}, as many as the axes and rules have beside the base"),
                ),
            };
            errors.push(error(&["sweep", "n_samples"], problem));
        }
        candidates
    }
}

#[cfg(test)]
mod tests;
