//! Compressed answers: which coding, and that every event can be read as soon as it is there.

mod byte_client;
mod support;
mod transport_toy;
mod wire_toy;

use std::io::Write;

use byte_client::{End, Mock, Via, mock};

const SCENARIO: &str = r#"
topics: { t: { history: 5 } }
endpoints:
  - { path: /all, compress: true, stream: [{ data: "a" }, { after: 1ms, data: "☃ {{ 'b' * 5000 }}" }, { raw: { hex: "ff00" } }] }
  - { path: /gzip, compress: gzip, stream: [{ data: a }] }
  - { path: /few, compress: [br, gzip], stream: [{ data: a }] }
  - { path: /body, compress: true, body: "{{ 'body ' * 1000 }}" }
  - { path: /json, compress: true, json: { a: [1] } }
  - { path: /empty, compress: true, status: 204 }
  - { path: /nothing, compress: true, body: "" }
  - { path: /no-vary, compress: true, headers: { vary: ~ }, body: x }
  - { path: /own, compress: true, headers: { content-encoding: x-own }, body: x }
  - { path: /vary, compress: true, headers: { Vary: Cookie }, body: x }
  - { path: /off, compress: false, stream: [{ data: a }] }
  - { path: /cut, compress: true, stream: [{ data: a }, { data: b }, { end: cut }] }
  - { path: /fault, compress: true, faults: { after: { events: 2 }, end: cut }, stream: [{ data: a }, { data: b }, { data: c }] }
  - { path: /mid, compress: true, faults: { after: { bytes: 5 }, end: close }, stream: [{ data: a }, { data: b }, { data: c }] }
  - { path: /sized, compress: true, wire: { framing: sized }, stream: [{ data: "{{ 'b' * 500 }}" }] }
  - { path: /buffer, compress: true, throttle: { buffer: 64 }, stream: [{ for_each: { in: "{{ range(50) | list }}", steps: [{ data: "{{ uuid() }}" }] } }] }
  - { path: /split, compress: true, wire: { split: { every: 4 } }, stream: [{ data: a }] }
  - { path: /topic, compress: true, stream: [{ publish: { topic: t, data: m } }, { follow: { topic: t, from: earliest, limit: 1 } }, { data: z }] }
  - { path: /beats, compress: true, heartbeat: 5ms, stream: [{ data: a }, { end: hold }] }
"#;

const CODINGS: [&str; 3] = ["zstd", "br", "gzip"];

type Decode = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

/// Decodes what comes, piece by piece.
fn decoder(coding: &str) -> Decode {
    fn with<W: Write + 'static>(mut writer: W, out: fn(&mut W) -> &mut Vec<u8>) -> Decode {
        Box::new(move |bytes| {
            writer.write_all(bytes).unwrap();
            writer.flush().unwrap();
            std::mem::take(out(&mut writer))
        })
    }
    match coding {
        "gzip" => with(flate2::write::GzDecoder::new(Vec::new()), |w| w.get_mut()),
        "br" => with(brotli::DecompressorWriter::new(Vec::new(), 1 << 20), |w| {
            w.get_mut()
        }),
        "zstd" => with(zstd::stream::write::Decoder::new(Vec::new()).unwrap(), |w| {
            w.get_mut()
        }),
        "" => Box::new(<[u8]>::to_vec),
        other => panic!("{other}"),
    }
}

/// The whole, which must be complete.
fn whole(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let reader: &mut dyn std::io::Read = match coding {
        "gzip" => &mut flate2::read::GzDecoder::new(bytes),
        "br" => &mut brotli::Decompressor::new(bytes, 4096),
        _ => &mut zstd::stream::read::Decoder::new(bytes).unwrap(),
    };
    reader.read_to_end(&mut out).unwrap();
    out
}

