//! Bytes that the scenario dictates: each `raw` in one write, as it stands, whatever `wire` says.

mod byte_client;
mod transport_toy;
mod wire_toy;

use byte_client::{End, Via, mock, mock_file};

/// Steps, and the writes they become.
async fn check(wire: &str, steps: &str, expected: &[&[u8]]) {
    let mock = mock(&format!(
        "endpoints:\n  - path: /x\n    wire: {wire}\n    stream: {steps}\n"
    ))
    .await;
    for via in Via::ALL {
        let answer = mock.get(via, "/x").await;
        let pieces: Vec<&[u8]> = answer.pieces.iter().map(Vec::as_slice).collect();
        assert_eq!(pieces, expected, "{via:?} {steps}");
        assert_eq!(answer.end, End::Clean, "{via:?} {steps}");
    }
}

const ALL_FORMS: &str = r#"
      - raw: "data: no blank line\n"
      - raw: { hex: "64 61 74 61 3a 20 ff FE 00 0a0A" }
      - raw: { base64: "ZGF0YTog/w0NCg==" }
      - raw: { fill: 5 }
      - raw: { fill: 7, with: "ab☃" }
      - raw: [ "a\r\n", { hex: "ef bb bf" }, { fill: 2, with: "-" }, "{{ 1 + 1 }}", 012 ]
      - raw: "{{ request.method }}"
      - raw: { hex: "00" }
"#;

#[tokio::test]
async fn every_form_is_one_write_that_no_style_alters() {
    let expected: [&[u8]; 8] = [
        b"data: no blank line\n",
        b"data: \xff\xfe\0\n\n",
        b"data: \xff\r\r\n",
        b"xxxxx",
        b"ab\xe2\x98\x83ab",
        b"a\r\n\xef\xbb\xbf--2012",
        b"GET",
        b"\0",
    ];
    for wire in [
        "{ eol: lf }",
        "{ eol: crlf, space: false, order: [data, id], split: { every: 1 } }",
        "{ eol: cr, split: { inside: utf8 } }",
    ] {
        check(wire, ALL_FORMS, &expected).await;
    }
}

#[tokio::test]
async fn raw_bytes_have_cuts_of_their_own() {
    let steps = r#"
      - { raw: "abcdef", split: { at: [1, 4] } }
      - { raw: "a☃b", split: { inside: utf8 } }
      - { raw: "a\r\n\r\n", split: { inside: crlf } }
      - { raw: "ab", split: { every: 1 } }
      - { raw: { hex: "efbbbf 61 efbbbf" }, split: { inside: bom } }
"#;
    let expected: [&[u8]; 17] = [
        b"a",
        b"bcd",
        b"ef",
        b"a\xe2",
        b"\x98\x83b",
        b"a\r",
        b"\n\r",
        b"\n",
        b"a",
        b"b",
        b"\xef",
        b"\xbb",
        b"\xbf",
        b"a",
        b"\xef",
        b"\xbb",
        b"\xbf",
    ];
    check("{ eol: crlf }", steps, &expected).await;
}

#[tokio::test]
async fn a_file_goes_out_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    std::fs::write(folder.path().join("all.bin"), &bytes).unwrap();
    let yaml = "endpoints: [{ path: /x, wire: { eol: cr, split: { every: 3 } }, stream: [{ raw: { file: all.bin } }, { raw: [{ file: all.bin }, end] }] }]";
    let path = folder.path().join("s.yaml");
    std::fs::write(&path, yaml).unwrap();
    let mock = mock_file(path).await;
    for via in Via::ALL {
        let answer = mock.get(via, "/x").await;
        assert_eq!(
            answer.pieces,
            [bytes.clone(), [&bytes[..], b"end"].concat()],
            "{via:?}"
        );
    }
}

