//! `scenarios/memory.yaml`: what depends on the request, on those before it, and on other clients.

mod support;

use support::Server;
use support::raw::shipped;

fn memory() -> Server {
    shipped("scenarios/memory.yaml", &[])
}

#[test]
fn a_request_is_echoed() {
    let server = memory();
    let fields = [("x-a", "1"), ("x-a", "2"), ("authorization", "Bearer t")];
    let echo = server.send("PUT", "/echo?a=1&b=%20", &fields, "snow ☃".as_bytes());
    let echo: serde_json::Value = serde_json::from_str(&echo.body).unwrap();
    assert_eq!((&echo["method"], &echo["path"]), (&"PUT".into(), &"/echo".into()));
    assert_eq!(echo["query"], serde_json::json!({ "a": "1", "b": " " }));
    let headers = &echo["headers"];
    assert_eq!(
        (&headers["x-a"], &headers["authorization"]),
        (&"1, 2".into(), &"Bearer t".into())
    );
    let sha256 = "3fc3107239b14a25a70e185aea4390b34681176e754cf589ef3c90e51483334d";
    assert_eq!(echo["sha256"], sha256);
}

#[test]
fn a_count_goes_on_behind_the_last_event_id() {
    let server = memory();
    for (last, first) in [("", 1), ("41", 42), ("x", 1)] {
        let answer = server.send("GET", "/count", &[("last-event-id", last)], b"");
        let events: String = (first..first + 3)
            .map(|n| format!("data: {n}\nid: {n}\n\n"))
            .collect();
        assert_eq!(answer.body, events, "{last:?}");
    }
}

#[test]
fn one_endpoint_reads_what_another_writes() {
    let server = memory();
    for _ in 0..2 {
        assert_eq!(server.post("/visits?token=a", "").status, 204);
    }
    for (token, visits) in [("a", 2), ("b", 0)] {
        let answer = server.get(&format!("/visits?token={token}"));
        assert_eq!(answer.body, format!("data: {visits}\n\n"), "{token}");
    }
}

#[test]
fn the_answer_to_a_call_comes_on_the_next_stream_of_its_session() {
    let server = memory();
    let session = ("mcp-session-id", "s");
    let json = ("content-type", "application/json");
    for id in [7, 8] {
        let call = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"slow"}}"#);
        let stream = server.send("POST", "/rpc", &[session, json], call.as_bytes());
        assert_eq!(stream.body, format!("data:\nid: {id}-1\nretry: 500\n\n"));
        let last = format!("{id}-1");
        let answer = server.send("GET", "/rpc", &[session, ("last-event-id", &last)], b"");
        let result = format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\nid: {id}-2\n\n");
        assert_eq!(answer.body, result);
    }
}

#[test]
fn news_reach_all_who_listen_and_are_kept_for_the_next() {
    let server = memory();
    let kept = server.post("/news", r#"{"n":1}"#);
    assert_eq!((kept.status, kept.header("x-mock-reached")), (204, Some("0")));
    let mut streams = [
        server.open("/news", &[]),
        server.open("/news", &[]),
        server.open("/news/all", &[]),
    ];
    assert_eq!(streams[2].event().unwrap(), r#"data: {"n":1}"#);
    let sent = server.post("/news", r#"{"n":2}"#);
    assert_eq!(sent.header("x-mock-reached"), Some("3"));
    for stream in &mut streams {
        assert_eq!(stream.event().unwrap(), r#"data: {"n":2}"#);
    }
}
