//! Faults that were found by reading and by trying, each with the case that showed it.

mod support;

use support::{binary, serve};

/// `topic()` in a message's own template looks at the topic that is being published to.
#[test]
fn a_message_may_look_at_its_own_topic() {
    let server = serve(
        "topics: { t: { history: 2 } }\nendpoints:\n  - { path: /t, stream: [ { follow: t } ] }\n  \
         - { path: /t, method: POST, publish: { topic: t, id: counter, data: \"{{ topic('t').clients }}/{{ topic('t').count }}\" } }\n",
        &["--no-tls"],
    );
    let mut stream = server.open("/t", &[]);
    for (count, id) in [("1/0", "1"), ("1/1", "2")] {
        assert_eq!(server.post("/t", "{}").status, 200);
        let event = stream.event().unwrap();
        assert_eq!(event, format!("data: {count}\nid: {id}"));
    }
}

/// The id of a message of one topic says nothing about another topic.
#[test]
fn a_second_topic_begins_live() {
    let server = serve(
        "topics: { a: { history: 9 }, b: { history: 9 } }\ndefaults: { id: uuid }\nendpoints:\n  \
         - { path: /ab, stream: [ { follow: { topic: a, limit: 1 } }, { follow: b } ] }\n  \
         - { path: /a, method: POST, publish: a }\n  - { path: /b, method: POST, publish: b }\n",
        &["--no-tls"],
    );
    (1..=3).for_each(|n| drop(server.post("/b", &format!("{{\"old\":{n}}}"))));
    let mut stream = server.open("/ab", &[]);
    server.post("/a", "{\"a\":1}");
    assert_eq!(stream.field("data"), "{\"a\":1}");
    server.post("/b", "{\"new\":1}");
    assert_eq!(stream.field("data"), "{\"new\":1}");
}

/// Messages that come between two turns on the same topic are not lost, with or without ids.
#[test]
fn turns_on_one_topic_lose_nothing() {
    let server = serve(
        "topics: { t: { history: 50 } }\nendpoints:\n  \
         - { path: /t, stream: [ { repeat: { steps: [ { follow: { topic: t, limit: 1 } }, { comment: turn } ] } } ] }\n  \
         - { path: /t, method: POST, publish: t }\n",
        &["--no-tls"],
    );
    let mut stream = server.open("/t", &[]);
    for n in 0..20 {
        assert_eq!(server.post("/t", &format!("{{\"n\":{n}}}")).status, 200);
    }
    for n in 0..20 {
        assert_eq!(stream.field("data"), format!("{{\"n\":{n}}}"));
    }
}

/// A broken file is reported once, not at every look.
#[test]
fn a_broken_file_is_said_once() {
    let server = serve(
        "endpoints: [{ path: /a, body: x }]",
        &["--no-tls", "--watch", "poll"],
    );
    server.save("endpoints: [{ pth: /a }]");
    server.log.wait_for("not reloaded");
    server.save("endpoints: [{ path: /b, body: x }]");
    server.log.wait_for("reloaded: 1 endpoint");
    server.save("endpoints: [{ pth: /c }]");
    let log = server.log.wait_for_times("not reloaded", 2);
    assert_eq!(log.matches("not reloaded").count(), 2, "{log}");
}

