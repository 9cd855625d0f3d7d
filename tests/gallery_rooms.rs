//! `chat.yaml`, `notifications.yaml`: who is there, what was missed, what is lost.

mod commands;
mod support;

use commands::{done, tell};
use serde_json::json;
use support::raw::shipped;
use support::{Answer, Server, Stream};

/// The data of the next event of a type, which must be the next event.
fn next(stream: &mut Stream, event: &str) -> String {
    let block = stream.event().unwrap();
    let data = block.strip_prefix(&format!("event: {event}\ndata: "));
    let data = data.unwrap_or_else(|| panic!("no {event}: {block}"));
    data.lines().next().unwrap().to_owned()
}

#[test]
fn a_room_knows_who_is_there() {
    let server = shipped("scenarios/chat.yaml", &[]);
    let users = || server.get("/rooms/tea/users").body;
    assert_eq!(users(), "[]");
    let mut anna = server.open("/rooms/tea?user=anna", &[]);
    assert_eq!(next(&mut anna, "online"), r#"["anna"]"#);
    assert_eq!(next(&mut anna, "join"), r#"{"user":"anna"}"#);
    let tabs = [
        server.open("/rooms/tea?user=ben", &[]),
        server.open("/rooms/tea?user=ben", &[]),
    ];
    for _ in &tabs {
        assert_eq!(next(&mut anna, "join"), r#"{"user":"ben"}"#);
    }
    assert_eq!(users(), r#"["anna","ben"]"#);
    let [one, other] = tabs;
    drop(one);
    assert_eq!(next(&mut anna, "leave"), r#"{"user":"ben"}"#);
    assert_eq!(users(), r#"["anna","ben"]"#, "the other tab is open");
    drop(other);
    assert_eq!(next(&mut anna, "leave"), r#"{"user":"ben"}"#);
    assert_eq!(users(), r#"["anna"]"#);
    assert_eq!(server.get("/rooms/coffee/users").body, "[]");
}

#[test]
fn a_room_tells_what_was_said_before_and_what_was_missed() {
    let server = shipped("scenarios/chat.yaml", &[]);
    let say = |text: &str| server.post("/rooms/tea", &json!({ "user": "ben", "text": text }).to_string());
    assert_eq!(server.post("/rooms/tea", "{}").status, 422);
    assert_eq!((say("one").status, say("two").status), (202, 202));
    let mut anna = server.open("/rooms/tea?user=anna", &[]);
    next(&mut anna, "online");
    assert!(next(&mut anna, "said").starts_with(r#"{"user":"ben","text":"one","at":"#));
    assert!(next(&mut anna, "said").contains("two"));
    next(&mut anna, "join");
    drop(anna);
    let mut back = server.open("/rooms/tea?user=anna", &[("last-event-id", "1")]);
    next(&mut back, "online");
    assert!(next(&mut back, "said").contains("two"), "nothing twice");
}

fn notify(server: &Server, path: &str, text: &str) -> Answer {
    let answer = server.post(path, &json!({ "text": text }).to_string());
    assert_eq!(answer.status, 202);
    answer
}

#[test]
fn one_stream_brings_what_is_for_one_and_what_is_for_all() {
    let server = shipped("scenarios/notifications.yaml", &[]);
    let mut anna = server.open("/notifications/anna", &[]);
    let mut ben = server.open("/notifications/ben", &[]);
    notify(&server, "/notifications/anna", "a");
    notify(&server, "/notifications", "b");
    notify(&server, "/notifications/anna", "c");
    let first = anna.event().unwrap();
    assert!(
        first.starts_with("event: notice\ndata: {\"text\":\"a\",\"unread\":1}\n"),
        "{first}"
    );
    assert_eq!(next(&mut anna, "broadcast"), r#"{"text":"b"}"#);
    assert_eq!(next(&mut anna, "notice"), r#"{"text":"c","unread":2}"#);
    assert_eq!(next(&mut ben, "broadcast"), r#"{"text":"b"}"#);

    let id = first.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let mut back = server.open("/notifications/anna", &[("last-event-id", id)]);
    assert_eq!(next(&mut back, "broadcast"), r#"{"text":"b"}"#);
    assert_eq!(next(&mut back, "notice"), r#"{"text":"c","unread":2}"#);

    assert_eq!(server.get("/notifications/anna/unread").body, r#"{"unread":2}"#);
    assert_eq!(server.post("/notifications/anna/read", "").status, 204);
    assert_eq!(next(&mut back, "read"), r#"{"unread":0}"#, "in every tab");
    assert_eq!(server.get("/notifications/anna/unread").body, r#"{"unread":0}"#);
}

#[test]
fn who_was_away_for_too_long_is_told_so() {
    let server = shipped("scenarios/notifications.yaml", &["--clock", "manual"]);
    let mut anna = server.open("/notifications/anna", &[]);
    notify(&server, "/notifications/anna", "a");
    let id = anna.field("id");
    let back = || server.open("/notifications/anna", &[("last-event-id", &id)]);
    (0..19).for_each(|_| drop(notify(&server, "/notifications/anna", "more")));
    assert_eq!(back().status, 200, "the last 20 are kept");
    notify(&server, "/notifications/anna", "one too many");
    let gone = back();
    assert_eq!((gone.status, gone.header("x-mock-gap")), (410, Some("error")));

    let fresh = anna.field("id");
    done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": "61m" }),
    ));
    let gone = server.open("/notifications/anna", &[("last-event-id", &fresh)]);
    assert_eq!(gone.status, 410, "an hour is too long");
}
