//! A `mock-sse` process for a test, and a client that sees bytes.
#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod chance;
pub mod docs;
pub mod process;
pub mod raw;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Nothing here takes longer; a test that hangs fails with what it waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server in a folder of its own; ended by its id when dropped.
pub struct Server {
    pub child: Child,
    pub port: u16,
    pub banner: String,
    pub rest: Rest,
    pub log: Log,
    pub folder: tempfile::TempDir,
}

/// What the server says on standard output after the banner.
pub struct Rest(std::thread::JoinHandle<String>);

impl Rest {
    /// All of it, once the server has ended.
    pub fn read_to_end(&mut self) -> String {
        let done = std::thread::spawn(String::new);
        std::mem::replace(&mut self.0, done).join().unwrap()
    }
}

/// The server's standard error, line by line as it comes.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<Said>, Condvar)>);

#[derive(Default)]
struct Said {
    text: String,
    over: bool,
}

impl Log {
    /// Waits until the log holds a text, and returns all of it.
    pub fn wait_for(&self, text: &str) -> String {
        let (log, changed) = &*self.0;
        let log = log.lock().unwrap();
        let missing = |log: &mut Said| !log.text.contains(text) && !log.over;
        let (log, _) = changed.wait_timeout_while(log, PATIENCE, missing).unwrap();
        assert!(
            log.text.contains(text),
            "the log never said {text:?}:\n{}",
            log.text
        );
        log.text.clone()
    }

    /// Waits until the log holds a text so many times.
    pub fn wait_for_times(&self, text: &str, times: usize) -> String {
        let (log, changed) = &*self.0;
        let missing = |log: &mut Said| log.text.matches(text).count() < times && !log.over;
        let (log, _) = changed
            .wait_timeout_while(log.lock().unwrap(), PATIENCE, missing)
            .unwrap();
        let found = log.text.matches(text).count();
        assert!(
            found >= times,
            "the log said {text:?} {found} times, not {times}:\n{}",
            log.text
        );
        log.text.clone()
    }

    /// Waits until the process has closed its end of the log.
    fn finish(&self) {
        let (log, changed) = &*self.0;
        let open = |log: &mut Said| !log.over;
        drop(
            changed
                .wait_timeout_while(log.lock().unwrap(), PATIENCE, open)
                .unwrap(),
        );
    }

    pub fn text(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    pub fn follow(&self, stream: impl Read + Send + 'static) {
        let log = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                log.0.0.lock().unwrap().text.push_str(&(line + "\n"));
                log.0.1.notify_all();
            }
            log.0.0.lock().unwrap().over = true;
            log.0.1.notify_all();
        });
    }
}

pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-sse"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MOCK_SSE_") || name == "PORT") {
        command.env_remove(name);
    }
    command
}

/// Writes a scenario into a new folder and serves it with these further arguments.
pub fn serve(yaml: &str, args: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scenario.yaml"), yaml).unwrap();
    serve_in(folder, &[&["--scenario", "scenario.yaml"], args].concat())
}

/// Serves with these arguments in a folder.
pub fn serve_in(folder: tempfile::TempDir, args: &[&str]) -> Server {
    let mut command = binary();
    command
        .current_dir(folder.path())
        .args(["serve", "--port", "0"])
        .args(args);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let log = Log::default();
    log.follow(child.stderr.take().unwrap());
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut banner = String::new();
    // The banner ends with the endpoints and an empty line behind them.
    while !(banner.contains("curl ") && banner.ends_with("\n\n")) {
        if stdout.read_line(&mut banner).unwrap() == 0 {
            panic!("the server did not start:\n{banner}{}", log.text());
        }
    }
    let rest = Rest(std::thread::spawn(move || {
        let mut said = String::new();
        let _ = stdout.read_to_string(&mut said);
        said
    }));
    let at = banner.find("http://localhost:").expect("an address") + "http://localhost:".len();
    let port = banner[at..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .unwrap();
    Server {
        child,
        port,
        banner,
        rest,
        log,
        folder,
    }
}

impl Server {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the scenario in one step, as editors do.
    pub fn save(&self, yaml: &str) {
        let part = self.path("scenario.yaml.part");
        std::fs::write(&part, yaml).unwrap();
        std::fs::rename(part, self.path("scenario.yaml")).unwrap();
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, json: &str) -> Answer {
        self.send(
            "POST",
            path,
            &[("content-type", "application/json")],
            json.as_bytes(),
        )
    }

    /// A whole exchange on a connection of its own.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = self.open_with(
            method,
            path,
            &[headers, &[("connection", "close")]].concat(),
            body,
        );
        if method == "HEAD" {
            stream.left = Some(0);
        }
        let mut body = Vec::new();
        while let Some(part) = stream.chunk() {
            body.extend(part);
        }
        Answer {
            status: stream.status,
            head: stream.head,
            body: String::from_utf8_lossy(&body).into_owned(),
            bytes: body,
        }
    }

    /// A stream, read up to its head.
    pub fn open(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        self.open_with("GET", path, headers, b"")
    }

    pub fn open_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Stream {
        send_at(self.port, method, path, headers, body)
    }
}

