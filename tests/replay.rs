//! The step `replay`: a recording is played write by write, at its times, with its bytes.

mod support;

use std::time::{Duration, Instant};

use mock_sse::scenario::load::{Origin, load_seen};
use serde_json::{Value as Json, json};
use support::process::{run, said};
use support::serve_in;

const RECORDING: &str = r#"{"at": 0, "text": "data: caf"}

{"at": 100, "base64": "ww=="}
{"at": 100, "base64": "qQ0KDQo="}
{"text": "id: 7\rdata: {{ x }}\n\n", "at": 1500}
"#;

/// A folder with a scenario and its recordings.
fn folder(yaml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scenario.yaml"), yaml).unwrap();
    std::fs::create_dir(folder.path().join("tapes")).unwrap();
    std::fs::write(folder.path().join("tapes/r.ndjson"), RECORDING).unwrap();
    folder
}

/// What `play` shows of `/x`: when, which step, and the bytes as text or base64.
fn played(yaml: &str, args: &[&str]) -> Vec<Json> {
    let folder = folder(yaml);
    let all = [&["play", "scenario.yaml", "/x", "--json"], args].concat();
    let (code, out, err) = said(&run(folder.path(), &all, &[]));
    assert_eq!(code, Some(0), "{err}");
    let played: Json = serde_json::from_str(&out).unwrap();
    let mut writes: Vec<Json> = Vec::new();
    for write in played["writes"].as_array().unwrap() {
        let bytes = write.get("text").or(write.get("base64")).unwrap();
        writes.push(json!([write["at_ms"], write["step"], bytes]));
    }
    writes.push(json!([played["end"]["at_ms"], played["end"]["how"]]));
    writes
}

/// Only the times.
fn times(yaml: &str) -> Vec<f64> {
    let writes = played(yaml, &[]);
    writes.iter().map(|write| write[0].as_f64().unwrap()).collect()
}

#[test]
fn a_recording_is_played_at_its_times_and_not_altered() {
    let yaml = "
defaults: { id: counter }
endpoints:
  - path: /x
    wire: { eol: crlf, bom: true, space: false, split: { every: 1 } }
    stream:
      - { after: 1s, replay: tapes/r.ndjson }
      - { after: 250ms, end: cut }
";
    assert_eq!(
        played(yaml, &[])[3..],
        [
            json!([1000, "replay", "data: caf"]),
            json!([1100, "replay", "ww=="]),
            json!([1100, "replay", "qQ0KDQo="]),
            json!([2500, "replay", "id: 7\rdata: {{ x }}\n\n"]),
            json!([2750, "cut"]),
        ]
    );
}

#[test]
fn a_speed_shortens_or_stretches_all_times_alike() {
    let at_speed = |speed: &str| {
        times(&format!(
            "endpoints: [{{ path: /x, stream: [{{ replay: {{ file: tapes/r.ndjson, speed: {speed} }} }}, {{ data: '' }}] }}]"
        ))
    };
    assert_eq!(at_speed("1"), [0.0, 100.0, 100.0, 1500.0, 1500.0, 1500.0]);
    assert_eq!(at_speed("2"), [0.0, 50.0, 50.0, 750.0, 750.0, 750.0]);
    assert_eq!(at_speed("0.5"), [0.0, 200.0, 200.0, 3000.0, 3000.0, 3000.0]);
    assert_eq!(at_speed("1e12"), [0.0; 6]);
}

#[test]
fn recordings_stand_wherever_steps_take_time() {
    let yaml = "
scripts: { tape: [{ replay: { file: tapes/r.ndjson, speed: 10 } }] }
endpoints:
  - path: /x
    stream:
      - parallel:
          - [{ repeat: { every: 1s, times: 2, steps: [{ run: tape }] } }]
          - [{ data: between, after: 1012ms }]
      - if: 'true'
        then: [{ run: tape }]
";
    let writes = played(yaml, &[]);
    let times: Vec<f64> = writes.iter().map(|write| write[0].as_f64().unwrap()).collect();
    let expected = [
        [1000.0, 1010.0, 1010.0, 1012.0, 1150.0].as_slice(),
        &[2000.0, 2010.0, 2010.0, 2150.0],
        &[2150.0, 2160.0, 2160.0, 2300.0, 2300.0],
    ];
    assert_eq!(times, expected.concat());
    assert_eq!(writes[3][1], "event");
}

