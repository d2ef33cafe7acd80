//! The points as a chart: time and memory as multiples of a curve's first point, against multiples of what grows.
//!
//! Its background is transparent, and its colours have enough contrast with white and with near black.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

const TEXT: RGBColor = RGBColor(0x76, 0x76, 0x76);
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x3b, 0x82, 0xf6),
    RGBColor(0xd9, 0x77, 0x06),
    RGBColor(0x16, 0xa3, 0x4a),
    RGBColor(0xa8, 0x55, 0xf7),
    RGBColor(0xef, 0x44, 0x44),
    RGBColor(0x0d, 0x94, 0x88),
];
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Outcome = Result<(), Box<dyn Error>>;

/// One curve of the chart.
struct Curve {
    panel: String,
    name: String,
    /// What grew, and by how much; both relative to the first point.
    points: Vec<(f64, f64)>,
}

/// Draws lines of `panel TAB curve TAB x TAB value` in their order.
///
/// # Errors
/// When a line is not of that form or the file cannot be written.
pub fn draw(text: &str, file: &Path) -> Outcome {
    let curves = parse(text)?;
    let mut panels: Vec<&str> = Vec::new();
    for curve in &curves {
        if !panels.contains(&curve.panel.as_str()) {
            panels.push(&curve.panel);
        }
    }
    let root = SVGBackend::new(file, (1000, 420)).into_drawing_area();
    for (area, panel) in root.split_evenly((1, panels.len())).iter().zip(&panels) {
        let of_panel: Vec<&Curve> = curves.iter().filter(|curve| curve.panel == *panel).collect();
        draw_panel(area, panel, &of_panel)?;
    }
    root.present()?;
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Curve>, Box<dyn Error>> {
    let mut curves: Vec<Curve> = Vec::new();
    let mut first = (1.0, 1.0);
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let [panel, name, x, value] = words[..] else {
            return Err(format!("expected `panel TAB curve TAB x TAB value`, found `{line}`").into());
        };
        let (x, value): (f64, f64) = (x.parse()?, value.parse()?);
        if !(x > 0.0 && value > 0.0) {
            return Err(format!("expected numbers above 0, found `{line}`").into());
        }
        if curves.last().is_none_or(|curve| curve.panel != panel || curve.name != name) {
            first = (x, value);
            curves.push(Curve { panel: panel.to_owned(), name: name.to_owned(), points: Vec::new() });
        }
        let curve = curves.last_mut().expect("invariant: one was added above");
        curve.points.push((x / first.0, value / first.1));
    }
    Ok(curves)
}

/// Logarithmic axes of the same base, so that what grows in proportion is the diagonal.
fn draw_panel(area: &Area<'_>, title: &str, curves: &[&Curve]) -> Outcome {
    let (area, legend) = area.split_vertically(300);
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let widest = all().fold(1.0_f64, |most, (x, _)| most.max(*x));
    let base: f64 = if widest > 10.0 { 10.0 } else { 2.0 };
    let log = |value: f64| value.ln() / base.ln();
    let right = log(widest);
    let (bottom, top) =
        all().fold((0.0, right), |(least, most): (f64, f64), (_, y)| (least.min(log(*y)), most.max(log(*y))));
    let label = TextStyle::from((FONT, 12).into_font()).color(&TEXT);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 15).into_font().color(&TEXT))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..right * 1.03, bottom - 0.1..top + 0.1)?;
    let times = |exponent: &f64| {
        let value = base.powf(*exponent);
        if value < 0.95 {
            format!("×{value:.2}")
        } else if value < 9.5 {
            format!("×{:.2}", value).trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            format!("×{value:.0}")
        }
    };
    chart
        .configure_mesh()
        .x_labels(right.round() as usize + 1)
        .y_labels((top - bottom).round() as usize + 1)
        .x_label_formatter(&times)
        .y_label_formatter(&times)
        .label_style(label.clone())
        .axis_style(TEXT.mix(0.6))
        .bold_line_style(TEXT.mix(0.25))
        .light_line_style(TEXT.mix(0.0))
        .draw()?;
    let diagonal = [(0.0, 0.0), (right, right)];
    chart.draw_series(DashedLineSeries::new(diagonal, 5, 4, TEXT.stroke_width(1)))?;
    for (i, curve) in curves.iter().enumerate() {
        let points: Vec<(f64, f64)> = curve.points.iter().map(|(x, y)| (log(*x), log(*y))).collect();
        let colour = COLOURS[i % COLOURS.len()];
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        for point in points {
            chart.plotting_area().draw(&marker(point, i, colour))?;
        }
    }
    for (i, curve) in curves.iter().enumerate() {
        let at = (52 + 145 * (i as i32 % 2), 10 + 20 * (i as i32 / 2));
        legend.draw(&marker(at, i, COLOURS[i % COLOURS.len()]))?;
        legend.draw(&Text::new(curve.name.clone(), (at.0 + 9, at.1 - 5), label.clone()))?;
    }
    let at = (44, 10 + 20 * (curves.len().div_ceil(2) as i32));
    legend.draw(&Text::new("- - -  in proportion", (at.0, at.1 - 5), label))?;
    Ok(())
}

/// A circle, triangle or cross: curves differ in more than their colour.
fn marker<C: Clone + 'static>(
    at: C,
    i: usize,
    colour: RGBColor,
) -> DynElement<'static, SVGBackend<'static>, C> {
    match i % 3 {
        0 => Circle::new(at, 4, colour.filled()).into_dyn(),
        1 => TriangleMarker::new(at, 5, colour.filled()).into_dyn(),
        _ => Cross::new(at, 4, colour.stroke_width(2)).into_dyn(),
    }
}
