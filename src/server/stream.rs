//! A live stream as an endpoint describes it, and the sink its player writes to.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{
    Permit,
    access_log::StreamLog,
    http1::Http1Sink,
    http2::{self, Http2Sink},
    life::{Next, Work},
    takeover,
};
use crate::{
    engine::{
        Outcome, Performance,
        playing::{House, Playing},
        sink::{Gone, Sink},
    },
    scenario::model::End,
    wire::Frame,
};

/// What a stream's run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The script ended; the transport carries this ending out. `Stall` and `Hold` are no ending a
    /// run may return with: they are carried out as `Close`.
    Ended(End),
    /// The client has gone: there is nothing to carry out.
    Gone,
}

/// A stream being run.
pub(crate) type Running = Pin<Box<dyn Future<Output = (ServerSink, StreamEnd)> + Send>>;
type Start = Box<dyn FnOnce(ServerSink, Carrier) -> Started + Send>;

/// Who carries a stream's ending out.
pub(crate) enum Carrier {
    /// The task that owns the connection.
    Http1(Permit),
    /// A task of its own.
    Http2,
    /// Whoever starts it.
    Caller,
}

/// A stream that was started.
pub(crate) enum Started {
    /// With its ending.
    Whole(Next),
    /// For the caller, who carries the ending out.
    Running(Running),
}

/// Put into a response's extensions, it makes the response a live stream.
///
/// The response's status and headers are its head; its body is ignored. The run is started once
/// the head is written, with a sink for the body. It is dropped without having been started if
/// there is no body to write (HEAD, 204, 304) or if the client left before.
///
/// A `content-length` among the headers makes an HTTP/1.1 body of bare bytes (a lie is the endpoint's
/// wish: the connection is closed unless as many were written); without it the body is chunked, or
/// ends with the connection (HTTP/1.0). [`Exact`](super::Exact) beside it says more.
#[derive(Clone)]
pub struct StreamSpec(Arc<Mutex<Option<Start>>>);

impl StreamSpec {
    /// A stream that `run` writes. `run` returns the sink with the ending to carry out; it stays
    /// pending for as long as the stream is open, and must return once `gone()` resolved.
    pub fn new<F, Fut>(run: F) -> StreamSpec
    where
        F: FnOnce(ServerSink) -> Fut + Send + 'static,
        Fut: Future<Output = (ServerSink, StreamEnd)> + Send + 'static,
    {
        StreamSpec::starting(Box::new(move |sink, carrier| {
            let running: Running = Box::pin(run(sink));
            let work: Work = match carrier {
                Carrier::Caller => return Started::Running(running),
                Carrier::Http1(permit) => Box::pin(async move {
                    let (sink, end) = running.await;
                    Next::Work(takeover::ended(sink, end, permit))
                }),
                Carrier::Http2 => Box::pin(async move {
                    let (sink, end) = running.await;
                    Next::Work(http2::ended(sink, end))
                }),
            };
            Started::Whole(Next::Work(work))
        }))
    }

    /// A stream that a script plays.
    pub(super) fn played(performance: Performance, log: StreamLog) -> StreamSpec {
        let mut unbegun = Unbegun(Some((performance, log)));
        StreamSpec::starting(Box::new(move |sink, carrier| {
            let (performance, log) = unbegun.0.take().expect("it begins once");
            let (permit, whole) = match carrier {
                Carrier::Http1(permit) => (Some(permit), true),
                Carrier::Http2 => (None, true),
                Carrier::Caller => (None, false),
            };
            let scene = Scene {
                performance,
                sink,
                log,
                permit,
            };
            let playing = Playing::new(Box::new(Stage(Some(scene))));
            if whole {
                return Started::Whole(Next::Plays(playing));
            }
            Started::Running(Box::pin(async move {
                let (stage, outcome) = playing.await;
                let (sink, end, _) = stage.close(&outcome);
                (sink, end)
            }))
        }))
    }

    fn starting(start: Start) -> StreamSpec {
        StreamSpec(Arc::new(Mutex::new(Some(start))))
    }

