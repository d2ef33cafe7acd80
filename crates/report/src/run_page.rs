//! The data of one run's own page.

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use stats::Drawdown;
use store::{Manifest, RunState};

use crate::charts::{NEXT_CLOSE, labels};
use crate::groups::Group;
use crate::heat::HeatTable;
use crate::metric::{SCORES, Unit};
use crate::numbers::{self, rounded};
use crate::over_time::calendar;
use crate::page::{TrainingEnd, section_rows, training_end};
use crate::provenance::{backend, imported};
use crate::training::{Diagnostic, Training, training_of_runs};
use crate::warnings::{WarningNote, notes};
use crate::{Curve, Market, ReportInput, ReportRun, assumptions::rules_note, rescored};

/// Falls that the page lists.
const FALLS: usize = 5;
/// Decisions that the page lists; the CSV has all.
const MOST_DECISIONS: usize = 120;
/// Tensors that the page lists.
const MOST_TENSORS: usize = 400;
/// Headlines of a day, and characters of each, that the pages show.
const HEADLINES: usize = 6;
const CHARACTERS: usize = 280;

/// What the template shows of one run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunPage {
    pub experiment: String,
    pub arm: String,
    /// The arm's own page.
    pub arm_link: Option<String>,
    pub role: &'static str,
    pub seed: u64,
    pub run_id: String,
    pub attempt: u32,
    pub state: &'static str,
    pub reason: Option<String>,
    pub warnings: Vec<WarningNote>,
    pub symbol: String,
    pub rules: String,
    pub rules_note: &'static str,
    pub first: Option<String>,
    pub last: Option<String>,
    pub n_days: Option<String>,
    /// Name of the score, what it is, and its value on each split of `splits`.
    pub scores: Vec<ScoreRow>,
    pub splits: Vec<&'static str>,
    pub rescored: Vec<(String, Vec<String>)>,
    pub score_names: Vec<&'static str>,
    pub calendar: Option<HeatTable>,
    pub falls: Vec<Fall>,
    pub decisions: Vec<DecisionRow>,
    /// Changes of position in all.
    pub n_decisions: Option<String>,
    pub has_news: bool,
    /// Whether Buy & Hold stands beside its account.
    pub has_hold: bool,
    pub thinning: Option<String>,
    pub diagnostics: Vec<Diagnostic>,
    pub ends: Vec<TrainingEnd>,
    pub receipt: Option<ReceiptPage>,
    pub settings: Vec<(String, Vec<(String, String)>)>,
    pub facts: Vec<(&'static str, String)>,
    pub commands: Vec<(&'static str, String)>,
    /// File with the news of its market.
    pub market: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ScoreRow {
    pub name: &'static str,
    pub about: &'static str,
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fall {
    pub depth: String,
    pub peak: String,
    pub trough: String,
    /// `not yet` where it never was.
    pub recovery: String,
    pub days: String,
}

/// A day on which the position changed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DecisionRow {
    pub date: String,
    pub action: &'static str,
    pub position: String,
    pub price: String,
    pub equity: String,
    pub news: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ReceiptPage {
    pub frozen: usize,
    pub trained: usize,
    pub groups: Vec<(String, String)>,
    pub tensors: Vec<TensorRow>,
    pub left_out: usize,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct TensorRow {
    pub name: String,
    pub trained: bool,
    pub moved: bool,
    pub before: String,
    pub after: String,
}

/// What the run's charts read.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunCharts {
    pub name: String,
    pub account: Option<Account>,
    pub training: Option<Training>,
}

/// The account day by day.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Account {
    /// `n + 1`.
    pub dates: Vec<String>,
    /// Close of each date, `n + 1`; the first one only where the market is known.
    pub prices: Vec<Option<f64>>,
    /// `s`, `h` or `b` for each decision, `n`.
    pub actions: String,
    /// `n`.
    pub positions: Vec<f64>,
    /// `n + 1`.
    pub growth: Vec<f64>,
    pub drawdown: Vec<f64>,
    /// Buy & Hold, where it ran.
    pub hold: Option<Vec<f64>>,
}

const SPLITS: [&str; 3] = ["train", "valid", "test"];

/// Scores of the tear sheet: key, name, what it is, unit.
const SHEET: [(&str, &str, &str, Unit); 19] = [
    ("cumulative_return", "Cumulative return", "compounded over the whole window", Unit::Fraction),
    ("annual_return", "Annual return", "compound annual growth rate", Unit::Fraction),
    (
        "annual_volatility",
        "Annual volatility",
        "sample standard deviation of simple returns, annualised",
        Unit::Fraction,
    ),
    ("sharpe", "Sharpe ratio", "annualised, risk-free rate 0", Unit::Ratio),
    ("sortino", "Sortino ratio", "annualised, target 0", Unit::Ratio),
    ("calmar", "Calmar ratio", "annual return over maximum drawdown", Unit::Ratio),
    ("max_drawdown", "Maximum drawdown", "largest fall from a peak, the start included", Unit::Fraction),
    ("skew", "Skew", "of the population", Unit::Ratio),
    ("kurtosis", "Excess kurtosis", "of the population", Unit::Ratio),
    ("var_95", "Value at risk, 95%", "a loss is positive; historical", Unit::Fraction),
    ("cvar_95", "Expected shortfall, 95%", "mean loss beyond the value at risk", Unit::Fraction),
    ("win_rate", "Win rate", "share of the days with a gain, of those with a gain or a loss", Unit::Fraction),
    ("profit_factor", "Profit factor", "sum of gains over sum of losses", Unit::Ratio),
    ("psr", "Probabilistic Sharpe ratio", "probability that the true ratio is above 0", Unit::Probability),
    ("exposure", "Exposure", "share of the days with a position", Unit::Fraction),
    ("holding_time", "Average holding time", "days", Unit::Number),
    ("trades", "Trades", "fills that change the position", Unit::Number),
    ("turnover", "Turnover", "traded value over mean equity, per year", Unit::Number),
    ("final_equity", "Final equity", "in the currency of the prices", Unit::Number),
];

/// The page of a run that was started, and its charts.
pub(crate) fn run_page(
    input: &ReportInput,
    group: &Group<'_>,
    run: &ReportRun,
    hold: Option<&Curve>,
    arm_link: Option<String>,
) -> Option<(RunPage, RunCharts)> {
    let manifest = run.manifest.as_ref()?;
    let arm = &input.plan.arms[run.arm];
    let market = input.market_of(run);
    let curve = run.curve.as_ref();
    let training = training_of_runs(&[run], |run| format!("seed {}", run.seed));
    let account = curve.map(|curve| account(curve, market.map(|m| &input.markets[m]), hold));
    let decisions = curve.map(|c| decisions(c, market.map(|m| &input.markets[m]))).unwrap_or_default();
    let rules = group.rules();
    let (reason, step) = match &run.state {
        RunState::Failed { reason, step } => (Some(reason), *step),
        RunState::Skipped { reason } => (Some(reason), None),
        _ => (None, None),
    };
    let at = step.map(|s| format!(" (at update or step {s})")).unwrap_or_default();
    let n = curve.map(|c| c.dates.len());
    let page = RunPage {
        experiment: input.plan.experiment.clone(),
        arm: arm.name.clone(),
        arm_link,
        role: rescored::role(arm.role),
        seed: run.seed,
        run_id: run.run_id.clone(),
        attempt: manifest.attempt,
        state: run.state.word(),
        reason: reason.map(|r| format!("{r}{at}")),
        warnings: notes(run),
        symbol: group.symbol(),
        rules_note: rules_note(&rules),
        rules,
        first: curve.and_then(|c| c.dates.first()).map(NaiveDate::to_string),
        last: curve.and_then(|c| c.dates.last()).map(NaiveDate::to_string),
        n_days: n.map(numbers::count),
        scores: scores(manifest),
        splits: splits(manifest),
        rescored: rescored::of_run(run),
        score_names: SCORES.iter().map(|m| m.label).collect(),
        calendar: curve.and_then(|c| calendar(&c.dates, &c.returns())),
        falls: curve.map(falls).unwrap_or_default(),
        has_hold: account.as_ref().is_some_and(|account| account.hold.is_some()),
        has_news: decisions.iter().any(|d| !d.news.is_empty()),
        n_decisions: (decisions.len() > MOST_DECISIONS).then(|| numbers::count(decisions.len())),
        decisions: decisions.into_iter().take(MOST_DECISIONS).collect(),
        thinning: training.as_ref().map(Training::thinning),
        diagnostics: training.as_ref().map(|t| t.diagnostics.clone()).unwrap_or_default(),
        ends: training.iter().flat_map(|t| t.lines.iter().map(|l| training_end(l, &t.diagnostics))).collect(),
        receipt: manifest.receipt.as_ref().map(receipt),
        settings: arm
            .spec
            .iter()
            .map(|(name, section)| (name.clone(), section_rows(name, section)))
            .collect(),
        facts: facts(manifest),
        commands: commands(input, run, manifest),
        market: market.map(market_file),
    };
    Some((page, RunCharts { name: format!("{}-seed-{}", run.run_id, run.seed), account, training }))
}

/// Name of the file with the news of a market, below `assets/`.
pub(crate) fn market_file(market: usize) -> String {
    format!("market-{}.js", market + 1)
}

/// News by date, for the tooltips of the timelines.
pub(crate) fn news(market: &Market) -> serde_json::Map<String, Value> {
    let with_news = market.days.iter().filter(|day| !day.news.is_empty());
    with_news.map(|day| (day.date.to_string(), headlines(&day.news).into())).collect()
}

/// The first headlines, shortened, and how many more there are.
fn headlines(news: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = news.iter().take(HEADLINES).map(|text| shortened(text)).collect();
    if news.len() > HEADLINES {
        shown.push(format!("and {} more", numbers::count(news.len() - HEADLINES)));
    }
    shown
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

fn of_split<'a>(manifest: &'a Manifest, split: &str) -> Option<&'a Value> {
    let metrics = &manifest.metrics;
    match split {
        "train" => metrics.train.as_ref(),
        "valid" => metrics.valid.as_ref(),
        _ => metrics.test.as_ref(),
    }
}

fn splits(manifest: &Manifest) -> Vec<&'static str> {
    SPLITS.into_iter().filter(|split| of_split(manifest, split).is_some()).collect()
}

