//! HTTP/1.1 connections: hyper parses requests and answers the plain ones; a live stream leaves
//! hyper with its socket, and comes back for the next request if it ended cleanly.
//!
//! The service puts a finished head and the stream's description into the [`Slot`] and stays
//! pending. Once hyper has nothing more to write (it flushes its IO only when its own buffer is
//! empty: that is what `drained` tells), the connection task takes the socket out of hyper, drops
//! hyper with its buffers, and goes on with the stream.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{io::AsyncWriteExt, sync::Notify, time::timeout};

use super::{
    Permit, Phase, Shared,
    head::Shape,
    http1::Http1Sink,
    io_kind::Io,
    life::{Next, Work},
    seam::Seam,
    service::{Http1Service, Peer},
    stream::{Carrier, ServerSink, Started, StreamEnd, StreamSpec},
};

/// How long an abrupt end over HTTP/2 waits for what was written before it to leave the connection.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);
/// The same once one flush was seen that may have begun too early.
const SECOND_FLUSH_LIMIT: Duration = Duration::from_millis(20);

/// A stream that wants its connection.
pub(crate) struct Taken {
    pub(crate) head: Vec<u8>,
    pub(crate) spec: StreamSpec,
    pub(crate) shape: Shape,
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
    unannounced: AtomicBool,
    command: Mutex<Option<Command>>,
    commanded: Notify,
    requests: AtomicU64,
    turn: AtomicBool,
}

impl Slot {
    /// Asks for the connection: it is taken as soon as hyper has written all it has.
    pub(crate) fn take_over(&self, taken: Taken) {
        *self.taken.lock().unwrap_or_else(|e| e.into_inner()) = Some(taken);
        self.signalled.store(true, Ordering::Release);
    }

    /// Whether a stream wants the connection, and hyper has nothing more to write.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Acquire)
    }

    /// The stream that wants the connection.
    pub(crate) fn taken(&self) -> Option<Taken> {
        self.taken.lock().unwrap_or_else(|e| e.into_inner()).take()
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

    /// A request has come.
    pub(crate) fn called(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// It is the connection's turn, after all others that were ready.
    pub(crate) fn begins_turn(&self) {
        self.turn.store(true, Ordering::Relaxed);
    }

    /// Whether it is another turn than when this was asked last.
    pub(crate) fn is_another_turn(&self) -> bool {
        self.turn.swap(false, Ordering::Relaxed)
    }

    /// hyper has begun to write something.
    pub(crate) fn writing(&self) {
        self.drained.store(false, Ordering::Release);
    }

    /// All that hyper wrote has reached the system.
    pub(crate) fn flushed(&self) {
        self.flushes.fetch_add(1, Ordering::AcqRel);
        if self.signalled.load(Ordering::Acquire) {
            self.drained.store(true, Ordering::Release);
        }
    }

    /// Whether dropping the connection is to send RST.
    pub(crate) fn resets(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }

    /// Whether the connection ends without close_notify.
    pub(crate) fn ends_unannounced(&self) -> bool {
        self.unannounced.load(Ordering::Acquire)
    }

    /// From now on the connection takes no new streams, and ends without close_notify.
    pub(crate) fn end_unannounced(&self) {
        self.unannounced.store(true, Ordering::Release);
        self.command(Command::Goaway);
    }

    /// Waits until the connection has written what hyper holds, as far as the client's window admits
    /// it. `before` is the count of flushes from before hyper was given the last of it: two flushes
    /// begun one after the other are certain to include it. A flush that is under way may have begun
    /// too early, and a second one may have no reason to come: hence the limits.
    pub(crate) async fn flushed_since(&self, before: u64) {
        let wait_for = async |count: u64| {
            while self.flushes().wrapping_sub(before) < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = timeout(FLUSH_LIMIT, wait_for(1)).await;
        let _ = timeout(SECOND_FLUSH_LIMIT, wait_for(2)).await;
    }

    /// From now on dropping the connection sends RST.
    pub(crate) fn arm_reset(&self) {
        self.reset.store(true, Ordering::Release);
    }
}

/// What became of a connection in hyper.
enum Outcome {
    /// hyper is done with it.
    Done(Io),
    /// A stream takes it over.
    Taken(Io, Vec<u8>, Taken),
}

/// One HTTP/1.1 connection, until it closes or a stream takes it over.
pub(crate) fn connection(io: Io, pre: Bytes, permit: Permit, refused: bool) -> Work {
    Box::pin(async move {
        match drive(permit.shared(), io, pre, refused).await {
            Some(Outcome::Done(io)) => io.close().await,
            Some(Outcome::Taken(io, leftover, taken)) => {
                return hand_over(io, leftover, taken, permit).await;
            }
            None => {}
        }
        Next::Over
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
        .auto_date_header(false) // the service adds it: see seam.rs
        .writev(false)
        .serve_connection(TokioIo::new(Seam::new(io, pre, slot.clone(), true)), service);
    let mut phase = shared.phase.clone();
    let draining = async move { drop(phase.wait_for(|p| *p >= Phase::Draining).await) };
    let mut draining = Box::pin(draining);
    // A connection that came during a drain is served one request: keep-alive is off from the start.
    let mut told = !shared.keeps_connections();
    let done = poll_fn(|cx| {
        if !told && draining.as_mut().poll(cx).is_ready() {
            told = true;
            Pin::new(&mut conn).graceful_shutdown();
        }
        match conn.poll_without_shutdown(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if slot.is_drained() => Poll::Ready(None),
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
    let taken = slot.taken()?;
    // Copied: keeping hyper's buffer would pin all of its 8 KiB.
    let leftover = [&parts.read_buf[..], &unread[..]].concat();
    Some(Outcome::Taken(io, leftover, taken))
}

/// Writes the head and starts the stream.
async fn hand_over(mut io: Io, leftover: Vec<u8>, taken: Taken, permit: Permit) -> Next {
    if io.write_all(&taken.head).await.is_err() || io.flush().await.is_err() {
        return Next::Over;
    }
    let sink = ServerSink::Http1(Http1Sink::new(io, leftover, taken.shape));
    match taken.spec.start(sink, Carrier::Http1(permit)) {
        Some(Started::Whole(next)) => next,
        _ => Next::Over,
    }
}

/// A stream has ended: carries the ending out.
pub(super) fn ended(sink: ServerSink, end: StreamEnd, permit: Permit) -> Work {
    Box::pin(async move {
        let ServerSink::Http1(sink) = sink else {
            return Next::Over;
        };
        if let Some(free) = sink.finish(end).await {
            if permit.shared().keeps_connections() {
                let pre = Bytes::from(free.leftover);
                return Next::Work(connection(free.io, pre, permit, false));
            }
            free.io.close().await;
        }
        Next::Over
    })
}
