//! What happens in a session is told as a stream.

mod commands;
mod support;

use commands::{ask, done, tell};
use serde_json::{Value as Json, json};
use support::{Server, Stream, serve};

const YAML: &str = "
topics: { chat: {} }
endpoints:
  - path: /sse
    stream: [{ data: hello }, { end: hold }]
  - path: /say
    method: POST
    publish: { topic: chat, id: counter }
";

fn listen(server: &Server, path: &str, after: Option<u64>) -> Stream {
    let last = after.map(|id| id.to_string());
    let headers: Vec<(&str, &str)> = last.iter().map(|id| ("last-event-id", id.as_str())).collect();
    let mut stream = server.open(path, &headers);
    assert_eq!(
        (stream.status, stream.header("content-type")),
        (200, Some("text/event-stream"))
    );
    // From here on nothing is missed.
    assert_eq!(stream.event().as_deref(), Some(": listening"));
    stream
}

/// The next happening: its number, its name, what is said of it.
fn next(stream: &mut Stream) -> (u64, String, Json) {
    let event = stream.event().expect("another happening");
    let field = |name: &str| {
        event
            .lines()
            .find_map(|l| l.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    let data = serde_json::from_str(&field("data: ")).unwrap();
    (field("id: ").parse().unwrap(), field("event: "), data)
}

#[test]
fn what_happens_is_told_in_order() {
    let server = serve(YAML, &["--clock", "manual", "--no-tls"]);
    let mut news = listen(&server, "/__mock/events", None);
    let mut stream = server.open("/sse", &[]);
    stream.event();
    let peer = stream.socket().local_addr().unwrap().to_string();
    let connected = json!({ "at_ms": 0.0, "connection": 1, "endpoint": "GET /sse#0", "peer": peer });
    let asked = json!({ "at_ms": 0.0, "method": "GET", "target": "/sse", "peer": peer });
    assert_eq!(next(&mut news), (1, "request".into(), asked));
    assert_eq!(next(&mut news), (2, "connected".into(), connected));
    let answered = json!({ "at_ms": 0.0, "method": "GET", "target": "/sse", "status": 200 });
    assert_eq!(next(&mut news), (3, "answered".into(), answered));
    done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": "2s" }),
    ));
    assert_eq!(
        next(&mut news),
        (4, "advanced".into(), json!({ "at_ms": 2000.0, "by_ms": 2000.0 }))
    );
    server.post("/say", "{}");
    let published = json!({ "at_ms": 2000.0, "topic": "chat", "number": 1, "id": "1", "reached": 0 });
    assert_eq!(next(&mut news).1, "request");
    assert_eq!(next(&mut news), (6, "published".into(), published));
    assert_eq!(next(&mut news).1, "answered");
    done(ask(&server, "POST", "/__mock/signals/go"));
    assert_eq!(
        next(&mut news),
        (8, "signalled".into(), json!({ "at_ms": 2000.0, "signal": "go" }))
    );
    done(ask(&server, "POST", "/__mock/connections/close"));
    let left =
        json!({ "at_ms": 2000.0, "connection": 1, "endpoint": "GET /sse#0", "events": 1, "bytes": 13 });
    assert_eq!(next(&mut news), (9, "disconnected".into(), left));
    done(ask(&server, "POST", "/__mock/reload"));
    assert_eq!(
        next(&mut news),
        (10, "reloaded".into(), json!({ "at_ms": 2000.0, "endpoints": 2 }))
    );
    // The news go on when the session begins anew.
    done(ask(&server, "POST", "/__mock/reset"));
    assert_eq!(next(&mut news), (11, "reset".into(), json!({ "at_ms": 2000.0 })));
    done(ask(&server, "POST", "/__mock/signals/again"));
    assert_eq!(
        next(&mut news),
        (12, "signalled".into(), json!({ "at_ms": 0.0, "signal": "again" }))
    );
    // Who comes back hears what was missed.
    drop(news);
    done(ask(&server, "POST", "/__mock/signals/missed"));
    let mut again = listen(&server, "/__mock/events", Some(12));
    assert_eq!(next(&mut again).2["signal"], "missed");
}

#[test]
fn sessions_have_news_of_their_own_which_end_with_them() {
    let server = serve(YAML, &["--no-tls"]);
    let mut news = listen(&server, "/~a/__mock/events", None);
    done(ask(&server, "POST", "/~b/__mock/signals/elsewhere"));
    done(ask(&server, "POST", "/~a/__mock/signals/here"));
    assert_eq!(next(&mut news).2["signal"], "here");
    done(ask(&server, "DELETE", "/__mock/sessions/a"));
    assert_eq!(news.event(), None);
}

#[test]
fn a_listener_holds_up_neither_time_nor_the_end() {
    let mut server = serve(YAML, &["--clock", "manual", "--no-tls"]);
    let mut news = listen(&server, "/__mock/events", None);
    // It is nobody's stream.
    assert_eq!(done(ask(&server, "GET", "/__mock/connections"))["count"], 0);
    for _ in 0..20 {
        done(tell(
            &server,
            "POST",
            "/__mock/clock/advance",
            json!({ "by": "1d" }),
        ));
    }
    assert_eq!(server.send("HEAD", "/__mock/events", &[], b"").status, 200);
    server.signal("TERM");
    while news.event().is_some() {}
    assert!(server.exit().success());
}