fn scores(manifest: &Manifest) -> Vec<ScoreRow> {
    let splits = splits(manifest);
    let row = |(key, name, about, unit): &(&str, &'static str, &'static str, Unit)| {
        let of = |split: &&'static str| of_split(manifest, split).and_then(|scores| scores.get(*key));
        // A score that this version's runs do not have is no row.
        splits.iter().any(|split| of(split).is_some()).then(|| ScoreRow {
            name,
            about,
            values: splits.iter().map(|split| unit.write(of(split).and_then(Value::as_f64))).collect(),
        })
    };
    SHEET.iter().filter_map(row).collect()
}

/// The deepest falls, deepest first.
fn falls(curve: &Curve) -> Vec<Fall> {
    let mut all = Drawdown::all(&curve.growth);
    all.sort_by(|a, b| b.depth.total_cmp(&a.depth).then(a.peak.cmp(&b.peak)));
    let date =
        |entry: usize| curve.dates.get(entry).map_or_else(|| NEXT_CLOSE.to_owned(), NaiveDate::to_string);
    let fall = |fall: &Drawdown| Fall {
        depth: numbers::percent(Some(fall.depth), 1),
        peak: date(fall.peak),
        trough: date(fall.trough),
        recovery: fall.recovery.map_or_else(|| "not yet".to_owned(), date),
        days: numbers::count(fall.periods),
    };
    all.iter().take(FALLS).map(fall).collect()
}

