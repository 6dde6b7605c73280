//! A frame for a plot as SVG: what is drawn stands on a card of its own, so that it can be read on
//! any page, light or dark; it has a title and a description for those who do not see it, and no
//! script. It knows no figure.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

pub const WIDTH: f64 = 760.0;
/// What the title takes at the top.
pub const TOP: f64 = 64.0;

/// The colours that GitHub's pages have; each is told apart by a label too.
const STYLE: &str = "
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.faint { fill: #59636e; font-size: 12px }
.end { text-anchor: end }
.middle { text-anchor: middle }
.card { fill: #ffffff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0; fill: none }
.floor { fill: #818b98; stroke: #818b98 }
.inject { fill: #0969da; stroke: #0969da }
.peer { fill: #bc4c00; stroke: #bc4c00 }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.faint { fill: #9198a1 }
.card { fill: #0d1117; stroke: #3d444d }
.grid { stroke: #3d444d }
.inject { fill: #4493f8; stroke: #4493f8 }
.peer { fill: #db6d28; stroke: #db6d28 }
}
";

/// What is drawn so far.
#[derive(Default)]
pub struct Plot {
    marks: String,
}

impl Plot {
    /// A text whose middle, end or start, as `class` says, is at `x`.
    pub fn text(&mut self, (x, y): (f64, f64), class: &str, text: &str) {
        let text = escaped(text);
        self.mark(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>"));
    }

    /// A straight line of the grid.
    pub fn rule(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.mark(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"grid\"/>"
        ));
    }

    pub fn mark(&mut self, mark: std::fmt::Arguments) {
        writeln!(self.marks, "{mark}").expect("a string takes all");
    }

    /// Writes the file. `described` says in words what is to be seen.
    pub fn write(
        self,
        file: &Path,
        height: f64,
        [title, note, described]: [&str; 3],
    ) -> io::Result<()> {
        let [title, note, described] = [title, note, described].map(escaped);
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title description\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"description\">{described}</desc>\n\
             <style>{STYLE}</style>\n\
             <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\" class=\"card\"/>\n\
             <text x=\"16\" y=\"26\" class=\"title\">{title}</text>\n\
             <text x=\"16\" y=\"45\" class=\"faint\">{note}</text>\n{}</svg>\n",
            WIDTH - 1.0,
            height - 1.0,
            self.marks
        );
        fs::write(file, text)
    }
}

/// What a text is in SVG; what marks code elsewhere is no sign there.
fn escaped(text: &str) -> String {
    text.replace('`', "").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A figure with two digits that count.
pub fn short(figure: f64) -> String {
    match figure {
        figure if figure >= 10.0 => format!("{figure:.0}"),
        figure if figure >= 1.0 => format!("{figure:.1}"),
        figure => format!("{figure:.2}"),
    }
}
