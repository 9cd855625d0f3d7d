//! `auth.yaml`, `rate-limit.yaml`: who is let in, and when.

mod commands;
mod support;

use commands::{done, tell};
use serde_json::{Value as Json, json};
use support::raw::shipped;
use support::{Answer, Server};

const NOON: &[&str] = &["--clock", "manual", "--now", "2026-01-05T12:00:30Z"];

fn advance(server: &Server, by: &str) {
    done(tell(server, "POST", "/__mock/clock/advance", json!({ "by": by })));
}

/// The cookie and the token of an answer that makes them.
fn signed_in(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let json: Json = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(json["expires_in"], 60);
    let token = json["token"].as_str().unwrap();
    let cookie = answer.header("set-cookie").unwrap();
    assert_eq!(cookie, format!("token={token}; Path=/; HttpOnly; SameSite=Lax"));
    (format!("token={token}"), token.to_owned())
}

fn login(server: &Server, password: &str) -> Answer {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("user=anna&password={password}");
    server.send("POST", "/login", &form, body.as_bytes())
}

#[test]
fn a_token_lasts_a_minute_and_is_refreshed() {
    let server = shipped("scenarios/auth.yaml", NOON);
    let events = |name: &str, value: &str| server.open("/events", &[(name, value)]);
    let refused = server.get("/events");
    let says = r#"Bearer realm="events", error="invalid_token""#;
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, Some(says))
    );
    assert_eq!(login(&server, "wrong").status, 403);

    let (cookie, token) = signed_in(&login(&server, "sesame"));
    let mut stream = events("cookie", &cookie);
    assert_eq!(
        stream.event().unwrap(),
        "data: {\"hello\":\"anna\"}\nid: 1\nretry: 1000"
    );
    assert_eq!(events("authorization", &format!("Bearer {token}")).status, 200);
    assert_eq!(events("authorization", "Bearer made-up").status, 401);
    advance(&server, "59s");
    assert_eq!(events("cookie", &cookie).status, 200);
    for n in 2..13 {
        assert_eq!(
            stream.event().unwrap(),
            format!("data: {{\"tick\":{n}}}\nid: {n}")
        );
    }
    advance(&server, "1s");
    assert_eq!(stream.event(), None, "it ends with the token");
    assert_eq!(events("cookie", &cookie).status, 401);

    let refresh = |cookie: &str| server.send("POST", "/refresh", &[("cookie", cookie)], b"");
    let (new, _) = signed_in(&refresh(&cookie));
    assert_eq!(
        events("cookie", &new).event().unwrap(),
        "data: {\"hello\":\"anna\"}\nid: 1\nretry: 1000"
    );
    assert_eq!(events("cookie", &cookie).status, 401);
    assert_eq!(refresh(&cookie).status, 401, "it is good for one");

    let (_, bearer) = signed_in(&login(&server, "sesame"));
    let bearer = format!("Bearer {bearer}");
    let both = [("cookie", cookie.as_str()), ("authorization", &bearer)];
    let mut stream = server.open("/events", &both);
    assert!(
        stream.event().unwrap().contains("anna"),
        "a stale cookie hides no good token"
    );
    assert_eq!(server.send("POST", "/refresh", &both, b"").status, 200);
    assert_eq!(events("authorization", &bearer).status, 401);
}

#[test]
fn a_client_waits_as_long_as_it_is_told() {
    let server = shipped("scenarios/rate-limit.yaml", NOON);
    let busy = || server.open("/busy?client=good", &[]);
    let first = busy();
    assert_eq!((first.status, first.header("retry-after")), (429, Some("2")));
    advance(&server, "2s");
    assert_eq!(busy().status, 200);
    let verdict = server.get("/__mock/verify.txt");
    assert_eq!(verdict.status, 200, "{}", verdict.body);
}

#[test]
fn a_client_that_does_not_wait_fails() {
    let server = shipped("scenarios/rate-limit.yaml", NOON);
    let busy = || server.open("/busy?client=bad", &[]).status;
    assert_eq!([busy(), busy(), busy()], [429, 200, 200]);
    let verdict = server.get("/__mock/verify.txt");
    assert_eq!(verdict.status, 409);
    for name in [
        "not ok 1 - waits as long as it is told",
        "not ok 2 - stops at success",
    ] {
        assert!(verdict.body.contains(name), "{}", verdict.body);
    }
}

#[test]
fn three_requests_a_minute_are_let_in() {
    let server = shipped("scenarios/rate-limit.yaml", NOON);
    let limited = || {
        let answer = server.open("/limited?key=a", &[]);
        let left = answer.header("x-ratelimit-remaining").unwrap().to_owned();
        (
            answer.status,
            left,
            answer.header("retry-after").map(str::to_owned),
        )
    };
    for left in ["2", "1", "0"] {
        assert_eq!(limited(), (200, left.to_owned(), None));
    }
    assert_eq!(limited(), (429, "0".to_owned(), Some("30".to_owned())));
    assert_eq!(
        server.open("/limited?key=b", &[]).status,
        200,
        "each key has its own"
    );
    advance(&server, "29s");
    assert_eq!(limited().0, 429);
    advance(&server, "1s");
    assert_eq!(limited().0, 200);
}
