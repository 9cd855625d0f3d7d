//! One line a request: for people, and as JSON.

mod support;

use std::io::Read;

use serde_json::Value;
use support::process::{Started, curl, start};
use support::serve;

const SCENARIO: &str = "
endpoints:
  - { path: /three, stream: [{ data: a }, { comment: b }, { data: c }] }
  - { path: /hold, stream: [{ data: a }, { end: hold }] }
  - { path: /body, status: 201, body: hello }
  - { path: /late, after: 1h, body: never }
  - { path: /broken, stream: [{ data: a }, { data: 'x{{ request.query.nope }}' }] }
";

/// The request lines, as soon as there are so many.
fn lines(server: &Started, count: usize) -> Vec<Value> {
    let log = server.log.wait_for_times("\"ended\":", count);
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{line}: {e}")));
    lines.filter(|line| line.get("ended").is_some()).collect()
}

fn json_server() -> Started {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scenario.yaml"), SCENARIO).unwrap();
    start(
        folder,
        &[
            "--port",
            "0",
            "--scenario",
            "scenario.yaml",
            "--log-format",
            "json",
        ],
        &[],
    )
}

/// Reads the beginning of an answer, then leaves.
fn leave(server: &Started, args: &[&str], path: &str) {
    let url = format!("http://127.0.0.1:{}{path}", server.port());
    let mut command = std::process::Command::new("curl");
    let mut child = command
        .args(["-sN"])
        .args(args)
        .arg(url)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 8]).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn json_lines_tell_how_every_request_went() {
    let mut server = json_server();
    let url = |scheme: &str, path: &str| format!("{scheme}://127.0.0.1:{}{path}", server.port());
    let mut seen = Vec::new();
    let mut check = |server: &Started, path: &str, expected: Value| {
        let lines = lines(server, seen.len() + 1);
        let line = lines.last().unwrap();
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&line[key], value, "{path} {key} {line}");
        }
        assert!(line["duration_ms"].is_u64() && line["peer"].is_string() && line["timestamp"].is_string());
        seen.push(path.to_owned());
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (args, protocol) in [
        (&["--http1.1"][..], "HTTP/1.1"),
        (&["--http2-prior-knowledge"], "HTTP/2"),
    ] {
        curl(&[args, &[&url("http", "/three?x=1")]].concat());
        let expected = r#"{"method":"GET","target":"/three?x=1","status":200,"events":3,"bytes":23,"ended":"script ended"}"#;
        check(&server, "/three", json(expected));
        check_protocol(&server, protocol);
        leave(&server, args, "/hold");
        check(
            &server,
            "/hold",
            json(r#"{"status":200,"events":1,"bytes":9,"ended":"client left"}"#),
        );
        check_protocol(&server, protocol);
    }
    curl(&["-k", "-d", "x", &url("https", "/body")]);
    check(
        &server,
        "/body",
        json(r#"{"method":"POST","status":405,"protocol":"HTTP/2+TLS","ended":"answered"}"#),
    );
    curl(&[&url("http", "/body")]);
    check(
        &server,
        "/body",
        json(r#"{"status":201,"bytes":5,"ended":"answered"}"#),
    );
    curl(&[&url("http", "/broken")]);
    let failed = "failed: scenario.yaml:7: undefined value: this value is missing; give it another with \
                  `| default(…)` (in `x{{ request.query.nope }}`)";
    check(
        &server,
        "/broken",
        serde_json::json!({ "status": 200, "events": 1, "bytes": 9, "ended": failed }),
    );
    curl(&["--max-time", "0.3", &url("http", "/late")]);
    check(
        &server,
        "/late",
        json(r#"{"target":"/late","status":200,"bytes":0,"ended":"client left"}"#),
    );

    let mut stream = support::open_at(server.port(), "/hold");
    assert_eq!(stream.field("data"), "a");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(stream.event(), None);
    assert_eq!(server.exit().code(), Some(0));
    check(
        &server,
        "/hold",
        json(r#"{"status":200,"events":1,"bytes":9,"ended":"shutdown"}"#),
    );
}

fn check_protocol(server: &Started, protocol: &str) {
    assert_eq!(lines(server, 1).last().unwrap()["protocol"], protocol);
}

#[test]
fn lines_for_people_say_the_same() {
    let server = serve(SCENARIO, &[]);
    server.get("/three");
    let log = server.log.wait_for("script ended");
    assert!(
        log.contains("GET /three 200 HTTP/1.1 ") && log.contains("3 events, 23 bytes, script ended"),
        "{log}"
    );
    server.get("/nowhere%0a?q=%1b[31m");
    let log = server.log.wait_for("404");
    assert!(log.contains("GET /nowhere%0a?q=%1b[31m 404"), "{log}");
    let quiet = serve(SCENARIO, &["--log-level", "warn"]);
    quiet.get("/three");
    quiet.save("nonsense: 1\n");
    assert!(!quiet.log.wait_for("not reloaded").contains("/three"));
}

#[test]
fn connections_over_the_limit_are_told_so() {
    let server = serve(SCENARIO, &["--max-connections", "2"]);
    let mut open: Vec<_> = (0..2).map(|_| server.open("/hold", &[])).collect();
    open.iter_mut()
        .for_each(|stream| assert_eq!(stream.field("data"), "a"));
    let refused = server.get("/body");
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (503, Some("application/problem+json"))
    );
    assert!(refused.body.contains("the limit of 2 connections"), "{refused:?}");
    drop(open.pop());
    server.log.wait_for("client left");
    // Its place is free again as soon as its socket is closed, which the log does not tell.
    let mut statuses = (0..1000).map(|_| server.get("/body").status);
    assert_eq!(statuses.find(|status| *status != 503), Some(201));
    assert_eq!(open[0].header("content-type"), Some("text/event-stream"));
}

#[test]
fn an_answer_that_the_scenario_spoils_is_explained() {
    let server = serve("endpoints: [{ path: /a, body: '{{ request.json.nope }}' }]", &[]);
    assert_eq!(server.get("/a").status, 500);
    let said = server.log.wait_for("an answer failed: ");
    let line = said
        .lines()
        .find(|line| line.contains("an answer failed"))
        .unwrap();
    assert!(
        line.contains("WARN") && line.contains("scenario.yaml:1"),
        "{line}"
    );
    assert!(line.contains("request.json.nope"), "{line}");
}
