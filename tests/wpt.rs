//! `scenarios/wpt` answers as the server of the web platform tests does, route by route.

mod support;

use support::raw::{drain, exchange, send, shipped};
use support::{Answer, Server, repo};

const RESOURCES: &str = "/eventsource/resources/";

fn wpt(args: &[&str]) -> Server {
    shipped("scenarios/wpt/wpt.yaml", args)
}

/// What a route under `resources` answers to a request with these header fields.
fn ask(server: &Server, route: &str, fields: &[(&str, &str)]) -> Answer {
    server.send("GET", &format!("{RESOURCES}{route}"), fields, b"")
}

/// Status line, type and body.
fn told(answer: &Answer) -> (&str, Option<&str>, &str) {
    (
        answer.head.lines().next().unwrap(),
        answer.header("content-type"),
        answer.body.as_str(),
    )
}

const OK: &str = "HTTP/1.1 200 OK";
const STREAM: Option<&str> = Some("text/event-stream");

#[test]
fn message_sends_any_bytes_with_any_type() {
    let server = wpt(&[]);
    for (query, kind, body) in [
        ("", "text/event-stream", &b"data: data\n\n\n"[..]),
        ("?newline=none", "text/event-stream", b"data: data\n"),
        (
            "?newline=yes&message=data:x",
            "text/event-stream",
            b"data:x\n\n\n",
        ),
        (
            "?message=%EF%BB%BFdata%3A1%0A%0A%EF%BB%BFdata%3A2&newline=none",
            "text/event-stream",
            b"\xef\xbb\xbfdata:1\n\n\xef\xbb\xbfdata:2\n",
        ),
        (
            "?message=data%3Aok%0D%00%ff%0D%0A&newline=none",
            "text/event-stream",
            b"data:ok\r\0\xff\r\n\n",
        ),
        (
            "?message=data:%20%E2%98%83+%2B",
            "text/event-stream",
            "data: ☃ +\n\n\n".as_bytes(),
        ),
        ("?message=", "text/event-stream", b"\n\n\n"),
        ("?mime=x%20bogus", "x bogus", b"data: data\n\n\n"),
        (
            "?mime=text/event-stream;charset=windows-1252&message=data%3A%E5",
            "text/event-stream;charset=windows-1252",
            b"data:\xe5\n\n\n",
        ),
        ("?mime=", "", b"data: data\n\n\n"),
        ("?sleep=1", "text/event-stream", b"data: data\n\n\n"),
    ] {
        let answer = ask(&server, &format!("message.py{query}"), &[]);
        assert_eq!(answer.head.lines().next(), Some(OK), "{query}");
        assert_eq!(
            (answer.header("content-type"), &answer.bytes[..]),
            (Some(kind), body),
            "{query}"
        );
        assert_eq!(
            answer.header("content-length"),
            Some(body.len().to_string().as_str())
        );
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn message_sleeps_before_its_head() {
    let server = wpt(&[]);
    let began = std::time::Instant::now();
    ask(&server, "message.py?sleep=250", &[]);
    assert!(began.elapsed() >= std::time::Duration::from_millis(250));
}

#[test]
fn message2_goes_on_for_ever() {
    let server = wpt(&["--time-scale", "100"]);
    let mut stream = server.open(&format!("{RESOURCES}message2.py"), &[]);
    assert_eq!(stream.header("content-type"), STREAM);
    assert_eq!(stream.header("cache-control"), Some("no-cache"));
    for _ in 0..3 {
        for event in [
            "data:msg\ndata: msg",
            ":\nfalsefield:msg",
            "falsefield:msg\nData:data",
            "data",
            "data:end",
        ] {
            assert_eq!(stream.event().unwrap(), event);
        }
    }
}

#[test]
fn the_last_event_id_comes_back_as_it_came() {
    let server = wpt(&[]);
    let first = ask(&server, "last-event-id.py", &[]);
    assert_eq!(told(&first), (OK, STREAM, "id: …\nretry: 200\ndata: hello\n\n"));
    let first = ask(&server, "last-event-id.py?idvalue=%ff%00%0d", &[]);
    assert_eq!(first.bytes, b"id: \xff\0\r\nretry: 200\ndata: hello\n\n");
    let mut request = format!("GET {RESOURCES}last-event-id.py HTTP/1.1\r\nhost: t\r\nconnection: close\r\n");
    request += "last-event-id: ";
    let request = [request.as_bytes(), b"\xe2\x80\xa6 \xff\xfe\r\n\r\n"].concat();
    let (bytes, _) = drain(send(server.port, &request));
    assert!(
        bytes.ends_with(b"\r\n\r\ndata: \xe2\x80\xa6 \xff\xfe\n\n"),
        "{bytes:?}"
    );
}

#[test]
fn ids_stay_change_and_go() {
    let server = wpt(&[]);
    for (query, body) in [
        ("", "id: 1\ndata: 1\n\ndata:2\n\n"),
        ("?type=1", "id: 1\ndata: 1\n\ndata:2\n\n"),
        ("?type=2", "id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n"),
        ("?type=3", "id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n"),
        ("?type=4", "data: invalid_test\n\n"),
        ("?type=x", "id: 1\ndata: 1\n\ndata:2\n\n"),
    ] {
        let answer = ask(&server, &format!("last-event-id2.py{query}"), &[]);
        assert_eq!(told(&answer), (OK, STREAM, body), "{query}");
    }
}

#[test]
fn a_status_is_an_error() {
    let server = wpt(&[]);
    for (query, status, body) in [
        ("", 404, "data: data\n\n"),
        ("?status=204", 204, ""),
        ("?status=205", 205, ""),
        ("?status=210", 210, "data: data\n\n"),
        ("?status=299", 299, "data: data\n\n"),
        ("?status=410", 410, "data: data\n\n"),
        ("?status=503", 503, "data: data\n\n"),
    ] {
        let answer = ask(&server, &format!("status-error.py{query}"), &[]);
        let line = format!("HTTP/1.1 {status} HAHAHAHA");
        assert_eq!(told(&answer), (line.as_str(), STREAM, body));
    }
}

const GONE: &str = "; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/";

#[test]
fn a_cookie_tells_the_second_connection_from_the_first() {
    let server = wpt(&[]);
    for (route, cookie, value, first, body) in [
        ("status-reconnect.py", "request204", "204", "204", ""),
        (
            "status-reconnect.py?status=200",
            "request200",
            "200",
            "200",
            "retry: 2\n",
        ),
        (
            "status-reconnect.py?status=200&ok_first&id=2",
            "request2",
            "200",
            "200",
            "retry: 2\ndata: ok\n\n",
        ),
    ] {
        let answer = ask(&server, route, &[]);
        let line = format!("HTTP/1.1 {first} TEST");
        assert_eq!(told(&answer), (line.as_str(), STREAM, body), "{route}");
        let set = format!("{cookie}={value};httponly; Path=/");
        assert_eq!(answer.header("set-cookie"), Some(set.as_str()));
        let other = ask(&server, route, &[("cookie", &format!("{cookie}=1"))]);
        assert_eq!(
            other.header("set-cookie"),
            Some(set.as_str()),
            "{route}: another value"
        );
        let again = ask(&server, route, &[("cookie", &format!("a=b; {cookie}={value}"))]);
        assert_eq!(told(&again), (OK, STREAM, "data: data\n\n"), "{route}");
        assert_eq!(
            again.header("set-cookie"),
            Some(format!("{cookie}={GONE}").as_str())
        );
    }
}

#[test]
fn a_third_connection_is_told_to_stay_away() {
    let server = wpt(&[]);
    let name = "recon_fail_7";
    for (state, line, next, body) in [
        (
            "",
            "HTTP/1.1 200 OPEN",
            "opened; Path=/",
            "retry: 2\ndata: opened\n\n",
        ),
        (
            "opened",
            "HTTP/1.1 200 RECONNECT",
            "reconnected; Path=/",
            "data: reconnected\n\n",
        ),
        ("reconnected", "HTTP/1.1 204 NO CONTENT (CLOSE)", GONE, ""),
    ] {
        let cookie = format!("{name}={state}");
        let answer = ask(&server, "reconnect-fail.py?id=7", &[("cookie", &cookie)]);
        assert_eq!(told(&answer), (line, STREAM, body));
        assert_eq!(
            answer.header("set-cookie"),
            Some(format!("{name}={next}").as_str())
        );
    }
    assert_eq!(
        ask(&server, "reconnect-fail.py", &[]).status,
        500,
        "there is no id"
    );
}

#[test]
fn headers_are_echoed() {
    let server = wpt(&[]);
    let accept = ask(
        &server,
        "accept.event_stream?pipe=sub",
        &[("accept", "text/event-stream")],
    );
    assert_eq!(told(&accept), (OK, STREAM, "data: text/event-stream\n\n"));
    let cache = [("cache-control", "no-store"), ("origin", "http://a.test")];
    for route in ["cache-control.event_stream?pipe=sub", "cors.py?run=cache-control"] {
        let answer = ask(&server, route, &cache);
        assert_eq!(told(&answer), (OK, STREAM, "data: no-store\n\n"), "{route}");
    }
}

#[test]
fn redirects_go_where_they_are_told() {
    let server = wpt(&[]);
    for (query, status, location) in [
        ("?location=/x%3Fy=1", 302, Some("/x?y=1")),
        (
            "?status=301&location=http://localhost/",
            301,
            Some("http://localhost/"),
        ),
        ("?status=307&location=", 307, Some("")),
        ("?status=308", 308, None),
        ("?status=x&location=/", 302, Some("/")),
    ] {
        let answer = server.get(&format!("/common/redirect.py{query}"));
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, location),
            "{query}"
        );
        assert_eq!(answer.body, "");
    }
}

