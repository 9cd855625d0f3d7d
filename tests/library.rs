//! `MockSse` inside a Rust test.

use std::io::{Read, Write};
use std::net::TcpStream;

use mock_sse::MockSse;
use mock_sse::testing::StartError;

fn get(url: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    write!(
        socket,
        "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_serves_and_stops_when_dropped() {
    let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ data: hello }] }]")
        .await
        .unwrap();
    let url = mock.url("/sse");
    let answer = tokio::task::spawn_blocking({
        let url = url.clone();
        move || get(&url)
    });
    assert!(answer.await.unwrap().contains("data: hello\n\n"));
    let mut open = TcpStream::connect(url.strip_prefix("http://").unwrap().trim_end_matches("/sse")).unwrap();
    drop(mock);
    let mut rest = Vec::new();
    // Whatever way the connection ends, it does end.
    let _ = open.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn many_run_side_by_side_and_repeat() {
    let yaml = "endpoints: [{ path: /id, body: '{{ uuid() }}' }]";
    let mocks = [
        MockSse::start(yaml).await.unwrap(),
        MockSse::start(yaml).await.unwrap(),
    ];
    let urls = mocks.each_ref().map(|mock| mock.url("/id"));
    let bodies = tokio::task::spawn_blocking(move || {
        urls.map(|url| get(&url).split_once("\r\n\r\n").unwrap().1.to_owned())
    });
    let [a, b] = bodies.await.unwrap();
    assert_eq!(a, b);
    assert_eq!(mocks[0].open_streams(), 0);
}

#[tokio::test]
async fn a_broken_scenario_is_an_error_with_its_diagnostics() {
    let Err(StartError::Scenario(text)) = MockSse::start("endpoints: [{ paht: /x }]").await else {
        panic!()
    };
    assert!(
        text.contains("did you mean `path`?") && text.contains("scenario.yaml:1:15"),
        "{text}"
    );
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/alphabet.yaml");
    assert!(
        MockSse::from_path(file)
            .await
            .unwrap()
            .url("/sse")
            .ends_with("/sse")
    );
}
