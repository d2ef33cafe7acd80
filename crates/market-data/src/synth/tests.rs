//! Tests of the synthetic market.

use std::collections::HashSet;

use chrono::{Datelike, NaiveDate, Weekday};

use super::headlines::{MOOD_SLOTS, Mood, wave, wordings};
use super::{SynthParams, Synthetic, generate, stream};

/// Share of the days on which the signal agrees with the sign of the return `lag` bars on; days without a change
/// of price are left out.
fn agreement(market: &Synthetic, lag: usize) -> f64 {
    let closes = market.series.closes();
    let (mut right, mut all) = (0.0, 0.0);
    for t in 0..closes.len() - lag {
        let change = (closes[t + lag] / closes[t + lag - 1]).ln();
        if change != 0.0 {
            all += 1.0;
            right += f64::from(u8::from((change > 0.0) == (market.signal[t] > 0)));
        }
    }
    right / all
}

/// Four standard errors of a share `p` of `n` days: one test in 16,000 fails by chance, and the seeds are fixed.
fn margin(p: f64, n: usize) -> f64 {
    4.0 * (p * (1.0 - p) / n as f64).sqrt()
}

#[test]
fn the_signal_is_right_as_often_as_stated_and_about_the_stated_return() {
    for lag in [1, 2, 3] {
        for accuracy in [0.5, 0.65, 0.9] {
            let params = SynthParams { signal_lag: lag, signal_accuracy: accuracy, ..SynthParams::default() };
            let market = generate(&params).unwrap();
            let n = params.bars;
            for other in 1..=4 {
                let expected = if other == lag { accuracy } else { 0.5 };
                let found = agreement(&market, other);
                assert!((found - expected).abs() < margin(expected, n), "lag {lag}, {other}: {found}");
            }
            // Nothing about the return of the day itself, which is known by then.
            let closes = market.series.closes();
            let same = (1..n).filter(|t| (closes[*t] > closes[t - 1]) == (market.signal[*t] > 0)).count();
            assert!((same as f64 / (n - 1) as f64 - 0.5).abs() < margin(0.5, n));
        }
    }
}

#[test]
fn a_certain_signal_lines_up_by_hand() {
    let closes = |lag| {
        let params =
            SynthParams { bars: 10, signal_accuracy: 1.0, signal_lag: lag, ..SynthParams::default() };
        let market = generate(&params).unwrap();
        (market.series.closes().to_vec(), market.signal)
    };
    let sign = |change: f64| if change > 0.0 { 1 } else { -1 };
    let (c, s) = closes(1);
    // Lag 1: the signal of bar 0 is about close 0 -> close 1.
    assert_eq!(s[0], sign(c[1] - c[0]));
    assert_eq!(s[7], sign(c[8] - c[7]));
    let (c, s) = closes(2);
    // Lag 2: the signal of bar 0 is about close 1 -> close 2.
    assert_eq!(s[0], sign(c[2] - c[1]));
    assert_eq!(s[7], sign(c[9] - c[8]));
    // The prices do not depend on what is said about them.
    assert_eq!(c, closes(1).0);
}

#[test]
fn the_words_of_a_day_say_its_signal() {
    let market = generate(&SynthParams::default()).unwrap();
    // A wording matches by its words outside of the slots.
    let says = |text: &str, mood| {
        MOOD_SLOTS.iter().flat_map(|slot| wordings(slot, mood)).any(|w| {
            let w = w.split('{').next().unwrap().trim();
            format!(" {text} ").contains(&format!(" {w} "))
        })
    };
    let mut neutral = 0;
    for t in 0..market.series.len() {
        let texts: Vec<&str> = market.series.news(t).collect();
        assert!((1..=3).contains(&texts.len()));
        let good = texts.iter().filter(|s| says(s, Mood::Good)).count();
        let bad = texts.iter().filter(|s| says(s, Mood::Bad)).count();
        let (agree, against) = if market.signal[t] > 0 { (good, bad) } else { (bad, good) };
        assert!(agree >= 1, "{texts:?}");
        assert_eq!(against, 0, "{texts:?}");
        neutral += texts.len() - agree;
    }
    // A quarter of the headlines besides the first of a day.
    let others = market.series.news_count() - market.series.len();
    let share = neutral as f64 / others as f64;
    assert!((share - 0.25).abs() < margin(0.25, others), "{share}");
}

