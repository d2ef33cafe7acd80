//! Charts and tables of the test window beside the accounts: rolling Sharpe ratio, months, distribution of returns.

use chrono::{Datelike, NaiveDate};
use serde::Serialize;
use stats::{MonthlyTable, quantile, rolling_sharpe};

use crate::arms::look;
use crate::band::Band;
use crate::charts::shown_at_first;
use crate::figure::{Axis, Figure, FigureLine, Places, at, kept_places};
use crate::groups::Group;
use crate::heat::{HeatCell, HeatTable, Scale};
use crate::metric::Unit;
use crate::numbers::rounded;
use crate::record::{Records, curves_over};

/// Days of the rolling window: a quarter of a year, less on short windows.
const ROLLING: usize = 63;
const LEAST_ROLLING: usize = 20;
/// Bins of the distribution.
const BINS: usize = 31;
/// A return smaller than this is a day without a position.
const ROUNDING: f64 = 1e-12;
/// Months in a row of the heat map at most; longer windows are told by year.
const MOST_MONTHS: usize = 36;

/// Lines of all arms that have runs; `values`: one series per seed.
fn lines(
    group: &Group<'_>,
    records: &Records,
    band: impl Fn(Vec<Vec<Option<f64>>>) -> Option<Band>,
    values: impl Fn(&[f64]) -> Vec<Option<f64>>,
) -> Vec<FigureLine> {
    let mut arms = 0;
    let line = |record: &crate::record::Record| {
        let series: Vec<_> = curves_over(group, record.arm, &records.dates)
            .map(|(_, curve)| values(&curve.returns()))
            .collect();
        let look = look(group, record.arm);
        let before = arms;
        arms += usize::from(look.hue.is_some());
        Some(FigureLine {
            name: group.arm(record.arm).name.clone(),
            shown: shown_at_first(group.arm(record.arm).role, before),
            look,
            n: series.len(),
            band: band(series)?,
        })
    };
    records.all.iter().filter_map(line).collect()
}

/// Sharpe ratio of the last days, day by day; absent on windows that are too short for it.
pub(crate) fn rolling(group: &Group<'_>, records: &Records) -> Option<Figure> {
    let n = records.dates.len();
    let window = ROLLING.min(n / 3);
    if window < LEAST_ROLLING {
        return None;
    }
    let places = kept_places(n - window + 1, records.all.len(), 3);
    let kept: Vec<usize> = places.iter().map(|k| k + window - 1).collect();
    let values = |returns: &[f64]| at(&rolling_sharpe(returns, window, records.periods_per_year), &kept);
    let lines = lines(group, records, |series| Band::new(&series, |v| rounded(v, 3)), values);
    Some(Figure {
        key: "rolling-sharpe",
        title: "Rolling Sharpe ratio",
        about: format!("of the last {window} days. Lines are means over seeds, bands reach from the lowest to the highest seed."),
        x: Axis {
            label: "date",
            unit: Unit::Number,
            places: Places::Labels(kept.iter().map(|k| records.dates[*k].to_string()).collect()),
        },
        unit: Unit::Ratio,
        steps: false,
        lines,
    })
    .filter(|figure| !figure.lines.is_empty())
}

