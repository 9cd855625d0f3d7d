//! Which answer a client gets when it comes again: attempts, cases, and what counts as a request.

mod support;

use std::collections::BTreeSet;

use support::{Server, serve};

/// The bodies that GET requests to these paths get, one after the other.
fn bodies(server: &Server, paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| server.get(path).body).collect()
}

#[test]
fn a_clients_whole_life() {
    let server = serve(
        r#"
endpoints:
  - path: /orders
    attempts:                    # the 1st request, the 2nd, …; the last entry repeats
      - status: 503
        headers: { retry-after: "1" }
      - stream:
          - { id: "1", data: { total: 10 } }
          - { id: "2", data: { total: 20 }, after: 200ms..800ms }
          - end: reset           # TCP RST in mid-stream
      - stream:
          - { id: "3", data: { total: 30 } }
      - status: 204              # tells EventSource to stop
"#,
        &["--time-scale", "100"],
    );
    let busy = server.get("/orders");
    assert_eq!(
        (busy.status, busy.header("retry-after"), busy.body.as_str()),
        (503, Some("1"), "")
    );
    let mut second = server.open("/orders", &[]);
    assert_eq!(second.event().unwrap(), "data: {\"total\":10}\nid: 1");
    assert_eq!(second.event().unwrap(), "data: {\"total\":20}\nid: 2");
    let error = second.rest().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let mut third = server.open("/orders", &[("last-event-id", "2")]);
    assert_eq!(third.event().unwrap(), "data: {\"total\":30}\nid: 3");
    assert_eq!(third.event(), None);
    for _ in 0..3 {
        let over = server.get("/orders");
        assert_eq!((over.status, over.body.as_str()), (204, ""));
    }
}

#[test]
fn clients_are_told_apart_by_whatever_the_scenario_says() {
    let server = serve(
        r#"
endpoints:
  - { path: /query, client: request.query.token, attempts: [{ body: one }, { body: 'then {{ attempt }}' }] }
  - { path: /cookie, client: request.cookies.sid, attempts: [{ body: one }, { body: 'then {{ attempt }}' }] }
  - { path: /header, client: 'request.headers["X-Client"]', attempts: [{ body: one }, { body: 'then {{ attempt }}' }] }
  - { path: /all, attempts: [{ body: one }, { body: 'then {{ attempt }}' }] }
  - { path: '/room/{room}', client: room, attempts: [{ body: one }, { body: 'then {{ attempt }}' }] }
"#,
        &[],
    );
    type Ask<'a> = (&'a str, &'a [(&'a str, &'a str)]);
    let rounds: [[Ask; 3]; 3] = [
        [("/query?token=a", &[]), ("/query?token=b", &[]), ("/query", &[])],
        [
            ("/cookie", &[("cookie", "x=1; sid=a")]),
            ("/cookie", &[("cookie", "sid=b")]),
            ("/cookie", &[("cookie", "x=1")]),
        ],
        [
            ("/header", &[("x-client", "a")]),
            ("/header", &[("x-client", "\"a\"")]),
            ("/header", &[]),
        ],
    ];
    for clients in rounds {
        for expected in ["one", "then 2", "then 3"] {
            for (path, headers) in clients {
                let answer = server.send("GET", path, headers, b"");
                assert_eq!(answer.body, expected, "{path} {headers:?}");
            }
        }
    }
    let all = bodies(&server, &["/all?token=a", "/all?token=b", "/all"]);
    assert_eq!(all, ["one", "then 2", "then 3"]);
    let rooms = bodies(&server, &["/room/a", "/room/b", "/room/%61"]);
    assert_eq!(rooms, ["one", "one", "then 2"]);
}

#[test]
fn an_entry_whose_condition_fails_is_not_used_up() {
    let server = serve(
        r#"
endpoints:
  - path: /x
    attempts:
      - { body: first }
      - { when: 'request.query.go == "1"', body: 'second {{ attempt }}' }
      - { body: 'third {{ attempt }}' }
  - { path: /x, when: 'request.query.go != "2"', body: 'next {{ attempt }}' }
"#,
        &[],
    );
    assert_eq!(
        bodies(&server, &["/x?go=1", "/x", "/x", "/x?go=1", "/x", "/x"]),
        ["first", "next 1", "next 2", "second 2", "third 3", "third 4"]
    );
    let server = serve(
        "endpoints: [{ path: /x, attempts: [{ when: request.query.go, body: a }] }]",
        &[],
    );
    let lost = server.get("/x");
    assert_eq!(lost.status, 404);
    assert!(lost.body.contains("`when`"), "{}", lost.body);
}

