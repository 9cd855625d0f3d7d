//! Writing a stream as the body of an HTTP/2 response, and how it ends there.
//!
//! The player runs in a task of its own and hands each write over through one shared slot; hyper
//! polls the body side. No queue stands between them: a write is acknowledged when hyper has taken
//! all of it and asks for more.

use std::{
    collections::VecDeque,
    error::Error as StdError,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Body;
use poem::http::Response;

use super::{
    life::{Life, Next, Work},
    stalled::Patience,
    stream::{Carrier, ServerSink, Started, StreamEnd, StreamSpec},
    takeover::{Command, Slot},
};
use crate::{
    engine::sink::{Gone, Sink},
    scenario::model::End,
    wire::Frame,
};

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;
type PoemBody = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

/// A response body as hyper sees it.
pub(crate) enum Payload {
    /// Whatever the endpoint answered.
    Poem(PoemBody),
    /// The same, but its length is not told.
    Unannounced(PoemBody),
    /// A live stream over HTTP/2.
    Stream(StreamBody),
}

impl Payload {
    /// A poem response for hyper.
    pub(crate) fn from_poem(response: poem::Response) -> Response<Payload> {
        let response: Response<PoemBody> = response.into();
        response.map(Payload::Poem)
    }

    /// A poem response that is to announce no length.
    pub(crate) fn unannounced(response: poem::Response) -> Response<Payload> {
        let response: Response<PoemBody> = response.into();
        response.map(Payload::Unannounced)
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Payload::Poem(body) | Payload::Unannounced(body) => {
                Pin::new(body).poll_frame(cx).map_err(Into::into)
            }
            Payload::Stream(body) => body.poll_next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Payload::Poem(body) | Payload::Unannounced(body) => body.is_end_stream(),
            Payload::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Payload::Poem(body) => body.size_hint(),
            Payload::Unannounced(_) | Payload::Stream(_) => http_body::SizeHint::default(),
        }
    }
}

#[derive(Default)]
struct State {
    frames: VecDeque<Bytes>,
    /// hyper has taken all frames and asked for more.
    idle: bool,
    /// The connection's count of flushes when hyper took the last frame.
    flushes: u64,
    end: Option<End>,
    body_dropped: bool,
    player: Option<Waker>,
    body: Option<Waker>,
}

