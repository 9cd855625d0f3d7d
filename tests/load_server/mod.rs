//! An SSE server with a known fault, for the tests of `load`: `GET /sse` streams, `POST /publish`
//! broadcasts. HTTP/1.1 by hand, HTTP/2 by prior knowledge, one connection a task.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, rustls};

/// What the server does wrong. Numbers are those of messages, or of events.
#[derive(Clone, Copy)]
pub enum Fault {
    None,
    Drop(u64),
    /// Sent only behind the next message.
    Late(u64),
    /// The first is sent only behind the second.
    Behind(u64, u64),
    /// Sent, and answered, only behind the next message, which somebody else has to send.
    Swap(u64),
    Twice(u64),
    /// Every stream's connection is closed in place of this message.
    Cut(u64),
    Status(u16),
    Html,
    NoAnswer,
    /// A connection is closed behind its first answer, which does not say so.
    OneAnswer,
    RefusePublish,
    /// So many events at once on every stream.
    Greet(u64),
    GreetAndEnd(u64),
}

/// An empty message closes the connections of all streams.
type Message = Arc<str>;

/// Runs until it is dropped.
pub struct Server {
    pub base: String,
    state: Arc<State>,
    files: Option<tempfile::TempDir>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    fault: Fault,
    messages: broadcast::Sender<Message>,
    held: Mutex<Option<Message>>,
    tls: Option<TlsAcceptor>,
    /// The highest number published so far.
    highest: watch::Sender<u64>,
    accepted: AtomicUsize,
}

impl Server {
    pub async fn start(fault: Fault) -> Self {
        Self::start_with(fault, None, None).await
    }

    /// With a certificate of its own, made for this server.
    pub async fn start_tls(fault: Fault) -> Self {
        let files = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(files.path().join("ca.pem"), made.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        Self::start_with(fault, Some(tls), Some(files)).await
    }

    async fn start_with(fault: Fault, tls: Option<TlsAcceptor>, files: Option<tempfile::TempDir>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Arc::new(State {
            fault,
            messages: broadcast::channel(1024).0,
            held: Mutex::new(None),
            tls,
            highest: watch::Sender::new(0),
            accepted: AtomicUsize::new(0),
        });
        Self {
            base: format!("{scheme}://{address}"),
            state: state.clone(),
            files,
            task: tokio::spawn(accept(listener, state)),
        }
    }

    pub fn ca(&self) -> Option<PathBuf> {
        Some(self.files.as_ref()?.path().join("ca.pem"))
    }

    /// How many connections have come so far.
    pub fn connections(&self) -> usize {
        self.state.accepted.load(Relaxed)
    }

    pub async fn stop(mut self) {
        self.task.abort();
        // Cancelled, as asked for; from now on the port is closed.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        state.accepted.fetch_add(1, Relaxed);
        connections.spawn(connection(tcp, state.clone()));
    }
}

async fn connection(tcp: TcpStream, state: Arc<State>) -> Option<()> {
    if let Some(tls) = state.tls.clone() {
        return http1(tls.accept(tcp).await.ok()?, state).await;
    }
    let mut first = [0; 3];
    if tcp.peek(&mut first).await.ok()? == 3 && &first == b"PRI" {
        return http2(tcp, state).await;
    }
    http1(tcp, state).await
}

/// Requests one after the other; `None` when the connection is over.
async fn http1<W: AsyncRead + AsyncWrite + Unpin>(mut wire: W, state: Arc<State>) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if wire.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
            continue;
        };
        if head.starts_with("GET /sse HTTP/1.1\r\n") {
            assert!(head.contains("\r\naccept: text/event-stream"), "{head}");
            return stream(wire, &state).await;
        }
        assert!(head.starts_with("POST /publish HTTP/1.1\r\n"), "{head}");
        // curl writes the name in capitals.
        let head = head.to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ")?;
        let length = length.lines().next()?;
        if body.len() < length.parse().unwrap() {
            wire.read_buf(&mut bytes).await.ok()?;
            continue;
        }
        state.wait_for_the_next(body).await;
        let answer = match state.publish(body) {
            true => &b"HTTP/1.1 303 See Other\r\ncontent-length: 11\r\n\r\nbroadcasted"[..],
            false => b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        };
        wire.write_all(answer).await.ok()?;
        if matches!(state.fault, Fault::OneAnswer) {
            return None;
        }
        bytes.clear();
    }
}

