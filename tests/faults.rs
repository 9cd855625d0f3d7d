//! What goes wrong on purpose: faults by chance, by events, by bytes, by time; slow and withholding networks.

mod byte_client;
mod support;
mod transport_toy;
mod wire_toy;

use std::time::Duration;

use byte_client::{End, Mock, Via, mock, mock_from, mock_on};
use mock_sse::{clock::Mode, scenario::load::Origin};

/// One endpoint at `/x` that sends `data: 1`, `data: 2`… up to 6.
fn counting(more: &str) -> String {
    format!(
        "endpoints:\n  - path: /x\n    {more}\n    stream: [{{ repeat: {{ times: 6, steps: [{{ data: '{{{{ seq }}}}' }}] }} }}]\n"
    )
}

const EVENT: usize = "data: 1\n\n".len();

async fn got(mock: &Mock, via: Via) -> (String, End) {
    let answer = mock.get(via, "/x").await;
    (answer.text(), answer.end)
}

fn whole(events: usize) -> String {
    (1..=events).map(|n| format!("data: {n}\n\n")).collect()
}

#[tokio::test]
async fn a_fault_strikes_never_or_always_or_by_the_seed() {
    let never = mock(&counting("faults: { probability: 0, end: cut }")).await;
    let always = mock(&counting("faults: { probability: 1, end: reset }")).await;
    for _ in 0..20 {
        assert_eq!(got(&never, Via::Http1).await, (whole(6), End::Clean));
        assert_eq!(got(&always, Via::Http1).await.1, End::Reset);
    }
    let yaml = counting("faults: { probability: 0.5, after: { events: 1..5 }, end: cut }");
    let run = async |seed| {
        let mock = mock_from(Mode::REAL, Origin::Text(yaml.clone()), seed).await;
        let mut all = Vec::new();
        for _ in 0..20 {
            all.push(got(&mock, Via::Http1).await);
        }
        all
    };
    let first = run(1).await;
    let struck: Vec<usize> = first
        .iter()
        .filter(|a| a.1 == End::Closed)
        .map(|a| a.0.len() / EVENT)
        .collect();
    assert!((3..=17).contains(&struck.len()), "{struck:?}");
    assert!(struck.iter().all(|n| (1..=5).contains(n)), "{struck:?}");
    assert!(
        struck.iter().any(|n| *n != struck[0]),
        "each attempt draws anew: {struck:?}"
    );
    assert_eq!(run(1).await, first);
    assert_ne!(run(2).await, first);
}

#[tokio::test]
async fn a_fault_strikes_behind_so_many_events() {
    use End::*;
    for (end, ends) in [
        ("cut", [Closed, Unannounced, StreamReset(2), StreamReset(2)]),
        (
            "cut, code: 8",
            [Closed, Unannounced, StreamReset(8), StreamReset(8)],
        ),
        ("reset", [Reset, Reset, Reset, Reset]),
        ("close", [Clean, Clean, Clean, Clean]),
        ("goaway", [Clean, Clean, Clean, Clean]),
    ] {
        let mock = mock(&counting(&format!(
            "faults: [{{ after: {{ events: 2 }}, end: {end} }}]"
        )))
        .await;
        for (via, expected) in Via::ALL.into_iter().zip(ends) {
            assert_eq!(got(&mock, via).await, (whole(2), expected), "{via:?} {end}");
        }
    }
}

