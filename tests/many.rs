//! Many clients at once: everybody gets everything, in order.

mod support;

use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use support::process::finish;
use support::{binary, repo, serve, serve_in};

#[test]
fn fifty_connections_get_every_tick_for_twenty_seconds() {
    const TICKS: u64 = 100;
    let server = serve(
        "
endpoints:
  - path: /ticks
    stream: [{ every: 200ms, times: 100, id: counter, data: 'tick {{ seq }}' }]
",
        &[],
    );
    let began = Instant::now();
    let streams: Vec<_> = (0..50).map(|_| server.open("/ticks", &[])).collect();
    let readers = streams.into_iter().map(|mut stream| {
        std::thread::spawn(move || {
            for n in 1..=TICKS {
                // One event is one chunk, however busy the machine is.
                let chunk = String::from_utf8(stream.chunk().unwrap()).unwrap();
                assert_eq!(chunk, format!("data: tick {n}\nid: {n}\n\n"));
            }
            assert_eq!(stream.chunk(), None);
        })
    });
    let readers: Vec<_> = readers.collect();
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    let took = began.elapsed();
    // The schedule does not drift: what is late is caught up with.
    assert!(
        (Duration::from_secs(20)..Duration::from_secs(25)).contains(&took),
        "{took:?}"
    );
    let log = server.log.wait_for_times("100 events", 50);
    assert_eq!(log.matches("script ended").count(), 50, "{log}");
}

/// Raises the limit of open files as far as it goes; child processes inherit it.
fn allow_open_files(most: u64) {
    let limit = getrlimit(Resource::Nofile);
    let raised = limit
        .maximum
        .map_or(most, |hard| hard.min(most))
        .max(limit.current.unwrap_or(most));
    setrlimit(
        Resource::Nofile,
        rustix::process::Rlimit {
            current: Some(raised),
            ..limit
        },
    )
    .unwrap();
    assert!(
        raised >= most,
        "this machine allows only {raised} open files a process; the test needs {most}"
    );
}

#[test]
fn five_thousand_connections_lose_nothing_of_twenty_messages() {
    allow_open_files(6_000);
    let scenario = repo("scenarios/alphabet.yaml");
    let args = [
        "--scenario",
        scenario.to_str().unwrap(),
        "--no-tls",
        "--log-level",
        "warn",
    ];
    let server = serve_in(tempfile::tempdir().unwrap(), &args);
    let url = server.url("http", "/post");
    let mut load = binary();
    load.args([
        "load",
        &url,
        "--publish",
        &url,
        "--streams",
        "5000",
        "--messages",
        "20",
    ]);
    load.args(["--rate", "2", "--warm-up", "1", "--timeout", "30s", "--json"]);
    let output = finish(load);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let deliveries = &report["deliveries"];
    assert_eq!(report["streams"]["opened"], 5000, "{report:#}");
    assert_eq!(deliveries["total"], 100_000, "{report:#}");
    for fault in ["lost", "duplicated", "out_of_order", "other_events"] {
        assert_eq!(deliveries[fault], 0, "{fault} {report:#}");
    }
    assert!(output.status.success());
}
