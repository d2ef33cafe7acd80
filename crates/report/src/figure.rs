//! A chart of lines as the page's script draws it and writes it to CSV: everything decided, rounded and labelled.

use serde::Serialize;

use crate::arms::Look;
use crate::band::Band;
use crate::metric::Unit;

/// Points of a line at most, however long the window: a chart has few more columns of pixels.
const MOST_PLACES: usize = 500;
/// Numbers of all lines of a chart at most, so that a page with many arms stays small.
const MOST_NUMBERS: usize = 24_000;

/// A chart of lines.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// One word or several with hyphens: part of the name of its CSV file.
    pub key: &'static str,
    pub title: &'static str,
    /// What it shows, in one or two sentences.
    pub about: String,
    pub x: Axis,
    pub unit: Unit,
    /// Whether values hold until the next place.
    pub steps: bool,
    pub lines: Vec<FigureLine>,
}

/// The horizontal axis.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Axis {
    /// Its name, also the heading of its column in the CSV file.
    pub label: &'static str,
    pub unit: Unit,
    pub places: Places,
}

/// Places along the axis.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Places {
    Labels(Vec<String>),
    Numbers(Vec<f64>),
}

/// One arm, baseline or control.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FigureLine {
    pub name: String,
    pub look: Look,
    pub shown: bool,
    pub n: usize,
    pub band: Band,
}

/// Which of `n` places are drawn when `lines` lines of `numbers` numbers each place are: every k-th and the last.
pub(crate) fn kept_places(n: usize, lines: usize, numbers: usize) -> Vec<usize> {
    let room = (MOST_NUMBERS / (lines * numbers).max(1)).clamp(40, MOST_PLACES);
    let step = n.div_ceil(room).max(1);
    let mut kept: Vec<usize> = (0..n).step_by(step).collect();
    if let Some(last) = n.checked_sub(1).filter(|last| kept.last() != Some(last)) {
        kept.push(last);
    }
    kept
}

/// The values at the kept places.
pub(crate) fn at<T: Clone>(values: &[T], kept: &[usize]) -> Vec<T> {
    kept.iter().map(|k| values[*k].clone()).collect()
}
