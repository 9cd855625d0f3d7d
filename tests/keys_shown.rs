//! Keys that no other test shows at work: what they change on the wire.

mod by_hand;
mod support;

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use support::raw::{self, Death};
use support::{PATIENCE, Server, Stream, serve, serve_in};

/// Files that scenarios here name.
const FILES: &[(&str, &str)] = &[
    ("page.html", "<p>page</p>"),
    ("static/a.css", "p { }"),
    (
        "more.yaml",
        "endpoints: [{ path: /more, body: from another file }]",
    ),
];

fn serve_with_files(yaml: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("static")).unwrap();
    for (name, text) in [FILES, &[("scenario.yaml", yaml)]].concat() {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    serve_in(folder, &["--scenario", "scenario.yaml"])
}

/// What an answer may say; a line of the head that then comes, and the body with its framing.
const ANSWERS: &[(&str, &str, &str)] = &[
    ("status: 418, body: x", "HTTP/1.1 418 I'm a teapot", "x"),
    ("reason: Fine, body: x", "HTTP/1.1 200 Fine", "x"),
    ("headers: { X-Own: [a, b] }, body: x", "X-Own: b", "x"),
    (
        r#"raw_head: "HTTP/1.1 299 Odd\r\nx : y\r\n\r\n", body: x"#,
        "x : y",
        "x",
    ),
    ("body: text", "content-type: text/plain; charset=utf-8", "text"),
    ("json: [1, two]", "content-type: application/json", r#"[1,"two"]"#),
    (
        "file: page.html",
        "content-type: text/html; charset=utf-8",
        "<p>page</p>",
    ),
    ("files: static", "content-type: text/css; charset=utf-8", "p { }"),
    (
        "stream: [{ data: x }]",
        "content-type: text/event-stream",
        "9\r\ndata: x\n\n\r\n0\r\n\r\n",
    ),
    ("let: { n: 7 }, body: '{{ n }}'", "HTTP/1.1 200 OK", "7"),
    ("set: { n: 8 }, body: '{{ state.n }}'", "HTTP/1.1 200 OK", "8"),
    (
        "publish: { topic: t, data: x }, body: x",
        "x-mock-reached: 0",
        "x",
    ),
    (
        "wire: { eol: crlf }, stream: [{ data: x }]",
        "HTTP/1.1 200 OK",
        "b\r\ndata: x\r\n\r\n\r\n0\r\n\r\n",
    ),
    (
        "throttle: { buffer: 100B }, stream: [{ data: x }, { data: y }]",
        "HTTP/1.1 200 OK",
        "12\r\ndata: x\n\ndata: y\n\n\r\n0\r\n\r\n",
    ),
    (
        "faults: { after: { events: 1 }, end: cut }, stream: [{ data: x }, { data: y }]",
        "HTTP/1.1 200 OK",
        "9\r\ndata: x\n\n\r\n",
    ),
    ("compress: [gzip], body: ''", "vary: accept-encoding", ""),
    (
        "limits: { events: 1 }, stream: [{ data: x }, { data: y }]",
        "HTTP/1.1 200 OK",
        "9\r\ndata: x\n\n\r\n0\r\n\r\n",
    ),
    (
        "resume: true, stream: [{ id: i, data: x }, { data: y }]",
        "HTTP/1.1 200 OK",
        "9\r\ndata: y\n\n\r\n0\r\n\r\n",
    ),
];

/// The same answer of an endpoint, of an attempt and of a case.
fn places(keys: &str, path: &str) -> String {
    format!(
        "
  - {{ path: '/own/{path}', {keys} }}
  - {{ path: '/attempt/{path}', attempts: [{{ {keys} }}] }}
  - {{ path: '/case/{path}', cases: [{{ {keys} }}] }}"
    )
}

#[test]
fn an_entry_says_all_that_an_endpoint_may() {
    let endpoints = ANSWERS.iter().enumerate();
    let endpoints: String = endpoints
        .map(|(i, (keys, ..))| places(keys, &format!("{i}/{{rest...}}")))
        .collect();
    let server = serve_with_files(&format!("topics: {{ t: {{}} }}\nendpoints:{endpoints}"));
    for (i, (keys, line, body)) in ANSWERS.iter().enumerate() {
        for place in ["own", "attempt", "case"] {
            let fields = "connection: close\r\naccept-encoding: gzip\r\nlast-event-id: i\r\n";
            let request = raw::request(&format!("/{place}/{i}/a.css"), fields);
            let (head, got, death) = raw::exchange(server.port, request.as_bytes());
            assert!(head.lines().any(|l| l == *line), "{place} {keys}: {head}");
            assert_eq!((got.as_str(), death), (*body, Death::Fin), "{place} {keys}");
        }
    }
}

#[test]
fn there_may_be_no_answer_at_all() {
    for (keys, expected) in [("end: close", Death::Fin), ("end: reset", Death::Reset)] {
        let server = serve(&format!("endpoints:{}", places(keys, "x")), &[]);
        for place in ["own", "attempt", "case"] {
            let got = raw::get(server.port, &format!("/{place}/x"));
            assert_eq!(got, (String::new(), String::new(), expected), "{place} {keys}");
        }
    }
}

#[test]
fn what_is_done_finally_is_done() {
    let keys = "finally: [{ set: { over: '{{ request.path }}' } }], stream: [{ data: x }]";
    let endpoints = places(keys, "x");
    let server = serve(
        &format!("endpoints:{endpoints}\n  - {{ path: /over, body: '{{{{ state.over }}}}' }}"),
        &[],
    );
    for path in ["/own/x", "/attempt/x", "/case/x"] {
        assert_eq!(server.get(path).body, "data: x\n\n");
        assert_eq!(server.get("/over").body, path);
    }
}

/// Nothing has come that was not read.
fn is_silent(stream: &Stream) -> bool {
    rustix::io::ioctl_fionread(stream.socket()).unwrap() == 0
}

#[test]
fn heartbeats_say_what_they_are_told_when_they_are_told() {
    let keys = "heartbeat: { every: 5s, event: beat, data: { at: '{{ elapsed }}' }, comment: c }, stream: [{ data: x }, { end: hold }]";
    let server = by_hand::serve(&format!("endpoints:{}", places(keys, "x")));
    let open = |place: &str| server.open(&format!("/{place}/x"), &[]);
    let mut streams = ["own", "attempt", "case"].map(open);
    for stream in &mut streams {
        assert_eq!(stream.event().as_deref(), Some("data: x"));
    }
    server.advance(4_999);
    assert!(streams.iter().all(is_silent));
    server.advance(1);
    for stream in &mut streams {
        let expected = ": c\nevent: beat\ndata: {\"at\":5000}";
        assert_eq!(stream.event().as_deref(), Some(expected));
    }
}

#[test]
fn heads_wait_as_long_as_they_are_told() {
    let server = serve(
        &format!("endpoints:{}", places("after: 100ms, body: x", "x")),
        &[],
    );
    for place in ["own", "attempt", "case"] {
        let asked = Instant::now();
        assert_eq!(server.get(&format!("/{place}/x")).body, "x");
        assert!(asked.elapsed() >= Duration::from_millis(100), "{place}");
    }
}

/// Every kind of step.
const STEPS: &[&str] = &[
    "data: x",
    r#"raw: "data: x\n\n""#,
    "one_write: [{ data: x }]",
    "repeat: { times: 1, steps: [{ data: x }] }",
    "for_each: { in: [1], steps: [{ data: x }] }",
    "choose: [{ steps: [{ data: x }] }]",
    "if: 'true', then: [{ data: x }]",
    "parallel: [[{ data: x }], []]",
    "let: { a: 1 }",
    "set: { a: 1 }",
    "run: script",
    "follow: { topic: t, from: earliest, limit: 1 }",
    "publish: { topic: t, data: x }",
    "signal: s",
    "wait_for: { clients: 1 }",
    "disconnect: { endpoint: /nobody }",
    "offline: 1ms",
    "stall: 1ms",
    "end: close",
];

#[test]
fn after_delays_every_kind_of_step() {
    let step = |(i, step): (usize, &&str)| {
        let then = match step.starts_with("end") {
            true => "",
            false => ", { data: 'then {{ elapsed }}' }",
        };
        format!("  - {{ path: /{i}, stream: [{{ comment: begin }}, {{ after: 5s, {step} }}{then}] }}\n")
    };
    let endpoints: String = STEPS.iter().enumerate().map(step).collect();
    let server = by_hand::serve(&format!(
        "
topics: {{ t: {{ history: 1 }} }}
scripts: {{ script: [{{ data: x }}] }}
endpoints:
  - {{ path: /nobody, stream: [{{ end: hold }}] }}
  - {{ path: /t, method: POST, publish: t, status: 204 }}
{endpoints}"
    ));
    assert_eq!(server.post("/t", "{}").status, 204);
    let open = |i| server.open(&format!("/{i}"), &[]);
    let mut streams: Vec<Stream> = (0..STEPS.len()).map(open).collect();
    for stream in &mut streams {
        assert_eq!(stream.event().as_deref(), Some(": begin"));
    }
    server.advance(4_999);
    assert_eq!(server.streams(), STEPS.len(), "none has ended");
    for (step, stream) in STEPS.iter().zip(&streams) {
        assert!(is_silent(stream), "{step}");
    }
    server.advance(2);
    for (step, stream) in STEPS.iter().zip(&mut streams) {
        let then = std::iter::from_fn(|| stream.event()).find(|event| event.contains("then"));
        let expected = match step.split(':').next() {
            Some("end") => None,
            Some("stall") => Some("data: then 5001"),
            _ => Some("data: then 5000"),
        };
        assert_eq!(then.as_deref(), expected, "{step}");
    }
}

#[test]
fn the_wire_is_shaped_as_it_is_told() {
    let server = serve(
        "
endpoints:
  - { path: /eol, wire: { eol: cr }, stream: [{ data: x }] }
  - { path: /bom, wire: { bom: twice }, stream: [{ data: x }] }
  - { path: /space, wire: { space: false }, stream: [{ data: x }] }
  - { path: /order, wire: { order: [id, data] }, stream: [{ event: e, data: d, id: i }] }
  - { path: /sized, wire: { framing: sized }, stream: [{ data: x }] }
  - { path: /close, wire: { framing: close }, stream: [{ data: x }] }
",
        &[],
    );
    for (path, field, body) in [
        (
            "/eol",
            "transfer-encoding: chunked",
            "9\r\ndata: x\r\r\r\n0\r\n\r\n",
        ),
        (
            "/bom",
            "transfer-encoding: chunked",
            "6\r\n\u{feff}\u{feff}\r\n9\r\ndata: x\n\n\r\n0\r\n\r\n",
        ),
        (
            "/space",
            "transfer-encoding: chunked",
            "8\r\ndata:x\n\n\r\n0\r\n\r\n",
        ),
        (
            "/order",
            "transfer-encoding: chunked",
            "18\r\nid: i\ndata: d\nevent: e\n\n\r\n0\r\n\r\n",
        ),
        ("/sized", "content-length: 9", "data: x\n\n"),
        ("/close", "connection: close", "data: x\n\n"),
    ] {
        let (head, got, _) = raw::get(server.port, path);
        assert!(head.lines().any(|line| line == field), "{path}: {head}");
        assert_eq!(got, body, "{path}");
    }
}

#[test]
fn a_scenario_says_its_name() {
    let server = serve(
        "
name: the name
endpoints: [{ path: /x, body: x }]
",
        &[],
    );
    assert!(server.banner.contains("\"the name\""), "{}", server.banner);
}

#[test]
fn an_endpoint_takes_the_hosts_it_names() {
    let server = serve(
        "
endpoints:
  - { path: /x, host: [a.test, '*.b.test:81'], body: named }
  - { path: /x, body: other }
",
        &[],
    );
    for (host, expected) in [
        ("a.test", "named"),
        ("A.test:80", "named"),
        ("x.b.test:81", "named"),
        ("x.b.test:82", "other"),
        ("b.test:81", "other"),
        ("c.test", "other"),
    ] {
        let request = format!("GET /x HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let (_, body, _) = raw::exchange(server.port, request.as_bytes());
        assert_eq!(body, expected, "{host}");
    }
}

#[test]
fn a_history_keeps_as_many_as_it_is_told() {
    let server = serve(
        "
topics: { t: { history: { count: 2 } } }
endpoints:
  - { path: /t, method: POST, publish: t, status: 204 }
  - { path: /t, stream: [{ follow: { topic: t, from: earliest, limit: 2 } }] }
",
        &[],
    );
    for n in 1..=3 {
        assert_eq!(server.post("/t", &format!("{{\"n\":{n}}}")).status, 204);
    }
    assert_eq!(server.get("/t").body, "data: {\"n\":2}\n\ndata: {\"n\":3}\n\n");
}

/// Messages of a flood: fewer than wait for a follower whose topic says nothing about it.
const FLOOD: usize = 1_000;

/// How many of a flood a follower gets that reads when all of it has been published.
fn of_a_flood(rules: &str) -> usize {
    let filler = "x".repeat(4_000);
    let server = by_hand::serve(&format!(
        "
topics: {{ t: {rules} }}
endpoints:
  - path: /flood
    stream:
      - for_each: {{ in: '{{{{ range({FLOOD}) }}}}', steps: [{{ publish: {{ topic: t, data: {filler} }} }}] }}
      - publish: {{ topic: t, data: last }}
      - data: done
  - {{ path: /follow, stream: [{{ follow: t }}] }}
"
    ));
    let mut follower = server.open("/follow", &[]);
    assert_eq!(server.open("/flood", &[]).event().as_deref(), Some("data: done"));
    let events = std::iter::from_fn(|| follower.event());
    events.take_while(|event| event != "data: last").count()
}

#[test]
fn no_more_waits_for_a_slow_reader_than_the_queue_holds() {
    assert_eq!(of_a_flood("{ slow: drop_oldest }"), FLOOD);
    assert!(of_a_flood("{ slow: drop_oldest, queue: 10 }") < FLOOD);
}

const CODES: &str = "
endpoints:
  - { path: /own, end: cut, code: CANCEL }
  - { path: /entry, attempts: [{ end: cut, code: REFUSED_STREAM }] }
  - { path: /step, stream: [{ end: cut, code: 11 }] }
  - { path: /fault, faults: { end: cut, code: CONNECT_ERROR }, stream: [{ end: hold }] }
  - { path: /held, stream: [{ data: x }, { end: hold }] }
  - { path: /kill, stream: [{ disconnect: { endpoint: /held, end: cut, code: STREAM_CLOSED } }] }
";

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("soon")
}

#[tokio::test]
async fn codes_reach_clients_of_http2() {
    let server = serve(CODES, &[]);
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", server.port))
        .await
        .unwrap();
    let (requests, connection) = soon(h2::client::handshake(tcp)).await.unwrap();
    tokio::spawn(connection);
    let ask = async |path: &str| {
        let request = http::Request::get(format!("http://localhost{path}"))
            .body(())
            .unwrap();
        let mut ready = soon(requests.clone().ready()).await?;
        let (response, _): (_, h2::SendStream<Bytes>) = ready.send_request(request, true)?;
        soon(response).await.map(http::Response::into_body)
    };
    for (path, expected) in [
        ("/own", Reason::CANCEL),
        ("/entry", Reason::REFUSED_STREAM),
        ("/step", Reason::ENHANCE_YOUR_CALM),
        ("/fault", Reason::CONNECT_ERROR),
    ] {
        let error = match ask(path).await {
            Ok(mut body) => soon(body.data()).await.unwrap().unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.reason(), Some(expected), "{path}");
    }
    let mut held = ask("/held").await.unwrap();
    assert_eq!(soon(held.data()).await.unwrap().unwrap(), "data: x\n\n");
    drop(ask("/kill").await.unwrap());
    let error = soon(held.data()).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::STREAM_CLOSED));
}