#[tokio::test]
async fn a_fault_strikes_at_the_very_byte() {
    for bytes in [0, 1, 5, EVENT - 1, EVENT, EVENT + 1, 3 * EVENT, 6 * EVENT - 1] {
        for (end, ends) in [
            (
                "cut",
                [
                    End::Closed,
                    End::Unannounced,
                    End::StreamReset(2),
                    End::StreamReset(2),
                ],
            ),
            ("reset", [End::Reset; 4]),
            ("close", [End::Clean; 4]),
            ("goaway", [End::Clean; 4]),
        ] {
            let mock = mock(&counting(&format!(
                "faults: {{ after: {{ bytes: {bytes} }}, end: {end} }}"
            )))
            .await;
            for (via, expected) in Via::ALL.into_iter().zip(ends) {
                assert_eq!(
                    got(&mock, via).await,
                    (whole(6)[..bytes].to_owned(), expected),
                    "{via:?} {bytes} {end}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_cut_inside_a_chunk_leaves_the_chunk_broken_and_a_close_does_not() {
    for (end, expected) in [
        ("cut", "9\r\ndata: 1\n\n\r\n9\r\ndata"),
        ("close", "9\r\ndata: 1\n\n\r\n4\r\ndata\r\n0\r\n\r\n"),
    ] {
        let mock = mock(&counting(&format!(
            "faults: {{ after: {{ bytes: 13 }}, end: {end} }}"
        )))
        .await;
        let mut io = mock.connect(Via::Http1).await;
        transport_toy::send(&mut io, "GET /x HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await;
        transport_toy::read_head(&mut io).await;
        assert_eq!(transport_toy::read_all(&mut io).await.unwrap(), expected, "{end}");
    }
}

#[tokio::test]
async fn bytes_are_counted_in_raw_and_relayed_and_cut_bytes_too() {
    let mock = mock(
        "
topics: { t: { history: 5 } }
endpoints:
  - { path: /raw, faults: { after: { bytes: 100000 }, end: cut }, stream: [{ raw: { fill: 1MiB } }] }
  - { path: /cut, faults: { after: { bytes: 12 }, end: cut }, wire: { bom: true, split: { every: 5 } }, stream: [{ data: abcdefgh }] }
  - { path: /topic, faults: { after: { bytes: 12 }, end: cut }, stream: [{ publish: { topic: t, data: abcdef } }, { follow: { topic: t, from: earliest } }] }
  - { path: /beats, faults: { after: { bytes: 8 }, end: cut }, heartbeat: 1ms, stream: [{ end: hold }] }
  - { path: /two, faults: [{ after: { bytes: 20 }, end: reset }, { after: { bytes: 10, events: 5 }, end: cut }], stream: [{ data: abcdefghijklmnop }] }
",
    )
    .await;
    let cut = |via: Via| {
        if via.is_http2() {
            End::StreamReset(2)
        } else {
            End::Closed
        }
    };
    for via in [Via::Http1, Via::Http2] {
        for (path, expected) in [
            ("/raw", 100_000),
            ("/cut", 12),
            ("/topic", 12),
            ("/beats", 8),
            ("/two", 10),
        ] {
            let answer = mock.get(via, path).await;
            assert_eq!(
                (answer.body().len(), answer.end),
                (expected, cut(via)),
                "{via:?} {path}"
            );
        }
        let cut = mock.get(via, "/cut").await;
        let lengths: Vec<usize> = cut.pieces.iter().map(Vec::len).collect();
        assert_eq!(lengths, [3, 5, 4], "{via:?}");
    }
}

#[tokio::test]
async fn a_fault_strikes_in_time_whatever_the_stream_is_doing() {
    for stream in [
        "stream: [{ data: a }, { end: hold }]",
        "stream: [{ data: a }, { wait: 1h }]",
        "stream: [{ data: a }, { stall: 1h }]",
        "stream: [{ data: a }, { wait_for: { signal: never } }]",
        "heartbeat: 10s, stream: [{ data: a }, { end: hold }]",
        "stream: [{ data: a }, { data: b, split: { at: 1, gap: 1h } }]",
        "throttle: { rate: 9 }, stream: [{ raw: \"data: a\\n\\n\" }, { raw: { fill: 1000 } }]",
        "throttle: { delay: 1m }, stream: [{ data: b }]",
        "stream: [{ data: a }, { end: stall }]",
    ] {
        for (what, end) in [
            ("faults: { after: { time: 3s }, end: cut }", End::Closed),
            ("limits: { time: 3s }", End::Clean),
        ] {
            let yaml = format!("endpoints: [{{ path: /x, {what}, {stream} }}]");
            let mock = mock_on(Mode::Manual, &yaml).await;
            let mut open = mock.open(Via::Http1, "/x", &[]).await;
            open.head().await;
            mock.clock().advance(Duration::from_millis(2999)).await;
            assert_eq!(mock.running.engine().connections.count(), 1, "{what} {stream}");
            mock.clock().advance(Duration::from_millis(1)).await;
            assert_eq!(mock.running.engine().connections.count(), 0, "{what} {stream}");
            let answer = open.remains().await;
            assert_eq!(answer.end, end, "{what} {stream}");
            assert!(
                !answer.text().contains('b') && answer.body().len() <= 36,
                "{stream} {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_stall_silences_everything_for_a_while_and_the_stream_goes_on_where_it_was() {
    let yaml = counting("heartbeat: 1s\n    faults: { after: { bytes: 13 }, stall: 10s }");
    for via in Via::ALL {
        let mock = mock_on(Mode::Manual, &yaml).await;
        let mut open = mock.open(via, "/x", &[]).await;
        open.head().await;
        assert_eq!(open.next().await, b"data: 1\n\n");
        assert_eq!(open.next().await, b"data");
        assert_eq!(mock.tick().await, Some(Duration::from_secs(10)), "{via:?}");
        assert_eq!(open.next().await, b": 2\n\n");
        let rest = open.remains().await;
        assert_eq!(
            (rest.text(), rest.end),
            (whole(6)[2 * EVENT..].to_owned(), End::Clean),
            "{via:?}"
        );
    }
}

#[tokio::test]
async fn what_holds_or_stalls_for_ever_stays_open_in_its_own_way() {
    for (end, beats) in [("hold", true), ("stall", false)] {
        let yaml = counting(&format!(
            "heartbeat: 1s\n    faults: {{ after: {{ bytes: 13 }}, end: {end} }}"
        ));
        for via in Via::ALL {
            let mock = mock_on(Mode::Manual, &yaml).await;
            let mut open = mock.open(via, "/x", &[]).await;
            open.head().await;
            assert_eq!(
                (open.next().await, open.next().await),
                (b"data: 1\n\n".to_vec(), b"data".to_vec())
            );
            assert_eq!(mock.clock().next_due().await.is_some(), beats, "{via:?} {end}");
            if beats {
                mock.clock().advance(Duration::from_secs(1)).await;
                assert_eq!(open.next().await, b":\n\n", "{via:?}");
            }
            mock.running.engine().connections.shut_down();
            assert_eq!(open.remains().await.end, End::Clean, "{via:?} {end}");
        }
    }
}

#[tokio::test]
async fn a_rate_slows_bytes_down_and_alters_none() {
    let yaml = "endpoints: [{ path: /x, throttle: { rate: 100 }, stream: [{ data: abcdefghijklmnopqrstuvwxyz }, { data: z }] }]";
    for via in Via::ALL {
        let mock = mock_on(Mode::Manual, yaml).await;
        let mut open = mock.open(via, "/x", &[]).await;
        open.head().await;
        let (mut body, mut times) = (Vec::new(), Vec::new());
        let end = loop {
            match open.piece().await {
                Ok(piece) => {
                    assert!(piece.len() <= 10, "{piece:?}");
                    body.extend(piece);
                    times.push((mock.clock().now().as_millis() as usize, body.len()));
                }
                Err((_, end)) => break end,
            }
            mock.tick().await;
        };
        assert_eq!(end, End::Clean);
        assert_eq!(
            String::from_utf8(body).unwrap(),
            "data: abcdefghijklmnopqrstuvwxyz\n\ndata: z\n\n"
        );
        // At no time has more come than the rate lets through, but for one slice.
        assert!(
            times.iter().all(|(ms, bytes)| *bytes <= ms / 10 + 10),
            "{times:?}"
        );
        assert_eq!(times.last().unwrap().0, 340, "{via:?} {times:?}");
    }
}

#[tokio::test]
async fn a_rate_takes_real_time() {
    let mock =
        mock("endpoints: [{ path: /x, throttle: { rate: 2000 }, stream: [{ raw: { fill: 500 } }] }]").await;
    let began = std::time::Instant::now();
    assert_eq!(mock.get(Via::Http1, "/x").await.body().len(), 500);
    // The first slice of 200 bytes comes at once.
    assert!(
        began.elapsed() >= Duration::from_millis(150),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_delay_shifts_everything_and_keeps_the_order() {
    let yaml = "
endpoints:
  - path: /x
    throttle: { delay: 100ms }
    stream: [{ data: 1 }, { after: 10ms, data: 2 }, { after: 10ms, data: 3 }]
  - path: /range
    throttle: { delay: 0ms..100ms }
    stream: [{ every: 1ms, times: 20, data: '{{ seq }}' }]
";
    let mock = mock_on(Mode::Manual, yaml).await;
    let mut open = mock.open(Via::Http1, "/x", &[]).await;
    open.head().await;
    for expected in [100, 110, 120] {
        mock.tick().await;
        open.next().await;
        assert_eq!(mock.clock().now(), Duration::from_millis(expected));
    }
    let text = async {
        let mut open = mock.open(Via::Http1, "/range", &[]).await;
        open.head().await;
        while mock.tick().await.is_some() {}
        open.remains().await.text()
    };
    let expected: String = (1..=20).map(|n| format!("data: {n}\n\n")).collect();
    assert_eq!(text.await, expected);
}

#[tokio::test]
async fn a_buffer_withholds_bytes_until_it_is_full() {
    for (end, rest) in [
        ("close", "data: 5\n\ndata: 6\n\n"),
        ("goaway", "data: 5\n\ndata: 6\n\n"),
        ("cut", ""),
        ("reset", ""),
    ] {
        let yaml = format!(
            "endpoints: [{{ path: /x, throttle: {{ buffer: 18 }}, stream: [{{ every: 1s, times: 4, data: '{{{{ seq }}}}' }}, {{ raw: \"data: 5\\n\\ndata: \" }}, {{ raw: \"6\\n\" }}, {{ end: {end} }}] }}]"
        );
        // Of the last 17 bytes nothing comes by itself.
        let mock = mock_on(Mode::Manual, &yaml).await;
        let mut open = mock.open(Via::Http1, "/x", &[]).await;
        open.head().await;
        for (seconds, expected) in [(2, "data: 1\n\ndata: 2\n\n"), (4, "data: 3\n\ndata: 4\n\n")] {
            mock.tick().await;
            mock.tick().await;
            assert_eq!(open.next().await, expected.as_bytes(), "{end}");
            assert_eq!(mock.clock().now(), Duration::from_secs(seconds), "{end}");
        }
        let left = open.remains().await;
        assert_eq!(left.text(), rest.strip_suffix('\n').unwrap_or(rest), "{end}");
    }
}

#[tokio::test]
async fn limits_end_streams_cleanly() {
    for (limit, expected) in [
        ("events: 2", whole(2)),
        ("bytes: 26", whole(2)),
        ("bytes: 27", whole(3)),
        ("events: 99, bytes: 1KiB, time: 1h", whole(6)),
    ] {
        let mock = mock(&counting(&format!("limits: {{ {limit} }}"))).await;
        for via in Via::ALL {
            assert_eq!(
                got(&mock, via).await,
                (expected.clone(), End::Clean),
                "{via:?} {limit}"
            );
        }
    }
}

#[test]
fn play_shows_what_a_client_gets_of_faults_and_throttles() {
    for (more, expected) in [
        ("faults: { after: { bytes: 13 }, end: cut }", &whole(6)[..13]),
        ("faults: { after: { bytes: 13 }, end: close }", &whole(6)[..13]),
        ("faults: { after: { events: 2 }, end: reset }", &whole(2)),
        ("faults: { probability: 0, end: cut }", &whole(6)),
        ("faults: { after: { bytes: 13 }, stall: 5s }", &whole(6)),
        ("throttle: { rate: 10, delay: 1s, buffer: 4 }", &whole(6)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s.yaml"), counting(more)).unwrap();
        let output = support::process::run(folder.path(), &["play", "s.yaml", "/x", "--for", "1h"], &[]);
        let (_, out, err) = support::process::said(&output);
        assert_eq!(out, expected, "{more} {err}");
    }
}
