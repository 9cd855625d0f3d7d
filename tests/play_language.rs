//! `play` prints what a request gets, whatever a script is made of; and what a change leaves as it was.

mod support;

use std::path::Path;

use support::process::{run, said};
use support::{repo, serve};

/// All that is drawn by chance, in one stream.
const SCENARIO: &str = r#"
defaults: { id: uuid }
topics:
  ticks: { feed: [{ every: 3s, data: { tick: '{{ seq }}', v: '{{ random_int(1, 1000000) }}' } }] }
scripts:
  talk: [{ for_each: { in: '{{ "the quick brown fox" | words }}', as: w, every: 10ms..90ms, steps: [{ data: '{{ w }} {{ letter() }}' }] } }]
endpoints:
  - path: /x
    let: { n: '{{ random_int(1, 1000000) }}' }
    after: 1ms..50ms
    heartbeat: 700ms
    wire: { bom: true, split: { random: 1..9, gap: 1ms..4ms } }
    throttle: { rate: 3KiB, delay: 5ms..20ms }
    faults:
      - { probability: 0.0, after: { events: 1..5 }, end: cut }
      - { probability: 1.0, after: { bytes: 100..200 }, stall: 900ms }
    stream:
      - { data: '{{ n }} {{ attempt }}' }
      - repeat:
          times: 5
          steps:
            - choose: [{ weight: 2, steps: [{ data: '{{ uuid() }}' }] }, { steps: [{ run: talk }] }, { steps: [{ wait: 1s..2s }] }]
      - parallel:
          - [{ every: 100ms..300ms, times: 5, data: 'a {{ pick([1, 2, 3]) }} {{ elapsed }}' }]
          - [{ follow: { topic: ticks, limit: 2 } }, { data: 'b {{ letter() }}' }]
          - [{ run: talk }, { stall: 2s }]
      - one_write: [{ data: '{{ fake("name") }}' }, { raw: "data: raw\n\n" }]
      - { wait_for: { signal: never, for: 1s..3s, else: [{ data: 'late {{ letter() }}' }] } }
      - { let: { n: '{{ random_float(0, 1) }}' } }
      - { if: 'n < 0.5', then: [{ data: 'low {{ n }}' }], else: [{ data: 'high {{ n }}' }] }
"#;

