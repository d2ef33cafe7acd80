//! The main table for papers and pull-request comments, and the numbers for programs.

mod json;
mod table;

use stats::SeedScores;
use trading_env::Role;

use crate::arm_scores::{completed, seed_scores};
use crate::compare::comparison;
use crate::estimate::LEVEL;
use crate::groups::{Group, groups, told_apart};
use crate::pooled::Pooled;
use crate::selection::{Outcome, SELECTED_MARK, select};
use crate::{ReportInput, backends, numbers};
pub(crate) use json::statistics;
pub use json::summary;
pub(crate) use table::{Part, TextTable};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// GitHub's Markdown.
    Markdown,
    /// LaTeX with the package `booktabs`.
    Latex,
}

/// The main table of an experiment, one per test window and rules, and the table of backends where arms have several.
pub fn tables(input: &ReportInput, format: TableFormat) -> String {
    let pooled = Pooled::of(input);
    let groups = groups(&pooled.input);
    let scores = groups.iter().zip(told_apart(&groups)).flat_map(|(group, apart)| of_group(group, &apart));
    join(scores.chain(backends::text_table(input)), format)
}

/// Arms of several experiments side by side, one table per test window and rules.
pub fn compared_tables(inputs: &[ReportInput], format: TableFormat) -> String {
    let pooled: Vec<Pooled<'_>> = inputs.iter().map(Pooled::of).collect();
    let tables = comparison(pooled.iter().map(|pooled| &*pooled.input));
    join(tables.iter().map(|compared| compared.text()), format)
}

pub(crate) fn join(tables: impl Iterator<Item = TextTable>, format: TableFormat) -> String {
    tables.map(|table| table.write(format)).collect::<Vec<_>>().join("\n")
}

/// The main table, and that of the selection where there is one. `apart`: what tells the group from others of its name.
fn of_group(group: &Group<'_>, apart: &[String]) -> Vec<TextTable> {
    let input = group.input;
    let outcome = Outcome::of(group);
    let selected = select(group).and_then(|selection| selection.arm());
    let row = |arm: usize| {
        let cells = COLUMNS.iter().map(|c| c.cell(&seed_scores(input, arm, c.key)));
        let runs = runs(completed(input, arm).count(), group.runs(arm).count());
        let name = &group.arm(arm).name;
        // What was selected has it for a name.
        let is_marked = selected == Some(arm) && group.arm(arm).choices().is_empty();
        let mark = if is_marked { SELECTED_MARK } else { "" };
        std::iter::once(format!("{name}{mark}")).chain(cells).chain([runs]).collect()
    };
    let part = |(role, title): (Role, Option<&'static str>)| Part {
        title,
        rows: group.of_role(role).map(row).collect(),
    };
    let name = std::iter::once(group.name()).chain(apart.iter().cloned()).collect::<Vec<_>>().join(", ");
    let heads = ["Arm"].into_iter().chain(COLUMNS.iter().map(|c| c.head)).chain(["Runs"]);
    let selection = outcome.as_ref().map(|outcome| outcome.text_table(&name));
    let main = TextTable {
        caption: caption(&name, &group.rules(), group.window().as_ref(), &trials(input.trials)),
        heads: heads.map(str::to_owned).collect(),
        words: 1,
        parts: PARTS.into_iter().map(part).collect(),
    };
    std::iter::once(main).chain(selection).collect()
}

/// The parts of a table in their order; the first needs no title.
pub(crate) const PARTS: [(Role, Option<&str>); 3] =
    [(Role::Arm, None), (Role::Baseline, Some("Baselines")), (Role::Control, Some("Controls"))];

/// What a table shows, where and how.
pub(crate) fn caption(symbol: &str, rules: &str, window: Option<&(String, String)>, more: &str) -> String {
    let window = window.map(|(first, last)| format!(", {first} to {last}")).unwrap_or_default();
    format!("{symbol}{window}, rules {rules}. Mean over seeds with its 95% bootstrap interval; {more}.")
}

fn trials(n: usize) -> String {
    let word = if n == 1 { "specification" } else { "specifications" };
    format!("{} {word} tried so far", numbers::count(n))
}

/// A score in a table that has to fit the width of a paper.
pub(crate) struct Column {
    /// Name of the score.
    pub key: &'static str,
    pub head: &'static str,
    factor: f64,
    decimals: usize,
}

/// What arms are compared by.
pub(crate) const COLUMNS: [Column; 3] = [
    Column { key: "sharpe", head: "Sharpe", factor: 1.0, decimals: 2 },
    Column { key: "cumulative_return", head: "Return %", factor: 100.0, decimals: 1 },
    Column { key: "max_drawdown", head: "Drawdown %", factor: 100.0, decimals: 1 },
];

impl Column {
    /// `1.31 [0.92, 1.66]`; without an interval for fewer than 3 seeds or where all are the same, and with
    /// `(3 of 5 seeds)` where others have no value.
    pub(crate) fn cell(&self, scores: &SeedScores) -> String {
        let write = |value: f64| numbers::fixed(Some(self.factor * value), self.decimals);
        let interval = scores.interval(LEVEL).filter(|i| i.low < i.high);
        let interval = interval.map(|i| format!(" [{}, {}]", write(i.low), write(i.high)));
        let (n, missing) = (scores.len(), scores.missing());
        let seeds = (n > 0 && missing > 0).then(|| format!(" ({n} of {} seeds)", n + missing));
        let mean = scores.mean().map_or_else(|| numbers::UNDEFINED.to_owned(), write);
        mean + &interval.unwrap_or_default() + &seeds.unwrap_or_default()
    }
}

/// `5`, or `4 of 5` where some did not complete.
pub(crate) fn runs(completed: usize, planned: usize) -> String {
    match completed == planned {
        true => numbers::count(completed),
        false => format!("{} of {}", numbers::count(completed), numbers::count(planned)),
    }
}
