//! The steps that hold others, choose, repeat, fall silent or resume: as their bytes come.

mod by_hand;
mod support;

use support::{Server, serve, serve_in};

fn body(server: &Server, path: &str) -> String {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{path} {answer:?}");
    answer.body
}

fn data(server: &Server, path: &str) -> Vec<String> {
    let body = body(server, path);
    let lines = body.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(str::to_owned).collect()
}

fn served(steps: &str, args: &[&str]) -> Server {
    serve(&format!("endpoints:\n  - path: /x\n    stream:\n{steps}"), args)
}

#[test]
fn conditions_are_asked_when_their_step_comes() {
    let server = served(
        r#"
      - { if: 'request.query.a == "1"', then: [{ data: yes }], else: [{ data: no }] }
      - { if: request.query.b, then: [{ data: b }] }
      - { if: request.query.b, else: [{ data: no b }] }
      - if: 'seq > 1'
        after: 1s
        then:
          - { if: 'elapsed == 1000', then: [{ after: 1s, data: 'at {{ elapsed }}' }] }
          - { data: behind }
      - let: { n: 0 }
      - repeat: { while: 'n < 3', steps: [{ let: { n: '{{ n + 1 }}' } }, { after: 1ms, data: 'n{{ n }}' }] }
      - { every: 1s, while: 'elapsed < 5000', data: 'tick {{ elapsed }}' }
      - repeat: { every: 1s, times: 9, while: 'seq < 11', steps: [{ data: 'seq {{ seq }}' }] }
      - { data: end }
"#,
        &["--time-scale", "100"],
    );
    let end = [
        "at 2000",
        "behind",
        "n1",
        "n2",
        "n3",
        "tick 3003",
        "tick 4003",
        "seq 10",
        "seq 11",
        "end",
    ];
    assert_eq!(data(&server, "/x?a=1&b=1"), [&["yes", "b"], &end[..]].concat());
    assert_eq!(data(&server, "/x"), [&["no", "no b"], &end[..]].concat());
}

#[test]
fn a_repetition_asks_its_condition_when_the_round_is_due() {
    let server = by_hand::serve(
        r#"
endpoints:
  - { path: /stop, set: { stop: 1 }, status: 204 }
  - { path: /x, stream: [{ every: 10s, while: not state.stop, data: tick }, { data: 'over {{ elapsed }}' }] }
"#,
    );
    let mut stream = server.open("/x", &[]);
    server.advance(10_000);
    assert_eq!(stream.field("data"), "tick");
    assert_eq!(server.open("/stop", &[]).status, 204);
    server.advance(10_000);
    assert_eq!(stream.field("data"), "over 20000");
}

#[test]
fn heartbeats_count_from_the_last_piece_of_an_event() {
    let server = by_hand::serve(
        r#"
endpoints:
  - path: /x
    heartbeat: { every: 1s, comment: 'at {{ elapsed }}' }
    stream: [{ data: 1234, split: { every: 4, gap: 300ms } }, { end: hold }]
"#,
    );
    let mut stream = server.open("/x", &[]);
    server.advance(2_000);
    let pieces: Vec<_> = (0..4).map(|_| stream.chunk().unwrap()).collect();
    assert_eq!(pieces.concat(), b"data: 1234\n\n: at 1600\n\n");
}

const CHOICES: &str = r#"
endpoints:
  - path: /x
    stream:
      - repeat:
          times: 1000
          steps:
            - choose:
                - { weight: 3, steps: [{ data: a }] }
                - { steps: [{ data: b }, { if: 'true', then: [{ comment: with b }] }] }
                - { weight: 0, steps: [{ data: never }] }
                - { steps: [] }
"#;

#[test]
fn choices_follow_their_weights_and_the_seed() {
    let server = serve(CHOICES, &["--seed", "7"]);
    let first = body(&server, "/x");
    let count = |text: &str| first.matches(text).count();
    assert!((540..660).contains(&count("data: a")), "{}", count("data: a"));
    assert!((150..250).contains(&count("data: b")), "{}", count("data: b"));
    assert_eq!((count(": with b"), count("never")), (count("data: b"), 0));
    assert_eq!(body(&serve(CHOICES, &["--seed", "7"]), "/x"), first);
    let others = [body(&server, "/x"), body(&serve(CHOICES, &["--seed", "8"]), "/x")];
    assert!(others.iter().all(|other| *other != first));
}

