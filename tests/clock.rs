//! Everything that takes time goes by the clock: real, scaled, or moved by hand.

mod commands;
mod support;

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use commands::{Kept, ask, done, tell};
use serde_json::{Value as Json, json};
use support::process::{run, said};
use support::raw::{is_silent, send};
use support::{PATIENCE, Server, serve};

const TIMED: &str = "
now: 2026-01-01T00:00:00Z
topics:
  fed:
    feed: [{ data: f, every: 4s, times: 2 }]
  old: { history: { age: 10s } }
endpoints:
  - path: /script
    heartbeat: 3s
    stream:
      - data: a
      - { data: b, after: 2s }
      - wait: 4s
      - data: c
      - { data: t, every: 5s, times: 2 }
  - path: /told
    heartbeat: { every: 2s, event: ping, data: '{{ now }} {{ elapsed }}' }
    stream: [{ data: '{{ elapsed }}', after: 3s }, { data: '{{ now }}', after: 1500ms }]
  - path: /rounds
    stream:
      - repeat: { every: 3s, times: 2, steps: [{ data: a }, { data: b, after: 1s }] }
      - for_each: { in: [x, y], every: 2s, steps: [{ data: '{{ item }}' }] }
  - path: /side
    stream:
      - parallel:
          - [{ data: slow, every: 3s, times: 2 }]
          - [{ data: fast, every: 2s, times: 3 }]
      - data: both
  - path: /split
    wire: { split: { every: 4, gap: 250ms } }
    stream: [{ data: abcdef }]
  - path: /delayed
    throttle: { delay: 2s }
    stream: [{ data: a }, { data: b, after: 5s }]
  - path: /slow
    throttle: { rate: 4 }
    stream: [{ raw: abcd }, { end: hold }]
  - path: /stalls
    faults: [{ after: { time: 30s }, stall: 5s }]
    stream: [{ data: a, every: 8s, times: 5 }]
  - path: /cut
    faults: { after: { time: 10s }, end: close }
    stream: [{ data: a, every: 4s }]
  - path: /stall
    heartbeat: 1s
    stream: [{ data: a }, { stall: 10s }, { data: b }, { data: c, after: 500ms }]
  - path: /limited
    limits: { time: 7s }
    stream: [{ data: a, every: 3s }]
  - path: /waits
    stream: [{ wait_for: { signal: never, for: 5s, else: [{ data: late }] } }, { data: on }]
  - path: /follows
    stream: [{ follow: { topic: old, for: 6s } }, { data: on }]
  - path: /fed
    stream: [{ follow: { topic: fed, limit: 2 } }]
  - path: /held
    heartbeat: 1m
    stream: [{ end: hold }]
  - { path: /say, method: POST, publish: { topic: old, data: '{{ request.body }}' } }
  - path: /old
    stream: [{ follow: { topic: old, from: earliest } }]
  - { path: /time, body: '{{ now }}' }
  - { path: /late, after: 3s, body: '{{ now }}' }
";

/// 2026-01-01T00:00:00Z in milliseconds since 1970.
const NEW_YEAR: u64 = 1_767_225_600_000;

fn by_hand() -> Server {
    serve(TIMED, &["--no-tls", "--clock", "manual"])
}

/// A stream whose body comes as it is, without chunks.
struct Tap(TcpStream);

impl Tap {
    fn open(port: u16, path: &str) -> Tap {
        let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
        let mut socket = send(port, request.as_bytes());
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains(" 200 "), "{path}: {head}");
        Tap(socket)
    }

    /// Exactly this is there.
    fn expect(&mut self, text: &str, when: &str) {
        let mut bytes = vec![0; text.len()];
        self.0
            .read_exact(&mut bytes)
            .unwrap_or_else(|error| panic!("{when}: {error} instead of {text:?}"));
        assert_eq!(String::from_utf8_lossy(&bytes), text, "{when}");
    }

    /// Nothing more is there, and the stream is over or not.
    fn ends(&mut self, then: Then, path: &str) {
        match then {
            Then::Over => assert_eq!(self.0.read(&mut [0]).unwrap(), 0, "{path}: more came"),
            Then::Open => assert!(is_silent(&self.0), "{path}: more came"),
        }
    }
}

