//! The original server's three endpoints, from `scenarios/alphabet.yaml`.

mod support;

use support::{Answer, Server, repo, serve_in};

fn alphabet(args: &[&str]) -> Server {
    let scenario = repo("scenarios/alphabet.yaml");
    let scenario = scenario.to_str().unwrap();
    serve_in(
        tempfile::tempdir().unwrap(),
        &[&["--scenario", scenario, "--seed", "7"], args].concat(),
    )
}

fn published(post: &Answer) {
    assert_eq!(
        (post.status, post.body.as_str()),
        (303, "broadcasted"),
        "{post:?}"
    );
    assert_eq!(post.header("location"), None);
}

#[test]
fn letters_come_one_a_chunk_the_first_is_a() {
    let server = alphabet(&["--time-scale", "100"]);
    let mut stream = server.open("/sse", &[]);
    assert_eq!(stream.status, 200);
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(stream.header("cache-control"), Some("no-store"));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    for n in 0..5 {
        let chunk = String::from_utf8(stream.chunk().unwrap()).unwrap();
        let lines: Vec<&str> = chunk.split('\n').collect();
        let [event, data, id, retry, "", ""] = lines.as_slice() else {
            panic!("{chunk:?}")
        };
        assert_eq!((*event, *retry), ("event: message", "retry: 6000"));
        let letter = data
            .strip_prefix(r#"data: {"msg":""#)
            .unwrap()
            .strip_suffix(r#""}"#)
            .unwrap();
        assert!(
            letter.len() == 1 && letter.as_bytes()[0].is_ascii_lowercase(),
            "{data}"
        );
        assert!(n > 0 || letter == "a");
        let id = uuid::Uuid::parse_str(id.strip_prefix("id: ").unwrap()).unwrap();
        assert_eq!(id.get_version_num(), 4);
    }
}

#[test]
fn every_subscriber_gets_every_message_with_the_same_id() {
    let server = alphabet(&[]);
    let mut streams: Vec<_> = (0..3).map(|_| server.open("/post", &[])).collect();
    for n in 0..5 {
        let post = server.post("/post", &format!(r#"{{"msg":"hello","n":{n}}}"#));
        published(&post);
        assert_eq!(post.header("x-mock-reached"), Some("3"));
        let events: Vec<String> = streams.iter_mut().map(|s| s.event().unwrap()).collect();
        assert!(events.iter().all(|e| *e == events[0]), "{events:?}");
        assert!(
            events[0].contains(&format!(r#"data: {{"msg":"hello","n":{n}}}"#)),
            "{events:?}"
        );
        assert!(events[0].starts_with("event: message\n") && events[0].ends_with("\nretry: 6000"));
    }
}

#[test]
fn last_event_id_resumes_strictly_behind_it() {
    let server = alphabet(&[]);
    let mut first = server.open("/post", &[]);
    for n in 0..4 {
        published(&server.post("/post", &format!(r#"{{"n":{n}}}"#)));
    }
    let id = first.field("id");
    let mut again = server.open("/post", &[("last-event-id", &id)]);
    assert_eq!(again.header("x-mock-gap"), None);
    for n in 1..4 {
        assert_eq!(again.field("data"), format!(r#"{{"n":{n}}}"#));
    }
    let mut lost = server.open("/post", &[("last-event-id", "long-gone")]);
    assert_eq!(lost.header("x-mock-gap"), Some("replay"));
    assert_eq!(lost.field("data"), r#"{"n":0}"#);
}

#[test]
fn what_is_posted_comes_out_whatever_it_is() {
    let server = alphabet(&[]);
    let mut stream = server.open("/post", &[]);
    let form = "application/x-www-form-urlencoded";
    for (path, kind, body, data) in [
        (
            "/post?a=1&a=2&q[]=x&h[k]=v",
            "",
            "",
            r#"{"a":"2","q":["x"],"h":{"k":"v"}}"#,
        ),
        (
            "/post?msg=query&z=1",
            "application/json",
            r#"{"msg":"body"}"#,
            r#"{"msg":"body","z":"1"}"#,
        ),
        ("/post", "application/json", "[1,2]", r#"{"_json":[1,2]}"#),
        ("/post", "text/plain", "just text", r#"{"_text":"just text"}"#),
        ("/post", form, "a=b+c&d=%E2%98%83", r#"{"a":"b c","d":"☃"}"#),
    ] {
        let headers = [("content-type", kind)];
        let headers = if kind.is_empty() { &headers[..0] } else { &headers };
        published(&server.send("POST", path, headers, body.as_bytes()));
        assert_eq!(stream.field("data"), data);
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let server = alphabet(&["--max-body", "1000"]);
    let json = [("content-type", "application/json")];
    let big = vec![b'x'; 1001];
    for (path, headers, body, status, reason) in [
        ("/post", &json[..], &b"{\"a\":"[..], 400, "not valid JSON"),
        ("/post?a=%4", &json, b"{}", 400, "percent-escape"),
        ("/post", &[("content-type", "image/png")], b"x", 415, "image/png"),
        ("/post", &json, &big, 413, "larger than 1000 bytes"),
        ("/p%zzst", &json, b"{}", 400, "percent-escape"),
    ] {
        let answer = server.send("POST", path, headers, body);
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(
            answer.body.contains(reason) && answer.body.contains(&format!("\"status\":{status}")),
            "{answer:?}"
        );
    }
    assert_eq!(server.post("/post", "{}").status, 303);
}

#[test]
fn other_paths_and_methods_are_explained() {
    let server = alphabet(&[]);
    let missing = server.get("/ssee");
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("the nearest is `GET /sse`"), "{missing:?}");
    let wrong = server.send("PUT", "/post", &[], b"");
    assert_eq!(
        (wrong.status, wrong.header("allow")),
        (405, Some("GET, HEAD, POST"))
    );
    let head = server.send("HEAD", "/sse", &[], b"");
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some("text/event-stream"))
    );
    let options = server.send("OPTIONS", "/post", &[], b"");
    assert_eq!(
        (options.status, options.header("allow")),
        (204, Some("GET, HEAD, POST, OPTIONS"))
    );
    assert_eq!(server.get("/~/sse").status, 404);
    assert_eq!(server.get("/__mock/nothing").status, 404);
}

#[test]
fn the_built_in_scenario_is_the_shipped_one() {
    let server = serve_in(tempfile::tempdir().unwrap(), &["--seed", "7"]);
    let mut stream = server.open("/sse", &[]);
    let shipped = alphabet(&[]);
    assert_eq!(stream.event(), shipped.open("/sse", &[]).event());
    assert!(
        server.banner.contains("built in") && server.banner.contains("seed 7"),
        "{}",
        server.banner
    );
}
