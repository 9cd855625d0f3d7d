//! One stream over HTTP/2, on a connection of its own.

use std::io::ErrorKind;
use std::time::Instant;

use h2::RecvStream;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::connection::{End, LOOK, PATIENCE};

pub struct Http2 {
    runtime: Runtime,
    stream: RecvStream,
}

impl Http2 {
    /// Sends a request and reads the head of its answer: the status.
    pub fn ask(port: u16, path: &str, last_id: &str) -> Result<(Http2, u16), String> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let asked = runtime.block_on(async { timeout(PATIENCE, ask(port, path, last_id)).await });
        let (stream, status) = asked
            .map_err(|_| format!("{path}: no head"))?
            .map_err(|e| format!("{path}: {e}"))?;
        Ok((Http2 { runtime, stream }, status))
    }

    /// Reads the body to its end, or until `wants` no more of it.
    pub fn body(&mut self, wants: impl FnMut(&[u8]) -> bool) -> Result<(Vec<u8>, End), String> {
        self.runtime.block_on(read(&mut self.stream, wants))
    }
}

async fn ask(port: u16, path: &str, last_id: &str) -> Result<(RecvStream, u16), String> {
    let socket = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(|e| e.to_string())?;
    let (mut sender, connection) = h2::client::handshake(socket).await.map_err(told)?;
    tokio::spawn(connection);
    let uri = format!("http://localhost:{port}{path}");
    let mut request = http::Request::get(uri).header("accept-encoding", "gzip");
    if !last_id.is_empty() {
        request = request.header("last-event-id", last_id);
    }
    let (answer, _) = sender
        .send_request(request.body(()).expect("a request"), true)
        .map_err(told)?;
    let answer = answer.await.map_err(told)?;
    let status = answer.status().as_u16();
    Ok((answer.into_body(), status))
}

fn told(error: h2::Error) -> String {
    error.to_string()
}

async fn read(
    stream: &mut RecvStream,
    mut wants: impl FnMut(&[u8]) -> bool,
) -> Result<(Vec<u8>, End), String> {
    let (mut body, mut heard) = (Vec::new(), Instant::now());
    loop {
        let end = match timeout(LOOK, stream.data()).await {
            Ok(Some(Ok(bytes))) => {
                let _ = stream.flow_control().release_capacity(bytes.len());
                body.extend_from_slice(&bytes);
                heard = Instant::now();
                None
            }
            Ok(None) => Some(End::Whole),
            Ok(Some(Err(error))) => Some(broken(&error)?),
            Err(_) if heard.elapsed() > PATIENCE => {
                return Err(format!("silent behind {} bytes", body.len()));
            }
            Err(_) => None,
        };
        match end {
            Some(end) => return Ok((body, end)),
            None if !wants(&body) => return Ok((body, End::Left)),
            None => {}
        }
    }
}

/// RST_STREAM is a cut, the end of the connection a reset.
fn broken(error: &h2::Error) -> Result<End, String> {
    let gone = [
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
        ErrorKind::UnexpectedEof,
    ];
    match error.get_io() {
        Some(io) if gone.contains(&io.kind()) => Ok(End::Reset),
        None if error.is_reset() => Ok(End::Cut),
        _ => Err(error.to_string()),
    }
}
