//! Track records beside empyrical, quantstats, scipy, statsmodels, arch.

use serde::Deserialize;

use super::Table;
use super::draws::Draws;
use crate::{
    AgainstBenchmark, BlockLength, Bootstrap, Drawdown, Interval, Moments, MonthlyTable, SharpeRatio,
    TearSheet, exposure, holding_time, power_of_window, profit_factor, rolling_sharpe, track_interval,
    wealth,
};

#[derive(Deserialize)]
pub(super) struct Case {
    pub(super) name: String,
    periods_per_year: f64,
    returns: Vec<f64>,
    benchmark: Vec<f64>,
    positions: Vec<f64>,
    months: Vec<(i32, u32)>,
    tear_sheet: TearSheet,
    profit_factor: Option<f64>,
    exposure: f64,
    holding_time: Option<f64>,
    against: AgainstBenchmark,
    /// Peak, trough, recovery, depth, periods.
    drawdowns: Vec<(usize, usize, Option<usize>, f64, usize)>,
    monthly: Vec<(i32, [Option<f64>; 12], f64)>,
    window: usize,
    rolling_sharpe: Vec<Option<f64>>,
    uncertainty: Option<Uncertainty>,
    power: [Option<f64>; 3],
    bootstrap: Option<Resampled>,
}

#[derive(Deserialize)]
struct Uncertainty {
    standard_error: f64,
    benchmarks: Vec<f64>,
    psr: Vec<f64>,
    minimum_track_record: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Resampled {
    stationary: f64,
    circular: f64,
    block: f64,
    key: u64,
    resamples: usize,
    mean: [f64; 2],
    sharpe: [f64; 2],
}

/// Which package has which number of the tear sheet.
fn reference(field: &str) -> &'static str {
    match field {
        "cumulative_return" | "annual_return" | "max_drawdown" | "calmar" | "var_95" => "empyrical",
        "skew" | "kurtosis" => "scipy",
        "win_rate" | "cvar_95" => "quantstats",
        "psr" => "the paper, with scipy's moments",
        _ => "empyrical, quantstats",
    }
}

impl Case {
    pub(super) fn compare(&self, table: &mut Table) {
        self.tear_sheet(table);
        self.trading(table);
        self.falls(table);
        self.calendar(table);
        self.uncertainty(table);
        self.resampled(table);
    }

    fn tear_sheet(&self, table: &mut Table) {
        let found = TearSheet::new(&self.returns, self.periods_per_year).unwrap();
        assert_eq!(found.n, self.tear_sheet.n, "{}", self.name);
        for ((field, found), (_, expected)) in found.values().into_iter().zip(self.tear_sheet.values()) {
            table.same(&self.name, field, reference(field), found, expected);
        }
    }

    fn trading(&self, table: &mut Table) {
        let name = &self.name;
        table.same(name, "profit_factor", "quantstats", profit_factor(&self.returns), self.profit_factor);
        table.same(name, "exposure", "numpy", exposure(&self.positions), Some(self.exposure));
        table.same(name, "holding_time", "pandas", holding_time(&self.positions), self.holding_time);
        let found = AgainstBenchmark::new(&self.returns, &self.benchmark, self.periods_per_year).unwrap();
        let both = "empyrical, quantstats";
        table.same(name, "alpha", both, found.alpha, self.against.alpha);
        table.same(name, "beta", both, found.beta, self.against.beta);
        table.same(name, "information_ratio", both, found.information_ratio, self.against.information_ratio);
    }

    fn falls(&self, table: &mut Table) {
        let falls = Drawdown::all(&wealth(&self.returns));
        assert_eq!(falls.len(), self.drawdowns.len(), "{}: falls", self.name);
        for (found, (peak, trough, recovery, depth, periods)) in falls.iter().zip(&self.drawdowns) {
            let place = (found.peak, found.trough, found.recovery, found.periods);
            assert_eq!(place, (*peak, *trough, *recovery, *periods), "{}", self.name);
            table.same(&self.name, "drawdown: depth, places", "quantstats", Some(found.depth), Some(*depth));
        }
    }

