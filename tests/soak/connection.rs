//! A connection that may carry several requests, and sees how each body ends.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mock_sse::client::body::Progress;
use mock_sse::client::head::{self, Head};

/// Nothing is silent for so long.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often somebody who waits looks up.
pub const LOOK: Duration = Duration::from_millis(100);

/// How a body came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole,
    Cut,
    Reset,
    /// Whoever reads has enough.
    Left,
}

pub struct Connection {
    socket: TcpStream,
    rest: Vec<u8>,
    head: Option<Head>,
}

impl Connection {
    pub fn open(port: u16) -> Result<Connection, String> {
        let socket = TcpStream::connect(("127.0.0.1", port)).map_err(|e| format!("no connection: {e}"))?;
        socket.set_read_timeout(Some(LOOK)).unwrap();
        Ok(Connection {
            socket,
            rest: Vec::new(),
            head: None,
        })
    }

    /// Sends a request and reads the head of its answer: the status.
    pub fn ask(&mut self, method: &str, path: &str, fields: &str, body: &str) -> Result<u16, String> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{fields}content-length: {length}\r\n\r\n{body}"
        );
        self.socket
            .write_all(request.as_bytes())
            .map_err(|e| format!("{path}: not sent: {e}"))?;
        loop {
            if let Some((head, length)) = head::parse(&self.rest)? {
                self.rest.drain(..length);
                let status = head.status;
                self.head = Some(head);
                return Ok(status);
            }
            match self.more(|| true) {
                Ok(0) => return Err(format!("{path}: closed before its head, behind {:?}", self.rest)),
                Ok(_) => {}
                Err(error) => return Err(format!("{path}: no head: {error}")),
            }
        }
    }

    /// Reads the body to its end, or until `wants` no more of it.
    pub fn body(&mut self, mut wants: impl FnMut(&[u8]) -> bool) -> Result<(Vec<u8>, End), String> {
        let mut head = self.head.take().expect("a head");
        let mut body = Vec::new();
        loop {
            let fed = head.body.feed(&self.rest, |piece| body.extend_from_slice(piece));
            match fed.map_err(|_| format!("no chunk: {:?}", String::from_utf8_lossy(&self.rest)))? {
                Progress::Complete(length) => {
                    self.rest.drain(..length);
                    return Ok((body, End::Whole));
                }
                Progress::Open if head.body.may_close() => return Ok((body, End::Whole)),
                Progress::Open => self.rest.clear(),
            }
            if !wants(&body) {
                return Ok((body, End::Left));
            }
            match self.more(|| wants(&body)) {
                Ok(0) => return Ok((body, End::Cut)),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok((body, End::Reset)),
                Err(e) if e.kind() == ErrorKind::Interrupted => return Ok((body, End::Left)),
                Err(e) => return Err(format!("{e} behind {} bytes", body.len())),
            }
        }
    }

    /// Waits for more bytes; `Interrupted` once they are not wanted.
    fn more(&mut self, mut wants: impl FnMut() -> bool) -> std::io::Result<usize> {
        let (began, mut bytes) = (Instant::now(), [0; 16 * 1024]);
        loop {
            match self.socket.read(&mut bytes) {
                Ok(n) => {
                    self.rest.extend_from_slice(&bytes[..n]);
                    return Ok(n);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock && began.elapsed() < PATIENCE => {
                    if !wants() {
                        return Err(ErrorKind::Interrupted.into());
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }
}
