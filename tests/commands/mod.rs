//! Commands to a server under `/__mock/`, as a test gives them.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value as Json;

use crate::support::{Answer, PATIENCE, Server};

/// A command without a body.
pub fn ask(server: &Server, method: &str, path: &str) -> (u16, Json) {
    read(server.send(method, path, &[], b""))
}

/// A command with a body in JSON.
pub fn tell(server: &Server, method: &str, path: &str, body: Json) -> (u16, Json) {
    let headers = [("content-type", "application/json")];
    read(server.send(method, path, &headers, body.to_string().as_bytes()))
}

/// The answer to a command that is carried out.
pub fn done((status, json): (u16, Json)) -> Json {
    assert_eq!(status, 200, "{json}");
    json
}

/// What an answer says that is none.
pub fn refused((status, json): (u16, Json)) -> (u16, String) {
    assert_eq!(json["status"], status, "{json}");
    (status, json["detail"].as_str().expect("a detail").to_owned())
}

pub fn read(answer: Answer) -> (u16, Json) {
    let json = serde_json::from_str(&answer.body);
    (
        answer.status,
        json.unwrap_or_else(|error| panic!("{error}: {answer:?}")),
    )
}

/// Sends these bytes and reads the answer to its end: the status, the head and the body.
pub fn exchange(at: impl std::net::ToSocketAddrs, bytes: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(bytes.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A server that has answered may reset what it did not read.
    let _ = socket.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {answer:?}")), answer)
}

/// One connection for several exchanges.
pub struct Kept(std::io::BufReader<TcpStream>);

impl Kept {
    pub fn new(socket: TcpStream) -> Kept {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Kept(std::io::BufReader::new(socket))
    }

    /// The status and the body of an answer.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        use std::io::BufRead;
        let length = body.len();
        let socket = self.0.get_mut();
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(
                self.0.read_line(&mut head).unwrap() > 0,
                "no whole head: {head:?}"
            );
        }
        let lower = head.to_lowercase();
        let length = lower.split("content-length: ").nth(1).unwrap();
        let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}
