//! A stream that never waits leaves room for others.

mod support;

use support::process::start;
use support::{open_at, send_at};

const SCENARIO: &str = r"
endpoints:
  - path: /busy
    stream:
      - data: begun
      - repeat: { times: 18446744073709551615, steps: [ { signal: again } ] }
  - path: /circles
    stream:
      - data: begun
      - repeat:
          times: 9000
          steps: [ { let: { a: '{% for i in range(90000) %}{{ i }}{% endfor %}' } } ]
  - path: /flood
    stream:
      - repeat: { times: 18446744073709551615, steps: [ { data: water } ] }
  - path: /other
    body: here
";

/// On one thread: whoever kept it would keep all others out.
#[test]
fn streams_that_never_wait_do_not_keep_others_out() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scenario.yaml"), SCENARIO).unwrap();
    let args = ["serve", "--port", "0", "--scenario", "scenario.yaml"];
    let mut server = start(folder, &args, &[("TOKIO_WORKER_THREADS", "1")]);
    let port = server.port();
    for path in ["/busy", "/circles", "/flood"] {
        let mut stream = open_at(port, path);
        assert!(stream.event().is_some());
        // Only one of them at a time, but while it plays.
        let other = send_at(port, "GET", "/other", &[], b"").all();
        assert_eq!(other, b"here", "{path}");
    }
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}
