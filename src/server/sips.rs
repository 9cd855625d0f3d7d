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
        this.more = piece.remaining() == 0;
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

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, io::Cursor};

    use super::*;

    /// How much comes in each turn of a connection that has so much to say; `called`: whether each brought
    /// a request.
    async fn turns(bytes: usize, room: usize, called: bool, before: u64) -> Vec<usize> {
        let slot = Arc::new(Slot::default());
        (0..before).for_each(|_| slot.called());
        let mut sips = Sips::new(Cursor::new(vec![b'x'; bytes]), slot.clone());
        let (mut all, mut got) = (Vec::new(), 0);
        while got < bytes {
            slot.begins_turn();
            let mut room = vec![0; room];
            let mut buf = ReadBuf::new(&mut room);
            poll_fn(|cx| Pin::new(&mut sips).poll_read(cx, &mut buf))
                .await
                .unwrap();
            let full = sips.more;
            let again = poll_fn(|cx| Poll::Ready(Pin::new(&mut sips).poll_read(cx, &mut buf)));
            assert_eq!(again.await.is_pending(), full, "what was full ends the turn");
            got += buf.filled().len();
            all.push(buf.filled().len());
            if called {
                slot.called();
            }
        }
        all
    }

    #[tokio::test]
    async fn requests_come_a_few_at_a_time_and_uploads_in_larger_and_larger_pieces() {
        assert_eq!(turns(1024, 8192, true, 0).await, [256; 4]);
        assert_eq!(
            turns(600, 200, true, 0).await,
            [200; 3],
            "no more than there is room for"
        );
        let upload = [256, 512, 1024, 7000];
        assert_eq!(turns(upload.iter().sum(), 7000, false, 0).await, upload);
        // h2 guards against resets by what it reads at once.
        assert_eq!(turns(8000, 8192, true, SIPPED + 1).await, [8000]);
    }
}
