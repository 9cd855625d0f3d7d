//! The server says whether its clients did what the scenario expects.

mod commands;
mod support;

use commands::{ask, done, exchange, refused, tell};
use serde_json::{Value as Json, json};
use support::process::finish;
use support::{Server, binary, repo, serve};

const YAML: &str = "
name: shop
endpoints:
  - name: orders
    path: /orders
    attempts:
      - stream: [{ id: '1', retry: 2s, data: first }, { end: reset }]
      - { status: 204 }
expect:
  - { name: comes back, request: orders, nth: 2, last_event_id: '1', gap: { about: retry, within: 500ms } }
  - { request: orders, nothing_after: 204 }
";

fn by_hand(yaml: &str) -> Server {
    serve(yaml, &["--clock", "manual", "--no-tls"])
}

fn advance(server: &Server, by: &str) {
    done(tell(server, "POST", "/__mock/clock/advance", json!({ "by": by })));
}

/// One whole request, waited for until the server knows its end.
fn visit(server: &Server, prefix: &str, headers: &[(&str, &str)], number: usize) {
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let headers: String = headers.collect();
    let head =
        format!("GET {prefix}/orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    exchange(("127.0.0.1", server.port), &head);
    let ended = format!("{prefix}/__mock/journal?open=false&count={number}&wait=20s");
    done(ask(server, "GET", &ended));
}

#[test]
fn a_client_that_behaves_passes() {
    let server = by_hand(YAML);
    assert_eq!(
        ask(&server, "GET", "/__mock/verify?last=false").1["verdict"],
        "open"
    );
    visit(&server, "", &[], 1);
    advance(&server, "2s");
    visit(&server, "", &[("last-event-id", "1")], 2);
    let verdict = done(ask(&server, "GET", "/__mock/verify"));
    assert_eq!(
        (&verdict["verdict"], &verdict["decided"]),
        (&json!("passed"), &json!(true))
    );
    let first = &verdict["expectations"][0];
    assert_eq!(
        (&first["name"], &first["state"]),
        (&json!("comes back"), &json!("met"))
    );
    let text = server.get("/__mock/verify.txt");
    assert_eq!(text.status, 200);
    assert!(text.body.contains("passed: 2 met"), "{}", text.body);
    // One more after the 204 is forbidden.
    visit(&server, "", &[], 3);
    assert_eq!(ask(&server, "GET", "/__mock/verify").0, 409);
}

#[test]
fn a_client_that_does_not_is_shown_what_was_expected_and_what_came() {
    let server = by_hand(YAML);
    visit(&server, "", &[], 1);
    advance(&server, "9s");
    visit(&server, "", &[("last-event-id", "0")], 2);
    let (status, verdict) = ask(&server, "GET", "/__mock/verify");
    assert_eq!((status, &verdict["verdict"]), (409, &json!("failed")));
    assert_eq!(verdict["expectations"][0]["requests"][1]["number"], 2);
    let text = server.get("/__mock/verify.txt");
    assert_eq!(text.status, 409);
    let golden = repo("tests/fixtures/verdicts/on-the-wire.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text.body).unwrap();
    }
    assert_eq!(text.body, std::fs::read_to_string(golden).unwrap());
    let junit = server.get("/__mock/verify.xml");
    assert_eq!(
        (junit.status, junit.header("content-type")),
        (409, Some("application/xml"))
    );
    assert!(
        junit
            .body
            .contains("<testsuite name=\"shop\" tests=\"2\" failures=\"1\""),
        "{}",
        junit.body
    );
}

#[test]
fn it_is_waited_until_it_is_decided() {
    let server = by_hand(YAML);
    let port = server.port;
    let waiting = std::thread::spawn(move || {
        let answer = support::send_at(
            port,
            "GET",
            "/__mock/verify?wait=20s",
            &[("connection", "close")],
            b"",
        );
        answer.status
    });
    visit(&server, "", &[], 1);
    advance(&server, "2s");
    visit(&server, "", &[("last-event-id", "1")], 2);
    assert_eq!(waiting.join().unwrap(), 200);
}

#[test]
fn what_fails_by_time_does_so_on_the_sessions_clock() {
    let yaml = "
endpoints: [{ path: /sse, stream: [{ data: a }, { end: hold }] }]
expect: [{ request: GET /sse, hangs_up: 3s }]
";
    let server = by_hand(yaml);
    let mut stream = server.open("/sse", &[]);
    assert_eq!(stream.field("data"), "a");
    let port = server.port;
    let waiting =
        std::thread::spawn(move || support::send_at(port, "GET", "/__mock/verify?wait=20s", &[], b"").status);
    advance(&server, "1h");
    assert_eq!(waiting.join().unwrap(), 409);
    let next = done(ask(&server, "GET", "/__mock/clock"));
    // The judge is nobody that the clock waits for.
    assert!(next.get("next_due_ms").is_none(), "{next}");
}

#[test]
fn sessions_are_judged_apart() {
    let server = by_hand(YAML);
    visit(&server, "/~good", &[], 1);
    visit(&server, "/~bad", &[], 1);
    done(tell(
        &server,
        "POST",
        "/~good/__mock/clock/advance",
        json!({ "by": "2s" }),
    ));
    visit(&server, "/~good", &[("last-event-id", "1")], 2);
    visit(&server, "/~bad", &[], 2);
    assert_eq!(ask(&server, "GET", "/~good/__mock/verify").0, 200);
    assert_eq!(ask(&server, "GET", "/~bad/__mock/verify").0, 409);
    assert_eq!(ask(&server, "GET", "/__mock/verify").0, 409);
    done(ask(&server, "POST", "/~bad/__mock/reset"));
    assert_eq!(
        ask(&server, "GET", "/~bad/__mock/verify?last=false").1["verdict"],
        "open"
    );
}

#[test]
fn a_scenario_that_expects_something_else_is_judged_anew_and_the_same_goes_on() {
    let server = by_hand(YAML);
    visit(&server, "", &[], 1);
    advance(&server, "2s");
    server.save(&YAML.replace("name: shop", "name: store"));
    done(ask(&server, "POST", "/__mock/reload"));
    visit(&server, "", &[("last-event-id", "1")], 2);
    assert_eq!(ask(&server, "GET", "/__mock/verify").0, 200);
    server.save(&YAML.replace("nothing_after: 204", "nothing_after: 204, for: 1s"));
    done(ask(&server, "POST", "/__mock/reload"));
    assert_eq!(
        ask(&server, "GET", "/__mock/verify?last=false").1["verdict"],
        "open"
    );
    let none = &YAML[..YAML.find("expect:").unwrap()];
    server.save(none);
    done(ask(&server, "POST", "/__mock/reload"));
    let (status, why) = refused(ask(&server, "GET", "/__mock/verify"));
    assert_eq!(status, 404);
    assert!(why.contains("expects nothing"), "{why}");
}

/// The exit code of a server, what it said after the banner, and its JUnit file.
fn over(server: &mut Server) -> (Option<i32>, String) {
    let code = server.child.wait().unwrap().code();
    (code, server.rest.read_to_end())
}

#[test]
fn the_process_says_it_at_the_end() {
    for (good, code, word) in [(true, 0, "passed: 2 met"), (false, 1, "failed: 0 met, 2 failed")] {
        let mut server = serve(
            YAML,
            &[
                "--clock",
                "manual",
                "--no-tls",
                "--verify",
                "--junit",
                "junit.xml",
            ],
        );
        visit(&server, "", &[], 1);
        if good {
            advance(&server, "2s");
            visit(&server, "", &[("last-event-id", "1")], 2);
        }
        server.signal("TERM");
        let (exit, said) = over(&mut server);
        assert_eq!(exit, Some(code), "{said}");
        assert!(said.contains(word), "{said}");
        let junit = std::fs::read_to_string(server.path("junit.xml")).unwrap();
        assert!(junit.contains("<testsuite name=\"shop\" tests=\"2\""), "{junit}");
    }
}

#[test]
fn sessions_are_told_apart_at_the_end() {
    let mut server = serve(YAML, &["--clock", "manual", "--no-tls", "--verify"]);
    for name in ["/~a", "/~b"] {
        visit(&server, name, &[], 1);
    }
    server.signal("INT");
    let (exit, said) = over(&mut server);
    assert_eq!(exit, Some(1));
    assert!(
        said.contains("shop, session a\n") && said.contains("shop, session b\n"),
        "{said}"
    );
}

#[test]
fn it_ends_as_soon_as_it_is_decided() {
    let mut server = serve(YAML, &["--clock", "manual", "--no-tls", "--until-verified"]);
    visit(&server, "", &[], 1);
    // Begun anew, it is still waited for.
    done(ask(&server, "POST", "/__mock/reset"));
    visit(&server, "", &[], 1);
    advance(&server, "2s");
    let answer = server.send("GET", "/orders", &[("last-event-id", "1")], b"");
    assert_eq!(answer.status, 204);
    let (exit, said) = over(&mut server);
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("passed: 2 met"), "{said}");
}

