//! A connection's socket, plain or encrypted, behind one type.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::server::TlsStream;

use super::tcp::Tcp;

/// How long a finished connection may take to read what is left and close its side.
const LINGER: Duration = Duration::from_secs(1);
/// How long a reset waits for a slow client to take what was written before it.
const DRAIN_BEFORE_RESET: Duration = Duration::from_secs(10);

/// The two kinds of sockets. The encrypted one is boxed: it is large and rarer.
pub(crate) enum Io {
    Plain(Tcp),
    Tls(Box<TlsStream<Tcp>>),
}

impl Io {
    /// The TCP socket below.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Io::Plain(tcp) => tcp,
            Io::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Whether the connection is encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Io::Tls(_))
    }

    /// Whether there may be something to read, as far as is known without asking the system.
    pub(crate) fn is_readable(&self) -> bool {
        self.tcp().try_io(Interest::READABLE, || Ok(())).is_ok()
    }

    /// Makes the coming drop send RST. What is still unsent is lost.
    pub(crate) fn arm_reset(&self) {
        let _ = SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
    }

    /// Closes in order: close_notify, FIN, then reads what the client still sends, since closing
    /// over unread data would send RST and destroy what the client has not read yet.
    pub(crate) async fn close(mut self) {
        if timeout(LINGER, self.shutdown()).await.is_ok() {
            self.discard_input().await;
        }
    }

    /// FIN without close_notify.
    pub(crate) fn finish(&self) -> io::Result<()> {
        SockRef::from(self.tcp()).shutdown(std::net::Shutdown::Write)
    }

    /// FIN without close_notify, then what `close` does: a peer sees that the other side is cut off.
    pub(crate) async fn cut(self) {
        let _ = self.finish();
        self.discard_input().await;
    }

    /// RST, after the client's system has been sent everything written so far.
    pub(crate) async fn reset(self) {
        let _ = timeout(DRAIN_BEFORE_RESET, wait_until_sent(self.tcp())).await;
        self.arm_reset();
    }

    async fn discard_input(mut self) {
        let mut buf = [0; 1024];
        let read_all = async { while matches!(self.read(&mut buf).await, Ok(n) if n > 0) {} };
        let _ = timeout(LINGER, read_all).await;
    }
}

/// Resolves when the send queue holds nothing that was not sent yet.
///
/// TCP_NOTSENT_LOWAT makes "writable" mean just that; poll(2) asks for it without a write.
#[cfg(target_os = "linux")]
async fn wait_until_sent(tcp: &TcpStream) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    if SockRef::from(tcp).set_tcp_notsent_lowat(1).is_err() {
        return;
    }
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    loop {
        let mut fds = [PollFd::new(tcp, PollFlags::OUT)];
        match poll(&mut fds, Some(&now)) {
            Ok(0) => tokio::time::sleep(Duration::from_millis(2)).await,
            _ => return,
        }
    }
}

/// Elsewhere there is no safe way to ask: a short pause has to do.
#[cfg(not(target_os = "linux"))]
async fn wait_until_sent(_: &TcpStream) {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Io::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Io::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Io::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Io::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Io::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