#[test]
fn cases_are_asked_in_their_order() {
    let server = serve(
        r#"
endpoints:
  - path: /case
    cases:
      - { when: request.query.a, body: a }
      - { when: 'request.query.b or request.query.a', body: b }
      - { when: 'attempt == 3', body: third }
  - { path: /case, body: next }
"#,
        &[],
    );
    assert_eq!(
        bodies(
            &server,
            &["/case", "/case?b=1", "/case?a=1&b=1", "/case", "/case"]
        ),
        ["next", "b", "a", "third", "next"]
    );
}

#[test]
fn attempts_inside_cases_count_each_for_themselves() {
    let server = serve(
        r#"
endpoints:
  - path: /x
    cases:
      - when: 'request.query.kind == "a"'
        attempts: [{ body: a1 }, { body: a2 }]
      - when: 'request.query.kind == "b"'
        attempts: [{ body: b1 }, { body: 'b2 {{ attempt }}' }]
      - { body: 'other {{ attempt }}' }
  - path: /open
    cases:
      - attempts: [{ when: request.query.w, body: w1 }, { body: w2 }]
      - { body: fallback }
  - path: /clients
    client: request.query.c
    cases:
      - { when: 'request.query.k', attempts: [{ body: k1 }, { body: k2 }] }
"#,
        &[],
    );
    assert_eq!(
        bodies(
            &server,
            &[
                "/x?kind=a",
                "/x?kind=b",
                "/x",
                "/x?kind=a",
                "/x?kind=b",
                "/x?kind=a"
            ]
        ),
        ["a1", "b1", "other 3", "a2", "b2 5", "a2"]
    );
    assert_eq!(
        bodies(&server, &["/open", "/open", "/open?w=1", "/open", "/open?w=1"]),
        ["fallback", "fallback", "w1", "w2", "w2"]
    );
    let asked = [
        "/clients?c=1&k=1",
        "/clients?c=2&k=1",
        "/clients?c=1&k=1",
        "/clients?c=2&k=1",
    ];
    assert_eq!(bodies(&server, &asked), ["k1", "k1", "k2", "k2"]);
}

#[test]
fn cases_inside_attempts_may_send_a_request_on() {
    let server = serve(
        r#"
endpoints:
  - path: /x
    attempts:
      - cases: [{ when: request.query.v, body: one }, { body: rest }]
      - cases: [{ when: request.query.v, body: only }]
  - { path: /x, body: next }
"#,
        &[],
    );
    assert_eq!(
        bodies(&server, &["/x", "/x", "/x?v=1", "/x?v=1", "/x"]),
        ["rest", "next", "only", "only", "next"]
    );
}

const INHERITED: &str = r#"
topics: { log: { history: 10 } }
endpoints:
  - path: /x
    let: { who: 'n{{ attempt }}' }
    set: { count: '{{ state.count | default(0) + 1 }}' }
    publish: { topic: log, data: '{{ who }}' }
    status: 201
    reason: Made
    headers: { X-A: a, x-b: b, X-C: c, x-who: '{{ who }}' }
    body: usual
    attempts:
      - status: 202
      - headers: { x-a: other, X-B: ~, x-d: ["1", "2"] }
      - { json: { own: '{{ who }}' }, let: { who: '{{ who }}!' }, set: { own: '{{ state.count }}' } }
      - stream: [{ data: '{{ who }} {{ state.own }}' }]
  - path: /stream
    after: 200ms
    heartbeat: 100ms
    wire: { eol: crlf, space: false }
    stream: [{ data: a }, { wait: 150ms }, { data: b }]
    attempts:
      - wire: { bom: true }
      - { wire: { eol: lf }, heartbeat: { every: 100ms, comment: beat } }
      - { stream: [{ data: own }], limits: { events: 5 } }
  - { path: /log, stream: [{ follow: { topic: log, from: earliest, limit: 4 } }] }
"#;