#[test]
fn what_holds_for_raw_bytes_holds_for_recordings() {
    let stream = |around: &str| {
        format!("endpoints: [{{ path: /x, {around}, stream: [{{ replay: tapes/r.ndjson }}] }}]")
    };
    let heartbeats = played(&stream("heartbeat: 1s"), &[]);
    assert_eq!(heartbeats[3], json!([1100, "heartbeat", ":\n\n"]));
    let faults = played(&stream("faults: { after: { bytes: 10 }, end: cut }"), &[]);
    assert_eq!(faults[1..], [json!([100, "replay", "ww=="]), json!([100, "cut"])]);
    let throttled = played(&stream("throttle: { buffer: 10 }"), &[]);
    assert_eq!(throttled[0][0], 100);
    // Events of a recording count as little as those of `raw`.
    let limited = played(&stream("limits: { events: 1 }"), &[]);
    assert_eq!(limited.len(), 5);
}

#[test]
fn resuming_passes_over_a_recording_but_sees_no_ids_in_it() {
    let yaml = "
endpoints:
  - path: /x
    resume: true
    stream:
      - replay: tapes/r.ndjson
      - { id: a, data: a }
      - { replay: { file: tapes/r.ndjson, speed: 3 } }
";
    let behind = played(yaml, &["--last-event-id", "a"]);
    assert_eq!(
        (behind.len(), &behind[0]),
        (5, &json!([0, "replay", "data: caf"]))
    );
    assert_eq!(behind[4], json!([500, "close"]));
    let unseen = played(yaml, &["--last-event-id", "7"]);
    assert_eq!(unseen.len(), 10, "from the beginning");
}

#[test]
fn over_a_socket_a_write_is_a_chunk_and_never_too_early() {
    let yaml = "
endpoints:
  - { path: /x, stream: [{ replay: { file: tapes/r.ndjson, speed: 5 } }] }
";
    let server = serve_in(folder(yaml), &["--no-tls", "--scenario", "scenario.yaml"]);
    assert!(
        server.banner.contains("a recording of 4 writes in 300ms"),
        "{}",
        server.banner
    );
    let began = Instant::now();
    let mut stream = server.open("/x", &[]);
    let chunks: Vec<Vec<u8>> = std::iter::from_fn(|| stream.chunk()).collect();
    assert!(began.elapsed() >= Duration::from_millis(300));
    let expected: [&[u8]; 4] = [
        b"data: caf",
        b"\xc3",
        b"\xa9\r\n\r\n",
        b"id: 7\rdata: {{ x }}\n\n",
    ];
    assert_eq!(chunks, expected);
}

#[test]
fn a_recording_is_watched_like_its_scenario() {
    let folder = folder("endpoints: [{ path: /x, stream: [{ replay: tapes/r.ndjson }] }]");
    let origin = Origin::Paths(vec![folder.path().join("scenario.yaml")]);
    let (outcome, seen) = load_seen(&origin);
    assert!(outcome.is_ok() && !seen.changed());
    std::fs::write(folder.path().join("tapes/r.ndjson"), "").unwrap();
    assert!(seen.changed());
    let (empty, _) = load_seen(&origin);
    assert!(
        empty.is_ok_and(|(_, warnings)| warnings.is_empty()),
        "a recording that has just begun"
    );
}

#[test]
fn explain_and_timeline_show_recordings() {
    let yaml = "endpoints: [{ path: /x, stream: [{ replay: { file: tapes/r.ndjson, speed: 2 } }] }]";
    let folder = folder(yaml);
    let run = |args: &[&str]| said(&run(folder.path(), args, &[])).1;
    let text = run(&["explain", "scenario.yaml"]);
    let expected = "1. replay file tapes/r.ndjson, speed 2.0, writes 4, bytes 36, lasts 750ms";
    assert!(text.contains(expected), "{text}");
    let shown = run(&["explain", "scenario.yaml", "--format", "json"]);
    let shown: Json = serde_json::from_str(&shown).unwrap();
    let expected =
        r#"{"do":"replay","file":"tapes/r.ndjson","speed":2.0,"writes":4,"bytes":36,"lasts":"750ms"}"#;
    assert!(shown.to_string().contains(expected), "{shown:#}");
    let timeline = run(&["play", "scenario.yaml", "/x", "--timeline"]);
    assert!(
        timeline.contains("0.050 s  replay           1 B  \\xc3\n"),
        "{timeline}"
    );
}
