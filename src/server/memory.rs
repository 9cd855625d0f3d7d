//! The server without sockets: the bytes that a client sends go in, those that it gets come out.
//!
//! For fuzzing alone: hyper, the service, the routes, the engine and the plans are those of every
//! server; sockets, TLS, and how a stream ends on them are not here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2 as hyper_http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::EndpointExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::{mpsc, watch};

use super::admin::Desk;
use super::head::{Bounds, Shape};
use super::service::{Http1Service, Http2Service, Peer};
use super::stalled::Patience;
use super::takeover::{Slot, Taken};
use super::{Phase, Routes, ServerConfig, Shared, http2, live};
use crate::control::Control;
use crate::engine::sessions::{SessionRules, Sessions};
use crate::scenario::Scenario;
use crate::scenario::load::Origin;
use crate::watch::LastLoad;

/// A server that is only bytes.
pub struct InMemory {
    /// The sessions behind it.
    pub sessions: Arc<Sessions>,
    shared: Arc<Shared>,
    /// A server whose sender is gone is closed.
    _phase: watch::Sender<Phase>,
}

impl InMemory {
    /// Serves a scenario, and takes commands. Requests come from this machine.
    pub fn new(scenario: Arc<Scenario>, rules: SessionRules, max_body: usize) -> InMemory {
        let config = ServerConfig {
            endpoint_refuses: true,
            ..ServerConfig::default()
        };
        let sessions = Arc::new(Sessions::new(scenario, rules, None));
        // Nobody reloads: there are no files.
        let (wishes, _) = mpsc::channel(1);
        let control = Control::new(sessions.clone(), Origin::BuiltIn, wishes, LastLoad::default());
        let desk = Desk::new(control, config.admin.clone(), &config.host);
        let routes = Routes::new(sessions.clone(), max_body).commanded_at(desk);
        let (phase, phases) = watch::channel(Phase::Running);
        let shared = Shared {
            config,
            app: Arc::from(routes.boxed()),
            tls: None,
            live: live::Live::default(),
            phase: phases,
        };
        InMemory {
            sessions,
            shared: Arc::new(shared),
            _phase: phase,
        }
    }

    /// Serves one connection of HTTP/1.1 to its end.
    pub async fn http1(&self, io: DuplexStream) {
        let (mut io, mut pre) = (io, Bytes::new());
        loop {
            let Some((rest, leftover, taken)) = self.until_taken(io, pre).await else {
                return;
            };
            io = rest;
            let Some(again) = play(&mut io, taken).await else {
                return;
            };
            if !again {
                return drop(io.shutdown().await);
            }
            pre = leftover;
        }
    }

    /// As `takeover` does it: until a stream wants the connection.
    async fn until_taken(&self, io: DuplexStream, pre: Bytes) -> Option<(DuplexStream, Bytes, Taken)> {
        let (config, slot) = (&self.shared.config, Arc::new(Slot::default()));
        let service = Http1Service {
            shared: self.shared.clone(),
            peer: Arc::new(Peer::in_memory()),
            slot: slot.clone(),
        };
        let io = TokioIo::new(Counted::new(io, pre, &slot));
        let mut conn = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(config.header_read_timeout)
            .max_header_size(config.max_header_bytes)
            .max_buf_size(config.max_header_bytes.max(8192) + 8192)
            .auto_date_header(false)
            .writev(false)
            .serve_connection(io, service);
        let ended = std::future::poll_fn(|cx| match conn.poll_without_shutdown(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if slot.is_drained() => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        });
        let ended = ended.await;
        let parts = conn.into_parts();
        let Counted { mut io, pre, .. } = parts.io.into_inner();
        if ended {
            let _ = io.shutdown().await;
            return None;
        }
        let leftover = [&parts.read_buf[..], &pre[..]].concat();
        Some((io, leftover.into(), slot.taken()?))
    }

    /// Serves one connection of HTTP/2 to its end.
    pub async fn http2(&self, io: DuplexStream) {
        let (config, slot) = (&self.shared.config, Arc::new(Slot::default()));
        let service = Http2Service {
            shared: self.shared.clone(),
            peer: Arc::new(Peer::in_memory()),
            slot: slot.clone(),
        };
        let conn = hyper_http2::Builder::new(Spawn)
            .timer(TokioTimer::new())
            .max_concurrent_streams(config.h2_max_concurrent_streams)
            .max_header_list_size(u32::try_from(config.max_header_bytes * 2 + 65_536).unwrap_or(u32::MAX))
            .max_send_buf_size(4096)
            .auto_date_header(false)
            .serve_connection(TokioIo::new(Counted::new(io, Bytes::new(), &slot)), service);
        tokio::select! {
            _ = conn => {}
            _ = slot.commanded() => {}
        }
    }
}

/// Plays a stream that has taken the connection over; whether another request may follow, and `None`
/// if it broke off.
async fn play(io: &mut DuplexStream, taken: Taken) -> Option<bool> {
    let Taken { head, spec, shape } = taken;
    io.write_all(&head).await.ok()?;
    // What is written is the frames of HTTP/2: a sink that needs no socket.
    let mut body = http2::start(&spec, Arc::default(), Patience::new(None));
    let mut written = 0;
    while let Some(frame) = body.frame().await {
        let bytes = frame.ok()?.into_data().ok()?;
        written += bytes.len() as i64;
        let framed = match shape.bounds {
            Bounds::Chunked => [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat(),
            _ => bytes.to_vec(),
        };
        io.write_all(&framed).await.ok()?;
    }
    if shape.bounds == Bounds::Chunked {
        io.write_all(b"0\r\n\r\n").await.ok()?;
    }
    Some(shape.reusable && is_whole(shape, written))
}

fn is_whole(shape: Shape, written: i64) -> bool {
    match shape.bounds {
        Bounds::Chunked => true,
        Bounds::Sized { left } => left == written,
        Bounds::Close => false,
    }
}

/// Tells the slot of writes and flushes, as the seam of a socket does.
struct Counted {
    io: DuplexStream,
    pre: Bytes,
    slot: Arc<Slot>,
}

impl Counted {
    fn new(io: DuplexStream, pre: Bytes, slot: &Arc<Slot>) -> Counted {
        let slot = slot.clone();
        Counted { io, pre, slot }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pre.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let now = self.pre.len().min(buf.remaining());
        buf.put_slice(&self.pre.split_to(now));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.slot.writing();
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.slot.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Runs hyper's stream tasks.
#[derive(Clone)]
struct Spawn;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawn {
    fn execute(&self, task: F) {
        tokio::spawn(task);
    }
}
