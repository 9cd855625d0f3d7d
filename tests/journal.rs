//! The journal tells what came, what was sent, and how it ended.

mod commands;
mod support;

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use commands::{ask, done, exchange, refused, tell};
use serde_json::{Value as Json, json};
use support::{Server, serve};

const YAML: &str = "
now: 2026-01-01T00:00:00Z
endpoints:
  - name: orders
    path: /orders
    client: request.query.client
    stream:
      - { id: '7', retry: 2s, data: first }
      - { id: '8', data: second, after: 1s }
      - { after: 1s, end: reset }
  - path: /held
    stream: [{ data: a }, { end: hold }]
  - path: /coded
    compress: true
    stream: [{ data: one, id: x }, { data: two }]
  - path: /slow
    throttle: { rate: 10B }
    stream: [{ data: 0123456789012 }]
  - path: /fault
    faults: [{ after: { events: 1 }, end: cut }]
    stream: [{ data: a }, { data: b }]
  - path: /gone
    end: close
  - path: /mute
    end: stall
  - path: /broken
    stream: [{ data: a }, { data: '{{ request.json.x }}' }]
  - path: /later
    after: 1h
    stream: [{ data: a }, { end: hold }]
  - path: /plain
    method: ANY
    body: hello
";

fn by_hand() -> Server {
    serve(YAML, &["--clock", "manual", "--no-tls"])
}

fn entries(server: &Server, query: &str) -> Vec<Json> {
    let answer = done(ask(server, "GET", &format!("/__mock/journal{query}")));
    answer["entries"].as_array().unwrap().clone()
}

/// Waits until so many have ended.
fn ended(server: &Server, count: usize) -> Vec<Json> {
    entries(server, &format!("?open=false&count={count}&wait=20s"))
}

fn advance(server: &Server, by: &str) {
    done(tell(server, "POST", "/__mock/clock/advance", json!({ "by": by })));
}

#[test]
fn a_clients_life_is_told_on_the_sessions_clock() {
    let server = by_hand();
    let mut first = server.open("/orders?client=me", &[("x-twice", "a"), ("x-twice", "b")]);
    assert_eq!(first.field("data"), "first");
    // All that was due has been told when this answers.
    advance(&server, "0s");
    let open = entries(&server, "?open=true");
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["sent"]["events"], 1);
    advance(&server, "2s");
    let one = ended(&server, 1).remove(0);
    advance(&server, "3s");
    let mut second = server.open("/orders?client=me", &[("last-event-id", "8")]);
    assert_eq!(second.field("data"), "first");
    drop(second);
    let two = ended(&server, 2).remove(1);

    assert_eq!(one["number"], 1);
    assert_eq!(
        (&one["at_ms"], &one["time"]),
        (&json!(0.0), &json!("2026-01-01T00:00:00.000Z"))
    );
    assert_eq!(
        (&one["method"], &one["target"]),
        (&json!("GET"), &json!("/orders?client=me"))
    );
    assert_eq!(one["headers"]["x-twice"], json!(["a", "b"]));
    assert_eq!(
        (&one["endpoint"], &one["name"]),
        (&json!("GET /orders"), &json!("orders"))
    );
    assert_eq!((&one["client"], &one["attempt"]), (&json!("me"), &json!(1)));
    assert_eq!(
        one["answered"],
        json!({ "at_ms": 0.0, "status": 200, "stream": true })
    );
    let bytes = "data: first\nid: 7\nretry: 2000\n\ndata: second\nid: 8\n\n".len();
    assert_eq!(
        one["sent"],
        json!({ "events": 2, "comments": 0, "bytes": bytes, "last_event_id": "8", "retry_ms": 2000 })
    );
    assert_eq!(
        one["ended"],
        json!({ "at_ms": 2000.0, "how": "reset", "by": "script" })
    );
    assert!(one.get("gap_ms").is_none());
    assert_eq!((&two["at_ms"], &two["gap_ms"]), (&json!(5000.0), &json!(3000.0)));
    assert_eq!(
        (&two["attempt"], &two["ended"]["how"]),
        (&json!(2), &json!("left"))
    );
    assert_eq!(two["ended"]["by"], "client");
}

#[test]
fn a_stream_whose_client_went_before_its_head_has_ended() {
    let server = by_hand();
    let mut client = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    // The beginning of a second request hides that the client has gone, until something is written.
    let asked = b"GET /later HTTP/1.1\r\nhost: localhost\r\n\r\nGET /x HT";
    client.write_all(asked).unwrap();
    assert_eq!(entries(&server, "?open=true&count=1&wait=20s").len(), 1);
    socket2::SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    advance(&server, "1h");
    assert_eq!(ended(&server, 1)[0]["ended"]["how"], "left");
}

