//! The scenario language: which endpoint takes a request, and the head and body it answers with.

mod support;

use support::{Server, serve};

const MATCHING: &str = "
vars: { greeting: hello, limits: { top: 3 } }
endpoints:
  - { path: /first, body: one }
  - { path: /first, body: two }
  - { path: '/chat/{room}', body: '{{ room }}' }
  - { path: '/v{n}/x.{ext}', body: '{{ n }} {{ ext }}' }
  - { path: '/files/{rest...}', body: '{{ rest }}' }
  - { path: /caf\u{e9}, body: umlaut }
  - { path: '/a%20b', body: space }
  - { path: /list, method: [POST, DELETE], body: '{{ request.method }}' }
  - { path: /any, method: ANY, body: '{{ request.method }}' }
  - { path: /when, when: 'request.query.a == \"1\"', body: query }
  - { path: /when, when: 'request.headers[\"X-Kind\"] == \"h\"', body: header }
  - { path: /when, when: 'request.cookies.c == \"3\"', body: cookie }
  - { path: /when, method: [GET, POST], when: request.json.deep.flag, body: json }
  - { path: /vars, body: '{{ vars.greeting }} {{ vars.limits.top + 1 }}' }
  - { path: /attempt, body: '{{ attempt }}' }
";

#[test]
fn the_first_endpoint_that_takes_a_request_answers_it() {
    let server = serve(MATCHING, &[]);
    for (method, path, headers, body, expected) in [
        ("GET", "/first", &[][..], "", "one"),
        ("GET", "/chat/blue", &[], "", "blue"),
        ("GET", "/chat/a%2Fb", &[], "", "a/b"),
        ("GET", "/chat/a+b", &[], "", "a+b"),
        ("GET", "/chat/%E2%98%83", &[], "", "☃"),
        ("GET", "/v12/x.json", &[], "", "12 json"),
        ("GET", "/files/a/b%2Fc/d", &[], "", "a/b/c/d"),
        ("GET", "/files/", &[], "", ""),
        ("GET", "/caf%C3%A9", &[], "", "umlaut"),
        ("GET", "/a%20b", &[], "", "space"),
        ("POST", "/list", &[], "", "POST"),
        ("DELETE", "/list", &[], "", "DELETE"),
        ("PATCH", "/any", &[], "", "PATCH"),
        ("OPTIONS", "/any", &[], "", "OPTIONS"),
        ("BREW", "/any", &[], "", "BREW"),
        ("GET", "/when?a=1", &[], "", "query"),
        ("GET", "/when?a=1", &[("x-kind", "h")], "", "query"),
        ("GET", "/when?a=2", &[("x-kind", "h")], "", "header"),
        ("GET", "/when", &[("cookie", "b=2; c=3")], "", "cookie"),
        (
            "POST",
            "/when",
            &[("content-type", "application/json")],
            r#"{"deep":{"flag":true}}"#,
            "json",
        ),
        ("GET", "/vars", &[], "", "hello 4"),
    ] {
        let answer = server.send(method, path, headers, body.as_bytes());
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, expected),
            "{method} {path} {answer:?}"
        );
    }
}

#[test]
fn what_no_endpoint_takes_is_told_why() {
    let server = serve(MATCHING, &[]);
    let json = [("content-type", "application/json")];
    for (method, path, headers, body, status, reason) in [
        ("GET", "/first/", &[][..], "", 404, "no endpoint has the path"),
        ("GET", "/First", &[], "", 404, "the nearest is `GET /first`"),
        ("GET", "/chat/", &[], "", 404, "no endpoint"),
        ("GET", "/chat/a/b", &[], "", 404, "no endpoint"),
        ("GET", "/chat/%zz", &[], "", 400, "percent-escape"),
        ("GET", "/list", &[], "", 405, "POST, DELETE"),
        (
            "GET",
            "/when",
            &[],
            "",
            404,
            "its conditions (`when`) do not hold",
        ),
        ("POST", "/when", &json, "{", 400, "not valid JSON"),
    ] {
        let answer = server.send(method, path, headers, body.as_bytes());
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert!(answer.body.contains(reason), "{path} {answer:?}");
    }
}