    /// A body of these bytes, written at once, or none at all.
    pub fn once(body: Bytes) -> StreamSpec {
        StreamSpec::new(async move |mut sink: ServerSink| {
            let written = match body.is_empty() {
                true => Ok(()),
                false => sink.write(&Frame::new(&body)).await,
            };
            (
                sink,
                written.map_or(StreamEnd::Gone, |()| StreamEnd::Ended(End::Close)),
            )
        })
    }

    /// Starts the stream, unless that was done before.
    pub(crate) fn start(&self, sink: ServerSink, carrier: Carrier) -> Option<Started> {
        let start = self.0.lock().unwrap_or_else(|e| e.into_inner()).take()?;
        Some(start(sink, carrier))
    }

    /// Whether it was started.
    pub(crate) fn is_started(&self) -> bool {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).is_none()
    }
}

/// A stream that is played; it is empty only when that is over.
pub(crate) struct Stage(Option<Scene>);

/// All that belongs to a stream that is played.
struct Scene {
    performance: Performance,
    sink: ServerSink,
    log: StreamLog,
    /// Where it has a connection of its own.
    permit: Option<Permit>,
}

/// The task of a stream that is played.
impl House for Stage {
    type Sink = ServerSink;

    fn parts(&mut self) -> (&mut Performance, &mut ServerSink) {
        let scene = self.0.as_mut().expect("it is being played");
        (&mut scene.performance, &mut scene.sink)
    }
}

impl Stage {
    /// Carries the ending out.
    pub(super) fn end(self: Box<Self>, outcome: &Outcome) -> Work {
        let (sink, end, permit) = self.close(outcome);
        match permit {
            Some(permit) => takeover::ended(sink, end, permit),
            None => http2::ended(sink, end),
        }
    }

    fn close(mut self: Box<Self>, outcome: &Outcome) -> (ServerSink, StreamEnd, Option<Permit>) {
        let Scene {
            performance,
            sink,
            log,
            permit,
        } = self.0.take().expect("it was played");
        let live = performance.live();
        let (events, bytes) = (live.events(), live.bytes());
        let witnessed = performance.witnessed().cloned();
        // What the script does in the end is done before the ending is carried out.
        drop(performance);
        log.ended(witnessed, outcome, events, bytes);
        let end = outcome.end().map_or(StreamEnd::Gone, StreamEnd::Ended);
        (sink, end, permit)
    }
}

/// A stream that is dropped without an ending is logged too.
impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(Scene { performance, log, .. }) = self.0.take() {
            abandon(performance, log);
        }
    }
}

/// A stream that has not begun. Its client may be gone before it does.
struct Unbegun(Option<(Performance, StreamLog)>);

impl Drop for Unbegun {
    fn drop(&mut self) {
        if let Some((performance, log)) = self.0.take() {
            abandon(performance, log);
        }
    }
}

fn abandon(performance: Performance, log: StreamLog) {
    let live = performance.live().shared();
    let closing = performance.live().closing();
    let witnessed = performance.witnessed().cloned();
    drop(performance);
    log.abandoned(witnessed, closing, live.events(), live.bytes());
}

impl fmt::Debug for StreamSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamSpec")
    }
}

/// The body of a live stream, whatever carries it.
pub enum ServerSink {
    /// HTTP/1.1 and 1.0, plain or encrypted.
    Http1(Http1Sink),
    /// HTTP/2.
    Http2(Http2Sink),
}

impl Sink for ServerSink {
    fn poll_write(&mut self, cx: &mut Context<'_>, frames: &[&Frame]) -> Poll<Result<(), Gone>> {
        match self {
            ServerSink::Http1(sink) => sink.poll_write(cx, frames),
            ServerSink::Http2(sink) => sink.poll_write(cx, frames),
        }
    }

    async fn write_part(&mut self, frame: &Frame, bytes: usize) -> Result<(), Gone> {
        match self {
            ServerSink::Http1(sink) => sink.write_part(frame, bytes).await,
            ServerSink::Http2(sink) => sink.write_part(frame, bytes).await,
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            ServerSink::Http1(sink) => sink.poll_gone(cx),
            ServerSink::Http2(sink) => sink.poll_gone(cx),
        }
    }
}
