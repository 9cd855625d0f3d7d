//! Writing a stream to an HTTP/1.1 or 1.0 connection that was taken over, and how it ends there.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::coop::has_budget_remaining;

use super::{
    head::{Bounds, Shape},
    io_kind::Io,
    stream::StreamEnd,
};
use crate::{
    engine::sink::{Gone, Sink},
    scenario::model::End,
    wire::Frame,
};

/// Bytes of later, pipelined requests that are kept while a stream is running.
const KEPT: usize = 16 * 1024;
/// Frames handed to the system in one call.
const BATCH: usize = 16;

/// The body of a stream on a connection of its own.
pub struct Http1Sink {
    io: Io,
    /// What was read beyond the request.
    #[expect(
        clippy::box_collection,
        reason = "a pointer instead of three words, and mostly there is none"
    )]
    leftover: Option<Box<Vec<u8>>>,
    shape: Shape,
    /// Bytes of the write under way that the system has taken.
    written: usize,
    /// The task is woken once the client says something.
    listens: bool,
}

/// The socket after a clean end, with what was read beyond the request.
pub(crate) struct Reusable {
    pub(crate) io: Io,
    pub(crate) leftover: Vec<u8>,
}

impl Http1Sink {
    pub(crate) fn new(io: Io, leftover: Vec<u8>, shape: Shape) -> Http1Sink {
        Http1Sink {
            io,
            leftover: (!leftover.is_empty()).then(|| Box::new(leftover)),
            shape,
            written: 0,
            listens: false,
        }
    }

    /// Carries the ending out. Returns the connection if it may serve another request.
    pub(crate) async fn finish(mut self, end: StreamEnd) -> Option<Reusable> {
        let StreamEnd::Ended(end) = end else {
            return None;
        };
        match end {
            End::Cut { .. } => self.io.cut().await,
            End::Reset => self.io.reset().await,
            End::Close | End::Goaway | End::Stall | End::Hold => {
                if self.shape.bounds == Bounds::Chunked && self.terminate().await.is_err() {
                    return None;
                }
                if self.shape.reusable && self.is_whole() && end != End::Goaway {
                    let Http1Sink { io, leftover, .. } = self;
                    let leftover = leftover.map_or_else(Vec::new, |leftover| *leftover);
                    return Some(Reusable { io, leftover });
                }
                if self.shape.close_notify {
                    self.io.close().await;
                } else {
                    self.io.cut().await;
                }
            }
        }
        None
    }

    /// Whether the client can tell that the body has ended.
    fn is_whole(&self) -> bool {
        matches!(self.shape.bounds, Bounds::Chunked | Bounds::Sized { left: 0 })
    }

    async fn terminate(&mut self) -> io::Result<()> {
        self.io.write_all(b"0\r\n\r\n").await?;
        self.io.flush().await
    }

    /// Keeps the start of a later request, within bounds; beyond them the connection is not reused.
    fn keep(&mut self, bytes: &[u8]) {
        let kept = self.leftover.as_ref().map_or(0, |leftover| leftover.len());
        if self.shape.reusable && kept + bytes.len() <= KEPT {
            self.leftover.get_or_insert_default().extend_from_slice(bytes);
        } else {
            self.shape.reusable = false;
            self.leftover = None;
        }
    }

    fn piece<'a>(&self, frame: &'a Frame) -> &'a [u8] {
        let chunk = frame.chunk();
        match self.shape.bounds {
            Bounds::Chunked => chunk,
            // The bare body lies inside the chunk, before its closing line end.
            _ => &chunk[chunk.len() - 2 - frame.len()..chunk.len() - 2],
        }
    }

    /// One attempt to write what is left of `frames`.
    fn poll_rest(&mut self, cx: &mut Context<'_>, frames: &[&Frame]) -> Poll<io::Result<usize>> {
        if let [frame] = frames {
            let piece = &self.piece(frame)[self.written..];
            return Pin::new(&mut self.io).poll_write(cx, piece);
        }
        let mut slices = [IoSlice::new(&[]); BATCH];
        let (mut count, mut passed) = (0, self.written);
        for frame in frames {
            let piece = self.piece(frame);
            if count == BATCH {
                break;
            }
            if let Some(rest) = piece.get(passed..).filter(|rest| !rest.is_empty()) {
                slices[count] = IoSlice::new(rest);
                count += 1;
            }
            passed = passed.saturating_sub(piece.len());
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..count])
    }

    async fn write_start(&mut self, frame: &Frame, bytes: usize) -> io::Result<()> {
        let start = match self.shape.bounds {
            Bounds::Chunked => frame.part(bytes),
            _ => &self.piece(frame)[..bytes.min(frame.len())],
        };
        self.io.write_all(start).await?;
        self.io.flush().await?;
        // Nothing can follow that a client would understand: the connection can only end.
        self.shape.bounds = Bounds::Close;
        Ok(())
    }
}

impl Sink for Http1Sink {
    fn poll_write(&mut self, cx: &mut Context<'_>, frames: &[&Frame]) -> Poll<Result<(), Gone>> {
        let total: usize = frames.iter().map(|frame| self.piece(frame).len()).sum();
        while self.written < total {
            match ready!(self.poll_rest(cx, frames)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Gone)),
                Ok(n) => self.written += n,
            }
        }
        if ready!(Pin::new(&mut self.io).poll_flush(cx)).is_err() {
            return Poll::Ready(Err(Gone));
        }
        self.written = 0;
        if let Bounds::Sized { left } = &mut self.shape.bounds {
            *left = left.saturating_sub_unsigned(total as u64);
        }
        Poll::Ready(Ok(()))
    }

    async fn write_part(&mut self, frame: &Frame, bytes: usize) -> Result<(), Gone> {
        self.write_start(frame, bytes).await.map_err(|_| Gone)
    }

    /// Ready once the client has closed its side or the connection broke.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Asked at every message: whoever listens already need not say so again.
        if self.listens && !self.io.is_readable() {
            return Poll::Pending;
        }
        loop {
            let mut bytes = [0; 512];
            let mut buf = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => self.keep(buf.filled()),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    // Without a budget nobody listens: the task is only called again.
                    self.listens = has_budget_remaining();
                    return Poll::Pending;
                }
            }
        }
    }
}
