//! Lines over percentiles: how long answers take under load. The scale is logarithmic, since what a
//! few wait for is far from what most do.

use std::io;
use std::path::Path;

use crate::plot::{Plot, TOP, WIDTH, short};

const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 236.0;
const BOTTOM: f64 = TOP + 220.0;
/// Labels that would stand closer are moved apart.
const LABEL: f64 = 17.0;

pub struct Line {
    pub label: String,
    /// `floor`, `inject` or `peer`.
    pub class: &'static str,
    /// One for each percentile.
    pub millis: Vec<f64>,
}

/// `percentiles` are the names of the places from left to right.
pub fn write(file: &Path, title: &str, percentiles: &[String], lines: &[Line]) -> io::Result<()> {
    let all = || lines.iter().flat_map(|line| line.millis.iter().copied());
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    let floor = 10_f64.powf(least.log10().floor());
    let x =
        |place: usize| LEFT + (RIGHT - LEFT) * place as f64 / (percentiles.len().max(2) - 1) as f64;
    let y =
        |millis: f64| BOTTOM - (millis / floor).log10() / (most / floor).log10() * (BOTTOM - TOP);
    let mut plot = Plot::default();
    for mark in marks(floor, most) {
        plot.rule((LEFT, y(mark)), (RIGHT, y(mark)));
        plot.text((LEFT - 8.0, y(mark) + 4.0), "faint end", &format!("{mark} ms"));
    }
    for (place, name) in percentiles.iter().enumerate() {
        plot.text((x(place), BOTTOM + 20.0), "faint middle", name);
    }
    let mut described = String::new();
    let mut labels: Vec<(f64, String)> = Vec::new();
    for line in lines {
        let class = line.class;
        let points: Vec<String> = (line.millis.iter().enumerate())
            .map(|(place, millis)| format!("{:.1},{:.1}", x(place), y(*millis)))
            .collect();
        plot.mark(format_args!(
            "<polyline points=\"{}\" class=\"{class} line\" style=\"fill: none\"/>",
            points.join(" ")
        ));
        for (place, millis) in line.millis.iter().enumerate() {
            let (x, y) = (x(place), y(*millis));
            plot.mark(format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" class=\"{class}\"/>"
            ));
        }
        let values: Vec<String> = (percentiles.iter().zip(&line.millis))
            .map(|(name, millis)| format!("{name} {} ms", short(*millis)))
            .collect();
        described += &format!("{}: {}. ", line.label, values.join(", "));
        if let Some(last) = line.millis.last() {
            labels.push((y(*last), format!("{}: {} ms", line.label, short(*last))));
        }
    }
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut above = f64::MIN;
    for (wished, label) in labels {
        above = wished.max(above + LABEL);
        plot.text((RIGHT + 10.0, above + 4.0), "", &label);
    }
    let note = "each percentile is the median of the rounds' own; logarithmic scale";
    plot.write(file, BOTTOM + 36.0, [title, note, &described])
}

/// One, two and five of each power of ten.
fn marks(least: f64, most: f64) -> Vec<f64> {
    let powers = (0..).map(|power| least * 10_f64.powi(power)).take_while(|mark| *mark <= most);
    let marks = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * power));
    // What is multiplied is not exact: a mark shows the digits that it is meant to have.
    let marks = marks.map(|mark| (mark * 1e4).round() / 1e4);
    marks.filter(|mark| *mark <= most).collect()
}
