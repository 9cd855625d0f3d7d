//! One line for each write: when, what from, how much, and what it is.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use super::show::{counted, printable, seconds};
use super::{Dispatched, Ending, How, Opening, Viewer, Written};
use crate::plan::Source;

/// Characters of a write that are shown.
const MOST_SHOWN: usize = 64;

/// Writes lines to read, as they come.
#[derive(Debug)]
pub struct Timeline<W> {
    out: W,
    include: bool,
    colours: bool,
}

impl<W: Write> Timeline<W> {
    /// Writes to `out`; `include`: with the whole head; `colours`: for a terminal that shows them.
    pub fn new(out: W, include: bool, colours: bool) -> Timeline<W> {
        Timeline {
            out,
            include,
            colours,
        }
    }

    fn line(&mut self, at: Duration, colour: &str, what: &str, size: &str, text: &str) -> io::Result<()> {
        let (begin, end) = match self.colours {
            true => (format!("\x1b[{colour}m"), "\x1b[0m"),
            false => (String::new(), ""),
        };
        let line = format!("{:>10} s  {begin}{what:<9}{end}  {size:>9}  {text}", seconds(at));
        writeln!(self.out, "{}", line.trim_end())
    }
}

impl<W: Write> Viewer for Timeline<W> {
    fn begin(&mut self, opening: &Opening) -> io::Result<()> {
        let query = opening.request.query.as_ref();
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let (method, path) = (&opening.request.method, &opening.request.path);
        let mut title = format!("{method} {path}{query}");
        if opening.attempt > 1 {
            title += &format!(", request {}", opening.attempt);
        }
        writeln!(self.out, "{title}, seed {}", opening.seed)?;
        let Some(head) = &opening.head else {
            return Ok(());
        };
        let mut lines = head.bytes.split(|byte| *byte == b'\n');
        let first = printable(lines.next().unwrap_or_default().trim_ascii_end(), MOST_SHOWN);
        let size = format!("{} B", head.bytes.len());
        self.line(opening.at, "1", "head", &size, &first)?;
        for field in lines.map(|line| line.trim_ascii_end()) {
            if self.include && !field.is_empty() {
                writeln!(self.out, "{:36}{}", "", printable(field, usize::MAX))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, written: &Written, _: &[Dispatched]) -> io::Result<ControlFlow<()>> {
        let size = match written.announced {
            Some(whole) => format!("{} of {whole} B", written.bytes.len()),
            None => format!("{} B", written.bytes.len()),
        };
        let text = printable(&written.bytes, MOST_SHOWN);
        let colour = colour(written.source);
        self.line(written.at, colour, written.source.name(), &size, &text)?;
        Ok(ControlFlow::Continue(()))
    }

    fn end(&mut self, ending: &Ending) -> io::Result<()> {
        let mut text = ending.detail.clone();
        if ending.writes > 0 {
            let events = ending.events.map(|events| counted(events, "event"));
            let rest = [counted(ending.writes, "write"), counted(ending.bytes, "byte")];
            let sum: Vec<String> = events.into_iter().chain(rest).collect();
            let gap = if text.is_empty() { "" } else { "; " };
            text += &format!("{gap}{}", sum.join(", "));
        }
        let colour = match ending.how {
            How::Cut | How::Reset => "31",
            How::Stall | How::Hold | How::Open => "33",
            How::Close | How::Goaway | How::Left => "1",
        };
        self.line(ending.at, colour, ending.how.name(), "", &text)?;
        self.out.flush()
    }
}

fn colour(source: Source) -> &'static str {
    match source {
        Source::Event | Source::OneWrite | Source::Body => "32",
        Source::Relayed => "36",
        Source::Heartbeat | Source::Comment => "2",
        Source::Retry | Source::Bom | Source::Rest => "34",
        Source::Raw | Source::Replay => "35",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let shown = |colours| {
            let mut out = Vec::new();
            let mut view = Timeline::new(&mut out, false, colours);
            let written = Written {
                at: Duration::from_millis(1500),
                source: Source::Retry,
                bytes: bytes::Bytes::from_static(b"retry: 1\n\n"),
                announced: None,
            };
            let _ = view.write(&written, &[]).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            shown(false),
            "     1.500 s  retry           10 B  retry: 1\\n\\n\n"
        );
        assert_eq!(
            shown(true),
            "     1.500 s  \x1b[34mretry    \x1b[0m       10 B  retry: 1\\n\\n\n"
        );
    }
}
