//! Replies made by hand behind the real transport, and clients that see bytes and frames.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::{net::SocketAddr, path::Path, sync::Arc};

use mock_sse::{
    certs,
    clock::Mode,
    engine::{
        Engine, Head, Reply, ReplyBody, Seed,
        sessions::{SessionRules, Sessions},
        sink::Sink,
    },
    request::Request,
    scenario::{compile, model::End},
    server::{Phase, Routes, Server, ServerConfig, ServerSink, StreamEnd, StreamSpec, TlsFiles},
    wire::Frame,
};
use poem::{Endpoint, EndpointExt, Request as PoemRequest, Response, Result};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};

use crate::transport_toy::{send, soon};

/// Two events, then the end; and one that stays open.
const SCENARIO: &str = "endpoints:
  - { path: /stream, stream: [{ data: a }, { data: b }] }
  - { path: /held, stream: [{ data: a }, { end: hold }] }
";
/// The body of `/stream`, bare and in chunks.
pub const BARE: &str = "data: a\n\ndata: b\n\n";
pub const CHUNKS: &str = "9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n0\r\n\r\n";

/// What a test answers with.
pub enum Answer {
    Reply(Box<Reply>),
    Spec(StreamSpec),
}

impl Answer {
    pub fn reply(reply: Reply) -> Answer {
        Answer::Reply(Box::new(reply))
    }
}

type Answers = Box<dyn Fn(&Engine, &Request) -> Answer + Send + Sync>;

struct Hand {
    engine: Arc<Engine>,
    routes: Routes,
    answers: Answers,
}

impl Endpoint for Hand {
    type Output = Response;

    async fn call(&self, request: PoemRequest) -> Result<Response> {
        let asked = Request::example(request.method().as_str(), request.uri().path());
        match (self.answers)(&self.engine, &asked) {
            Answer::Reply(reply) => Ok(self.routes.deliver(request, |_, _| *reply).await),
            Answer::Spec(spec) => {
                let mut response = Response::default();
                response.extensions_mut().insert(spec);
                Ok(response)
            }
        }
    }
}

pub struct Running {
    pub addrs: Vec<SocketAddr>,
    pub engine: Arc<Engine>,
    pub phase: watch::Sender<Phase>,
    pub served: JoinHandle<()>,
    ca: Option<tempfile::TempDir>,
}

/// In the clear, or with TLS.
pub async fn start(
    tls: bool,
    answers: impl Fn(&Engine, &Request) -> Answer + Send + Sync + 'static,
) -> Running {
    start_with(ServerConfig::default(), tls, Mode::REAL, answers).await
}

pub async fn start_with(
    config: ServerConfig,
    tls: bool,
    mode: Mode,
    answers: impl Fn(&Engine, &Request) -> Answer + Send + Sync + 'static,
) -> Running {
    let ca = tls.then(|| tempfile::tempdir().unwrap());
    let files = ca.as_ref().map(|dir| {
        let made = certs::ensure(dir.path(), &[]).unwrap();
        TlsFiles {
            cert: made.cert_path,
            key: made.key_path,
        }
    });
    let config = ServerConfig {
        port: 0,
        tls: files,
        ..config
    };
    let server = Server::bind(config).await.unwrap();
    let addrs = server.local_addrs();
    let source = mock_sse::scenario::diagnostic::Source::new("scenario.yaml", SCENARIO);
    let (scenario, _) = compile(&[Arc::new(source)]).unwrap();
    let rules = SessionRules {
        mode,
        ..SessionRules::new(Seed::Fixed(0))
    };
    let sessions = Arc::new(Sessions::new(scenario, rules, None));
    let engine = sessions.main();
    let hand = Hand {
        routes: Routes::new(sessions, 1000),
        engine: engine.clone(),
        answers: Box::new(answers),
    };
    let (phase, shutdown) = watch::channel(Phase::Running);
    let server = server.behind(&engine.gate);
    let served = tokio::spawn(server.serve(hand.boxed(), shutdown));
    Running {
        addrs,
        engine,
        phase,
        served,
        ca,
    }
}

/// A reply with a body of these bytes.
pub fn full(status: u16, body: &'static str) -> Reply {
    Reply::new(Head::new(status, None), ReplyBody::Full(body.into()))
}

/// The scenario's reply to this path.
pub fn played(engine: &Engine, path: &str) -> Reply {
    engine.answer(Request::example("GET", path))
}

/// A stream that writes a whole frame, a part of another one, and ends like this.
pub fn partly(end: End) -> Answer {
    Answer::Spec(StreamSpec::new(async move |mut sink: ServerSink| {
        let written = async {
            sink.write(&Frame::new(b"data: a\n\n")).await?;
            sink.write_part(&Frame::new(b"data: bcdef\n\n"), 7).await
        };
        let written = written.await;
        (sink, written.map_or(StreamEnd::Gone, |()| StreamEnd::Ended(end)))
    }))
}

/// Anything that bytes go through.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl Running {
    pub fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// A connection: encrypted if the server has a certificate.
    pub async fn connect(&self, alpn: &str) -> Box<dyn Io> {
        let tcp = TcpStream::connect(self.addr()).await.unwrap();
        match &self.ca {
            Some(dir) => tls(tcp, dir.path(), alpn).await,
            None => Box::new(tcp),
        }
    }

    /// The same with a small receive buffer.
    pub async fn connect_narrow(&self, alpn: &str) -> Box<dyn Io> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let tcp = socket.connect(self.addr()).await.unwrap();
        match &self.ca {
            Some(dir) => tls(tcp, dir.path(), alpn).await,
            None => Box::new(tcp),
        }
    }

    /// A connection with a request on it.
    pub async fn ask(&self, method: &str, path: &str) -> Box<dyn Io> {
        let mut io = self.connect("http/1.1").await;
        ask_on(&mut io, method, path).await;
        io
    }
}