#[tokio::test]
async fn every_event_can_be_read_as_soon_as_it_is_there() {
    let mock = mock(SCENARIO).await;
    let large = format!("data: ☃ {}\n\n", "b".repeat(5000));
    let expected: [&[u8]; 3] = [b"data: a\n\n", large.as_bytes(), b"\xff\0"];
    for via in Via::ALL {
        for coding in CODINGS {
            let answer = mock.get_with(via, "/all", &[("accept-encoding", coding)]).await;
            let mut decode = decoder(coding);
            let pieces: Vec<Vec<u8>> = answer.pieces.iter().map(|piece| decode(piece)).collect();
            assert_eq!(pieces[..3], expected, "{via:?} {coding}");
            assert_eq!(answer.end, End::Clean, "{via:?} {coding}");
            assert!(
                answer.pieces[1].len() < 200,
                "{coding}: {} bytes",
                answer.pieces[1].len()
            );
            // What is behind the last event only ends the stream.
            assert!(pieces.len() == 4 && pieces[3].is_empty(), "{coding}: {pieces:?}");
            assert_eq!(
                whole(coding, &answer.body()),
                expected.concat(),
                "{via:?} {coding}"
            );
        }
        assert_eq!(mock.get(via, "/all").await.pieces, expected, "{via:?}");
    }
}

#[tokio::test]
async fn the_client_s_weights_decide_then_the_server_s_order() {
    let mock = mock(SCENARIO).await;
    for (path, accept, expected) in [
        ("/all", "gzip, deflate, br, zstd", Some("zstd")),
        ("/all", "gzip;q=1.0, br;q=0.5, *;q=0", Some("gzip")),
        ("/all", "gzip;q=0.2, br;q=0.9", Some("br")),
        ("/all", "*", Some("zstd")),
        ("/all", "deflate", None),
        ("/all", "identity, gzip;q=0.5", None),
        ("/all", "gzip;q=0", None),
        ("/all", "", None),
        ("/gzip", "zstd, br", None),
        ("/gzip", "zstd, gzip;q=0.1", Some("gzip")),
        ("/few", "gzip, br", Some("br")),
        ("/body", "br", Some("br")),
        ("/json", "gzip", Some("gzip")),
        ("/own", "gzip", Some("x-own")),
        ("/empty", "gzip", None),
        ("/off", "gzip", None),
    ] {
        let answer = mock
            .get_with(Via::Http1, path, &[("accept-encoding", accept)])
            .await;
        assert_eq!(
            answer.value("content-encoding").as_deref(),
            expected,
            "{path} {accept}"
        );
        let varies = !["/own", "/empty", "/off"].contains(&path);
        assert_eq!(
            answer.value("vary").as_deref(),
            varies.then_some("accept-encoding"),
            "{path} {accept}"
        );
    }
    let plain = mock.get(Via::Http1, "/all").await;
    assert_eq!(
        (plain.value("content-encoding"), plain.value("vary").as_deref()),
        (None, Some("accept-encoding"))
    );
    let gzip = [("accept-encoding", "gzip")];
    let own = mock.get_with(Via::Http1, "/vary", &gzip).await;
    assert_eq!(own.values("vary"), ["Cookie", "accept-encoding"]);
    let none = mock.get_with(Via::Http1, "/no-vary", &gzip).await;
    assert_eq!(
        (
            none.values("vary").len(),
            none.value("content-encoding").as_deref()
        ),
        (0, Some("gzip"))
    );
}

