//! A sink in memory: what a client would have received, write by write.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use super::sink::{Gone, Sink};
use crate::clock::Clock;
use crate::plan::Source;
use crate::scenario::model::End;
use crate::wire::Frame;

/// Bytes, and writes, that may wait to be taken out before a write waits, too.
const ROOM: usize = 1 << 20;
const MOST_WRITES: usize = 4096;

/// One write as it would have reached the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// When, on the clock.
    pub at: Duration,
    /// What it comes from.
    pub source: Source,
    /// The bytes of the body, without framing.
    pub bytes: Bytes,
    /// How many bytes were announced, if not all of them are sent: a fault strikes inside.
    pub announced: Option<usize>,
}

/// Collects the writes of a stream's body.
#[derive(Debug, Clone)]
pub struct MemorySink {
    shared: Arc<Shared>,
    source: Source,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<Clock>,
    inside: Mutex<Inside>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    writes: VecDeque<Written>,
    bytes: usize,
    stays: Option<(Duration, End)>,
    /// A write that waits for room.
    writer: Option<Waker>,
}

impl MemorySink {
    /// An empty one; writes are timed by this clock.
    pub fn new(clock: Arc<Clock>) -> MemorySink {
        let shared = Shared {
            clock,
            inside: Mutex::default(),
            filled: Notify::new(),
        };
        MemorySink {
            shared: Arc::new(shared),
            source: Source::Raw,
        }
    }

    /// Takes out what has been written since the last call.
    pub fn take(&self) -> VecDeque<Written> {
        let mut inside = self.inside();
        inside.bytes = 0;
        let writes = std::mem::take(&mut inside.writes);
        let writer = inside.writer.take();
        drop(inside);
        if let Some(writer) = writer {
            writer.wake();
        }
        writes
    }

    /// Since when, on the clock, the stream is kept open with nothing to come but heartbeats, and how.
    pub fn stays_open(&self) -> Option<(Duration, End)> {
        self.inside().stays
    }

    /// Waits until a write waits for room.
    pub async fn filled(&self) {
        self.shared.filled.notified().await;
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut inside = self.inside();
        if !inside.is_full() {
            return Poll::Ready(());
        }
        inside.writer = Some(cx.waker().clone());
        drop(inside);
        self.shared.filled.notify_one();
        Poll::Pending
    }

    fn put(&self, bytes: Bytes, announced: Option<usize>) {
        let mut inside = self.inside();
        inside.bytes += bytes.len();
        inside.writes.push_back(Written {
            at: self.shared.clock.now(),
            source: self.source,
            bytes,
            announced,
        });
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.shared.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn is_full(&self) -> bool {
        self.bytes >= ROOM || self.writes.len() >= MOST_WRITES
    }
}

impl Sink for MemorySink {
    /// Each frame counts as a write: it is a chunk of its own wherever it is sent.
    fn poll_write(&mut self, cx: &mut Context<'_>, frames: &[&Frame]) -> Poll<Result<(), Gone>> {
        ready!(self.poll_room(cx));
        frames.iter().for_each(|frame| self.put(frame.body(), None));
        Poll::Ready(Ok(()))
    }

    async fn write_part(&mut self, frame: &Frame, bytes: usize) -> Result<(), Gone> {
        let part = frame.body().slice(..bytes.min(frame.len()));
        let announced = (part.len() < frame.len()).then_some(frame.len());
        poll_fn(|cx| self.poll_room(cx)).await;
        self.put(part, announced);
        Ok(())
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn about(&mut self, source: Source) {
        self.source = source;
    }

    fn stays(&mut self, end: End) {
        let now = self.shared.clock.now();
        self.inside().stays = Some((now, end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_are_kept_apart_with_their_times() {
        let clock = Clock::manual();
        let mut sink = MemorySink::new(clock.clone());
        let (one, two) = (Frame::new(b"data: a\n\n"), Frame::new(b"data: b\n\n"));
        sink.about(Source::Event);
        poll_fn(|cx| sink.poll_write(cx, &[&one, &two])).await.unwrap();
        clock.advance(Duration::from_secs(1)).await;
        sink.about(Source::Raw);
        sink.write_part(&one, 4).await.unwrap();
        sink.write_part(&one, 99).await.unwrap();
        let written = |seconds, source, bytes: &'static [u8], announced| Written {
            at: Duration::from_secs(seconds),
            source,
            bytes: Bytes::from_static(bytes),
            announced,
        };
        let expected = [
            written(0, Source::Event, b"data: a\n\n", None),
            written(0, Source::Event, b"data: b\n\n", None),
            written(1, Source::Raw, b"data", Some(9)),
            written(1, Source::Raw, b"data: a\n\n", None),
        ];
        assert_eq!(sink.take(), expected);
        assert_eq!(sink.take(), []);
    }

    #[tokio::test]
    async fn a_write_waits_for_room() {
        let mut sink = MemorySink::new(Clock::manual());
        let frame = Frame::new(b":");
        for _ in 0..MOST_WRITES {
            sink.write(&frame).await.unwrap();
        }
        let reader = sink.clone();
        let (_, taken) = tokio::join!(sink.write(&frame), async {
            reader.filled().await;
            reader.take().len()
        });
        assert_eq!((taken, reader.take().len()), (MOST_WRITES, 1));
    }
}
