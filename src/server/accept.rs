//! From the listener to a protocol: accepting, limits, telling TLS, HTTP/2 and HTTP/1.1 apart.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{
    Permit, Phase, Shared,
    io_kind::Io,
    life::{Life, Next},
    live::{self, Admission},
    seam::Seam,
    service::{Http2Service, Peer},
    sips::Sips,
    stalled::Spawn,
    takeover::{self, Command, Slot},
    tcp::Tcp,
};

/// First and longest pause after the system ran out of file descriptors.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// What an HTTP/2 client without TLS begins with (RFC 9113, §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The first byte of a TLS record that holds a handshake message.
const TLS_HANDSHAKE: u8 = 0x16;

/// Accepts for as long as it is polled.
pub(crate) async fn accept_loop(listener: &TcpListener, shared: &Arc<Shared>) -> Infallible {
    let mut pause = None;
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                if pause.take().is_some() {
                    tracing::warn!("accepting connections again");
                }
                admit(tcp, shared);
            }
            Err(e) if out_of_resources(&e) => {
                if pause.is_none() {
                    tracing::warn!(
                        "cannot accept connections ({e}): is the limit of open files (ulimit -n) too low? Waiting for others to close"
                    );
                }
                let now = pause.map_or(BACK_OFF[0], |p: Duration| (p * 2).min(BACK_OFF[1]));
                pause = Some(now);
                tokio::time::sleep(now).await;
            }
            // The client left before it was accepted, or the like: nobody's fault here.
            Err(e) => {
                tracing::debug!("accept: {e}");
                tokio::task::yield_now().await;
            }
        }
    }
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM: trying again at once would spin.
fn out_of_resources(error: &io::Error) -> bool {
    match error.raw_os_error() {
        #[cfg(unix)]
        Some(code) => {
            use rustix::io::Errno;
            [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
                .iter()
                .any(|e| e.raw_os_error() == code)
        }
        #[cfg(not(unix))]
        Some(_) => true,
        None => false,
    }
}

fn admit(tcp: TcpStream, shared: &Arc<Shared>) {
    let _ = tcp.set_nodelay(true);
    let (permit, refused) = match live::admit(shared, shared.config.max_connections) {
        Admission::Served(permit) => (permit, false),
        Admission::Refused(permit) => (permit, true),
        Admission::Dropped => return,
    };
    permit.run(|permit| Life::beginning(move || begin(tcp, permit, refused)));
}

/// Finds the protocol.
async fn begin(tcp: TcpStream, permit: Permit, refused: bool) -> Next {
    let shared = permit.shared().clone();
    let mut phase = shared.phase.clone();
    let opened = tokio::select! {
        opened = timeout(shared.config.handshake_timeout, open(tcp, &shared)) => opened,
        // A connection that was silent when the drain began has nothing to lose.
        () = drain_begins(&mut phase) => return Next::Over,
    };
    match opened {
        Ok(Ok(Opened { io, pre, http2: true })) => {
            return Next::Work(Box::pin(serve_http2(io, pre, permit, refused)));
        }
        Ok(Ok(Opened {
            io,
            pre,
            http2: false,
        })) => {
            return Next::Work(takeover::connection(io, pre, permit, refused));
        }
        Ok(Err(e)) => tracing::debug!("connection not opened: {e}"),
        Err(_) => tracing::debug!("connection closed: silent for too long"),
    }
    Next::Over
}

/// Resolves when a drain begins; never for a connection that came while one was going on.
async fn drain_begins(phase: &mut super::Shutdown) {
    if *phase.borrow() >= Phase::Draining {
        return std::future::pending().await;
    }
    let _ = phase.wait_for(|p| *p >= Phase::Draining).await;
}

struct Opened {
    io: Io,
    pre: Bytes,
    http2: bool,
}

/// The TLS handshake if there is one, then the first bytes of the protocol above.
async fn open(tcp: TcpStream, shared: &Shared) -> io::Result<Opened> {
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if first[0] != TLS_HANDSHAKE {
        return sniff(Io::Plain(Tcp::new(tcp, shared.config.write_timeout))).await;
    }
    let Some(tls) = &shared.tls else {
        return Err(io::Error::other("TLS asked for, but there is no certificate"));
    };
    let tcp = Tcp::new(tcp, shared.config.write_timeout);
    sniff(Io::Tls(Box::new(tls.acceptor().accept(tcp).await?))).await
}

/// Reads until the bytes can be told from the HTTP/2 preface, or are all of it. TLS clients agreed
/// on a protocol, but reading here puts them under the same time limit.
async fn sniff(mut io: Io) -> io::Result<Opened> {
    let mut pre = BytesMut::with_capacity(512);
    loop {
        if io.read_buf(&mut pre).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let n = pre.len().min(PREFACE.len());
        let http2 = pre[..n] == PREFACE[..n];
        if !http2 || n == PREFACE.len() {
            return Ok(Opened {
                io,
                pre: pre.freeze(),
                http2,
            });
        }
    }
}

async fn serve_http2(io: Io, pre: Bytes, permit: Permit, refused: bool) -> Next {
    let shared = permit.shared().clone();
    let slot = Arc::new(Slot::default());
    let Some(peer) = Peer::of(&io, refused) else {
        return Next::Over;
    };
    let service = Http2Service {
        shared: shared.clone(),
        peer: Arc::new(peer),
        slot: slot.clone(),
    };
    let config = &shared.config;
    let seam = Seam::new(io, pre, slot.clone(), false);
    let conn = http2::Builder::new(Spawn)
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.h2_max_concurrent_streams)
        .keep_alive_interval(config.h2_keepalive_interval)
        .keep_alive_timeout(config.h2_keepalive_timeout)
        // Somewhat more than is taken, so that a head that is too large gets an answer.
        .max_header_list_size(u32::try_from(config.max_header_bytes * 2 + 65_536).unwrap_or(u32::MAX))
        // A stalled client otherwise costs hundreds of KiB a stream.
        .max_send_buf_size(4096)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(Sips::new(seam, slot.clone())), service);
    let mut conn = std::pin::pin!(conn);
    let mut phase = shared.phase.clone();
    let mut leaving = refused;
    if refused {
        conn.as_mut().graceful_shutdown();
    }
    loop {
        tokio::select! {
            result = poll_fn(|cx| { slot.begins_turn(); conn.as_mut().poll(cx) }) => {
                if let Err(e) = result {
                    tracing::debug!("connection ended: {e}");
                }
                break;
            }
            _ = phase.wait_for(|p| *p >= Phase::Draining), if !leaving => {
                leaving = true;
                conn.as_mut().graceful_shutdown();
            }
            command = slot.commanded() => match command {
                Command::Goaway => conn.as_mut().graceful_shutdown(),
                Command::Reset => {
                    slot.arm_reset();
                    break;
                }
            },
        }
    }
    Next::Over
}
