//! A piece of a stream's body, encoded once for every transport that may carry it.

use bytes::{BufMut, Bytes, BytesMut};

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
        let mut chunk = BytesMut::with_capacity(body.len() + 12);
        chunk.put_slice(format!("{:x}\r\n", body.len()).as_bytes());
        let head = chunk.len() as u8;
        chunk.put_slice(body);
        chunk.put_slice(b"\r\n");
        Frame {
            chunk: chunk.freeze(),
            head,
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
}
