//! What a stream's client has been sent, read from the bytes themselves (HTML standard, 9.2.6).

use std::num::NonZeroU64;

use super::Lines;

/// Bytes of a line that are looked at: fields that matter here are shorter, and a long line must not
/// fill the memory.
const MOST_KEPT: usize = 1 << 10;

/// The byte order mark in UTF-8, which counts for nothing where a stream begins with it.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What has been sent in one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Events that a client dispatches: blocks with data that have ended.
    pub events: u64,
    /// Lines that are comments.
    pub comments: u64,
    /// Bytes of the body, before any content coding.
    pub bytes: u64,
    /// The last event id that a client has by now, as it would send it back; `None`: no block with an
    /// `id` has ended. An id of more than 1 KiB is cut there.
    pub last_event_id: Option<String>,
    /// The last reconnection time that was sent, in milliseconds.
    pub retry_ms: Option<u64>,
}

/// What one piece of a stream is to whoever gets it, worked out once for all that do: blocks that begin
/// and end with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digest {
    events: u64,
    comments: u64,
    last_id: Option<Box<[u8]>>,
    retry: Option<Retry>,
}

/// A reconnection time: one more than its milliseconds, so that one that is missing takes no more memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Retry(NonZeroU64);

impl Digest {
    /// `None` unless the last block ends with the bytes, and the first line is the same wherever it stands:
    /// a byte order mark is not.
    pub fn of(bytes: &[u8]) -> Option<Digest> {
        if bytes.starts_with(BOM) {
            return None;
        }
        let mut tally = Tally::default();
        tally.feed(bytes);
        let reading = tally.reading.take()?;
        reading.is_between_blocks().then_some(tally.known)
    }
}

/// Counts what is sent, however the bytes are spread over writes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    bytes: u64,
    known: Digest,
    /// What is being read; none is needed for pieces that are digested already.
    reading: Option<Box<Reading>>,
}

#[derive(Debug, Default)]
struct Reading {
    lines: Lines,
    /// Bytes that `lines` has of the line that has not ended yet.
    length: usize,
    rest: Rest,
    block: Block,
}

/// What is known of the part of a line that is not kept.
#[derive(Debug, Default, Clone, Copy)]
struct Rest {
    exists: bool,
    has_nul: bool,
}

/// A block that has not ended yet.
#[derive(Debug, Default)]
struct Block {
    has_data: bool,
    id: Vec<u8>,
    /// The block has an id.
    id_came: bool,
}

impl Tally {
    /// Takes the next bytes of the body, and what they are to whoever gets them, if that is known.
    pub(crate) fn feed_digested(&mut self, bytes: &[u8], digest: Option<&Digest>) {
        let between = self.reading.as_ref().is_none_or(|r| r.is_between_blocks());
        let Some(digest) = digest.filter(|_| between) else {
            return self.feed(bytes);
        };
        self.bytes += bytes.len() as u64;
        self.known.events += digest.events;
        self.known.comments += digest.comments;
        self.known.retry = digest.retry.or(self.known.retry);
        if let Some(id) = &digest.last_id {
            keep(&mut self.known.last_id, id);
        }
        if let Some(reading) = &mut self.reading {
            reading.lines.pass_over();
        }
    }

    /// Takes the next bytes of the body.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        // Once something has been sent a byte order mark can no longer come.
        let (known, begun) = (&mut self.known, self.bytes > 0);
        self.bytes += bytes.len() as u64;
        let reading = self.reading.get_or_insert_with(|| Reading::new(begun));
        while !bytes.is_empty() {
            let end = memchr::memchr2(b'\n', b'\r', bytes);
            let content = end.unwrap_or(bytes.len());
            let next = end.map_or(content, |end| end + 1);
            let kept = content.min(MOST_KEPT - reading.length);
            if kept == content {
                reading.pass(&bytes[..next], known);
            } else {
                reading.rest.exists = true;
                reading.rest.has_nul |= memchr::memchr(0, &bytes[kept..content]).is_some();
                reading.pass(&bytes[..kept], known);
                reading.pass(&bytes[content..next], known);
            }
            reading.length += kept;
            if end.is_some() {
                reading.length = 0;
                reading.rest = Rest::default();
            }
            bytes = &bytes[next..];
        }
    }

    /// There is no more to come: gives back what only reading needs. Answers with how many bytes of
    /// memory are kept.
    pub(crate) fn finish(&mut self) -> usize {
        self.reading = None;
        self.known.last_id.as_ref().map_or(0, |id| id.len())
    }

    /// What has been sent until now.
    pub(crate) fn sent(&self) -> Sent {
        let id = self.known.last_id.as_deref();
        Sent {
            events: self.known.events,
            comments: self.known.comments,
            bytes: self.bytes,
            last_event_id: id.map(|id| String::from_utf8_lossy(id).into_owned()),
            retry_ms: self.known.retry.map(|Retry(one_more)| one_more.get() - 1),
        }
    }
}

