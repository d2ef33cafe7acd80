//! The language of gates.

use std::fmt;
use std::str::FromStr;

use crate::arm_scores::Statistic;

/// A comparison that has to hold, such as `sharpe.iqm(my-arm) > sharpe(buy-and-hold)`.
///
/// ```text
/// gate       = side ( ">" | ">=" | "<" | "<=" ) side        at least one side is a term
/// side       = term | number
/// term       = metric [ "." statistic ] "(" arm ")"
/// metric     = a score's name as in `summary.parquet`, without `test.`: sharpe, paper.cr, rescored.paper.0bps.sharpe
/// statistic  = "mean" | "median" | "iqm" | "low" | "high" | "min" | "max"     without one: mean
/// arm        = "selected", the arm selected on validation data, or
///              name without spaces, quotes and parentheses, or any name in "..." or '...' with \ before a quote or a \
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    pub(super) text: String,
    pub(super) left: Side,
    pub(super) comparison: Comparison,
    pub(super) right: Side,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Side {
    Number(f64),
    Term(Term),
}

/// A score of an arm over its seeds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub metric: String,
    pub statistic: Statistic,
    pub arm: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// Where an expression stops being a gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: expected {expected}, found {found}, at character {at}")]
pub struct GateError {
    /// The expression.
    pub text: String,
    /// Character, from 1.
    pub at: usize,
    /// What is accepted there.
    pub expected: &'static str,
    /// What stands there.
    pub found: String,
}

impl Comparison {
    pub(super) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Above => left > right,
            Comparison::AtLeast => left >= right,
            Comparison::Below => left < right,
            Comparison::AtMost => left <= right,
        }
    }

    pub(super) fn sign(self) -> &'static str {
        match self {
            Comparison::Above => ">",
            Comparison::AtLeast => ">=",
            Comparison::Below => "<",
            Comparison::AtMost => "<=",
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}({})", self.metric, self.statistic.word(), self.arm)
    }
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let mut reader = Reader { text, chars: text.chars().collect(), at: 0 };
        let left = reader.side()?;
        let comparison = reader.comparison()?;
        let start = reader.at;
        let right = reader.side()?;
        reader.skip_spaces();
        if reader.peek().is_some() {
            return Err(reader.error(reader.at, "the end"));
        }
        if matches!((&left, &right), (Side::Number(_), Side::Number(_))) {
            return Err(reader.error(start, "metric(arm) on one side at least"));
        }
        Ok(Self { text: text.trim().to_owned(), left, comparison, right })
    }
}

const SIDE: &str = "metric(arm), metric.statistic(arm) or a finite number";

struct Reader<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let taken: String = self.chars[self.at..].iter().copied().take_while(|c| belongs(*c)).collect();
        self.at += taken.chars().count();
        taken
    }

    fn takes(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn error(&self, at: usize, expected: &'static str) -> GateError {
        let rest: String = self.chars[at..].iter().take(20).collect();
        let found = if rest.is_empty() { "the end".to_owned() } else { format!("`{rest}`") };
        GateError { text: self.text.to_owned(), at: at + 1, expected, found }
    }

    fn side(&mut self) -> Result<Side, GateError> {
        self.skip_spaces();
        match self.peek() {
            Some(c) if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => self.number().map(Side::Number),
            Some(c) if is_of_metric(c) => self.term().map(Side::Term),
            _ => Err(self.error(self.at, SIDE)),
        }
    }

    fn number(&mut self) -> Result<f64, GateError> {
        let start = self.at;
        let text = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let number = text.parse().ok().filter(|x: &f64| x.is_finite());
        number.ok_or_else(|| self.error(start, SIDE))
    }

    fn term(&mut self) -> Result<Term, GateError> {
        let name = self.take_while(is_of_metric);
        let (metric, statistic) = match name.rsplit_once('.') {
            Some((metric, last)) => match Statistic::of_word(last) {
                Some(statistic) => (metric.to_owned(), statistic),
                None => (name, Statistic::Mean),
            },
            None => (name, Statistic::Mean),
        };
        self.skip_spaces();
        if !self.takes('(') {
            return Err(self.error(self.at, "`(` and the name of an arm after the metric"));
        }
        let arm = self.arm()?;
        self.skip_spaces();
        if !self.takes(')') {
            return Err(self.error(self.at, "`)` after the name of the arm"));
        }
        Ok(Term { metric, statistic, arm })
    }

    fn arm(&mut self) -> Result<String, GateError> {
        self.skip_spaces();
        let start = self.at;
        let name = match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.take_while(|c| !c.is_whitespace() && !matches!(c, '"' | '\'' | '(' | ')')),
        };
        if name.is_empty() {
            return Err(self.error(start, "the name of an arm, in quotes where it has spaces"));
        }
        Ok(name)
    }

    fn quoted(&mut self, quote: char) -> Result<String, GateError> {
        let mut name = String::new();
        self.at += 1;
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '\\' if self.peek().is_some_and(|next| next == quote || next == '\\') => {
                    name.extend(self.peek());
                    self.at += 1;
                }
                c if c == quote => return Ok(name),
                c => name.push(c),
            }
        }
        Err(self.error(self.at, "a quote that ends the name of the arm"))
    }

    fn comparison(&mut self) -> Result<Comparison, GateError> {
        self.skip_spaces();
        let start = self.at;
        let sign = self.take_while(|c| matches!(c, '<' | '>' | '=' | '!'));
        match sign.as_str() {
            ">" => Ok(Comparison::Above),
            ">=" => Ok(Comparison::AtLeast),
            "<" => Ok(Comparison::Below),
            "<=" => Ok(Comparison::AtMost),
            _ => Err(self.error(start, "one of > >= < <=")),
        }
    }
}

