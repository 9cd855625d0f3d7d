//! A TCP socket whose client may not refuse to take anything for too long.
//!
//! The system could do this (`TCP_USER_TIMEOUT`), but it counts a client that reads slowly among those
//! that read nothing: its clock goes on as long as the window is too small for what waits first.

use std::{
    future::Future,
    io::{self, IoSlice},
    ops::Deref,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// The socket, and how long it waits.
pub(crate) struct Tcp {
    socket: TcpStream,
    /// Milliseconds; 0: for ever. There may be very many sockets, and most of them never wait.
    longest: u32,
    wait: Option<Box<Alarm>>,
}

impl Tcp {
    pub(crate) fn new(socket: TcpStream, longest: Option<Duration>) -> Tcp {
        Tcp {
            socket,
            longest: longest.map_or(0, millis),
            wait: None,
        }
    }

    /// What an attempt to write came to, unless it is the last one of too many.
    fn judge<T>(&mut self, cx: &mut Context<'_>, attempt: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            if let Some(wait) = &mut self.wait {
                wait.due = None;
            }
            return attempt;
        }
        if self.longest == 0 {
            return Poll::Pending;
        }
        let longest = Duration::from_millis(self.longest.into());
        let wait = self.wait.get_or_insert_default();
        let due = *wait.due.get_or_insert_with(|| Instant::now() + longest);
        if wait.poll_over(cx, due).is_pending() {
            return Poll::Pending;
        }
        // What waits is of no use to a client that took nothing: it is told so by a reset.
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
        let client = self
            .socket
            .peer_addr()
            .map_or_else(|e| e.to_string(), |a| a.to_string());
        let time = crate::scenario::duration::format(longest);
        tracing::info!("{client} took nothing for {time}: the connection is reset (see --write-timeout)");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Whole milliseconds, at least one.
pub(crate) fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// Fires when something has waited for too long.
///
/// Its timer is made once and moved on when it fires: one a wait would cost more than most waits.
#[derive(Default)]
pub(crate) struct Alarm {
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready once this time has come.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

impl Deref for Tcp {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.socket
    }
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.judge(cx, attempt)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.judge(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
