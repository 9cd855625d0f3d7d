//! Where a player's writes go: a socket, an HTTP/2 stream, or memory.

use std::future::{Future, poll_fn};
use std::task::{Context, Poll};

use crate::plan::Source;
use crate::scenario::model::End;
use crate::wire::Frame;

/// The other end has gone: nothing written from now on arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// One open response body. A write is acknowledged once the transport has taken all of it.
pub trait Sink: Send {
    /// Writes the frames, each a chunk of its own, at once and flushes them: ready once the transport has taken all. Until
    /// then it is to be called again with the same frames, and nothing else may be written.
    fn poll_write(&mut self, cx: &mut Context<'_>, frames: &[&Frame]) -> Poll<Result<(), Gone>>;

    /// The same for one frame, to be waited for. Cancel-safe only in that a dropped write leaves the
    /// stream unusable: the caller must not write again after dropping one.
    fn write(&mut self, frame: &Frame) -> impl Future<Output = Result<(), Gone>> + Send {
        poll_fn(move |cx| self.poll_write(cx, &[frame]))
    }

    /// Writes the first `bytes` bytes of a frame (all of it if it has no more) and flushes them: in a
    /// chunked body inside a chunk whose header announces the whole frame. Only an abrupt end (cut,
    /// reset) may follow.
    fn write_part(&mut self, frame: &Frame, bytes: usize) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Ready when the other end has gone; does not read ahead without bound.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// The same, to be waited for.
    fn gone(&mut self) -> impl Future<Output = ()> + Send {
        poll_fn(|cx| self.poll_gone(cx))
    }

    /// What the next writes come from: for sinks that show it.
    fn about(&mut self, _source: Source) {}

    /// From now on the stream stays open like this (stall or hold): for sinks that show it.
    fn stays(&mut self, _end: End) {}
}