#[tokio::test]
async fn whole_bodies_are_compressed_and_sized() {
    let mock = mock(SCENARIO).await;
    for via in Via::ALL {
        for coding in CODINGS {
            let answer = mock.get_with(via, "/body", &[("accept-encoding", coding)]).await;
            assert_eq!(
                whole(coding, &answer.body()),
                "body ".repeat(1000).as_bytes(),
                "{via:?} {coding}"
            );
            assert_eq!(answer.end, End::Clean);
            if !via.is_http2() {
                assert_eq!(
                    answer.value("content-length"),
                    Some(answer.body().len().to_string())
                );
            }
        }
    }
    let nothing = mock
        .get_with(Via::Http1, "/nothing", &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(
        (nothing.body().len(), nothing.value("content-encoding")),
        (0, None),
        "an empty body is no gzip file"
    );
    let empty = mock
        .get_with(Via::Http1, "/empty", &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(empty.body(), b"");
}

/// What can be read of an answer in a coding, and how it ended.
async fn read(mock: &Mock, via: Via, path: &str, coding: &str) -> (String, End) {
    let answer = mock.get_with(via, path, &[("accept-encoding", coding)]).await;
    let mut decode = decoder(coding);
    let text: Vec<u8> = answer.pieces.iter().flat_map(|piece| decode(piece)).collect();
    (String::from_utf8(text).unwrap(), answer.end)
}

#[tokio::test]
async fn a_cut_leaves_what_came_before_readable() {
    let mock = mock(SCENARIO).await;
    for coding in CODINGS {
        for path in ["/cut", "/fault"] {
            let both = "data: a\n\ndata: b\n\n".to_owned();
            assert_eq!(
                read(&mock, Via::Http1, path, coding).await,
                (both.clone(), End::Closed),
                "{coding} {path}"
            );
            assert_eq!(
                read(&mock, Via::Http1Tls, path, coding).await,
                (both.clone(), End::Unannounced)
            );
            assert_eq!(
                read(&mock, Via::Http2, path, coding).await,
                (both, End::StreamReset(2))
            );
            let answer = mock
                .get_with(Via::Http1, path, &[("accept-encoding", coding)])
                .await;
            assert_eq!(answer.pieces.len(), 2, "no end of the coding behind a cut");
        }
    }
}

#[tokio::test]
async fn a_fault_counts_the_bytes_on_the_wire_and_nothing_follows_it() {
    let mock = mock(SCENARIO).await;
    for via in Via::ALL {
        for coding in CODINGS {
            let answer = mock.get_with(via, "/mid", &[("accept-encoding", coding)]).await;
            assert_eq!(
                (answer.body().len(), answer.end),
                (5, End::Clean),
                "{via:?} {coding}"
            );
        }
    }
}

#[tokio::test]
async fn compression_works_together_with_cuts_buffers_topics_and_heartbeats() {
    let mock = mock(SCENARIO).await;
    for via in [Via::Http1, Via::Http2Tls] {
        for coding in CODINGS {
            let (plain, _) = read(&mock, via, "/buffer", "").await;
            assert_eq!(plain.matches("data: ").count(), 50);
            let answer = mock
                .get_with(via, "/buffer", &[("accept-encoding", coding)])
                .await;
            assert_eq!(
                whole(coding, &answer.body()).len(),
                plain.len(),
                "{via:?} {coding}"
            );
            let (last, full) = answer.pieces.split_last().unwrap();
            assert!(
                full.iter().all(|piece| piece.len() % 64 == 0) && !last.is_empty(),
                "{coding}"
            );
            assert_eq!(
                read(&mock, via, "/split", coding).await,
                ("data: a\n\n".into(), End::Clean)
            );
            let topic = read(&mock, via, "/topic", coding).await;
            assert_eq!(topic.0.matches("data: m\n\n").count(), 1);
            assert!(
                topic.0.ends_with("data: z\n\n") && topic.1 == End::Clean,
                "{topic:?}"
            );
            let mut open = mock.open(via, "/beats", &[("accept-encoding", coding)]).await;
            open.head().await;
            let mut decode = decoder(coding);
            for expected in ["data: a\n\n", ":\n\n", ":\n\n", ":\n\n"] {
                assert_eq!(
                    decode(&open.next().await),
                    expected.as_bytes(),
                    "{via:?} {coding}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_measured_length_is_that_of_the_bytes_that_are_sent() {
    let mock = mock(SCENARIO).await;
    for accept in ["", "gzip"] {
        let answer = mock
            .get_with(Via::Http1, "/sized", &[("accept-encoding", accept)])
            .await;
        assert_eq!(answer.end, End::Clean, "{accept}: {}", answer.head_text());
        let coding = answer.value("content-encoding").unwrap_or_default();
        let text = match coding.as_str() {
            "" => answer.body(),
            coding => whole(coding, &answer.body()),
        };
        assert_eq!(text.len(), 508);
    }
}

#[test]
fn curl_gets_the_plain_text() {
    let server = support::serve(SCENARIO, &[]);
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        for (path, expected) in [
            ("/gzip", "data: a\n\n".to_owned()),
            ("/body", "body ".repeat(1000)),
        ] {
            let url = server.url("http", path);
            let got =
                support::process::curl(&["--compressed", protocol, "-H", "accept-encoding: gzip", &url]);
            assert_eq!(
                String::from_utf8(got.stdout).unwrap(),
                expected,
                "{protocol} {path}"
            );
        }
    }
}
