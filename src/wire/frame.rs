//! A piece of a stream's body, encoded once for every transport that may carry it.

use std::io::Write;

use bytes::Bytes;

/// One write of a stream's body, with its HTTP/1.1 chunk framing already around it (RFC 9112, §7.1).
///
/// Cloning shares the bytes: a topic encodes a message once for all its subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    chunk: Bytes,
    head: u8,
}

impl Frame {
    /// Frames a body piece. It must not be empty: an empty chunk would end the body.
    pub fn new(body: &[u8]) -> Frame {
        debug_assert!(!body.is_empty());
        // As long as it will be: what has room to spare needs memory for that, and a second allocation.
        let head = hex_digits(body.len()) + 2;
        let mut chunk = Vec::with_capacity(head + body.len() + 2);
        // Writing to memory does not fail.
        let _ = write!(chunk, "{:x}\r\n", body.len());
        chunk.extend_from_slice(body);
        chunk.extend_from_slice(b"\r\n");
        Frame {
            chunk: chunk.into(),
            head: head as u8,
        }
    }

    /// The bare body bytes (HTTP/2, bodies that end with the connection).
    pub fn body(&self) -> Bytes {
        self.chunk.slice(self.head as usize..self.chunk.len() - 2)
    }

    /// The bare body bytes, to be looked at.
    pub fn as_bytes(&self) -> &[u8] {
        &self.chunk[self.head as usize..self.chunk.len() - 2]
    }

    /// The body as one chunk of a chunked HTTP/1.1 body.
    pub fn chunk(&self) -> &Bytes {
        &self.chunk
    }

    /// The chunk up to and with the first `bytes` bytes of the body: its header announces the whole.
    pub fn part(&self, bytes: usize) -> &[u8] {
        &self.chunk[..self.head as usize + bytes.min(self.len())]
    }

    /// Length of the bare body in bytes.
    pub fn len(&self) -> usize {
        self.chunk.len() - 2 - self.head as usize
    }

    /// Always false: a frame carries at least a byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn hex_digits(number: usize) -> usize {
    number.checked_ilog(16).unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chunk_holds_length_body_and_line_ends() {
        let frame = Frame::new(b"data: a\n\n");
        assert_eq!(&frame.chunk()[..], b"9\r\ndata: a\n\n\r\n");
        assert_eq!(&frame.body()[..], b"data: a\n\n");
        assert_eq!(frame.len(), 9);
        assert_eq!(frame.part(4), b"9\r\ndata");
        assert_eq!(frame.part(99), b"9\r\ndata: a\n\n");
    }

    #[test]
    fn whatever_its_length_the_body_comes_back_and_nothing_is_left_over() {
        for length in [1, 9, 15, 16, 17, 255, 256, 4095, 4096, 65_535, 65_536, 1 << 20] {
            let body = vec![b'x'; length];
            let frame = Frame::new(&body);
            assert_eq!(frame.as_bytes(), body, "{length}");
            let chunk = [format!("{length:x}\r\n").as_bytes(), &body, b"\r\n"].concat();
            assert_eq!(frame.chunk(), &chunk, "{length}");
        }
    }
}
