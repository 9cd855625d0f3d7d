//! A live stream as an endpoint describes it, and the sink its player writes to.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use super::{
    Shared,
    access_log::AccessLog,
    http1::Http1Sink,
    http2::{self, Http2Sink},
    live::Permit,
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
type Start = Box<dyn FnOnce(ServerSink, Carrier) -> Option<Running> + Send>;

/// Who carries a stream, and its ending out.
pub(crate) enum Carrier {
    /// A task of its own, which owns the connection.
    Http1(Arc<Shared>, Permit),
    /// A task of its own.
    Http2,
    /// Whoever starts it.
    Caller,
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
            match carrier {
                Carrier::Caller => return Some(running),
                Carrier::Http1(shared, permit) => permit.run(|permit| async move {
                    let (sink, end) = running.await;
                    takeover::ended(sink, end, shared, permit).await;
                }),
                Carrier::Http2 => drop(tokio::spawn(async move {
                    let (sink, end) = running.await;
                    http2::ended(sink, end).await;
                })),
            }
            None
        }))
    }

    /// A stream that a script plays. Its task is as small as can be, for there may be very many.
    pub(super) fn played(performance: Performance, log: AccessLog) -> StreamSpec {
        StreamSpec::starting(Box::new(move |sink, carrier| {
            let stage = |carrier| {
                Box::new(Stage {
                    performance,
                    sink,
                    log,
                    carrier,
                })
            };
            match carrier {
                Carrier::Caller => {
                    let playing = Playing::new(stage(Carrier::Caller));
                    return Some(Box::pin(async move {
                        let (stage, outcome) = playing.await;
                        let (sink, end, _) = stage.close(&outcome);
                        (sink, end)
                    }));
                }
                Carrier::Http1(shared, permit) => {
                    permit.run(|permit| Live::Plays(Playing::new(stage(Carrier::Http1(shared, permit)))));
                }
                Carrier::Http2 => drop(tokio::spawn(Live::Plays(Playing::new(stage(Carrier::Http2))))),
            }
            None
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

    /// Starts the stream, unless that was done before; answers with it if the caller is to carry it.
    pub(crate) fn start(&self, sink: ServerSink, carrier: Carrier) -> Option<Running> {
        let start = self.0.lock().unwrap_or_else(|e| e.into_inner()).take()?;
        start(sink, carrier)
    }

    /// Whether it was started.
    pub(crate) fn is_started(&self) -> bool {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).is_none()
    }
}

/// A stream that is played: all that belongs to it.
struct Stage {
    performance: Performance,
    sink: ServerSink,
    log: AccessLog,
    carrier: Carrier,
}

/// The task of a stream that is played.
enum Live {
    Plays(Playing<Stage>),
    Ends(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Future for Live {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Live::Plays(playing) = &mut *self {
            let (stage, outcome) = ready!(Pin::new(playing).poll(cx));
            *self = Live::Ends(stage.end(&outcome));
        }
        match &mut *self {
            Live::Ends(ending) => ending.as_mut().poll(cx),
            Live::Plays(_) => Poll::Pending,
        }
    }
}

impl House for Stage {
    type Sink = ServerSink;

    fn parts(&mut self) -> (&mut Performance, &mut ServerSink) {
        (&mut self.performance, &mut self.sink)
    }
}

impl Stage {
    /// Carries the ending out.
    fn end(self, outcome: &Outcome) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (sink, end, carrier) = self.close(outcome);
        match carrier {
            Carrier::Http1(shared, permit) => takeover::ended(sink, end, shared, permit),
            Carrier::Http2 => http2::ended(sink, end),
            Carrier::Caller => Box::pin(std::future::ready(())),
        }
    }

    fn close(self, outcome: &Outcome) -> (ServerSink, StreamEnd, Carrier) {
        let Stage {
            performance,
            sink,
            log,
            carrier,
        } = self;
        let live = performance.live();
        let (events, bytes) = (live.events(), live.bytes());
        // What the script does in the end is done before the ending is carried out.
        drop(performance);
        log.ended(outcome, events, bytes);
        let end = outcome.end().map_or(StreamEnd::Gone, StreamEnd::Ended);
        (sink, end, carrier)
    }
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
