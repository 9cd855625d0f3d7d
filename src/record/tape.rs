//! Bytes → writes: pieces of chunks are put together, events are counted, and the last one wanted is
//! where the tape ends.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;

use crate::play::Reader;
use crate::scenario::recording::{self, Write};

/// A chunk that is larger, in bytes, becomes several writes.
const LARGEST_WRITE: usize = 1 << 20;

/// Where lines go.
pub trait Out {
    /// Takes a line, so that it is not lost whatever happens next.
    fn line(&mut self, line: &str) -> io::Result<()>;
}

/// A recording under way.
pub struct Tape<O> {
    out: O,
    /// The write that has not ended yet, and when it began.
    open: Vec<u8>,
    began: Duration,
    /// Counts events, where they can be read.
    reader: Option<Reader>,
    /// How many are wanted.
    wanted: Option<u64>,
    /// The file takes no more than this, in bytes.
    room: u64,
    pub events: u64,
    pub writes: u64,
    pub bytes: u64,
    /// When the last write came.
    pub last: Duration,
    /// Why nothing more is taken.
    pub full: Option<Full>,
}

/// Why a tape takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// It has the events that are wanted.
    Events,
    /// The file would become too large to be read again.
    Room,
}

impl<O: Out> Tape<O> {
    /// `readable`: the body is an event stream that is not compressed.
    pub fn new(out: O, readable: bool, wanted: Option<u64>, room: u64) -> Tape<O> {
        Tape {
            out,
            open: Vec::new(),
            began: Duration::ZERO,
            reader: readable.then(Reader::default),
            wanted,
            room,
            events: 0,
            writes: 0,
            bytes: 0,
            last: Duration::ZERO,
            full: None,
        }
    }

    /// Whether events are counted.
    pub fn counts(&self) -> bool {
        self.reader.is_some()
    }

    /// Takes a piece; `ends`: a write ends with it. `Break`: nothing more is wanted.
    pub fn take(&mut self, piece: &[u8], ends: bool, at: Duration) -> io::Result<ControlFlow<()>> {
        if self.full.is_some() {
            return Ok(ControlFlow::Break(()));
        }
        if self.open.is_empty() {
            self.began = at;
        }
        let piece = self.wanted_of(piece);
        self.open.extend_from_slice(piece);
        if ends || self.full.is_some() || self.open.len() >= LARGEST_WRITE {
            self.flush()?;
        }
        Ok(match self.full {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        })
    }

    /// Ends the write that is open.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let write = Write {
            at: self.began,
            bytes: Bytes::from(std::mem::take(&mut self.open)),
        };
        let line = recording::line(&write);
        match self.room.checked_sub(line.len() as u64) {
            Some(left) => self.room = left,
            None => {
                self.full = Some(Full::Room);
                return Ok(());
            }
        }
        self.out.line(&line)?;
        self.writes += 1;
        self.bytes += write.bytes.len() as u64;
        self.last = write.at;
        Ok(())
    }

    /// The beginning of a piece, up to the end of the last event that is wanted.
    fn wanted_of<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let Some(reader) = &mut self.reader else {
            return piece;
        };
        let mut at = 0;
        while at < piece.len() {
            // One line at a time: an event ends where its blank line does.
            let line = memchr::memchr2(b'\n', b'\r', &piece[at..]).map_or(piece.len(), |end| at + end + 1);
            self.events += reader.feed(&piece[at..line]).len() as u64;
            at = line;
            if self.wanted.is_some_and(|wanted| self.events >= wanted) {
                self.full = Some(Full::Events);
                let pair = piece[at - 1] == b'\r' && piece.get(at) == Some(&b'\n');
                return &piece[..at + usize::from(pair)];
            }
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Out for &mut Vec<String> {
        fn line(&mut self, line: &str) -> io::Result<()> {
            self.push(line.to_owned());
            Ok(())
        }
    }

    #[test]
    fn pieces_of_a_chunk_are_one_write_from_its_first_piece_on() {
        let mut lines = Vec::new();
        let mut tape = Tape::new(&mut lines, true, None, u64::MAX);
        let at = Duration::from_millis;
        for (piece, ends, ms) in [("data: ", false, 1), ("a\n\n", true, 5), ("data", false, 9)] {
            assert!(tape.take(piece.as_bytes(), ends, at(ms)).unwrap().is_continue());
        }
        tape.flush().unwrap();
        assert_eq!((tape.events, tape.writes, tape.bytes), (1, 2, 13));
        assert_eq!(
            lines,
            [
                "{\"at\":1.0,\"text\":\"data: a\\n\\n\"}\n",
                "{\"at\":9.0,\"text\":\"data\"}\n"
            ]
        );
    }

    #[test]
    fn the_last_event_ends_with_its_blank_line() {
        for (stream, kept) in [
            ("data: a\n\ndata: b\n\nrest", "data: a\n\ndata: b\n\n"),
            (
                "data: a\r\n\r\ndata: b\r\n\r\nrest",
                "data: a\r\n\r\ndata: b\r\n\r\n",
            ),
            ("data: a\r\rdata: b\r\rrest", "data: a\r\rdata: b\r\r"),
            (
                ": c\n\nid: 1\n\ndata\n\n\ndata:b\n\n\n",
                ": c\n\nid: 1\n\ndata\n\n\ndata:b\n\n",
            ),
        ] {
            for cut in 0..=stream.len() {
                let mut lines = Vec::new();
                let mut tape = Tape::new(&mut lines, true, Some(2), u64::MAX);
                for piece in [&stream[..cut], &stream[cut..]] {
                    let _ = tape.take(piece.as_bytes(), true, Duration::ZERO).unwrap();
                }
                assert_eq!((tape.events, tape.full), (2, Some(Full::Events)));
                let writes = lines
                    .iter()
                    .flat_map(|line| recording::parse(line.as_bytes()).unwrap());
                let bytes: Vec<u8> = writes.flat_map(|write| write.bytes.to_vec()).collect();
                let text = String::from_utf8(bytes).unwrap();
                // An LF that comes later is not waited for.
                assert!(
                    text == kept || text == kept[..kept.len() - 1] && kept.ends_with("\r\n"),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn a_file_that_could_not_be_read_again_is_not_written() {
        let mut lines = Vec::new();
        let mut tape = Tape::new(&mut lines, false, Some(1), 50);
        let took = |tape: &mut Tape<_>| tape.take(b"data: a\n\n", true, Duration::ZERO).unwrap();
        assert!(took(&mut tape).is_continue());
        assert!(took(&mut tape).is_break());
        assert!(took(&mut tape).is_break());
        assert_eq!((tape.full, tape.writes, lines.len()), (Some(Full::Room), 1, 1));
    }
}