fn play(file: &Path, args: &[&str]) -> String {
    let output = run(
        &repo(""),
        &[&["play", file.to_str().unwrap(), "/x"], args].concat(),
        &[],
    );
    assert!(output.status.success(), "{:?}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What is played of a scenario.
fn played(yaml: &str, seed: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    std::fs::write(&file, yaml).unwrap();
    play(&file, &["--seed", seed])
}

#[test]
fn play_prints_what_a_request_gets() {
    // Not so fast that events of two lists side by side change places.
    let server = serve(SCENARIO, &["--seed", "7", "--time-scale", "5"]);
    let expected = play(&server.path("scenario.yaml"), &["--seed", "7"]);
    assert!(
        expected.contains("data: b ") && expected.contains(r#""tick":2"#),
        "{expected}"
    );
    assert!(
        expected.contains("data: raw") && expected.contains("data: late "),
        "{expected}"
    );
    let lines = |text: &str| {
        // How many heartbeats fit between two events may differ by one: they fill silence.
        let lines = text.lines().filter(|line| !matches!(*line, ":" | ""));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&server.get("/x").body), lines(&expected));
    let again = serve(SCENARIO, &["--seed", "7", "--time-scale", "5"]);
    assert_eq!(lines(&again.get("/x").body), lines(&expected));
    assert_ne!(played(SCENARIO, "8"), expected);
    assert_eq!(played(SCENARIO, "7"), expected);
}

/// Draws of data only: neither times nor cuts.
const DATA: &str = r#"
endpoints:
  - path: /x
    stream:
      - { data: '{{ uuid() }}' }
      - { data: a }
      - repeat: { times: 20, steps: [{ choose: [{ steps: [{ data: '{{ letter() }}' }] }, { steps: [{ data: '{{ random_int(1, 9) }}' }] }] }] }
      - parallel: [[{ data: '{{ uuid() }}' }], [{ data: '{{ pick(["x", "y", "z"]) }}' }]]
      - { data: end }
"#;

#[test]
fn delays_cuts_and_faults_leave_the_data_as_it_was() {
    let expected = played(DATA, "7");
    assert_ne!(played(DATA, "8"), expected);
    for (from, to) in [
        ("data: a", "data: a, after: 1ms..900ms"),
        ("data: end", "data: end, split: { random: 1..3 }"),
        ("times: 20,", "times: 20, every: 5ms..90ms,"),
        ("    stream:", "    after: 1ms..9ms\n    stream:"),
        (
            "    stream:",
            "    wire: { split: { random: 1..4, gap: 1ms..3ms } }\n    stream:",
        ),
        (
            "    stream:",
            "    throttle: { delay: 1ms..9ms, rate: 10KiB }\n    stream:",
        ),
        (
            "    stream:",
            "    faults: [{ probability: 0.5, after: { events: 2..9 }, stall: 1ms..9ms }]\n    stream:",
        ),
        (
            "    stream:",
            "    limits: { events: 1000 }\n    heartbeat: 1h\n    stream:",
        ),
    ] {
        let changed = DATA.replacen(from, to, 1);
        assert_ne!(changed, DATA);
        assert_eq!(played(&changed, "7"), expected, "{to}");
    }
    let early = DATA.replacen(
        "    stream:",
        "    faults: [{ after: { events: 7 }, end: close }]\n    stream:",
        1,
    );
    let early = played(&early, "7");
    assert!(expected.starts_with(&early), "{early}");
    assert_eq!(early.matches("data: ").count(), 7);
}

#[test]
fn timing_and_cuts_do_not_depend_on_each_other() {
    let timed = DATA
        .replace("times: 20,", "times: 20, every: 5ms..90ms,")
        .replace("letter()", "elapsed");
    let expected = played(&timed, "7");
    assert_ne!(played(&timed, "8"), expected);
    for with in [
        "wire: { split: { random: 1..4 } }",
        "faults: [{ probability: 0.5, stall: 1ms..2ms }]",
    ] {
        let changed = timed.replacen("    stream:", &format!("    {with}\n    stream:"), 1);
        assert_eq!(played(&changed, "7"), expected, "{with}");
    }
}

#[test]
fn time_goes_on_while_what_is_followed_waits_for_a_slow_write() {
    for with in [
        "wire: { split: { every: 4, gap: 10ms } }",
        "throttle: { delay: 100ms }",
        "throttle: { rate: 1KiB }",
        "faults: [{ after: { events: 1 }, stall: 1s }]",
    ] {
        let yaml = format!(
            "topics: {{ t: {{ feed: [{{ data: a }}, {{ data: b }}, {{ wait: 1ms }}, {{ data: c }}] }} }}
endpoints: [{{ path: /x, {with}, stream: [{{ follow: {{ topic: t, limit: 3 }} }}, {{ end: close }}] }}]
"
        );
        let played = played(&yaml, "7");
        let data = played.lines().filter(|line| line.starts_with("data: "));
        let data: Vec<_> = data.collect();
        assert_eq!(data, ["data: a", "data: b", "data: c"], "{with}");
    }
}

#[test]
fn play_prints_no_body_where_there_is_none() {
    for status in ["204", "205", "304"] {
        let yaml = format!("endpoints: [{{ path: /x, status: {status}, stream: [{{ data: never }}] }}]");
        assert_eq!(played(&yaml, "1"), "");
    }
}

/// A silence that a step wanted lasts, though the script only relays from then on.
#[test]
fn heartbeats_count_from_the_end_of_a_silence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    let stream = "[{ data: a }, { stall: 12s }, { follow: news }]";
    let yaml = format!(
        "topics: {{ news: {{}} }}\nendpoints:\n  - {{ path: /x, heartbeat: 5s, stream: {stream} }}\n"
    );
    std::fs::write(&file, yaml).unwrap();
    let timeline = play(&file, &["--timeline", "--for", "20s"]);
    let beat = timeline.lines().find(|line| line.contains("heartbeat"));
    assert_eq!(
        beat.unwrap().split_whitespace().next(),
        Some("17.000"),
        "{timeline}"
    );
}
