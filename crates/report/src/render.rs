//! Writes the pages.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use tera::{Context, Tera};

use crate::arm_page::arm_page;
use crate::arms::score_cells;
use crate::groups::{Group, groups};
use crate::judged::ArmVerdict;
use crate::links::{Links, run_page as run_file};
use crate::metric::SCORES;
use crate::page::{Page, page};
use crate::publish::publish;
use crate::run_page::{market_file, news, run_page};
use crate::{Curve, Market, ReportError, ReportInput, ReportRun};

/// Templates by name; each may use the components of all.
const TEMPLATES: [(&str, &str); 8] = [
    ("components.html", include_str!("../templates/components.html")),
    ("report.html", include_str!("../templates/report.html")),
    ("group.html", include_str!("../templates/group.html")),
    ("selection.html", include_str!("../templates/selection.html")),
    ("backends.html", include_str!("../templates/backends.html")),
    ("training.html", include_str!("../templates/training.html")),
    ("run.html", include_str!("../templates/run.html")),
    ("arm.html", include_str!("../templates/arm.html")),
];
const STYLE: &str = include_str!("../templates/report.css");
/// One script: its parts share what the first ones define.
const SCRIPT: &str = concat!(
    "\"use strict\";\n(function () {\n",
    include_str!("../templates/script/numbers.js"),
    include_str!("../templates/script/charts.js"),
    include_str!("../templates/script/lines.js"),
    include_str!("../templates/script/effects.js"),
    include_str!("../templates/script/forest.js"),
    include_str!("../templates/script/timeline.js"),
    include_str!("../templates/script/tables.js"),
    include_str!("../templates/script/page.js"),
    "})();\n",
);
const CHARTS: &str = include_str!("../vendor/echarts/echarts.common.min.js");

/// Writes `<out>/<experiment>/index.html`, which needs no other file, and returns its path. Beside it stand the pages of
/// single runs (`runs/`), those of arms where there are many runs (`arms/`), and what these pages share (`assets/`).
///
/// Each file replaces an older one at once, when it is complete.
pub fn render(input: &ReportInput, out: &Path) -> Result<PathBuf, ReportError> {
    let tera = templates()?;
    let dir = out.join(&input.plan.experiment);
    write_assets(input, &dir.join("assets"))?;
    let write_runs = || write_runs(input, &tera, &dir.join("runs"));
    let ((page, charts), written) = rayon::join(|| page(input), write_runs);
    written?;
    if page.is_large {
        write_arms(input, &page, &tera, &dir.join("arms"))?;
    }
    // The first page comes last: whoever opens it finds all others.
    let html = first_page(&tera, &page, &charts)?;
    publish(dir.join("index.html"), &html)
}

#[cfg(test)]
pub(crate) fn html(input: &ReportInput) -> Result<String, ReportError> {
    let (page, charts) = page(input);
    first_page(&templates()?, &page, &charts)
}

fn templates() -> Result<Tera, ReportError> {
    let mut tera = Tera::default();
    tera.add_raw_templates(TEMPLATES)?;
    Ok(tera)
}

fn first_page(tera: &Tera, page: &Page, charts: &impl Serialize) -> Result<String, ReportError> {
    let mut context = context(page, charts)?;
    context.insert("style", STYLE);
    context.insert("script", SCRIPT);
    context.insert("charts", CHARTS);
    Ok(tera.render("report.html", &context)?)
}

fn context(page: &impl Serialize, charts: &impl Serialize) -> Result<Context, ReportError> {
    let mut context = Context::new();
    context.insert("page", page);
    context.insert("chart_data", &script_json(&serde_json::to_string(charts)?));
    Ok(context)
}

/// What the pages of runs and arms share.
fn write_assets(input: &ReportInput, dir: &Path) -> Result<(), ReportError> {
    for (name, text) in [("charts.js", CHARTS), ("page.js", SCRIPT), ("page.css", STYLE)] {
        publish(dir.join(name), text)?;
    }
    let one = |(index, market): (usize, &Market)| {
        let news = script_json(&serde_json::to_string(&news(market))?);
        publish(dir.join(market_file(index)), &format!("window.flaglabNews = {news};\n"))
    };
    input.markets.iter().enumerate().try_for_each(|m| one(m).map(|_| ()))
}

fn write_runs(input: &ReportInput, tera: &Tera, dir: &Path) -> Result<(), ReportError> {
    let links = Links::of(input);
    let groups = groups(input);
    let mut work: Vec<(&Group<'_>, &ReportRun, Option<&Curve>)> = Vec::new();
    for group in &groups {
        let hold =
            group.baseline("buy-and-hold").and_then(|arm| group.runs(arm).find_map(|r| r.curve.as_ref()));
        work.extend(group.arms.iter().flat_map(|arm| group.runs(*arm)).map(|run| (group, run, hold)));
    }
    work.into_par_iter().try_for_each(|(group, run, hold)| {
        let arm_link = links.arm_page(run.arm).map(|page| format!("../arms/{page}"));
        let Some((page, charts)) = run_page(input, group, run, hold, arm_link) else { return Ok(()) };
        let Some(name) = run_file(run) else { return Ok(()) };
        let html = tera.render("run.html", &context(&page, &charts)?)?;
        publish(dir.join(name), &html).map(|_| ())
    })
}

fn write_arms(input: &ReportInput, page: &Page, tera: &Tera, dir: &Path) -> Result<(), ReportError> {
    let links = Links::of(input);
    let groups = groups(input);
    let mut work: Vec<(&Group<'_>, usize)> = Vec::new();
    for group in &groups {
        work.extend(group.arms.iter().map(|arm| (group, *arm)));
    }
    // A window of an arm has no verdict of its own.
    let verdicts: HashMap<&str, &ArmVerdict> =
        page.groups.iter().flat_map(|g| &g.judged.verdicts).map(|v| (v.verdict.name.as_str(), v)).collect();
    work.into_par_iter().try_for_each(|(group, arm)| {
        let verdict = verdicts.get(input.plan.arms[arm].name.as_str()).copied().cloned();
        let (page, charts) = arm_page(input, group, arm, verdict, score_cells(input, arm, &SCORES));
        let Some(file) = links.arm_page(arm) else { return Ok(()) };
        let html = tera.render("arm.html", &context(&page, &charts)?)?;
        publish(dir.join(file), &html).map(|_| ())
    })
}

/// JSON that may stand in a script element: no character of it can end the element or begin a comment or entity, and
/// every parser of JSON reads the same text from it.
pub(crate) fn script_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}
