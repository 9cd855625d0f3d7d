//! `MockSse` inside a Rust test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mock_sse::MockSse;
use mock_sse::control::Failure;
use mock_sse::event::Event;
use mock_sse::scenario::model::End;
use mock_sse::testing::{Session, StartError};

/// The client of a test: blocking, so each test's runtime has several threads.
struct Client(BufReader<TcpStream>);

impl Client {
    fn open(url: &str) -> Client {
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut socket = TcpStream::connect(host).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(
            socket,
            "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        Client(BufReader::new(socket))
    }

    /// The next line that begins with `data:`.
    fn data(&mut self) -> String {
        let lines = self.0.by_ref().lines().map(Result::unwrap);
        let mut data = lines.filter_map(|line| Some(line.strip_prefix("data: ")?.to_owned()));
        data.next().expect("the stream goes on")
    }

    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }
}

fn get(url: &str) -> String {
    Client::open(url).rest()
}

fn body(url: &str) -> String {
    get(url).split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The numbers of events that were sent, request by request.
fn sent(session: &Session) -> Vec<u64> {
    let journal = session.journal();
    journal.iter().map(|entry| entry.sent().events).collect()
}

const HELLO: &str = "endpoints: [{ path: /sse, stream: [{ data: hello }] }]";

const FOLLOW: &str = "
topics: { news: {} }
endpoints: [{ path: /sse, stream: [{ follow: news }] }]
";

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_serves_and_stops_when_dropped() {
    let mock = MockSse::start(HELLO).await.unwrap();
    assert!(get(&mock.url("/sse")).contains("data: hello\n\n"));
    let mut open = TcpStream::connect(mock.addr()).unwrap();
    drop(mock);
    let mut rest = Vec::new();
    // Whatever way the connection ends, it does end.
    let _ = open.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_streams_cleanly_when_it_is_shut_down() {
    let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ data: hello }, { end: hold }] }]")
        .await
        .unwrap();
    let (mut client, addr) = (Client::open(&mock.url("/sse")), mock.addr());
    assert_eq!(client.data(), "hello");
    assert_eq!(mock.shut_down().await, 0);
    assert!(client.rest().ends_with("0\r\n\r\n"), "the last chunk came");
    assert!(TcpStream::connect(addr).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_run_side_by_side_and_repeat() {
    let one = async || {
        let mock = MockSse::start("endpoints: [{ path: /id, body: '{{ uuid() }}' }]")
            .await
            .unwrap();
        // The servers' threads are the tasks': none may be blocked.
        let url = mock.url("/id");
        let id = tokio::task::spawn_blocking(move || body(&url));
        (id.await.unwrap(), mock)
    };
    let running: Vec<_> = (0..20).map(|_| tokio::spawn(one())).collect();
    let mut all = Vec::new();
    for task in running {
        all.push(task.await.unwrap());
    }
    let (first, _) = &all[0];
    assert_eq!(first.trim().len(), 36, "{first}");
    for (id, mock) in &all {
        assert_eq!(id, first);
        assert_eq!((mock.open_streams(), mock.journal().len()), (0, 1));
    }
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let Err(error) = MockSse::start("endpoints: [{ paht: /x }]").await else {
        panic!()
    };
    // `unwrap` shows the one, `?` the other.
    for text in [format!("{error:?}"), error.to_string()] {
        assert!(
            text.contains("did you mean `path`?") && text.contains("\n --> scenario.yaml:1:15"),
            "{text}"
        );
    }
    assert!(matches!(error, StartError::Scenario(_)));
    let noon = MockSse::builder().scenario(HELLO).now("noon").start().await;
    assert!(noon.unwrap_err().to_string().contains("RFC 3339"));
    let fast = mock_sse::clock::Mode::Scaled(f64::NAN);
    let error = MockSse::builder().clock(fast).start().await.unwrap_err();
    assert!(matches!(error, StartError::Setting(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_builder_says_seed_and_time_of_day_and_takes_files() {
    let yaml = "{ seed: 5, endpoints: [{ path: /x, body: '{{ now }} {{ uuid() }}' }] }";
    let begun = async |seed: Option<u64>| {
        let builder = MockSse::builder()
            .scenario(yaml)
            .manual_clock()
            .now("1970-01-01T00:00:01Z");
        let builder = seed.into_iter().fold(builder, |builder, seed| builder.seed(seed));
        let mock = builder.start().await.unwrap();
        body(&mock.url("/x"))
    };
    let (five, own, six) = (begun(Some(5)).await, begun(None).await, begun(Some(6)).await);
    assert!(five.starts_with("1000 "), "{five}");
    assert_eq!(five, own);
    assert_ne!(five, six);

    let folder = tempfile::tempdir().unwrap();
    for (name, yaml) in [
        ("a.yaml", HELLO),
        ("b.yaml", "endpoints: [{ path: /b, body: b }]"),
    ] {
        std::fs::write(folder.path().join(name), yaml).unwrap();
    }
    let builder = MockSse::builder().path(folder.path().join("a.yaml"));
    let mock = builder.path(folder.path().join("b.yaml")).start().await.unwrap();
    assert_eq!(body(&mock.url("/b")).trim(), "b");
    assert!(get(&mock.url("/sse")).contains("data: hello"));
    let mock = MockSse::from_path(folder.path()).await.unwrap();
    assert_eq!(body(&mock.url("/b")).trim(), "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_it_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certs = mock_sse::certs::ensure(folder.path(), &[]).unwrap();
    let builder = MockSse::builder().scenario(HELLO);
    let mock = builder
        .tls(&certs.cert_path, &certs.key_path)
        .start()
        .await
        .unwrap();
    let url = mock.url("/sse");
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let curl = std::process::Command::new("curl")
        .args(["-sS", "--cacert"])
        .args([certs.ca_pem_path.as_os_str(), url.as_ref()])
        .output();
    let out = curl.unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "data: hello\n\n", "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn advancing_sends_exactly_what_falls_due() {
    let yaml = "endpoints: [{ path: /sse, stream: [{ every: 1m, data: '{{ seq }}' }] }]";
    let mock = MockSse::builder()
        .scenario(yaml)
        .manual_clock()
        .start()
        .await
        .unwrap();
    let mut client = Client::open(&mock.url("/sse"));
    mock.wait_for_streams(1).await.unwrap();
    assert_eq!(sent(&mock), [0]);
    mock.advance(Duration::from_secs(150)).await.unwrap();
    assert_eq!(sent(&mock), [2]);
    assert_eq!([client.data(), client.data()], ["1", "2"]);
    assert_eq!(mock.advance_to_next().await.unwrap(), Duration::from_secs(30));
    assert_eq!(mock.now(), Duration::from_secs(180));
    assert_eq!(sent(&mock), [3]);
    assert_eq!(client.data(), "3");
}

#[tokio::test]
async fn a_clock_that_goes_by_itself_is_not_advanced() {
    let mock = MockSse::start(HELLO).await.unwrap();
    let error = mock.advance(Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::Conflict(_)));
    assert!(error.to_string().contains("manual_clock()"), "{error}");
    assert_eq!(format!("{error:?}"), format!("\n{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_and_sent_reaches_open_streams() {
    let mock = MockSse::start(FOLLOW).await.unwrap();
    let mut client = Client::open(&mock.url("/sse"));
    mock.wait_for_streams(1).await.unwrap();
    let event = Event {
        event: Some("alert".into()),
        data: Some("two".into()),
        ..Event::default()
    };
    // A stream is open before it has come to follow.
    while mock.publish("news", "early").unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(mock.publish("news", event).unwrap(), 1);
    assert_eq!(mock.publish("news", serde_json::json!({ "n": 3 })).unwrap(), 1);
    assert_eq!(
        [client.data(), client.data(), client.data()],
        ["early", "two", "{\"n\":3}"]
    );
    assert_eq!(mock.send("four").await.unwrap(), 1);
    assert_eq!(client.data(), "four");
    assert_eq!(mock.end_streams(End::Close), 1);
    assert!(client.rest().ends_with("0\r\n\r\n"));
    mock.wait_for_streams(0).await.unwrap();
    let error = mock.publish("nwes", "lost").unwrap_err().to_string();
    assert!(error.contains("did you mean `news`?"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_and_state_are_seen_by_scripts_of_open_streams() {
    let yaml =
        "endpoints: [{ path: /sse, stream: [{ wait_for: { signal: go } }, { data: '{{ state.stock }}' }] }]";
    for mode in [mock_sse::clock::Mode::REAL, mock_sse::clock::Mode::Manual] {
        let builder = MockSse::builder().scenario(yaml).clock(mode);
        let mock = builder.start().await.unwrap();
        mock.set_state("stock", 3).unwrap();
        mock.signal("go");
        let client = Client::open(&mock.url("/sse"));
        mock.wait_for_streams(1).await.unwrap();
        // What was given before the stream came is not for it.
        assert_eq!((sent(&mock), mock.open_streams()), (vec![0], 1));
        mock.set_state("stock", 4).unwrap();
        mock.signal("go");
        assert!(client.rest().contains("data: 4\n\n"));
        assert_eq!(mock.state()["stock"], 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_tells_what_came_and_how_it_went() {
    let mock = MockSse::start(HELLO).await.unwrap();
    get(&mock.url("/sse?page=2"));
    get(&mock.url("/nowhere"));
    let journal = mock.journal();
    let told: Vec<_> = journal
        .iter()
        .map(|entry| (entry.target(), entry.answered().unwrap().status))
        .collect();
    let expected = [("/sse?page=2", Some(200)), ("/nowhere", Some(404))];
    assert_eq!(told, expected.map(|(target, status)| (target.to_owned(), status)));
    assert_eq!(sent(&mock), [1, 0]);
}

const RESUMES: &str = "
endpoints: [{ path: /sse, stream: [{ id: '7', data: last words }] }]
expect: [{ name: comes back, request: GET /sse, count: 2 }]
";

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_is_known_when_the_client_has_done_all() {
    let mock = MockSse::start(RESUMES).await.unwrap();
    get(&mock.url("/sse"));
    assert_eq!(mock.verdict().word(), "open");
    let error = mock.verify().unwrap_err();
    let report = error.to_string();
    assert!(report.starts_with("not ok 1 - comes back: "), "{report}");
    assert!(report.contains("GET /sse"), "{report}");
    assert!(report.ends_with("failed: 0 met, 1 failed, 0 open"), "{report}");
    assert_eq!(format!("{error:?}"), format!("\n{report}"));
    assert_eq!(error.verdict().expectations.len(), 1);

    let url = mock.url("/sse");
    let again = tokio::task::spawn_blocking(move || get(&url));
    assert_eq!(mock.decided(Duration::from_secs(20)).await.word(), "passed");
    mock.verify().unwrap();
    again.await.unwrap();

    mock.reset();
    assert_eq!((mock.journal().len(), mock.verdict().word()), (0, "open"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_know_nothing_of_each_other() {
    let mock = MockSse::builder()
        .scenario(RESUMES)
        .manual_clock()
        .start()
        .await
        .unwrap();
    let (a, b) = (mock.session("a"), mock.session("b"));
    get(&a.url("/sse"));
    get(&a.url("/sse"));
    get(&b.url("/sse"));
    a.verify().unwrap();
    b.verify().unwrap_err();
    mock.verify().unwrap_err();
    let lengths = [&a, &b, &mock].map(|session| session.journal().len());
    assert_eq!(lengths, [2, 1, 0]);

    a.advance(Duration::from_secs(5)).await.unwrap();
    assert_eq!((a.now(), b.now()), (Duration::from_secs(5), Duration::ZERO));

    b.load("endpoints: [{ path: /sse, body: other }]").await.unwrap();
    assert_eq!(body(&b.url("/sse")).trim(), "other");
    assert!(get(&a.url("/sse")).contains("last words"));
    let error = b.load("endpoints: [{ paht: /sse }]").await.unwrap_err();
    assert!(error.to_string().contains("did you mean `path`?"), "{error}");
    assert_eq!(body(&b.url("/sse")).trim(), "other");

    mock.reset_all();
    assert!(get(&b.url("/sse")).contains("last words"));
    assert_eq!((a.now(), a.journal().len()), (Duration::ZERO, 0));
}

#[tokio::test]
#[should_panic(expected = "is no session's name")]
async fn what_cannot_name_a_session_is_refused() {
    let mock = MockSse::start(HELLO).await.unwrap();
    mock.session("a/b");
}
