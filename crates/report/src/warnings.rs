//! What runs warn of although they completed.

use std::collections::BTreeSet;

use serde::Serialize;
use store::{Warning, WarningKind};

use crate::{ReportInput, ReportRun, numbers};

/// What an arm's runs warn of, one kind of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WarningRow {
    pub arm: String,
    pub what: &'static str,
    /// What that means.
    pub about: &'static str,
    /// Seeds, ascending: `0, 2`.
    pub seeds: String,
    /// How many runs that is, of those of the arm that were planned.
    pub runs: String,
    /// Environment steps of training at the first seed's first warning.
    pub step: String,
    /// The words of that warning.
    pub text: String,
    /// The seed that they are of, where there are several.
    pub example: Option<u64>,
}

const KINDS: [WarningKind; 6] = [
    WarningKind::ConstantAction,
    WarningKind::Unmoved,
    WarningKind::KlExplosion,
    WarningKind::ShortenedPrompts,
    WarningKind::CacheThrashing,
    WarningKind::MixedMachines,
];

fn word(kind: WarningKind) -> &'static str {
    match kind {
        WarningKind::ConstantAction => "constant action",
        WarningKind::Unmoved => "policy hardly moved",
        WarningKind::KlExplosion => "KL explosion",
        WarningKind::ShortenedPrompts => "shortened prompts",
        WarningKind::CacheThrashing => "cache thrashing",
        WarningKind::MixedMachines => "mixed machines",
    }
}

fn about(kind: WarningKind) -> &'static str {
    match kind {
        WarningKind::ConstantAction => "the trained policy decides the same whatever it reads",
        WarningKind::Unmoved => "after training it still draws among the legal actions almost evenly",
        WarningKind::KlExplosion => {
            "an update threw the policy far from the one that had collected its samples"
        }
        WarningKind::ShortenedPrompts => "news or prices were left out of prompts for want of room",
        WarningKind::CacheThrashing => {
            "the prefix cache had no room for what the runs read again and again: time was lost, no result changed"
        }
        WarningKind::MixedMachines => {
            "begun on one type of machine and finished on another: neither gives the same bytes alone"
        }
    }
}

/// One row per arm and kind, in plan order.
pub(crate) fn warnings(input: &ReportInput) -> Vec<WarningRow> {
    let arms = 0..input.plan.arms.len();
    arms.flat_map(|arm| KINDS.map(|kind| row(input, arm, kind))).flatten().collect()
}

fn row(input: &ReportInput, arm: usize, kind: WarningKind) -> Option<WarningRow> {
    let warned = of_arm(input, arm, kind);
    let (seed, first) = warned.iter().min_by_key(|(seed, _)| *seed)?;
    let seeds = seeds(&warned);
    let planned = input.runs.iter().filter(|r| r.arm == arm).count();
    Some(WarningRow {
        arm: input.plan.arms[arm].name.clone(),
        what: word(kind),
        about: about(kind),
        runs: format!("{} of {}", numbers::count(seeds.len()), numbers::count(planned)),
        example: (seeds.len() > 1).then_some(*seed),
        seeds: list(&seeds),
        step: numbers::count(usize::try_from(first.step).unwrap_or(usize::MAX)),
        text: first.text.clone(),
    })
}

/// What an arm's runs warn of in one line; `None` when they do not.
pub(crate) fn mark_of_arm(input: &ReportInput, arm: usize) -> Option<String> {
    let kind = |kind| {
        let seeds = seeds(&of_arm(input, arm, kind));
        (!seeds.is_empty()).then(|| {
            format!("{} (seed{} {})", word(kind), if seeds.len() == 1 { "" } else { "s" }, list(&seeds))
        })
    };
    joined(KINDS.into_iter().filter_map(kind))
}

/// What a run warns of in one line; `None` when it does not.
pub(crate) fn mark_of_run(run: &ReportRun) -> Option<String> {
    joined(of_run(run).iter().map(|w| format!("{}: {}", word(w.kind), w.text)))
}

/// One warning of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WarningNote {
    pub what: &'static str,
    pub about: &'static str,
    pub step: String,
    pub text: String,
}

/// What a run warns of.
pub(crate) fn notes(run: &ReportRun) -> Vec<WarningNote> {
    let note = |w: &Warning| WarningNote {
        what: word(w.kind),
        about: about(w.kind),
        step: numbers::count(usize::try_from(w.step).unwrap_or(usize::MAX)),
        text: w.text.clone(),
    };
    of_run(run).iter().map(note).collect()
}

/// How many runs warn and of what, for the top of the page; `None` when none does.
pub(crate) fn notice(input: &ReportInput) -> Option<(String, String)> {
    let warned = |kind: Option<WarningKind>| {
        let warns = |r: &&ReportRun| of_run(r).iter().any(|w| kind.is_none_or(|kind| w.kind == kind));
        input.runs.iter().filter(warns).count()
    };
    let n = warned(None);
    let kinds = KINDS.into_iter().map(|kind| (kind, warned(Some(kind)))).filter(|(_, n)| *n > 0);
    let kinds: Vec<String> =
        kinds.map(|(kind, n)| format!("{} in {}", word(kind), numbers::count(n))).collect();
    let runs = if n == 1 { "run" } else { "runs" };
    (n > 0).then(|| (format!("{} completed {runs} with warnings", numbers::count(n)), kinds.join(", ")))
}

fn of_run(run: &ReportRun) -> &[Warning] {
    run.manifest.as_ref().map_or(&[], |m| &m.warnings)
}

/// The warnings of a kind with the seeds of their runs.
fn of_arm(input: &ReportInput, arm: usize, kind: WarningKind) -> Vec<(u64, &Warning)> {
    let runs = input.runs.iter().filter(|r| r.arm == arm);
    let warnings = runs.flat_map(|r| of_run(r).iter().map(|w| (r.seed, w)));
    warnings.filter(|(_, w)| w.kind == kind).collect()
}

fn seeds(warned: &[(u64, &Warning)]) -> BTreeSet<u64> {
    warned.iter().map(|(seed, _)| *seed).collect()
}

fn list(seeds: &BTreeSet<u64>) -> String {
    seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