/// A stream of a server at this port, read up to its head.
pub fn open_at(port: u16, path: &str) -> Stream {
    send_at(port, "GET", path, &[], b"")
}

/// An exchange with a server at this port, read up to the answer's head.
pub fn send_at(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Stream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\n");
    headers
        .iter()
        .for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    if !body.is_empty() {
        head += &format!("content-length: {}\r\n", body.len());
    }
    head += "\r\n";
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(body).unwrap();
    Stream::read_head(socket)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// An open answer.
pub struct Stream {
    pub status: u16,
    pub head: String,
    reader: BufReader<TcpStream>,
    left: Option<usize>,
    pending: String,
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let field = |line: &'a str| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name));
    head.lines().find_map(field).map(|(_, value)| value.trim())
}

impl Stream {
    fn read_head(socket: TcpStream) -> Stream {
        let mut reader = BufReader::new(socket);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(
                reader.read_line(&mut head).unwrap() > 0,
                "no whole head: {head:?}"
            );
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let left = header(&head, "content-length").map(|n| n.parse().unwrap());
        let left = if matches!(status, 204 | 304) {
            Some(0)
        } else {
            left
        };
        Stream {
            status,
            head,
            reader,
            left,
            pending: String::new(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Everything up to the clean end.
    pub fn all(&mut self) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.pending).into_bytes();
        while let Some(chunk) = self.chunk() {
            all.extend(chunk);
        }
        all
    }

    /// The socket, to leave or to stall on.
    pub fn socket(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// One chunk as it was written; `None` at the clean end. Panics if the body breaks off.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        if let Some(left) = self.left.take() {
            let mut body = vec![0; left];
            self.reader.read_exact(&mut body).unwrap();
            self.left = Some(0);
            return (left > 0).then_some(body);
        }
        let mut size = String::new();
        self.reader.read_line(&mut size).expect("a chunk");
        assert!(size.ends_with("\r\n"), "the body broke off: {size:?}");
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut body = vec![0; size + 2];
        self.reader.read_exact(&mut body).unwrap();
        body.truncate(size);
        (size > 0).then_some(body)
    }

    /// The next event block, without its blank line; `None` at the clean end.
    pub fn event(&mut self) -> Option<String> {
        while !self.pending.contains("\n\n") {
            let chunk = self.chunk()?;
            self.pending += std::str::from_utf8(&chunk).unwrap();
        }
        let (event, rest) = self.pending.split_once("\n\n").unwrap();
        let event = event.to_owned();
        self.pending = rest.to_owned();
        Some(event)
    }

    /// The value of a field of the next event that has it.
    pub fn field(&mut self, name: &str) -> String {
        loop {
            let event = self.event().expect("another event");
            if let Some(value) = event.lines().find_map(|l| l.strip_prefix(&format!("{name}: "))) {
                return value.to_owned();
            }
        }
    }

    /// What still comes until the end of the connection, as raw bytes; an error if it was reset.
    pub fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).map(|_| rest)
    }
}

/// A path of the repository.
pub fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
