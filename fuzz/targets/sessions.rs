//! Names of sessions, in the path and in the header: what is no name makes no session. Three lines: the
//! name in the path, the value of the header, and the rest of the path.

use super::memory::{Talk, answers, ask, with_server};

pub fn run(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (prefix, header, path) = (line(), line(), line());
    let request = |method: &[u8]| {
        let mut request = [
            method,
            b" /~",
            prefix,
            b"/",
            path,
            b" HTTP/1.1\r\nhost: localhost\r\n",
        ]
        .concat();
        if !header.is_empty() {
            request.extend([b"x-mock-session: ", header, b"\r\n"].concat());
        }
        request.extend(b"content-length: 2\r\nconnection: close\r\n\r\n{}");
        request
    };
    with_server(async |server| {
        for method in [&b"GET"[..], b"POST", b"PUT", b"DELETE"] {
            let mut talk = Talk::open(server, false);
            talk.send(&request(method)).await;
            answers(&talk.close().await)
                .iter()
                .for_each(|answer| answer.check(""));
        }
        let (_, told) = ask(server, "/__mock/sessions").await;
        let sessions = told["sessions"].as_array().expect("sessions");
        for name in sessions.iter().filter_map(|session| session["name"].as_str()) {
            assert!(name.len() <= 64 && name.bytes().all(is_letter), "{name:?}");
        }
    });
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}
