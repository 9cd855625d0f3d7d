//! `load` against small servers with known faults: it must find each of them, and nothing else.

// Beside the client it plays the counterpart of; it is no part of the library.
mod load_server;

use std::process::Stdio;
use std::time::Duration;

use load_server::{Fault, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use mock_sse::load::{
    Listen, LoadError, LoadReport, LoadSettings, Publish, Target, Template, Way, Work, run,
};

const STREAMS: usize = 20;
const MESSAGES: u64 = 30;

fn publishing(server: &Server) -> LoadSettings {
    let url = |path: &str| Target::parse(&format!("{}{path}", server.base)).unwrap();
    let publish = Publish {
        way: Way::Post(url("/publish")),
        publishers: 1,
        body: Template::default(),
        rate: None,
        messages: MESSAGES,
        warm_up: 3,
    };
    LoadSettings {
        streams: STREAMS,
        ..LoadSettings::new(url("/sse"), Work::Publish(publish))
    }
}

fn listening(server: &Server, events: Option<u64>) -> LoadSettings {
    let time = Duration::from_secs(30);
    LoadSettings {
        work: Work::Listen(Listen { time, events }),
        ..publishing(server)
    }
}

fn commanding(server: &Server, line: &str) -> LoadSettings {
    let mut settings = publishing(server);
    if let Work::Publish(publish) = &mut settings.work {
        publish.way = Way::Command(line.to_owned());
    }
    settings
}

/// With this time-out a run that has to give up on a message does so quickly.
fn impatient(server: &Server) -> LoadSettings {
    LoadSettings {
        timeout: Duration::from_secs(1),
        ..publishing(server)
    }
}

/// Lost, duplicated, out of order, all summed over the streams.
fn faults(report: &LoadReport) -> (u64, u64, u64) {
    let figures = &report.deliveries;
    (figures.lost, figures.duplicated, figures.out_of_order)
}

fn assert_complete(report: &LoadReport) {
    let all = STREAMS as u64 * MESSAGES;
    assert_eq!(report.streams.opened, STREAMS as u64, "{report}");
    assert_eq!(report.deliveries.total, all, "{report}");
    assert_eq!(faults(report), (0, 0, 0), "{report}");
    assert_eq!(report.deliveries.other_events, 0, "{report}");
    assert!(report.succeeded(), "{report}");
    let latency = report.latency_ms.as_ref().unwrap();
    assert!(latency.p50 > 0.0 && latency.p50 <= latency.p99 && latency.p99 <= latency.max);
}

#[tokio::test]
async fn counts_right_over_http1() {
    let server = Server::start(Fault::None).await;
    // As a task: a run can be moved between threads.
    let report = tokio::spawn(run(publishing(&server))).await.unwrap();
    assert_complete(&report.unwrap());
}

#[tokio::test]
async fn counts_right_over_tls() {
    let server = Server::start_tls(Fault::None).await;
    let mut settings = publishing(&server);
    let untrusted = run(settings.clone()).await.unwrap_err();
    assert!(matches!(untrusted, LoadError::NoTrust), "{untrusted}");

    settings.ca = server.ca();
    let report = run(settings.clone()).await.unwrap();
    assert_complete(&report);
    assert_eq!(report.protocol, "HTTP/1.1 TLS");

    (settings.ca, settings.insecure) = (None, true);
    assert_complete(&run(settings).await.unwrap());
}

#[tokio::test]
async fn counts_right_over_http2() {
    let server = Server::start(Fault::None).await;
    let mut settings = publishing(&server);
    settings.http2 = true;
    settings.streams_per_connection = 8;
    for threads in [1, 2, 5] {
        settings.threads = threads;
        let report = run(settings.clone()).await.unwrap();
        assert_complete(&report);
        assert_eq!(report.streams.connections, 3);
    }
}

#[tokio::test]
async fn messages_longer_than_any_buffer_are_one_delivery_each() {
    for server in [
        Server::start(Fault::None).await,
        Server::start_tls(Fault::None).await,
    ] {
        let mut settings = publishing(&server);
        (settings.streams, settings.insecure) = (3, true);
        let Work::Publish(publish) = &mut settings.work else {
            unreachable!()
        };
        let padding = "x".repeat(300_000);
        publish.body = Template::parse(&format!(r#"{{"n":{{n}},"t":{{t}},"x":"{padding}"}}"#)).unwrap();
        publish.messages = 4;
        let report = run(settings).await.unwrap();
        assert_eq!(report.deliveries.total, 12, "{report}");
        assert!(report.succeeded(), "{report}");
    }
}

#[tokio::test]
async fn what_comes_with_the_head_counts_over_tls_too() {
    let server = Server::start_tls(Fault::Greet(5)).await;
    let mut settings = listening(&server, Some(5));
    settings.insecure = true;
    let report = run(settings).await.unwrap();
    assert_eq!(report.deliveries.total, STREAMS as u64 * 5, "{report}");

    let server = Server::start_tls(Fault::GreetAndEnd(5)).await;
    let mut settings = listening(&server, Some(8));
    settings.insecure = true;
    let report = run(settings).await.unwrap();
    assert_eq!(report.streams.ended, STREAMS as u64, "{report}");
    assert_eq!(report.deliveries.total, STREAMS as u64 * 5, "{report}");
}

#[tokio::test]
async fn a_stream_cut_off_under_tls_is_broken() {
    let server = Server::start_tls(Fault::Cut(11)).await;
    let mut settings = publishing(&server);
    settings.insecure = true;
    let report = run(settings).await.unwrap();
    assert_eq!(report.streams.broken, STREAMS as u64, "{report}");
    assert_eq!(report.deliveries.lost, STREAMS as u64 * (MESSAGES - 10));
    let reason = "the server closed the connection";
    assert_eq!(report.problems.get(reason), Some(&(STREAMS as u64)), "{report}");
}

#[tokio::test]
async fn keeps_to_the_rate() {
    let server = Server::start(Fault::None).await;
    let mut settings = publishing(&server);
    if let Work::Publish(publish) = &mut settings.work {
        publish.rate = Some(100.0);
    }
    let report = run(settings).await.unwrap();
    assert_complete(&report);
    let published = report.published.unwrap();
    assert!(published.took_s >= 0.29, "{published:?}");
}

#[tokio::test]
async fn several_publish_side_by_side() {
    let server = Server::start(Fault::None).await;
    for (publishers, rate) in [(7, None), (MESSAGES as usize + 5, Some(300.0))] {
        let mut settings = publishing(&server);
        settings.threads = 3;
        let Work::Publish(publish) = &mut settings.work else {
            unreachable!()
        };
        (publish.publishers, publish.rate) = (publishers, rate);
        let before = server.connections();
        let report = run(settings).await.unwrap();
        assert_complete(&report);
        assert_eq!(server.connections() - before, STREAMS + publishers, "{report}");
    }
}

#[tokio::test]
async fn publishers_whose_connection_was_closed_open_another_one() {
    let server = Server::start(Fault::OneAnswer).await;
    let mut settings = publishing(&server);
    if let Work::Publish(publish) = &mut settings.work {
        publish.publishers = 2;
    }
    let report = run(settings).await.unwrap();
    assert_complete(&report);
    // Those of the streams, and one for each message, warm-up included.
    assert_eq!(server.connections(), STREAMS + 3 + MESSAGES as usize, "{report}");
}

#[tokio::test]
async fn order_is_judged_by_publisher() {
    // Of two publishers one sends the odd numbers: 8 may overtake 7, and 9 may not.
    for (fault, out_of_order) in [(Fault::Swap(7), 0), (Fault::Behind(7, 9), STREAMS as u64)] {
        let server = Server::start(fault).await;
        let mut settings = publishing(&server);
        if let Work::Publish(publish) = &mut settings.work {
            publish.publishers = 2;
        }
        let report = run(settings).await.unwrap();
        assert_eq!(faults(&report), (0, 0, out_of_order), "{report}");
    }
}

#[tokio::test]
async fn a_command_publishes() {
    let server = Server::start(Fault::None).await;
    let post = format!(
        "curl --silent --fail --data-binary @- {}/publish && test \"$MOCK_SSE_MESSAGE\"",
        server.base
    );
    let report = run(commanding(&server, &post)).await.unwrap();
    assert_complete(&report);
}

#[tokio::test]
async fn a_command_that_fails_says_why() {
    let server = Server::start(Fault::None).await;
    for (line, reason) in [
        (
            "echo no; echo first >&2; echo the disk is full >&2; exit 3",
            "publish: the command failed (exit status: 3): the disk is full",
        ),
        ("exit 4", "publish: the command failed (exit status: 4)"),
        ("exec 2>&-; sleep 60", "publish: the command did not end in time"),
    ] {
        let mut settings = commanding(&server, line);
        settings.timeout = Duration::from_millis(500);
        let report = run(settings).await.unwrap();
        let published = report.published.as_ref().unwrap();
        assert_eq!((published.accepted, published.failed), (0, MESSAGES), "{report}");
        assert!(report.problems.contains_key(reason), "{reason}: {report}");
        assert!(!report.succeeded());
    }
}

#[tokio::test]
async fn a_dropped_message_is_lost_on_every_stream() {
    let server = Server::start(Fault::Drop(7)).await;
    let report = run(impatient(&server)).await.unwrap();
    assert_eq!(faults(&report), (STREAMS as u64, 0, 0), "{report}");
    assert!(!report.succeeded());
}

#[tokio::test]
async fn a_run_ends_at_its_limit() {
    let server = Server::start(Fault::Drop(7)).await;
    let mut settings = publishing(&server);
    settings.timeout = Duration::from_secs(3600);
    settings.limit = Duration::from_secs(1);
    let report = run(settings.clone()).await.unwrap();
    assert_eq!(faults(&report), (STREAMS as u64, 0, 0), "{report}");

    if let Work::Publish(publish) = &mut settings.work {
        publish.rate = Some(MESSAGES as f64 / 2.0);
    }
    let error = run(settings).await.unwrap_err().to_string();
    assert_eq!(error, "--limit: posting all messages at this rate takes longer");
}

#[tokio::test]
async fn a_late_message_is_out_of_order_but_not_lost() {
    let server = Server::start(Fault::Late(7)).await;
    let report = run(publishing(&server)).await.unwrap();
    assert_eq!(faults(&report), (0, 0, STREAMS as u64), "{report}");
    assert!(report.succeeded());
}

#[tokio::test]
async fn a_repeated_message_is_a_duplicate() {
    let server = Server::start(Fault::Twice(7)).await;
    let report = run(publishing(&server)).await.unwrap();
    assert_eq!(faults(&report), (0, STREAMS as u64, 0), "{report}");
    assert_eq!(report.deliveries.total, STREAMS as u64 * MESSAGES);
}

#[tokio::test]
async fn streams_cut_off_are_broken_and_what_they_miss_is_lost() {
    let server = Server::start(Fault::Cut(11)).await;
    let report = run(publishing(&server)).await.unwrap();
    assert_eq!(report.streams.broken, STREAMS as u64, "{report}");
    assert_eq!(report.deliveries.lost, STREAMS as u64 * (MESSAGES - 10));
    let reason = "the server closed the connection in the middle of the body";
    assert_eq!(report.problems.get(reason), Some(&(STREAMS as u64)));
}

#[tokio::test]
async fn refused_streams_are_counted_with_the_reason() {
    for (fault, reason) in [
        (Fault::Status(503), "the server answered 503, not 200"),
        (
            Fault::Html,
            "the content type is `text/html`, not text/event-stream",
        ),
        (
            Fault::NoAnswer,
            "the server closed the connection before its answer",
        ),
    ] {
        let server = Server::start(fault).await;
        let report = run(publishing(&server)).await.unwrap();
        assert_eq!((report.streams.opened, report.streams.failed), (0, 20));
        assert_eq!(report.problems.get(reason), Some(&20), "{report}");
        assert!(!report.succeeded());
    }
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let server = Server::start(Fault::None).await;
    let settings = publishing(&server);
    server.stop().await;
    let report = run(settings).await.unwrap();
    assert_eq!(report.problems.get("connection refused"), Some(&20));
}

#[tokio::test]
async fn refused_messages_are_no_success() {
    let server = Server::start(Fault::RefusePublish).await;
    let report = run(publishing(&server)).await.unwrap();
    let published = report.published.as_ref().unwrap();
    assert_eq!((published.accepted, published.failed), (0, MESSAGES));
    assert!(report.problems.contains_key("publish: the server answered 400"));
    assert!(!report.succeeded());
}

#[tokio::test]
async fn listens_until_every_stream_has_its_events() {
    let server = Server::start(Fault::Greet(5)).await;
    let report = run(listening(&server, Some(5))).await.unwrap();
    assert_eq!(report.deliveries.total, STREAMS as u64 * 5, "{report}");
    assert!(report.succeeded(), "{report}");
}

#[tokio::test]
async fn streams_that_end_before_their_events_have_lost_some() {
    for http2 in [false, true] {
        let server = Server::start(Fault::GreetAndEnd(5)).await;
        let mut settings = listening(&server, Some(8));
        settings.http2 = http2;
        let report = run(settings).await.unwrap();
        assert_eq!(report.streams.ended, STREAMS as u64, "{report}");
        assert_eq!(report.deliveries.lost, STREAMS as u64 * 3, "{report}");
    }
}

#[tokio::test]
async fn other_machines_need_permission() {
    let work = || {
        Work::Listen(Listen {
            time: Duration::ZERO,
            events: None,
        })
    };
    let remote = Target::parse("http://192.0.2.1:9/").unwrap();
    let error = run(LoadSettings::new(remote, work())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`192.0.2.1` (192.0.2.1) is not this machine: a load run against another one must be \
         allowed with --allow-remote"
    );
}

#[tokio::test]
async fn the_report_shows_the_servers_cost() {
    let server = Server::start(Fault::None).await;
    let mut settings = publishing(&server);
    settings.server_pids = vec![std::process::id()];
    let report = run(settings).await.unwrap();
    let text = report.to_string();
    for row in [
        "lost           0\n",
        "out of order   0\n",
        "set-up CPU     server ",
        "server CPU",
        "KiB per stream",
    ] {
        assert!(text.contains(row), "{row} is missing in:\n{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["deliveries"]["lost"], 0);
    assert!(json["server_memory"]["kib_per_stream"].is_number());
}

#[tokio::test]
async fn a_process_that_is_not_there() {
    let server = Server::start(Fault::None).await;
    let mut settings = publishing(&server);
    settings.server_pids = vec![u32::MAX];
    let error = run(settings).await.unwrap_err().to_string();
    assert!(
        error.starts_with("process 4294967295 cannot be measured"),
        "{error}"
    );
}

/// The command, with what every run of it here has.
fn command(server: &Server, options: &[&str]) -> Vec<String> {
    let url = |path: &str| format!("{}{path}", server.base);
    let (streams, messages) = (STREAMS.to_string(), MESSAGES.to_string());
    let binary = env!("CARGO_BIN_EXE_mock-sse");
    let mut words = vec![binary, "load", "--streams", &streams, "--messages", &messages];
    words.extend(options);
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    words.extend([url("/sse"), "--publish".to_owned(), url("/publish")]);
    words
}

async fn output(words: &[String]) -> std::process::Output {
    let mut command = tokio::process::Command::new(&words[0]);
    command
        .args(&words[1..])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_picture_shows_what_was_measured() {
    let server = Server::start(Fault::None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.svg");
    let done = output(&command(&server, &["--svg", file.to_str().unwrap()])).await;
    assert!(done.status.success(), "{done:?}");
    let picture = std::fs::read_to_string(file).unwrap();
    let title = format!("{}/sse (HTTP/1.1)", server.base);
    for part in [
        &title,
        "20 streams, 30 messages: 600 deliveries in",
        "0 lost, 0 duplicated, 0 out of order",
        "of CPU a delivery",
        ">p50 ",
        ">p99 ",
        ">max ",
        ">99%<",
        ">0 s<",
    ] {
        assert!(picture.contains(part), "{part} is missing in:\n{picture}");
    }
    assert_eq!(picture.matches("stroke-width=\"2\"").count(), 2, "two curves");
}

#[tokio::test]
async fn a_picture_that_cannot_be_written_is_told_before_the_run() {
    let server = Server::start(Fault::None).await;
    let done = output(&command(&server, &["--svg", "/no/such/folder/load.svg"])).await;
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(
        said.starts_with("error: /no/such/folder/load.svg cannot be written"),
        "{said}"
    );
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn how_far_it_is_shows_on_a_terminal_only() {
    let server = Server::start(Fault::None).await;
    let slow = &["--rate", "40"][..];
    let words = command(&server, slow);
    let done = output(&words).await;
    assert!(done.stderr.is_empty(), "{done:?}");

    // `script` gives it a terminal.
    let typed = |words: &[String]| {
        let script = ["script", "--quiet", "--return", "--command"].map(str::to_owned);
        let line = [words.join(" "), "/dev/null".to_owned()];
        [&script[..], &line].concat()
    };
    let shown = output(&typed(&words)).await;
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("\r\u{1b}[Kpublishing █"), "{text:?}");
    assert!(text.contains("/30 messages, "), "{text:?}");
    assert!(text.contains("1 s left"), "{text:?}");
    let (_, report) = text.rsplit_once("\r\u{1b}[K").unwrap();
    assert!(report.starts_with("target "), "{text:?}");

    let quiet = command(&server, &[slow, &["--quiet"]].concat());
    let text = String::from_utf8(output(&typed(&quiet)).await.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[tokio::test]
async fn memory_shows_although_nothing_is_sent() {
    let server = Server::start(Fault::None).await;
    let mut settings = listening(&server, None);
    settings.server_pids = vec![std::process::id()];
    settings.work = Work::Listen(Listen {
        time: Duration::from_millis(200),
        events: None,
    });
    let report = run(settings).await.unwrap();
    assert_eq!(report.deliveries.total, 0, "{report}");
    assert!(report.succeeded(), "{report}");
    assert!(report.to_string().contains("KiB per stream (PSS "), "{report}");
    assert!(report.cpu.server_s.is_some());
}

#[tokio::test]
async fn several_processes_are_summed() {
    let server = Server::start(Fault::None).await;
    let mut other = tokio::process::Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // Once it has answered, it takes no more memory.
    other.stdin.as_mut().unwrap().write_all(b"x").await.unwrap();
    other.stdout.as_mut().unwrap().read_u8().await.unwrap();
    let mut settings = listening(&server, Some(0));
    settings.server_pids = vec![other.id().unwrap(); 3];
    let three = run(settings.clone()).await.unwrap();
    settings.server_pids.truncate(1);
    let one = run(settings.clone()).await.unwrap();
    let before = |report: &LoadReport| report.server_memory.as_ref().unwrap().before_kib;
    assert!(before(&three) > before(&one) * 2, "{three}\n{one}");
    other.kill().await.unwrap();
    settings.server_pids = vec![std::process::id(), u32::MAX];
    let error = run(settings).await.unwrap_err().to_string();
    assert!(error.starts_with("process 4294967295 cannot"), "{error}");
}

#[tokio::test]
async fn without_anybody_to_publish_or_read_there_is_no_run() {
    let server = Server::start(Fault::None).await;
    let nobody = |change: fn(&mut LoadSettings, &mut Publish)| {
        let mut settings = publishing(&server);
        let Work::Publish(mut publish) = settings.work.clone() else {
            unreachable!()
        };
        change(&mut settings, &mut publish);
        settings.work = Work::Publish(publish);
        settings
    };
    for (settings, name) in [
        (nobody(|_, publish| publish.publishers = 0), "--publishers"),
        (nobody(|settings, _| settings.threads = 0), "--threads"),
    ] {
        let error = run(settings).await.unwrap_err().to_string();
        assert_eq!(error, format!("{name}: it must be at least 1"));
    }
}
