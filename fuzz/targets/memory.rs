//! A server without sockets, and a client of it.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use mock_sse::client::body::Progress;
use mock_sse::client::head;
use mock_sse::clock::Mode;
use mock_sse::engine::Seed;
use mock_sse::engine::sessions::SessionRules;
use mock_sse::scenario::compile;
use mock_sse::scenario::diagnostic::Source;
use mock_sse::scenario::model::Scenario;
use mock_sse::server::memory::InMemory;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::{JoinHandle, yield_now};

/// How often all tasks may go on before nothing more is expected of them.
const ROUNDS: usize = 30;

static SCENARIO: LazyLock<Arc<Scenario>> = LazyLock::new(|| {
    let source = Source::new("scenario.yaml", include_str!("scenario.yaml").to_owned());
    let compiled = compile(&[Arc::new(source)]);
    Arc::new(
        compiled
            .unwrap_or_else(|errors| panic!("{}", errors[0].render(false)))
            .0,
    )
});

/// Runs a client beside a new server, whose time stands still unless it is moved.
pub fn with_server(client: impl AsyncFnOnce(&Arc<InMemory>)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(async {
        let rules = SessionRules {
            mode: Mode::Manual,
            most: 20,
            ..SessionRules::new(Seed::Fixed(1))
        };
        let server = Arc::new(InMemory::new(SCENARIO.clone(), rules, 10_000));
        client(&server).await;
        // Whatever came before: the next one is served.
        for path in ["/__mock/journal", "/__mock/verify"] {
            let (status, told) = ask(&server, path).await;
            // The verdict is 409 where it is not good, 404 where nothing is expected any more.
            assert!([200, 404, 409].contains(&status), "{path}: {status} {told}");
        }
    });
}

/// A JSON document of the server's own.
pub async fn ask(server: &Arc<InMemory>, path: &str) -> (u16, Json) {
    let mut talk = Talk::open(server, false);
    talk.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
        .await;
    let bytes = talk.close().await;
    let answers = answers(&bytes);
    let [answer] = answers.as_slice() else {
        panic!("{path} is answered {} times", answers.len());
    };
    let json = serde_json::from_slice(&answer.body);
    (
        answer.status,
        json.unwrap_or_else(|e| panic!("{path}: {e}: {:?}", String::from_utf8_lossy(&bytes))),
    )
}

/// A connection.
pub struct Talk {
    out: WriteHalf<DuplexStream>,
    came: Arc<Mutex<Vec<u8>>>,
    tasks: [JoinHandle<()>; 2],
}

impl Talk {
    pub fn open(server: &Arc<InMemory>, http2: bool) -> Talk {
        let (client, io) = tokio::io::duplex(1 << 20);
        let (read, out) = tokio::io::split(client);
        let (server, came) = (server.clone(), Arc::<Mutex<Vec<u8>>>::default());
        let serving = tokio::spawn(async move {
            match http2 {
                true => server.http2(io).await,
                false => server.http1(io).await,
            }
        });
        let reading = tokio::spawn(listen(read, came.clone()));
        let tasks = [serving, reading];
        Talk { out, came, tasks }
    }

    /// Sends bytes, and lets the server do what it can.
    pub async fn send(&mut self, bytes: &[u8]) {
        // A server that has closed its side takes nothing more.
        let _ = self.out.write_all(bytes).await;
        settle().await;
    }

    /// What has come so far.
    pub fn came(&self) -> Vec<u8> {
        self.came.lock().unwrap().clone()
    }

    /// Waits for what threads do.
    pub async fn wait(&self) {
        for _ in 0..100 {
            if !self.came.lock().unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        settle().await;
    }

    /// Leaves; with what has come.
    pub async fn close(mut self) -> Vec<u8> {
        let _ = self.out.shutdown().await;
        settle().await;
        self.tasks.iter().for_each(JoinHandle::abort);
        self.came()
    }
}

async fn listen(mut read: ReadHalf<DuplexStream>, came: Arc<Mutex<Vec<u8>>>) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = read.read(&mut bytes).await {
        came.lock().unwrap().extend_from_slice(&bytes[..n]);
    }
}

async fn settle() {
    for _ in 0..ROUNDS {
        yield_now().await;
    }
}

/// An answer over HTTP/1.1, as far as it came.
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
    pub complete: bool,
}

impl Answer {
    /// Whether a scenario can give such an answer: what it cannot work out is 500. Commands are never.
    pub fn check(&self, asked: &str) {
        let body = String::from_utf8_lossy(&self.body);
        assert!((200..600).contains(&self.status), "{asked}: {}", self.status);
        assert!(
            self.status != 500 || !asked.contains(" /__mock"),
            "{asked}: {body}"
        );
    }
}

/// The answers on a connection that was never asked for a head alone. Panics at what is none.
pub fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let shown = || String::from_utf8_lossy(bytes).into_owned();
        let found = head::parse(bytes).unwrap_or_else(|why| panic!("{why}: {:?}", shown()));
        let Some((mut head, length)) = found else { break };
        fields_are_lines(&bytes[..length]);
        bytes = &bytes[length..];
        let mut body = Vec::new();
        let fed = head.body.feed(bytes, |piece| body.extend_from_slice(piece));
        let fed = fed.unwrap_or_else(|e| panic!("{e:?}: {:?}", String::from_utf8_lossy(bytes)));
        let complete = match fed {
            Progress::Complete(n) => Some(n),
            // A body of no bytes may have got no piece.
            Progress::Open => head.body.may_close().then_some(bytes.len()),
        };
        all.push(Answer {
            status: head.status,
            content_type: head.content_type,
            body,
            complete: complete.is_some(),
        });
        bytes = &bytes[complete.unwrap_or(bytes.len())..];
    }
    all
}

/// Nothing in a head can begin a line of its own.
fn fields_are_lines(head: &[u8]) {
    let text = String::from_utf8_lossy(head);
    for line in text.split("\r\n") {
        assert!(!line.contains(['\r', '\n', '\0']), "{text:?}");
    }
}
