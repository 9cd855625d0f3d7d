//! `scenarios/faults.yaml`: each way in which a stream goes wrong, byte for byte over HTTP/1.1.

mod support;

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::Server;
use support::raw::Death::{Fin, Reset};
use support::raw::{self, drain, get, is_silent, request};

/// The event that every stream begins with, and the end of one that ends well.
const ONE: &str = "b\r\ndata: one\n\n\r\n";
const END: &str = "0\r\n\r\n";

fn faults(args: &[&str]) -> Server {
    raw::shipped("scenarios/faults.yaml", args)
}

#[test]
fn endings_differ_on_the_wire() {
    let server = faults(&[]);
    for (path, behind, death) in [
        ("/close", END, Fin),
        ("/goaway", END, Fin),
        ("/no-close-notify", END, Fin),
        ("/cut", "", Fin),
        ("/cancel", "", Fin),
        ("/cut-in-event", "10\r\ndata: half an ev\r\n", Fin),
        ("/cut-in-chunk", "b\r\ndata: two", Fin),
    ] {
        let (head, body, died) = get(server.port, path);
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"),
            "{head}"
        );
        assert_eq!((body, died), (format!("{ONE}{behind}"), death), "{path}");
    }
    let (_, body, died) = get(server.port, "/reset");
    // What a reset overtakes is lost.
    assert!(ONE.starts_with(&body), "{body}");
    assert_eq!(died, Reset);
}

#[test]
fn a_clean_end_leaves_the_connection_for_the_next_request() {
    let server = faults(&[]);
    for (path, answers) in [("/close", 2), ("/goaway", 1), ("/cut", 1)] {
        let two = request(path, "") + &request("/close", "connection: close\r\n");
        let (bytes, _) = drain(raw::send(server.port, two.as_bytes()));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), answers, "{path}: {text}");
    }
}

#[test]
fn a_stalled_stream_is_silent_where_a_held_one_beats() {
    let server = faults(&["--time-scale", "20"]);
    let mut stalled = server.open("/stall", &[]);
    assert_eq!(stalled.event().unwrap(), "data: one");
    let mut held = server.open("/hold", &[]);
    assert_eq!(held.event().unwrap(), "data: one");
    for _ in 0..3 {
        assert_eq!(held.event().unwrap(), ":");
    }
    assert!(is_silent(stalled.socket()));
    let mut paused = server.open("/pause", &[]);
    assert_eq!(paused.event().unwrap(), "data: one");
    assert_eq!(paused.event().unwrap(), "data: two", "a pause has no heartbeats");
    assert!(paused.all().ends_with(b"data: three\n\n"));
}

#[test]
fn a_stream_may_cut_all_others() {
    let server = faults(&[]);
    let mut others: Vec<_> = (0..3).map(|_| server.open("/hold", &[])).collect();
    for other in &mut others {
        other.event().unwrap();
    }
    assert_eq!(
        server.get("/disconnect").body,
        "data: one\n\ndata: the others are gone\n\n"
    );
    for mut other in others {
        let rest = String::from_utf8(other.rest().unwrap()).unwrap();
        assert!(!rest.contains(END), "{rest}");
    }
}

