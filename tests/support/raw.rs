//! A client that sends and sees bytes, and sees how its connection died.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use super::{PATIENCE, Server, repo, serve_in};

/// How a connection died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// FIN: the end of what is read.
    Fin,
    /// RST: what was not read yet is lost.
    Reset,
}

/// Serves a scenario of the repository in the clear.
pub fn shipped(scenario: &str, args: &[&str]) -> Server {
    let path = repo(scenario);
    let own = ["--no-tls", "--scenario", path.to_str().unwrap()];
    serve_in(tempfile::tempdir().unwrap(), &[&own, args].concat())
}

/// A connection on which these bytes were sent.
pub fn send(port: u16, request: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(request).unwrap();
    socket
}

/// A GET request whose connection may be used again.
pub fn request(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n")
}

/// Everything that comes until the connection dies.
pub fn drain(mut socket: TcpStream) -> (Vec<u8>, Death) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return (bytes, Death::Fin),
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (bytes, Death::Reset),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
}

/// A whole answer on a connection that serves no other: its head, its body with all framing, its death.
pub fn get(port: u16, path: &str) -> (String, String, Death) {
    exchange(port, request(path, "connection: close\r\n").as_bytes())
}

/// The same for any bytes; those of the body that are no text are replaced.
pub fn exchange(port: u16, request: &[u8]) -> (String, String, Death) {
    let (bytes, death) = drain(send(port, request));
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    (head.to_owned(), body.to_owned(), death)
}

/// Whether nothing has come so far.
pub fn is_silent(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let peeked = socket.peek(&mut [0]);
    socket.set_nonblocking(false).unwrap();
    peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
