//! Scenarios behind the real transport, and clients that see chunks, frames and endings.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use mock_sse::{
    app::{self, Settings},
    certs,
    clock::{Clock, Mode},
    engine::{Seed, sessions::SessionRules},
    scenario::{
        diagnostic::render_all,
        load::{Origin, load_seen},
    },
    server::{ServerConfig, TlsFiles},
    watch::{OnReload, Watch},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::transport_toy::soon;
use crate::wire_toy::{DATA, Frames, GOAWAY, HEADERS, Io, RST_STREAM, tls};

/// A protocol to ask in; every mock speaks all of them on one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Http1,
    Http1Tls,
    Http2,
    Http2Tls,
}

impl Via {
    pub const ALL: [Via; 4] = [Via::Http1, Via::Http1Tls, Via::Http2, Via::Http2Tls];

    pub fn is_http2(self) -> bool {
        matches!(self, Via::Http2 | Via::Http2Tls)
    }
}

/// How an answer came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The empty chunk, all of the announced length, or END_STREAM.
    Clean,
    /// The connection was closed; over TLS with close_notify.
    Closed,
    /// An encrypted connection was closed without close_notify.
    Unannounced,
    /// RST of the connection.
    Reset,
    /// RST_STREAM with this code.
    StreamReset(u32),
}

pub struct Mock {
    pub running: app::Running,
    ca: Arc<tempfile::TempDir>,
}

/// Serves a scenario on the real clock.
pub async fn mock(yaml: &str) -> Mock {
    mock_on(Mode::REAL, yaml).await
}

/// Serves a scenario on such a clock, with seed 7.
pub async fn mock_on(mode: Mode, yaml: &str) -> Mock {
    mock_from(mode, Origin::Text(yaml.to_owned()), 7).await
}

/// Serves a scenario that lies in this file.
pub async fn mock_file(path: PathBuf) -> Mock {
    mock_from(Mode::REAL, Origin::Paths(vec![path]), 7).await
}

pub async fn mock_from(mode: Mode, origin: Origin, seed: u64) -> Mock {
    let (loaded, seen) = load_seen(&origin);
    let (scenario, _) = loaded.unwrap_or_else(|errors| panic!("{}", render_all(&errors, false)));
    let ca = tempfile::tempdir().unwrap();
    let made = certs::ensure(ca.path(), &[]).unwrap();
    let files = TlsFiles {
        cert: made.cert_path,
        key: made.key_path,
    };
    let settings = Settings {
        server: ServerConfig {
            port: 0,
            tls: Some(files),
            ..ServerConfig::default()
        },
        max_body: 8_000_000,
        sessions: SessionRules {
            mode,
            ..SessionRules::new(Seed::Drawn(seed))
        },
        farewell: None,
        origin,
        seen,
        watch: Watch::Off,
        on_reload: OnReload::Keep,
    };
    let running = app::start(scenario, settings, |_| {}).await.unwrap();
    Mock {
        running,
        ca: Arc::new(ca),
    }
}

impl Mock {
    pub fn addr(&self) -> SocketAddr {
        self.running.addrs[0]
    }

    pub fn clock(&self) -> Arc<Clock> {
        self.running.engine().session.clock.clone()
    }

    /// Moves a manual clock to when something is due next, and answers by how much that was.
    pub async fn tick(&self) -> Option<Duration> {
        let due = self.clock().next_due().await?;
        let by = due - self.clock().now();
        self.clock().advance(by).await;
        Some(by)
    }

    pub async fn connect(&self, via: Via) -> Box<dyn Io> {
        let tcp = TcpStream::connect(self.addr()).await.unwrap();
        match via {
            Via::Http1 | Via::Http2 => Box::new(tcp),
            Via::Http1Tls => tls(tcp, self.ca.path(), "http/1.1").await,
            Via::Http2Tls => tls(tcp, self.ca.path(), "h2").await,
        }
    }

    /// The whole answer to GET.
    pub async fn get(&self, via: Via, path: &str) -> Answer {
        self.get_with(via, path, &[]).await
    }

