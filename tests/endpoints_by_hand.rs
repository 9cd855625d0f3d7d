//! Hosts, lists of paths, methods of every name, and cross-origin headers that a scenario writes itself.

mod byte_client;
mod transport_toy;
mod wire_toy;

use byte_client::{Answer, End, Mock, Via, mock};

async fn ask(mock: &Mock, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !fields.iter().any(|(name, _)| *name == "host") {
        head += "host: t\r\n";
    }
    fields
        .iter()
        .for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    mock.send((head + "connection: close\r\n\r\n").as_bytes()).await
}

#[tokio::test]
async fn hosts_and_lists_of_paths_choose_the_endpoint() {
    let mock = mock(
        "
endpoints:
  - { path: /, host: a.test, body: a }
  - { path: /, host: ['*.b.test', 'c.test:81'], body: b or c }
  - { path: ['/two/{n}', '/three/{n}/x'], host: t, body: '{{ n }}' }
  - { path: /, body: any }
",
    )
    .await;
    for (host, expected) in [
        ("a.test", "a"),
        ("A.TEST:4043", "a"),
        ("x.a.test", "any"),
        ("x.b.test", "b or c"),
        ("b.test", "any"),
        ("c.test:81", "b or c"),
        ("c.test:82", "any"),
        ("c.test", "any"),
        ("", "any"),
    ] {
        assert_eq!(
            ask(&mock, "GET", "/", &[("host", host)]).await.text(),
            expected,
            "{host}"
        );
    }
    for (path, expected) in [("/two/5", "5"), ("/three/6/x", "6")] {
        assert_eq!(ask(&mock, "GET", path, &[]).await.text(), expected, "{path}");
    }
    assert_eq!(ask(&mock, "GET", "/two/5", &[("host", "u")]).await.status(), 404);
    // Over HTTP/2 the authority is the host.
    assert_eq!(mock.get(Via::Http2, "/two/5").await.text(), "5");
}

#[tokio::test]
async fn methods_of_every_name_reach_their_endpoint() {
    let mock = mock(
        "
endpoints:
  - { path: /report, method: REPORT, body: '{{ request.method }} {{ request.body }}' }
  - { path: /options, method: OPTIONS, status: 299, headers: { access-control-allow-methods: '*' } }
  - { path: /any, method: ANY, body: '{{ request.method }}' }
  - { path: /list, method: [PUT, M-SEARCH], body: '{{ request.method }}' }
  - { path: /both, method: POST, body: post }
  - { path: /both, body: get }
",
    )
    .await;
    for (method, path, status, body) in [
        ("REPORT", "/report", 200, "REPORT "),
        ("OPTIONS", "/options", 299, ""),
        ("PROPFIND", "/any", 200, "PROPFIND"),
        ("M-SEARCH", "/list", 200, "M-SEARCH"),
        ("PUT", "/list", 200, "PUT"),
        ("POST", "/both", 200, "post"),
        ("GET", "/both", 200, "get"),
        ("OPTIONS", "/both", 204, ""),
    ] {
        let answer = ask(&mock, method, path, &[]).await;
        assert_eq!(
            (answer.status(), answer.text().as_str()),
            (status, body),
            "{method} {path}"
        );
    }
    for (method, path, allow) in [
        ("GET", "/report", "REPORT"),
        ("get", "/both", "POST, GET, HEAD"),
        ("DELETE", "/both", "POST, GET, HEAD"),
    ] {
        let answer = ask(&mock, method, path, &[]).await;
        assert_eq!(
            (answer.status(), answer.value("allow").as_deref()),
            (405, Some(allow)),
            "{method} {path}"
        );
    }
}

