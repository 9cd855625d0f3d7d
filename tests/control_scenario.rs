//! The scenario is seen, put in force and loaded again by commands.

mod commands;
mod support;

use commands::{ask, done, read, refused};
use serde_json::{Value as Json, json};
use support::{Server, serve, serve_in};

const OLD: &str = "endpoints: [{ path: /a, body: old }]";
const NEW: &str = "endpoints: [{ path: /a, body: new }, { path: [/b, /c], method: [PUT, POST], body: b }]";
const BROKEN: &str = "endpoints: [{ path: /a, bdoy: new }]";

fn put(server: &Server, path: &str, yaml: &str) -> (u16, Json) {
    read(server.send(
        "PUT",
        path,
        &[("content-type", "application/yaml")],
        yaml.as_bytes(),
    ))
}

#[test]
fn the_scenario_in_force_and_its_endpoints_are_shown() {
    let server = serve(NEW, &["--no-tls", "--watch", "off"]);
    let shown = done(ask(&server, "GET", "/__mock/scenario"));
    assert_eq!(
        (&shown["from"], &shown["files"]),
        (&json!("files"), &json!(["scenario.yaml"]))
    );
    assert_eq!(shown["scenario"]["endpoints"][0]["key"], "GET /a#0");
    assert_eq!(
        done(ask(&server, "GET", "/__mock/endpoints"))["endpoints"][1],
        json!({ "key": "PUT, POST /b, /c#0", "methods": ["PUT", "POST"], "paths": ["/b", "/c"], "open": 0 })
    );
    let built_in = serve_in(tempfile::tempdir().unwrap(), &["--no-tls"]);
    assert_eq!(
        done(ask(&built_in, "GET", "/__mock/scenario"))["from"],
        "built_in"
    );
}

#[test]
fn a_scenario_is_put_in_force_until_the_files_change() {
    let server = serve(OLD, &["--no-tls", "--watch", "off"]);
    assert_eq!(
        done(put(&server, "/__mock/scenario", NEW)),
        json!({ "endpoints": 2, "warnings": [] })
    );
    assert_eq!(server.get("/a").body, "new");
    assert_eq!(done(ask(&server, "GET", "/__mock/scenario"))["from"], "put");
    // A reload takes what stands in the files.
    let reloaded = done(ask(&server, "POST", "/__mock/reload"));
    assert_eq!(
        reloaded,
        json!({ "changed": false, "endpoints": 1, "warnings": [] })
    );
    assert_eq!(server.get("/a").body, "old");
    done(put(&server, "/__mock/scenario", NEW));
    done(ask(&server, "DELETE", "/__mock/scenario"));
    assert_eq!(server.get("/a").body, "old");
    assert_eq!(done(ask(&server, "GET", "/__mock/scenario"))["from"], "files");
}

#[test]
fn a_named_session_gets_one_of_its_own() {
    let server = serve(OLD, &["--no-tls", "--watch", "off"]);
    done(put(&server, "/~x/__mock/scenario", NEW));
    assert_eq!(
        (server.get("/~x/a").body, server.get("/a").body),
        ("new".into(), "old".into())
    );
    assert_eq!(
        done(ask(&server, "GET", "/~x/__mock/scenario"))["from"],
        "session"
    );
    assert_eq!(
        done(ask(&server, "GET", "/__mock/sessions/x"))["own_scenario"],
        true
    );
    done(ask(&server, "POST", "/__mock/reload"));
    assert_eq!(server.get("/~x/a").body, "new");
    done(ask(&server, "DELETE", "/~x/__mock/scenario"));
    assert_eq!(server.get("/~x/a").body, "old");
}

#[test]
fn a_broken_scenario_changes_nothing_and_says_why() {
    let server = serve(OLD, &["--no-tls", "--watch", "off"]);
    let (status, answer) = put(&server, "/__mock/scenario", BROKEN);
    assert_eq!(status, 422);
    let found = &answer["diagnostics"][0];
    assert_eq!(
        (&found["severity"], &found["line"], &found["column"]),
        (&json!("error"), &json!(1), &json!(25))
    );
    assert!(found["hint"].as_str().unwrap().contains("`body`"), "{found}");
    assert!(found["rendered"].as_str().unwrap().contains("^^^^"), "{found}");
    assert!(
        answer["detail"].as_str().unwrap().contains("nothing has changed"),
        "{answer}"
    );
    assert_eq!(server.get("/a").body, "old");
    let (status, _) = put(
        &server,
        "/__mock/scenario",
        "endpoints: [{ path: /a, file: Cargo.toml }]",
    );
    assert_eq!(status, 422);
    let latin = server.send("PUT", "/__mock/scenario", &[], b"endpoints: [] # \xE4");
    assert_eq!(refused(read(latin)).0, 400);
}

#[test]
fn a_reload_answers_when_it_is_done() {
    let server = serve(OLD, &["--no-tls", "--watch", "off"]);
    let clean = json!({ "broken": false, "in_force": "files", "findings": [] });
    assert_eq!(done(ask(&server, "GET", "/__mock/diagnostics")), clean);
    server.save(NEW);
    assert_eq!(done(ask(&server, "POST", "/__mock/reload"))["changed"], true);
    assert_eq!(server.get("/a").body, "new");
    server.save(BROKEN);
    let (status, answer) = ask(&server, "POST", "/__mock/reload");
    assert_eq!(
        (status, &answer["diagnostics"][0]["file"]),
        (422, &json!("scenario.yaml"))
    );
    assert_eq!(server.get("/a").body, "new");
    let found = done(ask(&server, "GET", "/__mock/diagnostics"));
    assert_eq!(
        (&found["broken"], &found["findings"][0]["line"]),
        (&json!(true), &json!(1))
    );
    server.save(OLD);
    done(ask(&server, "POST", "/__mock/reload"));
    assert_eq!(done(ask(&server, "GET", "/__mock/diagnostics")), clean);
    assert_eq!(server.get("/a").body, "old");
}

#[test]
fn warnings_are_told() {
    let yaml = "topics: { unused: {} }\nendpoints: [{ path: /a, body: old }, { path: /a, body: never }]";
    let server = serve(yaml, &["--no-tls", "--watch", "off"]);
    let found = done(ask(&server, "GET", "/__mock/diagnostics"));
    assert_eq!(
        (&found["broken"], &found["findings"][0]["severity"]),
        (&json!(false), &json!("warning"))
    );
    assert_eq!(
        done(ask(&server, "POST", "/__mock/reload"))["warnings"],
        found["findings"]
    );
    assert_eq!(
        done(put(&server, "/__mock/scenario", yaml))["warnings"][0]["severity"],
        "warning"
    );
}

#[test]
fn commands_work_while_the_server_does_not_listen() {
    let yaml = "endpoints: [{ path: /a, stream: [{ data: x }, { offline: 1h }] }, { path: /b, body: b }]";
    let server = serve(yaml, &["--clock", "manual", "--no-tls"]);
    let kept = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let mut kept = commands::Kept::new(kept);
    assert_eq!(kept.ask("GET", "/b", ""), (200, "b".into()));
    let mut stream = server.open("/a", &[]);
    stream.event();
    // The listener is closed in the background.
    while std::net::TcpStream::connect(("127.0.0.1", server.port)).is_ok() {
        std::thread::yield_now();
    }
    let (status, _) = kept.ask("POST", "/__mock/clock/advance", r#"{"by":"1h"}"#);
    assert_eq!(status, 200);
    while std::net::TcpStream::connect(("127.0.0.1", server.port)).is_err() {
        std::thread::yield_now();
    }
}
