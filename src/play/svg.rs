//! A picture of a stream in time: a row for each kind of write, a mark for each write.

use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use super::show::{counted, printable, seconds};
use super::{Dispatched, Ending, How, Opening, Viewer, Written};
use crate::plan::Source;
use crate::scenario::duration;

/// Marks in one picture.
pub const MOST_MARKS: usize = 10_000;

/// Pixels: where the time begins, how wide it is, what stands above it, a row, a mark.
const LEFT: f64 = 110.0;
const WIDTH: f64 = 800.0;
const TOP: f64 = 44.0;
const ROW: f64 = 28.0;
const MARK: f64 = 3.0;
/// Characters of a write that its title shows.
const MOST_SHOWN: usize = 80;

/// Gathers the picture; it is written when the stream is over.
#[derive(Debug)]
pub struct Svg<W> {
    out: W,
    title: String,
    head: Option<(Duration, String)>,
    marks: Vec<Mark>,
    more: bool,
}

#[derive(Debug)]
struct Mark {
    at: Duration,
    source: Source,
    title: String,
}

impl<W: io::Write> Svg<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Svg<W> {
        Svg {
            out,
            title: String::new(),
            head: None,
            marks: Vec::new(),
            more: false,
        }
    }

    fn draw(&self, ending: &Ending) -> String {
        let mut rows: Vec<Source> = self.marks.iter().map(|mark| mark.source).collect();
        rows.sort_unstable();
        rows.dedup();
        let bottom = TOP + ROW * rows.len().max(1) as f64;
        let height = bottom + 62.0;
        let mut out = String::new();
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"{height}\" \
             viewBox=\"0 0 1000 {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"1000\" height=\"{height}\" fill=\"#fff\"/>\n\
             <text x=\"16\" y=\"24\" font-size=\"15\">{}</text>",
            escaped(&self.title)
        );
        let scale = Scale::until(ending.at);
        axis(&mut out, &scale, bottom);
        if let Some((at, head)) = &self.head {
            let what = format!("{} s head: {head}", seconds(*at));
            let _ = writeln!(
                out,
                "<path d=\"M{:.1} {TOP}V{bottom}\" stroke=\"#888\" stroke-dasharray=\"2 2\">\
                 <title>{}</title></path>",
                scale.x(*at),
                escaped(&what)
            );
        }
        for (at, source) in rows.iter().enumerate() {
            self.row(&mut out, &scale, *source, TOP + ROW * at as f64);
        }
        end(&mut out, &scale, ending, bottom);
        if self.more {
            let _ = writeln!(
                out,
                "<text x=\"16\" y=\"{}\" fill=\"#b00\">Only the first {MOST_MARKS} writes are drawn.</text>",
                height - 8.0
            );
        }
        out += "</svg>\n";
        out
    }

    fn row(&self, out: &mut String, scale: &Scale, source: Source, top: f64) {
        let middle = top + ROW / 2.0;
        let _ = writeln!(
            out,
            "<text x=\"16\" y=\"{:.1}\">{}</text>\n<g fill=\"{}\">",
            middle + 4.0,
            source.name(),
            colour(source)
        );
        for mark in self.marks.iter().filter(|mark| mark.source == source) {
            let _ = writeln!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{MARK}\" height=\"{}\"><title>{}</title></rect>",
                scale.x(mark.at) - MARK / 2.0,
                top + 4.0,
                ROW - 8.0,
                escaped(&mark.title)
            );
        }
        out.push_str("</g>\n");
    }
}

impl<W: io::Write> Viewer for Svg<W> {
    fn begin(&mut self, opening: &Opening) -> io::Result<()> {
        let request = &opening.request;
        let query = request.query.as_ref();
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let title = format!("{} {}{query}", request.method, request.path);
        self.title = printable(title.as_bytes(), 110);
        self.head = opening.head.as_ref().map(|head| {
            let line = head.bytes.split(|byte| *byte == b'\r' || *byte == b'\n').next();
            (opening.at, printable(line.unwrap_or_default(), MOST_SHOWN))
        });
        Ok(())
    }

