//! How a client is told where a body ends (RFC 9112, §6.3).

/// The framing of a body over HTTP/1.1. HTTP/2 has frames of its own and ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Chunks, the last one empty (RFC 9112, §7.1). HTTP/1.0 clients get [`Framing::Close`] instead.
    Chunked,
    /// Bare bytes, as many as `content-length` announces.
    Sized,
    /// Bare bytes until the connection is closed.
    Close,
}