const ORIGINS: &str = "
cors: { origins: '*' }
endpoints:
  - path: /by-query
    cors: off
    headers:
      Access-Control-Allow-Origin: '{{ request.query.origin | default(none) }}'
      Access-Control-Allow-Credentials: '{{ request.query.credentials | default(none) }}'
    stream: [{ data: a }]
  - { path: /echo, headers: { access-control-allow-origin: '{{ request.headers.origin | default(none) }}' }, body: x }
  - { path: /wrong, headers: { access-control-allow-origin: http://elsewhere.test }, body: x }
  - { path: /without, headers: { access-control-allow-origin: ~ }, body: x }
  - { path: /off, cors: off, body: x }
  - path: /preflight
    method: OPTIONS
    cors: off
    set: { 'asked.{{ request.query.key }}': true }
    status: 204
    headers:
      access-control-allow-origin: '{{ request.headers.origin }}'
      access-control-allow-headers: '{{ request.headers[\"access-control-request-headers\"] }}'
  - { path: /preflight, body: '{{ state[\"asked.\" ~ request.query.key] | default(false) }}' }
  - path: /cookie
    cases:
      - { when: request.cookies.seen, headers: { set-cookie: '{{ request.query.name }}=; Max-Age=0' }, body: again }
      - { headers: { Set-Cookie: ['{{ request.query.name }}=1; Path=/', 'seen=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT'] }, body: first }
";

#[tokio::test]
async fn cross_origin_headers_can_be_echoed_wrong_empty_or_absent() {
    let mock = mock(ORIGINS).await;
    let origin = [("origin", "http://o.test")];
    for (path, expected) in [
        ("/by-query?origin=http%3A%2F%2Fa.test", &["http://a.test"][..]),
        ("/by-query?origin=*", &["*"]),
        ("/by-query?origin=", &[""]),
        ("/by-query", &[]),
        ("/echo", &["http://o.test"]),
        ("/wrong", &["http://elsewhere.test"]),
        ("/without", &[]),
        ("/off", &[]),
        ("/nowhere", &["*"]),
    ] {
        let answer = ask(&mock, "GET", path, &origin).await;
        assert_eq!(answer.values("access-control-allow-origin"), expected, "{path}");
        assert_eq!(
            answer.values("access-control-allow-credentials").len(),
            0,
            "{path}"
        );
    }
    let with = ask(&mock, "GET", "/by-query?origin=*&credentials=true", &origin).await;
    assert_eq!(
        with.value("access-control-allow-credentials").as_deref(),
        Some("true")
    );
    assert_eq!((with.text().as_str(), with.end), ("data: a\n\n", End::Clean));
}

#[tokio::test]
async fn a_preflight_can_be_answered_by_hand_and_remembered() {
    let mock = mock(ORIGINS).await;
    let asks = [
        ("origin", "http://o.test"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "x-a, x-b"),
    ];
    assert_eq!(ask(&mock, "GET", "/preflight?key=k", &[]).await.text(), "false");
    let answer = ask(&mock, "OPTIONS", "/preflight?key=k", &asks).await;
    assert_eq!(
        answer.value("access-control-allow-headers").as_deref(),
        Some("x-a, x-b")
    );
    assert_eq!(answer.values("access-control-allow-origin"), ["http://o.test"]);
    assert_eq!(
        answer.value("access-control-max-age"),
        None,
        "only what was written"
    );
    assert_eq!(ask(&mock, "GET", "/preflight?key=k", &[]).await.text(), "true");
    assert_eq!(ask(&mock, "GET", "/preflight?key=l", &[]).await.text(), "false");
}

#[tokio::test]
async fn cookies_are_set_by_name_and_decide() {
    let mock = mock(ORIGINS).await;
    let first = ask(&mock, "GET", "/cookie?name=n%2D1", &[("cookie", "other=1")]).await;
    assert_eq!(first.text(), "first");
    assert_eq!(
        first.values("set-cookie"),
        ["n-1=1; Path=/", "seen=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT"]
    );
    let again = ask(&mock, "GET", "/cookie?name=n", &[("cookie", "other=1; seen=1")]).await;
    assert_eq!(
        (again.text().as_str(), again.values("set-cookie")),
        ("again", vec!["n=; Max-Age=0".to_owned()])
    );
}

#[tokio::test]
async fn heads_over_http2_are_what_http2_allows() {
    let mock = mock(
        "
endpoints:
  - path: /x
    status: 299
    reason: gone
    headers: { X-Upper: 1, Set-Cookie: [a=1, b=2], date: ~, connection: close, Content-Type: ~ }
    stream: [{ data: a }]
  - { path: /length, headers: { content-length: ~ }, body: abc }
  - { path: /framed, wire: { framing: close }, body: abc }
",
    )
    .await;
    let io = mock.connect(Via::Http2Tls).await;
    let (mut client, connection) = h2::client::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut fields = async |path: &str| {
        let request = http::Request::get(format!("https://t{path}")).body(()).unwrap();
        let (response, _) = client.send_request(request, true).unwrap();
        let response = transport_toy::soon(response).await.unwrap();
        let status = response.status().as_u16();
        let fields = response
            .headers()
            .iter()
            .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()));
        (
            status,
            fields.filter(|f| !f.starts_with("date: ")).collect::<Vec<_>>(),
        )
    };
    let (status, names) = fields("/x").await;
    assert_eq!(status, 299);
    assert_eq!(
        names,
        [
            "cache-control: no-store",
            "x-accel-buffering: no",
            "x-upper: 1",
            "set-cookie: a=1",
            "set-cookie: b=2"
        ]
    );
    assert_eq!(
        fields("/length").await.1,
        ["content-type: text/plain; charset=utf-8"]
    );
    let framed = fields("/framed").await.1;
    assert_eq!(
        framed,
        ["content-type: text/plain; charset=utf-8", "content-length: 3"]
    );
}
