//! Numbers as prompts show them.

/// `x` in plain decimals cut, not rounded, to `width` characters, as the paper cuts. Digits before the decimal point
/// are never cut: that would change the number's size.
pub(crate) fn cut(x: f64, width: usize) -> String {
    let text = format!("{x}");
    let whole = text.find('.').unwrap_or(text.len());
    text[..text.len().min(width.max(whole))].trim_end_matches('.').to_owned()
}

/// `x` in units of 1e-4 with its sign, rounded: a return in basis points.
pub(crate) fn basis_points(x: f64) -> String {
    // Adding 0.0 turns -0 into 0.
    format!("{:+.0}", (x * 1e4).round() + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_as_the_paper_cuts_them() {
        assert_eq!(cut(131.523, 6), "131.52");
        assert_eq!(cut(-0.012345, 6), "-0.012");
        assert_eq!(cut(0.00001, 6), "0.0000");
        assert_eq!(cut(1e-7, 6), "0.0000");
        assert_eq!(cut(2.0, 6), "2");
        assert_eq!(cut(12345.6, 6), "12345");
        assert_eq!(cut(100_123.456_789, 10), "100123.456");
    }

    #[test]
    fn whole_digits_are_never_cut() {
        assert_eq!(cut(12_345_678.9, 6), "12345678");
        assert_eq!(cut(1e15, 6), "1000000000000000");
    }

    #[test]
    fn basis_points_have_a_sign() {
        assert_eq!(basis_points(0.0012), "+12");
        assert_eq!(basis_points(-0.00074), "-7");
        assert_eq!(basis_points(0.0), "+0");
        assert_eq!(basis_points(-0.00001), "+0");
    }
}
