//! The HTTP edge: sockets, TLS, protocols, limits and the endings of streams.
//!
//! Only this folder names poem and hyper's server side. What a response says is decided by the
//! poem endpoint handed to [`Server::serve`]; what is written of it, when, and how it ends on the
//! wire is decided here. An endpoint that wants a live stream puts a [`StreamSpec`] into its
//! response's extensions; every other response goes through hyper as it is.
//!
//! The transport's own deadlines are real time. A stream is timed out only when its client takes nothing.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use poem::{Response, endpoint::BoxEndpoint, endpoint::DynEndpoint};
use tokio::{net::TcpListener, sync::watch};

use crate::engine::gate::{Door, Gate};

mod accept;
mod access_log;
pub mod admin;
pub mod cors;
mod exact;
mod head;
mod http1;
mod http2;
mod intake;
mod io_kind;
mod life;
mod listen;
mod live;
#[doc(hidden)]
pub mod memory;
pub mod preview;
pub mod problem;
pub mod redirect;
mod respond;
mod routes;
mod seam;
mod service;
mod session;
mod sips;
mod socket;
mod stalled;
mod stream;
mod takeover;
mod tcp;
mod tls;

pub use exact::Exact;
pub use http1::Http1Sink;
pub use http2::Http2Sink;
pub use problem::problem;
pub use routes::Routes;
pub use stream::{ServerSink, StreamEnd, StreamSpec};
pub use tls::TlsFiles;

/// What the transport may be told; everything has a default that suits a developer's machine.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Name or address to listen on. A name that resolves to several addresses gets them all.
    pub host: String,
    /// TCP port; 0 picks a free one, the same for every address.
    pub port: u16,
    /// Certificate and key; without them the port speaks cleartext only.
    pub tls: Option<TlsFiles>,
    /// Redirect cleartext requests to https on the same port (`/__mock/*` excepted).
    pub redirect_https: bool,
    /// Open connections served at the same time; those beyond it are answered with 503.
    pub max_connections: usize,
    /// Largest request head in bytes; beyond it the answer is 431. At least 8,192.
    pub max_header_bytes: usize,
    /// Whether the endpoint answers requests that the transport refuses (it finds a [`Refused`] in
    /// their extensions), so that such answers carry its headers; else they get a bare problem.
    pub endpoint_refuses: bool,
    /// How long a new connection may stay silent, its TLS handshake included.
    pub handshake_timeout: Duration,
    /// How long the head of an HTTP/1.1 request may take, and how long a kept connection may idle
    /// before its next request.
    pub header_read_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How long a client may take nothing of what waits for it before its connection, or its HTTP/2
    /// stream, is reset; `None` for ever.
    pub write_timeout: Option<Duration>,
    /// After how much silence the system asks whether a client is still there; `None` never.
    pub tcp_keepalive: Option<Duration>,
    /// HTTP/2 streams open at the same time on one connection.
    pub h2_max_concurrent_streams: u32,
    /// How often an HTTP/2 connection is sent a PING; `None` never.
    pub h2_keepalive_interval: Option<Duration>,
    /// How long the answer to such a PING may take before the connection is dropped.
    pub h2_keepalive_timeout: Duration,
    /// SO_SNDBUF of accepted sockets in bytes; `None` leaves it to the system. It bounds the memory
    /// a stalled client costs.
    pub send_buffer_bytes: Option<usize>,
    /// Who may use the control API under `/__mock/`.
    pub admin: admin::Admin,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            host: "127.0.0.1".into(),
            port: 4043,
            tls: None,
            redirect_https: false,
            max_connections: 16_384,
            max_header_bytes: 64 * 1024,
            endpoint_refuses: false,
            handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            write_timeout: Some(Duration::from_secs(300)),
            tcp_keepalive: Some(Duration::from_secs(60)),
            h2_max_concurrent_streams: 250,
            h2_keepalive_interval: Some(Duration::from_secs(60)),
            h2_keepalive_timeout: Duration::from_secs(20),
            send_buffer_bytes: None,
            admin: admin::Admin::default(),
        }
    }
}

/// Why the transport refuses a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status code to answer with.
    pub status: u16,
    /// What to say.
    pub detail: String,
}

/// How far a shutdown has come; only ever moved forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Everything is served.
    Running,
    /// No connection outlives what it is doing: idle and silent connections are closed at once,
    /// HTTP/1.1 answers get `connection: close`, HTTP/2 connections get GOAWAY. Streams go on until
    /// whoever feeds them ends them. New connections are still accepted, for one request each.
    Draining,
    /// Listeners, connections and streams are dropped at once.
    Closed,
}

/// Where the server learns of a shutdown. A dropped sender counts as [`Phase::Closed`].
pub type Shutdown = watch::Receiver<Phase>;

/// The endpoint that answers, shared by all connections.
pub(crate) type App = Arc<dyn DynEndpoint<Output = Response>>;

/// What every connection of one server shares.
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) app: App,
    pub(crate) tls: Option<tls::Tls>,
    pub(crate) live: live::Live,
    pub(crate) phase: Shutdown,
}

/// The right to have one connection open.
pub(crate) type Permit = live::Permit<Shared>;

impl AsRef<live::Live> for Shared {
    fn as_ref(&self) -> &live::Live {
        &self.live
    }
}

impl Shared {
    /// Whether connections may be kept for another request.
    pub(crate) fn keeps_connections(&self) -> bool {
        *self.phase.borrow() == Phase::Running && self.phase.has_changed().is_ok()
    }
}

/// A bound server: its addresses are known, nothing is accepted yet.
pub struct Server {
    config: ServerConfig,
    listeners: Vec<TcpListener>,
    tls: Option<tls::Tls>,
    doors: Vec<Door>,
}

impl Server {
    /// Reads the certificate and binds every address the host resolves to.
    pub async fn bind(config: ServerConfig) -> io::Result<Server> {
        let tls = config.tls.as_ref().map(tls::Tls::load).transpose()?;
        let listeners = listen::bind_all(&config).await?;
        let server = Server {
            config,
            listeners,
            tls,
            doors: Vec::new(),
        };
        Ok(server.behind(&Arc::default()))
    }

    /// The server stops listening while this gate is closed.
    pub fn behind(self, gate: &Arc<Gate>) -> Server {
        let doors = self.listeners.iter().map(|_| gate.door()).collect();
        Server { doors, ..self }
    }

    /// The addresses bound, in the order the host resolved to.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|l| l.local_addr().ok())
            .collect()
    }

    /// Serves until [`Phase::Closed`], or until [`Phase::Draining`] has left no connection.
    ///
    /// When it returns, the listeners are closed and every connection's task has been told to end.
    pub async fn serve(self, endpoint: BoxEndpoint<'static>, mut phase: Shutdown) {
        let shared = Arc::new(Shared {
            config: self.config,
            app: Arc::from(endpoint),
            tls: self.tls,
            live: live::Live::default(),
            phase: phase.clone(),
        });
        let mut background = tokio::task::JoinSet::new();
        for (listener, door) in self.listeners.into_iter().zip(self.doors) {
            background.spawn(listen::listen(listener, shared.clone(), door));
        }
        if let Some(tls) = &shared.tls {
            background.spawn(tls.watch());
        }
        let draining = phase.wait_for(|p| *p >= Phase::Draining).await.map(|p| *p);
        if let Ok(Phase::Draining) = draining {
            tokio::select! {
                () = shared.live.empty() => {}
                _ = phase.wait_for(|p| *p == Phase::Closed) => {}
            }
        }
        background.shutdown().await;
        shared.live.abort_all();
    }
}
