//! `scenarios/wpt`: the routes whose CORS headers, cookies and preflights are what matters.

mod support;

use support::raw::shipped;
use support::{Answer, Server};

const RESOURCES: &str = "/eventsource/resources/";
const OK: &str = "HTTP/1.1 200 OK";
const STREAM: Option<&str> = Some("text/event-stream");

fn wpt() -> Server {
    shipped("scenarios/wpt/wpt.yaml", &[])
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

#[test]
fn cors_headers_are_the_querys() {
    let server = wpt();
    let origin = [("origin", "http://a.test:8000")];
    let allowed = |answer: &Answer| {
        let field = |name| answer.header(name).map(str::to_owned);
        (
            field("access-control-allow-origin"),
            field("access-control-allow-credentials"),
        )
    };
    let told_so = |origin: &str, credentials: &str| (Some(origin.to_owned()), Some(credentials.to_owned()));
    for (query, expected) in [
        ("", told_so("http://a.test:8000", "true")),
        ("&origin=*&credentials=false", told_so("*", "false")),
        ("&origin=&credentials=", told_so("", "")),
        ("&origin=http://b.test", told_so("http://b.test", "true")),
    ] {
        let answer = ask(
            &server,
            &format!("cors.py?run=message&message=data:x{query}"),
            &origin,
        );
        assert_eq!(told(&answer), (OK, STREAM, "data:x\n\n\n"));
        assert_eq!(
            (allowed(&answer), answer.header("set-cookie")),
            (expected, None),
            "{query}"
        );
    }
    let answer = ask(&server, "cors.py?run=message&setcookie=a%3Db", &origin);
    assert_eq!(answer.header("set-cookie"), Some("a=b"));
    let answer = ask(&server, "cors.py?run=redirect&status=307&location=/x", &origin);
    assert_eq!((answer.status, answer.header("location")), (307, Some("/x")));
    assert_eq!(allowed(&answer), told_so("http://a.test:8000", "true"));
    let first = ask(
        &server,
        "cors.py?run=status-reconnect&status=200&ok_first",
        &origin,
    );
    assert_eq!(
        told(&first),
        ("HTTP/1.1 200 TEST", STREAM, "retry: 2\ndata: ok\n\n")
    );
    assert_eq!(allowed(&first), told_so("http://a.test:8000", "true"));
    let cookie = [origin[0], ("cookie", "request200=200")];
    let second = ask(
        &server,
        "cors.py?run=status-reconnect&status=200&ok_first",
        &cookie,
    );
    assert_eq!(told(&second), (OK, STREAM, "data: data\n\n"));
    let other = ask(&server, "cors.py?run=nothing", &origin);
    assert_eq!((other.status, other.body.as_str()), (200, ""));
    assert_eq!(
        ask(&server, "cors.py?run=message", &[]).status,
        500,
        "there is no origin"
    );
}

#[test]
fn cookies_are_counted_over_three_connections() {
    let server = wpt();
    let origin = ("origin", "http://a.test");
    let past = "who=COOKIE; Expires=Fri, 27 Jul 2001 00:00:00 GMT; Path=/";
    for (id, cookie, kind, set, body) in [
        (
            "",
            "a=b",
            "text/event-stream",
            Some("who=COOKIE; Path=/"),
            "id: 1\nretry: 200\ndata: first NO_COOKIE\n\n",
        ),
        (
            "1",
            "who=COOKIE",
            "text/event-stream",
            Some(past),
            "id: 2\ndata: second COOKIE\n\n",
        ),
        ("2", "a=b", "stop", None, "data: 2NO_COOKIE\n\n"),
    ] {
        let fields = [origin, ("cookie", cookie), ("last-event-id", id)];
        let answer = ask(&server, "cors-cookie.py?ident=who", &fields);
        assert_eq!(told(&answer), (OK, Some(kind), body));
        assert_eq!(answer.header("set-cookie"), set);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("http://a.test")
        );
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    }
    let bare = ask(&server, "cors-cookie.py?origin=none&credentials=none", &[]);
    assert!(!bare.head.contains("access-control"), "{}", bare.head);
    assert_eq!(bare.header("set-cookie"), Some("test=COOKIE; Path=/"));
}

#[test]
fn a_preflight_is_remembered_by_its_token() {
    let server = wpt();
    let route = |query: &str| format!("{RESOURCES}cors-unsafe-last-event-id.py?{query}");
    let origin = ("origin", "http://a.test");
    let get = |query: &str, id: &str| {
        let fields = [origin, ("last-event-id", id)];
        let fields = if id.is_empty() { &fields[..1] } else { &fields };
        server.send("GET", &route(query), fields, b"")
    };
    let preflight = |query: &str, asked: &str| {
        let method = ("access-control-request-method", "GET");
        server.send(
            "OPTIONS",
            &route(query),
            &[origin, method, ("access-control-request-headers", asked)],
            b"",
        )
    };
    assert_eq!(get("token=t", "").status, 400);
    let first = get("token=t&fixture=unsafe", "");
    assert_eq!(
        told(&first),
        (OK, STREAM, "id: e5p3n<3k0k0s\nretry: 200\ndata: unsafe\n\n")
    );
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(first.header("access-control-allow-origin"), Some("http://a.test"));

    let missed = "event: failure\ndata: expected preflight, did not get one\n\n";
    assert_eq!(get("token=t&fixture=unsafe", "e5p3n<3k0k0s").body, missed);
    let answer = preflight("token=t&fixture=unsafe", "last-event-id");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("last-event-id")
    );
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("http://a.test")
    );
    let got = "event: success\ndata: got e5p3n<3k0k0s, expected e5p3n<3k0k0s\n\n";
    assert_eq!(get("token=t&fixture=unsafe", "e5p3n<3k0k0s").body, got);
    assert_eq!(
        get("token=t&fixture=unsafe", "e5p3n<3k0k0s").body,
        missed,
        "it is used up"
    );

    preflight("token=u&fixture=safe", "last-event-id");
    let unwanted = "event: failure\ndata: saw preflight, did not expect one\n\n";
    assert_eq!(get("token=u&fixture=safe", "abc").body, unwanted);
    assert_eq!(
        get("token=u&fixture=safe", "abd").body,
        "event: failure\ndata: got abd, expected abc\n\n"
    );
    preflight("token=v&fixture=long", "x-other");
    let wrong =
        "event: failure\ndata: preflight `access-control-request-headers` was not `last-event-id`\n\n";
    assert_eq!(get("token=v&fixture=long", &"a".repeat(255)).body, wrong);
}