#[test]
fn a_server_may_be_offline_for_a_while() {
    let server = faults(&["--time-scale", "2"]);
    let mut stream = server.open("/offline", &[]);
    assert_eq!(stream.field("retry"), "100");
    assert_eq!(stream.field("data"), "one");
    assert_eq!(stream.field("data"), "nobody can connect now");
    let refused = TcpStream::connect(("127.0.0.1", server.port)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(stream.field("data"), "everybody can again");
    assert_eq!(stream.rest().unwrap(), b"", "cut");
    assert_eq!(server.get("/close").body, "data: one\n\n");
}

#[test]
fn there_may_be_no_answer_at_all() {
    let server = faults(&[]);
    for (path, death) in [
        ("/no-answer/close", Fin),
        ("/no-answer/refused", Fin),
        ("/no-answer/reset", Reset),
    ] {
        let got = drain(raw::send(server.port, request(path, "").as_bytes()));
        assert_eq!(got, (Vec::new(), death), "{path}");
    }
    let socket = raw::send(server.port, request("/no-answer/stall", "").as_bytes());
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let nothing = socket.peek(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    drop(socket);
    server.log.wait_for("GET /no-answer/stall -");
}

#[test]
fn a_late_head_comes_before_a_late_body() {
    let server = faults(&["--time-scale", "10"]);
    let began = Instant::now();
    let mut stream = server.open("/late", &[]);
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert_eq!(stream.event().unwrap(), "data: one");
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[test]
fn the_length_of_a_body_may_be_a_lie() {
    let server = faults(&[]);
    for (path, field, bytes) in [
        ("/too-short", Some("content-length: 100"), "data: one\n\n"),
        ("/too-long", Some("content-length: 5"), "data: one\n\n"),
        ("/until-close", None, "data: one\n\n"),
    ] {
        let (bytes_sent, died) = drain(raw::send(server.port, request(path, "").as_bytes()));
        let text = String::from_utf8(bytes_sent).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!((body, died), (bytes, Fin), "{path}");
        let length = head.lines().find(|line| line.starts_with("content-length"));
        assert_eq!(length, field, "{path}");
        assert!(!head.contains("chunked"), "{head}");
    }
}

#[test]
fn heads_may_be_nonsense() {
    let server = faults(&[]);
    let event_stream = "content-type: text/event-stream\r\n";
    for (path, expected) in [
        (
            "/bad-chunk",
            format!(
                "HTTP/1.1 200 OK\r\n{event_stream}transfer-encoding: chunked\r\n\r\n{ONE}eleven\r\ndata: two\n\n\r\n"
            ),
        ),
        (
            "/bad-status-line",
            format!("HTTP/1.1 2OO OK\r\n{event_stream}\r\ndata: one\n\n"),
        ),
        (
            "/no-http",
            "220 mail.example.com ESMTP\r\n\r\ndata: one\n\n".to_owned(),
        ),
    ] {
        let (bytes, died) = drain(raw::send(server.port, request(path, "").as_bytes()));
        assert_eq!(
            (String::from_utf8(bytes).unwrap(), died),
            (expected, Fin),
            "{path}"
        );
    }
}

#[test]
fn fields_are_as_they_were_written() {
    let server = faults(&[]);
    assert_eq!(
        server.get("/wrong-type").header("content-type"),
        Some("text/html")
    );
    let odd = server.get("/odd-type");
    assert_eq!(
        odd.header("content-type"),
        Some("TEXT/event-stream; charset=windows-1252;")
    );
    assert_eq!(odd.body, "data: ☃\n\n");
    assert_eq!(server.get("/no-type").header("content-type"), None);
    let empty = server.get("/empty");
    assert_eq!((empty.status, empty.header("content-length")), (200, Some("0")));
    assert_eq!(empty.header("content-type"), Some("text/event-stream"));
    for attempt in 1..=2 {
        let odd = server.get("/odd-headers");
        let expected = format!("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-EMPTY: \r\nx-attempt: {attempt}\r\n");
        assert!(odd.head.contains(&expected), "{}", odd.head);
        assert_eq!(odd.header("cache-control"), None);
    }
}

#[test]
fn any_status_with_any_reason() {
    let server = faults(&[]);
    // "/status/{status}"
    for (status, body) in [
        (200, "data: one\n\n"),
        (204, ""),
        (404, "data: one\n\n"),
        (599, "data: one\n\n"),
    ] {
        let answer = server.get(&format!("/status/{status}"));
        assert_eq!(answer.status, status);
        assert!(
            answer
                .head
                .starts_with(&format!("HTTP/1.1 {status} As You Like\r\n")),
            "{}",
            answer.head
        );
        assert_eq!(answer.body, body);
    }
    let answer = server.get("/status/418?reason=Short%20and%20stout");
    assert!(
        answer.head.starts_with("HTTP/1.1 418 Short and stout\r\n"),
        "{}",
        answer.head
    );
}

#[test]
fn a_network_may_be_slow_and_hold_things_back() {
    let server = faults(&["--time-scale", "100"]);
    let writes = |path| {
        let mut stream = server.open(path, &[]);
        std::iter::from_fn(move || stream.chunk()).collect::<Vec<_>>()
    };
    let slow = writes("/slow");
    assert_eq!(slow.concat(), b"data: one byte after the other\n\n");
    assert!(slow.iter().all(|write| write.len() == 2), "{slow:?}");
    let laggy = String::from_utf8(writes("/laggy").concat()).unwrap();
    let sent = [100, 200, 300, 400, 500].map(|ms| format!("data: sent after {ms} ms\n\n"));
    assert_eq!(laggy, sent.concat());
    let proxy = writes("/proxy");
    let lengths: Vec<usize> = proxy.iter().map(Vec::len).collect();
    assert_eq!(lengths, [64, 64, 23]);
    let events: String = (1..=10).map(|n| format!("data: event {n}\n\n")).collect();
    assert_eq!(proxy.concat(), events.as_bytes());
}

#[test]
fn a_compressed_stream_is_flushed_with_each_event() {
    let server = faults(&["--time-scale", "10"]);
    let long = format!("data: {}\n\n", "compress me ".repeat(100));
    let mut stream = server.open("/compressed", &[("accept-encoding", "gzip")]);
    assert_eq!(stream.header("content-encoding"), Some("gzip"));
    assert_eq!(stream.header("vary"), Some("accept-encoding"));
    let first = stream.chunk().unwrap();
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    std::io::Write::write_all(&mut decoder, &first).unwrap();
    std::io::Write::flush(&mut decoder).unwrap();
    assert_eq!(String::from_utf8_lossy(decoder.get_ref()), long);
    std::io::Write::write_all(&mut decoder, &stream.all()).unwrap();
    let flushed = [1000, 2000, 3000].map(|ms| format!("data: flushed at {ms} ms\n\n"));
    let whole = long + &flushed.concat();
    assert_eq!(String::from_utf8(decoder.finish().unwrap()).unwrap(), whole);
    let plain = server.get("/compressed");
    assert_eq!((plain.header("content-encoding"), &plain.body), (None, &whole));
}

#[test]
fn chance_is_the_same_every_time() {
    let fates = || {
        let server = faults(&["--time-scale", "100"]);
        let fate = |client| {
            let (_, body, died) = get(server.port, &format!("/flaky?client={client}"));
            // What a reset overtakes is lost, so its bytes say nothing.
            let body = if died == Reset { String::new() } else { body };
            (body.ends_with(END), died, body)
        };
        (0..16).map(fate).collect::<Vec<_>>()
    };
    let first = fates();
    assert_eq!(first, fates());
    let kinds: BTreeSet<_> = first.iter().map(|(clean, died, _)| (*clean, *died)).collect();
    assert_eq!(kinds, [(false, Fin), (false, Reset), (true, Fin)].into());
}

#[test]
fn there_may_be_too_much_or_a_limit() {
    let server = faults(&["--time-scale", "100"]);
    let flood: String = (1..=10_000)
        .map(|n| format!("data: flood\nid: {n}\n\n"))
        .collect();
    assert_eq!(server.get("/flood").body, flood);
    let events = |most| {
        (1..=most)
            .map(|n| format!("data: event {n}\n\n"))
            .collect::<String>()
    };
    assert_eq!(server.get("/limit/events").body, events(3));
    assert_eq!(server.get("/limit/bytes").body, events(2));
    let timed = server.get("/limit/time").body;
    assert!(timed.starts_with("data: one\n\n:\n\n"), "{timed}");

    let mut first = server.open("/limit/connections", &[]);
    first.event().unwrap();
    let second = server.get("/limit/connections");
    assert_eq!((second.status, second.header("retry-after")), (503, Some("1")));
}

#[test]
fn clients_are_sent_elsewhere() {
    let server = faults(&[]);
    let stranger = server.get("/unauthorized");
    assert_eq!(stranger.status, 401);
    assert_eq!(
        stranger.header("www-authenticate"),
        Some("Bearer realm=\"faults\"")
    );
    assert_eq!(stranger.body, r#"{"error":"say who you are"}"#);
    let known = server.send("GET", "/unauthorized", &[("authorization", "Bearer x")], b"");
    assert_eq!(
        (known.status, known.body.as_str()),
        (200, "data: welcome, Bearer x\n\n")
    );

    for status in [301, 302, 303, 307, 308] {
        let close = format!("http://localhost:{}/close", server.port);
        let itself = format!("/redirect/{status}/loop");
        for (path, location) in [
            (format!("/redirect/{status}"), Some("/close")),
            (format!("/redirect/{status}/absolute"), Some(close.as_str())),
            (format!("/redirect/{status}/nowhere"), None),
            (format!("/redirect/{status}/empty"), Some("")),
            (format!("/redirect/{status}/loop"), Some(itself.as_str())),
        ] {
            let answer = server.get(&path);
            assert_eq!(
                (answer.status, answer.header("location")),
                (status, location),
                "{path}"
            );
        }
    }
}

#[test]
fn the_list_names_every_fault() {
    let server = faults(&[]);
    let listed = server.get("/");
    let listed: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&listed.body).unwrap();
    let origin = mock_sse::scenario::load::Origin::Paths(vec![support::repo("scenarios/faults.yaml")]);
    let (scenario, _) = mock_sse::scenario::load::load(&origin).ok().unwrap();
    let there: Vec<String> = scenario.endpoints.iter().map(|e| e.path()).collect();
    let named: Vec<String> = ["/".to_owned()]
        .into_iter()
        .chain(listed.into_iter().map(|(path, _)| path))
        .collect();
    let set = |paths: &[String]| paths.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(set(&named), set(&there));
}
