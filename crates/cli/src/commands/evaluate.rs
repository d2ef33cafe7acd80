//! `evaluate`: scores decisions, or a stored policy, under trading rules.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use chrono::NaiveDate;
use market_data::{BarSeries, Segment};
use plugin::{BuildError, fill_defaults};
use runner::{PolicyError, Registry, evaluate_policy};
use score::{EvaluateOptions, Scorecard};
use serde_json::{Map, Value, json};
use trading_env::Rules;

use crate::arguments::{date, not_negative, positive};
use crate::failure::Failure;
use crate::output;
use crate::stored::stored_spec;

/// Arguments of `evaluate`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("decider").required(true).args(["actions", "policy"])))]
pub(crate) struct Args {
    /// Prices: an InvestorBench JSON file, a CSV with `date,open,high,low,close,volume`, or a canonical data set.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// First date of the window; need not be a trading day.
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: NaiveDate,
    /// Last date of the window; need not be a trading day.
    #[arg(long, value_name = "DATE", value_parser = date)]
    to: NaiveDate,
    /// Decisions: CSV with `date,action`, actions buy, sell, hold or 1, -1, 0.
    #[arg(long, value_name = "FILE.csv")]
    actions: Option<PathBuf>,
    /// Folder of a completed run, whose policy decides.
    #[arg(long, value_name = "RUN_DIR")]
    policy: Option<PathBuf>,
    /// Write the policy's decisions there as `date,action`.
    #[arg(long, value_name = "FILE.csv")]
    decisions: Option<PathBuf>,
    /// Trading rules, see `plugins rules`.
    #[arg(long, value_name = "NAME")]
    rules: String,
    /// Proportional fee in basis points.
    #[arg(long, value_name = "F", value_parser = not_negative, allow_hyphen_values = true)]
    fee_bps: Option<f64>,
    /// Proportional slippage in basis points.
    #[arg(long, value_name = "S", value_parser = not_negative, allow_hyphen_values = true)]
    slippage_bps: Option<f64>,
    /// Trade whole shares only.
    #[arg(long)]
    whole_shares: bool,
    /// Cash at the start.
    #[arg(long, value_name = "C", value_parser = positive, allow_hyphen_values = true, default_value = "100000")]
    initial_cash: f64,
    /// Periods per year instead of what the data say (what they state, else what follows from their dates).
    #[arg(long, value_name = "N", value_parser = positive, allow_hyphen_values = true)]
    periods_per_year: Option<f64>,
}

/// `evaluate`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    // clap's `requires` does not hold against a conflict: `--actions` rules `--policy` out.
    if args.decisions.is_some() && args.policy.is_none() {
        return Err(Failure::wrong("--decisions: only with --policy RUN_DIR, whose decisions it takes"));
    }
    let rules = rules(registry, args)?;
    let series = market_data::load_prices(&args.data)?;
    let card = match (&args.actions, &args.policy) {
        (Some(actions), _) => score_actions(args, &series, actions, &*rules)?,
        (None, Some(run_dir)) => score_policy(registry, args, &series, run_dir, rules)?,
        (None, None) => return Err(Failure::wrong("expected --actions FILE.csv or --policy RUN_DIR")),
    };
    output::print_json(&card);
    Ok(ExitCode::SUCCESS)
}

/// The rules with their defaults and what the options change.
fn rules(registry: &Registry, args: &Args) -> Result<Arc<dyn Rules>, Failure> {
    let name = &args.rules;
    let Some(plugin) = registry.rules.get(name) else {
        let known: Vec<&str> = registry.rules.iter().map(|p| p.name()).collect();
        return Err(Failure::unknown("--rules: unknown rules", name, &known));
    };
    let schema = plugin.schema();
    let mut params = Map::new();
    fill_defaults(&schema, &mut params);
    let options = [
        ("fee_bps", "--fee-bps", args.fee_bps.map(Value::from)),
        ("slippage_bps", "--slippage-bps", args.slippage_bps.map(Value::from)),
        ("whole_shares", "--whole-shares", args.whole_shares.then_some(json!(true))),
    ];
    for (key, option, value) in options {
        let Some(value) = value else { continue };
        if !params.contains_key(key) {
            return Err(Failure::wrong(format!("{option}: the rules \"{name}\" have no such setting")));
        }
        params.insert(key.to_owned(), value);
    }
    let params = Value::Object(params);
    let mut errors = plugin::check_value(&schema, &params);
    errors.extend(plugin.check(&params).err().unwrap_or_default());
    if !errors.is_empty() {
        return Err(Failure::Wrong(
            errors.iter().map(|e| format!("--{}", e.to_string().replace('_', "-"))).collect(),
        ));
    }
    Ok(plugin.build(&params, ()).map(Arc::from)?)
}

fn score_actions(
    args: &Args,
    series: &BarSeries,
    actions: &Path,
    rules: &dyn Rules,
) -> Result<Scorecard, Failure> {
    let decisions = score::read_actions_csv(actions)?;
    let options =
        EvaluateOptions { initial_cash: args.initial_cash, periods_per_year: args.periods_per_year };
    Ok(score::evaluate(series, args.from, args.to, &decisions, rules, &options)?)
}

fn score_policy(
    registry: &Registry,
    args: &Args,
    series: &BarSeries,
    run_dir: &Path,
    rules: Arc<dyn Rules>,
) -> Result<Scorecard, Failure> {
    let (spec, files) = stored_spec(registry, run_dir)?;
    let window = series.between(args.from, args.to);
    if window.len() < 2 {
        let (from, to, found) = (args.from, args.to, window.len());
        return Err(Failure::wrong(format!(
            "{}: {from} .. {to} holds {found} prices, expected at least 2; the data are from {} to {}",
            args.data.display(),
            series.date(0),
            series.date(series.len() - 1),
        )));
    }
    // Bars before the window are the policy's look-back; later ones are cut off.
    let known = series.slice(0..window.end).map_err(|e| Failure::wrong(e.to_string()))?;
    let segment = Segment { series: Arc::new(known), first: window.start };
    let checkpoint = run_dir.join("checkpoint");
    let evaluated = evaluate_policy(registry, &files, &spec, &checkpoint, segment, rules, args.initial_cash);
    let evaluation = evaluated.map_err(|error| match error {
        PolicyError::Build(error @ BuildError::MissingFeature { .. }) => error.into(),
        error => Failure::wrong(format!("{}: {error}", run_dir.display())),
    })?;
    let periods_per_year = args.periods_per_year.unwrap_or(series.periods_per_year());
    let card = evaluation.score(periods_per_year)?;
    if let Some(path) = &args.decisions {
        let mut text = "date,action\n".to_owned();
        for row in &evaluation.rows {
            text += &format!("{},{}\n", row.date, row.action.word());
        }
        std::fs::write(path, text).map_err(|e| Failure::wrong(format!("{}: {e}", path.display())))?;
    }
    Ok(card)
}