#[test]
fn entries_inherit_what_they_do_not_say() {
    let server = serve(INHERITED, &[]);
    let first = server.get("/x");
    assert!(first.head.starts_with("HTTP/1.1 202 Made\r\n"), "{}", first.head);
    assert_eq!((first.header("x-a"), first.body.as_str()), (Some("a"), "usual"));
    let second = server.get("/x");
    assert!(
        second.head.starts_with("HTTP/1.1 201 Made\r\n"),
        "{}",
        second.head
    );
    let own: Vec<&str> = second
        .head
        .lines()
        .filter(|line| line.to_lowercase().starts_with("x-"))
        .filter(|line| !line.starts_with("x-mock"))
        .collect();
    assert_eq!(own, ["X-C: c", "x-who: n2", "x-a: other", "x-d: 1", "x-d: 2"]);
    let third = server.get("/x");
    assert_eq!((third.status, third.body.as_str()), (201, r#"{"own":"n3!"}"#));
    assert_eq!(third.header("content-type"), Some("application/json"));
    assert_eq!(
        third.header("x-who"),
        Some("n3!"),
        "an entry's `let` comes after the endpoint's"
    );
    let fourth = server.get("/x");
    assert_eq!((fourth.status, fourth.body.as_str()), (201, "data: n4 3\n\n"));
    assert_eq!(
        server.get("/log").body,
        "data: n1\n\ndata: n2\n\ndata: n3!\n\ndata: n4\n\n"
    );
}

#[test]
fn streams_inherit_key_by_key() {
    let server = serve(INHERITED, &[]);
    for expected in [
        "\u{feff}data:a\r\n\r\n:\r\n\r\ndata:b\r\n\r\n",
        "data:a\n\n:beat\n\ndata:b\n\n",
        "data:own\r\n\r\n",
    ] {
        assert_eq!(server.get("/stream").body, expected);
    }
}

#[test]
fn only_requests_that_an_endpoint_answers_are_attempts() {
    let server = serve(
        r#"
cors: { origins: "*" }
endpoints:
  - path: /x
    attempts: [{ headers: { x-n: "1" }, body: one }, { headers: { x-n: "2" }, body: two }, { body: three }]
  - path: /any
    method: ANY
    attempts: [{ headers: { x-n: "1" }, body: one }, { body: two }]
  - { path: /json, method: POST, when: request.json.go, body: '{{ attempt }}' }
"#,
        &[],
    );
    let preflight = [
        ("origin", "http://a.test"),
        ("access-control-request-method", "GET"),
    ];
    let idle = |path: &str, n: Option<&str>| {
        assert_eq!(server.send("HEAD", path, &[], b"").header("x-n"), n, "{path}");
        assert_eq!(server.send("OPTIONS", path, &preflight, b"").status, 204);
    };
    idle("/x", Some("1"));
    assert_eq!(server.send("POST", "/x", &[], b"").status, 405);
    assert_eq!(server.get("/x").body, "one");
    idle("/x", Some("2"));
    assert_eq!(server.get("/x").body, "two");
    idle("/any", Some("1"));
    assert_eq!(server.send("PUT", "/any", &[], b"").body, "one");
    idle("/any", None);
    assert_eq!(
        server.send("OPTIONS", "/any", &[], b"").body,
        "two",
        "not a preflight"
    );
    assert_eq!(server.post("/json", "{").status, 400);
    assert_eq!(server.post("/json", "{}").status, 404);
    assert_eq!(server.post("/json", r#"{"go":1}"#).body, "1");
}

#[test]
fn a_hundred_first_requests_at_once_take_a_hundred_entries() {
    let entries: Vec<String> = (0..100)
        .map(|n| format!("{{ body: 'e{n} {{{{ attempt }}}}' }}"))
        .collect();
    let entries = entries.join(", ");
    let server = serve(
        &format!(
            "endpoints:
  - {{ path: /x, attempts: [{entries}, {{ body: over }}] }}
  - {{ path: /y, cases: [{{ when: request.query.y, attempts: [{entries}, {{ body: over }}] }}] }}
"
        ),
        &[],
    );
    for path in ["/x", "/y?y=1"] {
        let got: BTreeSet<String> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..100).map(|_| scope.spawn(|| server.get(path).body)).collect();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let expected: BTreeSet<String> = (0..100).map(|n| format!("e{n} {}", n + 1)).collect();
        assert_eq!(got, expected);
        assert_eq!(server.get(path).body, "over");
    }
}
