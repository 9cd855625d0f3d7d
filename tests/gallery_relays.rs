//! `ticker.yaml`, `ticker-state.yaml`, `one-shot.yaml`: what all get, and what is lost.

mod commands;
mod support;

use commands::{done, tell};
use serde_json::json;
use support::Server;
use support::raw::shipped;

fn advance(server: &Server, by: &str) {
    done(tell(server, "POST", "/__mock/clock/advance", json!({ "by": by })));
}

#[test]
fn all_who_watch_see_the_same_prices() {
    let server = shipped("scenarios/ticker.yaml", &["--clock", "manual"]);
    assert_eq!(server.get("/price").body, r#"{"symbol":"MOCK","price":100.0}"#);
    let (mut one, mut other) = (server.open("/prices", &[]), server.open("/prices", &[]));
    advance(&server, "3s");
    let seen: Vec<String> = (0..3).map(|_| one.event().unwrap()).collect();
    let also: Vec<String> = (0..3).map(|_| other.event().unwrap()).collect();
    assert_eq!(seen, also);
    for (n, event) in (1..).zip(&seen) {
        assert!(
            event.starts_with("event: price\ndata: {\"symbol\":\"MOCK\",\"price\":"),
            "{event}"
        );
        assert!(event.ends_with(&format!("\nid: {n}\nretry: 1000")), "{event}");
    }
    let latest = server.get("/price").body;
    assert!(seen[2].contains(&latest), "{latest}");
    let mut late = server.open("/prices", &[("last-event-id", "1")]);
    assert_eq!([late.event().unwrap(), late.event().unwrap()], seen[1..]);
}

#[test]
fn a_ticker_begins_with_how_things_stand() {
    let server = shipped("scenarios/ticker-state.yaml", &[]);
    let mut early = server.open("/quotes", &[]);
    let opening = "event: state\ndata: {\"ACME\":100,\"MOCK\":42.5}\nretry: 1000";
    assert_eq!(early.event().unwrap(), opening);
    let put = |symbol: &str, body: &str| {
        let path = format!("{}{symbol}", "/quotes/");
        let json = [("content-type", "application/json")];
        server.send("PUT", &path, &json, body.as_bytes())
    };
    let refused = server.send("PUT", "/quotes/NONE", &[], b"");
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (404, r#"{"error":"NONE is not listed"}"#)
    );
    assert_eq!(put("ACME", r#"{"price":"dear"}"#).status, 422);
    let told = put("ACME", r#"{"price":101.5}"#);
    assert_eq!((told.status, told.header("x-mock-reached")), (204, Some("1")));
    assert_eq!(early.event().unwrap(), "event: quote\ndata: {\"ACME\":101.5}");
    let mut late = server.open("/quotes", &[]);
    assert_eq!(late.event().unwrap(), opening.replace("100,", "101.5,"));
}

#[test]
fn one_message_ends_a_relay_and_the_next_is_lost() {
    let server = shipped("scenarios/one-shot.yaml", &[]);
    let mut stream = server.open("/post", &[]);
    let post = |text: &str| server.post("/post", &json!({ "msg": text }).to_string());
    let sent = post("hello");
    assert_eq!((sent.status, sent.body.as_str()), (303, "broadcasted"));
    assert_eq!(sent.header("x-mock-reached"), Some("1"));
    let event = stream.event().unwrap();
    assert!(
        event.starts_with("event: message\ndata: {\"msg\":\"hello\"}\nid: "),
        "{event}"
    );
    assert_eq!(stream.event(), None, "a clean end");
    assert_eq!(post("lost").header("x-mock-reached"), Some("0"));
    let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let mut back = server.open("/post", &[("last-event-id", id)]);
    post("seen");
    assert!(back.event().unwrap().contains("seen"));
}
