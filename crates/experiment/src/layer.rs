//! One layer of settings: a TOML file, a `--set`, or an environment variable.

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{ConfigError, Problem};
use crate::sweep::random::is_distribution;
use crate::{Sections, keys};

/// Prefix of environment variables that override a key; `__` stands for the dots.
const ENV_PREFIX: &str = "FLAGLAB_SET__";

/// Settings of one source, with the lines at which its keys stand.
#[derive(Debug)]
pub(crate) struct Layer {
    /// File, `--set` or environment variable, as errors name it.
    pub source: String,
    /// The settings, in the source's order.
    pub table: Map<String, Value>,
    lines: Vec<(Vec<String>, usize)>,
}

impl Layer {
    /// Reads a TOML file's text. `None` when its syntax is wrong; numbers that are not finite are errors and left out.
    pub fn parse(text: &str, source: &str) -> (Option<Layer>, Vec<ConfigError>) {
        let (document, syntax) = DeTable::parse_recoverable(text);
        if let Some(error) = syntax.first() {
            let line = error.span().map(|span| line_at(text, span.start));
            let problem = Problem::text(error.message().trim().replace('\n', "; "));
            return (
                None,
                vec![ConfigError { source: source.to_owned(), line, key: String::new(), problem }],
            );
        }
        let mut reader = Reader { text, source, lines: Vec::new(), errors: Vec::new() };
        let table = reader.table(document.get_ref(), &mut Vec::new());
        (Some(Layer { source: source.to_owned(), table, lines: reader.lines }), reader.errors)
    }

    /// Reads `--set key=value`; the value is TOML, or a string without quotes.
    pub fn from_set(argument: &str) -> Result<Layer, Box<ConfigError>> {
        let wrong = |key: &str, problem| {
            Box::new(ConfigError { source: "--set".to_owned(), line: None, key: key.to_owned(), problem })
        };
        let Some((key, value)) = argument.split_once('=') else {
            return Err(wrong("", Problem::value(argument, "key=value, for example agent.lora.rank=4")));
        };
        let path = key_path(key.trim()).ok_or_else(|| {
            wrong(key.trim(), Problem::value("no key", "a dotted key, for example agent.lora.rank"))
        })?;
        Self::single("--set", &path, value)
    }

    /// Reads an environment variable; `None` when it is no override.
    pub fn from_env(name: &str, value: &str) -> Option<Result<Layer, Box<ConfigError>>> {
        let path: Vec<String> = name.strip_prefix(ENV_PREFIX)?.split("__").map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            let problem = Problem::value(name, "FLAGLAB_SET__section__key");
            let (source, key) = (name.to_owned(), String::new());
            return Some(Err(Box::new(ConfigError { source, line: None, key, problem })));
        }
        Some(Self::single(name, &path, value))
    }

    fn single(source: &str, path: &[String], text: &str) -> Result<Layer, Box<ConfigError>> {
        let wrong = |problem| {
            Box::new(ConfigError { source: source.to_owned(), line: None, key: keys::dotted(path), problem })
        };
        let value = read_value(text).map_err(wrong)?;
        let mut table = Map::new();
        keys::put(&mut table, path, value);
        Ok(Layer { source: source.to_owned(), table, lines: Vec::new() })
    }

    /// Line of the key at `path`, or of the nearest table that holds it.
    pub fn line(&self, path: &[impl AsRef<str>]) -> Option<usize> {
        let of = |length: usize| {
            let same = |known: &[String]| known.iter().zip(path).all(|(a, b)| a == b.as_ref());
            self.lines.iter().find(|(known, _)| known.len() == length && same(known)).map(|(_, line)| *line)
        };
        (1..=path.len()).rev().find_map(of)
    }

    /// Writes shorthand out: `reward = "log-return"` as a table with a `kind`, and nested keys below `sweep.axes`
    /// as dotted ones, but for distributions.
    pub fn normalise(&mut self, sections: &Sections) {
        for section in sections.iter().filter(|s| s.is_plugin()) {
            if let Some(value @ Value::String(_)) = self.table.get_mut(&section.name) {
                *value = with_kind(value.take());
            }
        }
        let axes = self.table.get_mut("sweep").and_then(|s| s.get_mut("axes")).and_then(Value::as_object_mut);
        if let Some(axes) = axes {
            let mut flat = Map::new();
            for (key, value) in std::mem::take(axes) {
                flatten(key, value, &mut flat);
            }
            *axes = flat;
        }
        let mut joined = Vec::new();
        for (path, line) in &self.lines {
            if path.len() > 3 && path[0] == "sweep" && path[1] == "axes" {
                let index =
                    path.iter().position(|p| p.bytes().all(|b| b.is_ascii_digit())).unwrap_or(path.len());
                let mut short = path[..2].to_vec();
                short.push(path[2..index].join("."));
                short.extend_from_slice(&path[index..]);
                joined.push((short, *line));
            }
        }
        self.lines.extend(joined);
    }
}

