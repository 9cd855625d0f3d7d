//! Takes the framing off an HTTP/1.1 answer's body. What belongs here: chunked, sized and
//! close-delimited bodies as pure state machines; no sockets.

/// A chunk's size line or trailer longer than this, in bytes, is an error.
const LONGEST_LINE: usize = 8 * 1024;

/// How an answer's body ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    /// In chunks, up to the empty one.
    Chunked(Chunks),
    /// After this many more bytes.
    Sized(u64),
    /// When the connection closes.
    UntilClose,
}

/// What a piece of a body led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More is to come.
    Open,
    /// The body ended after this many bytes of the piece.
    Complete(usize),
}

/// Bytes that are no chunked body.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl Body {
    /// Takes the next bytes of the connection and hands the payload in them to `payload`.
    pub fn feed(&mut self, bytes: &[u8], mut payload: impl FnMut(&[u8])) -> Result<Progress, Malformed> {
        self.feed_pieces(bytes, |piece, _| payload(piece))
    }

    /// The same, and whether a piece ends a chunk. Where there are no chunks each piece counts as one.
    pub fn feed_pieces(
        &mut self,
        bytes: &[u8],
        mut payload: impl FnMut(&[u8], bool),
    ) -> Result<Progress, Malformed> {
        match self {
            Body::Chunked(chunks) => chunks.feed(bytes, payload),
            Body::UntilClose => {
                payload(bytes, true);
                Ok(Progress::Open)
            }
            Body::Sized(left) => {
                let now = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                payload(&bytes[..now], true);
                *left -= now as u64;
                Ok(match *left {
                    0 => Progress::Complete(now),
                    _ => Progress::Open,
                })
            }
        }
    }

    /// Whether the connection may close now without the body being cut off.
    pub fn may_close(&self) -> bool {
        matches!(self, Body::UntilClose | Body::Sized(0))
    }
}

/// Where a chunked body stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    at: At,
    /// The size read so far, then what is left of the chunk.
    left: u64,
    /// Bytes of the current line, to bound it.
    line: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    FirstDigit,
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

impl Chunks {
    fn feed(&mut self, bytes: &[u8], mut payload: impl FnMut(&[u8], bool)) -> Result<Progress, Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            if self.at == At::Data {
                let now = (bytes.len() - at).min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= now as u64;
                payload(&bytes[at..at + now], self.left == 0);
                at += now;
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            self.at = self.step(bytes[at])?;
            at += 1;
            if self.at == At::End {
                return Ok(Progress::Complete(at));
            }
        }
        Ok(Progress::Open)
    }

    /// Takes one byte that is not payload.
    fn step(&mut self, byte: u8) -> Result<At, Malformed> {
        self.line += 1;
        if self.line > LONGEST_LINE {
            return Err(Malformed);
        }
        Ok(match (self.at, byte) {
            (At::FirstDigit | At::Size, digit) if digit.is_ascii_hexdigit() => self.digit(digit)?,
            (At::Size | At::Extension, b'\r') => At::SizeLf,
            (At::Size, b';' | b' ' | b'\t') => At::Extension,
            (At::Extension, other) if other != b'\n' => At::Extension,
            (At::SizeLf, b'\n') => self.next_line(match self.left {
                0 => At::TrailerStart,
                _ => At::Data,
            }),
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => self.next_line(At::FirstDigit),
            (At::TrailerStart, b'\r') => At::EndLf,
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::TrailerStart | At::Trailer, other) if other != b'\n' => At::Trailer,
            (At::TrailerLf, b'\n') => At::TrailerStart,
            (At::EndLf, b'\n') => At::End,
            _ => return Err(Malformed),
        })
    }

    fn next_line(&mut self, at: At) -> At {
        self.line = 0;
        at
    }

    fn digit(&mut self, digit: u8) -> Result<At, Malformed> {
        let value = char::from(digit).to_digit(16).ok_or(Malformed)?;
        if self.left > u64::MAX >> 4 {
            return Err(Malformed);
        }
        self.left = self.left << 4 | u64::from(value);
        Ok(At::Size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<(String, Progress), Malformed> {
        let mut body = Body::Chunked(Chunks::default());
        let mut out = Vec::new();
        let mut progress = Progress::Open;
        for piece in pieces {
            progress = body.feed(piece, |bytes| out.extend_from_slice(bytes))?;
        }
        Ok((String::from_utf8(out).unwrap(), progress))
    }

    const CHUNKED: &[u8] =
        b"5\r\nhello\r\n1;name=value\r\n,\r\n00A \r\n how are y\r\n2\r\nou\r\n0\r\nTrailer: x\r\n\r\n";

    #[test]
    fn chunks_at_every_split() {
        let whole = ("hello, how are you".to_owned(), Progress::Complete(CHUNKED.len()));
        assert_eq!(decode(&[CHUNKED]), Ok(whole));
        for split in 1..CHUNKED.len() {
            let (a, b) = CHUNKED.split_at(split);
            let (text, progress) = decode(&[a, b]).unwrap();
            assert_eq!(text, "hello, how are you", "split at {split}");
            assert_eq!(progress, Progress::Complete(b.len()), "split at {split}");
        }
        let bytes: Vec<&[u8]> = CHUNKED.chunks(1).collect();
        assert_eq!(decode(&bytes).unwrap().0, "hello, how are you");
    }

    #[test]
    fn the_ends_of_chunks_are_told_however_they_come() {
        let pieces = |parts: &[&[u8]]| {
            let mut body = Body::Chunked(Chunks::default());
            let (mut chunks, mut open) = (Vec::new(), Vec::new());
            for part in parts {
                let fed = body.feed_pieces(part, |piece, ends| {
                    open.extend_from_slice(piece);
                    if ends {
                        chunks.push(String::from_utf8(std::mem::take(&mut open)).unwrap());
                    }
                });
                fed.unwrap();
            }
            (chunks, open.len())
        };
        let expected = ["hello", ",", " how are y", "ou"].map(str::to_owned).to_vec();
        for split in 0..=CHUNKED.len() {
            let (a, b) = CHUNKED.split_at(split);
            assert_eq!(pieces(&[a, b]), (expected.clone(), 0), "split at {split}");
        }
        assert_eq!(pieces(&[b"3\r\nab"]), (Vec::new(), 2));
    }

    #[test]
    fn what_follows_the_body_is_left_alone() {
        let (text, progress) = decode(&[b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK"]).unwrap();
        assert_eq!((text.as_str(), progress), ("a", Progress::Complete(11)));
    }

    #[test]
    fn malformed_chunks() {
        for bad in [
            &b"\r\n"[..],
            b"x\r\n",
            b"5\n",
            b"1\r\nab\r\n",
            b"1\r\na\n",
            b"11111111111111111\r\n",
            b"0\r\n\n",
        ] {
            assert_eq!(decode(&[bad]), Err(Malformed), "{bad:?}");
        }
        let endless = vec![b'0'; LONGEST_LINE + 1];
        assert_eq!(decode(&[&endless]), Err(Malformed));
    }

    #[test]
    fn sized_and_close_delimited() {
        let mut body = Body::Sized(3);
        assert_eq!(body.feed(b"ab", |_| ()), Ok(Progress::Open));
        assert!(!body.may_close());
        assert_eq!(body.feed(b"cd", |_| ()), Ok(Progress::Complete(1)));
        assert!(body.may_close());
        assert_eq!(Body::UntilClose.feed(b"ab", |_| ()), Ok(Progress::Open));
        assert!(Body::UntilClose.may_close());
    }
}
