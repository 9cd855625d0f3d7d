//! `mock-sse play`: which request is played, how far, and the ways to look at it.

mod support;

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::{Value as Json, json};
use support::process::{finish, run, said};
use support::{binary, repo};

/// A folder with a scenario in it.
struct Room(tempfile::TempDir);

impl Room {
    fn new(yaml: &str) -> Room {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s.yaml"), yaml).unwrap();
        Room(folder)
    }

    fn run(&self, args: &[&str]) -> Output {
        run(self.0.path(), &[&["play", "s.yaml"], args].concat(), &[])
    }

    /// What is printed when all is well.
    fn play(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let (code, out, err) = said(&output);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}: {out}");
        out
    }

    fn json(&self, args: &[&str]) -> Json {
        serde_json::from_str(&self.play(&[args, &["--json"]].concat())).unwrap()
    }

    /// Exit code, and what is said to people.
    fn fails(&self, args: &[&str]) -> (i32, String) {
        let (code, _, err) = said(&self.run(args));
        (code.unwrap(), err)
    }
}

/// Every kind of write, on an axis of 4 s.
const ALL: &str = r#"
seed: 7
topics:
  news: { feed: [{ every: 1s, times: 2, data: 'news {{ seq }}' }] }
endpoints:
  - path: /all/{name}
    after: 50ms
    heartbeat: 400ms
    wire: { bom: true }
    headers: { Set-Cookie: [a=1, b=2] }
    stream:
      - { retry: 2s }
      - { comment: '{{ name }}' }
      - { event: a, id: "1", data: "<☃ & \"friends\">" }
      - { after: 300ms, raw: { hex: "64 61 74 61 3a ff 0a 0a" } }
      - one_write: [{ data: b }, { data: c }]
      - { data: cut, split: { at: [3, 8], gap: 30ms } }
      - { follow: { topic: news, limit: 2 } }
      - { after: 1500ms, end: cut, code: CANCEL }
"#;

fn golden(name: &str, real: &str) {
    let path = repo("tests/fixtures/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, real).unwrap();
    }
    assert_eq!(real, std::fs::read_to_string(path).unwrap());
}

#[test]
fn a_timeline_tells_what_comes_when() {
    let room = Room::new(ALL);
    golden("play.timeline", &room.play(&["/all/you?q=%41", "--timeline"]));
}

#[test]
fn a_document_holds_every_write_and_the_events_in_it() {
    let room = Room::new(ALL);
    let printed = room.play(&["/all/you", "--json"]);
    golden("play.json", &printed);
    let document: Json = serde_json::from_str(&printed).unwrap();
    let writes = document["writes"].as_array().unwrap();
    let bytes: u64 = writes.iter().map(|write| write["bytes"].as_u64().unwrap()).sum();
    let raw = room.run(&["/all/you"]).stdout;
    assert_eq!(bytes, raw.len() as u64);
}

#[test]
fn a_picture_shows_the_stream_in_time() {
    let room = Room::new(ALL);
    assert_eq!(room.play(&["/all/you&me", "--svg", "p.svg"]), "");
    let picture = std::fs::read_to_string(room.0.path().join("p.svg")).unwrap();
    golden("play.svg", &picture);
    let both = room.play(&["/all/you&me", "--svg", "again.svg", "--timeline"]);
    assert!(both.contains(" heartbeat "), "{both}");
    let again = std::fs::read_to_string(room.0.path().join("again.svg")).unwrap();
    assert_eq!(again, picture);
}

/// A stream or its lack for each ending; `/end/…` is still beside a heartbeat, and ends after 1 s.
fn endings() -> Room {
    let mut yaml = r#"
endpoints:
  - { path: /wait, stream: [{ wait_for: { signal: never } }] }
  - { path: /every, stream: [{ data: a, every: 7s }] }
  - { path: /fails, stream: [{ data: a }, { data: '{{ request.query.q }}' }] }
  - { path: /limit, limits: { events: 1 }, stream: [{ data: a, every: 1s }] }
  - { path: /part, faults: { after: { bytes: 4 }, end: reset }, stream: [{ data: a }] }
  - { path: /frozen, faults: { after: { events: 1 }, end: stall }, stream: [{ data: a, every: 1s }] }
  - { path: /withheld, throttle: { buffer: 8 }, stream: [{ data: a }] }
  - { path: /body, after: 2s, body: "data: a\n\n" }
  - { path: /none/close, after: 1s, end: close }
  - { path: /none/stall, end: stall }
"#
    .to_owned();
    for end in ["close", "cut", "reset", "goaway", "stall", "hold"] {
        let steps = format!("[{{ data: a }}, {{ after: 1s, end: {end} }}]");
        yaml += &format!("  - {{ path: /end/{end}, heartbeat: 1s, stream: {steps} }}\n");
    }
    Room::new(&yaml)
}

