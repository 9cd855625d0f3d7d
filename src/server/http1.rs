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
    rare: Option<Box<Rare>>,
    /// Bytes of the write under way that the system has taken.
    written: usize,
    delimited: Delimited,
    reusable: bool,
    close_notify: bool,
    /// The task is woken once the client says something.
    listens: bool,
}

/// What most bodies have no need of.
#[derive(Default)]
struct Rare {
    /// What was read beyond the request.
    leftover: Vec<u8>,
    /// Of the length that was announced this much is still to come (less than 0: more came).
    left: i64,
}

/// By what a client knows where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delimited {
    Chunks,
    Length,
    Close,
}

/// The socket after a clean end, with what was read beyond the request.
pub(crate) struct Reusable {
    pub(crate) io: Io,
    pub(crate) leftover: Vec<u8>,
}

impl Http1Sink {
    pub(crate) fn new(io: Io, leftover: Vec<u8>, shape: Shape) -> Http1Sink {
        let (delimited, left) = match shape.bounds {
            Bounds::Chunked => (Delimited::Chunks, 0),
            Bounds::Sized { left } => (Delimited::Length, left),
            Bounds::Close => (Delimited::Close, 0),
        };
        Http1Sink {
            io,
            rare: (left != 0 || !leftover.is_empty()).then(|| Box::new(Rare { leftover, left })),
            written: 0,
            delimited,
            reusable: shape.reusable,
            close_notify: shape.close_notify,
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
                if self.delimited == Delimited::Chunks && self.terminate().await.is_err() {
                    return None;
                }
                if self.reusable && self.is_whole() && end != End::Goaway {
                    let Http1Sink { io, rare, .. } = self;
                    let leftover = rare.map_or_else(Vec::new, |rare| rare.leftover);
                    return Some(Reusable { io, leftover });
                }
                if self.close_notify {
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
        match self.delimited {
            Delimited::Chunks => true,
            Delimited::Length => self.rare.as_ref().is_none_or(|rare| rare.left == 0),
            Delimited::Close => false,
        }
    }

    async fn terminate(&mut self) -> io::Result<()> {
        self.io.write_all(b"0\r\n\r\n").await?;
        self.io.flush().await
    }

    /// Keeps the start of a later request, within bounds; beyond them the connection is not reused.
    fn keep(&mut self, bytes: &[u8]) {
        let leftover = &mut self.rare.get_or_insert_default().leftover;
        if self.reusable && leftover.len() + bytes.len() <= KEPT {
            leftover.extend_from_slice(bytes);
        } else {
            self.reusable = false;
            *leftover = Vec::new();
        }
    }

    fn piece<'a>(&self, frame: &'a Frame) -> &'a [u8] {
        let chunk = frame.chunk();
        match self.delimited {
            Delimited::Chunks => chunk,
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
        let start = match self.delimited {
            Delimited::Chunks => frame.part(bytes),
            _ => &self.piece(frame)[..bytes.min(frame.len())],
        };
        self.io.write_all(start).await?;
        self.io.flush().await?;
        // Nothing can follow that a client would understand: the connection can only end.
        self.delimited = Delimited::Close;
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
        if self.delimited == Delimited::Length {
            let left = &mut self.rare.get_or_insert_default().left;
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