    fn write(&mut self, written: &Written, _: &[Dispatched]) -> io::Result<ControlFlow<()>> {
        if self.marks.len() >= MOST_MARKS {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        let title = format!(
            "{} s {}, {}: {}",
            seconds(written.at),
            written.source.name(),
            counted(written.bytes.len() as u64, "byte"),
            printable(&written.bytes, MOST_SHOWN)
        );
        self.marks.push(Mark {
            at: written.at,
            source: written.source,
            title,
        });
        Ok(ControlFlow::Continue(()))
    }

    fn end(&mut self, ending: &Ending) -> io::Result<()> {
        let picture = self.draw(ending);
        self.out.write_all(picture.as_bytes())?;
        self.out.flush()
    }
}

/// From times to places.
struct Scale {
    whole: Duration,
}

impl Scale {
    fn until(end: Duration) -> Scale {
        Scale {
            whole: end.max(Duration::from_millis(1)),
        }
    }

    fn x(&self, time: Duration) -> f64 {
        LEFT + WIDTH * (time.as_secs_f64() / self.whole.as_secs_f64()).min(1.0)
    }

    /// The time between two ticks, so that there are five to ten: round in the unit that people would use.
    fn tick(&self) -> Duration {
        const ROUND: [u64; 23] = [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000,
            300_000, 600_000, 1_800_000, 3_600_000, 14_400_000, 43_200_000,
        ];
        let round = ROUND.into_iter().map(Duration::from_millis);
        let fits = |tick: &Duration| self.whole.as_nanos() / tick.as_nanos() <= 10;
        let day = Duration::from_secs(86_400);
        let days = u32::try_from(self.whole.as_secs() / day.as_secs() / 10 + 1).unwrap_or(u32::MAX);
        round.clone().find(fits).unwrap_or(day * days)
    }
}

/// The axis with its ticks.
fn axis(out: &mut String, scale: &Scale, bottom: f64) {
    let end = LEFT + WIDTH;
    let _ = writeln!(out, "<path d=\"M{LEFT} {bottom}H{end}\" stroke=\"#444\"/>");
    let tick = scale.tick();
    let mut time = Duration::ZERO;
    while time <= scale.whole {
        let x = scale.x(time);
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {TOP}V{:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444\">{}</text>",
            bottom + 5.0,
            bottom + 19.0,
            moment(time)
        );
        time += tick;
    }
}

/// A time of the axis: `1.5s`, `1m30s`.
fn moment(time: Duration) -> String {
    match time.as_secs() {
        0 if time.is_zero() => "0".into(),
        0..60 => format!("{time:?}"),
        _ => duration::format(time),
    }
}

/// The ending: a line where it is, and what it is.
fn end(out: &mut String, scale: &Scale, ending: &Ending, bottom: f64) {
    let (colour, dashes) = match ending.how {
        How::Close | How::Goaway | How::Left => ("#222", ""),
        How::Cut => ("#c00", " stroke-dasharray=\"6 3\""),
        How::Reset => ("#c00", ""),
        How::Stall | How::Hold | How::Open => ("#c80", " stroke-dasharray=\"1 3\""),
    };
    let x = scale.x(ending.at);
    let mut text = format!("{} s {}", seconds(ending.at), ending.how.name());
    if !ending.detail.is_empty() {
        let _ = write!(text, " ({})", ending.detail);
    }
    let _ = writeln!(
        out,
        "<path d=\"M{x:.1} {:.1}V{:.1}\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
        TOP - 8.0,
        bottom + 24.0,
        LEFT + WIDTH,
        bottom + 38.0,
        escaped(&text)
    );
}

fn colour(source: Source) -> &'static str {
    match source {
        Source::Event | Source::OneWrite | Source::Body => "#2a7f3f",
        Source::Relayed => "#1f7f9f",
        Source::Heartbeat | Source::Comment => "#999",
        Source::Retry | Source::Bom | Source::Rest => "#3355bb",
        Source::Raw | Source::Replay => "#9b3f9b",
    }
}

/// Text as it stands in XML.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        for (whole, expected) in [
            ("0s", "1ms"),
            ("7ms", "1ms"),
            ("900ms", "100ms"),
            ("3s", "500ms"),
            ("1m", "10s"),
            ("1h", "10m"),
            ("1d", "4h"),
            ("30d", "4d"),
            ("36500d", "3651d"),
        ] {
            let scale = Scale::until(duration::parse(whole).unwrap());
            assert_eq!(duration::format(scale.tick()), expected, "{whole}");
        }
    }
}