#[test]
fn lists_come_from_the_scenario_an_expression_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.json", r#"[{"z": 1, "a": "x"}, [2], null]"#);
    write("b.ndjson", "{\"n\": 1.50}\r\n\n\"☃\"\n");
    write("c.csv", "\u{feff}name,text\nme,\"a, \"\"b\"\"\nc\"\n,2\n");
    write(
        "scenario.yaml",
        r#"
vars: { list: [v, w] }
endpoints:
  - path: /x
    stream:
      - for_each: { in: [one, { a: '{{ request.query.q }}' }, 3], steps: [{ data: '{{ item }}' }] }
      - for_each: { in: '{{ vars.list }}', as: v, every: 1s, steps: [{ data: '{{ v }} {{ elapsed }}' }] }
      - for_each: { in: '{{ "Hello from a mock." | words }}', as: w, steps: [{ data: { w: '{{ w }}' } }] }
      - { data: '{{ elapsed }}' }
      - for_each: { in: a.json, as: row, steps: [{ data: '{{ row }}' }] }
      - for_each: { in: b.ndjson, steps: [{ data: '{{ item }}' }] }
      - for_each: { in: c.csv, as: row, steps: [{ data: '{{ row.name }}: {{ row.text }}' }] }
      - for_each: { in: '{{ [] }}', every: 1h, steps: [{ data: never }] }
      - for_each: { in: '{{ range(3) }}', steps: [{ after: 1s, data: '{{ item }} {{ elapsed }}' }] }
  - path: /bad
    stream: [{ data: good }, { for_each: { in: '{{ request.query.q }}', steps: [{ data: never }] } }]
"#,
    );
    let server = serve_in(folder, &["--scenario", "scenario.yaml", "--time-scale", "100"]);
    let expected = [
        "one",
        r#"{"a":"Q"}"#,
        "3",
        "v 1000",
        "w 2000",
        r#"{"w":"Hello"}"#,
        r#"{"w":" from"}"#,
        r#"{"w":" a"}"#,
        r#"{"w":" mock."}"#,
        "2000",
        r#"{"z":1,"a":"x"}"#,
        "[2]",
        "null",
        r#"{"n":1.5}"#,
        "☃",
        "me: a, \"b\"",
        "c",
        ": 2",
        "0 3000",
        "1 4000",
        "2 5000",
    ];
    assert_eq!(data(&server, "/x?q=Q"), expected);
    let mut bad = server.open("/bad?q=text", &[]);
    assert_eq!(bad.event().as_deref(), Some("data: good"));
    assert_eq!(bad.rest().unwrap(), b"");
    server.log.wait_for("`for_each` needs a list, this is text");
}

#[test]
fn lists_side_by_side_are_interleaved_by_their_times() {
    let server = served(
        r#"
      - parallel:
          - [{ data: 'a {{ elapsed }}' }, { every: 2s, times: 3, data: 'a {{ elapsed }}' }]
          - [{ after: 1s, data: 'b {{ elapsed }}' }, { after: 3s, data: 'b {{ elapsed }}' }]
          - []
          - - { wait: 3s }
            - parallel: [[{ after: 2s, data: 'c {{ elapsed }}' }], [{ data: 'd {{ elapsed }}' }]]
            - { data: 'e {{ elapsed }}' }
      - { data: 'joined {{ elapsed }} {{ seq }}' }
"#,
        &["--time-scale", "50"],
    );
    let expected = [
        "a 0",
        "b 1000",
        "a 2000",
        "d 3000",
        "a 4000",
        "b 4000",
        "c 5000",
        "e 5000",
        "a 6000",
        "joined 6000 10",
    ];
    assert_eq!(data(&server, "/x"), expected);
}

#[test]
fn a_topic_is_relayed_between_the_events_of_another_list() {
    let server = serve(
        r#"
topics: { t: {} }
endpoints:
  - { path: /post, method: POST, publish: t, status: 204 }
  - { path: /stop, method: POST, set: { stop: 1 }, status: 204 }
  - path: /x
    stream:
      - parallel:
          - [{ follow: { topic: t, limit: 2 } }, { data: followed }]
          - [{ every: 5ms, while: not state.stop, data: tick }]
      - { data: joined }
"#,
        &[],
    );
    let mut stream = server.open("/x", &[]);
    let until = |stream: &mut support::Stream, wanted: &str| {
        loop {
            let got = stream.field("data");
            if got == wanted {
                break;
            }
            assert_eq!(got, "tick", "instead of {wanted}");
        }
    };
    // Whoever has seen the head misses nothing.
    for n in 1..=2 {
        assert_eq!(server.post("/post", &format!("{{\"n\":{n}}}")).status, 204);
        until(&mut stream, &format!("{{\"n\":{n}}}"));
    }
    until(&mut stream, "followed");
    (0..3).for_each(|_| until(&mut stream, "tick"));
    assert_eq!(server.post("/stop", "").status, 204);
    until(&mut stream, "joined");
    assert_eq!(stream.event(), None);
}

