//! What is valid by construction.

/// How a stream ends, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Cleanly: the terminating chunk, END_STREAM.
    Close,
    /// HTTP/1.1: FIN without the terminating chunk; HTTP/2: RST_STREAM with this code.
    Cut {
        /// HTTP/2 error code (RFC 9113, §7).
        code: u32,
    },
    /// TCP RST; over HTTP/2 it takes the whole connection with it.
    Reset,
    /// HTTP/2: GOAWAY, then a clean end of the stream; HTTP/1.1: a clean end and `connection: close`.
    Goaway,
    /// Open and silent for ever.
    Stall,
    /// Open, heartbeats go on.
    Hold,
}