/// A log that cannot be written does not take the server down.
#[test]
fn a_full_log_is_no_reason_to_fail() {
    use std::io::{BufRead, BufReader, Read, Write};
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.yaml"), "endpoints: [{ path: /a, body: x }]").unwrap();
    let mut command = binary();
    command
        .args(["--port", "0", "--no-tls", "-s", "s.yaml"])
        .current_dir(&folder);
    let mut child = command
        .stderr(full())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let line = lines.find(|line| line.contains("http://localhost:")).unwrap();
    let port: u16 = line
        .split("localhost:")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    for _ in 0..5 {
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket
            .write_all(b"GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let missing = binary()
        .args(["--port", "0", "-s", "/nowhere.yaml"])
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(missing.code(), Some(1));
}

/// What a body says is a body, also when it reads like an error of the HTTP library.
#[test]
fn a_body_that_reads_like_an_error_is_sent_as_it_is() {
    let server = serve(
        "endpoints: [{ path: /echo, method: POST, body: \"{{ request.body }}\" }]",
        &["--no-tls"],
    );
    let text = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let answer = server.send(
        "POST",
        "/echo",
        &[("content-type", "text/plain")],
        text.as_bytes(),
    );
    assert_eq!((answer.status, answer.body.as_str()), (200, text));
}

/// An error takes the CORS rules of the endpoint for its method, not of the first on the path.
#[test]
fn errors_take_the_rules_of_their_own_endpoint() {
    let server = serve(
        "cors: { origins: ['http://a.test'] }\nendpoints:\n  - { path: /m, cors: off, body: x }\n  \
         - { path: /m, method: POST, body: x }\n",
        &["--no-tls", "--max-body", "10"],
    );
    let origin = [("origin", "http://a.test")];
    let answer = server.send("POST", "/m", &origin, &[b'x'; 100]);
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (413, Some("http://a.test"))
    );
    assert_eq!(
        server
            .send("GET", "/m", &origin, b"")
            .header("access-control-allow-origin"),
        None
    );
    let reserved = server.send("GET", "/~x/y", &origin, b"");
    assert_eq!(
        (reserved.status, reserved.header("access-control-allow-origin")),
        (404, Some("http://a.test"))
    );
    server.log.wait_for("GET /~x/y 404");
}

/// A room whose name holds an escaped slash is a room like any other.
#[test]
fn a_captured_slash_fits_into_a_topic() {
    let server = serve(
        "topics: { 'room/{room}': {} }\nendpoints:\n  - { path: '/chat/{room}', stream: [ { follow: 'room/{{ room }}' } ] }\n  \
         - { path: '/chat/{room}', method: POST, publish: 'room/{{ room }}', status: 202 }\n",
        &["--no-tls"],
    );
    let mut stream = server.open("/chat/a%2Fb", &[]);
    assert_eq!(
        server.post("/chat/a%2Fb", "{\"n\":1}").header("x-mock-reached"),
        Some("1")
    );
    assert_eq!(stream.field("data"), "{\"n\":1}");
}

/// Variables as they are usually written.
#[test]
fn switches_can_be_set_by_variables() {
    for value in ["1", "true", "yes", "0", "false", ""] {
        let mut command = binary();
        command
            .args(["--port", "0", "-s", "missing.yaml"])
            .env("MOCK_SSE_NO_TLS", value);
        let output = command.output().unwrap();
        // It gets as far as the scenario, which is missing: the variable was understood.
        assert_eq!(
            output.status.code(),
            Some(1),
            "{value}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// A delayed head neither hangs nor changes what is played.
#[test]
fn play_waits_for_a_delayed_head_as_a_client_does() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "endpoints: [{ path: /s, after: 30s, heartbeat: 10s, stream: [{ data: a }, { wait: 25s }, { data: b }] }]";
    std::fs::write(folder.path().join("s.yaml"), yaml).unwrap();
    let output = binary()
        .args(["play", "s.yaml", "/s"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "data: a\n\n:\n\n:\n\ndata: b\n\n"
    );
}

/// A script that sends without waiting is printed as it comes, in bounded memory.
#[test]
fn play_prints_a_flood_as_it_comes() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let yaml = "endpoints: [{ path: /s, stream: [{ repeat: { times: 1000000000, steps: [{ data: x }] } }] }]";
    std::fs::write(folder.path().join("s.yaml"), yaml).unwrap();
    let mut command = binary();
    command
        .args(["play", "s.yaml", "/s"])
        .current_dir(&folder)
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(200_000);
    assert!(
        lines
            .map(Result::unwrap)
            .all(|line| line == "data: x" || line.is_empty())
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

/// However many requests come at once, one of them is the first.
#[test]
fn one_attempt_is_taken_once() {
    let server = serve(
        "endpoints:\n  - { path: /a, when: attempt <= 3, status: 503 }\n  - { path: /a, body: ok }\n",
        &["--no-tls"],
    );
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40).map(|_| scope.spawn(|| server.get("/a").status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 503).count(),
        3,
        "{statuses:?}"
    );
}

/// A page sees why it is refused: the answer has its CORS headers, and the log its line.
#[test]
fn one_connection_too_many_is_told_across_origins() {
    let server = serve(
        "cors: { origins: ['http://a.test'] }\nendpoints: [{ path: /a, stream: [{ data: x }, { end: hold }] }]",
        &["--no-tls", "--max-connections", "1"],
    );
    let mut held = server.open("/a", &[]);
    assert_eq!(held.field("data"), "x");
    let answer = server.send("GET", "/a", &[("origin", "http://a.test")], b"");
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (503, Some("http://a.test"))
    );
    assert!(
        answer.body.contains("the limit of 1 connections is reached"),
        "{answer:?}"
    );
    server.log.wait_for("GET /a 503");
}
