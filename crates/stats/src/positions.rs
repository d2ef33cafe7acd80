//! How long and how often a position is held.

/// Share of periods with a position: `count(position != 0) / n`; absent without periods.
///
/// One entry per period: the position held over it, in any unit, negative for a short one.
pub fn exposure(positions: &[f64]) -> Option<f64> {
    let held = positions.iter().filter(|p| **p != 0.0).count();
    (!positions.is_empty()).then(|| held as f64 / positions.len() as f64)
}

/// Average holding time in periods: periods with a position, divided by the number of holdings. A holding is a longest
/// stretch of positions of one sign, one that begins or ends with the record included. Absent without a holding.
pub fn holding_time(positions: &[f64]) -> Option<f64> {
    let (mut periods, mut holdings, mut last) = (0_usize, 0_usize, 0.0);
    for &position in positions {
        let sign = if position == 0.0 { 0.0 } else { position.signum() };
        if sign != 0.0 {
            periods += 1;
            holdings += usize::from(sign != last);
        }
        last = sign;
    }
    (holdings > 0).then(|| periods as f64 / holdings as f64)
}

#[cfg(test)]
mod tests;