#[test]
fn there_must_be_something_to_verify() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.yaml"), "endpoints: [{ path: /, body: a }]").unwrap();
    for flag in ["--verify", "--until-verified"] {
        let mut command = binary();
        command
            .current_dir(folder.path())
            .args(["-s", "s.yaml", "--port", "0", "--no-tls", flag]);
        let output = finish(command);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("nothing to verify"), "{said}");
    }
}

#[test]
fn explain_says_what_is_expected() {
    let mut command = binary();
    command.args(["explain"]).arg(repo("scenarios/reconnect.yaml"));
    let said = String::from_utf8(finish(command).stdout).unwrap();
    assert!(said.contains("\nexpect:\n  1. "), "{said}");
    let mut command = binary();
    command
        .args(["explain", "--format", "json"])
        .arg(repo("scenarios/reconnect.yaml"));
    let json: Json = serde_json::from_slice(&finish(command).stdout).unwrap();
    assert_eq!(json["expect"].as_array().unwrap().len(), 5);
}

#[test]
fn a_cleared_journal_hides_nothing_and_a_deleted_session_was_judged_by_whoever_deleted_it() {
    let mut server = serve(YAML, &["--clock", "manual", "--no-tls", "--verify"]);
    visit(&server, "/~a", &[], 1);
    done(ask(&server, "DELETE", "/~a/__mock/journal"));
    server.signal("TERM");
    let (exit, said) = over(&mut server);
    assert_eq!(exit, Some(1), "{said}");

    let mut server = serve(YAML, &["--clock", "manual", "--no-tls", "--verify"]);
    visit(&server, "/~a", &[], 1);
    done(ask(&server, "DELETE", "/__mock/sessions/a"));
    server.signal("TERM");
    let (exit, said) = over(&mut server);
    assert_eq!(exit, Some(0), "{said}");
    assert!(
        said.contains("every session that was used has been deleted"),
        "{said}"
    );
}