    fn calendar(&self, table: &mut Table) {
        let found = MonthlyTable::new(&self.months, &self.returns).unwrap();
        assert_eq!(found.years.len(), self.monthly.len(), "{}", self.name);
        for (found, (year, months, total)) in found.years.iter().zip(&self.monthly) {
            assert_eq!(found.year, *year, "{}", self.name);
            for (found, expected) in found.months.iter().zip(months) {
                table.same(&self.name, "monthly returns", "empyrical, quantstats", *found, *expected);
            }
            table.same(&self.name, "yearly returns", "empyrical, quantstats", found.total, Some(*total));
        }
        let found = rolling_sharpe(&self.returns, self.window, self.periods_per_year);
        assert_eq!(found.len(), self.rolling_sharpe.len(), "{}", self.name);
        for (found, expected) in found.into_iter().zip(&self.rolling_sharpe) {
            table.same(&self.name, "rolling Sharpe", "numpy, quantstats", found, *expected);
        }
    }

    fn uncertainty(&self, table: &mut Table) {
        let name = &self.name;
        let ratio = SharpeRatio::new(&self.returns);
        assert_eq!(ratio.is_some(), self.uncertainty.is_some(), "{name}");
        if let (Some(ratio), Some(expected)) = (ratio, &self.uncertainty) {
            let papers = "the papers, with scipy's moments";
            let error = ratio.standard_error();
            table.same(name, "Sharpe: standard error", papers, Some(error), Some(expected.standard_error));
            for (i, benchmark) in expected.benchmarks.iter().enumerate() {
                let psr = ratio.probabilistic(*benchmark);
                table.same(name, "PSR against a benchmark", papers, psr, Some(expected.psr[i]));
                let length = ratio.minimum_track_record(*benchmark, 0.95);
                let root = "root of PSR(n) = 95%, scipy";
                table.same(name, "minimum track record", root, length, expected.minimum_track_record[i]);
            }
        }
        for (annual, expected) in [0.5, 1.0, 2.0].into_iter().zip(self.power) {
            let found = power_of_window(annual, self.returns.len(), self.periods_per_year, 0.05);
            table.same(name, "power of the window", "statsmodels TTestPower", found, expected);
        }
    }

    fn resampled(&self, table: &mut Table) {
        let Some(expected) = &self.bootstrap else { return };
        let name = &self.name;
        let found = BlockLength::of(&self.returns).unwrap();
        let arch = "arch optimal_block_length";
        table.same(name, "block length", arch, Some(found.stationary), Some(expected.stationary));
        table.same(name, "block length", arch, Some(found.circular), Some(expected.circular));
        let statistics: [(&dyn Fn(&[f64]) -> f64, _); 2] = [
            (&|r| Moments::of(r).unwrap().mean, expected.mean),
            (&|r| SharpeRatio::new(r).unwrap().per_period(), expected.sharpe),
        ];
        for (statistic, [low, high]) in statistics {
            let mut draws = Draws::new(expected.key);
            let mut resample = || {
                let periods = draws.periods(self.returns.len(), expected.block);
                let drawn: Vec<f64> = periods.into_iter().map(|t| self.returns[t]).collect();
                statistic(&drawn)
            };
            let values = (0..expected.resamples).map(|_| resample()).collect();
            let found = Interval::percentile(statistic(&self.returns), values, 0.9);
            let arch = "arch StationaryBootstrap, same draws";
            table.all(name, "interval of mean, of Sharpe", arch, &[found.low, found.high], &[low, high]);
        }
        // Ours draws otherwise: an end of few resamples of theirs is off by some of its width.
        let mean = |r: &[f64]| Moments::of(r).map(|m| m.mean);
        let own =
            track_interval(&self.returns, mean, expected.block, 0.9, &Bootstrap::default()).unwrap().unwrap();
        let [low, high] = expected.mean;
        let off = (own.low - low).abs().max((own.high - high).abs()) / (high - low);
        table.add(name, "interval of mean, own draws", "arch, share of the width", off, 0.15);
    }
}