#[test]
fn every_ending_is_told() {
    let room = endings();
    for (path, at, how, detail) in [
        ("/end/close", 1000, "close", ""),
        ("/end/cut", 1000, "cut", ""),
        ("/end/reset", 1000, "reset", ""),
        ("/end/goaway", 1000, "goaway", ""),
        ("/end/stall", 10_000, "stall", "since 1s, still open after 10s"),
        ("/end/hold", 10_000, "hold", "since 1s, still open after 10s"),
        ("/wait", 10_000, "open", "still open after 10s"),
        ("/every", 10_000, "open", "still open after 10s"),
        ("/limit", 1000, "close", "a fault or a limit"),
        ("/part", 0, "reset", "a fault or a limit"),
        ("/frozen", 10_000, "stall", "since 1s, still open after 10s"),
        ("/body", 2000, "close", ""),
        ("/none/close", 1000, "close", "no answer"),
        ("/none/stall", 10_000, "stall", "no answer, and still open"),
    ] {
        let document = room.json(&[path, "--for", "10s"]);
        let expected = json!({ "at_ms": at, "how": how, "detail": detail });
        assert_eq!(document["end"], expected, "{path}");
        let answered = !path.starts_with("/none/");
        assert_eq!(document["status"].is_null(), !answered, "{path}");
        let shown = room.play(&[path, "--for", "10s", "--timeline"]);
        let last = shown.lines().last().unwrap();
        assert!(last.contains(how) && last.contains(detail), "{path}: {shown}");
    }
    let part = room.json(&["/part"]);
    assert_eq!(part["writes"][0]["announced"], 9);
    assert_eq!(part["writes"][0]["text"], "data");
    let withheld = room.json(&["/withheld"]);
    let steps: Vec<_> = withheld["writes"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&steps[0]["step"], &steps[0]["text"]),
        (&json!("event"), &json!("data: a\n"))
    );
    assert_eq!(
        (&steps[1]["step"], &steps[1]["text"]),
        (&json!("rest"), &json!("\n"))
    );
    let failed = room.run(&["/fails", "--json"]);
    let (code, out, err) = said(&failed);
    let document: Json = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &document["end"]["how"]), (Some(1), &json!("cut")));
    assert!(err.starts_with("error: the stream is cut here: "), "{err}");
    let held = room.play(&["/end/hold", "--for", "3s"]);
    assert_eq!(held, "data: a\n\n:\n\n:\n\n:\n\n");
    assert_eq!(room.play(&["/end/stall", "--for", "3s"]), "data: a\n\n");
}

#[test]
fn it_stops_after_so_many_events() {
    let room = Room::new(
        r#"
endpoints:
  - { path: /a, stream: [{ comment: no event }, { retry: 1s }, { data: '{{ seq }}', every: 1s, split: { every: 4 } }] }
  - { path: /body, body: "data: 1\n\ndata: 2\n\n" }
  - { path: /flood, stream: [{ repeat: { times: 100000000, steps: [{ data: '{{ seq }}' }] } }] }
  - { path: /packed, compress: true, stream: [{ data: a }, { data: b }] }
"#,
    );
    let two = room.play(&["/a", "--events", "2"]);
    assert_eq!(two, ": no event\n\nretry: 1000\n\ndata: 3\n\ndata: 4\n\n");
    let document = room.json(&["/a", "--events", "2"]);
    let expected = json!({ "at_ms": 2000, "how": "left", "detail": "after 2 events" });
    assert_eq!(document["end"], expected);
    assert_eq!(room.play(&["/body", "--events", "1"]), "data: 1\n\ndata: 2\n\n");
    let flood = room.play(&["/flood", "--events", "5000"]);
    assert!(flood.ends_with("\ndata: 5000\n\n"));
    let packed = [
        "/packed",
        "-H",
        "accept-encoding: gzip",
        "--events",
        "1",
        "--json",
    ];
    let (code, out, err) = said(&room.run(&packed));
    assert!(
        code == Some(0) && err.contains("its events cannot be counted"),
        "{err}"
    );
    assert_eq!(serde_json::from_str::<Json>(&out).unwrap()["end"]["how"], "close");
}