/// A change of position that is smaller is none.
const ROUNDING: f64 = 1e-9;

/// The days on which the position changed. Positions are marked at the close after the decision, so that the shares held
/// are in units of the first equity.
fn decisions(curve: &Curve, market: Option<&Market>) -> Vec<DecisionRow> {
    let closes = closes(curve, market);
    let held = |t: usize| (curve.positions[t], curve.positions[t] * curve.growth[t + 1] / curve.prices[t]);
    // The share of equity drifts with the price, and a short position is written anew every day: a change is one of both.
    let changed = |t: &usize| {
        let (position, shares) = held(*t);
        let (position_before, shares_before) = t.checked_sub(1).map_or((0.0, 0.0), held);
        (position - position_before).abs() > ROUNDING
            && (shares - shares_before).abs() > ROUNDING * shares.abs().max(shares_before.abs())
    };
    let row = |t: usize| DecisionRow {
        date: curve.dates[t].to_string(),
        action: curve.actions[t].word(),
        position: numbers::fixed(Some(curve.positions[t]), 2),
        price: numbers::digits(closes[t], 6),
        equity: numbers::fixed(Some(curve.growth[t]), 4),
        news: market.and_then(|m| m.day(curve.dates[t])).map(|day| headlines(&day.news)).unwrap_or_default(),
    };
    (0..curve.dates.len()).filter(changed).map(row).collect()
}

