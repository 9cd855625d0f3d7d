//! Any commands, one after the other, each on a connection of its own that stays open: what comes back
//! is JSON where it says so, and never a failure of the server's own. Commands stand apart by a line
//! `---`; each is a method and a path, fields, an empty line, and a body.

use super::memory::{Talk, answers, with_server};

/// Commands of one run.
const MOST: usize = 10;

pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    with_server(async |server| {
        let mut open = Vec::new();
        for command in text.split("\n---\n").take(MOST) {
            let (head, body) = command.split_once("\n\n").unwrap_or((command, ""));
            let asked = head.lines().next().unwrap_or_default();
            let mut talk = Talk::open(server, false);
            talk.send(&request(head, body)).await;
            // Scenarios are compiled on a thread.
            if asked.contains("/scenario") || asked.contains("/diagnostics") {
                talk.wait().await;
            }
            if !asked.starts_with("HEAD") {
                check(asked, &talk.came());
            }
            open.push(talk);
        }
    });
}

fn request(head: &str, body: &str) -> Vec<u8> {
    let mut lines = head.lines();
    let mut request = format!(
        "{} HTTP/1.1\r\nhost: localhost\r\n",
        lines.next().unwrap_or_default()
    );
    for line in lines {
        request += &format!("{line}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n{body}", body.len());
    request.into_bytes()
}

fn check(asked: &str, came: &[u8]) {
    // A method or fields of somebody's own may make more than one request of it.
    for answer in answers(came) {
        let body = String::from_utf8_lossy(&answer.body);
        answer.check(asked);
        let media = answer.content_type.as_str();
        let is_json = ["application/json", "application/problem+json"].contains(&media) && answer.complete;
        if is_json && asked.contains("/__mock/") {
            let parsed = serde_json::from_slice::<serde_json::Value>(&answer.body);
            assert!(parsed.is_ok(), "{asked}: {body}");
        }
    }
}
