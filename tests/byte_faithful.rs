//! What comes in with a request goes out as it came: any bytes, anywhere, and never as something else.

mod byte_client;
mod transport_toy;
mod wire_toy;

use byte_client::{Answer, End, Mock, Open, Via, mock};
use wire_toy::Frames;

/// Invalid UTF-8, an invalid surrogate, the snowman, the escapes of our own, and what JSON escapes.
const NASTY: &[u8] = b"\xff\xfe\xed\xa0\x80\xe2\x98\x83 \xf4\x8f\xbd\x81\xc3(\"\\'<&>\t\x7f\xe2\x80\xa8end";

fn percent(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("%{b:02x}")).collect()
}

/// GET with one field of any bytes.
async fn with_field(mock: &Mock, via: Via, path: &str, name: &str, value: &[u8]) -> Answer {
    let io = mock.connect(via).await;
    if via.is_http2() {
        let mut frames = Frames::wide(io).await;
        let fields: [(&[u8], &[u8]); 5] = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":path", path.as_bytes()),
            (b":authority", b"t"),
            (name.as_bytes(), value),
        ];
        frames.ask_bytes(1, &fields).await;
        return Open::Http2(frames).rest().await;
    }
    let head = format!("GET {path} HTTP/1.1\r\nhost: t\r\n{name}: ");
    mock.ask(via, &[head.as_bytes(), value, b"\r\n\r\n"].concat())
        .await
}

async fn post(mock: &Mock, path: &str, kind: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: t\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    mock.ask(Via::Http1, &[head.as_bytes(), body].concat()).await
}

const ECHO: &str = r#"
vars: { dash: "-" }
endpoints:
  - { path: /body, body: "{{ request.query.q }}" }
  - { path: /around, body: "[{{ request.query.q }}]" }
  - { path: /json, json: { q: "{{ request.query.q }}", same: "{{ request.query.q == request.query.p }}" } }
  - path: /stream
    let: { q: "{{ request.query.q }}" }
    stream:
      - data: "{{ q }}"
      - { event: "{{ q }}", id: "{{ q }}", comment: "{{ q }}", data: { q: "{{ q }}" } }
      - raw: "{{ q }}{{ vars.dash }}{{ q }}"
      - raw: "{{ q | sha256 }} {{ q | b64 }} {{ q | b64 | b64decode }}"
  - { path: "/capture/{name}", body: "{{ name }}" }
  - { path: "/rest/{rest...}", body: "{{ rest }}" }
  - { path: "/v{n}.txt", body: "{{ n }}" }
  - { path: "/path/{rest...}", body: "{{ request.path }}" }
  - { path: /base, body: "{{ base }}" }
  - { path: /header, body: "{{ request.headers['x-in'] }}" }
  - { path: /back, headers: { X-Back: "{{ request.headers['x-in'] }}" }, body: "{{ request.headers.x_in }}" }
  - { path: /id, body: "{{ last_event_id }}" }
  - { path: /id-event, stream: [{ id: "{{ last_event_id }}", data: "{{ last_event_id }}" }] }
  - { path: /cookie, body: "{{ request.cookies.c }}" }
  - { path: /post, method: POST, body: "{{ request.body }}" }
  - { path: /sha, method: POST, body: "{{ request.body | sha256 }}" }
  - { path: /form, method: POST, body: "{{ request.params.q }}" }
  - { path: /deep, method: POST, body: "{{ request.json.a[0] }}" }
  - { path: /head, headers: { x-q: "{{ request.query.q }}" }, body: ok }
  - { path: /reason, reason: "{{ request.query.q }}", body: ok }
  - { path: /location, status: 302, headers: { location: "{{ request.query.q }}" } }
  - { path: /set-cookie, headers: { set-cookie: "{{ request.query.q }}=1" }, body: ok }
  - { path: /headers, json: "{{ request.headers }}" }
  - { path: /next, stream: [{ id: "{{ last_event_id | int + 1 }}", data: "{{ (last_event_id | default('0', true) | int) + 1 }}" }] }
  - { path: /default, body: "{{ request.query.message | default('data: data') }}\n\n" }
"#;

#[tokio::test]
async fn a_query_comes_back_byte_for_byte() {
    let mock = mock(ECHO).await;
    let nul = [NASTY, b"\0"].concat();
    let q = percent(&nul);
    for via in Via::ALL {
        let get = async |path: &str| mock.get(via, path).await.body();
        assert_eq!(get(&format!("/body?q={q}")).await, nul, "{via:?}");
        assert_eq!(
            get(&format!("/around?q={q}")).await,
            [b"[", &nul[..], b"]"].concat()
        );
        let json = get(&format!("/json?q={q}&p={q}")).await;
        let expected = [b"{\"q\":\"", &escaped(&nul)[..], b"\",\"same\":true}"].concat();
        assert_eq!(json, expected, "{}", String::from_utf8_lossy(&json));
        assert_eq!(get("/body?q=a+b%2Bc%26").await, b"a b+c&");
    }
}

