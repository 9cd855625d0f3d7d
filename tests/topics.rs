//! Topics on the wire: several at once, histories, gaps, slow readers, feeds.

mod by_hand;
mod support;

use std::io::Read;

use by_hand::ByHand;
use support::{Stream, serve};

fn next(stream: &mut Stream) -> String {
    stream.event().expect("another event")
}

fn data(stream: &mut Stream, count: usize) -> Vec<String> {
    (0..count).map(|_| stream.field("data")).collect()
}

const SEVERAL: &str = r#"
defaults: { event: message, retry: 1s }
topics: { a: { history: 10 }, b: { history: 10 }, 'room/{room}': { history: 10 } }
endpoints:
  - path: /post
    method: POST
    publish: { topic: '{{ request.query.t }}', id: 'm{{ request.json.n }}', data: '{{ request.json.n }}' }
    status: 204
  - { path: /earliest, stream: [{ follow: { topic: [a, a, 'room/{any}', 'room/x'], from: earliest } }] }
  - { path: /resume, stream: [{ follow: [b, 'room/{any}', a] }] }
  - { path: '/{name}', when: 'name in ["a", "b"]', stream: [{ follow: { topic: '{{ name }}', from: earliest, limit: 1 } }, { data: then }, { follow: '{{ name }}' }] }
"#;