fn is_of_metric(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(metric: &str, statistic: Statistic, arm: &str) -> Side {
        Side::Term(Term { metric: metric.to_owned(), statistic, arm: arm.to_owned() })
    }

    fn sides(text: &str) -> (Side, Comparison, Side) {
        let gate: Gate = text.parse().unwrap_or_else(|e| panic!("{e}"));
        (gate.left, gate.comparison, gate.right)
    }

    #[test]
    fn sides_comparisons_and_statistics() {
        let hold = || term("sharpe", Statistic::Mean, "buy-and-hold");
        assert_eq!(
            sides("sharpe.iqm(my-arm) > sharpe(buy-and-hold)"),
            (term("sharpe", Statistic::Iqm, "my-arm"), Comparison::Above, hold())
        );
        assert_eq!(
            sides("sharpe(buy-and-hold)>=-1.5e-1"),
            (hold(), Comparison::AtLeast, Side::Number(-0.15))
        );
        assert_eq!(sides(" .5 <sharpe ( buy-and-hold ) "), (Side::Number(0.5), Comparison::Below, hold()));
        assert_eq!(sides("sharpe(buy-and-hold) <= +3").1, Comparison::AtMost);
        for statistic in Statistic::ALL {
            let text = format!("paper.cr.{}(a) > 0", statistic.word());
            assert_eq!(sides(&text).0, term("paper.cr", statistic, "a"));
        }
        // Costs have dots, and what is no statistic belongs to the name.
        let rescored = "rescored.realistic.7.5bps.max_drawdown";
        assert_eq!(sides(&format!("{rescored}.low(a) > 0")).0, term(rescored, Statistic::Low, "a"));
        assert_eq!(sides("sharpe.average(a) > 0").0, term("sharpe.average", Statistic::Mean, "a"));
    }

    #[test]
    fn names_of_arms() {
        let arm = |text: &str| match sides(&format!("sharpe({text}) > 0")).0 {
            Side::Term(term) => term.arm,
            Side::Number(n) => panic!("{n}"),
        };
        assert_eq!(arm("n_trainable_layers=2,symbol=BTC"), "n_trainable_layers=2,symbol=BTC");
        assert_eq!(arm("\"random (MSFT)\""), "random (MSFT)");
        assert_eq!(arm("'two words'"), "two words");
        assert_eq!(arm(r#""a \"b\" \\ c\d""#), r#"a "b" \ c\d"#);
        assert_eq!(arm("'>= 0'"), ">= 0");
        assert_eq!(arm("größe−2"), "größe−2");
    }

    #[test]
    fn what_is_no_gate_is_told_with_its_place() {
        let expected_at = |text: &str, expected: &str, at: usize| {
            let error = text.parse::<Gate>().expect_err(text);
            assert!(error.expected.contains(expected) && error.at == at, "{error}");
        };
        expected_at("", "metric(arm)", 1);
        expected_at("  ", "metric(arm)", 3);
        expected_at("sharpe", "`(`", 7);
        expected_at("sharpe(", "name of an arm", 8);
        expected_at("sharpe() > 0", "name of an arm", 8);
        expected_at("sharpe('') > 0", "name of an arm", 8);
        expected_at("sharpe(a", "`)`", 9);
        expected_at("sharpe(a b) > 0", "`)`", 10);
        expected_at("sharpe('a) > 0", "a quote", 15);
        expected_at("sharpe(a)", "one of > >= < <=", 10);
        expected_at("sharpe(a) == 1", "one of > >= < <=", 11);
        expected_at("sharpe(a) => 1", "one of > >= < <=", 11);
        expected_at("sharpe(a) > ", "metric(arm)", 13);
        expected_at("sharpe(a) > 1%", "the end", 14);
        expected_at("sharpe(a) > 1 > 0", "the end", 15);
        expected_at("sharpe(a) > 1 and sharpe(b) > 1", "the end", 15);
        expected_at("sharpe(a) > -inf", "finite number", 13);
        expected_at("sharpe(a) > 1e999", "finite number", 13);
        expected_at("sharpe(a) > 1.2.3", "finite number", 13);
        expected_at("1 > 0", "one side at least", 4);
        expected_at("$x > 0", "metric(arm)", 1);
        let error = "sharpe(a) ≥ 1".parse::<Gate>().expect_err("no such sign").to_string();
        assert_eq!(error, "`sharpe(a) ≥ 1`: expected one of > >= < <=, found `≥ 1`, at character 11");
    }
}
