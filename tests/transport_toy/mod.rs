//! A toy endpoint behind the real transport, and raw clients to look at the wire with.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::future::poll_fn;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use mock_sse::{
    engine::sink::Sink,
    scenario::model::End,
    server::{Phase, Server, ServerConfig, ServerSink, StreamEnd, StreamSpec},
    wire::Frame,
};
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Result};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

/// What a test tells a stream at `/script` to do.
pub enum Step {
    Write(Vec<&'static str>),
    End(End),
}

/// What streams report.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Written,
    Gone,
}

struct Toy {
    steps: Mutex<Option<mpsc::UnboundedReceiver<Step>>>,
    seen: mpsc::UnboundedSender<Seen>,
}

pub struct Running {
    pub addr: SocketAddr,
    pub phase: watch::Sender<Phase>,
    pub steps: mpsc::UnboundedSender<Step>,
    pub seen: mpsc::UnboundedReceiver<Seen>,
    pub served: JoinHandle<()>,
}

/// Starts the toy on a free port.
pub async fn start(config: ServerConfig) -> Running {
    let server = Server::bind(ServerConfig { port: 0, ..config }).await.unwrap();
    let addr = server.local_addrs()[0];
    let (phase, shutdown) = watch::channel(Phase::Running);
    let (steps, told) = mpsc::unbounded_channel();
    let (report, seen) = mpsc::unbounded_channel();
    let toy = Toy {
        steps: Mutex::new(Some(told)),
        seen: report,
    };
    let served = tokio::spawn(server.serve(toy.boxed(), shutdown));
    Running {
        addr,
        phase,
        steps,
        seen,
        served,
    }
}

impl Running {
    pub fn write(&self, frames: &[&'static str]) {
        self.steps.send(Step::Write(frames.to_vec())).ok().unwrap();
    }

    pub fn end(&self, end: End) {
        self.steps.send(Step::End(end)).ok().unwrap();
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> TcpStream {
        let mut tcp = self.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        tcp
    }

    pub async fn next_seen(&mut self) -> Seen {
        soon(self.seen.recv()).await.unwrap()
    }
}

impl Endpoint for Toy {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let path = request.uri().path().to_owned();
        let spec = match path.as_str() {
            "/hello" => return Ok("hello".into_response()),
            "/scheme" => return Ok(request.scheme().to_string().into_response()),
            "/echo" => return Ok(request.take_body().into_bytes().await?.into_response()),
            "/panic" => panic!("a handler panics"),
            "/script" => self.script(),
            "/read-then-close" => {
                let body = request.take_body().into_vec().await?;
                fixed(vec![body], End::Close)
            }
            "/close" => fixed(vec![b"a\n".to_vec(), b"b\n".to_vec()], End::Close),
            "/goaway" => fixed(vec![b"a\n".to_vec()], End::Goaway),
            "/cut" => fixed(vec![b"a\n".to_vec()], End::Cut { code: 11 }),
            "/reset" => fixed(vec![b"a\n".to_vec()], End::Reset),
            "/reset-much" => fixed(vec![vec![b'x'; 400_000]], End::Reset),
            other => return Ok(format!("no {other}").into_response()),
        };
        let mut response = Response::builder()
            .header("content-type", "text/event-stream")
            .header("x-first", "1")
            .finish();
        response.extensions_mut().insert(spec);
        Ok(response)
    }
}

impl Toy {
    fn script(&self) -> StreamSpec {
        let steps = self.steps.lock().unwrap().take();
        let seen = self.seen.clone();
        StreamSpec::new(async move |mut sink: ServerSink| {
            let mut steps = steps.expect("one /script at a time");
            loop {
                let step = tokio::select! {
                    step = steps.recv() => step,
                    () = sink.gone() => None,
                };
                match step {
                    Some(Step::Write(pieces)) => {
                        let frames: Vec<_> = pieces.iter().map(|p| Frame::new(p.as_bytes())).collect();
                        let frames: Vec<_> = frames.iter().collect();
                        let result = poll_fn(|cx| sink.poll_write(cx, &frames)).await;
                        let _ = seen.send(if result.is_ok() { Seen::Written } else { Seen::Gone });
                    }
                    Some(Step::End(end)) => return (sink, StreamEnd::Ended(end)),
                    None => {
                        let _ = seen.send(Seen::Gone);
                        return (sink, StreamEnd::Gone);
                    }
                }
            }
        })
    }
}

fn fixed(pieces: Vec<Vec<u8>>, end: End) -> StreamSpec {
    let pieces = Arc::new(pieces);
    StreamSpec::new(async move |mut sink: ServerSink| {
        for piece in pieces.iter().filter(|p| !p.is_empty()) {
            if sink.write(&Frame::new(piece)).await.is_err() {
                return (sink, StreamEnd::Gone);
            }
        }
        (sink, StreamEnd::Ended(end))
    })
}

/// Fails a test that would hang.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("within 20 s")
}

/// Reads until `end` has been seen; what follows stays unread only if it came later.
pub async fn read_until(io: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut byte = [0];
        let n = soon(io.read(&mut byte)).await.unwrap();
        let so_far = String::from_utf8_lossy(&text);
        assert_eq!(n, 1, "closed before {end:?}; got {so_far:?}");
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Reads a response head.
pub async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> String {
    read_until(io, "\r\n\r\n").await
}

/// What one read returns.
pub async fn read_once(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut buf = [0; 4096];
    let n = soon(io.read(&mut buf)).await.unwrap();
    String::from_utf8_lossy(&buf[..n]).into_owned()
}

/// Reads to the end of the connection.
pub async fn read_all(io: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut text = Vec::new();
    soon(io.read_to_end(&mut text)).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

pub async fn send(io: &mut (impl AsyncWrite + Unpin), text: &str) {
    soon(io.write_all(text.as_bytes())).await.unwrap();
}

/// The head without its date, which must be there.
pub fn without_date(head: &str) -> String {
    let (dates, rest): (Vec<_>, Vec<_>) = head
        .split_inclusive("\r\n")
        .partition(|l| l.starts_with("date: "));
    assert_eq!(dates.len(), 1, "{head}");
    rest.concat()
}
