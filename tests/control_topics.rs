//! Topics, signals and state are seen and changed by commands.

mod commands;
mod support;

use commands::{ask, done, refused, tell};
use serde_json::json;
use support::serve;

const YAML: &str = "
topics:
  chat: { history: 2 }
  'room/{id}': { history: 10 }
endpoints:
  - path: /chat
    stream: [{ follow: chat }]
  - path: '/room/{id}'
    stream: [{ follow: 'room/{{ id }}' }]
  - path: /job
    stream: [{ data: waiting }, { wait_for: { signal: go } }, { data: done }]
  - path: /set
    set: { color: red, list: [1, 2] }
    body: '{{ state.color }}'
  - path: /color
    body: '{{ state.color }}'
";

#[test]
fn messages_are_published_kept_and_forgotten() {
    let server = serve(YAML, &["--clock", "manual", "--no-tls"]);
    let listed = done(ask(&server, "GET", "/__mock/topics"));
    let chat = json!({ "name": "chat", "clients": 0, "count": 0, "kept": 0 });
    assert_eq!(listed, json!({ "topics": [chat] }));
    let mut stream = server.open("/chat", &[]);
    let answer = server.send(
        "POST",
        "/__mock/topics/chat",
        &[],
        br#"{ "event": "say", "id": "counter", "data": [1] }"#,
    );
    assert_eq!(answer.header("x-mock-reached"), Some("1"));
    let published = done(commands::read(answer));
    assert_eq!(
        published,
        json!({ "topic": "chat", "number": 1, "id": "1", "reached": 1 })
    );
    assert_eq!(stream.event().as_deref(), Some("event: say\ndata: [1]\nid: 1"));
    done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": "3s" }),
    ));
    for text in ["b", "c"] {
        let answer = server.send(
            "POST",
            "/__mock/topics/chat",
            &[("content-type", "text/plain")],
            text.as_bytes(),
        );
        assert_eq!(answer.status, 200);
        assert_eq!(stream.event(), Some(format!("data: {text}")));
    }
    assert_eq!(
        done(ask(&server, "GET", "/__mock/topics/chat")),
        json!({ "name": "chat", "clients": 1, "count": 3, "kept": 2, "messages": [
            { "number": 2, "at_ms": 3000.0, "data": "b" }, { "number": 3, "at_ms": 3000.0, "data": "c" },
        ]})
    );
    assert_eq!(
        done(ask(&server, "DELETE", "/__mock/topics/chat")),
        json!({ "cleared": 2 })
    );
    let cleared = done(ask(&server, "GET", "/__mock/topics/chat"));
    assert_eq!((&cleared["messages"], &cleared["count"]), (&json!([]), &json!(3)));
    assert_eq!(
        done(tell(
            &server,
            "POST",
            "/__mock/topics/chat",
            json!({ "data": "d" })
        ))["number"],
        4
    );
    assert_eq!(stream.event().as_deref(), Some("data: d"));
}

#[test]
fn a_topics_name_may_have_slashes() {
    let server = serve(YAML, &["--no-tls"]);
    let mut stream = server.open("/room/a%20b", &[]);
    for path in ["room/a%20b", "room%2Fa%20b"] {
        assert_eq!(
            done(tell(
                &server,
                "POST",
                &format!("/__mock/topics/{path}"),
                json!({ "data": 1 })
            ))["reached"],
            1
        );
        assert_eq!(stream.event().as_deref(), Some("data: 1"));
    }
    assert_eq!(
        done(ask(&server, "GET", "/__mock/topics"))["topics"][1]["name"],
        "room/a b"
    );
}

#[test]
fn what_cannot_be_published_is_refused_and_said() {
    let server = serve(YAML, &["--no-tls"]);
    for method in ["GET", "DELETE"] {
        let (status, detail) = refused(ask(&server, method, "/__mock/topics/chta"));
        assert_eq!(
            (status, detail.contains("did you mean `chat`?")),
            (404, true),
            "{detail}"
        );
    }
    assert_eq!(
        refused(tell(&server, "POST", "/__mock/topics/nope", json!({ "data": 1 }))).0,
        404
    );
    for body in [
        json!({}),
        json!({ "topic": "x" }),
        json!([{ "data": 1 }]),
        json!({ "id": "a\nb" }),
    ] {
        let (status, _) = refused(tell(&server, "POST", "/__mock/topics/chat", body.clone()));
        assert_eq!(status, 400, "{body}");
    }
}

#[test]
fn a_signal_lets_a_script_go_on() {
    let server = serve(YAML, &["--clock", "manual", "--no-tls"]);
    let mut stream = server.open("/job", &[]);
    assert_eq!(stream.field("data"), "waiting");
    assert_eq!(
        done(ask(&server, "GET", "/__mock/signals")),
        json!({ "signals": [] })
    );
    assert_eq!(
        done(ask(&server, "POST", "/__mock/signals/go")),
        json!({ "signal": "go" })
    );
    assert_eq!(stream.field("data"), "done");
    assert_eq!(
        done(ask(&server, "GET", "/__mock/signals")),
        json!({ "signals": ["go"] })
    );
}

#[test]
fn shared_values_are_seen_and_changed() {
    let server = serve(YAML, &["--no-tls"]);
    assert_eq!(done(ask(&server, "GET", "/__mock/state")), json!({ "state": {} }));
    server.get("/set");
    let all = json!({ "state": { "color": "red", "list": [1, 2] } });
    assert_eq!(done(ask(&server, "GET", "/__mock/state")), all);
    assert_eq!(
        done(tell(&server, "PUT", "/__mock/state/color", json!("blue")))["state"]["color"],
        "blue"
    );
    assert_eq!(server.get("/color").body, "blue");
    assert_eq!(
        done(ask(&server, "DELETE", "/__mock/state/color")),
        json!({ "state": { "list": [1, 2] } })
    );
    assert_eq!(
        done(ask(&server, "GET", "/~other/__mock/state")),
        json!({ "state": {} })
    );
}
