//! What streams do to one another: signals, waiting, disconnecting, going offline, last words, limits.

mod by_hand;
mod support;

use std::io::ErrorKind;
use std::net::TcpStream;

use support::{Server, Stream, serve};

fn ok(server: &Server, path: &str) -> String {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{path} {answer:?}");
    answer.body
}

fn next(stream: &mut Stream) -> String {
    stream.event().expect("another event")
}

#[test]
fn a_signal_wakes_those_who_wait_for_it() {
    let server = serve(
        r#"
endpoints:
  - path: '/wait/{name}'
    stream:
      - data: ready
      - repeat: { times: 2, steps: [{ wait_for: { signal: 'go {{ name }}' } }, { data: went }] }
  - path: /late
    stream:
      - { comment: ready }
      - { wait_for: { signal: begin } }
      - { wait_for: { signal: 'go a', for: 1s, else: [{ data: timeout }] } }
      - { data: on }
  - { path: '/go/{name}', stream: [{ signal: 'go {{ name }}' }, { data: given }] }
  - { path: /begin, stream: [{ signal: begin }, { data: given }] }
"#,
        &["--time-scale", "100"],
    );
    let given = "data: given\n\n";
    let (mut a, mut b) = (server.open("/wait/a", &[]), server.open("/wait/b", &[]));
    assert_eq!(
        (next(&mut a), next(&mut b)),
        ("data: ready".into(), "data: ready".into())
    );
    assert_eq!(ok(&server, "/go/a"), given);
    assert_eq!(next(&mut a), "data: went");
    assert_eq!(ok(&server, "/go/b"), given);
    assert_eq!(next(&mut b), "data: went");
    // What came before the stream began is past; what comes while it does something else is not.
    let (mut late, mut early) = (server.open("/late", &[]), server.open("/late", &[]));
    assert_eq!(
        (next(&mut late), next(&mut early)),
        (": ready".into(), ": ready".into())
    );
    assert_eq!(ok(&server, "/begin"), given);
    assert_eq!(next(&mut late), "data: timeout");
    assert_eq!((next(&mut late), late.event()), ("data: on".into(), None));
    let mut waits = server.open("/late", &[]);
    assert_eq!(next(&mut waits), ": ready");
    assert_eq!(ok(&server, "/go/a"), given);
    assert_eq!((next(&mut a), a.event()), ("data: went".into(), None));
    assert_eq!(ok(&server, "/begin"), given);
    assert_eq!((next(&mut waits), waits.event()), ("data: on".into(), None));
}

#[test]
fn a_signal_wakes_all_lists_of_a_stream_that_wait_for_it() {
    let server = serve(
        r#"
endpoints:
  - path: /x
    stream:
      - parallel:
          - [{ wait_for: { signal: go } }, { data: a }]
          - [{ wait_for: { signal: go, for: 1h } }, { data: b }]
          - [{ wait: 1s }, { data: c }, { signal: go }]
      - { data: end }
"#,
        &["--time-scale", "100"],
    );
    assert_eq!(
        ok(&server, "/x"),
        "data: c\n\ndata: a\n\ndata: b\n\ndata: end\n\n"
    );
}

#[test]
fn who_waits_for_clients_goes_on_though_the_others_have_left_again() {
    let scenario = "endpoints: [{ path: /pair, stream: [{ wait_for: { clients: 3 } }, { data: all }] }]";
    let server = serve(scenario, &[]);
    for _ in 0..20 {
        let mut streams: Vec<Stream> = (0..3).map(|_| server.open("/pair", &[])).collect();
        let got = streams.iter_mut().map(|stream| (next(stream), stream.event()));
        assert!(got.into_iter().all(|got| got == ("data: all".into(), None)));
    }
}

