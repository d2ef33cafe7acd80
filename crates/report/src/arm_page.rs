//! The data of one arm's own page, which larger sweeps have: its seeds one by one.

use serde::Serialize;
use trading_env::Role;

use crate::arms::Look;
use crate::band::Band;
use crate::charts::labels;
use crate::estimate::Cell;
use crate::figure::{Axis, Figure, FigureLine, Places, at, kept_places};
use crate::groups::Group;
use crate::judged::ArmVerdict;
use crate::metric::Unit;
use crate::numbers::rounded;
use crate::page::{LegendItem, Plot, RunRow, TrainingEnd, run_row, training_end};
use crate::record::curves_over;
use crate::rescored::role;
use crate::settings::{Difference, differences};
use crate::training::{Diagnostic, Training, training_of_runs};
use crate::{Curve, ReportInput, ReportRun};

/// What the template shows of one arm.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ArmPage {
    pub experiment: String,
    pub name: String,
    pub role: &'static str,
    pub symbol: String,
    pub rules: String,
    pub verdict: Option<ArmVerdict>,
    pub cells: Vec<Cell>,
    pub changes: Vec<Difference>,
    pub runs: Vec<RunRow>,
    pub legend: Vec<LegendItem>,
    pub hidden_lines: usize,
    pub figures: Vec<Plot>,
    /// Switches the seeds in the charts of training.
    pub training_legend: Vec<LegendItem>,
    pub training_hidden: usize,
    pub thinning: Option<String>,
    pub diagnostics: Vec<Diagnostic>,
    pub ends: Vec<TrainingEnd>,
}

/// What the arm's charts read.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ArmCharts {
    pub name: String,
    pub figures: Vec<Figure>,
    pub training: Option<Training>,
}

/// Seeds whose lines are drawn at first.
const SHOWN_SEEDS: usize = 6;

/// The page of an arm, baseline or control, and its charts.
pub(crate) fn arm_page(
    input: &ReportInput,
    group: &Group<'_>,
    arm: usize,
    verdict: Option<ArmVerdict>,
    cells: Vec<Cell>,
) -> (ArmPage, ArmCharts) {
    let runs: Vec<&ReportRun> = group.runs(arm).collect();
    let spec = &input.plan.arms[arm];
    let training = training_of_runs(&runs, |run| format!("seed {}", run.seed));
    let figures: Vec<Figure> = accounts(group, arm);
    let legend: Vec<LegendItem> = figures
        .iter()
        .take(1)
        .flat_map(|f| &f.lines)
        .map(|l| LegendItem { name: l.name.clone(), look: l.look, shown: l.shown })
        .collect();
    let training_legend: Vec<LegendItem> = training
        .iter()
        .flat_map(|t| &t.lines)
        .map(|l| LegendItem { name: l.name.clone(), look: l.look, shown: l.shown })
        .collect();
    let page = ArmPage {
        experiment: input.plan.experiment.clone(),
        name: spec.name.clone(),
        role: role(spec.role),
        symbol: group.symbol(),
        rules: group.rules(),
        verdict,
        cells,
        changes: if spec.role == Role::Arm { differences(&input.plan.base, &spec.spec) } else { Vec::new() },
        runs: runs.iter().map(|run| run_row(input, run, "../runs/")).collect(),
        hidden_lines: legend.iter().filter(|l| !l.shown).count(),
        legend,
        figures: figures
            .iter()
            .map(|f| Plot { key: f.key, title: f.title, about: f.about.clone() })
            .collect(),
        training_hidden: training_legend.iter().filter(|l| !l.shown).count(),
        training_legend,
        thinning: training.as_ref().map(Training::thinning),
        diagnostics: training.as_ref().map(|t| t.diagnostics.clone()).unwrap_or_default(),
        ends: training.iter().flat_map(|t| t.lines.iter().map(|l| training_end(l, &t.diagnostics))).collect(),
    };
    let name = format!("arm-{}", arm + 1);
    (page, ArmCharts { name, figures, training })
}

/// Equity and drawdown of every seed beside Buy & Hold.
fn accounts(group: &Group<'_>, arm: usize) -> Vec<Figure> {
    let Some(dates) = group.runs(arm).find_map(|r| r.curve.as_ref()).map(|c| &c.dates) else {
        return Vec::new();
    };
    let hold = group.baseline("buy-and-hold").filter(|hold| *hold != arm);
    let hold = hold.and_then(|hold| curves_over(group, hold, dates).next());
    let own = curves_over(group, arm, dates)
        .enumerate()
        .map(|(i, (run, curve))| (format!("seed {}", run.seed), Look::nth(i), i < SHOWN_SEEDS, curve));
    let hold = hold.map(|(_, curve)| ("Buy & Hold".to_owned(), Look { hue: None, dash: 0 }, true, curve));
    let curves: Vec<(String, Look, bool, &Curve)> = own.chain(hold).collect();
    let kept = kept_places(dates.len() + 1, curves.len(), 2);
    let labels = labels(dates);
    let figure = |key, title, about: &str, unit, values: &dyn Fn(&Curve) -> Vec<f64>| Figure {
        key,
        title,
        about: about.to_owned(),
        x: Axis { label: "date", unit: Unit::Number, places: Places::Labels(at(&labels, &kept)) },
        unit,
        steps: false,
        lines: curves
            .iter()
            .map(|(name, look, shown, curve)| FigureLine {
                name: name.clone(),
                look: *look,
                shown: *shown,
                n: 1,
                band: Band {
                    mean: at(&values(curve), &kept).into_iter().map(|v| Some(rounded(v, 5))).collect(),
                    low: None,
                    high: None,
                },
            })
            .collect(),
    };
    vec![
        figure("equity", "Equity", "on the test window as a multiple of the start.", Unit::Ratio, &|c| {
            c.growth.clone()
        }),
        figure("drawdown", "Drawdown", "from the highest equity so far.", Unit::Fraction, &Curve::drawdown),
    ]
}
