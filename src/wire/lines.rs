//! Bytes → lines of an event stream (HTML standard, 9.2.6).

/// Bytes of a line that are kept; the rest is left out, so that nobody can fill the reader's memory.
pub const LONGEST_LINE: usize = 64 << 10;

/// Cuts a stream into lines, however its bytes are spread over reads. A byte order mark is no part of
/// the first line.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// It had more bytes than are kept.
    shortened: bool,
    /// The last byte was a CR: an LF that follows belongs to the same line end.
    after_cr: bool,
    /// A first line has been read: a byte order mark can no longer come.
    begun: bool,
}

impl Lines {
    /// Takes the next bytes and calls `line` for each line that ends in them: the line without its end,
    /// 64 KiB of it at most, and whether that is less than there was.
    pub fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8], bool)) {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.keep(bytes);
                return;
            };
            self.after_cr = bytes[end] == b'\r';
            let first = !std::mem::replace(&mut self.begun, true);
            if self.partial.is_empty() {
                let kept = &bytes[..end.min(LONGEST_LINE)];
                line(unmarked(kept, first), kept.len() < end);
            } else {
                self.keep(&bytes[..end]);
                line(unmarked(&self.partial, first), self.shortened);
                self.partial.clear();
                self.shortened = false;
            }
            bytes = &bytes[end + 1..];
        }
    }

    /// Whole lines passed by that nobody needs to see.
    pub fn pass_over(&mut self) {
        self.after_cr = false;
        self.begun = true;
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE - self.partial.len();
        self.shortened |= bytes.len() > room;
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

fn unmarked(line: &[u8], first: bool) -> &[u8] {
    match first {
        true => line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<(String, bool)> {
        let (mut lines, mut read) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.feed(piece, |line, shortened| {
                read.push((String::from_utf8_lossy(line).into_owned(), shortened));
            });
        }
        read
    }

    #[test]
    fn every_line_end_is_one_and_an_unfinished_line_is_none() {
        let stream = "\u{feff}a\n\r\nb\r\rc\r\n\u{feff}d\nrest".as_bytes();
        let expected = ["a", "", "b", "", "c", "\u{feff}d"].map(|line| (line.to_owned(), false));
        for at in 0..=stream.len() {
            let (one, two) = stream.split_at(at);
            assert_eq!(read(&[one, two]), expected, "cut at {at}");
        }
    }

    #[test]
    fn a_long_line_is_shortened_the_same_however_it_comes() {
        let mut stream = vec![b'x'; LONGEST_LINE + 1];
        stream.extend(b"\nshort\n");
        let expected = [("x".repeat(LONGEST_LINE), true), ("short".to_owned(), false)];
        for at in [0, 1, LONGEST_LINE, LONGEST_LINE + 1, LONGEST_LINE + 2] {
            let (one, two) = stream.split_at(at);
            assert_eq!(read(&[one, two]), expected, "cut at {at}");
        }
    }
}