/// What parsers are tried with, rows 1 to 10 of what third parties' suites send.
#[tokio::test]
async fn what_event_streams_may_look_like_can_all_be_said() {
    for (wire, steps, expected) in [
        // Lone CR, CRLF, mixed line ends, leading and extra blank lines.
        (
            "{}",
            r#"[{ raw: "\n\r\n\rdata: a\rdata: b\r\ndata: c\n\r\n\n\n" }]"#,
            &b"\n\r\n\rdata: a\rdata: b\r\ndata: c\n\r\n\n\n"[..],
        ),
        (
            "{ eol: crlf }",
            "[{ event: e, data: \"a\\nb\", id: 1 }]",
            b"event: e\r\ndata: a\r\ndata: b\r\nid: 1\r\n\r\n",
        ),
        (
            "{ eol: cr }",
            "[{ comment: c }, { data: a }]",
            b": c\r\rdata: a\r\r",
        ),
        ("{ bom: true }", "[{ data: a }]", b"\xef\xbb\xbfdata: a\n\n"),
        (
            "{ bom: twice }",
            "[{ data: a }]",
            b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n",
        ),
        (
            "{}",
            r#"[{ data: a }, { raw: "\uFEFFdata: b\n\n" }]"#,
            b"data: a\n\n\xef\xbb\xbfdata: b\n\n",
        ),
        // No colon, two spaces, a tab, wrong case, NUL in names, prefix names, unknown fields.
        (
            "{ space: false }",
            "[{ data: a, id: 1, event: ' e' }]",
            b"event:  e\ndata:a\nid:1\n\n",
        ),
        (
            "{ order: [retry, id, data] }",
            "[{ data: a, id: 1, retry: 5ms, comment: c, event: e }]",
            b"retry: 5\nid: 1\ndata: a\n: c\nevent: e\n\n",
        ),
        (
            "{}",
            r#"[{ raw: "data\ndata:  two\ndata:\ttab\nDATA: x\ndata : x\n\0data: x\ndatabase: x\n\n" }]"#,
            b"data\ndata:  two\ndata:\ttab\nDATA: x\ndata : x\n\0data: x\ndatabase: x\n\n",
        ),
        // Comments: empty, with NUL, unterminated; data empty; blocks without data.
        (
            "{}",
            r#"[{ comment: "" }, { comment: "a\0b" }, { data: "" }, { id: "7" }, { retry: 0s }, { event: e }, { raw: ": no end" }]"#,
            b":\n\n: a\0b\n\ndata:\n\nid: 7\n\nretry: 0\n\nevent: e\n\n: no end",
        ),
        // Ids: empty, with NUL, no ASCII; retry with nonsense.
        (
            "{}",
            r#"[{ id: "" }, { id: "a\0b" }, { id: "☃" }, { raw: "id\nretry: 01000\nretry: 1000x\nretry:\ndata: x\n" }]"#,
            b"id:\n\nid: a\0b\n\nid: \xe2\x98\x83\n\nid\nretry: 01000\nretry: 1000x\nretry:\ndata: x\n",
        ),
        ("{}", r#"[{ data: "a\u2028b" }]"#, b"data: a\xe2\x80\xa8b\n\n"),
    ] {
        let mock = mock(&format!(
            "endpoints: [{{ path: /x, wire: {wire}, stream: {steps} }}]"
        ))
        .await;
        for via in [Via::Http1, Via::Http2Tls] {
            let answer = mock.get(via, "/x").await;
            let (got, wanted) = (
                String::from_utf8_lossy(&answer.body()).into_owned(),
                String::from_utf8_lossy(expected),
            );
            assert_eq!(got, wanted, "{via:?} {steps}");
            assert_eq!(answer.body(), expected);
        }
    }
}

const LARGE: &str = r#"
endpoints:
  - { path: /5, stream: [{ raw: ["data: ", { fill: 5MiB }, "\n\n"] }] }
  - { path: /70, stream: [{ raw: { fill: 70MiB, with: "0123456789" } }] }
  - { path: /frame, stream: [{ raw: { fill: 16384 } }, { data: "{{ 'y' * 16370 }}" }] }
  - path: /lines
    stream: [{ data: "{% for i in range(10000) %}line {{ i }}\n{% endfor %}end" }]
  - path: /events
    stream: [{ one_write: [{ repeat: { times: 2000, steps: [{ id: counter, data: "{{ seq }}" }] } }] }]
"#;

#[tokio::test]
async fn what_is_large_is_one_chunk_all_the_same() {
    let mock = mock(LARGE).await;
    for via in [Via::Http1, Via::Http1Tls] {
        let five = mock.get(via, "/5").await;
        assert_eq!(five.pieces.len(), 1);
        assert_eq!(five.pieces[0].len(), (5 << 20) + 8);
        assert!(five.pieces[0].starts_with(b"data: xx") && five.pieces[0].ends_with(b"x\n\n"));
        let lines = mock.get(via, "/lines").await;
        let text: String = (0..10_000).map(|i| format!("data: line {i}\n")).collect();
        assert_eq!(lines.texts(), [text + "data: end\n\n"]);
        let events = mock.get(via, "/events").await;
        let text: String = (1..=2000).map(|i| format!("data: {i}\nid: {i}\n\n")).collect();
        assert_eq!(events.texts(), [text]);
    }
    let seventy = mock.get(Via::Http1, "/70").await;
    assert_eq!((seventy.pieces.len(), seventy.end), (1, End::Clean));
    let repeated = |body: &[u8]| body.iter().enumerate().all(|(i, b)| *b == b'0' + (i % 10) as u8);
    assert_eq!(seventy.pieces[0].len(), 70 << 20);
    assert!(repeated(&seventy.pieces[0]));
    let seventy = mock.get(Via::Http2, "/70").await;
    assert_eq!((seventy.body().len(), seventy.end), (70 << 20, End::Clean));
    assert!(repeated(&seventy.body()));
}

#[tokio::test]
async fn what_fits_a_frame_is_one_frame() {
    let mock = mock(LARGE).await;
    for via in [Via::Http2, Via::Http2Tls] {
        let answer = mock.get(via, "/frame").await;
        let lengths: Vec<usize> = answer.pieces.iter().map(Vec::len).collect();
        assert_eq!(lengths, [16_384, 16_378], "{via:?}");
        let events = mock.get(via, "/events").await;
        assert_eq!(events.text().matches("\n\n").count(), 2000, "{via:?}");
        let largest: Vec<usize> = events.pieces.iter().map(Vec::len).collect();
        assert!(
            largest[..largest.len() - 1].iter().all(|n| *n == 16_384),
            "{largest:?}"
        );
    }
}

#[tokio::test]
async fn many_steps_in_one_write_keep_their_order_and_their_style() {
    let steps = r#"
      - one_write:
          - { data: a }
          - raw: "raw\n"
          - for_each: { in: [1, 2], as: n, steps: [{ data: "{{ n }}" }] }
          - if: attempt > 0
            then: [{ comment: then }]
          - let: { x: 9 }
          - { data: "{{ x }}", id: counter }
      - { data: z }
"#;
    let expected: [&[u8]; 2] = [
        b"data:a\r\n\r\nraw\ndata:1\r\n\r\ndata:2\r\n\r\n:then\r\n\r\ndata:9\r\nid:1\r\n\r\n",
        b"data:z\r\n\r\n",
    ];
    check("{ eol: crlf, space: false }", steps, &expected).await;
}