pub async fn ask_on(io: &mut Box<dyn Io>, method: &str, path: &str) {
    send(io, &format!("{method} {path} HTTP/1.1\r\nhost: t\r\n\r\n")).await;
}

/// An encrypted connection, trusting the CA in a folder.
pub async fn tls(tcp: TcpStream, dir: &Path, alpn: &str) -> Box<dyn Io> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap();
    roots.add(ca).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    Box::new(soon(connector.connect(name, tcp)).await.unwrap())
}

/// One HTTP/2 frame as it stood on the wire (RFC 9113 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireFrame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// HTTP/2 by hand.
pub struct Frames {
    io: Box<dyn Io>,
}

impl Frames {
    pub async fn new(mut io: Box<dyn Io>) -> Frames {
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut frames = Frames { io };
        frames.put(SETTINGS, 0, 0, &[]).await.unwrap();
        frames
    }

    /// With windows that nothing ever fills.
    pub async fn wide(mut io: Box<dyn Io>) -> Frames {
        const LARGEST: u32 = 0x7fff_ffff;
        const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut frames = Frames { io };
        let setting = [&INITIAL_WINDOW_SIZE[..], &LARGEST.to_be_bytes()].concat();
        frames.put(SETTINGS, 0, 0, &setting).await.unwrap();
        let more = (LARGEST - 65_535).to_be_bytes();
        frames.put(WINDOW_UPDATE, 0, 0, &more).await.unwrap();
        frames
    }

    async fn put(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.io.write_all(&frame).await?;
        self.io.flush().await
    }

    /// Asks for a path on a stream of this number.
    pub async fn get(&mut self, stream: u32, path: &str) {
        self.ask(stream, "GET", path, &[]).await;
    }

    /// Asks for a path with further fields. The authority is `t`.
    pub async fn ask(&mut self, stream: u32, method: &str, path: &str, fields: &[(&str, &str)]) {
        let pseudo = [
            (":method", method),
            (":scheme", "http"),
            (":path", path),
            (":authority", "t"),
        ];
        let fields = pseudo.iter().chain(fields);
        let fields: Vec<(&[u8], &[u8])> = fields.map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        self.ask_bytes(stream, &fields).await;
    }

    /// Asks with exactly these fields.
    pub async fn ask_bytes(&mut self, stream: u32, fields: &[(&[u8], &[u8])]) {
        // RFC 7541 §6.2.2: literal fields, not indexed.
        let mut block = Vec::new();
        for (name, value) in fields {
            block.push(0);
            string(&mut block, name);
            string(&mut block, value);
        }
        const END_HEADERS_AND_STREAM: u8 = 5;
        self.put(HEADERS, END_HEADERS_AND_STREAM, stream, &block)
            .await
            .unwrap();
    }

    /// Resets a stream with CANCEL.
    pub async fn reset(&mut self, stream: u32) {
        self.put(RST_STREAM, 0, stream, &8u32.to_be_bytes())
            .await
            .unwrap();
    }

    /// Opens the windows of the connection and of a stream by so many bytes.
    pub async fn widen(&mut self, stream: u32, bytes: u32) {
        for stream in [0, stream] {
            self.put(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
                .await
                .unwrap();
        }
    }

    /// The next frame that is not about the connection's upkeep; `None` at the end of the connection.
    pub async fn next(&mut self) -> std::io::Result<Option<WireFrame>> {
        loop {
            let mut head = [0; 9];
            if soon(self.io.read(&mut head[..1])).await? == 0 {
                return Ok(None);
            }
            soon(self.io.read_exact(&mut head[1..])).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            soon(self.io.read_exact(&mut payload)).await?;
            let frame = WireFrame {
                kind: head[3],
                flags: head[4],
                stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
                payload,
            };
            match frame.kind {
                PING if frame.flags == 0 => self.put(PING, 1, 0, &frame.payload).await?,
                SETTINGS if frame.flags == 0 => self.put(SETTINGS, 1, 0, &[]).await?,
                SETTINGS | PING | WINDOW_UPDATE => {}
                _ => return Ok(Some(frame)),
            }
        }
    }

    pub async fn expect(&mut self, kind: u8) -> WireFrame {
        let frame = self.next().await.unwrap();
        let frame = frame.unwrap_or_else(|| panic!("closed before a frame of kind {kind}"));
        assert_eq!(frame.kind, kind, "{frame:?}");
        frame
    }

    /// The code of the RST_STREAM that comes next.
    pub async fn expect_reset(&mut self, stream: u32) -> u32 {
        let frame = self.expect(RST_STREAM).await;
        assert_eq!(frame.stream, stream);
        u32::from_be_bytes(frame.payload.try_into().unwrap())
    }
}

/// RFC 7541 §5.2: a length of seven bits and more, then the bytes.
fn string(block: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    if length < 127 {
        block.push(length as u8);
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push((length % 128) as u8 | 128);
            length /= 128;
        }
        block.push(length as u8);
    }
    block.extend(bytes);
}