/// The bytes inside a JSON string: only what JSON demands is escaped.
fn escaped(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|b| match b {
            0 => b"\\u0000".to_vec(),
            b'"' => b"\\\"".to_vec(),
            b'\\' => b"\\\\".to_vec(),
            b'\t' => b"\\t".to_vec(),
            other => vec![*other],
        })
        .collect()
}

#[tokio::test]
async fn every_part_of_a_stream_carries_any_bytes() {
    use base64::Engine;
    let mock = mock(ECHO).await;
    let q = NASTY;
    for via in Via::ALL {
        let answer = mock.get(via, &format!("/stream?q={}", percent(q))).await;
        assert_eq!(answer.pieces[0], [b"data: ", q, b"\n\n"].concat(), "{via:?}");
        let json = [b"{\"q\":\"", &escaped(q)[..], b"\"}"].concat();
        let event = [
            b": ",
            q,
            b"\nevent: ",
            q,
            b"\ndata: ",
            &json,
            b"\nid: ",
            q,
            b"\n\n",
        ]
        .concat();
        assert_eq!(answer.pieces[1], event);
        assert_eq!(answer.pieces[2], [q, b"-", q].concat());
        let b64 = base64::engine::general_purpose::STANDARD.encode(q);
        let words: Vec<&[u8]> = answer.pieces[3].splitn(3, |b| *b == b' ').collect();
        assert_eq!(words, [sha256(q).as_bytes(), b64.as_bytes(), q]);
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(bytes);
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

#[tokio::test]
async fn paths_are_split_before_they_are_decoded() {
    let mock = mock(ECHO).await;
    let nasty = percent(&[NASTY, b"\0/%2e\r\n"].concat());
    for via in [Via::Http1, Via::Http2] {
        let get = async |path: String| mock.get(via, &path).await.body();
        assert_eq!(
            get(format!("/capture/{nasty}")).await,
            [NASTY, b"\0/%2e\r\n"].concat()
        );
        assert_eq!(get("/rest/a/%2F/b%252Fc//d".into()).await, b"a///b%2Fc//d");
        assert_eq!(get("/v%ff.txt".into()).await, b"\xff");
        assert_eq!(get("/capture/%2e%2e".into()).await, b"..");
        // UTF-8 that was not escaped, and the path as it stood.
        for name in ["\u{2603}", "\u{10ff41}"] {
            assert_eq!(get(format!("/capture/{name}")).await, name.as_bytes(), "{via:?}");
            let path = format!("/path/%41{name}");
            assert_eq!(get(path.clone()).await, path.as_bytes(), "{via:?}");
            assert_eq!(get(format!("/body?q={name}")).await, name.as_bytes(), "{via:?}");
        }
    }
}

#[tokio::test]
async fn header_fields_ids_and_cookies_come_back_byte_for_byte() {
    let mock = mock(ECHO).await;
    // What HTTP lets a field hold: no NUL, no control characters but the tab.
    let value: Vec<u8> = NASTY.iter().copied().filter(|b| *b != 0x7f).collect();
    for via in Via::ALL {
        for (path, name) in [("/header", "x-in"), ("/id", "last-event-id")] {
            assert_eq!(
                with_field(&mock, via, path, name, &value).await.body(),
                value,
                "{via:?} {path}"
            );
        }
        let event = with_field(&mock, via, "/id-event", "last-event-id", &value).await;
        assert_eq!(
            event.body(),
            [b"data: ", &value[..], b"\nid: ", &value, b"\n\n"].concat(),
            "{via:?}"
        );
        let cookie = [b"a=1; c=", &value[..], b"; d=2"].concat();
        assert_eq!(
            with_field(&mock, via, "/cookie", "cookie", &cookie).await.body(),
            value,
            "{via:?}"
        );
        let back = with_field(&mock, via, "/back", "x-in", &value).await;
        assert_eq!(back.body(), value, "{via:?}");
        if !via.is_http2() {
            let field = [b"X-Back: ", &value[..], b"\r\n"].concat();
            assert!(
                back.head.windows(field.len()).any(|part| part == field),
                "{}",
                back.head_text()
            );
        }
    }
}

#[tokio::test]
async fn the_address_holds_the_host_as_it_was_named() {
    let mock = mock(ECHO).await;
    let host = b"\xff\xe2\x98\x83:81";
    let request = [b"GET /base HTTP/1.1\r\nhost: ", &host[..], b"\r\n\r\n"].concat();
    let answer = mock.ask(Via::Http1, &request).await;
    assert_eq!(answer.body(), [b"http://", &host[..]].concat());
    let answer = mock.ask(Via::Http1Tls, &request).await;
    assert_eq!(answer.body(), [b"https://", &host[..]].concat());
}

#[tokio::test]
async fn bodies_come_back_byte_for_byte() {
    let mock = mock(ECHO).await;
    let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    assert_eq!(
        post(&mock, "/post", "application/octet-stream", &all)
            .await
            .body(),
        all
    );
    assert_eq!(post(&mock, "/sha", "image/png", &all).await.text(), sha256(&all));
    assert_eq!(post(&mock, "/sha", "x", b"").await.text(), sha256(b""));
    let form = format!("p=1&q={}", percent(NASTY));
    let kind = "application/x-www-form-urlencoded";
    assert_eq!(post(&mock, "/form", kind, form.as_bytes()).await.body(), NASTY);
    let raw = [b"q=", &b"\xff\xe2\x98\x83"[..]].concat();
    assert_eq!(post(&mock, "/form", kind, &raw).await.body(), b"\xff\xe2\x98\x83");
    let json = [b"{\"a\": [\"", &escaped(NASTY)[..], b"\"]}"].concat();
    assert_eq!(
        post(&mock, "/deep", "application/json", &json).await.body(),
        NASTY
    );
    let parts = [
        b"--B\r\ncontent-disposition: form-data; name=\"q\"\r\n\r\n",
        NASTY,
        b"\0\r\n--B--\r\n",
    ]
    .concat();
    let kind = "multipart/form-data; boundary=B";
    assert_eq!(
        post(&mock, "/form", kind, &parts).await.body(),
        [NASTY, b"\0"].concat()
    );
}

#[tokio::test]
async fn nothing_can_be_smuggled_into_a_head() {
    let mock = mock(ECHO).await;
    for bad in [
        "a%0d%0ax-evil:%201",
        "a%0ax-evil:%201",
        "a%0db",
        "a%00b",
        "%7f",
        "%0d%0a%0d%0aHTTP/1.1 200 OK",
    ] {
        let bad = bad.replace(' ', "%20");
        for path in ["/head", "/reason", "/location", "/set-cookie"] {
            for via in [Via::Http1, Via::Http1Tls] {
                let answer = mock.get(via, &format!("{path}?q={bad}")).await;
                assert_eq!((answer.status(), answer.end), (500, End::Clean), "{path} {bad}");
                assert!(!answer.head_text().contains("evil"), "{answer:?}");
                let named = if path == "/reason" {
                    "the reason phrase"
                } else {
                    "the value of the header"
                };
                assert!(answer.text().contains(named), "{answer:?}");
            }
            let http2 = mock.get(Via::Http2, &format!("{path}?q={bad}")).await;
            assert!(http2.text().contains("\"status\":500"), "{path} {bad}");
        }
    }
    // In an event a line end can only end a line of data.
    let event = mock
        .get(Via::Http1, "/stream?q=a%0d%0adata:%20b%0aid:%20c%0dx")
        .await;
    assert_eq!(
        event.texts()[0],
        "data: a\ndata: data: b\ndata: id: c\ndata: x\n\n"
    );
    assert_eq!(
        event.texts()[1],
        ": a\n: data: b\n: id: c\n: x\nevent: a  data: b id: c x\ndata: {\"q\":\"a\\r\\ndata: b\\nid: c\\rx\"}\nid: a  data: b id: c x\n\n"
    );
    for fine in ["a%09b", "", "%e2%98%83", "%ff"] {
        assert_eq!(
            mock.get(Via::Http1, &format!("/head?q={fine}")).await.status(),
            200,
            "{fine}"
        );
    }
}

#[tokio::test]
async fn echoes_that_other_suites_ask_for() {
    let mock = mock(ECHO).await;
    for via in [Via::Http1, Via::Http2] {
        let fields = [
            ("accept", "text/event-stream"),
            ("x-a", "1"),
            ("x-b", "\"q\""),
            ("X-A", "2"),
        ];
        let fields: Vec<(String, &str)> = fields
            .map(|(n, v)| {
                (
                    if via.is_http2() {
                        n.to_lowercase()
                    } else {
                        n.into()
                    },
                    v,
                )
            })
            .to_vec();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        let all: serde_json::Value =
            serde_json::from_slice(&mock.get_with(via, "/headers", &fields).await.body()).unwrap();
        let expected =
            serde_json::json!({ "host": "t", "accept": "text/event-stream", "x-a": "1, 2", "x-b": "\"q\"" });
        assert_eq!(all, expected, "{via:?}");
        let next = mock
            .get_with(via, "/next", &[("last-event-id", "41")])
            .await
            .text();
        assert_eq!(next, "data: 42\nid: 42\n\n", "{via:?}");
        assert_eq!(mock.get(via, "/default").await.text(), "data: data\n\n");
        assert_eq!(mock.get(via, "/default?message=").await.text(), "\n\n");
        assert_eq!(
            mock.get(via, "/default?message=id%3A%20%E2%98%83%00")
                .await
                .text(),
            "id: ☃\0\n\n"
        );
    }
}
