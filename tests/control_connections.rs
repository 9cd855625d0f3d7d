//! Open streams are listed, waited for, ended, and sent events by commands.

mod commands;
mod support;

use std::time::{Duration, Instant};

use commands::{ask, done, refused, tell};
use serde_json::json;
use support::{Server, serve};

const YAML: &str = "
endpoints:
  - path: /sse
    stream: [{ data: hello }, { end: hold }]
  - path: '/room/{id}'
    heartbeat: 10s
    stream: [{ data: hello }, { data: '{{ seq }}' }, { data: '{{ seq }}', every: 1h }]
  - path: /crlf
    wire: { eol: crlf, space: false }
    compress: gzip
    stream: [{ data: hello }, { end: hold }]
  - path: /cut
    stream: [{ data: [1, 2, 3], split: { every: 1, gap: 1h } }]
  - path: /sized
    wire: { framing: sized }
    stream: [{ data: a }, { data: b, after: 1h }]
";

fn count(server: &Server) -> usize {
    let listed = done(ask(server, "GET", "/__mock/connections"));
    assert_eq!(listed["connections"].as_array().unwrap().len(), listed["count"]);
    listed["count"].as_u64().unwrap() as usize
}

#[test]
fn open_streams_are_listed() {
    let server = serve(YAML, &["--clock", "manual", "--no-tls"]);
    assert_eq!(count(&server), 0);
    let mut first = server.open("/sse?x=1", &[]);
    first.event();
    done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": "2s" }),
    ));
    let mut second = server.open("/room/7", &[]);
    assert_eq!(
        (second.field("data"), second.field("data")),
        ("hello".into(), "2".into())
    );
    // What a client has read may not have been counted yet; behind this it has.
    done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": "0s" }),
    ));
    let listed = done(ask(&server, "GET", "/__mock/connections"));
    let peers = [&first, &second].map(|stream| stream.socket().local_addr().unwrap().to_string());
    assert_eq!(
        listed,
        json!({ "count": 2, "connections": [
            { "number": 1, "endpoint": "GET /sse#0", "path": "/sse", "peer": peers[0], "since_ms": 0.0,
              "events": 1, "bytes": 13, "writing": false },
            { "number": 2, "endpoint": "GET /room/{id}#0", "path": "/room/7", "peer": peers[1], "since_ms": 2000.0,
              "events": 2, "bytes": 22, "writing": false },
        ]})
    );
    for (endpoint, expected) in [
        ("/sse", 1),
        ("GET%20/sse", 1),
        ("GET%20/sse%230", 1),
        ("/room/7", 1),
        ("/room/%7Bid%7D", 1),
        ("/room", 0),
    ] {
        let listed = done(ask(
            &server,
            "GET",
            &format!("/__mock/connections?endpoint={endpoint}"),
        ));
        assert_eq!(listed["count"], expected, "{endpoint}");
    }
    assert_eq!(
        done(ask(&server, "GET", "/__mock/connections/2"))["path"],
        "/room/7"
    );
    for path in ["/__mock/connections/9", "/__mock/connections/x"] {
        assert_eq!(refused(ask(&server, "GET", path)).0, 404);
    }
}

#[test]
fn a_test_can_wait_until_so_many_are_there_or_have_left() {
    let server = serve(YAML, &["--no-tls"]);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| done(ask(&server, "GET", "/__mock/connections?count=2&wait=20s")));
        let streams = [server.open("/sse", &[]), server.open("/sse", &[])];
        assert_eq!(waits.join().unwrap()["count"], 2);
        let waits = scope.spawn(|| done(ask(&server, "GET", "/__mock/connections?max=0&wait=20s")));
        drop(streams);
        assert_eq!(waits.join().unwrap()["count"], 0);
    });
    let began = Instant::now();
    let (status, detail) = refused(ask(&server, "GET", "/__mock/connections?count=1&wait=300ms"));
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(status, 504);
    assert_eq!(
        detail,
        "0 streams are open after 300ms, not at least 1: nobody is connected"
    );
    assert_eq!(refused(ask(&server, "GET", "/__mock/connections?count=1")).0, 504);
    assert_eq!(refused(ask(&server, "GET", "/__mock/connections?cuont=1")).0, 400);
}

