//! HTTP/1.1 connections: hyper parses requests and answers the plain ones; a live stream leaves
//! hyper with its socket, and comes back for the next request if it ended cleanly.
//!
//! The service puts a finished head and the stream's description into the [`Slot`] and stays
//! pending. Once hyper has nothing more to write (it flushes its IO only when its own buffer is
//! empty: that is what `drained` tells), the connection task takes the socket out of hyper, drops
//! hyper with its buffers, and runs the stream in a fresh small task.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::Notify,
};

use super::{
    Phase, Shared,
    http1::{Framing, Http1Sink},
    io_kind::Io,
    live::Permit,
    problem,
    service::{Http1Service, Peer},
    stream::{ServerSink, StreamSpec},
};

/// A stream that wants its connection.
pub(crate) struct Taken {
    pub(crate) head: Vec<u8>,
    pub(crate) spec: StreamSpec,
    pub(crate) framing: Framing,
    pub(crate) reusable: bool,
}

/// What an HTTP/2 stream asks of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// GOAWAY: no new streams, close after the last.
    Goaway,
    /// RST.
    Reset,
}

/// What a connection's task, its socket and its services tell each other.
#[derive(Default)]
pub(crate) struct Slot {
    taken: Mutex<Option<Taken>>,
    signalled: AtomicBool,
    drained: AtomicBool,
    flushes: AtomicU64,
    reset: AtomicBool,
    command: Mutex<Option<Command>>,
    commanded: Notify,
}

impl Slot {
    /// Asks for the connection: it is taken as soon as hyper has written all it has.
    pub(crate) fn take_over(&self, taken: Taken) {
        *self.taken.lock().unwrap_or_else(|e| e.into_inner()) = Some(taken);
        self.signalled.store(true, Ordering::Release);
    }

    /// How often everything written has reached the system.
    pub(crate) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }

    /// Asks the connection's task for something; a reset outranks the rest.
    pub(crate) fn command(&self, command: Command) {
        let mut waiting = self.command.lock().unwrap_or_else(|e| e.into_inner());
        if *waiting != Some(Command::Reset) {
            *waiting = Some(command);
        }
        drop(waiting);
        self.commanded.notify_one();
    }

    /// The next command.
    pub(crate) async fn commanded(&self) -> Command {
        loop {
            self.commanded.notified().await;
            if let Some(c) = self.command.lock().unwrap_or_else(|e| e.into_inner()).take() {
                return c;
            }
        }
    }

    /// From now on dropping the connection sends RST.
    pub(crate) fn arm_reset(&self) {
        self.reset.store(true, Ordering::Release);
    }
}

/// The socket as hyper sees it.
pub(crate) struct Seam {
    pre: Bytes,
    /// What is written in place of hyper's own bare error answer.
    instead: Bytes,
    io: Option<Io>,
    slot: Arc<Slot>,
}

