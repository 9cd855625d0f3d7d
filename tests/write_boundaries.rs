//! Where one write ends and the next begins, and the time between them.

mod byte_client;
mod transport_toy;
mod wire_toy;

use std::time::Duration;

use byte_client::{Answer, Mock, Via, mock, mock_from, mock_on};
use mock_sse::{clock::Mode, scenario::load::Origin};

/// The same pieces in every protocol.
async fn pieces(mock: &Mock, path: &str) -> Vec<Vec<u8>> {
    let mut first: Option<Answer> = None;
    for via in Via::ALL {
        let answer = mock.get(via, path).await;
        if let Some(first) = &first {
            assert_eq!(answer.texts(), first.texts(), "{via:?} {path}");
        }
        first.get_or_insert(answer);
    }
    first.unwrap().pieces
}

async fn texts(mock: &Mock, path: &str) -> Vec<String> {
    let text = |piece: Vec<u8>| piece.iter().map(|b| char::from(*b)).collect();
    pieces(mock, path).await.into_iter().map(text).collect()
}

#[tokio::test]
async fn one_step_is_one_write() {
    let mock = mock(
        r#"
topics: { t: { history: 5 } }
endpoints:
  - path: /x
    stream:
      - { event: e, data: "a\nb", id: 1, retry: 1s, comment: c }
      - raw: "data: x\n\ndata: y\n\n"
      - one_write: [{ data: a }, { data: b }]
      - { every: 1ms, times: 2, data: t }
      - parallel: [[{ data: p }], [{ data: q }]]
      - { publish: { topic: t, data: m } }
      - { follow: { topic: t, from: earliest, limit: 1 } }
      - data: z
"#,
    )
    .await;
    let answer = mock.get(Via::Http1, "/x").await.texts();
    let expected = [
        ": c\nevent: e\ndata: a\ndata: b\nid: 1\nretry: 1000\n\n",
        "data: x\n\ndata: y\n\n",
        "data: a\n\ndata: b\n\n",
        "data: t\n\n",
        "data: t\n\n",
        "data: p\n\n",
        "data: q\n\n",
        "data: m\n\n",
        "data: z\n\n",
    ];
    assert_eq!(answer, expected);
    assert_eq!(mock.get(Via::Http2, "/x").await.texts(), expected);
}