#[test]
fn an_event_that_is_sent_in_is_the_last_one() {
    let yaml = "
endpoints: [{ path: /sse, stream: [{ data: a }, { end: hold }] }]
expect: [{ request: GET /sse, hangs_up: 2s }]
";
    let server = by_hand(yaml);
    let mut stream = server.open("/sse", &[]);
    assert_eq!(stream.field("data"), "a");
    advance(&server, "1s");
    done(tell(
        &server,
        "POST",
        "/__mock/connections/1/events",
        json!({ "data": "b" }),
    ));
    assert_eq!(stream.field("data"), "b");
    advance(&server, "1500ms");
    drop(stream);
    done(ask(&server, "GET", "/__mock/journal?open=false&count=1&wait=20s"));
    assert_eq!(ask(&server, "GET", "/__mock/verify").0, 200);
}

#[test]
fn who_is_turned_away_has_come_all_the_same() {
    let yaml = "
endpoints: [{ name: feed, path: /sse, limits: { connections: 1 }, stream: [{ data: a }, { end: hold }] }]
expect: [{ request: feed, rate: { at_most: 2, per: 1s } }]
";
    let server = by_hand(yaml);
    let _open = server.open("/sse", &[]);
    for _ in 0..3 {
        assert_eq!(server.get("/sse").status, 503);
    }
    assert_eq!(ask(&server, "GET", "/__mock/verify").0, 409);
}

#[test]
fn what_must_stay_true_is_not_met_before_its_time() {
    let yaml = "
endpoints: [{ path: /a, status: 204 }]
expect: [{ request: GET /a, nothing_after: 204, for: 3s }]
";
    let server = by_hand(yaml);
    assert_eq!(server.get("/a").status, 204);
    let text = server.get("/__mock/verify.txt");
    assert_eq!(text.status, 409);
    assert!(
        text.body.contains("it was true, but not for long enough"),
        "{}",
        text.body
    );
    advance(&server, "3s");
    assert_eq!(ask(&server, "GET", "/__mock/verify").0, 200);
}

#[test]
fn head_is_no_request_of_an_endpoint() {
    let yaml = "
endpoints: [{ name: a, path: /a, body: a }]
expect: [{ request: a, count: 1 }, { request: HEAD /a, count: 1 }]
";
    let server = by_hand(yaml);
    server.get("/a");
    server.send("HEAD", "/a", &[], b"");
    let text = server.get("/__mock/verify.txt");
    assert_eq!(text.status, 200, "{}", text.body);
}