/// In the memory of the id before, where that fits.
fn keep(last: &mut Option<Box<[u8]>>, id: &[u8]) {
    match last {
        Some(last) if last.len() == id.len() => last.copy_from_slice(id),
        other => *other = Some(id.into()),
    }
}

impl Reading {
    fn new(begun: bool) -> Box<Reading> {
        let mut reading = Box::<Reading>::default();
        if begun {
            reading.lines.pass_over();
        }
        reading
    }

    fn pass(&mut self, bytes: &[u8], known: &mut Digest) {
        let Reading {
            lines, block, rest, ..
        } = self;
        lines.feed(bytes, |line, _| block.line(line, *rest, known));
    }

    fn is_between_blocks(&self) -> bool {
        self.length == 0 && !self.rest.exists && !self.block.has_data && !self.block.id_came
    }
}

impl Block {
    /// A line without its end, and what is known of its rest.
    fn line(&mut self, line: &[u8], rest: Rest, known: &mut Digest) {
        if line.is_empty() {
            return self.end(known);
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(0) => {
                known.comments += 1;
                return;
            }
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.has_data = true,
            b"id" if !rest.has_nul && memchr::memchr(0, value).is_none() => {
                self.id.clear();
                self.id.extend_from_slice(value);
                self.id_came = true;
            }
            b"retry" if !rest.exists => known.retry = milliseconds(value).or(known.retry),
            _ => {}
        }
    }

    fn end(&mut self, known: &mut Digest) {
        known.events += u64::from(std::mem::take(&mut self.has_data));
        if std::mem::take(&mut self.id_came) {
            keep(&mut known.last_id, &self.id);
        }
    }
}

