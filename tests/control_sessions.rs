//! Sessions are made, listed, begun anew and ended by commands.

mod commands;
mod support;

use commands::{Kept, ask, done, refused, tell};
use serde_json::{Value as Json, json};
use support::{Server, serve};

const YAML: &str = "
topics: { chat: { history: 10 } }
endpoints:
  - path: /n
    attempts: [{ body: first }, { body: later }]
  - path: /tick
    stream: [{ data: '{{ seq }}' }, { data: '{{ seq }}', every: 5s }]
  - path: /say
    method: POST
    publish: chat
";

fn names(server: &Server) -> Vec<Json> {
    let all = done(ask(server, "GET", "/__mock/sessions"));
    let all = all["sessions"].as_array().unwrap().clone();
    all.into_iter().map(|session| session["name"].clone()).collect()
}

#[test]
fn a_session_may_have_a_manual_clock_from_its_beginning() {
    let server = serve(YAML, &["--no-tls"]);
    let wish = json!({ "clock": "manual", "now": "2026-01-01T00:00:00Z" });
    let made = done(tell(&server, "PUT", "/__mock/sessions/a", wish.clone()));
    assert_eq!(
        (&made["name"], &made["clock"]["mode"]),
        (&json!("a"), &json!("manual"))
    );
    assert_eq!(made["clock"]["wall"], "2026-01-01T00:00:00.000Z");
    let mut stream = server.open("/~a/tick", &[]);
    assert_eq!(stream.field("data"), "1");
    done(tell(
        &server,
        "POST",
        "/~a/__mock/clock/advance",
        json!({ "by": "5s" }),
    ));
    assert_eq!(stream.field("data"), "2");
    // By header as well.
    let answer = server.send("GET", "/__mock/clock", &[("x-mock-session", "a")], b"");
    assert_eq!(done(commands::read(answer))["now_ms"], 5000.0);
    assert_eq!(done(ask(&server, "GET", "/__mock/clock"))["mode"], "real");
    // Again it is what it is, but its clock cannot change any more.
    let (status, _) = refused(tell(
        &server,
        "PUT",
        "/__mock/sessions/a",
        json!({ "clock": "real" }),
    ));
    assert_eq!(status, 409);
    assert_eq!(
        done(tell(&server, "PUT", "/__mock/sessions/a", json!({})))["open"],
        1
    );
}

#[test]
fn sessions_are_listed_and_end_when_they_are_deleted() {
    let server = serve(YAML, &["--no-tls"]);
    assert_eq!(names(&server), [""]);
    assert_eq!(
        (server.get("/~b/n").body, server.get("/~b/n").body),
        ("first".into(), "later".into())
    );
    let mut stream = server.open("/~a/tick", &[]);
    assert_eq!(stream.field("data"), "1");
    assert_eq!(names(&server), ["", "a", "b"]);
    let shown = done(ask(&server, "GET", "/__mock/sessions/a"));
    assert_eq!(
        (&shown["open"], &shown["own_scenario"]),
        (&json!(1), &json!(false))
    );
    assert!(shown["idle_ms"].as_f64().is_some());
    assert_eq!(
        done(ask(&server, "DELETE", "/__mock/sessions/a")),
        json!({ "deleted": "a" })
    );
    assert_eq!(stream.event(), None);
    assert_eq!(names(&server), ["", "b"]);
    for method in ["GET", "DELETE"] {
        let (status, detail) = refused(ask(&server, method, "/__mock/sessions/a"));
        assert_eq!(status, 404);
        assert!(detail.contains("no session `a`"), "{detail}");
    }
    let (status, _) = refused(tell(&server, "PUT", "/__mock/sessions/a%2Fb", json!({})));
    assert_eq!(status, 400);
    let (status, _) = refused(tell(
        &server,
        "PUT",
        "/__mock/sessions/z",
        json!({ "clock": "real", "scale": 3 }),
    ));
    assert_eq!((status, names(&server).len()), (400, 2));
}