    pub async fn get_with(&self, via: Via, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut open = self.open(via, path, headers).await;
        open.rest().await
    }

    /// An answer to GET, of which nothing has been read yet.
    pub async fn open(&self, via: Via, path: &str, headers: &[(&str, &str)]) -> Open {
        let io = self.connect(via).await;
        if via.is_http2() {
            let mut frames = Frames::wide(io).await;
            frames.ask(1, "GET", path, headers).await;
            return Open::Http2(frames);
        }
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: t\r\n");
        headers
            .iter()
            .for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        self.raw(io, (head + "\r\n").as_bytes()).await
    }

    /// What these bytes of HTTP/1 are answered with.
    pub async fn send(&self, request: &[u8]) -> Answer {
        self.ask(Via::Http1, request).await
    }

    /// The same, plain or encrypted.
    pub async fn ask(&self, via: Via, request: &[u8]) -> Answer {
        let io = self.connect(via).await;
        let mut open = self.raw(io, request).await;
        open.rest().await
    }

    async fn raw(&self, mut io: Box<dyn Io>, request: &[u8]) -> Open {
        io.write_all(request).await.unwrap();
        io.flush().await.unwrap();
        Open::Http1(BufReader::with_capacity(1 << 16, io))
    }
}

/// An answer as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The head over HTTP/1; empty over HTTP/2.
    pub head: Vec<u8>,
    /// Each chunk or DATA frame; of a bare body all in one. A broken chunk counts as far as it came.
    pub pieces: Vec<Vec<u8>>,
    pub end: End,
}

impl Answer {
    pub fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body()).unwrap()
    }

    /// The pieces as text.
    pub fn texts(&self) -> Vec<String> {
        self.pieces
            .iter()
            .map(|p| String::from_utf8_lossy(p).into_owned())
            .collect()
    }

    pub fn head_text(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    pub fn status(&self) -> u16 {
        self.head_text()
            .split(' ')
            .nth(1)
            .expect("a status line")
            .parse()
            .unwrap()
    }

    /// The values of a header, as they stand.
    pub fn values(&self, name: &str) -> Vec<String> {
        let head = self.head_text();
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        fields
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .collect()
    }

    pub fn value(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }
}

/// An answer that is still coming.
pub enum Open {
    Http1(BufReader<Box<dyn Io>>),
    Http2(Frames),
}

impl Open {
    /// The head: over HTTP/2 only that it has come.
    pub async fn head(&mut self) -> Vec<u8> {
        match self {
            Open::Http1(io) => {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if soon(io.read_until(b'\n', &mut head)).await.unwrap() == 0 {
                        break;
                    }
                }
                head
            }
            Open::Http2(frames) => {
                frames.expect(HEADERS).await;
                Vec::new()
            }
        }
    }

    /// The next chunk or DATA frame, or the end. The head must have been read.
    pub async fn piece(&mut self) -> Result<Vec<u8>, (Vec<u8>, End)> {
        match self {
            Open::Http1(io) => chunk(io).await,
            Open::Http2(frames) => frame(frames).await,
        }
    }

    /// The next piece, which must come.
    pub async fn next(&mut self) -> Vec<u8> {
        self.piece().await.expect("another piece")
    }

    /// Everything up to the end, the head included.
    pub async fn rest(&mut self) -> Answer {
        let mut answer = Answer {
            head: Vec::new(),
            pieces: Vec::new(),
            end: End::Clean,
        };
        if let Open::Http1(io) = self {
            match head_of(io).await {
                Ok(head) => answer.head = head,
                Err(end) => return Answer { end, ..answer },
            }
            if !is_chunked(&answer.head) {
                (answer.pieces, answer.end) = bare(io, &answer.head).await;
                return answer;
            }
        }
        self.pieces(answer).await
    }

    /// Everything up to the end behind a head that has been read, in chunks or frames.
    pub async fn remains(&mut self) -> Answer {
        let answer = Answer {
            head: Vec::new(),
            pieces: Vec::new(),
            end: End::Clean,
        };
        self.pieces(answer).await
    }

    async fn pieces(&mut self, mut answer: Answer) -> Answer {
        loop {
            match self.piece().await {
                Ok(piece) => answer.pieces.push(piece),
                Err((part, end)) => {
                    answer.pieces.extend((!part.is_empty()).then_some(part));
                    return Answer { end, ..answer };
                }
            }
        }
    }
}

