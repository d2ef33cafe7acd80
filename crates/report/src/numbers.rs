//! Numbers as text: real minus signs, grouped thousands, a dash where undefined.

/// What stands where a number is undefined.
pub(crate) const UNDEFINED: &str = "–";

/// A number with `decimals` places as pages write it: a real minus sign, grouped thousands, a dash where undefined.
pub fn fixed(value: Option<f64>, decimals: usize) -> String {
    match value.filter(|v| v.is_finite()) {
        Some(v) => group(&format!("{v:.decimals$}")),
        None => UNDEFINED.to_owned(),
    }
}

/// A fraction in percent.
pub(crate) fn percent(value: Option<f64>, decimals: usize) -> String {
    match value.filter(|v| v.is_finite()) {
        Some(v) => format!("{}%", fixed(Some(v * 100.0), decimals)),
        None => UNDEFINED.to_owned(),
    }
}

/// A fraction in percent with two significant digits.
pub(crate) fn percent_digits(value: f64) -> String {
    format!("{}%", digits(Some(value * 100.0), 2))
}

/// `digits` significant digits, with an exponent below a thousandth and from a million on.
pub(crate) fn digits(value: Option<f64>, digits: usize) -> String {
    let Some(v) = value.filter(|v| v.is_finite()) else { return UNDEFINED.to_owned() };
    if v == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{v:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        e @ -3..6 => fixed(Some(v), usize::try_from(digits as i32 - 1 - e).unwrap_or(0)),
        _ => format!("{mantissa}e{exponent}").replace('-', "\u{2212}"),
    }
}

/// A count.
pub(crate) fn count(value: usize) -> String {
    group(&value.to_string())
}

/// `1 seed`, `5 seeds`: a count of a word whose plural ends in s.
pub(crate) fn plural(n: usize, word: &str) -> String {
    format!("{} {word}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `-1234.50` becomes `−1,234.50`, and a zero has no sign.
fn group(text: &str) -> String {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_zero = digits.bytes().all(|b| matches!(b, b'0' | b'.'));
    let mut out = String::from(if negative && !is_zero { "\u{2212}" } else { "" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Rounded to `decimals` for the charts: what the eye cannot see needs no bytes.
pub(crate) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    // Adding zero turns a negative zero into a plain one.
    (value * scale).round() / scale + 0.0
}

/// Rounded to `digits` significant digits, for charts whose scale nobody knows beforehand.
pub(crate) fn significant(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits.saturating_sub(1)).parse::<f64>().unwrap_or(value) + 0.0
}