async fn stream<W: AsyncWrite + Unpin>(mut wire: W, state: &State) -> Option<()> {
    let (status, content_type) = match state.fault {
        Fault::NoAnswer => return None,
        Fault::Status(status) => (status, "text/plain"),
        Fault::Html => (200, "text/html"),
        _ => (200, "text/event-stream; charset=utf-8"),
    };
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let mut messages = state.messages.subscribe();
    wire.write_all(head.as_bytes()).await.ok()?;
    for number in 0..state.greetings() {
        let chunk = chunk(&format!("greeting {number}"));
        wire.write_all(chunk.as_bytes()).await.ok()?;
    }
    if matches!(state.fault, Fault::GreetAndEnd(_)) {
        return wire.write_all(b"0\r\n\r\n").await.ok();
    }
    loop {
        wire.flush().await.ok()?;
        let message = messages.recv().await.ok().filter(|m| !m.is_empty())?;
        wire.write_all(chunk(&message).as_bytes()).await.ok()?;
    }
}

fn chunk(data: &str) -> String {
    let event = event(data);
    format!("{:x}\r\n{event}\r\n", event.len())
}

fn event(data: &str) -> String {
    format!("id: 1\ndata: {data}\n\n")
}

async fn http2(tcp: TcpStream, state: Arc<State>) -> Option<()> {
    let mut connection = h2::server::handshake(tcp).await.ok()?;
    let mut streams = JoinSet::new();
    while let Some(request) = connection.accept().await {
        let (_, mut respond) = request.ok()?;
        let (state, mut messages) = (state.clone(), state.messages.subscribe());
        streams.spawn(async move {
            let head = http::Response::builder().header("content-type", "text/event-stream");
            let head = head.body(()).unwrap();
            let mut body = respond.send_response(head, false).ok()?;
            for number in 0..state.greetings() {
                let event = event(&format!("greeting {number}"));
                body.send_data(Bytes::from(event), false).ok()?;
            }
            if matches!(state.fault, Fault::GreetAndEnd(_)) {
                return body.send_data(Bytes::new(), true).ok();
            }
            loop {
                let message = messages.recv().await.ok()?;
                body.send_data(Bytes::from(event(&message)), false).ok()?;
            }
        });
    }
    None
}

impl State {
    fn greetings(&self) -> u64 {
        match self.fault {
            Fault::Greet(count) | Fault::GreetAndEnd(count) => count,
            _ => 0,
        }
    }

    async fn wait_for_the_next(&self, body: &str) {
        let message: serde_json::Value = serde_json::from_str(body).unwrap();
        if let Fault::Swap(n) = self.fault
            && message["n"] == n
        {
            let mut highest = self.highest.subscribe();
            highest.wait_for(|highest| *highest > n).await.unwrap();
        }
    }

    /// Broadcasts a message, or what the fault makes of it; false refuses it.
    fn publish(&self, body: &str) -> bool {
        let message: serde_json::Value = serde_json::from_str(body).unwrap();
        let number = message["n"].as_u64().unwrap();
        assert!(message["t"].is_u64());
        let send = |text: &str| drop(self.messages.send(text.into()));
        match self.fault {
            Fault::RefusePublish => return false,
            Fault::Drop(n) if n == number => {}
            Fault::Late(n) | Fault::Behind(n, _) if n == number => {
                *self.held.lock().unwrap() = Some(body.into())
            }
            Fault::Cut(n) if n == number => send(""),
            Fault::Twice(n) if n == number => {
                send(body);
                send(body);
            }
            _ => send(body),
        }
        self.highest
            .send_modify(|highest| *highest = number.max(*highest));
        let releases = match self.fault {
            Fault::Late(n) => n < number,
            Fault::Behind(_, n) => n == number,
            _ => false,
        };
        if releases && let Some(held) = self.held.lock().unwrap().take() {
            send(&held);
        }
        true
    }
}
