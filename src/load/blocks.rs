//! Finds the events in the bytes of a stream, and our marks in their data. What belongs here:
//! just enough of the event-stream grammar to count; no field but `data` is kept.

use crate::wire::Lines;

/// What a published message carries, so that its way can be followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// The sequence number (`"n":1`): from 1; 0 for warm-up messages.
    pub number: Option<u64>,
    /// When it was sent (`"t":…`), in nanoseconds since the Unix epoch.
    pub sent: Option<u64>,
}

/// Cuts a stream into blocks, however the bytes are spread over reads.
#[derive(Debug, Default)]
pub struct Blocks {
    lines: Lines,
    block: Block,
}

/// A block that has not ended yet.
#[derive(Debug, Default)]
struct Block {
    has_data: bool,
    marks: Marks,
}

impl Blocks {
    /// Takes the next bytes and calls `event` for each block that ends in them and has `data`. The marks
    /// stand near the beginning of a line: what is left out of a long one holds none.
    pub fn feed(&mut self, bytes: &[u8], mut event: impl FnMut(Marks)) {
        let Blocks { lines, block } = self;
        lines.feed(bytes, |line, _| block.line(line, &mut event));
    }
}

impl Block {
    fn line(&mut self, line: &[u8], event: &mut impl FnMut(Marks)) {
        if line.is_empty() {
            let marks = std::mem::take(&mut self.marks);
            if std::mem::take(&mut self.has_data) {
                event(marks);
            }
        } else if let Some(rest) = line.strip_prefix(b"data") {
            match rest.first() {
                None => self.has_data = true,
                Some(b':') => {
                    self.has_data = true;
                    find_marks(&rest[1..], &mut self.marks);
                }
                // Another field whose name happens to begin with "data".
                Some(_) => {}
            }
        }
    }
}

/// Looks for `"n": 1` and `"t": 2` in one pass; the first of each counts. The quotes may be
/// escaped and the numbers quoted, since servers like to wrap what was posted to them.
pub fn find_marks(data: &[u8], marks: &mut Marks) {
    for quote in memchr::memchr_iter(b'"', data) {
        let found = match data.get(quote + 1) {
            Some(b'n') => &mut marks.number,
            Some(b't') => &mut marks.sent,
            _ => continue,
        };
        if found.is_none() {
            *found = number_behind(&data[quote + 2..]);
        }
        if marks.number.is_some() && marks.sent.is_some() {
            return;
        }
    }
}

/// The number in `": 12`, the text behind a key's name.
fn number_behind(text: &[u8]) -> Option<u64> {
    let text = strip(text, b'\\').strip_prefix(b"\"")?;
    let text = text.trim_ascii_start().strip_prefix(b":")?;
    let text = strip(strip(text.trim_ascii_start(), b'\\'), b'"');
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

fn strip(text: &[u8], byte: u8) -> &[u8] {
    text.strip_prefix(&[byte]).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(pieces: &[&[u8]]) -> Vec<Option<u64>> {
        let mut found = Vec::new();
        let mut blocks = Blocks::default();
        for piece in pieces {
            blocks.feed(piece, |marks| found.push(marks.number));
        }
        found
    }

    const STREAM: &str = ": hello\n\nid: 1\ndata: {\"n\":1,\"t\":5}\n\nretry: 5\n\n\
         data: a\ndata: {\"n\": 2}\n\ndata\n\ndatabase: {\"n\":9}\n\nevent: x\ndata:{\"n\":3}\n\n";

    #[test]
    fn counts_blocks_with_data_at_every_split_and_line_end() {
        let expected = [Some(1), Some(2), None, Some(3)];
        for line_end in ["\n", "\r\n", "\r"] {
            let stream = STREAM.replace('\n', line_end).into_bytes();
            assert_eq!(numbers(&[&stream]), expected, "{line_end:?}");
            for split in 0..=stream.len() {
                let (a, b) = stream.split_at(split);
                assert_eq!(numbers(&[a, b]), expected, "{line_end:?} split at {split}");
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(numbers(&bytes), expected, "{line_end:?} byte by byte");
        }
    }

    #[test]
    fn an_unfinished_block_is_no_event() {
        assert_eq!(numbers(&[b"data: {\"n\":1}\n"]), []);
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(numbers(&[b"\xEF\xBB\xBFdata: {\"n\":1}\n\n"]), [Some(1)]);
    }

    #[test]
    fn marks_in_many_wrappings() {
        for (data, number, sent) in [
            (r#"{"n":7,"t":8}"#, Some(7), Some(8)),
            (r#"{"name":"n","t" : "8", "n": "7"}"#, Some(7), Some(8)),
            (r#"{"data":"{\"n\":7,\"t\":8}"}"#, Some(7), Some(8)),
            (r#"{"n":null}"#, None, None),
            (r#"{"n":99999999999999999999999}"#, None, None),
            ("\"n", None, None),
            ("", None, None),
        ] {
            let mut marks = Marks::default();
            find_marks(data.as_bytes(), &mut marks);
            assert_eq!((marks.number, marks.sent), (number, sent), "{data}");
        }
    }
}