#[test]
fn several_topics_come_in_order_and_each_message_once() {
    let server = serve(SEVERAL, &[]);
    let post = |topic: &str, n: u32, reached: &str| {
        let answer = server.post(&format!("/post?t={topic}"), &format!("{{\"n\":{n}}}"));
        assert_eq!(
            (answer.status, answer.header("x-mock-reached")),
            (204, Some(reached))
        );
    };
    post("a", 1, "0");
    post("room/x", 2, "0");
    post("b", 3, "0");
    post("room/y", 4, "0");
    let mut all = server.open("/earliest", &[("last-event-id", "m2")]);
    assert_eq!(next(&mut all), "event: message\ndata: 1\nid: m1\nretry: 1000");
    assert_eq!(data(&mut all, 2), ["2", "4"]);
    post("room/new", 5, "1");
    post("b", 6, "0");
    post("room/x", 7, "1");
    post("a", 8, "1");
    assert_eq!(data(&mut all, 3), ["5", "7", "8"]);
    let mut resumed = server.open("/resume", &[("last-event-id", "m4")]);
    assert_eq!(data(&mut resumed, 4), ["5", "6", "7", "8"]);
    post("room/later", 9, "2");
    assert_eq!(
        (data(&mut resumed, 1), data(&mut all, 1)),
        (vec!["9".into()], vec!["9".into()])
    );
    // A later `follow` goes on behind what the one before relayed.
    let mut limited = server.open("/b", &[]);
    assert_eq!(data(&mut limited, 3), ["3", "then", "6"]);
    assert_eq!(server.post("/post?t=nowhere", r#"{"n":1}"#).status, 500);
}

#[test]
fn a_topic_is_followed_for_a_while() {
    let server = by_hand::serve(
        r#"
topics: { t: { history: 3 } }
endpoints:
  - { path: /post, method: POST, publish: t, status: 204 }
  - { path: /x, stream: [{ follow: { topic: t, for: 10s } }, { data: 'over {{ elapsed }}' }, { wait: 5s }, { follow: { topic: t, limit: 2 } }, { data: end }] }
"#,
    );
    let post = |n: u32| assert_eq!(server.post("/post", &format!("{{\"n\":{n}}}")).status, 204);
    let mut stream = server.open("/x", &[]);
    post(1);
    server.advance(9_999);
    post(2);
    server.advance(1);
    post(3);
    assert_eq!(data(&mut stream, 3), [r#"{"n":1}"#, r#"{"n":2}"#, "over 10000"]);
    server.advance(5_000);
    assert_eq!(data(&mut stream, 1), [r#"{"n":3}"#], "what came meanwhile");
    post(4);
    assert_eq!(data(&mut stream, 2), [r#"{"n":4}"#, "end"]);
    assert_eq!(stream.event(), None);
}

const HISTORIES: &str = r#"
topics:
  replay: { history: 2 }
  live: { history: 2, gap: live }
  error: { history: 2, gap: error }
  none: {}
  age: { history: { age: 10s } }
  bytes: { history: { bytes: 60B } }
endpoints:
  - { path: '/{t}', method: POST, publish: { topic: '{{ t }}', id: counter, data: '{{ request.json.n }}' }, status: 204 }
  - { path: '/late/{t}', stream: [{ comment: head }, { follow: '{{ t }}' }] }
  - { path: '/{t}', stream: [{ follow: '{{ t }}' }] }
  - { path: '/all/{t}', stream: [{ follow: { topic: '{{ t }}', from: earliest } }] }
"#;

fn post(server: &ByHand, topic: &str, n: u32) {
    let answer = server.post(&format!("/{topic}"), &format!("{{\"n\":{n}}}"));
    assert_eq!(answer.status, 204);
}

#[test]
fn a_gap_is_dealt_with_as_the_topic_says() {
    let four = || {
        let server = by_hand::serve(HISTORIES);
        let topics = ["replay", "live", "error", "none"];
        topics
            .iter()
            .for_each(|topic| (1..=4).for_each(|n| post(&server, topic, n)));
        server
    };
    for (topic, id, gap, missed) in [
        ("replay", "2", Some("replay"), &["3", "4"][..]),
        ("replay", "1", Some("replay"), &["3", "4"]),
        ("replay", "3", None, &["4"]),
        ("replay", "4", None, &[]),
        ("replay", "unknown", Some("replay"), &["3", "4"]),
        ("live", "3", None, &["4"]),
        ("live", "1", Some("live"), &[]),
        ("error", "3", None, &["4"]),
        ("none", "4", None, &[]),
        ("none", "3", Some("replay"), &[]),
    ] {
        let server = four();
        let mut stream = server.open(&format!("/{topic}"), &[("last-event-id", id)]);
        assert_eq!(
            (stream.status, stream.header("x-mock-gap")),
            (200, gap),
            "{topic} {id}"
        );
        assert_eq!(data(&mut stream, missed.len()), missed, "{topic} {id}");
        post(&server, topic, 5);
        assert_eq!(stream.field("data"), "5", "{topic} {id}");
    }
    let server = four();
    for id in ["1", "unknown"] {
        let mut gone = server.open("/error", &[("last-event-id", id)]);
        assert_eq!((gone.status, gone.header("x-mock-gap")), (410, Some("error")));
        assert!(String::from_utf8(gone.all()).unwrap().contains("Last-Event-ID"));
        // Where the head has been sent the stream is cut, and at once.
        let mut cut = server.open("/late/error", &[("last-event-id", id)]);
        assert_eq!(cut.rest().unwrap(), b"8\r\n: head\n\n\r\n");
    }
    assert_eq!(server.open("/error", &[]).status, 200);
}

#[test]
fn histories_end_by_age_and_by_size() {
    let server = by_hand::serve(HISTORIES);
    for n in 1..=3 {
        post(&server, "age", n);
        server.advance(6_000);
    }
    let mut stream = server.open("/all/age", &[]);
    assert_eq!(data(&mut stream, 1), ["3"]);
    let resumed = |id: &str| server.open("/age", &[("last-event-id", id)]);
    assert_eq!(resumed("1").header("x-mock-gap"), Some("replay"));
    assert_eq!(resumed("3").header("x-mock-gap"), None);
    server.advance(4_001);
    post(&server, "age", 4);
    assert_eq!(
        (data(&mut stream, 1), data(&mut server.open("/all/age", &[]), 1)),
        (vec!["4".into()], vec!["4".into()])
    );
    // "data: N…\nid: N\n\n": 14 bytes and up.
    for n in [1, 2, 3, 4, 5] {
        post(&server, "bytes", n);
    }
    assert_eq!(data(&mut server.open("/all/bytes", &[]), 4), ["2", "3", "4", "5"]);
    post(&server, "bytes", 123_456_789);
    assert_eq!(
        data(&mut server.open("/all/bytes", &[]), 3),
        ["4", "5", "123456789"]
    );
}

/// How many messages a flood has; far more bytes than sockets take up.
const FLOOD: u64 = 1_500;

fn flooded(rules: &str) -> (ByHand, Stream) {
    let filler = "x".repeat(4_000);
    let server = by_hand::serve(&format!(
        "
topics: {{ t: {rules} }}
endpoints:
  - path: /flood
    stream:
      - for_each: {{ in: '{{{{ range({FLOOD}) }}}}', steps: [{{ publish: {{ topic: t, id: counter, data: {filler} }} }}] }}
      - data: done
  - {{ path: /slow, stream: [{{ follow: t }}] }}
"
    ));
    let slow = server.open("/slow", &[]);
    assert_eq!(next(&mut server.open("/flood", &[])), "data: done");
    (server, slow)
}

/// The ids that come until the end or until the last of the flood has come.
fn ids(slow: &mut Stream) -> (Vec<u64>, bool) {
    let mut raw = Vec::new();
    let last = format!("id: {FLOOD}\n\n\r\n");
    let mut socket = slow.socket();
    let mut buffer = vec![0; 65_536];
    let whole = loop {
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => break false,
            Ok(n) => raw.extend_from_slice(&buffer[..n]),
        }
        if raw.ends_with(last.as_bytes()) {
            break true;
        }
    };
    let text = String::from_utf8(raw).unwrap();
    let ids = text
        .lines()
        .filter_map(|line| line.strip_prefix("id: ")?.parse().ok());
    (ids.collect(), whole)
}

#[test]
fn a_slow_reader_loses_the_oldest_if_the_topic_says_so() {
    let (_server, mut slow) = flooded("{ slow: drop_oldest, queue: 10 }");
    let (ids, whole) = ids(&mut slow);
    assert!(whole && ids.is_sorted_by(|a, b| a < b));
    assert_eq!(ids[ids.len() - 10..], (FLOOD - 9..=FLOOD).collect::<Vec<_>>());
    assert!((ids.len() as u64) < FLOOD, "{} of {FLOOD}", ids.len());
}

#[test]
fn a_slow_reader_is_cut_unless_the_history_reaches_back() {
    let (_server, mut slow) = flooded("{ queue: 10, history: 5 }");
    let (got, whole) = ids(&mut slow);
    assert!(!whole && (got.len() as u64) < FLOOD, "{} of {FLOOD}", got.len());
    assert_eq!(got, (1..=got.len() as u64).collect::<Vec<_>>());
    let (_server, mut slow) = flooded("{ queue: 10, history: 2000 }");
    let (got, whole) = ids(&mut slow);
    assert_eq!((got, whole), ((1..=FLOOD).collect(), true));
}

#[test]
fn a_script_that_never_pauses_leaves_a_topic_its_turn() {
    let filler = "x".repeat(200);
    let server = by_hand::serve(&format!(
        "
topics: {{ t: {{}} }}
endpoints:
  - {{ path: /post, method: POST, publish: t, status: 204 }}
  - path: /x
    stream:
      - parallel:
          - [{{ follow: {{ topic: t, limit: 1 }} }}, {{ data: followed }}, {{ end: cut }}]
          - [{{ repeat: {{ times: 200000, steps: [{{ data: {filler} }}] }} }}, {{ data: last }}]
"
    ));
    let mut stream = server.open("/x", &[]);
    assert_eq!(stream.field("data"), filler);
    assert_eq!(server.post("/post", "{}").status, 204);
    let mut others = std::iter::from_fn(|| Some(stream.field("data")));
    assert_eq!(others.find(|data| *data != filler).as_deref(), Some("{}"));
}

const FEEDS: &str = r#"
topics:
  ticks:
    history: 10
    feed:
      - { every: 1s, times: 3, id: counter, data: { n: '{{ seq }}', v: '{{ random_int(1, 1000000) }}' } }
      - { set: { over: '{{ elapsed }}' } }
  'room/{room}': { feed: [{ data: 'hello {{ room }}' }, { every: 1s, event: tick, data: '{{ room }} {{ topic("room/" ~ room).clients }}' }] }
endpoints:
  - { path: /ticks, stream: [{ follow: ticks }] }
  - { path: /all, stream: [{ follow: { topic: ticks, from: earliest } }] }
  - { path: '/room/{name}', stream: [{ follow: 'room/{{ name }}' }] }
  - { path: /any, stream: [{ follow: 'room/{room}' }] }
  - { path: /over, body: '{{ state.over | default("not yet") }}' }
"#;

#[test]
fn a_feed_runs_once_from_the_first_follower_on() {
    let server = by_hand::serve(FEEDS);
    let over = || String::from_utf8(server.open("/over", &[]).all()).unwrap();
    server.advance(5_000);
    let (mut a, mut b) = (server.open("/ticks", &[]), server.open("/ticks", &[]));
    server.advance(1_000);
    let first = next(&mut a);
    assert!(
        first.starts_with("data: {\"n\":1,\"v\":") && first.ends_with("}\nid: 1"),
        "{first}"
    );
    assert_eq!(next(&mut b), first, "all get the same");
    drop((a, b));
    server.advance(1_000);
    let mut late = server.open("/all", &[]);
    assert_eq!(next(&mut late), first);
    assert!(
        next(&mut late).ends_with("\nid: 2"),
        "it goes on when all have left"
    );
    assert_eq!(over(), "not yet");
    server.advance(1_000);
    assert!(next(&mut late).ends_with("\nid: 3"));
    assert_eq!(over(), "3000");
    let mut resumed = server.open("/ticks", &[("last-event-id", "2")]);
    assert!(next(&mut resumed).ends_with("\nid: 3"));
    server.advance(60_000);
    for stream in [&late, &resumed] {
        assert_eq!(
            rustix::io::ioctl_fionread(stream.socket()).unwrap(),
            0,
            "it has ended"
        );
    }
    // The same seed feeds the same.
    let again = by_hand::serve(FEEDS);
    let mut stream = again.open("/ticks", &[]);
    again.advance(1_000);
    assert_eq!(next(&mut stream), first);
}

#[test]
fn each_topic_of_a_pattern_has_a_feed_of_its_own() {
    let server = by_hand::serve(FEEDS);
    let mut any = server.open("/any", &[]);
    server.advance(10_000);
    let mut red = server.open("/room/red", &[]);
    assert_eq!(next(&mut red), "data: hello red");
    server.advance(500);
    let mut blue = server.open("/room/b%2Fx", &[]);
    assert_eq!(next(&mut blue), "data: hello b/x");
    server.advance(1_000);
    assert_eq!(next(&mut red), "event: tick\ndata: red 2");
    assert_eq!(next(&mut blue), "event: tick\ndata: b/x 2");
    let got: Vec<String> = (0..4).map(|_| any.field("data")).collect();
    assert_eq!(got, ["hello red", "hello b/x", "red 2", "b/x 2"]);
}

#[test]
fn a_stream_publishes_and_relays_in_its_own_style() {
    let server = serve(
        r#"
topics: { t: {}, u: {} }
endpoints:
  - path: /pub
    stream:
      - publish: [{ topic: t, event: e, id: counter, data: "one\ntwo" }, { topic: u, data: { q: '{{ request.query.q }}' } }]
      - publish: u
      - { data: done }
  - path: /style
    wire: { eol: crlf, space: false, split: { every: 5 } }
    stream: [{ follow: { topic: t, limit: 1 } }, { data: after }]
  - path: /self
    stream: [{ parallel: [[{ follow: { topic: u, limit: 2 } }], [{ publish: { topic: u, data: a } }, { publish: { topic: u, data: b } }]] }, { data: end }]
"#,
        &[],
    );
    let mut style = server.open("/style", &[]);
    let mut own = server.open("/self", &[]);
    assert_eq!(
        [next(&mut own), next(&mut own), next(&mut own)],
        ["data: a", "data: b", "data: end"]
    );
    assert_eq!(server.get("/pub?q=1").body, "data: done\n\n");
    let chunks: Vec<Vec<u8>> = std::iter::from_fn(|| style.chunk()).collect();
    assert!(chunks.iter().all(|chunk| chunk.len() <= 5));
    let expected = "event:e\r\ndata:one\r\ndata:two\r\nid:1\r\n\r\ndata:after\r\n\r\n";
    assert_eq!(String::from_utf8(chunks.concat()).unwrap(), expected);
}
