//! An HTTP/2 connection that is read a few requests at a time.
//!
//! h2 reads all that is there before the first request in it is answered. Each that waits takes memory, of
//! which h2 gives none back as long as the connection lasts: a client that opens a hundred streams at once
//! would pay for it with each of them. What brings no requests (an upload) is read in larger and larger pieces.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::takeover::Slot;

/// Of a connection that has brought so many requests more is read at once: h2's guard against clients that
/// reset what they open counts what it reads at once.
const SIPPED: u64 = 200;
/// As long as requests come, so much is read at once, in bytes: about as many requests as it takes to keep a
/// processor busy.
const SIP: usize = 256;
/// The largest piece that is copied; beyond, as much is read as there is room for.
const LARGEST: usize = 1024;

/// The connection below, read in pieces. One that was full is followed by the next only when all who were
/// ready have had their turn.
pub(crate) struct Sips<T> {
    below: T,
    slot: Arc<Slot>,
    size: usize,
    /// How many requests had come when it was read last.
    requests: u64,
    /// There may be more, which waits for the next turn.
    more: bool,
}

impl<T> Sips<T> {
    pub(crate) fn new(below: T, slot: Arc<Slot>) -> Sips<T> {
        Sips {
            below,
            slot,
            size: SIP,
            requests: 0,
            more: false,
        }
    }

    /// How much is read now, if there is room for it.
    fn size(&mut self) -> usize {
        let requests = self.slot.requests();
        if requests != self.requests {
            self.requests = requests;
            self.size = SIP;
        }
        self.size
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Sips<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.more && !this.slot.is_another_turn() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.more = false;
        let size = this.size();
        if this.requests > SIPPED || size > LARGEST {
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.below).poll_read(cx, buf))?;
            if buf.filled().len() - before < LARGEST {
                this.size = SIP;
            }
            return Poll::Ready(Ok(()));
        }
        let mut bytes = [0; LARGEST];
        let mut piece = ReadBuf::new(&mut bytes[..size.min(buf.remaining())]);
        ready!(Pin::new(&mut this.below).poll_read(cx, &mut piece))?;
        buf.put_slice(piece.filled());
        this.more = piece.filled().len() == size;
        this.size = if this.more { size * 2 } else { SIP };
        // What is read from here on belongs to this turn.
        this.slot.is_another_turn();
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Sips<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().below).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().below).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.below.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().below).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().below).poll_shutdown(cx)
    }
}
