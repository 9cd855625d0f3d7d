use bytes::Bytes;
use serde_json::json;

use super::*;

fn shown() -> Record {
    let mut request = Request::example("POST", "/sse");
    request.query = Some("a=1&token=abc".into());
    request.peer = ([127, 0, 0, 1], 5000).into();
    request.headers = [
        ("accept", &b"text/event-stream"[..]),
        ("x-twice", b"a"),
        ("authorization", b"Bearer abc"),
        ("x-twice", b"\xff"),
        ("x-twice", b"c"),
        ("content-type", b"application/json"),
    ]
    .map(|(name, value)| (name.to_owned(), Bytes::from_static(value)))
    .to_vec();
    request.body = Bytes::from_static(br#"{"password": "x"}"#);
    let journal = Journal::new(Bounds::default());
    let before = arrive(&journal, 0);
    let matched = || known("POST /sse#0", Some("ticker"), "abc", 2);
    before.matched(matched());
    before.ended(ms(5), script_end());
    let record = journal.arrived(&request, Duration::from_nanos(3_005_500_900), 1_767_225_600_000);
    record.matched(matched());
    record.answered(ms(3006), Some(200), true);
    record
        .entry()
        .wrote(b"retry: 2000\n: hi\nid: 3\ndata: a\n\n", None);
    record.ended(ms(4000), Ended::because(How::Cut, By::Failure, "no abc"));
    record
}

#[test]
fn the_shape_is_as_documented() {
    let expected = r#"{"number":2,"at_ms":3005.5,"time":"2026-01-01T00:00:00.000Z","method":"POST","target":"/sse?a=1&token=abc","version":"HTTP/1.1","tls":false,"peer":"127.0.0.1:5000","headers":{"accept":"text/event-stream","x-twice":["a","�","c"],"authorization":"Bearer abc","content-type":"application/json"},"body":{"bytes":17,"text":"{\"password\": \"x\"}"},"endpoint":"POST /sse","name":"ticker","client":"abc","attempt":2,"gap_ms":3000.5,"answered":{"at_ms":3006.0,"status":200,"stream":true},"sent":{"events":1,"comments":1,"bytes":32,"last_event_id":"3","retry_ms":2000},"ended":{"at_ms":4000.0,"how":"cut","by":"failure","why":"no abc"}}"#;
    let record = shown();
    assert_eq!(record.entry().json(Mask::Nothing).to_string(), expected);
    let masked = expected
        .replace("token=abc", "token=***")
        .replace("Bearer abc", "***")
        .replace(r#"\"x\""#, r#"\"***\""#)
        .replace(r#""client":"abc""#, r#""client":"***""#)
        .replace("no abc", "***");
    assert_eq!(
        ndjson(&[record.entry().clone()], Mask::Secrets),
        format!("{masked}\n")
    );
}

#[test]
fn what_is_not_known_is_absent() {
    let journal = Journal::new(Bounds::default());
    let record = arrive(&journal, 1);
    let mut expected = json!({
        "number": 1, "at_ms": 1.0, "time": "1970-01-01T00:00:00.000Z", "method": "GET", "target": "/sse",
        "version": "HTTP/1.1", "tls": false, "peer": "127.0.0.1:0", "headers": { "host": "localhost" },
    });
    assert_eq!(record.entry().json(Mask::Nothing), expected);
    record.answered(ms(2), None, false);
    expected["answered"] = json!({ "at_ms": 2.0, "status": null, "stream": false });
    assert_eq!(record.entry().json(Mask::Secrets), expected);
}

#[test]
fn bodies_are_text_if_they_can_be() {
    let shown = |media_type: &'static str, body: &'static [u8], mask| {
        let mut request = Request::example("POST", "/");
        let media_type = Bytes::from_static(media_type.as_bytes());
        request.headers = vec![("content-type".into(), media_type)];
        request.body = Bytes::from_static(body);
        let journal = Journal::new(Bounds {
            body: 8,
            ..Bounds::default()
        });
        journal.arrived(&request, ms(0), 0).entry().json(mask)["body"].take()
    };
    for (media_type, body, mask, expected) in [
        (
            "text/plain",
            &b"hello"[..],
            Mask::Nothing,
            json!({ "bytes": 5, "text": "hello" }),
        ),
        ("text/plain", b"", Mask::Nothing, json!(null)),
        (
            "image/png",
            b"\xff",
            Mask::Secrets,
            json!({ "bytes": 1, "base64": "/w==" }),
        ),
        (
            "image/png",
            b"\xff23456789",
            Mask::Nothing,
            json!({ "bytes": 9, "base64": "/zIzNDU2Nzg=", "truncated": true }),
        ),
        (
            "text/plain",
            "123456☃9".as_bytes(),
            Mask::Nothing,
            json!({ "bytes": 10, "text": "123456", "truncated": true }),
        ),
        (
            "application/json",
            b"{\"a\":[1]}",
            Mask::Secrets,
            json!({ "bytes": 9, "masked": true }),
        ),
    ] {
        assert_eq!(shown(media_type, body, mask), expected, "{media_type}");
    }
}
