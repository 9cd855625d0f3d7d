//! Bugs that were found in the language, each with the scenario that showed it.

mod by_hand;
mod support;

use std::time::{Duration, Instant};

use support::{Stream, raw, serve};

fn next(stream: &mut Stream) -> String {
    stream.event().expect("an event").trim_end().to_owned()
}

fn body(server: &support::Server, path: &str) -> String {
    server.get(path).body
}

#[test]
fn the_lists_of_a_later_round_draw_anew() {
    let server = serve(
        "
seed: 7
endpoints:
  - path: /x
    stream:
      - repeat: { times: 3, every: 1ms, steps: [{ parallel: [[{ data: '{{ uuid() }}' }], [{ data: '{{ uuid() }}' }]] }] }
",
        &[],
    );
    let body = body(&server, "/x");
    let ids: std::collections::HashSet<&str> = body.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(ids.len(), 6, "{body}");
}

#[test]
fn scripts_of_nothing_but_effects_leave_others_a_turn() {
    let server = serve(
        "
endpoints:
  - path: /signals
    stream: [{ repeat: { steps: [{ signal: x }, { wait_for: { signal: x } }] } }]
  - { path: /alive, body: yes }
",
        &[],
    );
    let streams: Vec<Stream> = (0..4).map(|_| server.open("/signals", &[])).collect();
    assert_eq!(body(&server, "/alive"), "yes");
    // Its turn, and not the end of one of theirs.
    let log = server.log.text();
    assert!(!log.contains("steps without sending"), "{log}");
    drop(streams);
    assert_eq!(body(&server, "/alive"), "yes");
}

#[test]
fn a_script_of_nothing_but_effects_is_stopped_however_slow_the_machine() {
    let server = serve(
        "
endpoints:
  - path: /signals
    stream:
      - repeat: { times: 18446744073709551615, steps: [{ signal: x }] }
",
        &[],
    );
    let mut stream = server.open("/signals", &[]);
    assert_eq!(stream.rest().unwrap(), b"", "cut, without the last chunk");
    server.log.wait_for("100000 steps without sending or waiting");
}

#[test]
fn a_script_that_waits_for_what_is_there_is_stopped_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    let steps = "[{ signal: x }, { wait_for: { signal: x } }]";
    let yaml = format!("endpoints: [{{ path: /x, stream: [{{ repeat: {{ steps: {steps} }} }}] }}]");
    std::fs::write(&file, yaml).unwrap();
    let played = support::binary()
        .arg("play")
        .arg(&file)
        .arg("/x")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&played.stderr);
    assert!(said.contains("100000 steps without sending or waiting"), "{said}");
}

#[test]
fn a_feed_may_publish_much_at_once() {
    let server = serve(
        "
topics: { t: { history: 1, queue: 65536, slow: drop_oldest, feed: [{ repeat: { times: 150000, steps: [{ data: '{{ seq }}' }] } }] } }
endpoints: [{ path: /t, stream: [{ follow: t }] }]
",
        &[],
    );
    let mut stream = server.open("/t", &[]);
    while next(&mut stream) != "data: 150000" {}
}