#[test]
fn open_streams_are_counted_by_their_token() {
    let server = wpt(&["--time-scale", "10"]);
    let count = |token| ask(&server, &format!("bfcache-counter.py?token={token}&query"), &[]).body;
    let path = format!("{RESOURCES}bfcache-counter.py?token=a");
    assert_eq!(count("a"), r#"{"count":0}"#);
    let mut streams = [server.open(&path, &[]), server.open(&path, &[])];
    for stream in &mut streams {
        assert_eq!(stream.event().unwrap(), "data: opened");
        assert_eq!(stream.event().unwrap(), ": keepalive");
    }
    assert_eq!(
        (count("a"), count("b")),
        (r#"{"count":2}"#.into(), r#"{"count":0}"#.into())
    );
    drop(streams);
    server.log.wait_for_times("client left", 2);
    assert_eq!(count("a"), r#"{"count":0}"#);
}

#[test]
fn pages_are_files_under_every_host_name() {
    let server = wpt(&[]);
    for host in [
        "web-platform.test",
        "www.web-platform.test:8000",
        "www1.web-platform.test",
    ] {
        for (path, file, kind) in [
            ("/eventsource/", "index.html", "text/html"),
            ("/eventsource/listen.js", "listen.js", "javascript"),
            (
                "/eventsource/resources/init.htm",
                "resources/init.htm",
                "text/html",
            ),
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            let (head, body, _) = exchange(server.port, request.as_bytes());
            let page = std::fs::read_to_string(repo("scenarios/wpt/pages").join(file)).unwrap();
            assert!(
                head.starts_with(OK) && head.contains(kind),
                "{host}{path}: {head}"
            );
            assert_eq!(body, page);
        }
    }
    assert_eq!(server.get("/eventsource/resources/none.htm").status, 404);
}