#[test]
fn a_stream_waits_for_clients_and_for_messages() {
    let server = serve(
        r#"
topics: { t: {} }
endpoints:
  - { path: /pair, stream: [{ comment: here }, { wait_for: { clients: 2 } }, { data: pair }, { end: hold }] }
  - { path: /other, stream: [{ comment: here }, { end: hold }] }
  - { path: /post, method: POST, publish: t, status: 204 }
  - { path: /message, stream: [{ comment: here }, { wait_for: { publish: t } }, { data: '{{ topic("t").last }}' }] }
"#,
        &[],
    );
    let mut first = server.open("/pair", &[]);
    let _other = server.open("/other", &[]);
    assert_eq!(server.send("HEAD", "/pair", &[], b"").status, 200);
    assert_eq!(next(&mut first), ": here");
    assert_eq!(rustix::io::ioctl_fionread(first.socket()).unwrap(), 0);
    let mut second = server.open("/pair", &[]);
    assert_eq!(
        (next(&mut second), next(&mut second)),
        (": here".into(), "data: pair".into())
    );
    assert_eq!(next(&mut first), "data: pair");
    assert_eq!(server.post("/post", r#"{"n":1}"#).status, 204);
    let mut message = server.open("/message", &[]);
    assert_eq!(next(&mut message), ": here");
    assert_eq!(server.post("/post", r#"{"n":2}"#).status, 204);
    assert_eq!(next(&mut message), r#"data: {"n":2}"#);
}

#[test]
fn when_the_time_is_up_the_schedule_goes_on_from_then() {
    let server = serve(
        r#"
topics: { t: {} }
endpoints:
  - path: /x
    stream:
      - { wait_for: { signal: never, for: 1s, else: [{ data: 'late {{ elapsed }}' }, { after: 1s, data: '{{ elapsed }}' }] } }
      - { data: 'on {{ elapsed }}' }
      - { follow: { topic: t, for: 2s } }
      - { after: 1s, data: '{{ elapsed }}' }
      - { wait_for: { clients: 1, for: 1s, else: [{ data: never }] } }
      - { wait_for: { publish: t, for: 1s } }
      - { data: end }
"#,
        &["--time-scale", "100"],
    );
    let expected = "data: late 1000\n\ndata: 2000\n\ndata: on 2000\n\ndata: 5000\n\ndata: end\n\n";
    assert_eq!(ok(&server, "/x"), expected);
}

const KILLED: &str = r#"
endpoints:
  - { path: /a, stream: [{ data: a }, { end: hold }] }
  - { path: /a, method: POST, stream: [{ data: posted }, { end: hold }] }
  - { path: /b, stream: [{ data: b }, { wait: 1h }] }
  - { path: /mute, end: stall }
  - { path: /all, stream: [{ data: a }, { disconnect: all }, { data: alive }] }
  - { path: /path, stream: [{ disconnect: /a }, { data: alive }] }
  - { path: /method, stream: [{ disconnect: { endpoint: POST /a, end: close } }, { data: alive }] }
  - { path: /close, stream: [{ disconnect: { endpoint: /a, end: close } }, { data: alive }] }
  - { path: /reset, stream: [{ disconnect: { endpoint: GET /a, end: reset } }, { data: alive }] }
  - { path: /goaway, stream: [{ disconnect: { endpoint: /a, end: goaway } }, { data: alive }] }
"#;

#[test]
fn streams_are_disconnected_as_the_step_says() {
    let server = serve(KILLED, &[]);
    let open = |method: &str, path: &str| {
        let mut stream = server.open_with(method, path, &[], b"");
        next(&mut stream);
        stream
    };
    let (mut a, mut post, mut b) = (open("GET", "/a"), open("POST", "/a"), open("GET", "/b"));
    assert_eq!(ok(&server, "/method"), "data: alive\n\n");
    assert_eq!(post.event(), None);
    assert_eq!(ok(&server, "/reset"), "data: alive\n\n");
    assert_eq!(a.rest().unwrap_err().kind(), ErrorKind::ConnectionReset);
    let (mut a, mut post) = (open("GET", "/a"), open("POST", "/a"));
    assert_eq!(ok(&server, "/path"), "data: alive\n\n");
    for stream in [&mut a, &mut post] {
        assert_eq!(stream.rest().unwrap(), b"", "cut: no terminating chunk");
    }
    let mut a = open("GET", "/a");
    assert_eq!(ok(&server, "/close"), "data: alive\n\n");
    assert_eq!(a.event(), None, "a clean end");
    let mut a = open("GET", "/a");
    assert_eq!(ok(&server, "/goaway"), "data: alive\n\n");
    assert_eq!(a.rest().unwrap(), b"0\r\n\r\n", "clean, and the connection ends");
    let mut a = open("GET", "/a");
    assert_eq!(ok(&server, "/all"), "data: a\n\ndata: alive\n\n");
    for stream in [&mut a, &mut b] {
        assert_eq!(stream.rest().unwrap(), b"");
    }
}

#[test]
fn nobody_can_connect_while_the_server_is_offline() {
    let server = by_hand::serve(
        r#"
endpoints:
  - { path: /held, stream: [{ data: held }, { after: 10s, data: still }, { end: hold }] }
  - { path: /off, stream: [{ data: a }, { offline: 30s }, { data: gone }, { after: 40s, data: back }] }
"#,
    );
    let mut held = server.open("/held", &[]);
    let mut off = server.open("/off", &[]);
    let refused = || TcpStream::connect(("127.0.0.1", server.port)).unwrap_err().kind();
    assert_eq!(
        (next(&mut off), next(&mut off)),
        ("data: a".into(), "data: gone".into())
    );
    assert_eq!(refused(), ErrorKind::ConnectionRefused);
    server.advance(29_000);
    assert_eq!(refused(), ErrorKind::ConnectionRefused);
    assert_eq!(
        (next(&mut held), next(&mut held)),
        ("data: held".into(), "data: still".into())
    );
    server.advance(1_000);
    assert_eq!(next(&mut server.open("/held", &[])), "data: held");
    server.advance(10_000);
    assert_eq!((next(&mut off), off.event()), ("data: back".into(), None));
}

const LAST_WORDS: &str = r#"
topics: { log: { history: 10 } }
endpoints:
  - path: /x/{how}
    let: { n: 1 }
    stream:
      - { data: in }
      - { let: { n: '{{ n + 1 }}' } }
      - { if: 'how == "cut"', then: [{ end: cut }] }
      - { if: 'how == "fail"', then: [{ data: 'x{{ request.query.nope }}' }] }
      - { if: 'how != "close"', then: [{ wait: 1h }] }
    finally:
      - { if: 'how == "broken"', then: [{ publish: { topic: '{{ "nowhere/" ~ how }}', data: x } }] }
      - { set: { left: '{{ how }}' } }
      - { let: { word: '{{ state.left }} {{ n }}' } }
      - { publish: { topic: log, data: '{{ word }}' } }
      - { signal: '{{ how }}' }
  - { path: /log, stream: [{ comment: here }, { follow: log }] }
  - { path: /wait, stream: [{ comment: here }, { wait_for: { signal: close } }, { data: '{{ state.left }}' }] }
  - { path: /kill, stream: [{ disconnect: '/x/{how}' }] }
"#;

#[test]
fn last_words_are_said_whatever_ended_the_stream() {
    let mut server = serve(LAST_WORDS, &[]);
    let mut log = server.open("/log", &[]);
    let mut wait = server.open("/wait", &[]);
    assert_eq!(
        (next(&mut log), next(&mut wait)),
        (": here".into(), ": here".into())
    );
    assert_eq!(ok(&server, "/x/close"), "data: in\n\n");
    assert_eq!(next(&mut log), "data: close 2");
    assert_eq!(next(&mut wait), "data: close");
    for how in ["cut", "fail"] {
        let mut stream = server.open(&format!("/x/{how}"), &[]);
        assert_eq!(stream.rest().unwrap(), b"a\r\ndata: in\n\n\r\n");
        assert_eq!(next(&mut log), format!("data: {how} 2"));
    }
    let open = |path: &str| {
        let mut stream = server.open(path, &[]);
        assert_eq!(next(&mut stream), "data: in");
        stream
    };
    drop(open("/x/left"));
    let said = next(&mut log);
    assert!(said.starts_with("data: left "), "{said}");
    let mut killed = open("/x/killed");
    assert_eq!(ok(&server, "/kill"), "");
    assert_eq!(killed.rest().unwrap(), b"");
    assert_eq!(next(&mut log), "data: killed 2");
    assert_eq!(server.send("HEAD", "/x/close", &[], b"").status, 200);
    let mut broken = open("/x/broken");
    server.signal("TERM");
    assert_eq!(broken.event(), None);
    assert!(server.exit().success());
    let said = "`finally` could not go on: there is no topic `nowhere/broken`";
    assert!(server.log.text().contains(said), "{}", server.log.text());
}

#[test]
fn an_endpoint_has_no_more_streams_than_it_may() {
    let server = serve(
        r#"
topics: { log: {} }
endpoints:
  - path: /x
    method: [GET, POST]
    limits: { connections: 2 }
    set: { n: '{{ state.n | default(0) + 1 }}' }
    stream: [{ data: in }, { end: hold }]
    finally: [{ publish: { topic: log, data: free } }]
  - { path: /n, body: '{{ state.n }}' }
  - { path: /log, stream: [{ comment: here }, { follow: log }] }
"#,
        &[],
    );
    let mut log = server.open("/log", &[]);
    assert_eq!(next(&mut log), ": here");
    let first = server.open("/x", &[]);
    let second = server.open_with("POST", "/x", &[], b"");
    assert_eq!((first.status, second.status), (200, 200));
    for _ in 0..2 {
        let full = server.get("/x");
        assert_eq!((full.status, full.header("retry-after")), (503, Some("1")));
        assert!(full.body.contains("2 streams open"), "{}", full.body);
        assert_eq!(server.send("HEAD", "/x", &[], b"").status, 200);
    }
    assert_eq!(server.get("/n").body, "2", "what is refused has no effects");
    drop(first);
    assert_eq!(next(&mut log), "data: free");
    let mut again = server.open("/x", &[]);
    assert_eq!(next(&mut again), "data: in");
    assert_eq!(server.get("/x").status, 503);
}

#[test]
fn a_stream_at_its_limit_ends_cleanly() {
    let server = by_hand::serve(
        r#"
topics: { t: { history: 5 } }
endpoints:
  - { path: /post, method: POST, publish: t, status: 204 }
  - { path: /events, limits: { events: 3 }, stream: [{ data: a }, { comment: c }, { every: 1s, data: '{{ seq }}' }] }
  - { path: /follow, limits: { events: 2 }, stream: [{ follow: { topic: t, from: earliest } }] }
  - { path: /bytes, limits: { bytes: 20B }, stream: [{ data: '1234' }, { data: '567' }, { data: x }] }
  - { path: /time, limits: { time: 3s }, heartbeat: 1500ms, stream: [{ data: a }, { after: 2s, data: b }, { after: 1s, data: c }] }
"#,
    );
    (0..3).for_each(|n| assert_eq!(server.post("/post", &format!("{n}")).status, 204));
    let all = |path: &str| String::from_utf8(server.open(path, &[]).all()).unwrap();
    assert_eq!(all("/follow"), "data: {\"_json\":0}\n\ndata: {\"_json\":1}\n\n");
    assert_eq!(all("/bytes"), "data: 1234\n\n");
    let (mut events, mut time) = (server.open("/events", &[]), server.open("/time", &[]));
    server.advance(1_000);
    assert_eq!(events.all(), b"data: a\n\n: c\n\ndata: 3\n\n");
    server.advance(2_000);
    assert_eq!(time.all(), b"data: a\n\n:\n\ndata: b\n\n");
    assert_eq!(server.streams(), 0);
}