#[test]
fn moods_share_no_wording() {
    for slot in MOOD_SLOTS {
        let good: HashSet<_> = wordings(slot, Mood::Good).collect();
        assert!(wordings(slot, Mood::Bad).all(|w| !good.contains(w)), "{slot}");
    }
}

#[test]
fn headlines_are_short() {
    let market = generate(&SynthParams::default()).unwrap();
    for t in 0..market.series.len() {
        for text in market.series.news(t) {
            assert!((8..=14).contains(&text.split(' ').count()), "{text}");
            assert!(
                text.starts_with(|c: char| c.is_ascii_uppercase()) && !text.contains(['{', '}']),
                "{text}"
            );
        }
    }
}

#[test]
fn validation_and_test_hold_wordings_that_training_never_saw() {
    let market = generate(&SynthParams::default()).unwrap();
    let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
    let words = |from, to| -> Vec<HashSet<&str>> {
        let bars = market.series.between(from, to);
        bars.flat_map(|t| market.series.news(t)).map(|text| text.split(' ').collect()).collect()
    };
    let train = words(day(2010, 1, 1), day(2018, 12, 31));
    let valid = words(day(2019, 1, 1), day(2020, 6, 30));
    let test = words(day(2020, 7, 1), day(2021, 12, 31));
    let mut seen: HashSet<&str> = train.iter().flatten().copied().collect();
    let share_unseen = |headlines: &[HashSet<&str>], seen: &HashSet<&str>| {
        headlines.iter().filter(|h| h.iter().any(|w| !seen.contains(w))).count() as f64
            / headlines.len() as f64
    };
    let in_valid = share_unseen(&valid, &seen);
    seen.extend(valid.iter().flatten());
    let in_test = share_unseen(&test, &seen);
    // Many headlines have a new word, and many are worded as in training.
    assert!((0.3..0.9).contains(&in_valid), "{in_valid}");
    assert!((0.3..0.9).contains(&in_test), "{in_test}");
    let whole: HashSet<Vec<&str>> = train.iter().map(sorted).collect();
    let repeated = test.iter().filter(|h| whole.contains(&sorted(h))).count() as f64 / test.len() as f64;
    assert!(repeated < 0.2, "{repeated}");
}

fn sorted<'a>(words: &HashSet<&'a str>) -> Vec<&'a str> {
    let mut words: Vec<&str> = words.iter().copied().collect();
    words.sort_unstable();
    words
}

#[test]
fn waves_begin_at_their_shares() {
    assert_eq!([0, 74, 75, 87, 88, 99].map(|t| wave(t, 100)), [0, 0, 1, 1, 2, 2]);
}

#[test]
fn returns_have_fat_tails_and_changing_volatility() {
    let market = generate(&SynthParams::default()).unwrap();
    let r: Vec<f64> = market.series.closes().windows(2).map(|w| (w[1] / w[0]).ln()).collect();
    let n = r.len() as f64;
    let mean = r.iter().sum::<f64>() / n;
    let moment = |k| r.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / n;
    let excess = moment(4) / moment(2).powi(2) - 3.0;
    assert!(excess > 1.0, "excess kurtosis {excess}");
    let annual = moment(2).sqrt() * 252f64.sqrt();
    assert!((0.15..0.25).contains(&annual), "volatility {annual}");
    // Regimes: absolute returns far apart are still correlated.
    let a: Vec<f64> = r.iter().map(|x| x.abs()).collect();
    let mean = a.iter().sum::<f64>() / n;
    let variance = a.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    let lagged: f64 = (5..a.len()).map(|i| (a[i] - mean) * (a[i - 5] - mean)).sum();
    assert!(lagged / variance > 0.05, "{}", lagged / variance);
}

#[test]
fn bars_are_ten_years_of_weekdays_whose_open_is_near_the_previous_close() {
    let s = generate(&SynthParams::default()).unwrap().series;
    assert_eq!(
        (s.date(0).to_string(), s.date(s.len() - 1).to_string()),
        ("2010-01-04".into(), "2021-12-31".into())
    );
    assert!(s.dates().iter().all(|d| !matches!(d.weekday(), Weekday::Sat | Weekday::Sun)));
    assert!(s.dates().windows(2).all(|w| (w[1] - w[0]).num_days() <= 3));
    let gaps: Vec<f64> = (1..s.len()).map(|i| (s.open(i).unwrap() / s.closes()[i - 1]).ln().abs()).collect();
    assert!(gaps.iter().all(|g| *g < 0.05));
    assert!(gaps.iter().sum::<f64>() / (gaps.len() as f64) < 0.003);
}

