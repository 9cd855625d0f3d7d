//! Cross-origin headers on the wire: who may read an answer, errors included.

mod support;

use support::{Answer, Server, serve};

const SCENARIO: &str = "
cors:
  origins: [http://localhost:3000, 'http://127.0.0.1:*', 'https://*.example.com']
  credentials: true
  expose: [x-total, x-page]
topics: { t: {} }
endpoints:
  - { path: /sse, stream: [{ data: a }] }
  - { path: /post, method: POST, publish: t, status: 303, body: broadcasted }
  - { path: /off, cors: off, body: x }
  - path: /open
    cors: { origins: '*', max_age: 5s }
    body: x
  - path: /own
    headers: { access-control-allow-origin: http://mine.test, vary: Accept }
    body: x
  - { path: /fails, body: 'x{{ request.query.nope }}' }
  - { path: /handles, method: OPTIONS, status: 299, body: mine }
  - { path: /when, when: 'request.query.a == \"1\"', body: x }
  - { path: /off-fails, cors: off, when: 'pick(request.query.nope | default([]))', body: x }
";

const GOOD: &str = "http://localhost:3000";

fn from(server: &Server, method: &str, path: &str, origin: &str) -> Answer {
    server.send(method, path, &[("origin", origin)], b"")
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

#[test]
fn allowed_origins_are_echoed_and_others_get_nothing() {
    let server = serve(SCENARIO, &[]);
    for (origin, yes) in [
        (GOOD, true),
        ("http://127.0.0.1:5173", true),
        ("https://a.b.example.com", true),
        ("http://localhost:3001", false),
        ("http://127.0.0.1", false),
        ("https://example.com", false),
        ("http://a.example.com", false),
        ("https://a.example.com.evil.test", false),
        ("null", false),
        ("", false),
    ] {
        let answer = from(&server, "GET", "/sse", origin);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "data: a\n\n"),
            "{origin}: answered all the same"
        );
        assert_eq!(allowed(&answer), yes.then_some(origin), "{origin}");
        let credentials = answer.header("access-control-allow-credentials");
        assert_eq!(credentials, yes.then_some("true"), "{origin}");
        let expose = answer.header("access-control-expose-headers");
        assert_eq!(expose, yes.then_some("x-total, x-page"), "{origin}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{origin}");
    }
    let without = server.get("/sse");
    assert_eq!(
        (allowed(&without), without.header("vary")),
        (None, Some("Origin"))
    );
}

fn preflight(server: &Server, path: &str, origin: &str, method: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "content-type,x-own"),
    ];
    server.send("OPTIONS", path, &headers, b"")
}

#[test]
fn a_preflight_is_answered_with_what_it_asks_for() {
    let server = serve(SCENARIO, &[]);
    for (path, method, methods) in [
        ("/post", "POST", "POST, OPTIONS"),
        ("/sse", "GET", "GET, HEAD, OPTIONS"),
        ("/sse", "DELETE", "GET, HEAD, OPTIONS, DELETE"),
        ("/nowhere", "PUT", "OPTIONS, PUT"),
    ] {
        let answer = preflight(&server, path, GOOD, method);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (204, ""),
            "{path} {answer:?}"
        );
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(allowed(&answer), Some(GOOD));
        assert_eq!(
            answer.header("access-control-allow-methods"),
            Some(methods),
            "{path}"
        );
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("content-type,x-own")
        );
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        let vary = answer.header("vary").unwrap();
        assert_eq!(
            vary,
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        );
    }
    let other = preflight(&server, "/post", "http://evil.test", "POST");
    assert_eq!((other.status, allowed(&other)), (204, None));
    assert_eq!(other.header("access-control-allow-methods"), None);
    assert_eq!(
        preflight(&server, "/handles", GOOD, "GET").status,
        299,
        "the scenario's own answer"
    );
}

#[test]
fn an_endpoint_has_rules_of_its_own() {
    let server = serve(SCENARIO, &[]);
    for method in ["GET", "OPTIONS"] {
        let asks = [("origin", GOOD), ("access-control-request-method", "GET")];
        let off = server.send(method, "/off", &asks, b"");
        assert_eq!((allowed(&off), off.header("vary")), (None, None), "{off:?}");
    }
    let open = from(&server, "GET", "/open", "http://any.test");
    assert_eq!(
        (allowed(&open), open.header("access-control-allow-credentials")),
        (Some("*"), None)
    );
    assert_eq!(
        (open.header("vary"), open.header("access-control-expose-headers")),
        (None, None)
    );
    let asked = preflight(&server, "/open", "http://any.test", "GET");
    assert_eq!(
        (allowed(&asked), asked.header("access-control-max-age")),
        (Some("*"), Some("5"))
    );
    let own = from(&server, "GET", "/own", GOOD);
    assert_eq!(
        (allowed(&own), own.header("vary")),
        (Some("http://mine.test"), Some("Accept, Origin"))
    );
}

#[test]
fn a_removed_header_stays_removed() {
    let yaml = "
cors: { origins: '*' }
endpoints:
  - { path: /x, headers: { Access-Control-Allow-Origin: ~ }, body: x }
";
    let server = serve(yaml, &[]);
    assert_eq!(allowed(&from(&server, "GET", "/x", GOOD)), None);
}

#[test]
fn errors_can_be_read_across_origins_too() {
    let server = serve(SCENARIO, &["--max-body", "100"]);
    let big = "x".repeat(101);
    for (method, path, kind, body, status) in [
        ("GET", "/nowhere", "", "", 404),
        ("GET", "/when?a=2", "", "", 404),
        ("GET", "/%zz", "", "", 400),
        ("PUT", "/sse", "", "", 405),
        ("GET", "/fails", "", "", 500),
        ("POST", "/post", "text/plain", big.as_str(), 413),
        ("POST", "/post", "application/json", "{", 400),
        ("POST", "/post", "image/png", "x", 415),
        ("POST", "/post", "text/plain", "x", 303),
    ] {
        let headers = [("origin", GOOD), ("content-type", kind)];
        let headers = if kind.is_empty() { &headers[..1] } else { &headers };
        let answer = server.send(method, path, headers, body.as_bytes());
        assert_eq!(
            (answer.status, allowed(&answer)),
            (status, Some(GOOD)),
            "{path} {answer:?}"
        );
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    let off = from(&server, "GET", "/off-fails", GOOD);
    assert_eq!((off.status, allowed(&off)), (500, None), "{off:?}");
}

#[test]
fn without_rules_there_are_no_headers() {
    let server = serve("endpoints:\n  - { path: /x, body: x }\n", &[]);
    for answer in [
        from(&server, "GET", "/x", GOOD),
        preflight(&server, "/x", GOOD, "GET"),
        from(&server, "GET", "/y", GOOD),
    ] {
        assert!(
            !answer.head.to_lowercase().contains("access-control") && answer.header("vary").is_none(),
            "{answer:?}"
        );
    }
}
