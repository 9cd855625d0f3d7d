//! `scenarios/chunks.yaml`: where writes end, and every layout a parser must survive, byte for byte.

mod support;

use std::time::{Duration, Instant};

use support::Server;
use support::raw::shipped;

const SNOW: &str = "event: snow\ndata: ☃ man\nid: 1\n\n";

fn chunks(args: &[&str]) -> Server {
    shipped("scenarios/chunks.yaml", args)
}

/// The writes of a stream that ends cleanly: each is a chunk.
fn writes(server: &Server, path: &str) -> Vec<Vec<u8>> {
    let mut stream = server.open(path, &[]);
    assert_eq!(stream.status, 200, "{path}");
    std::iter::from_fn(|| stream.chunk()).collect()
}

#[test]
fn writes_end_where_the_scenario_says() {
    let server = chunks(&["--time-scale", "10"]);
    let cases: &[(&str, &[&[u8]])] = &[
        ("/two-bytes-slowly", &[b"da", b"ta", b": ", b"sl", b"ow", b"\n\n"]),
        (
            "/inside-characters",
            &[b"data: \xc3", b"\xa9 \xe2", b"\x98\x83 \xf0", b"\x9f\x98\x80\n\n"],
        ),
        ("/inside-crlf", &[b"event: a\r", b"\ndata: b\r", b"\n\r", b"\n"]),
        (
            "/inside-bom",
            &[b"\xef", b"\xbb", b"\xbf", b"data: behind the mark\n\n"],
        ),
        ("/cr-then-lf", &[b"data: one\r", b"\ndata: two\r", b"\n\r\n"]),
        ("/at", &[b"dat", b"a: c", b"ut twice\n\n"]),
        (
            "/one-write",
            &[b"data: one\nid: 1\n\ndata: two\nid: 2\n\n: three\n\n"],
        ),
        ("/bom", &[b"\xef\xbb\xbf", b"data: one\n\n"]),
        (
            "/bom-twice",
            &[
                b"\xef\xbb\xbf\xef\xbb\xbf",
                b"data: this line is no field\n\n",
                b"data: this one is\n\n",
            ],
        ),
    ];
    for (path, expected) in cases {
        assert_eq!(writes(&server, path), *expected, "{path}");
    }
    let bytes = writes(&server, "/every-byte");
    assert!(bytes.iter().all(|write| write.len() == 1), "{bytes:?}");
    assert_eq!(bytes.concat(), SNOW.as_bytes());
}

#[test]
fn a_gap_between_writes_is_kept() {
    let server = chunks(&[]);
    let began = Instant::now();
    let bytes = writes(&server, "/every-byte-slowly");
    assert_eq!(bytes.len(), "data: slow\n\n".len());
    assert!(began.elapsed() >= Duration::from_millis(10) * (bytes.len() as u32 - 1));
}

#[test]
fn random_cuts_are_the_seeds() {
    let once = || writes(&chunks(&["--time-scale", "100"]), "/random");
    let first = once();
    assert_eq!(first, once());
    assert!(
        first.iter().all(|write| (1..=8).contains(&write.len())),
        "{first:?}"
    );
    let events: String = (1..=5)
        .map(|n| format!("data: event number {n}\nid: {n}\n\n"))
        .collect();
    assert_eq!(first.concat(), events.as_bytes());
    let other = writes(&chunks(&["--time-scale", "100", "--seed", "12"]), "/random");
    assert_ne!(first, other);
}

#[test]
fn events_may_be_many_and_large() {
    let server = chunks(&[]);
    let events: String = (1..=2000).map(|n| format!("data: {n}\n\n")).collect();
    assert_eq!(writes(&server, "/two-thousand-events"), [events.as_bytes()]);
    let lines = "data: line\n".repeat(10_000) + "\n";
    assert_eq!(writes(&server, "/ten-thousand-lines"), [lines.as_bytes()]);
    let large = ["data: ", &"x".repeat(5 << 20), "\n\n"].concat();
    assert!(writes(&server, "/five-mebibytes") == [large.as_bytes()]);
    let mut stream = server.open("/sixty-five-mebibytes", &[]);
    let mut length = 0;
    while let Some(chunk) = stream.chunk() {
        length += chunk.len();
    }
    assert_eq!(length, "data: ".len() + (65 << 20) + "\n\n".len());
}

#[test]
fn every_layout_comes_through_as_it_is() {
    let server = chunks(&[]);
    let comment = format!(
        ":\n\n: {}\n\n:nul \0 nul\ndata: one\n\n: no line end",
        "x".repeat(2048)
    );
    for (path, expected) in [
        ("/crlf", "event: a\r\ndata: b\r\ndata: c\r\n\r\n"),
        ("/cr", "event: a\rdata: b\rdata: c\r\r"),
        (
            "/mixed-line-ends",
            "data: lf\n\ndata: crlf\r\n\r\ndata: cr\r\rdata: all\rdata: of\r\ndata: them\n\n",
        ),
        (
            "/blank-lines",
            "\n\r\n\rdata: behind blank lines\n\n\n\n\ndata: and more of them\n\n",
        ),
        (
            "/unfinished-event",
            "data: one\n\ndata: no blank line behind this\n",
        ),
        ("/unfinished-line", "data: one\n\ndata: not even a line end"),
        (
            "/bom-in-mid-stream",
            "data: one\n\n\u{feff}data: this line is no field\n\ndata: a\u{feff}b\n\n",
        ),
        (
            "/no-space",
            "data:no space\n\ndata:  one space, which is the text's\n\n",
        ),
        (
            "/order",
            "retry: 1000\nid: second\ndata: third\nevent: fourth\n: last\n\n",
        ),
        (
            "/spaces",
            "data:  one of two spaces\n\ndata:\ta tab\n\ndata : no field\ndata: \n\n",
        ),
        (
            "/no-colon",
            "data\n\ndata\ndata\n\ndata: one\nid\n\nevent\ndata: two\n\n",
        ),
        (
            "/names",
            "DATA: no\nData: no\ndatabase: no\n data: no\nda\0ta: no\nfoo: no\n: no\nfoo\ndata: yes\n\n",
        ),
        (
            "/data",
            "data:\n\ndata:\ndata:\n\ndata: two\ndata: lines\n\nevent: no data\n\nid: no data\n\n\
             retry: 3000\n\ndata: done\n\n",
        ),
        ("/comments", &comment),
        (
            "/ids",
            "data: one\nid: 1\n\nid: 2\0\ndata: an id with NUL is ignored\n\ndata: now there is none\nid:\n\n\
             id: 3\n\ndata: it had no data\n\ndata: not ASCII\nid: …☃\n\nid\ndata: none again\n\n\
             id: 4\ndata: cut by the end\n",
        ),
        (
            "/retries",
            "retry: 1000\n\nretry:002000\n\nretry: 3000x\n\nretry: -1\n\nretry: 1.5\n\nretry:\n\nretry\n\n\
             data: at once\nretry: 0\n\n",
        ),
        ("/separators", "data: a\u{2028}b\u{2029}c\u{85}d\n\n"),
        ("/nul", "data: nul \0 nul\n\n"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{path}");
    }
    let broken = b"data: \xff\xfe\xc3\x28\xe2\x98\xf0\x9f\x98\n\n";
    assert_eq!(server.get("/invalid-utf8").bytes, broken);
}

#[test]
fn a_stream_may_be_nothing_but_comments() {
    let server = chunks(&["--time-scale", "100"]);
    let mut stream = server.open("/only-comments", &[]);
    for _ in 0..5 {
        assert_eq!(stream.event().unwrap(), ": tick");
    }
}