#[test]
fn streams_are_ended_one_by_one_or_all_of_an_endpoint() {
    let server = serve(YAML, &["--no-tls"]);
    let mut streams: Vec<_> = (0..4).map(|_| server.open("/sse", &[])).collect();
    let mut other = server.open("/room/1", &[]);
    streams
        .iter_mut()
        .chain([&mut other])
        .for_each(|stream| drop(stream.event()));
    let end = |path: &str| done(ask(&server, "POST", &format!("/__mock/connections/{path}")));
    assert_eq!(end("1/close"), json!({ "ended": 1 }));
    assert_eq!(streams[0].event(), None);
    end("2/cut");
    assert_eq!(streams[1].rest().unwrap(), b"");
    end("3/reset");
    assert_eq!(
        streams[2].rest().unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    assert_eq!(end("goaway?endpoint=/sse"), json!({ "ended": 1 }));
    assert_eq!(streams[3].event(), None);
    done(ask(&server, "GET", "/__mock/connections?max=1&wait=20s"));
    assert_eq!(end("close"), json!({ "ended": 1 }));
    while other.event().is_some() {}
    let (status, detail) = refused(ask(&server, "POST", "/__mock/connections/1/close"));
    assert_eq!(status, 404);
    assert!(detail.contains("no stream 1 is open"), "{detail}");
}

#[test]
fn events_are_sent_into_open_streams() {
    let server = serve(YAML, &["--clock", "manual", "--no-tls"]);
    let mut held = server.open("/sse", &[]);
    let mut room = server.open("/room/1", &[]);
    assert_eq!(held.event().as_deref(), Some("data: hello"));
    assert_eq!(
        (room.field("data"), room.field("data")),
        ("hello".into(), "2".into())
    );
    let sent = tell(
        &server,
        "POST",
        "/__mock/connections/1/events",
        json!({ "event": "news", "id": 7, "data": "a\nb" }),
    );
    assert_eq!(done(sent), json!({ "reached": 1, "refused": [] }));
    assert_eq!(
        held.event().as_deref(),
        Some("event: news\ndata: a\ndata: b\nid: 7")
    );
    let two = json!([{ "data": { "a": [1, 2] } }, { "data": null, "retry": "2s" }, { "comment": "c" }]);
    assert_eq!(
        done(tell(&server, "POST", "/__mock/connections/events", two))["reached"],
        2
    );
    for stream in [&mut held, &mut room] {
        assert_eq!(stream.event().as_deref(), Some("data: {\"a\":[1,2]}"));
        assert_eq!(stream.event().as_deref(), Some("data: null\nretry: 2000"));
        assert_eq!(stream.event().as_deref(), Some(": c"));
    }
    let listed = done(ask(&server, "GET", "/__mock/connections?endpoint=/sse"));
    assert_eq!(listed["connections"][0]["events"], 5);
}

#[test]
fn what_is_sent_puts_the_heartbeat_off_and_is_written_when_time_goes_on() {
    let server = serve(YAML, &["--clock", "manual", "--no-tls"]);
    let mut room = server.open("/room/1", &[]);
    assert_eq!(
        (room.field("data"), room.field("data")),
        ("hello".into(), "2".into())
    );
    let advance = |by: &str| {
        done(tell(
            &server,
            "POST",
            "/__mock/clock/advance",
            json!({ "by": by }),
        ))
    };
    advance("9s");
    done(tell(
        &server,
        "POST",
        "/__mock/connections/1/events",
        json!({ "data": "now" }),
    ));
    assert_eq!(advance("9s")["next_due_ms"], 19_000.0);
    advance("1s");
    assert_eq!(
        (room.event().as_deref(), room.event().as_deref()),
        (Some("data: now"), Some(":"))
    );
}

#[test]
fn an_event_takes_on_the_streams_style_and_coding() {
    let server = serve(YAML, &["--no-tls"]);
    let mut stream = server.open("/crlf", &[]);
    assert_eq!(stream.chunk().as_deref(), Some(&b"data:hello\r\n\r\n"[..]));
    done(tell(
        &server,
        "POST",
        "/__mock/connections/1/events",
        json!({ "data": "x", "id": "1" }),
    ));
    assert_eq!(stream.chunk().as_deref(), Some(&b"data:x\r\nid:1\r\n\r\n"[..]));
    let mut packed = server.open("/crlf", &[("accept-encoding", "gzip")]);
    let before = packed.chunk().unwrap();
    done(tell(
        &server,
        "POST",
        "/__mock/connections/2/events",
        json!({ "data": "x" }),
    ));
    let after = packed.chunk().unwrap();
    let mut plain = Vec::new();
    let all = [before, after].concat();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&all[..]), &mut plain).unwrap_err();
    assert_eq!(plain, b"data:hello\r\n\r\ndata:x\r\n\r\n");
}

#[test]
fn streams_that_can_take_no_event_say_why() {
    let server = serve(YAML, &["--clock", "manual", "--no-tls"]);
    let mut cut = server.open("/cut", &[]);
    cut.chunk();
    let sized = server.open("/sized", &[]);
    let into = |path: &str, body| tell(&server, "POST", &format!("/__mock/connections/{path}"), body);
    let (status, detail) = refused(into("1/events?timeout=200ms", json!({ "data": "x" })));
    assert_eq!(status, 504);
    assert!(detail.contains("1 (GET /cut#0)"), "{detail}");
    let (status, detail) = refused(into("2/events", json!({ "data": "x" })));
    assert_eq!(status, 409);
    assert!(detail.contains("the length of its body is announced"), "{detail}");
    assert_eq!(refused(into("3/events", json!({ "data": "x" }))).0, 404);
    for (body, said) in [
        (json!({}), "at least one of"),
        (json!([]), "no event"),
        (json!({ "dta": 1 }), "unknown field `dta`"),
        (json!({ "event": "a\nb", "data": 1 }), "line end"),
        (json!({ "id": "counter", "data": 1 }), "counter"),
        (json!({ "id": [1] }), "no text"),
        (json!("x"), "expected"),
    ] {
        let (status, detail) = refused(into("2/events", body.clone()));
        assert_eq!(status, 400, "{body}");
        assert!(detail.contains(said), "{body}: {detail}");
    }
    drop(sized);
}

#[test]
fn an_abrupt_end_does_not_wait_for_a_clean_one() {
    let yaml = "
endpoints:
  - path: /flood
    stream: [{ data: '{{ \"x\" * 1000000 }}', every: 1s }]
";
    let server = serve(yaml, &["--clock", "manual", "--no-tls"]);
    let _never_read = server.open("/flood", &[]);
    let blocked = tell(
        &server,
        "POST",
        "/__mock/clock/advance?timeout=3s",
        json!({ "by": "1h" }),
    );
    assert_eq!(blocked.0, 504);
    done(ask(&server, "POST", "/__mock/connections/1/close"));
    assert_eq!(count(&server), 1, "it waits for its client");
    done(ask(&server, "POST", "/__mock/connections/1/cut"));
    done(ask(&server, "GET", "/__mock/connections?max=0&wait=20s"));
}