impl Seam {
    pub(crate) fn new(io: Io, pre: Bytes, slot: Arc<Slot>) -> Seam {
        Seam {
            pre,
            instead: Bytes::new(),
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
    fn into_parts(mut self) -> (Option<Io>, Bytes) {
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
        if let (Some(io), true) = (&self.io, self.slot.reset.load(Ordering::Acquire)) {
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
        this.slot.drained.store(false, Ordering::Release);
        match bare_error(buf) {
            Some((0, status)) => {
                this.instead = error_answer(status);
                Poll::Ready(Ok(buf.len()))
            }
            Some((at, _)) => this.io().poll_write(cx, &buf[..at]),
            None => this.io().poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        std::task::ready!(this.poll_instead(cx))?;
        std::task::ready!(this.io().poll_flush(cx))?;
        this.slot.flushes.fetch_add(1, Ordering::AcqRel);
        if this.slot.signalled.load(Ordering::Acquire) {
            this.slot.drained.store(true, Ordering::Release);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io().poll_shutdown(cx)
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

/// Where in a write hyper's own error answer begins, and which it is. It is always the last thing
/// hyper writes.
fn bare_error(buf: &[u8]) -> Option<(usize, StatusCode)> {
    let (status, head) = BARE_ERRORS.iter().find(|(_, head)| buf.ends_with(head))?;
    Some((buf.len() - head.len(), *status))
}

fn error_answer(status: StatusCode) -> Bytes {
    let detail = match status {
        StatusCode::BAD_REQUEST => "the request is not valid HTTP",
        StatusCode::URI_TOO_LONG => "the request target is too long",
        _ => "the request head is larger than this server takes",
    };
    let body = problem::body(status, detail);
    let reason = status.canonical_reason().unwrap_or_default();
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    Bytes::from(format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\ndate: {date}\r\n\r\n{body}",
        status.as_u16(),
        problem::PROBLEM_JSON,
        body.len(),
    ))
}

/// What became of a connection in hyper.
enum Outcome {
    /// hyper is done with it.
    Done(Io),
    /// A stream takes it over.
    Taken(Io, Vec<u8>, Taken),
}

/// One HTTP/1.1 connection, until it closes or a stream takes it over. Boxed, because a stream's
/// end leads back here.
pub(crate) fn connection(
    shared: Arc<Shared>,
    io: Io,
    pre: Bytes,
    permit: Permit,
    refused: bool,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match drive(&shared, io, pre, refused).await {
            Some(Outcome::Done(io)) => io.close().await,
            Some(Outcome::Taken(io, leftover, taken)) => {
                hand_over(shared, io, leftover, taken, permit).await;
            }
            None => {}
        }
    })
}

/// Lets hyper serve requests until it is done, or a stream wants the connection.
async fn drive(shared: &Arc<Shared>, io: Io, pre: Bytes, refused: bool) -> Option<Outcome> {
    let slot = Arc::new(Slot::default());
    let peer = Peer::of(&io, refused)?;
    let service = Http1Service {
        shared: shared.clone(),
        peer: Arc::new(peer),
        slot: slot.clone(),
    };
    let mut conn = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.config.header_read_timeout)
        .max_header_size(shared.config.max_header_bytes)
        .max_buf_size(shared.config.max_header_bytes.max(8192) + 8192)
        .keep_alive(!refused && shared.keeps_connections())
        .auto_date_header(false) // the service adds it: see BARE_ERRORS
        .writev(false)
        .serve_connection(TokioIo::new(Seam::new(io, pre, slot.clone())), service);
    let mut phase = shared.phase.clone();
    let draining = async move { drop(phase.wait_for(|p| *p >= Phase::Draining).await) };
    let mut draining = Box::pin(draining);
    let mut told = false;
    let done = poll_fn(|cx| {
        if !told && draining.as_mut().poll(cx).is_ready() {
            told = true;
            Pin::new(&mut conn).graceful_shutdown();
        }
        match conn.poll_without_shutdown(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if slot.drained.load(Ordering::Acquire) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    let done = done.await;
    if let Some(Err(e)) = &done {
        tracing::debug!("connection ended: {e}");
        if e.is_user() {
            return None; // a broken body must not look like one that was ended
        }
    }
    let parts = conn.into_parts();
    let (io, unread) = parts.io.into_inner().into_parts();
    let io = io?;
    if done.is_some() {
        return Some(Outcome::Done(io));
    }
    let taken = slot.taken.lock().unwrap_or_else(|e| e.into_inner()).take()?;
    // Copied: keeping hyper's buffer would pin all of its 8 KiB.
    let leftover = [&parts.read_buf[..], &unread[..]].concat();
    Some(Outcome::Taken(io, leftover, taken))
}

/// Writes the head and starts the stream in a task of its own.
async fn hand_over(shared: Arc<Shared>, mut io: Io, leftover: Vec<u8>, taken: Taken, permit: Permit) {
    if io.write_all(&taken.head).await.is_err() || io.flush().await.is_err() {
        return;
    }
    let sink = Http1Sink::new(io, leftover, taken.framing, taken.reusable);
    if let Some(running) = taken.spec.start(ServerSink::Http1(sink)) {
        drop((taken.head, taken.spec));
        permit.run(|permit| live(running, shared, permit));
    }
}

/// A live stream: as small as a task can be, for there may be very many.
async fn live(running: super::stream::Running, shared: Arc<Shared>, permit: Permit) {
    let (sink, end) = running.await;
    let ServerSink::Http1(sink) = sink else {
        return;
    };
    if let Some(free) = Box::pin(sink.finish(end)).await {
        if shared.keeps_connections() {
            let pre = Bytes::from(free.leftover);
            permit.run(|permit| connection(shared, free.io, pre, permit, false));
        } else {
            Box::pin(free.io.close()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_error_at_the_end_is_replaced() {
        let (_, bare) = BARE_ERRORS[2];
        let after = [b"HTTP/1.1 200 OK\r\ndate: x\r\n\r\n", bare].concat();
        assert_eq!(bare_error(bare).map(|(at, s)| (at, s.as_u16())), Some((0, 431)));
        assert_eq!(bare_error(&after).map(|(at, _)| at), Some(28));
        assert_eq!(bare_error(b"HTTP/1.1 400 Bad Request\r\ndate: x\r\n\r\n"), None);
    }
}
