//! Processes that a test waits for, and curl as a client of every protocol.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Log, PATIENCE, Server, binary};

impl Server {
    /// Waits for the process to end by itself. Its log has come to an end then, too.
    pub fn exit(&mut self) -> ExitStatus {
        let status = exit_of(&mut self.child);
        self.log.finish();
        status
    }

    /// An address of this server.
    pub fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://localhost:{}{path}", self.port)
    }
}

/// Waits for a process, but not for ever.
pub fn exit_of(child: &mut std::process::Child) -> ExitStatus {
    let pid = rustix::process::Pid::from_child(child);
    let (done, waiting) = mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
    let status = child.wait().unwrap();
    drop(done);
    guard.join().unwrap();
    assert!(
        status.signal() != Some(9),
        "the process did not end within {PATIENCE:?}"
    );
    status
}

/// Runs a command of the binary to its end.
pub fn run(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = binary();
    command
        .current_dir(folder)
        .args(args)
        .envs(env.iter().copied())
        .stdin(Stdio::null());
    finish(command)
}

/// Runs any command to its end, but not for ever.
pub fn finish(mut command: Command) -> Output {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let (done, waiting) = mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE * 2) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    guard.join().unwrap();
    output
}

/// What a process said and how it ended, for assertions.
pub fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// curl with these arguments; silent, and limited in time.
pub fn curl(args: &[&str]) -> Output {
    let mut command = Command::new("curl");
    let most = PATIENCE.as_secs().to_string();
    command.args(["-sS", "--max-time", &most]).args(args);
    finish(command)
}

/// A server that is started by other means than `serve_in`: it is ready once its ready file is.
pub struct Started {
    pub child: std::process::Child,
    pub log: Log,
    pub ready: serde_json::Value,
    pub folder: tempfile::TempDir,
}

/// Starts the binary with exactly these arguments and variables, and waits for its ready file.
pub fn start(folder: tempfile::TempDir, args: &[&str], env: &[(&str, &str)]) -> Started {
    let mut command = binary();
    command
        .current_dir(folder.path())
        .args(args)
        .args(["--ready-file", "ready.json"]);
    command
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let log = Log::default();
    log.follow(child.stderr.take().unwrap());
    let ready = wait_for_file(&folder.path().join("ready.json"), &log);
    let ready = serde_json::from_str(&ready).unwrap();
    Started {
        child,
        log,
        ready,
        folder,
    }
}

/// The contents of a file, as soon as there is one.
pub fn wait_for_file(path: &Path, log: &Log) -> String {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    panic!("{} never came:\n{}", path.display(), log.text());
}

impl Started {
    pub fn port(&self) -> u16 {
        self.ready["port"].as_u64().unwrap().try_into().unwrap()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the process to end by itself, and for all of its log.
    pub fn exit(&mut self) -> ExitStatus {
        let status = exit_of(&mut self.child);
        self.log.finish();
        status
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