/// The number, if there are digits and nothing else; one that is too large is the largest there is.
fn milliseconds(digits: &[u8]) -> Option<Retry> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| all)?;
    let milliseconds = text.parse().unwrap_or(u64::MAX);
    Some(Retry(NonZeroU64::MIN.saturating_add(milliseconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Sent {
        let mut tally = Tally::default();
        pieces.into_iter().for_each(|piece| tally.feed(piece));
        tally.sent()
    }

    #[test]
    fn counts_what_a_client_gets_however_it_is_cut() {
        let none: Option<&str> = None;
        for (stream, events, comments, id, retry_ms) in [
            ("", 0, 0, none, None),
            ("data: a\n\n", 1, 0, None, None),
            ("data\n\n", 1, 0, None, None),
            ("data: a\ndata: b\n\n\n\ndata:c\n\n", 2, 0, None, None),
            ("\u{feff}data: a\n\n", 1, 0, None, None),
            ("\u{feff}: a\n\u{feff}: no comment\n", 0, 1, None, None),
            (":\n\n: two\n:three\n", 0, 3, None, None),
            ("database: no\n\n data: no\n\nevent: x\n\n", 0, 0, None, None),
            ("data: cut off", 0, 0, None, None),
            ("data: cut off\n", 0, 0, None, None),
            ("id: 1\ndata: a\n", 0, 0, None, None),
            ("id: 1\ndata: a\n\nid: 2\n", 1, 0, Some("1"), None),
            ("id: 1\n\n", 0, 0, Some("1"), None),
            ("id: 1\nid: 2\ndata\n\ndata\n\n", 2, 0, Some("2"), None),
            ("id: 1\ndata\n\nid\ndata\n\n", 2, 0, Some(""), None),
            ("id: 1\ndata\n\nid: 2\0\ndata\n\n", 2, 0, Some("1"), None),
            ("id: \0\ndata\n\n", 1, 0, None, None),
            ("id:  ☃ \n\n", 0, 0, Some(" ☃ "), None),
            ("retry: 5\n", 0, 0, None, Some(5)),
            ("retry:10\nretry: 20\n", 0, 0, None, Some(20)),
            (
                "retry: 5\nretry: 5s\nretry: -1\nretry\nretry:  7\n",
                0,
                0,
                None,
                Some(5),
            ),
            ("retry: 99999999999999999999\n", 0, 0, None, Some(u64::MAX - 1)),
            ("retry: 3", 0, 0, None, None),
            ("ID: 1\nRetry: 3\nDATA: x\n\n", 0, 0, None, None),
        ] {
            for line_end in ["\n", "\r\n", "\r"] {
                let stream = stream.replace('\n', line_end).into_bytes();
                let expected = Sent {
                    events,
                    comments,
                    bytes: stream.len() as u64,
                    last_event_id: id.map(str::to_owned),
                    retry_ms,
                };
                let shown = String::from_utf8_lossy(&stream);
                assert_eq!(sent(stream.chunks(1)), expected, "{shown:?} byte by byte");
                for at in 0..=stream.len() {
                    let (one, two) = stream.split_at(at);
                    assert_eq!(sent([one, two]), expected, "{shown:?} cut at {at}");
                }
            }
        }
    }

    #[test]
    fn an_id_that_is_no_utf8_is_what_a_client_makes_of_it() {
        let sent = sent([&b"id: \xff\n\n"[..]]);
        assert_eq!(sent.last_event_id.as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn long_lines_are_read_the_same_and_not_kept() {
        let long = "x".repeat(5000);
        let stream = format!(
            "id: {long}\ndata: {long}\n\nid: {long}\0\n: {long}\nretry: {}\n{long}: {long}\ndata: b\n\n",
            "1".repeat(2000)
        );
        for size in [1, 3, 1000, 1024, 1030, 4096, stream.len()] {
            let mut tally = Tally::default();
            for piece in stream.as_bytes().chunks(size) {
                tally.feed(piece);
                assert!(
                    tally
                        .reading
                        .as_ref()
                        .is_some_and(|reading| reading.length <= MOST_KEPT)
                );
            }
            let sent = tally.sent();
            let id = sent.last_event_id.as_deref();
            assert_eq!(id, Some(&long[..MOST_KEPT - "id: ".len()]), "pieces of {size}");
            assert_eq!((sent.events, sent.comments, sent.retry_ms), (2, 1, None));
            assert_eq!(sent.bytes, stream.len() as u64);
        }
    }

    proptest::proptest! {
        #[test]
        fn cuts_change_nothing(stream in "(data|id|retry|:| |1|a|\0|\r|\n|\u{feff}){0,40}", size in 1usize..9) {
            let bytes = stream.as_bytes();
            proptest::prop_assert_eq!(sent(bytes.chunks(size)), sent([bytes]));
        }
    }

    #[test]
    fn a_digest_says_what_reading_would() {
        let begun = [
            "",
            "\r",
            "data: x\n\n",
            "data: x\r\n\r",
            "id: 7\n\n",
            "data: x\n",
            "id: 7\n",
            ": c",
            "ret",
        ];
        let pieces = [
            "data: a\n\n",
            "id: 1\ndata: a\n\n",
            "id\n\n",
            ": c\n\n",
            "retry: 5\n\n",
            "\u{feff}: c\n\n",
        ];
        for (begun, piece) in begun.iter().flat_map(|b| pieces.map(|p| (*b, p))) {
            let mut tally = Tally::default();
            tally.feed(begun.as_bytes());
            let digest = Digest::of(piece.as_bytes());
            // Only the very first line may begin with a mark.
            assert_eq!(digest.is_none(), piece.starts_with('\u{feff}'));
            for _ in 0..2 {
                tally.feed_digested(piece.as_bytes(), digest.as_ref());
            }
            let whole = [begun, piece, piece].concat();
            assert_eq!(tally.sent(), sent([whole.as_bytes()]), "{whole:?}");
        }
        for unfinished in ["data: a\n", "data: a", "id: 1\n", "x"] {
            assert_eq!(Digest::of(unfinished.as_bytes()), None, "{unfinished:?}");
        }
    }
}
