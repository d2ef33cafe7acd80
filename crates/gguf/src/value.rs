//! Values of the metadata.

use std::collections::BTreeMap;

use crate::error::{Fault, printable};
use crate::reader::Reader;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Unsigned(u64),
    Signed(i64),
    Single(f32),
    Double(f64),
    Flag(bool),
    Text(String),
    Texts(Texts),
    Numbers(Numbers),
}

/// Texts in one piece of memory: a vocabulary of its own allocations would take several times the bytes of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Texts {
    all: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Texts {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.all[start..end])
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// Numbers or flags of one type as they stand in the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Numbers {
    kind: u32,
    bytes: Vec<u8>,
}

impl Numbers {
    pub fn len(&self) -> usize {
        size(self.kind).map_or(0, |size| self.bytes.len() / size)
    }

    /// The values, when they are whole numbers.
    pub fn whole(&self) -> Option<impl Iterator<Item = i64>> {
        let kind = self.kind;
        let size = size(kind).filter(|_| matches!(kind, 0..=5 | 10 | 11))?;
        Some(self.bytes.chunks_exact(size).map(move |bytes| {
            let mut wide = [0; 8];
            wide[..size].copy_from_slice(bytes);
            let signed = matches!(kind, 1 | 3 | 5 | 11);
            let shift = 64 - 8 * size as u32;
            let value = i64::from_le_bytes(wide);
            if signed { value << shift >> shift } else { value }
        }))
    }
}

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// Bytes of a number or flag by the number of its type.
fn size(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

impl Value {
    /// Reads a value after its type.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        const KNOWN: &str = "a type from 0 to 12";
        match reader.u32()? {
            0 => reader.u8().map(|v| Self::Unsigned(v.into())),
            1 => reader.u8().map(|v| Self::Signed(v.cast_signed().into())),
            2 => reader.u16().map(|v| Self::Unsigned(v.into())),
            3 => reader.u16().map(|v| Self::Signed(v.cast_signed().into())),
            4 => reader.u32().map(|v| Self::Unsigned(v.into())),
            5 => reader.u32().map(|v| Self::Signed(v.cast_signed().into())),
            6 => reader.u32().map(|v| Self::Single(f32::from_bits(v))),
            7 => match reader.u8()? {
                byte @ 0..=1 => Ok(Self::Flag(byte == 1)),
                other => Err(reader.fault("0 or 1 for a flag", other.to_string())),
            },
            TEXT => reader.text().map(Self::Text),
            ARRAY => Self::read_array(reader),
            10 => reader.u64().map(Self::Unsigned),
            11 => reader.u64().map(|v| Self::Signed(v.cast_signed())),
            12 => reader.u64().map(|v| Self::Double(f64::from_bits(v))),
            other => Err(reader.fault(KNOWN, other.to_string())),
        }
    }

    fn read_array(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let kind = reader.u32()?;
        if let Some(size) = size(kind) {
            let count = reader.count(size as u64, "numbers")?;
            // Within the file, so that the product is in range.
            return Ok(Self::Numbers(Numbers { kind, bytes: reader.bytes(count * size)? }));
        }
        if kind != TEXT {
            let found = if kind == ARRAY { "arrays".to_owned() } else { format!("values of type {kind}") };
            return Err(reader.fault("an array of numbers or texts", format!("an array of {found}")));
        }
        let count = reader.count(size_of::<u64>() as u64, "texts")?;
        let mut texts = Texts::default();
        for _ in 0..count {
            texts.all.push_str(&reader.text()?);
            texts.ends.push(texts.all.len());
        }
        Ok(Self::Texts(texts))
    }

    /// In words, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Unsigned(v) => v.to_string(),
            Self::Signed(v) => v.to_string(),
            Self::Single(v) => v.to_string(),
            Self::Double(v) => v.to_string(),
            Self::Flag(v) => v.to_string(),
            Self::Text(v) => format!("\"{}\"", printable(v)),
            Self::Texts(v) => format!("{} texts", v.len()),
            Self::Numbers(v) => format!("{} numbers", v.len()),
        }
    }
}

/// The metadata of a file by key.
#[derive(Debug, Default)]
pub(crate) struct Metadata(BTreeMap<String, Value>);

impl Metadata {
    /// Keeps a value; false when the key is there already.
    pub fn insert(&mut self, key: String, value: Value) -> bool {
        self.0.insert(key, value).is_none()
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// A value of one kind; `None` when the key is absent.
    fn of_kind<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        take: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.get(key) else { return Ok(None) };
        take(value).map(Some).ok_or_else(|| Fault::key(key, expected, value.describe()))
    }

    pub fn text(&self, key: &str) -> Result<Option<&str>, Fault> {
        self.of_kind(key, "a text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    pub fn flag(&self, key: &str) -> Result<Option<bool>, Fault> {
        self.of_kind(key, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// A whole number that is not negative.
    pub fn whole(&self, key: &str) -> Result<Option<u64>, Fault> {
        self.of_kind(key, "a whole number", |value| match value {
            Value::Unsigned(v) => Some(*v),
            Value::Signed(v) => u64::try_from(*v).ok(),
            _ => None,
        })
    }

    /// A finite number. Of an f32 it is the shortest decimal with that f32: 1e-5, as the model's own files say, and not
    /// 9.99999974737875e-6.
    pub fn number(&self, key: &str) -> Result<Option<f64>, Fault> {
        self.of_kind(key, "a finite number", |value| match value {
            Value::Single(v) => v.to_string().parse().ok().filter(|v: &f64| v.is_finite()),
            Value::Double(v) => Some(*v).filter(|v| v.is_finite()),
            Value::Unsigned(v) => Some(*v as f64),
            Value::Signed(v) => Some(*v as f64),
            _ => None,
        })
    }

    pub fn texts(&self, key: &str) -> Result<Option<&Texts>, Fault> {
        self.of_kind(key, "an array of texts", |value| match value {
            Value::Texts(texts) => Some(texts),
            _ => None,
        })
    }

    pub fn whole_numbers(&self, key: &str) -> Result<Option<Vec<i64>>, Fault> {
        self.of_kind(key, "an array of whole numbers", |value| match value {
            Value::Numbers(numbers) => numbers.whole().map(Iterator::collect),
            _ => None,
        })
    }
}