#[test]
fn it_says_how_each_ended_and_who_ended_it() {
    let server = by_hand();
    let whole = |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        assert_eq!(exchange(("127.0.0.1", server.port), &head).0, 200);
    };
    whole("/coded");
    whole("/fault");
    whole("/broken");
    let plain = server.send("POST", "/plain", &[("content-type", "text/plain")], b"ping");
    assert_eq!(plain.status, 200);
    assert_eq!(server.get("/nowhere").status, 404);
    let held = server.open("/held", &[]);
    done(ask(&server, "POST", "/__mock/connections/cut?endpoint=/held"));
    let all = ended(&server, 6);
    let ends: Vec<(&str, &str)> = all
        .iter()
        .map(|e| {
            (
                e["ended"]["how"].as_str().unwrap(),
                e["ended"]["by"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        ends,
        [
            ("close", "script"),
            ("cut", "fault"),
            ("cut", "failure"),
            ("close", "answer"),
            ("close", "answer"),
            ("cut", "order")
        ]
    );
    // As before it was compressed.
    assert_eq!(all[0]["sent"]["bytes"], "data: one\nid: x\n\ndata: two\n\n".len());
    assert_eq!(
        (&all[1]["sent"]["events"], &all[1]["sent"]["bytes"]),
        (&json!(1), &json!(9))
    );
    assert!(
        all[2]["ended"]["why"]
            .as_str()
            .unwrap()
            .contains("request.json.x"),
        "{}",
        all[2]
    );
    assert_eq!(all[3]["body"], json!({ "bytes": 4, "text": "ping" }));
    assert_eq!(all[4]["answered"]["status"], 404);
    assert!(all[4].get("endpoint").is_none());
    drop(held);
}

#[test]
fn no_answer_is_told_too() {
    let server = by_hand();
    let mut raw = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    raw.set_read_timeout(Some(support::PATIENCE)).unwrap();
    std::io::Write::write_all(&mut raw, b"GET /gone HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut got = Vec::new();
    std::io::Read::read_to_end(&mut raw, &mut got).unwrap();
    assert!(got.is_empty());
    let gone = ended(&server, 1).remove(0);
    assert_eq!(
        gone["answered"],
        json!({ "at_ms": 0.0, "status": null, "stream": false })
    );
    assert_eq!(
        gone["ended"],
        json!({ "at_ms": 0.0, "how": "close", "by": "script" })
    );
}

#[test]
fn what_the_network_has_not_let_through_is_not_sent() {
    let server = by_hand();
    let mut slow = server.open("/slow", &[]);
    advance(&server, "950ms");
    // A byte each tenth of a second.
    let entry = entries(&server, "").remove(0);
    let bytes = entry["sent"]["bytes"].as_u64().unwrap();
    assert!((9..=11).contains(&bytes), "{entry}");
    assert_eq!(entry["sent"]["events"], 0);
    advance(&server, "5s");
    while slow.chunk().is_some() {}
    let entry = ended(&server, 1).remove(0);
    assert_eq!(
        (&entry["sent"]["events"], &entry["sent"]["bytes"]),
        (&json!(1), &json!(21))
    );
}

#[test]
fn it_is_filtered_waited_for_exported_masked_and_cleared() {
    let server = by_hand();
    let secret = [("authorization", "Bearer abc"), ("cookie", "sid=1")];
    server.send("POST", "/plain?api_key=k1&page=2", &secret, b"");
    server.get("/nowhere");
    for wanted in ["ANY%20/plain", "ANY%20/plain%230", "/plain"] {
        assert_eq!(
            entries(&server, &format!("?endpoint={wanted}")).len(),
            1,
            "{wanted}"
        );
    }
    assert_eq!(entries(&server, "?endpoint=/plai").len(), 0);
    assert_eq!(entries(&server, "?after=1").remove(0)["target"], "/nowhere");
    assert_eq!(entries(&server, "?limit=1").remove(0)["number"], 1);
    let lines = server.get("/__mock/journal.ndjson").body;
    let parsed: Vec<Json> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((parsed.len(), &parsed[0]), (2, &entries(&server, "").remove(0)));
    assert!(lines.contains("Bearer abc") && lines.contains("k1"));
    let masked = server.get("/__mock/journal.ndjson?mask=secrets").body;
    assert!(
        !masked.contains("abc") && !masked.contains("k1") && !masked.contains("sid=1"),
        "{masked}"
    );
    assert!(masked.contains("page=2"));
    assert_eq!(
        done(ask(&server, "GET", "/__mock/journal/2"))["target"],
        "/nowhere"
    );
    let (status, why) = refused(ask(&server, "GET", "/__mock/journal?count=3"));
    assert_eq!(status, 504);
    assert_eq!(why, "the journal has 2 such requests after 0s, not at least 3");
    assert_eq!(done(ask(&server, "DELETE", "/__mock/journal"))["cleared"], 2);
    server.get("/plain");
    assert_eq!(entries(&server, "").remove(0)["number"], 3);
    assert_eq!(refused(ask(&server, "GET", "/__mock/journal/1")).0, 404);
}

#[test]
fn commands_and_other_sessions_are_not_in_it() {
    let server = by_hand();
    server.get("/~a/plain");
    server.get("/__mock/clock");
    assert!(entries(&server, "").is_empty());
    let theirs = done(ask(&server, "GET", "/~a/__mock/journal"));
    assert_eq!(
        (&theirs["count"], &theirs["entries"][0]["target"]),
        (&json!(1), &json!("/plain"))
    );
    done(ask(&server, "POST", "/~a/__mock/reset"));
    assert_eq!(done(ask(&server, "GET", "/~a/__mock/journal"))["count"], 0);
}

#[test]
fn whoever_ends_a_silent_connection_is_named() {
    let server = by_hand();
    let mut raw = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    std::io::Write::write_all(&mut raw, b"GET /mute HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    done(ask(&server, "GET", "/__mock/connections?count=1&wait=20s"));
    done(ask(&server, "POST", "/__mock/connections/1/cut"));
    let end = ended(&server, 1).remove(0)["ended"].clone();
    assert_eq!((&end["how"], &end["by"]), (&json!("cut"), &json!("order")));
}