#[test]
fn a_reset_begins_one_session_or_all_anew() {
    let server = serve(YAML, &["--no-tls"]);
    for prefix in ["", "/~a"] {
        assert_eq!(server.get(&format!("{prefix}/n")).body, "first");
        server.post(&format!("{prefix}/say"), "{\"a\":1}");
    }
    let mut stream = server.open("/tick", &[]);
    assert_eq!(stream.field("data"), "1");
    assert_eq!(
        done(ask(&server, "POST", "/__mock/reset")),
        json!({ "reset": [""] })
    );
    assert_eq!(stream.event(), None);
    assert_eq!(server.get("/n").body, "first");
    assert_eq!(server.get("/~a/n").body, "later");
    assert_eq!(
        done(ask(&server, "GET", "/__mock/topics"))["topics"][0]["count"],
        0
    );
    assert_eq!(
        done(ask(&server, "GET", "/~a/__mock/topics"))["topics"][0]["count"],
        1
    );
    assert_eq!(
        done(ask(&server, "POST", "/__mock/reset?all=true")),
        json!({ "reset": ["", "a"] })
    );
    assert_eq!(server.get("/~a/n").body, "first");
}

#[test]
fn commands_are_nobodys_attempts() {
    let yaml =
        "endpoints: [{ path: '/{rest...}', method: ANY, attempts: [{ body: first }, { body: later }] }]";
    let server = serve(yaml, &["--no-tls"]);
    for _ in 0..3 {
        done(ask(&server, "GET", "/__mock/clock"));
    }
    assert_eq!(server.get("/x").body, "first");
}

#[test]
fn a_session_that_is_made_under_its_own_name_begins_at_zero() {
    let server = serve(YAML, &["--no-tls"]);
    let made = done(tell(
        &server,
        "PUT",
        "/~a/__mock/sessions/a",
        json!({ "clock": "manual" }),
    ));
    assert_eq!(made["clock"]["now_ms"], 0.0);
    done(ask(&server, "DELETE", "/~a/__mock/sessions/a"));
    assert_eq!(names(&server), [json!("")]);
}

const LATE: &str = "
endpoints:
  - { path: /late, after: 5s, body: late }
  - { path: /away, stream: [{ data: a }, { offline: 1h }, { data: b }, { end: hold }] }
  - { path: /mute, stream: [{ data: a }, { end: stall }] }
  - { path: /post, method: POST, stream: [{ data: '{{ attempt }}' }, { end: hold }] }
";

#[test]
fn a_reset_opens_what_a_script_has_closed() {
    let server = serve(LATE, &["--no-tls", "--clock", "manual"]);
    let socket = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let mut kept = Kept::new(socket);
    let mut away = server.open("/away", &[]);
    assert_eq!((away.field("data"), away.field("data")), ("a".into(), "b".into()));
    assert!(std::net::TcpStream::connect(("127.0.0.1", server.port)).is_err());
    assert_eq!(kept.ask("POST", "/__mock/reset", "").0, 200);
    let began = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", server.port)).is_err() {
        assert!(began.elapsed() < support::PATIENCE, "nobody listens again");
        std::thread::yield_now();
    }
}

#[test]
fn nobody_is_left_waiting_in_a_world_that_is_over() {
    let server = serve(LATE, &["--no-tls", "--clock", "manual"]);
    let port = server.port;
    let late = std::thread::spawn(move || support::send_at(port, "GET", "/late", &[], b"").status);
    done(ask(&server, "GET", "/__mock/journal?count=1&wait=20s"));
    done(ask(&server, "POST", "/__mock/reset"));
    assert_eq!(late.join().unwrap(), 200);

    // A request whose body comes after the reset is one of the new world.
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = b"POST /post HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n";
    std::io::Write::write_all(&mut socket, head).unwrap();
    let mut answer = [0; 25];
    // It asks for the body: it has seen the head.
    std::io::Read::read_exact(&mut socket, &mut answer).unwrap();
    done(ask(&server, "POST", "/__mock/reset"));
    std::io::Write::write_all(&mut socket, b"x").unwrap();
    done(ask(&server, "GET", "/__mock/connections?count=1&wait=20s"));
}

#[test]
fn a_stalled_stream_refuses_events_at_once() {
    let server = serve(LATE, &["--no-tls", "--clock", "manual"]);
    let mut mute = server.open("/mute", &[]);
    assert_eq!(mute.field("data"), "a");
    done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": "0s" }),
    ));
    let path = "/__mock/connections/events?timeout=20s";
    let sent = done(tell(&server, "POST", path, json!({ "data": 1 })));
    assert_eq!(sent["reached"], 0);
    assert_eq!(
        sent["refused"][0]["why"],
        "it has ended, or sends nothing any more"
    );
}
