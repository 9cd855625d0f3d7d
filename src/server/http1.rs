//! Writing a stream to an HTTP/1.1 or 1.0 connection that was taken over, and how it ends there.

use std::{
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

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
    leftover: Vec<u8>,
    shape: Shape,
}

/// The socket after a clean end, with what was read beyond the request.
pub(crate) struct Reusable {
    pub(crate) io: Io,
    pub(crate) leftover: Vec<u8>,
}

impl Http1Sink {
    pub(crate) fn new(io: Io, leftover: Vec<u8>, shape: Shape) -> Http1Sink {
        Http1Sink { io, leftover, shape }
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

    /// Ready once the client has closed its side or the connection broke.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut bytes = [0; 512];
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.keep(buf.filled()),
                _ => return Poll::Ready(()),
            }
        }
    }

    /// Keeps the start of a later request, within bounds; beyond them the connection is not reused.
    fn keep(&mut self, bytes: &[u8]) {
        if self.shape.reusable && self.leftover.len() + bytes.len() <= KEPT {
            self.leftover.extend_from_slice(bytes);
        } else {
            self.shape.reusable = false;
            self.leftover = Vec::new();
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

    /// One attempt to write `frames` from byte `from` on.
    fn poll_write(&mut self, cx: &mut Context<'_>, frames: &[Frame], from: usize) -> Poll<io::Result<usize>> {
        if let [frame] = frames {
            let piece = &self.piece(frame)[from..];
            return Pin::new(&mut self.io).poll_write(cx, piece);
        }
        let mut slices = [IoSlice::new(&[]); BATCH];
        for (slice, frame) in slices.iter_mut().zip(frames) {
            *slice = IoSlice::new(self.piece(frame));
        }
        let mut slices = &mut slices[..frames.len()];
        IoSlice::advance_slices(&mut slices, from);
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    async fn write_batch(&mut self, frames: &[Frame]) -> io::Result<()> {
        let total: usize = frames.iter().map(|f| self.piece(f).len()).sum();
        let mut written = 0;
        while written < total {
            let n = poll_fn(|cx| self.poll_write(cx, frames, written)).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            written += n;
        }
        if let Bounds::Sized { left } = &mut self.shape.bounds {
            *left = left.saturating_sub_unsigned(total as u64);
        }
        Ok(())
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
    async fn write(&mut self, frames: &[Frame]) -> Result<(), Gone> {
        for batch in frames.chunks(BATCH) {
            self.write_batch(batch).await.map_err(|_| Gone)?;
        }
        poll_fn(|cx| Pin::new(&mut self.io).poll_flush(cx))
            .await
            .map_err(|_| Gone)
    }

    async fn write_part(&mut self, frame: &Frame, bytes: usize) -> Result<(), Gone> {
        self.write_start(frame, bytes).await.map_err(|_| Gone)
    }

    fn gone(&mut self) -> impl Future<Output = ()> + Send {
        poll_fn(|cx| self.poll_gone(cx))
    }
}