impl State {
    fn wake_player_later(&mut self, cx: &Context<'_>) {
        match &mut self.player {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

#[derive(Default)]
struct Handoff(Mutex<State>);

impl Handoff {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// hyper looks for this in the chain of an error: it resets the stream with the code.
fn reset(reason: h2::Reason) -> BoxError {
    h2::Error::from(reason).into()
}

/// The side hyper polls.
pub(crate) struct StreamBody {
    handoff: Arc<Handoff>,
    slot: Arc<Slot>,
}

impl StreamBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        let mut state = self.handoff.lock();
        if let Some(bytes) = state.frames.pop_front() {
            state.flushes = self.slot.flushes();
            return Poll::Ready(Some(Ok(http_body::Frame::data(bytes))));
        }
        match state.end {
            Some(End::Cut { code }) => {
                return Poll::Ready(Some(Err(reset(code.into()))));
            }
            Some(_) => return Poll::Ready(None),
            None => {}
        }
        state.idle = true;
        state.body = Some(cx.waker().clone());
        if let Some(player) = state.player.take() {
            player.wake();
        }
        Poll::Pending
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        let mut state = self.handoff.lock();
        state.body_dropped = true;
        state.frames.clear();
        if let Some(player) = state.player.take() {
            player.wake();
        }
    }
}

/// The body of one HTTP/2 stream.
pub struct Http2Sink {
    handoff: Arc<Handoff>,
    slot: Arc<Slot>,
    /// A write is under way.
    handed: bool,
    patience: Patience,
}

impl Http2Sink {
    /// Gives hyper the pieces, and waits until it has taken them all.
    fn poll_hand_over(
        &mut self,
        cx: &mut Context<'_>,
        pieces: impl ExactSizeIterator<Item = Bytes>,
    ) -> Poll<Result<(), Gone>> {
        let mut state = self.handoff.lock();
        if state.body_dropped {
            return Poll::Ready(Err(Gone));
        }
        if !self.handed && pieces.len() > 0 {
            state.frames.extend(pieces);
            self.patience.begin(state.frames.iter().map(Bytes::len).sum());
            state.idle = false;
            self.handed = true;
            if let Some(body) = state.body.take() {
                body.wake();
            }
        }
        if self.handed && !state.idle {
            state.wake_player_later(cx);
            drop(state);
            return self.patience.poll_over(cx).map(|()| Err(Gone));
        }
        self.handed = false;
        Poll::Ready(Ok(()))
    }

    /// Carries the ending out.
    pub(crate) async fn finish(mut self, end: StreamEnd) {
        let StreamEnd::Ended(end) = end else { return };
        let written = self.handoff.lock().flushes;
        match end {
            // A reset stream loses what h2 has not written yet.
            End::Cut { .. } => self.slot.flushed_since(written).await,
            End::Reset => {
                self.slot.flushed_since(written).await;
                self.slot.command(Command::Reset);
                return self.gone().await;
            }
            End::Goaway => {
                let before = self.slot.flushes();
                self.slot.command(Command::Goaway);
                self.slot.flushed_since(before).await;
            }
            End::Close | End::Stall | End::Hold => {}
        }
        let mut state = self.handoff.lock();
        state.end = Some(end);
        if let Some(body) = state.body.take() {
            body.wake();
        }
    }
}

impl Sink for Http2Sink {
    fn poll_write(&mut self, cx: &mut Context<'_>, frames: &[&Frame]) -> Poll<Result<(), Gone>> {
        self.poll_hand_over(cx, frames.iter().map(|frame| frame.body()))
    }

    async fn write_part(&mut self, frame: &Frame, bytes: usize) -> Result<(), Gone> {
        let part = frame.body().slice(..bytes.min(frame.len()));
        let part = (!part.is_empty()).then_some(part);
        poll_fn(|cx| self.poll_hand_over(cx, part.clone().into_iter())).await
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.handoff.lock();
        if state.body_dropped {
            return Poll::Ready(());
        }
        state.wake_player_later(cx);
        Poll::Pending
    }
}

/// Starts the stream in a task of its own and returns the body hyper is to send.
pub(crate) fn start(spec: &StreamSpec, slot: Arc<Slot>, patience: Patience) -> Payload {
    let handoff = Arc::new(Handoff::default());
    // The head counts like a frame: an abrupt end waits until it has been written.
    handoff.lock().flushes = slot.flushes();
    let sink = Http2Sink {
        handoff: handoff.clone(),
        slot: slot.clone(),
        handed: false,
        patience,
    };
    if spec.is_started() {
        handoff.lock().end = Some(End::Close);
    }
    if let Some(Started::Whole(next)) = spec.start(ServerSink::Http2(sink), Carrier::Http2) {
        tokio::spawn(Life(next));
    }
    Payload::Stream(StreamBody { handoff, slot })
}

/// Runs a stream that is to get no answer: the error makes hyper reset it. Dropped when the client
/// resets it first.
pub(crate) async fn unanswered(spec: &StreamSpec, slot: Arc<Slot>) -> BoxError {
    let sink = Http2Sink {
        handoff: Arc::default(),
        slot: slot.clone(),
        handed: false,
        patience: Patience::new(None),
    };
    let end = match spec.start(ServerSink::Http2(sink), Carrier::Caller) {
        Some(Started::Running(running)) => running.await.1,
        _ => StreamEnd::Gone,
    };
    match end {
        StreamEnd::Ended(End::Cut { code }) => return reset(code.into()),
        StreamEnd::Ended(End::Reset) => {
            slot.command(Command::Reset);
            std::future::pending().await
        }
        StreamEnd::Ended(End::Goaway) => {
            let before = slot.flushes();
            slot.command(Command::Goaway);
            slot.flushed_since(before).await;
        }
        _ => {}
    }
    reset(h2::Reason::CANCEL)
}

/// A stream has ended: carries the ending out.
pub(crate) fn ended(sink: ServerSink, end: StreamEnd) -> Work {
    Box::pin(async move {
        if let ServerSink::Http2(sink) = sink {
            sink.finish(end).await;
        }
        Next::Over
    })
}