fn advance(server: &Server, session: &str, by: Json) -> Json {
    done(tell(
        server,
        "POST",
        &format!("{session}/__mock/clock/advance"),
        json!({ "by": by }),
    ))
}

fn to_next(server: &Server, session: &str) -> f64 {
    let moved = done(tell(
        server,
        "POST",
        &format!("{session}/__mock/clock/advance"),
        json!({ "to": "next" }),
    ));
    moved["advanced_ms"].as_f64().unwrap()
}

/// Whether a stream ends where its timeline does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Over,
    Open,
}

type Timeline = (&'static str, &'static [(u64, &'static str)], Then);

/// What each stream sends, and when, in milliseconds since it began.
const TIMELINES: &[Timeline] = &[
    (
        "/script",
        &[
            (0, "data: a\n\n"),
            (2000, "data: b\n\n"),
            (5000, ":\n\n"),
            (6000, "data: c\n\n"),
            (9000, ":\n\n"),
            (11_000, "data: t\n\n"),
            (14_000, ":\n\n"),
            (16_000, "data: t\n\n"),
        ],
        Then::Over,
    ),
    (
        "/told",
        &[
            (2000, "event: ping\ndata: 1767225602000 2000\n\n"),
            (3000, "data: 3000\n\n"),
            (4500, "data: 1767225604500\n\n"),
        ],
        Then::Over,
    ),
    (
        "/rounds",
        &[
            (3000, "data: a\n\n"),
            (4000, "data: b\n\n"),
            (6000, "data: a\n\n"),
            (7000, "data: b\n\n"),
            (9000, "data: x\n\n"),
            (11_000, "data: y\n\n"),
        ],
        Then::Over,
    ),
    (
        "/side",
        &[
            (2000, "data: fast\n\n"),
            (3000, "data: slow\n\n"),
            (4000, "data: fast\n\n"),
        ],
        Then::Open,
    ),
    (
        "/split",
        &[(0, "data"), (250, ": ab"), (500, "cdef"), (750, "\n\n")],
        Then::Over,
    ),
    (
        "/delayed",
        &[(2000, "data: a\n\n"), (7000, "data: b\n\n")],
        Then::Over,
    ),
    (
        "/slow",
        &[(0, "a"), (250, "b"), (500, "c"), (750, "d")],
        Then::Open,
    ),
    (
        "/stalls",
        &[
            (8000, "data: a\n\n"),
            (16_000, "data: a\n\n"),
            (24_000, "data: a\n\n"),
            (35_000, "data: a\n\n"),
            (40_000, "data: a\n\n"),
        ],
        Then::Over,
    ),
    (
        "/cut",
        &[(4000, "data: a\n\n"), (8000, "data: a\n\n"), (10_000, "")],
        Then::Over,
    ),
    (
        "/stall",
        &[
            (0, "data: a\n\n"),
            (10_000, "data: b\n\n"),
            (10_500, "data: c\n\n"),
        ],
        Then::Over,
    ),
    (
        "/limited",
        &[(3000, "data: a\n\n"), (6000, "data: a\n\n"), (7000, "")],
        Then::Over,
    ),
    ("/waits", &[(5000, "data: late\n\ndata: on\n\n")], Then::Over),
    ("/follows", &[(6000, "data: on\n\n")], Then::Over),
    (
        "/fed",
        &[(4000, "data: f\n\n"), (8000, "data: f\n\n")],
        Then::Over,
    ),
    ("/held", &[(60_000, ":\n\n"), (120_000, ":\n\n")], Then::Open),
];

/// What is due comes when its time comes, not a millisecond before, and nothing more.
#[test]
fn what_is_due_is_there_after_an_advance_and_nothing_else() {
    let server = by_hand();
    for (path, timeline, then) in TIMELINES {
        let session = format!("/~{}", &path[1..]);
        let mut tap = Tap::open(server.port, &format!("{session}{path}"));
        let mut now = 0;
        for (due, text) in *timeline {
            let when = format!("{path} at {due} ms");
            if *due > 0 {
                advance(&server, &session, json!(due - 1 - now));
                assert!(is_silent(&tap.0), "{when}: too early");
                now = advance(&server, &session, json!(1))["now_ms"].as_f64().unwrap() as u64;
                assert_eq!(now, *due);
            }
            tap.expect(text, &when);
            let last = timeline.last().is_some_and(|(last, _)| last == due);
            assert!(
                is_silent(&tap.0) || (last && *then == Then::Over),
                "{when}: too much"
            );
        }
        tap.ends(*then, path);
    }
}

/// The same in one go: all of it, in the same order.
#[test]
fn one_long_advance_brings_what_many_short_ones_do() {
    let server = by_hand();
    for (path, timeline, then) in TIMELINES {
        let session = format!("/~{}", &path[1..]);
        let mut tap = Tap::open(server.port, &format!("{session}{path}"));
        let (last, _) = timeline.last().unwrap();
        advance(&server, &session, json!(last));
        let all: String = timeline.iter().map(|(_, text)| *text).collect();
        tap.expect(&all, path);
        tap.ends(*then, path);
    }
}

#[test]
fn to_next_goes_step_by_step() {
    let server = by_hand();
    for (path, timeline, then) in TIMELINES {
        let session = format!("/~{}", &path[1..]);
        let mut tap = Tap::open(server.port, &format!("{session}{path}"));
        let mut now = 0;
        for (due, text) in *timeline {
            let when = format!("{path} at {due} ms");
            while now < *due {
                let moved = to_next(&server, &session);
                assert!(moved > 0.0, "{when}: nothing is due at {now} ms");
                now += moved as u64;
                assert!(now <= *due, "{when}: went on to {now} ms");
            }
            tap.expect(text, &when);
        }
        tap.ends(*then, path);
        if *then == Then::Over {
            assert_eq!(to_next(&server, &session), 0.0, "{path}: nothing is left");
        }
    }
}

#[test]
fn histories_age_by_the_clock() {
    let server = by_hand();
    assert_eq!(server.post("/say", "{\"n\":1}").status, 200);
    advance(&server, "", json!("6s"));
    server.post("/say", "{\"n\":2}");
    let old = |expected: &str, when: &str| {
        let mut tap = Tap::open(server.port, "/old");
        tap.expect(expected, when);
        advance(&server, "", json!(0));
        assert!(is_silent(&tap.0), "{when}: nothing more");
    };
    advance(&server, "", json!(3999));
    old("data: {\"n\":1}\n\ndata: {\"n\":2}\n\n", "both are young");
    advance(&server, "", json!(2));
    old("data: {\"n\":2}\n\n", "the first is too old");
    advance(&server, "", json!("1h"));
    old("", "both are too old");
}

/// Until so much is due, on a clock that stands.
fn until_due(server: &Server) -> f64 {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let clock = done(ask(server, "GET", "/__mock/clock"));
        if let Some(due) = clock["next_due_ms"].as_f64() {
            return due;
        }
    }
    panic!("nothing is ever due")
}

#[test]
fn an_answer_that_is_delayed_goes_by_the_clock() {
    let server = by_hand();
    let request = "GET /late HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut socket = send(server.port, request.as_bytes());
    assert_eq!(until_due(&server), 3000.0);
    advance(&server, "", json!(2999));
    assert!(is_silent(&socket));
    advance(&server, "", json!(1));
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    // Bodies are worked out before the wait.
    assert!(answer.ends_with(&format!("\r\n\r\n{NEW_YEAR}")), "{answer}");
}

#[test]
fn a_server_is_offline_by_the_clock() {
    let yaml = "endpoints: [{ path: /off, stream: [{ data: a }, { offline: 1h }, { data: b, after: 2h }] }]";
    let server = serve(yaml, &["--no-tls", "--clock", "manual"]);
    let connect = || TcpStream::connect(("127.0.0.1", server.port));
    // Commands need a connection that was there before.
    let mut commands = Kept::new(connect().unwrap());
    let mut advance = |by: &str| {
        let (status, said) = commands.ask("POST", "/__mock/clock/advance", &format!("{{\"by\": \"{by}\"}}"));
        assert_eq!(status, 200, "{said}");
    };
    advance("0");
    let mut tap = Tap::open(server.port, "/off");
    tap.expect("data: a\n\n", "at once");
    advance("59m59s");
    assert!(connect().is_err(), "nobody listens");
    advance("1s");
    assert!(connect().is_ok());
    advance("1h");
    tap.expect("data: b\n\n", "after two hours");
}

#[test]
fn a_day_of_a_ticker_is_17280_events() {
    let yaml = "endpoints: [{ path: /tick, stream: [{ every: 5s, id: counter, data: tick }] }]";
    let server = serve(yaml, &["--no-tls", "--clock", "manual"]);
    let mut tap = Tap::open(server.port, "/tick");
    let expected: String = (1..=17_280).map(|n| format!("data: tick\nid: {n}\n\n")).collect();
    let reader = std::thread::spawn(move || {
        tap.expect(&expected, "a day");
        tap
    });
    let moved = done(tell(
        &server,
        "POST",
        "/__mock/clock/advance?timeout=60s",
        json!({ "by": "1d" }),
    ));
    assert_eq!(
        (&moved["now_ms"], &moved["next_due_ms"]),
        (&json!(86_400_000.0), &json!(86_405_000.0))
    );
    let mut tap = reader.join().unwrap();
    assert!(is_silent(&tap.0), "not one more");
    advance(&server, "", json!(4999));
    assert!(is_silent(&tap.0));
    advance(&server, "", json!(1));
    tap.expect("data: tick\nid: 17281\n\n", "the next day");
}

#[test]
fn a_scaled_clock_is_faster_for_all_that_takes_time() {
    let yaml = "
now: 2026-01-01T00:00:00Z
endpoints:
  - path: /fast
    heartbeat: 40s
    stream: [{ data: '{{ elapsed }} {{ now }}', after: 100s }]
";
    let server = serve(yaml, &["--no-tls", "--time-scale", "100"]);
    let began = Instant::now();
    let mut stream = server.open("/fast", &[]);
    assert_eq!(stream.event().as_deref(), Some(":"));
    assert_eq!(stream.event().as_deref(), Some(":"));
    // In less than the hundred seconds for which nobody here would wait.
    let event = stream.field("data");
    assert!(began.elapsed() >= Duration::from_secs(1));
    let (elapsed, now) = event.split_once(' ').unwrap();
    assert_eq!(elapsed, "100000");
    assert!(now.parse::<u64>().unwrap() >= NEW_YEAR + 100_000, "{now}");
    let clock = done(ask(&server, "GET", "/__mock/clock"));
    assert_eq!(
        (&clock["mode"], &clock["scale"]),
        (&json!("scaled"), &json!(100.0))
    );
    assert!(clock["now_ms"].as_f64().unwrap() >= 100_000.0);
}

#[test]
fn the_time_of_day_may_be_pinned() {
    let yaml = "
now: 2026-01-01T01:30:00+01:30
endpoints: [{ path: /time, body: '{{ now }}' }]
";
    let later = "2030-05-06T07:08:09.250Z";
    let manual = ["--no-tls", "--clock", "manual"];
    let server = serve(yaml, &manual);
    for session in ["", "/~a"] {
        assert_eq!(server.get(&format!("{session}/time")).body, NEW_YEAR.to_string());
    }
    advance(&server, "", json!("1d"));
    assert_eq!(server.get("/time").body, (NEW_YEAR + 86_400_000).to_string());
    // A session begins at that time, whenever it begins.
    assert_eq!(server.get("/~b/time").body, NEW_YEAR.to_string());
    // What the command line says holds.
    let pinned = serve(yaml, &[&manual[..], &["--now", later]].concat());
    for session in ["", "/~a"] {
        assert_eq!(pinned.get(&format!("{session}/time")).body, "1904281689250");
    }
    // On a clock that goes, it goes on from there.
    let going = serve(yaml, &["--no-tls"]);
    let now: u64 = going.get("/time").body.parse().unwrap();
    assert!(
        (NEW_YEAR..NEW_YEAR + 3_600_000).contains(&now),
        "{now}: less than an hour later"
    );
    let play = |args: &[&str]| {
        let args = [&["play", "scenario.yaml", "/time"], args].concat();
        said(&run(server.folder.path(), &args, &[])).1
    };
    assert_eq!(play(&[]), NEW_YEAR.to_string());
    assert_eq!(play(&["--now", later]), "1904281689250");
    let env = [("MOCK_SSE_NOW", later)];
    let played = run(server.folder.path(), &["play", "scenario.yaml", "/time"], &env);
    assert_eq!(said(&played).1, "1904281689250");
}

#[test]
fn a_reload_moves_the_time_of_day_only_if_it_says_another() {
    let server = serve(TIMED, &["--no-tls", "--clock", "manual", "--watch", "off"]);
    let reload = || done(ask(&server, "POST", "/__mock/reload"));
    done(tell(
        &server,
        "PUT",
        "/__mock/clock",
        json!({ "now": "1970-01-01T00:00:07Z" }),
    ));
    server.save(&format!("{TIMED}  - {{ path: /more, body: more }}\n"));
    reload();
    assert_eq!(
        (server.get("/more").body, server.get("/time").body),
        ("more".into(), "7000".into())
    );
    advance(&server, "", json!("1s"));
    server.save(&TIMED.replace("2026-01-01", "2026-01-02"));
    reload();
    let expected = NEW_YEAR + 86_400_000 + 1000;
    assert_eq!(
        server.get("/time").body,
        expected.to_string(),
        "the clock itself goes on"
    );
}

#[test]
fn a_session_given_a_time_of_day_begins_anew_at_it() {
    let server = serve(TIMED, &["--no-tls"]);
    let wish = json!({ "clock": "manual", "now": "2030-05-06T07:08:09Z" });
    done(tell(&server, "PUT", "/__mock/sessions/a", wish));
    for _ in 0..2 {
        assert_eq!(server.get("/~a/time").body, "1904281689000");
        advance(&server, "/~a", json!("1h"));
        assert_eq!(server.get("/~a/time").body, "1904285289000");
        // What it is told later is not how it began.
        done(tell(
            &server,
            "PUT",
            "/~a/__mock/clock",
            json!({ "now": "2026-01-01T00:00:00Z" }),
        ));
        assert_eq!(server.get("/~a/time").body, NEW_YEAR.to_string());
        done(ask(&server, "POST", "/~a/__mock/reset"));
    }
}

#[test]
fn clocks_that_cannot_be_are_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let manual = [("MOCK_SSE_CLOCK", "manual")];
    for (args, env, told) in [
        (
            &["--clock", "manual", "--time-scale", "2"][..],
            &[][..],
            "--clock manual does not go by --time-scale: leave one out",
        ),
        (&["--time-scale", "2"], &manual, "leave one out"),
        (&["--clock", "sundial"], &[], "[possible values: real, manual]"),
        (&["--time-scale", "0"], &[], "0.001 to 1000000"),
        (&["--time-scale", "inf"], &[], "0.001 to 1000000"),
        (&["--now", "noon"], &[], "RFC 3339"),
        (&["--now", "1969-12-31T23:59:59Z"], &[], "from 1970 on"),
    ] {
        let args = [&["serve", "--port", "0"], args].concat();
        let (code, _, stderr) = said(&run(folder.path(), &args, env));
        assert_eq!(code, Some(2), "{args:?} {env:?}: {stderr}");
        assert!(stderr.contains(told), "{args:?} {env:?}: {stderr}");
    }
}
