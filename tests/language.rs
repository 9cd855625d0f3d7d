//! The scenario language, as its bytes come over the wire.

mod support;

use support::{Server, serve};

/// Serves one stream at `/x` and returns all of it, once it has ended cleanly.
fn streamed(steps: &str) -> String {
    let server = serve(
        &format!("endpoints:\n  - path: /x\n    stream:\n{steps}"),
        &["--time-scale", "100", "--seed", "7"],
    );
    text(&server, "/x")
}

fn text(server: &Server, path: &str) -> String {
    let mut stream = server.open(path, &[]);
    assert_eq!(stream.status, 200, "{path}");
    String::from_utf8(stream.all()).unwrap()
}

#[test]
fn every_field_of_an_event_stands_in_its_place() {
    let got = streamed(
        r#"
      - { event: e, id: "1", data: d, retry: 1500ms, comment: c }
      - { data: "a\nb\r\nc\rd" }
      - { data: "" }
      - { data: "x\n" }
      - { id: "" }
      - { comment: "one\ntwo" }
      - { comment: "" }
      - { retry: 2s }
      - { event: alone }
      - { data: 012 }
      - { data: 1.50 }
      - { data: true }
      - { data: { b: 1, a: [1.5, null, "x"], c: "<'&\"☃" } }
      - { data: [1, two] }
      - data: |
          first
          second
      - { data: " leading space" }
      - { id: "in\njected", event: "a\rb", data: ok }
"#,
    );
    let expected = [
        ": c\nevent: e\ndata: d\nid: 1\nretry: 1500\n",
        "data: a\ndata: b\ndata: c\ndata: d\n",
        "data:\n",
        "data: x\ndata:\n",
        "id:\n",
        ": one\n: two\n",
        ":\n",
        "retry: 2000\n",
        "event: alone\n",
        "data: 012\n",
        "data: 1.50\n",
        "data: true\n",
        "data: {\"b\":1,\"a\":[1.5,null,\"x\"],\"c\":\"<'&\\\"☃\"}\n",
        "data: [1,\"two\"]\n",
        "data: first\ndata: second\ndata:\n",
        "data:  leading space\n",
        "event: a b\ndata: ok\nid: in jected\n",
    ];
    let got: Vec<&str> = got
        .split_inclusive("\n\n")
        .map(|block| &block[..block.len() - 1])
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn defaults_fill_in_events_with_data_and_nothing_else() {
    let server = serve(
        r#"
defaults: { event: message, id: counter, retry: 6s }
endpoints:
  - path: /x
    stream:
      - data: a
      - { data: b, event: own, id: "9", retry: 1s }
      - { data: c, event: ~, id: ~, retry: ~ }
      - { comment: no data }
      - { event: bare }
      - { data: d, id: "" }
      - { data: e }
"#,
        &[],
    );
    let got = text(&server, "/x");
    let expected = "event: message\ndata: a\nid: 1\nretry: 6000\n\n\
        event: own\ndata: b\nid: 9\nretry: 1000\n\n\
        data: c\n\n\
        : no data\n\n\
        event: bare\n\n\
        event: message\ndata: d\nid:\nretry: 6000\n\n\
        event: message\ndata: e\nid: 2\nretry: 6000\n\n";
    assert_eq!(got, expected);
}

#[test]
fn steps_come_at_their_times_and_in_their_order() {
    // What `elapsed` says is the schedule itself: it does not depend on this machine's mood.
    for (steps, expected) in [
        (
            "[{ data: 'E' }, { wait: 1s }, { data: 'E' }, { after: 500ms, data: 'E' }]",
            "0 1000 1500",
        ),
        (
            "[{ every: 2s, times: 3, data: 'E' }, { data: 'E' }]",
            "2000 4000 6000 6000",
        ),
        ("[{ after: 1s, every: 2s, times: 2, data: 'E' }]", "3000 5000"),
        (
            "[{ repeat: { times: 2, steps: [{ data: 'E' }, { wait: 1s }] } }, { data: 'E' }]",
            "0 1000 2000",
        ),
        (
            "[{ repeat: { every: 1s, times: 3, steps: [{ data: 'E' }, { after: 300ms, data: 'E' }] } }]",
            "1000 1300 2000 2300 3000 3300",
        ),
        // A round longer than its interval delays the next one, and the schedule is caught up with.
        (
            "[{ repeat: { every: 1s, times: 3, steps: [{ data: 'E' }, { wait: 1500ms }] } }]",
            "1000 2500 4000",
        ),
        (
            "[{ repeat: { times: 2, steps: [{ repeat: { every: 1s, times: 2, steps: [{ data: 'E' }] } }, { wait: 500ms }] } }]",
            "1000 2000 3500 4500",
        ),
        (
            "[{ repeat: { times: 0, steps: [{ data: 'E' }] } }, { data: 'E' }]",
            "0",
        ),
        (
            "[{ after: 1s, repeat: { times: 1, steps: [{ data: 'E' }] } }, { after: 1s, end: close }]",
            "1000",
        ),
        (
            "[{ after: '{{ 2 }}s', data: 'E' }, { wait: '{{ seq }}s' }, { data: 'E' }]",
            "2000 3000",
        ),
        ("[{ after: 5ms..5ms, data: 'E' }]", "5"),
    ] {
        let steps = steps.replace("'E'", "'{{ elapsed }}'");
        let got = streamed(&format!("      {}\n", steps.replace("stream:\n", "")));
        let got: Vec<&str> = got
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        assert_eq!(got.join(" "), expected, "{steps}");
    }
}

#[test]
fn ranges_stay_within_their_bounds_and_differ() {
    let got = streamed("      - { every: 10ms..50ms, times: 40, data: '{{ elapsed }}' }\n");
    let times: Vec<u64> = got
        .lines()
        .filter_map(|l| l.strip_prefix("data: ")?.parse().ok())
        .collect();
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(times.len(), 40);
    assert!(gaps.iter().all(|gap| (9..=51).contains(gap)), "{gaps:?}");
    assert!(
        gaps.iter().collect::<std::collections::HashSet<_>>().len() > 5,
        "{gaps:?}"
    );
}

#[test]
fn a_heartbeat_fills_silence_and_nothing_else() {
    let server = serve(
        "
endpoints:
  - path: /beats
    heartbeat: 1s
    stream:
      - data: a
      - { after: 3500ms, data: b }
      - { every: 900ms, times: 4, data: c }
      - end: hold
  - path: /stall
    heartbeat: 50ms
    stream: [{ data: a }, { end: stall }]
  - path: /news
    heartbeat: 1s
    stream: [{ follow: news }]
topics: { news: {} }
",
        &["--time-scale", "3"],
    );
    let mut stream = server.open("/beats", &[]);
    let got: Vec<String> = (0..12).map(|_| stream.event().unwrap()).collect();
    let expected = [
        "data: a", ":", ":", ":", "data: b", "data: c", "data: c", "data: c", "data: c", ":", ":", ":",
    ];
    assert_eq!(got, expected);
    assert_eq!(server.open("/news", &[]).event().as_deref(), Some(":"));

    let mut stalled = server.open("/stall", &[]);
    assert_eq!(stalled.event().as_deref(), Some("data: a"));
    // Many of the other stream's beats later there is still nothing.
    (0..5).for_each(|_| assert_eq!(stream.event().as_deref(), Some(":")));
    assert_eq!(rustix::io::ioctl_fionread(stalled.socket()).unwrap(), 0);
}

const TOPICS: &str = "
topics: { news: { history: 100 }, other: {}, 'room/{room}': { history: 5 } }
endpoints:
  - { path: /post, method: POST, publish: news, status: 204 }
  - path: /both
    method: POST
    publish:
      - news
      - { topic: other, event: own, id: 'x{{ attempt }}', data: { n: '{{ request.json.n }}' } }
      - { topic: 'room/{{ request.json.room }}', data: 'hello {{ request.json.room }}' }
    status: 204
  - path: /limited
    stream: [{ follow: { topic: news, limit: 2 } }, { data: after }, { follow: { topic: news, limit: 1 } }]
  - path: /earliest
    stream: [{ follow: { topic: news, from: earliest, limit: 3 } }]
  - path: /live
    stream: [{ data: now }, { follow: { topic: news, from: live } }]
  - path: /other
    stream: [{ follow: other }]
  - path: /room/{room}
    stream: [{ data: '{{ topic(\"room/\" ~ room).clients }}' }, { follow: 'room/{{ room }}' }]
";

#[test]
fn topics_are_followed_from_where_the_step_says() {
    let server = serve(TOPICS, &[]);
    let post = |n: u32| assert_eq!(server.post("/post", &format!("{{\"n\":{n}}}")).status, 204);
    let mut limited = server.open("/limited", &[]);
    (1..=2).for_each(post);
    let got: Vec<String> = (0..3).map(|_| limited.field("data")).collect();
    assert_eq!(got, [r#"{"n":1}"#, r#"{"n":2}"#, "after"]);
    let mut live = server.open("/live", &[("last-event-id", "whatever")]);
    assert_eq!(live.field("data"), "now");
    post(3);
    assert_eq!(limited.field("data"), r#"{"n":3}"#);
    assert_eq!(limited.event(), None);
    assert_eq!(live.field("data"), r#"{"n":3}"#);
    assert_eq!(
        text(&server, "/earliest"),
        "data: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: {\"n\":3}\n\n"
    );
}

#[test]
fn one_request_publishes_to_several_topics() {
    let server = serve(TOPICS, &[]);
    let mut other = server.open("/other", &[]);
    let mut room = server.open("/room/blue", &[]);
    let mut elsewhere = server.open("/room/red", &[]);
    assert_eq!(room.field("data"), "0");
    let post = server.post("/both", r#"{"n":7,"room":"blue"}"#);
    assert_eq!((post.status, post.header("x-mock-reached")), (204, Some("2")));
    assert_eq!(
        other.event().as_deref(),
        Some("event: own\ndata: {\"n\":7}\nid: x1")
    );
    assert_eq!(room.event().as_deref(), Some("data: hello blue"));
    assert_eq!(server.open("/room/blue", &[]).field("data"), "1");
    assert_eq!(server.post("/both", r#"{"n":8,"room":"red"}"#).status, 204);
    assert_eq!(
        (elsewhere.field("data"), elsewhere.field("data")),
        ("0".into(), "hello red".into())
    );
}

#[test]
fn a_script_that_fails_before_the_head_is_a_500_and_after_it_is_cut() {
    let server = serve(
        "
topics: { 'room/{room}': {} }
endpoints:
  - { path: /body, body: 'x{{ request.query.nope }}' }
  - { path: /let, let: { a: '{{ request.query.nope }}' }, body: x }
  - { path: /status, status: '{{ request.query.code }}', body: x }
  - { path: /header, headers: { x-a: 'a{{ request.query.nope }}' }, body: x }
  - { path: /when, when: 'pick(request.query.nope | default([]))', body: x }
  - { path: /publish, method: POST, publish: '{{ request.query.t }}', body: x }
  - { path: /first, stream: [{ follow: '{{ request.query.t }}' }] }
  - { path: /data, stream: [{ data: good }, { data: 'x{{ request.query.nope }}' }, { data: never }] }
  - { path: /after, stream: [{ data: good }, { after: '{{ request.query.nope }}', data: x }, { data: never }] }
  - { path: /first-after, stream: [{ after: '{{ request.query.nope }}', data: x }, { data: never }] }
  - { path: /wait, stream: [{ data: good }, { wait: 'nonsense{{ 1 }}' }, { data: never }] }
  - { path: /follow, stream: [{ data: good }, { follow: { topic: '{{ request.query.t }}', limit: 1 } }, { data: never }] }
",
        &[],
    );
    for (method, path, reason) in [
        ("GET", "/body", ":4: undefined value: this value is missing"),
        ("GET", "/body", "(in `x{{ request.query.nope }}`)"),
        ("GET", "/let", ":5: this value is missing"),
        ("GET", "/status?code=99", ":6: `99` is no status code"),
        ("GET", "/status?code=", "is no status code"),
        ("GET", "/header", "this value is missing"),
        ("GET", "/when", ":8: pick() needs a list with at least one entry"),
        ("POST", "/publish?t=nowhere", "there is no topic `nowhere`"),
        ("GET", "/first?t=nowhere", "there is no topic `nowhere`"),
    ] {
        let answer = server.send(method, path, &[], b"");
        assert_eq!(answer.status, 500, "{path} {answer:?}");
        assert!(answer.body.contains(reason), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(server.get("/status?code=418").status, 418);
    for (n, path) in ["/data", "/after", "/wait", "/follow?t=nowhere"]
        .into_iter()
        .enumerate()
    {
        let mut stream = server.open(path, &[]);
        let rest = String::from_utf8(stream.rest().unwrap()).unwrap();
        assert_eq!(
            rest, "c\r\ndata: good\n\n\r\n",
            "{path}: no terminating chunk, nothing further"
        );
        server.log.wait_for_times("failed: ", n + 1);
    }
    let log = server.log.wait_for_times("failed: ", 4);
    for told in [
        "GET /data: failed: ",
        ":11: undefined value: ",
        "GET /wait: failed: ",
        " (in `nonsense{{ 1 }}`)",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }
    assert_eq!(server.open("/first-after", &[]).rest().unwrap(), b"");
}