#[test]
fn a_client_that_reads_nothing_is_disconnected_all_the_same() {
    let server = serve(
        "
endpoints:
  - { path: /flood, stream: [{ raw: { fill: 64MiB } }, { data: never }] }
  - { path: /end, stream: [{ disconnect: { endpoint: /flood, end: reset } }, { data: done }] }
",
        &[],
    );
    let mut flood = server.open("/flood", &[]);
    assert_eq!(body(&server, "/end"), "data: done\n\n");
    let began = Instant::now();
    let error = flood.rest().expect_err("it is reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn finally_runs_for_a_client_that_leaves_before_the_head_and_sees_it_gone() {
    let server = by_hand::serve(
        "
topics: { room: { history: 1 }, came: {} }
endpoints:
  - path: /slow
    after: 1h
    set: { online: '{{ state.online | default(0) + 1 }}' }
    publish: { topic: came, data: x }
    stream: [{ data: x }]
    finally: [{ set: { online: '{{ state.online - 1 }}' } }, { signal: gone }]
  - path: /room
    stream: [{ data: hello }, { follow: room }]
    finally: [{ set: { left: \"{{ topic('room').clients }}\" } }, { signal: gone }]
  - { path: /wait, stream: [{ data: ready }, { wait_for: { signal: gone } }, { data: '{{ state }}' }] }
  - { path: /came, stream: [{ data: ready }, { wait_for: { publish: came } }, { data: came }] }
",
    );
    let mut wait = server.open("/wait", &[]);
    assert_eq!(next(&mut wait), "data: ready");
    let mut came = server.open("/came", &[]);
    assert_eq!(next(&mut came), "data: ready");
    let slow = raw::send(server.port, raw::request("/slow", "").as_bytes());
    // A client that leaves before its request was read has never come.
    assert_eq!(next(&mut came), "data: came");
    drop(slow);
    assert_eq!(next(&mut wait), r#"data: {"online":0}"#);
    let mut wait = server.open("/wait", &[]);
    assert_eq!(next(&mut wait), "data: ready");
    let mut room = server.open("/room", &[]);
    assert_eq!(next(&mut room), "data: hello");
    drop(room);
    assert_eq!(next(&mut wait), r#"data: {"left":0,"online":0}"#);
}

#[test]
fn many_thousand_events_fit_into_one_write() {
    let server = serve(
        "
endpoints:
  - { path: /x, stream: [{ one_write: [{ repeat: { times: 20000, steps: [{ data: a }] } }] }] }
",
        &[],
    );
    assert_eq!(body(&server, "/x").len(), 20_000 * 9);
}

#[test]
fn an_answer_without_a_body_waits_like_any_other() {
    let server = serve(
        "
endpoints:
  - { path: /x, after: 100ms, stream: [{ data: x }], attempts: [{ status: 204 }] }
",
        &[],
    );
    let began = Instant::now();
    assert_eq!(server.get("/x").status, 204);
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[test]
fn heads_hold_what_was_written_and_nothing_made_up() {
    let server = serve(
        "
endpoints:
  - { path: /x, status: 299, headers: { X-Case: A, x-case: [b, c] }, body: y }
  - { path: /host, host: a.test, body: y }
  - { path: /nothing, end: close }
",
        &[],
    );
    let (head, _, _) = raw::get(server.port, "/x");
    assert!(head.starts_with("HTTP/1.1 299 \r\n"), "{head}");
    assert!(
        head.contains("\r\nX-Case: A\r\nx-case: b\r\nx-case: c\r\n"),
        "{head}"
    );
    assert!(body(&server, "/host").contains("not for the host"));
    let head = raw::exchange(server.port, b"HEAD /nothing HTTP/1.1\r\nhost: a\r\n\r\n").0;
    assert_eq!(head, "");
}

#[test]
fn who_is_sent_away_has_used_up_no_attempt() {
    let server = serve(
        "
endpoints:
  - path: /x
    limits: { connections: 1 }
    attempts:
      - { stream: [{ data: first }, { end: hold }] }
      - { stream: [{ data: second }] }
  - { path: /end, stream: [{ disconnect: { endpoint: /x, end: close } }] }
",
        &[],
    );
    let mut first = server.open("/x", &[]);
    assert_eq!(next(&mut first), "data: first");
    for _ in 0..3 {
        assert_eq!(server.get("/x").status, 503);
    }
    body(&server, "/end");
    assert_eq!(first.event(), None);
    // The server notices the end a moment after the client.
    let second = std::iter::repeat_with(|| server.get("/x")).find(|answer| answer.status == 200);
    assert_eq!(second.unwrap().body, "data: second\n\n");
}

#[test]
fn a_slash_too_many_or_too_few_is_named() {
    let server = serve(
        "
endpoints:
  - { path: '/static/of/this/server/{rest...}', body: x }
  - { path: /exact, body: x }
",
        &[],
    );
    assert!(
        body(&server, "/static/of/this/server").contains("nearest is `GET /static/of/this/server/{rest...}`")
    );
    assert!(body(&server, "/exact/").contains("nearest is `GET /exact`"));
}

#[test]
fn the_server_as_a_whole_has_options() {
    let server = serve(
        "endpoints: [{ path: /a, body: x }, { path: /b, method: PUT, body: x }]",
        &[],
    );
    let (head, ..) = raw::exchange(
        server.port,
        b"OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    );
    assert!(head.starts_with("HTTP/1.1 204 "), "{head}");
    assert!(head.contains("\r\nallow: GET, HEAD, PUT, OPTIONS\r\n"), "{head}");
}
