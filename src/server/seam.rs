//! The socket as hyper sees it: bytes read while sniffing come first, flushes are counted, and the
//! bare error answers hyper writes by itself are replaced by problem documents.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use poem::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{head::date, io_kind::Io, problem, takeover::Slot};

/// The socket as hyper sees it.
pub(crate) struct Seam {
    pre: Bytes,
    /// What is written in place of hyper's own bare error answer.
    instead: Bytes,
    /// Whether hyper speaks HTTP/1.1, whose bare errors are swapped.
    swaps_errors: bool,
    /// Whether the last write was taken whole: what begins a write now begins an answer.
    whole: bool,
    io: Option<Io>,
    slot: Arc<Slot>,
}

impl Seam {
    pub(crate) fn new(io: Io, pre: Bytes, slot: Arc<Slot>, swaps_errors: bool) -> Seam {
        Seam {
            pre,
            instead: Bytes::new(),
            swaps_errors,
            whole: true,
            io: Some(io),
            slot,
        }
    }

    fn io(&mut self) -> Pin<&mut Io> {
        Pin::new(
            self.io
                .as_mut()
                .expect("the socket is taken out only when hyper is gone"),
        )
    }

    /// The socket, and what was put in front and not read yet.
    pub(crate) fn into_parts(mut self) -> (Option<Io>, Bytes) {
        (self.io.take(), std::mem::take(&mut self.pre))
    }

    /// Writes what stands in for hyper's error answer.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let bytes = self.instead.clone();
            match self.io().poll_write(cx, &bytes) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.instead.advance(n),
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Seam {
    fn drop(&mut self) {
        if let (Some(io), true) = (&self.io, self.slot.resets()) {
            io.arm_reset();
        }
    }
}

impl AsyncRead for Seam {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.pre.is_empty() {
            return this.io().poll_read(cx, buf);
        }
        let n = this.pre.len().min(buf.remaining());
        buf.put_slice(&this.pre[..n]);
        this.pre.advance(n);
        // Filling the same buffer further keeps hyper from sizing its buffers by a short first
        // read. An error shows again at the next read.
        if this.pre.is_empty() && buf.remaining() > 0 {
            let _ = this.io().poll_read(cx, buf);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Seam {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.slot.writing();
        if let Some(status) = bare_error(buf).filter(|_| this.swaps_errors && this.whole) {
            this.instead = error_answer(status);
            return Poll::Ready(Ok(buf.len()));
        }
        let written = ready!(this.io().poll_write(cx, buf))?;
        this.whole = written == buf.len();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        ready!(this.io().poll_flush(cx))?;
        this.slot.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.slot.ends_unannounced() {
            return Poll::Ready(this.io().finish());
        }
        this.io().poll_shutdown(cx)
    }
}

/// The answers hyper writes by itself to requests it cannot parse, as they stand on the wire. They
/// differ from all answers of ours, which carry a `date`.
const BARE_ERRORS: [(StatusCode, &[u8]); 3] = [
    (
        StatusCode::BAD_REQUEST,
        b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        StatusCode::URI_TOO_LONG,
        b"HTTP/1.1 414 URI Too Long\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    ),
];

/// Which of hyper's own error answers a write is, if it is nothing else. Behind another answer in
/// the same write it stays bare: it cannot be told from a body that says the same.
fn bare_error(buf: &[u8]) -> Option<StatusCode> {
    let (status, _) = BARE_ERRORS.iter().find(|(_, head)| buf == *head)?;
    Some(*status)
}

fn error_answer(status: StatusCode) -> Bytes {
    let detail = match status {
        StatusCode::BAD_REQUEST => "the request is not valid HTTP",
        StatusCode::URI_TOO_LONG => "the request target is too long",
        _ => "the request head is larger than this server takes",
    };
    let body = problem::body(status, detail);
    let reason = status.canonical_reason().unwrap_or_default();
    let date = date();
    Bytes::from(format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\ndate: {date}\r\n\r\n{body}",
        status.as_u16(),
        problem::PROBLEM_JSON,
        body.len(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_error_alone_is_replaced() {
        let (_, bare) = BARE_ERRORS[2];
        let body = [b"HTTP/1.1 200 OK\r\ndate: x\r\n\r\n", bare].concat();
        assert_eq!(bare_error(bare).map(|s| s.as_u16()), Some(431));
        assert_eq!(bare_error(&body), None);
        assert_eq!(bare_error(b"HTTP/1.1 400 Bad Request\r\ndate: x\r\n\r\n"), None);
    }
}
