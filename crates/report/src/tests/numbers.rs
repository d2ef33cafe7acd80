//! Numbers and JSON as text.

use proptest::prelude::*;

use crate::metric::Unit;
use crate::numbers::{count, digits, fixed, percent, rounded, significant};
use crate::render::script_json;

#[test]
fn numbers_have_a_real_minus_grouped_thousands_and_no_negative_zero() {
    assert_eq!(fixed(Some(1.039), 2), "1.04");
    assert_eq!(fixed(Some(-0.3149), 2), "\u{2212}0.31");
    assert_eq!(fixed(Some(-0.001), 2), "0.00");
    assert_eq!(fixed(Some(-1234567.891), 1), "\u{2212}1,234,567.9");
    assert_eq!(fixed(Some(999.0), 0), "999");
    assert_eq!(percent(Some(0.1534), 1), "15.3%");
    assert_eq!(percent(Some(-1.0), 1), "\u{2212}100.0%");
    assert_eq!(count(1234), "1,234");
    for undefined in [None, Some(f64::NAN), Some(f64::INFINITY)] {
        assert_eq!(fixed(undefined, 2), "–");
        assert_eq!(percent(undefined, 2), "–");
    }
    assert_eq!(rounded(0.123456, 3), 0.123);
}

#[test]
fn each_unit_is_written_its_own_way() {
    assert_eq!(Unit::Ratio.write(Some(1.0391)), "1.04");
    assert_eq!(Unit::Fraction.write(Some(0.0943)), "9.4%");
    assert_eq!(Unit::Percent.write(Some(15.3404)), "15.340");
    assert_eq!(Unit::PaperRatio.write(Some(1.0391)), "1.039");
    assert_eq!(Unit::Number.write(Some(1.0391)), "1.04");
}

#[test]
fn numbers_of_any_size_keep_their_significant_digits() {
    for (value, text) in [
        (0.0, "0"),
        (0.5, "0.500"),
        (1.0986, "1.10"),
        (-0.00345, "\u{2212}0.00345"),
        (9.996, "10.0"),
        (12_345.6, "12,346"),
        (0.0005, "5.00e\u{2212}4"),
        (-2.5e7, "\u{2212}2.50e7"),
    ] {
        assert_eq!(digits(Some(value), 3), text);
    }
    assert_eq!((digits(None, 3).as_str(), digits(Some(f64::NAN), 3).as_str()), ("–", "–"));
    assert_eq!(significant(0.000_123_456_7, 5), 0.000_123_46);
    assert_eq!(significant(-123_456.7, 5), -123_460.0);
    assert!(significant(-0.0, 5).is_sign_positive());
}

proptest! {
    #[test]
    fn a_written_number_reads_back(value in -1e9f64..1e9) {
        let text = fixed(Some(value), 3).replace(',', "").replace('\u{2212}', "-");
        prop_assert!((text.parse::<f64>().unwrap() - value).abs() <= 0.0005 + 1e-6);
    }

    #[test]
    fn json_in_a_script_is_the_same_json_and_cannot_end_it(text: String) {
        let hostile = format!("{text}</script><!--&amp;\u{2028}");
        let safe = script_json(&serde_json::to_string(&hostile).unwrap());
        let unsafe_left = safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
        prop_assert!(!unsafe_left);
        prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
    }
}