#[test]
fn every_parameter_changes_the_market() {
    let base = SynthParams { bars: 300, ..SynthParams::default() };
    let changes = [
        SynthParams { seed: 2, ..base },
        SynthParams { bars: 301, ..base },
        SynthParams { start: base.start + chrono::Days::new(1), ..base },
        SynthParams { signal_accuracy: 0.8, ..base },
        SynthParams { signal_lag: 2, ..base },
        SynthParams { drift: 0.1, ..base },
        SynthParams { volatility: 0.3, ..base },
        SynthParams { tail_dof: 5.0, ..base },
        SynthParams { news_per_day: 2, ..base },
        SynthParams { neutral_share: 0.5, ..base },
    ];
    let print = |p: &SynthParams| generate(p).unwrap().series.fingerprint();
    assert_eq!(print(&base), print(&base));
    let mut seen = HashSet::from([print(&base)]);
    for params in changes {
        assert!(seen.insert(print(&params)), "{params:?}");
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let base = SynthParams::default();
    for (params, key) in [
        (SynthParams { bars: 9, ..base }, "bars"),
        (SynthParams { signal_accuracy: 1.1, ..base }, "signal_accuracy"),
        (SynthParams { signal_accuracy: f64::NAN, ..base }, "signal_accuracy"),
        (SynthParams { signal_lag: 0, ..base }, "signal_lag"),
        (SynthParams { drift: 2.0, ..base }, "drift"),
        (SynthParams { volatility: 0.0, ..base }, "volatility"),
        (SynthParams { tail_dof: 2.0, ..base }, "tail_dof"),
        (SynthParams { news_per_day: 0, ..base }, "news_per_day"),
        (SynthParams { neutral_share: -0.1, ..base }, "neutral_share"),
    ] {
        let error = generate(&params).unwrap_err().to_string();
        assert!(error.starts_with(&format!("synthetic market: {key}: expected ")), "{error}");
    }
    let worthless = SynthParams { volatility: 2.0, drift: -1.0, bars: 10_000, ..base };
    let error = generate(&worthless).unwrap_err().to_string();
    assert!(error.contains("the price falls below 0.01 at bar"), "{error}");
}

#[test]
fn a_headline_tells_the_mood_that_it_was_made_with() {
    use super::headlines::{LAST_WAVE, LATE_SHARE, headline, mood};
    let mut rng = stream(3, "test headlines");
    for wave in 0..=LAST_WAVE {
        for wanted in [Mood::Good, Mood::Bad, Mood::Neutral] {
            for _ in 0..2000 {
                let text = headline(wanted, wave, LATE_SHARE, &mut rng);
                assert_eq!(mood(&text), wanted, "{text}");
            }
        }
    }
    assert_eq!(mood("Shares rose on other news"), Mood::Neutral);
}

#[test]
fn late_words_replace_all_early_ones_when_asked() {
    use std::collections::HashSet;
    let words = |late_share: f64| {
        let params = SynthParams { late_share, bars: 2000, ..SynthParams::default() };
        let series = generate(&params).unwrap().series;
        let of = |bars: std::ops::Range<usize>| -> Vec<String> {
            bars.flat_map(|i| series.news(i).map(str::to_lowercase).collect::<Vec<_>>()).collect()
        };
        (of(0..1500), of(1800..2000))
    };
    let known = |early: &[String]| -> HashSet<String> {
        early.iter().flat_map(|h| h.split_whitespace().map(str::to_owned)).collect()
    };
    let unseen = |known: &HashSet<String>, late: &[String]| {
        let new = |h: &&String| h.split_whitespace().any(|w| !known.contains(w));
        late.iter().filter(new).count() as f64 / late.len() as f64
    };
    let (early, late) = words(1.0);
    assert_eq!(unseen(&known(&early), &late), 1.0, "every headline has a word that is new");
    let (same, some) = words(super::headlines::LATE_SHARE);
    assert_eq!(early, same, "early headlines do not depend on it");
    let share = unseen(&known(&same), &some);
    assert!(share > 0.5 && share < 1.0, "{share}");
}