#[test]
fn attempts_count_what_was_answered_and_nothing_else() {
    let server = serve(MATCHING, &[]);
    assert_eq!(server.get("/attempt").body, "1");
    server.send("HEAD", "/attempt", &[], b"");
    server.send("POST", "/attempt", &[], b"");
    let asks = [
        ("origin", "http://a.test"),
        ("access-control-request-method", "GET"),
    ];
    server.send("OPTIONS", "/attempt", &asks, b"");
    assert_eq!(server.get("/attempt?x=1").body, "2");
    assert_eq!(server.get("/attempt").body, "3");
}

const ANSWERS: &str = "
vars: { n: 5 }
endpoints:
  - path: /types
    let: { n: '{{ vars.n * 2 }}', text: 'n={{ n }}', object: { deep: ['{{ n }}', '{{ text }}'] } }
    json: { n: '{{ n }}', text: '{{ text }}', object: '{{ object }}', yes: '{{ n > 3 }}', none: '{{ none }}', same: '{{ object.deep[0] }}', list: '{{ [1, \"a\"] }}' }
  - path: /head
    status: '{{ 200 + 1 }}'
    headers:
      x-one: 'n={{ vars.n }}'
      set-cookie: [a=1, 'b={{ vars.n }}']
      content-type: application/x-own
      x-none: ~
      x-void: '{{ none }}'
      cache-control: ~
    body: 'body {{ vars.n }}'
  - path: /stream-head
    headers: { cache-control: ~, x-accel-buffering: ~, content-type: text/event-stream; charset=utf-8 }
    stream: [{ data: x }]
  - { path: /late, after: '{{ vars.n }}ms..10ms', body: late }
  - { path: /empty, status: 204 }
  - { path: /text, body: \"a\\nb\\n\" }
  - { path: /no-type, headers: { content-type: ~ }, body: x }
  - { path: /json-list, json: [1.5, 2, '{{ vars.n }}'] }
  - path: /once
    let: { id: '{{ uuid() }}' }
    headers: { x-id: '{{ id }}' }
    stream: [{ id: '{{ id }}', data: '{{ id }}' }, { id: '{{ id }}', data: '{{ attempt }}' }]
  - path: /seq
    stream: [{ data: '{{ seq }}' }, { comment: '{{ seq }}' }, { id: counter, data: '{{ seq }}' }, { id: counter, data: x }, { id: 'e{{ seq }}', data: x }]
";

fn lines(server: &Server, path: &str) -> Vec<String> {
    let body = server.get(path).body;
    body.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_lone_expression_keeps_its_type() {
    let server = serve(ANSWERS, &[]);
    let answer = server.get("/types");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let expected = concat!(
        r#"{"n":10,"text":"n=10","object":{"deep":[10,"n=10"]},"yes":true,"none":null,"#,
        r#""same":10,"list":[1,"a"]}"#
    );
    assert_eq!(answer.body, expected);
    assert_eq!(server.get("/json-list").body, "[1.5,2,5]");
}

#[test]
fn heads_are_as_the_scenario_says() {
    let server = serve(ANSWERS, &[]);
    let head = server.get("/head");
    assert_eq!((head.status, head.body.as_str()), (201, "body 5"));
    assert_eq!(head.header("x-one"), Some("n=5"));
    assert_eq!(head.header("content-type"), Some("application/x-own"));
    let cookies: Vec<&str> = head
        .head
        .lines()
        .filter(|l| l.to_lowercase().starts_with("set-cookie:"))
        .collect();
    assert_eq!(cookies, ["set-cookie: a=1", "set-cookie: b=5"]);
    for absent in ["x-none", "x-void", "cache-control"] {
        assert_eq!(head.header(absent), None, "{}", head.head);
    }
    let stream = server.get("/stream-head");
    assert_eq!(
        stream.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!(
        (stream.header("cache-control"), stream.header("x-accel-buffering")),
        (None, None)
    );
    assert_eq!(server.get("/late").body, "late");
    let empty = server.get("/empty");
    assert_eq!(
        (empty.status, empty.body.as_str(), empty.header("content-type")),
        (204, "", None)
    );
    let text = server.get("/text");
    assert_eq!(
        (text.header("content-type"), text.body.as_str()),
        (Some("text/plain; charset=utf-8"), "a\nb\n")
    );
    assert_eq!(server.get("/no-type").header("content-type"), None);
}

#[test]
fn a_let_name_has_one_value_for_the_whole_answer() {
    let server = serve(ANSWERS, &[]);
    let first = server.get("/once");
    let id = first.header("x-id").unwrap().to_owned();
    assert_eq!(
        first.body,
        format!("data: {id}\nid: {id}\n\ndata: 1\nid: {id}\n\n")
    );
    let second = server.get("/once");
    assert_ne!(second.header("x-id"), Some(id.as_str()));
    assert!(second.body.contains("data: 2\n"), "{second:?}");
    assert_eq!(
        lines(&server, "/seq"),
        [
            "data: 1", ": 2", "data: 3", "id: 1", "data: x", "id: 2", "data: x", "id: e5"
        ]
    );
}

const ECHO: &str = "
endpoints:
  - path: /echo
    method: [GET, POST]
    headers: { x-back: '{{ request.headers[\"x-in\"] | default(none) }}' }
    stream:
      - data: '{{ request.query.q | default(\"\") }}'
      - data: '{{ request.headers[\"x-in\"] | default(\"\") }}'
      - data: '{{ request.body }}'
  - { path: '/raw/{name}', body: '{{ name }}' }
";

#[test]
fn bytes_of_a_request_come_back_as_they_came() {
    let server = serve(ECHO, &[]);
    let mut stream = server.open_with(
        "POST",
        "/echo?q=%ff%00%E2%98%83%2B+",
        &[],
        b"\xff\0\xe2\x98\x83 body",
    );
    assert_eq!(
        stream.all(),
        b"data: \xff\0\xe2\x98\x83+ \n\ndata:\n\ndata: \xff\0\xe2\x98\x83 body\n\n"
    );
    assert_eq!(server.get("/raw/%ff%00%2f").bytes, b"\xff\0/");

    let mut socket = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let head = b"GET /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-in: \xff \xe2\x98\x83\r\n\r\n";
    std::io::Write::write_all(&mut socket, head).unwrap();
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut socket, &mut all).unwrap();
    let has = |part: &[u8]| all.windows(part.len()).any(|window| window == part);
    assert!(
        has(b"data: \xff \xe2\x98\x83\n\n"),
        "{}",
        String::from_utf8_lossy(&all)
    );
    assert!(
        has(b"x-back: \xff \xe2\x98\x83\r\n"),
        "{}",
        String::from_utf8_lossy(&all)
    );
}

#[test]
fn a_head_request_gets_the_head_alone_whatever_the_methods_are() {
    let yaml = "
topics: { t: { history: 5 } }
endpoints:
  - { path: /any, method: ANY, publish: { topic: t, data: x }, stream: [{ data: x }, { end: hold }] }
  - { path: /get, stream: [{ data: x }, { end: hold }] }
  - { path: /head, method: HEAD, stream: [{ data: x }, { end: hold }] }
  - { path: /nothing, status: 204, stream: [{ data: x }, { end: hold }] }
";
    let server = serve(yaml, &[]);
    for path in ["/any", "/get", "/head"] {
        let head = server.send("HEAD", path, &[], b"");
        assert_eq!(
            (head.status, head.header("content-type")),
            (200, Some("text/event-stream")),
            "{path}"
        );
    }
    assert_eq!(server.get("/nothing").status, 204);
    server.log.wait_for_times("0 bytes, answered", 4);
    assert_eq!(
        server.send("HEAD", "/any", &[], b"").header("x-mock-reached"),
        None,
        "it has no effects"
    );
}