/// `"log-return"` as `{ kind = "log-return" }`.
pub(crate) fn with_kind(kind: Value) -> Value {
    Value::Object(Map::from_iter([("kind".to_owned(), kind)]))
}

fn flatten(key: String, value: Value, out: &mut Map<String, Value>) {
    match value {
        Value::Object(inner) if !is_distribution(&inner) => {
            for (name, item) in inner {
                flatten(format!("{key}.{name}"), item, out);
            }
        }
        other => {
            out.insert(key, other);
        }
    }
}

/// The parts of a TOML key (`sweep.axes."agent.lr"`).
fn key_path(key: &str) -> Option<Vec<String>> {
    if key.contains('\n') {
        return None;
    }
    let text = format!("{key} = 0");
    let document = DeTable::parse(&text).ok()?;
    let (mut path, mut table) = (Vec::new(), document.get_ref());
    loop {
        let (name, value) = table.iter().next()?;
        path.push(name.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => return Some(path),
        }
    }
}

/// A TOML value, or a string when the text is none.
fn read_value(text: &str) -> Result<Value, Problem> {
    let text = text.trim();
    let document = format!("v = {text}");
    let one_value = |table: &DeTable<'_>| table.iter().count() == 1;
    match DeTable::parse(&document) {
        Ok(table) if one_value(table.get_ref()) => {
            let mut reader = Reader { text: &document, source: "", lines: Vec::new(), errors: Vec::new() };
            let mut table = reader.table(table.get_ref(), &mut Vec::new());
            match reader.errors.into_iter().next() {
                Some(error) => Err(error.problem),
                None => Ok(table.get_mut("v").map(Value::take).unwrap_or_default()),
            }
        }
        // What looks like a quoted string, a list or a table was meant as one.
        Err(error) if text.starts_with(['"', '\'', '[', '{']) => Err(Problem::text(format!(
            "{text} is no TOML value: {}",
            error.message().trim().replace('\n', "; ")
        ))),
        _ => Ok(Value::from(text)),
    }
}

struct Reader<'a> {
    text: &'a str,
    source: &'a str,
    lines: Vec<(Vec<String>, usize)>,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &mut Vec<String>) -> Map<String, Value> {
        let mut out = Map::new();
        for (key, value) in table.iter() {
            path.push(key.get_ref().to_string());
            let line = line_at(self.text, key.span().start);
            self.lines.push((path.clone(), line));
            if let Some(value) = self.value(value, line, path) {
                out.insert(key.get_ref().to_string(), value);
            }
            path.pop();
        }
        out
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, line: usize, path: &mut Vec<String>) -> Option<Value> {
        let mut wrong = |found: &str, expected: &str| {
            let (source, key) = (self.source.to_owned(), keys::dotted(path));
            self.errors.push(ConfigError {
                source,
                line: Some(line),
                key,
                problem: Problem::value(found, expected),
            });
            None
        };
        match value.get_ref() {
            DeValue::String(s) => Some(Value::from(s.as_ref())),
            DeValue::Boolean(b) => Some(Value::from(*b)),
            // Dates are strings to the rest: `2011-01-01` and `"2011-01-01"` say the same.
            DeValue::Datetime(d) => Some(Value::from(d.to_string())),
            DeValue::Integer(i) => match i64::from_str_radix(i.as_str(), i.radix()) {
                Ok(number) => Some(Value::from(number)),
                Err(_) => wrong(&i.to_string(), "a whole number of 64 bits"),
            },
            DeValue::Float(f) => match f.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Some(Value::from(number)),
                _ => wrong(f.as_str(), "a finite number"),
            },
            DeValue::Array(items) => {
                let mut out = Vec::new();
                for (i, item) in items.iter().enumerate() {
                    path.push(i.to_string());
                    let line = line_at(self.text, item.span().start);
                    self.lines.push((path.clone(), line));
                    out.extend(self.value(item, line, path));
                    path.pop();
                }
                Some(Value::Array(out))
            }
            DeValue::Table(table) => Some(Value::Object(self.table(table, path))),
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}