/// How often which return of a day comes, days without a position left out.
pub(crate) fn distribution(group: &Group<'_>, records: &Records) -> Option<Figure> {
    let moved = |returns: &[f64]| returns.iter().copied().filter(|r| r.abs() > ROUNDING).collect::<Vec<_>>();
    let mut all: Vec<f64> = records
        .all
        .iter()
        .flat_map(|r| curves_over(group, r.arm, &records.dates))
        .flat_map(|(_, curve)| moved(&curve.returns()))
        .collect();
    all.sort_unstable_by(f64::total_cmp);
    if all.len() < BINS {
        return None;
    }
    let end = quantile(&all, 0.005).abs().max(quantile(&all, 0.995).abs());
    let width = 2.0 * end / BINS as f64;
    if !(width.is_finite() && width > 0.0) {
        return None;
    }
    let share = |returns: &[f64]| {
        let moved = moved(returns);
        let mut counts = [0_usize; BINS];
        for r in &moved {
            let bin = ((r + end) / width).floor().clamp(0.0, (BINS - 1) as f64);
            counts[bin as usize] += 1;
        }
        counts.map(|c| (!moved.is_empty()).then(|| c as f64 / moved.len() as f64)).to_vec()
    };
    let lines = lines(group, records, |series| Band::new(&series, |v| rounded(v, 4)), share);
    let middle = |bin: usize| rounded(-end + (bin as f64 + 0.5) * width, 5);
    Some(Figure {
        key: "return-distribution",
        title: "Distribution of returns",
        about: "of single days: share of the days with a position in each of 31 bins, the outermost with all beyond. Means over seeds, bands from the lowest to the highest seed.".to_owned(),
        x: Axis {
            label: "return",
            unit: Unit::Fraction,
            places: Places::Numbers((0..BINS).map(middle).collect()),
        },
        unit: Unit::Fraction,
        steps: false,
        lines,
    })
}

/// Returns by month, or by year on long windows: a row per arm, the mean over its seeds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Months {
    pub by: &'static str,
    pub table: HeatTable,
}

/// The heat map of months of all arms with runs.
pub(crate) fn months(group: &Group<'_>, records: &Records) -> Option<Months> {
    let dates = ends(&records.dates);
    let tables: Vec<(usize, MonthlyTable)> = records
        .all
        .iter()
        .filter_map(|r| Some((r.arm, MonthlyTable::new(&dates, &r.returns).ok()?)))
        .collect();
    let years = &tables.first()?.1.years;
    let of_months: Vec<(usize, usize)> = years
        .iter()
        .enumerate()
        .flat_map(|(y, row)| (0..12).filter(|m| row.months[*m].is_some()).map(move |m| (y, m)))
        .collect();
    let by_month = of_months.len() <= MOST_MONTHS;
    let columns: Vec<String> = match by_month {
        true => of_months.iter().map(|(y, m)| format!("{}-{:02}", years[*y].year, m + 1)).collect(),
        false => years.iter().map(|row| row.year.to_string()).collect(),
    };
    let values = |table: &MonthlyTable| -> Vec<Option<f64>> {
        match by_month {
            true => of_months.iter().map(|(y, m)| table.years.get(*y)?.months[*m]).collect(),
            false => table.years.iter().map(|row| row.total).collect(),
        }
    };
    let rows: Vec<(String, Vec<Option<f64>>)> =
        tables.iter().map(|(arm, table)| (group.arm(*arm).name.clone(), values(table))).collect();
    let scale = Scale::around(0.0, rows.iter().flat_map(|(_, v)| v.iter().copied().flatten()));
    let cell = |v: Option<f64>| HeatCell::new(Unit::Fraction, v, &scale);
    let rows = rows.into_iter().map(|(name, v)| (name, v.into_iter().map(cell).collect())).collect();
    Some(Months {
        by: if by_month { "month" } else { "year" },
        table: HeatTable { corner: "Arm".to_owned(), columns, rows },
    })
}

/// Returns of one record by year and month.
pub(crate) fn calendar(dates: &[NaiveDate], returns: &[f64]) -> Option<HeatTable> {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let table = MonthlyTable::new(&ends(dates), returns).ok()?;
    let months = table.years.iter().flat_map(|row| row.months.iter().copied().flatten());
    let scale = Scale::around(0.0, months);
    let row = |row: &stats::YearOfMonths| {
        let all = row.months.iter().copied().chain([row.total]);
        (row.year.to_string(), all.map(|v| HeatCell::new(Unit::Fraction, v, &scale)).collect())
    };
    let columns = NAMES.into_iter().chain(["Year"]).map(str::to_owned).collect();
    Some(HeatTable { corner: "Year".to_owned(), columns, rows: table.years.iter().map(row).collect() })
}

/// Year and month in which each step ends: at the close of the next decision's day; of the last one that day is not
/// known, and its decision's stands for it.
fn ends(dates: &[NaiveDate]) -> Vec<(i32, u32)> {
    let next = dates.iter().skip(1).chain(dates.last());
    next.map(|d| (d.year(), d.month())).collect()
}
