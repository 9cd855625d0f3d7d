//! What the access log says of requests that get no answer.

mod transport_toy;
mod wire_toy;

use std::io::Write;
use std::sync::{Arc, Mutex};

use mock_sse::{
    engine::{Head, Reply, ReplyBody},
    scenario::model::End,
};
use tokio::io::AsyncWriteExt;
use transport_toy::{read_all, soon};
use wire_toy::{Answer, start};

/// All that is logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    async fn wait_for(&self, text: &str) -> String {
        soon(async {
            loop {
                let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
                match log.lines().find(|line| line.contains(text)) {
                    Some(line) => return line.to_owned(),
                    None => tokio::task::yield_now().await,
                }
            }
        })
        .await
    }
}

#[tokio::test]
async fn no_answer_is_logged_as_such() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let server = start(false, |_, request| {
        let end = match request.path.as_str() {
            "/stalled" => End::Stall,
            _ => End::Close,
        };
        Answer::reply(Reply::new(Head::new(200, None), ReplyBody::Nothing(end)))
    })
    .await;
    let mut io = server.ask("GET", "/closed").await;
    assert_eq!(read_all(&mut io).await.unwrap(), "");
    let line = log.wait_for("GET /closed").await;
    assert!(line.contains("GET /closed - HTTP/1.1 "), "{line}");
    assert!(line.contains("0 bytes, no answer"), "{line}");

    let mut io = server.ask("GET", "/stalled").await;
    io.shutdown().await.unwrap();
    let line = log.wait_for("GET /stalled").await;
    assert!(line.contains("0 bytes, no answer"), "{line}");
}