#[tokio::test]
async fn events_are_cut_where_the_scenario_says() {
    for (split, expected) in [
        (
            "{ every: 4 }",
            &[
                "data",
                ": a\u{e2}",
                "\u{98}\u{83}\r\n",
                "\r\n",
                "data",
                ": b\r",
                "\n\r\n",
            ][..],
        ),
        (
            "{ every: 1000 }",
            &["data: a\u{e2}\u{98}\u{83}\r\n\r\n", "data: b\r\n\r\n"],
        ),
        (
            "{ at: [3, 7, 99] }",
            &[
                "dat",
                "a: a",
                "\u{e2}\u{98}\u{83}\r\n\r\n",
                "dat",
                "a: b",
                "\r\n\r\n",
            ],
        ),
        (
            "{ at: 8 }",
            &["data: a\u{e2}", "\u{98}\u{83}\r\n\r\n", "data: b\r", "\n\r\n"],
        ),
        (
            "{ inside: utf8 }",
            &["data: a\u{e2}", "\u{98}\u{83}\r\n\r\n", "data: b\r\n\r\n"],
        ),
        (
            "{ inside: crlf }",
            &[
                "data: a\u{e2}\u{98}\u{83}\r",
                "\n\r",
                "\n",
                "data: b\r",
                "\n\r",
                "\n",
            ],
        ),
    ] {
        let mock = mock(&format!(
            "endpoints: [{{ path: /x, wire: {{ eol: crlf, split: {split} }}, stream: [{{ data: a☃ }}, {{ data: b }}] }}]"
        ))
        .await;
        assert_eq!(texts(&mock, "/x").await, expected, "{split}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_a_write_of_its_own_and_can_be_cut() {
    for (wire, expected) in [
        ("bom: true", &["ï»¿", "data: a\n\n"][..]),
        ("bom: twice", &["ï»¿ï»¿", "data: a\n\n"]),
        (
            "bom: true, split: { inside: bom }",
            &["ï", "»", "¿", "data: a\n\n"],
        ),
        (
            "bom: twice, split: { every: 4 }",
            &["ï»¿ï", "»¿", "data", ": a\n", "\n"],
        ),
        ("bom: false", &["data: a\n\n"]),
    ] {
        let mock = mock(&format!(
            "endpoints: [{{ path: /x, wire: {{ {wire} }}, stream: [{{ data: a }}] }}]"
        ))
        .await;
        assert_eq!(texts(&mock, "/x").await, expected, "{wire}");
    }
}

#[tokio::test]
async fn an_event_s_own_cuts_beat_the_stream_s() {
    let mock = mock(
        "
endpoints:
  - path: /x
    wire: { split: { every: 5 } }
    stream:
      - data: a
      - { data: b, split: { at: 1 } }
      - one_write: [{ data: c }, { data: d }]
  - path: /y
    stream: [{ data: a }, { data: b, split: { every: 6 } }, { data: c }]
",
    )
    .await;
    let expected = ["data:", " a\n\n", "d", "ata: b\n\n", "data: c\n\ndata: d\n\n"];
    assert_eq!(texts(&mock, "/x").await, expected);
    assert_eq!(
        texts(&mock, "/y").await,
        ["data: a\n\n", "data: ", "b\n\n", "data: c\n\n"]
    );
}

const RANDOM: &str = "
endpoints:
  - path: /x
    wire: { split: { random: 1..8 } }
    stream: [{ data: '{{ \"x\" * 200 }}' }, { data: '{{ \"y\" * 200 }}' }]
";

#[tokio::test]
async fn random_cuts_come_from_the_seed() {
    let run = async |seed| {
        let mock = mock_from(Mode::REAL, Origin::Text(RANDOM.into()), seed).await;
        (
            mock.get(Via::Http1, "/x").await.pieces,
            mock.get(Via::Http2, "/x").await.pieces,
        )
    };
    let (first, second) = run(1).await;
    assert!(
        first.iter().all(|piece| (1..=8).contains(&piece.len())),
        "{first:?}"
    );
    assert!(first.len() > 60, "{first:?}");
    assert_ne!(first, second, "the second attempt draws anew");
    assert_eq!(first.concat(), second.concat());
    assert_eq!(run(1).await, (first.clone(), second));
    assert_ne!(run(2).await.0, first);
}

/// The pieces with the time before each.
async fn timed(mock: &Mock, via: Via, path: &str) -> Vec<(u64, String)> {
    let mut open = mock.open(via, path, &[]).await;
    open.head().await;
    let mut pieces = Vec::new();
    let mut waited = Duration::ZERO;
    loop {
        match open.piece().await {
            Ok(piece) => {
                let text = String::from_utf8_lossy(&piece).into_owned();
                pieces.push((waited.as_millis() as u64, text));
            }
            Err(_) => return pieces,
        }
        waited = mock.tick().await.unwrap_or_default();
    }
}

#[tokio::test]
async fn the_time_between_pieces_is_kept_and_nothing_comes_between_them() {
    let yaml = "
endpoints:
  - path: /x
    heartbeat: 15ms
    wire: { split: { at: [2, 4], gap: 10ms } }
    stream: [{ data: a }, { wait: 40ms }, { data: b }]
";
    for via in Via::ALL {
        let mock = mock_on(Mode::Manual, yaml).await;
        // The first event takes 20 ms, then heartbeats fill the silence until 40 ms after the first was due.
        let expected = [
            (0, "da"),
            (10, "ta"),
            (10, ": a\n\n"),
            (15, ":\n\n"),
            (5, "da"),
            (10, "ta"),
            (10, ": b\n\n"),
        ];
        let got = timed(&mock, via, "/x").await;
        let got: Vec<(u64, &str)> = got.iter().map(|(t, s)| (*t, s.as_str())).collect();
        assert_eq!(got, expected, "{via:?}");
    }
}

#[tokio::test]
async fn a_pause_inside_a_character_and_between_cr_and_lf() {
    let yaml = r#"
endpoints:
  - { path: /utf8, stream: [{ data: "☃é", split: { inside: utf8, gap: 20ms } }] }
  - { path: /crlf, wire: { eol: crlf }, stream: [{ data: a, split: { inside: crlf, gap: "{{ 5 * 2 }}ms" } }] }
  - { path: /bom, wire: { bom: true, split: { inside: bom, gap: 7ms } }, stream: [{ data: a }] }
"#;
    for via in [Via::Http1, Via::Http2] {
        let mock = mock_on(Mode::Manual, yaml).await;
        let times: Vec<u64> = timed(&mock, via, "/utf8").await.iter().map(|(t, _)| *t).collect();
        assert_eq!(times, [0, 20, 20]);
        let crlf = timed(&mock, via, "/crlf").await;
        assert_eq!(
            crlf,
            [(0, "data: a\r".into()), (10, "\n\r".into()), (10, "\n".into())]
        );
        let times: Vec<u64> = timed(&mock, via, "/bom").await.iter().map(|(t, _)| *t).collect();
        assert_eq!(times, [0, 7, 7, 0], "{via:?}");
    }
}

#[tokio::test]
async fn what_is_relayed_takes_the_stream_s_style_and_cuts() {
    let mock = mock(
        r#"
topics: { t: { history: 9 } }
endpoints:
  - { path: /in, method: POST, publish: { topic: t, event: e, id: counter, data: "{{ request.body }}" }, status: 204 }
  - path: /out
    wire: { eol: crlf, space: false, order: [id, data], bom: true, split: { every: 9 } }
    stream: [{ follow: { topic: t, from: earliest, limit: 2 } }, { data: z }]
  - path: /plain
    stream: [{ follow: { topic: t, from: earliest, limit: 2 } }]
"#,
    )
    .await;
    for body in ["a", "b"] {
        let request =
            format!("POST /in HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\nconnection: close\r\n\r\n{body}");
        assert_eq!(mock.send(request.as_bytes()).await.status(), 204);
    }
    let expected = [
        "ï»¿",
        "id:1\r\ndat",
        "a:a\r\neven",
        "t:e\r\n\r\n",
        "id:2\r\ndat",
        "a:b\r\neven",
        "t:e\r\n\r\n",
        "data:z\r\n\r",
        "\n",
    ];
    assert_eq!(texts(&mock, "/out").await, expected);
    assert_eq!(
        texts(&mock, "/plain").await,
        ["event: e\ndata: a\nid: 1\n\n", "event: e\ndata: b\nid: 2\n\n"]
    );
}

#[tokio::test]
async fn who_has_seen_the_head_of_a_marked_stream_misses_nothing() {
    let yaml = r#"
topics: { t: {} }
endpoints:
  - { path: /in, method: POST, publish: { topic: t, data: m }, status: 204 }
  - { path: /out, wire: { bom: true, split: { every: 1, gap: 10ms } }, stream: [{ follow: { topic: t, limit: 1 } }] }
"#;
    for via in [Via::Http1, Via::Http2] {
        let mock = mock_on(Mode::Manual, yaml).await;
        let mut open = mock.open(via, "/out", &[]).await;
        open.head().await;
        assert_eq!(open.next().await, b"\xef");
        let posted = b"POST /in HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
        assert_eq!(
            mock.send(posted).await.value("x-mock-reached").as_deref(),
            Some("1"),
            "{via:?}"
        );
    }
}
