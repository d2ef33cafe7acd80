use super::*;

/// `n` days from the first on, those that `is_open` lets through.
fn days(first: &str, n: usize, is_open: impl Fn(Weekday) -> bool) -> Vec<NaiveDate> {
    let first: NaiveDate = first.parse().unwrap();
    first.iter_days().take(n).filter(|d| is_open(d.weekday())).collect()
}

fn every(first: &str, n: usize, step: usize) -> Vec<NaiveDate> {
    let first: NaiveDate = first.parse().unwrap();
    first.iter_days().step_by(step).take(n).collect()
}

fn is_weekday(day: Weekday) -> bool {
    !matches!(day, Weekday::Sat | Weekday::Sun)
}

#[test]
fn a_market_that_never_closes_has_365_and_other_daily_bars_have_252() {
    let of = |dates: Vec<NaiveDate>| Periods::of(&dates).to_string();
    assert_eq!(of(days("2023-01-01", 365, |_| true)), "365: daily bars, 28.8% of them on weekends");
    assert_eq!(of(days("2023-01-01", 365, is_weekday)), "252: daily bars, none of them on a weekend");
    let riyadh = |day: Weekday| !matches!(day, Weekday::Fri | Weekday::Sat);
    assert_eq!(of(days("2023-01-01", 365, riyadh)), "252: daily bars, 20.3% of them on Sundays");
    let currencies = |day: Weekday| day != Weekday::Sat;
    assert_eq!(of(days("2023-01-01", 365, currencies)), "252: daily bars, 16.9% of them on Sundays");
    // A special session.
    let mut mumbai = days("2024-01-01", 366, is_weekday);
    mumbai.push("2024-03-02".parse().unwrap());
    mumbai.sort();
    assert_eq!(of(mumbai), "252: daily bars, 0.4% of them on Saturdays");
    // One week has two weekend days of seven, its first five days none.
    assert_eq!(Periods::of(&days("2023-01-02", 7, |_| true)).per_year, 365.0);
    assert_eq!(Periods::of(&days("2023-01-02", 5, |_| true)).per_year, 252.0);
}

#[test]
fn the_median_distance_decides_what_longer_bars_are() {
    assert_eq!(
        Periods::of(&every("2020-01-03", 60, 7)).to_string(),
        "52: weekly bars, 7 days apart (median)"
    );
    // A weekly file with weeks left out, and with Sundays as its days.
    let mut gaps = every("2020-01-05", 60, 7);
    gaps.drain(10..20);
    assert_eq!(Periods::of(&gaps).per_year, 52.0);
    let months: Vec<NaiveDate> =
        (0..36).map(|i| NaiveDate::from_ymd_opt(2020 + i / 12, (i % 12) as u32 + 1, 1).unwrap()).collect();
    assert_eq!(Periods::of(&months).to_string(), "12: monthly bars, 31 days apart (median)");
    assert_eq!(Periods::of(&every("2020-03-31", 9, 91)).per_year, 4.0);
    assert_eq!(Periods::of(&every("2000-12-31", 9, 365)).per_year, 1.0);
    assert_eq!(
        Periods::of(&every("2020-01-01", 20, 15)).to_string(),
        "24.35: other bars, 15 days apart (median)"
    );
}

#[test]
fn few_bars_are_daily_unless_they_lie_apart() {
    let one = every("2024-01-05", 1, 1);
    assert_eq!(Periods::of(&one).per_year, 252.0);
    // Friday and Monday.
    assert_eq!(Periods::of(&every("2024-01-05", 2, 3)).per_year, 252.0);
    assert_eq!(Periods::of(&every("2024-01-05", 2, 7)).per_year, 52.0);
}