#[test]
fn one_write_is_one_chunk() {
    let server = served(
        r#"
      - one_write:
          - { data: '{{ seq }}' }
          - raw: "data: raw\n"
          - { for_each: { in: [a, b], steps: [{ data: '{{ item }}' }] } }
          - { repeat: { times: 2, steps: [{ if: 'seq > 2', then: [{ id: '{{ seq }}' }] }] } }
          - { let: { x: y } }
          - { data: '{{ x }}' }
      - { one_write: [{ set: { a: 1 } }] }
      - { after: 1s, data: '{{ state.a }} {{ elapsed }}' }
      - { after: 1s, one_write: [{ data: '{{ elapsed }}' }] }
      - repeat: { times: 2, steps: [{ wait: 1s }, { one_write: [{ data: r }, { data: '{{ elapsed }}' }] }] }
"#,
        &["--time-scale", "100"],
    );
    let mut stream = server.open("/x", &[]);
    let chunks: Vec<String> = std::iter::from_fn(|| stream.chunk())
        .map(|chunk| String::from_utf8(chunk).unwrap())
        .collect();
    let expected = [
        "data: 1\n\ndata: raw\ndata: a\n\ndata: b\n\nid: 4\n\nid: 5\n\ndata: y\n\n",
        "data: 1 1000\n\n",
        "data: 2000\n\n",
        "data: r\n\ndata: 3000\n\n",
        "data: r\n\ndata: 4000\n\n",
    ];
    assert_eq!(chunks, expected);
}

#[test]
fn scripts_see_the_names_of_whoever_runs_them() {
    let server = serve(
        r#"
scripts:
  greet:
    - { data: 'hello {{ who }}' }
    - { run: bye }
  bye:
    - { after: 1s, data: 'bye {{ who }} {{ elapsed }}' }
endpoints:
  - { path: '/room/{who}', stream: [{ run: greet }] }
  - path: /let
    let: { who: '{{ attempt }}' }
    stream:
      - { after: 1s, run: greet }
      - for_each: { in: [x, y], as: who, steps: [{ run: bye }] }
      - { data: 'still {{ who }}' }
"#,
        &["--time-scale", "100"],
    );
    assert_eq!(data(&server, "/room/me"), ["hello me", "bye me 1000"]);
    assert_eq!(
        data(&server, "/let"),
        ["hello 1", "bye 1 2000", "bye x 3000", "bye y 4000", "still 1"]
    );
}

#[test]
fn nothing_comes_during_a_stall() {
    let server = serve(
        r#"
endpoints:
  - path: /x
    heartbeat: 1s
    stream: [{ data: a }, { stall: 5s }, { data: 'b {{ elapsed }}' }, { wait: 3500ms }, { data: c }]
  - path: /beside
    heartbeat: 1s
    stream:
      - parallel: [[{ stall: 5s }], [{ after: 500ms, data: a }, { after: 4s, data: b }]]
      - { data: 'c {{ elapsed }}' }
"#,
        &["--time-scale", "10"],
    );
    let got = body(&server, "/x");
    let (stalled, after) = got.split_once("data: b 5000\n\n").expect("the end of the stall");
    assert_eq!(stalled, "data: a\n\n");
    assert!(
        after.starts_with(":\n\n") && after.ends_with("data: c\n\n"),
        "{after:?}"
    );
    assert_eq!(
        body(&server, "/beside"),
        "data: a\n\ndata: b\n\ndata: c 5000\n\n",
        "events come, heartbeats do not"
    );
}

const RESUMED: &str = r#"
endpoints:
  - path: /x
    resume: true
    wire: { bom: true }
    stream:
      - { id: "1", data: a }
      - { set: { n: '{{ state.n | default(0) + 1 }}' } }
      - { comment: set }
      - { let: { word: known } }
      - { wait: 1h }
      - { id: "2", data: b, split: { every: 4 } }
      - { id: "3", data: '{{ word }} {{ seq }} {{ state.n | default(0) }}', after: 1s }
      - for_each: { in: [x, y], every: 1h, steps: [{ id: 'e{{ item }}', data: '{{ item }}' }] }
      - { data: 'end {{ elapsed }}' }
"#;

#[test]
fn a_script_resumes_behind_the_last_event_id() {
    let server = serve(RESUMED, &["--time-scale", "100"]);
    let resumed = |id: &str| server.open("/x", &[("last-event-id", id)]);
    let mut first = server.open("/x", &[]);
    assert_eq!(first.chunk().unwrap(), b"\xef\xbb\xbf");
    assert_eq!(first.event().as_deref(), Some("data: a\nid: 1"));
    assert_eq!(first.event().as_deref(), Some(": set"));
    drop(first);
    let mut second = resumed("2");
    assert_eq!(
        second.chunk().unwrap(),
        b"\xef\xbb\xbf",
        "each body begins with it"
    );
    // What changes the world is not done again for what is skipped.
    assert_eq!(second.event().as_deref(), Some("data: known 4 1\nid: 3"));
    let mut last = resumed("ey");
    assert_eq!(last.all(), "\u{feff}data: end 0\n\n".as_bytes());
    let mut unknown = resumed("9");
    assert_eq!(unknown.chunk().unwrap(), b"\xef\xbb\xbf");
    assert_eq!(unknown.event().as_deref(), Some("data: a\nid: 1"));
}