/// Close of each decision's date and the one after the last, `n + 1`.
fn closes(curve: &Curve, market: Option<&Market>) -> Vec<Option<f64>> {
    let first = curve.dates.first().and_then(|date| Some(market?.day(*date)?.close));
    std::iter::once(first).chain(curve.prices.iter().copied().map(Some)).collect()
}

fn account(curve: &Curve, market: Option<&Market>, hold: Option<&Curve>) -> Account {
    let five = |values: &[f64]| values.iter().map(|v| rounded(*v, 5)).collect::<Vec<f64>>();
    Account {
        dates: labels(&curve.dates),
        prices: closes(curve, market).into_iter().map(|p| p.map(|p| numbers::significant(p, 7))).collect(),
        actions: curve.actions.iter().filter_map(|a| a.word().chars().next()).collect(),
        positions: curve.positions.iter().map(|p| rounded(*p, 4)).collect(),
        growth: five(&curve.growth),
        drawdown: five(&curve.drawdown()),
        hold: hold.filter(|hold| hold.dates == curve.dates).map(|hold| five(&hold.growth)),
    }
}

fn receipt(receipt: &trading_env::FreezeReceipt) -> ReceiptPage {
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let row = |t: &trading_env::TensorDigest| TensorRow {
        name: t.name.clone(),
        trained: t.trained,
        moved: t.before != t.after,
        before: short(&t.before),
        after: short(&t.after),
    };
    let trained = receipt.tensors.iter().filter(|t| t.trained).count();
    ReceiptPage {
        frozen: receipt.tensors.len() - trained,
        trained,
        groups: receipt
            .groups
            .iter()
            .map(|g| (g.group.clone(), format!("{:.2e}", g.mean_grad_norm)))
            .collect(),
        tensors: receipt.tensors.iter().take(MOST_TENSORS).map(row).collect(),
        left_out: receipt.tensors.len().saturating_sub(MOST_TENSORS),
    }
}

fn facts(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let start = &manifest.start;
    let data = &start.data;
    let time = |t: &str| format!("{} UTC", t.get(..16).unwrap_or(t).replace('T', " "));
    let burn = start.versions.burn.as_ref().map(|b| format!(", burn {b}")).unwrap_or_default();
    let mut facts = vec![
        ("Run", start.run_id.clone()),
        ("Key of the arm", start.arm_key.clone()),
        ("Commit", start.git_commit.clone().unwrap_or_else(|| "not in a repository".to_owned())),
        (
            "Versions",
            format!("flaglab {}{burn}, run contract {}", start.versions.flaglab, start.versions.contract),
        ),
        (
            "Data",
            format!(
                "{} ({}): {} bars, sha256 {}",
                data.symbol,
                data.source,
                numbers::count(data.bars),
                data.fingerprint
            ),
        ),
        ("Backend", backend(start)),
        ("Machine", format!("{}, {} cores, {}", start.machine.cpu, start.machine.cores, start.machine.os)),
        ("Started", time(&manifest.started)),
    ];
    facts.extend(manifest.finished.as_ref().map(|t| ("Finished", time(t))));
    facts.extend(start.models.iter().map(|(name, commit)| ("Model", format!("{name}: commit {commit}"))));
    facts.extend(start.imported.as_ref().map(|of| ("Imported from", imported(of))));
    facts.extend(start.content.iter().map(|(name, digest)| ("File", format!("{name}: sha256 {digest}"))));
    if let Some(prompts) = manifest.prompts {
        facts.push(("Prompts", format!("{} read, {} of them shortened", prompts.encoded, prompts.shortened)));
    }
    facts
}

/// How the run is made, and how its policy is scored again.
fn commands(input: &ReportInput, run: &ReportRun, manifest: &Manifest) -> Vec<(&'static str, String)> {
    let mut commands = Vec::new();
    if !manifest.start.command.is_empty() {
        commands.push(("Started by", manifest.start.command.join(" ")));
    }
    if !input.plan.command.is_empty() {
        commands.push(("Makes all runs that are not finished", input.plan.command.clone()));
    }
    if run.state == RunState::Completed {
        let attempt = if manifest.attempt > 1 { format!(".{}", manifest.attempt) } else { String::new() };
        let folder = format!("runs/{}/{}{attempt}", input.plan.experiment, run.run_id);
        commands.push(("Its rows, scores and log", folder));
    }
    commands
}