#[test]
fn the_nth_request_comes_behind_those_before() {
    let room = Room::new(
        r#"
seed: 1
endpoints:
  - path: /a
    client: request.query.c
    set: { seen: '{{ state.seen | default(0) + 1 }}' }
    limits: { connections: 1 }
    attempts:
      - status: 503
      - stream: [{ data: '{{ attempt }} {{ state.seen }} {{ letter() }}' }]
        finally: [{ set: { left: '{{ state.left | default(0) + 1 }}' } }]
      - stream: [{ data: 'more {{ attempt }} {{ state.left }}' }]
"#,
    );
    let (code, err) = room.fails(&["/a", "--attempt", "1"]);
    assert!(code == 1 && err.contains("status 503"), "{err}");
    assert!(room.play(&["/a", "--attempt", "2"]).starts_with("data: 2 2 "));
    assert_eq!(room.play(&["/a?c=x", "--attempt", "4"]), "data: more 4 1\n\n");
    let shown = room.play(&["/a", "--attempt", "4", "--timeline"]);
    assert!(shown.starts_with("GET /a, request 4, seed 1\n"), "{shown}");
}

#[test]
fn the_request_is_as_it_is_told() {
    let room = Room::new(
        r#"
endpoints:
  - { path: /only, host: 'a.test:1', body: 'here' }
  - { path: '/e/{x}', method: ANY, body: '{{ request.method }} {{ x }} {{ request.query.q | default("") }} {{ request.headers }} {{ request.body }}' }
  - { path: /json, method: POST, body: '{{ request.json.a }}' }
  - { path: /r, resume: true, stream: [{ id: '1', data: a }, { id: '2', data: b }] }
"#,
    );
    std::fs::write(room.0.path().join("body.txt"), "from\na file\n").unwrap();
    for (args, expected) in [
        (&["/e/1?q=2"][..], r#"GET 1 2 {"host":"localhost"} "#),
        (&["/e/%41", "--method", "put"], r#"put A  {"host":"localhost"} "#),
        (
            &["/e/1", "--header", "X-A: b ", "-H", "x-a:c", "-H", "Host: h"],
            r#"GET 1  {"x-a":"b, c","host":"h"} "#,
        ),
        (
            &["/e/1", "--data", "a=1"],
            r#"POST 1  {"host":"localhost","content-length":"3","content-type":"application/x-www-form-urlencoded"} a=1"#,
        ),
        (
            &[
                "/e/1",
                "-d",
                "@body.txt",
                "-X",
                "PATCH",
                "-H",
                "content-type: a/b",
                "-H",
                "content-length: 9",
            ],
            "PATCH 1  {\"host\":\"localhost\",\"content-type\":\"a/b\",\"content-length\":\"9\"} from\na file\n",
        ),
        (
            &[
                "/json",
                "-d",
                r#"{"a": 5}"#,
                "-H",
                "content-type: application/json",
            ],
            "5",
        ),
        (&["/only", "-H", "host: a.test:1"], "here"),
        (&["/r", "--last-event-id", "1"], "data: b\nid: 2\n\n"),
    ] {
        assert_eq!(room.play(args), expected, "{args:?}");
    }
    assert_eq!(room.fails(&["/only"]).0, 1);
    let mut child = binary()
        .current_dir(room.0.path())
        .args([
            "play",
            "s.yaml",
            "/json",
            "-d",
            "@-",
            "-H",
            "content-type: application/json",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{\"a\": \"in\"}").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"in");
}

#[test]
fn answers_without_a_body_and_those_in_a_streams_place_are_told() {
    let room = Room::new(
        r#"
cors: { origins: "*" }
topics: { t: { gap: error } }
endpoints:
  - { path: /none, status: 204, body: never seen }
  - { path: /stream, after: 20ms, stream: [{ data: a }] }
  - { path: /gone, stream: [{ follow: t }] }
"#,
    );
    assert_eq!(room.play(&["/none"]), "");
    let head = room.play(&["/stream", "-X", "HEAD", "-i"]);
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"),
        "{head}"
    );
    assert!(
        head.ends_with("\r\n\r\n") && head.matches("\r\n\r\n").count() == 1,
        "{head}"
    );
    let shown = room.play(&["/stream", "--timeline", "-i"]);
    assert!(shown.contains("  0.020 s  head "), "{shown}");
    assert!(shown.contains(" content-type: text/event-stream\n"), "{shown}");
    let gone = room.run(&[
        "/gone",
        "--last-event-id",
        "x",
        "-i",
        "-H",
        "origin: http://a.test",
    ]);
    let (code, out, err) = said(&gone);
    assert!(code == Some(1) && err.contains("status 410"), "{err}");
    assert!(
        out.starts_with("HTTP/1.1 410 Gone\r\n") && out.contains("x-mock-gap: error\r\n"),
        "{out}"
    );
    assert!(out.contains("access-control-allow-origin: *\r\n"), "{out}");
}

#[test]
fn wrong_usage_names_the_flag() {
    let room = Room::new("endpoints: [{ path: /a, body: a }]");
    for (args, expected) in [
        (
            &["/a", "--header", "x"][..],
            "'--header <HEADER>': there is no colon: write 'Name: value'",
        ),
        (
            &["/a", "--header", "a b: c"],
            "'--header <HEADER>': `a b` is no name of a header",
        ),
        (
            &["/a", "--header", "a: b\nc: d"],
            "'--header <HEADER>': a header's value holds no line end",
        ),
        (
            &["/a", "--last-event-id", "\n"],
            "'--last-event-id <ID>': a header's value holds no line end",
        ),
        (
            &["/a", "--last-event-id", "1", "-H", "Last-Event-ID: 1"],
            "--last-event-id and --header",
        ),
        (
            &["/a", "--method", "A/B"],
            "'--method <METHOD>': a method is one word",
        ),
        (&["/a", "--data", "@nowhere"], "--data: cannot read nowhere: "),
        (
            &["/a", "--svg", "nowhere/p.svg"],
            "--svg: cannot write nowhere/p.svg: ",
        ),
        (&["/a", "--events", "0"], "'--events <COUNT>'"),
        (&["/a", "--attempt", "0"], "'--attempt <N>'"),
        (&["/a", "--for", "5"], "'--for <TIME>'"),
        (
            &["/a", "--json", "--timeline"],
            "'--json' cannot be used with '--timeline'",
        ),
        (
            &["/a", "--json", "--include"],
            "'--json' cannot be used with '--include'",
        ),
        (&["/a b"], "the path `/a b` holds characters that no address has"),
        (&["/__mock/health"], "the server's own"),
    ] {
        let (code, err) = room.fails(args);
        assert!(code == 2 && err.contains(expected), "{args:?}: {code} {err}");
    }
}

#[test]
fn a_flood_is_printed_as_it_comes_and_drawn_in_part() {
    let room = Room::new(
        "endpoints: [{ path: /f, stream: [{ repeat: { times: 100000000, steps: [{ data: flood }] } }] }]",
    );
    let (code, _, err) = said(&room.run(&["/f", "--svg", "p.svg"]));
    assert_eq!(code, Some(0));
    assert_eq!(
        err,
        "note: p.svg holds the first 10000 writes; what follows was not played\n"
    );
    let picture = std::fs::read_to_string(room.0.path().join("p.svg")).unwrap();
    assert!(picture.contains("Only the first 10000 writes are drawn."));
    assert_eq!(picture.matches("<rect x=").count(), 10_000);
    // Whoever reads has enough before it is over.
    for way in ["--timeline", "--json", "--include"] {
        let mut child = binary()
            .current_dir(room.0.path())
            .args(["play", "s.yaml", "/f", way])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut beginning = [0; 100_000];
        let mut out = child.stdout.take().unwrap();
        std::io::Read::read_exact(&mut out, &mut beginning).unwrap();
        assert!(String::from_utf8_lossy(&beginning).contains("data: flood"));
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!(said(&output), (Some(0), String::new(), String::new()), "{way}");
    }
}

#[test]
fn a_terminal_gets_colours_unless_it_wants_none() {
    let room = Room::new("endpoints: [{ path: /a, stream: [{ data: a }] }]");
    let shown = |no_color: &str| {
        // What it runs has a terminal for its output.
        let spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))";
        let mut command = std::process::Command::new("python3");
        command.args(["-c", spawn, env!("CARGO_BIN_EXE_mock-sse")]);
        command.args(["play", "s.yaml", "/a", "--timeline"]);
        command
            .current_dir(room.0.path())
            .env("NO_COLOR", no_color)
            .stdin(Stdio::null());
        said(&finish(command)).1
    };
    assert!(shown("").contains("\x1b[32mevent "), "{:?}", shown(""));
    assert!(
        shown("1").contains("  event ") && !shown("1").contains('\x1b'),
        "{:?}",
        shown("1")
    );
    assert!(!room.play(&["/a", "--timeline"]).contains('\x1b'));
}
