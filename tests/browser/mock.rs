//! A `mock-sse` process on a port that stays the same over restarts, with its log as data.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::support::binary;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running server in a folder of its own, where its certificates stay over restarts.
pub struct Mock {
    child: Child,
    args: Vec<String>,
    log: Log,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl Mock {
    /// Serves a scenario with these further arguments.
    pub fn start(scenario: &str, args: &[&str]) -> Mock {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("scenario.yaml"), scenario).unwrap();
        let port = free_port();
        let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
        let (child, log) = spawn(folder.path(), port, &args);
        Mock {
            child,
            args,
            log,
            folder,
            port,
        }
    }

    /// Where pages find it.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Ends the process by a signal, and waits until it has gone.
    pub fn stop(&mut self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{signal}"), &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap();
    }

    /// Starts it anew on the same port.
    pub fn start_again(&mut self) {
        (self.child, self.log) = spawn(self.folder.path(), self.port, &self.args);
    }

    /// Waits for so many log lines of requests whose `METHOD /path` begins so, and returns them.
    pub fn requests(&self, what: &str, count: usize) -> Vec<Value> {
        let mine = |line: &Value| request(line).is_some_and(|r| r.starts_with(what));
        let lines = self.log.wait(&format!("{count} × {what}"), |lines| {
            lines.iter().filter(|line| mine(line)).count() >= count
        });
        lines.into_iter().filter(mine).collect()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `METHOD /path` of a log line, if it is a request's.
fn request(line: &Value) -> Option<String> {
    Some(format!(
        "{} {}",
        line["method"].as_str()?,
        line["target"].as_str()?
    ))
}

/// The server is to come back at the same port, so it is chosen first: below the range from which
/// systems take the ports of outgoing connections, lest one of them has it while the server is away. For the same reason
/// none is chosen twice.
pub fn free_port() -> u16 {
    static CHOSEN: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    let next = || first + CHOSEN.fetch_add(1, Ordering::Relaxed);
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(next)
        .take_while(|port| *port < 32_768)
        .find(free)
        .expect("a free port")
}

fn spawn(folder: &Path, port: u16, args: &[String]) -> (Child, Log) {
    let mut command = binary();
    command
        .current_dir(folder)
        .args(["serve", "--scenario", "scenario.yaml", "--log-format", "json"]);
    command.args(["--port", &port.to_string()]).args(args);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let log = Log::default();
    log.follow(child.stderr.take().unwrap());
    log.wait("listening", |lines| {
        lines.iter().any(|line| line["message"] == "listening")
    });
    (child, log)
}

/// The log, line by line as it comes.
#[derive(Clone, Default)]
struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<Value>,
    ended: bool,
}

impl Log {
    fn follow(&self, stderr: impl Read + Send + 'static) {
        let log = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // What is no JSON is said before the log is set up: wrong usage, a broken scenario.
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                log.0.0.lock().unwrap().lines.push(line);
                log.0.1.notify_all();
            }
            log.0.0.lock().unwrap().ended = true;
            log.0.1.notify_all();
        });
    }

    /// Waits until the lines fulfil a condition.
    fn wait(&self, what: &str, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let (log, changed) = &*self.0;
        let waiting = |log: &mut Lines| !log.ended && !done(&log.lines);
        let (log, _) = changed
            .wait_timeout_while(log.lock().unwrap(), PATIENCE, waiting)
            .unwrap();
        assert!(done(&log.lines), "the log never said {what}: {:#?}", log.lines);
        log.lines.clone()
    }
}