fn broken(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => End::Unannounced,
        io::ErrorKind::ConnectionReset => End::Reset,
        other => panic!("{other}: {error}"),
    }
}

async fn head_of(io: &mut BufReader<Box<dyn Io>>) -> Result<Vec<u8>, End> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match soon(io.read_until(b'\n', &mut head)).await {
            Ok(0) if head.is_empty() => return Err(End::Closed),
            Ok(0) => return Ok(head),
            Ok(_) => {}
            Err(error) => return Err(broken(&error)),
        }
    }
    Ok(head)
}

fn is_chunked(head: &[u8]) -> bool {
    String::from_utf8_lossy(head)
        .to_lowercase()
        .contains("transfer-encoding: chunked")
}

/// As many bytes as were announced, or all there are.
async fn bare(io: &mut BufReader<Box<dyn Io>>, head: &[u8]) -> (Vec<Vec<u8>>, End) {
    let text = String::from_utf8_lossy(head).to_lowercase();
    let bodiless = [" 204 ", " 304 "]
        .iter()
        .any(|code| text.starts_with("http/1.1") && text[8..].starts_with(code));
    let announced = text
        .lines()
        .find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
    let left = if bodiless { Some(0) } else { announced };
    let mut body = Vec::new();
    let read = take(io, &mut body, left.unwrap_or(usize::MAX)).await;
    let end = match read {
        Ok(()) if left == Some(body.len()) => End::Clean,
        Ok(()) => End::Closed,
        Err(error) => broken(&error),
    };
    ((!body.is_empty()).then_some(body).into_iter().collect(), end)
}

/// Reads so many bytes, or up to the end of the connection.
async fn take(io: &mut BufReader<Box<dyn Io>>, into: &mut Vec<u8>, most: usize) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    while into.len() < most {
        let room = buffer.len().min(most - into.len());
        match soon(io.read(&mut buffer[..room])).await? {
            0 => break,
            n => into.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(())
}

async fn chunk(io: &mut BufReader<Box<dyn Io>>) -> Result<Vec<u8>, (Vec<u8>, End)> {
    let mut size = Vec::new();
    match soon(io.read_until(b'\n', &mut size)).await {
        Ok(0) => return Err((Vec::new(), End::Closed)),
        Ok(_) => {}
        Err(error) => return Err((Vec::new(), broken(&error))),
    }
    let size = String::from_utf8(size).unwrap();
    let size = usize::from_str_radix(size.strip_suffix("\r\n").expect("a chunk's head"), 16).unwrap();
    let mut body = Vec::new();
    let whole = take(io, &mut body, size + 2).await;
    if let Err(error) = whole {
        return Err((body, broken(&error)));
    }
    if body.len() < size + 2 {
        return Err((body, End::Closed));
    }
    assert_eq!(body.split_off(size), b"\r\n");
    match size {
        0 => Err((Vec::new(), End::Clean)),
        _ => Ok(body),
    }
}

async fn frame(frames: &mut Frames) -> Result<Vec<u8>, (Vec<u8>, End)> {
    const END_STREAM: u8 = 1;
    loop {
        let frame = match frames.next().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err((Vec::new(), End::Closed)),
            Err(error) => return Err((Vec::new(), broken(&error))),
        };
        match frame.kind {
            DATA if frame.flags & END_STREAM != 0 => return Err((frame.payload, End::Clean)),
            DATA => return Ok(frame.payload),
            HEADERS if frame.flags & END_STREAM != 0 => return Err((Vec::new(), End::Clean)),
            HEADERS => {}
            GOAWAY => assert_eq!(frame.payload[4..8], [0; 4], "our fault"),
            RST_STREAM => {
                let code = u32::from_be_bytes(frame.payload.try_into().unwrap());
                return Err((Vec::new(), End::StreamReset(code)));
            }
            other => panic!("a frame of kind {other}"),
        }
    }
}
