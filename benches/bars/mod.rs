//! Horizontal bars: what one launch takes with each contestant. Where some take very much longer
//! than others the scale is logarithmic, and the plot says so.

use std::io;
use std::path::Path;

use crate::plot::{Plot, TOP, WIDTH, short};

const ROW: f64 = 22.0;
/// Where bars begin, and where the longest ends.
const LEFT: f64 = 270.0;
const RIGHT: f64 = WIDTH - 136.0;
/// Beyond this, the shorter bars of a linear scale could not be told apart.
const LINEAR_MAX: f64 = 12.0;

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Floor,
    Inject,
    Peer,
}

pub struct Bar {
    pub label: String,
    pub kind: Kind,
    pub millis: f64,
    /// To the floor that fetches.
    pub ratio: f64,
}

/// From figures to places.
struct Scale {
    least: f64,
    most: f64,
    is_logarithmic: bool,
}

impl Scale {
    fn of(bars: &[&Bar]) -> Self {
        let millis = || bars.iter().map(|bar| bar.millis);
        let (least, most) = (millis().fold(f64::MAX, f64::min), millis().fold(0.0, f64::max));
        let is_logarithmic = most / least > LINEAR_MAX;
        // The shortest bar has a length on either scale.
        let least = if is_logarithmic { 10_f64.powf((least / 2.0).log10().floor()) } else { 0.0 };
        Self { least, most, is_logarithmic }
    }

    fn x(&self, millis: f64) -> f64 {
        let share = if self.is_logarithmic {
            (millis / self.least).log10() / (self.most / self.least).log10()
        } else {
            millis / self.most
        };
        LEFT + share * (RIGHT - LEFT)
    }

    fn marks(&self) -> Vec<f64> {
        if self.is_logarithmic {
            let powers = (0..).map(|power| self.least * 10_f64.powi(power));
            return powers.take_while(|mark| *mark <= self.most).collect();
        }
        let step = 10_f64.powf(self.most.log10().floor());
        let step = if self.most / step < 3.0 { step / 2.0 } else { step };
        let marks = (0..).map(|number| f64::from(number) * step);
        marks.take_while(|mark| *mark <= self.most).collect()
    }
}

/// Floors first, then `inject`, then the others, each the shorter first.
pub fn write(file: &Path, bars: &[Bar]) -> io::Result<()> {
    let mut bars: Vec<&Bar> = bars.iter().collect();
    let place = |bar: &Bar| match bar.kind {
        Kind::Floor => 0,
        Kind::Inject => 1,
        Kind::Peer => 2,
    };
    bars.sort_by(|one, other| {
        place(one).cmp(&place(other)).then(one.millis.total_cmp(&other.millis))
    });
    let scale = Scale::of(&bars);
    let mut plot = Plot::default();
    let bottom = TOP + ROW * bars.len() as f64;
    for mark in scale.marks() {
        let x = scale.x(mark);
        plot.rule((x, TOP - 4.0), (x, bottom + 4.0));
        plot.text((x, bottom + 20.0), "faint middle", &format!("{} ms", figure(mark)));
    }
    let mut described = String::new();
    for (row, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        let class = ["floor", "inject", "peer"][place(bar)];
        let (width, height) = (scale.x(bar.millis) - LEFT, ROW - 6.0);
        let value = format!("{} ms · {} ×", short(bar.millis), short(bar.ratio));
        plot.text((LEFT - 8.0, y + 13.0), "end", &bar.label);
        plot.mark(format_args!(
            "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" class=\"{class}\"/>"
        ));
        plot.text((LEFT + width + 8.0, y + 13.0), "", &value);
        described += &format!("{}: {}. ", bar.label, value);
    }
    let scale = if scale.is_logarithmic { "logarithmic scale" } else { "linear scale" };
    let note = format!("median; × is to the floor that fetches; {scale}");
    plot.write(file, bottom + 34.0, ["A launch of `true` with five secrets", &note, &described])
}

/// A mark of the scale, without zeros that say nothing.
fn figure(mark: f64) -> String {
    let text = format!("{mark:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
