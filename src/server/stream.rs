//! A live stream as an endpoint describes it, and the sink its player writes to.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use super::{http1::Http1Sink, http2::Http2Sink};
use crate::{
    engine::sink::{Gone, Sink},
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
type Start = Box<dyn FnOnce(ServerSink) -> Running + Send>;

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
        let start: Start = Box::new(move |sink| Box::pin(run(sink)));
        StreamSpec(Arc::new(Mutex::new(Some(start))))
    }

    /// A body of these bytes, written at once, or none at all.
    pub fn once(body: Bytes) -> StreamSpec {
        StreamSpec::new(async move |mut sink: ServerSink| {
            let written = match body.is_empty() {
                true => Ok(()),
                false => sink.write(&[Frame::new(&body)]).await,
            };
            (
                sink,
                written.map_or(StreamEnd::Gone, |()| StreamEnd::Ended(End::Close)),
            )
        })
    }

    /// Starts the stream; `None` if that was done before.
    pub(crate) fn start(&self, sink: ServerSink) -> Option<Running> {
        let start = self.0.lock().unwrap_or_else(|e| e.into_inner()).take()?;
        Some(start(sink))
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
    async fn write(&mut self, frames: &[Frame]) -> Result<(), Gone> {
        match self {
            ServerSink::Http1(sink) => sink.write(frames).await,
            ServerSink::Http2(sink) => sink.write(frames).await,
        }
    }

    async fn write_part(&mut self, frame: &Frame, bytes: usize) -> Result<(), Gone> {
        match self {
            ServerSink::Http1(sink) => sink.write_part(frame, bytes).await,
            ServerSink::Http2(sink) => sink.write_part(frame, bytes).await,
        }
    }

    async fn gone(&mut self) {
        match self {
            ServerSink::Http1(sink) => sink.gone().await,
            ServerSink::Http2(sink) => sink.gone().await,
        }
    }
}
