//! An attack beside ordinary streams: they must get every event, and afterwards everything must be as it
//! was before: connections, descriptors, memory.
#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod frames;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::process::{Started, start, wait_for_file};
use crate::support::{Log, PATIENCE, Stream, binary, send_at};

/// What every attack finds.
pub const SCENARIO: &str = "
topics: { news: {} }
endpoints:
  - { path: /ticks, stream: [{ every: 20ms, data: 'tick {{ seq }}' }] }
  - { path: /news, method: POST, publish: { topic: news, data: '{{ request.body }}' }, status: 204 }
  - { path: /news, stream: [{ follow: news }] }
  - { path: /echo, method: POST, body: 'got {{ request.body | length }}' }
  - { path: /small, body: small }
  - { path: /held, stream: [{ data: held }, { end: hold }] }
  - { path: /flood, stream: [{ every: 1ms, data: '{{ seq }} {{ \"x\" * 4000 }}' }] }
";
/// What the allocator may keep of an attack. The journal, which is bounded by itself, is emptied before.
const KEPT: u64 = 32 << 20;

/// A server under attack, with its witnesses.
pub struct Scene {
    pub server: Started,
    ticker: Witness,
    follower: Witness,
    publisher: Publisher,
    descriptors: usize,
    memory: u64,
}

impl Scene {
    /// In the clear.
    pub fn plain(args: &[&str]) -> Scene {
        Scene::of(SCENARIO, &[&["--no-tls"], args].concat())
    }

    /// With a certificate in the folder `certs`.
    pub fn encrypted(args: &[&str]) -> Scene {
        Scene::of(SCENARIO, args)
    }

    pub fn of(scenario: &str, args: &[&str]) -> Scene {
        let folder = folder(scenario);
        let own = ["serve", "--port", "0", "--scenario", "scenario.yaml"];
        Scene::watch(start(folder, &[&own, args].concat(), &[]))
    }

    /// With so many descriptors at most.
    pub fn limited(descriptors: usize, args: &[&str]) -> Scene {
        let folder = folder(SCENARIO);
        let mut command = Command::new("sh");
        let line = format!("ulimit -n {descriptors}; exec \"$@\"");
        command.args(["-c", &line, "sh"]).arg(binary().get_program());
        command.args(["serve", "--port", "0", "--scenario", "scenario.yaml", "--no-tls"]);
        command.args(args).args(["--ready-file", "ready.json"]);
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::default();
        log.follow(child.stderr.take().unwrap());
        let ready = wait_for_file(&folder.path().join("ready.json"), &log);
        let ready = serde_json::from_str(&ready).unwrap();
        Scene::watch(Started {
            child,
            log,
            ready,
            folder,
        })
    }

    fn watch(server: Started) -> Scene {
        let port = server.port();
        let ticker = Witness::of(send_at(port, "GET", "/ticks", &[], b""), "tick ");
        let follower = Witness::of(send_at(port, "GET", "/news", &[], b""), "news ");
        let publisher = Publisher::to(port);
        let mut scene = Scene {
            server,
            ticker,
            follower,
            publisher,
            descriptors: 0,
            memory: 0,
        };
        scene.ticker.sees_more(10);
        scene.follower.sees_more(10);
        scene.answers();
        scene.settle();
        scene.descriptors = scene.open_descriptors();
        scene.memory = scene.memory_now();
        scene
    }

    /// Waits until answered connections have left.
    fn settle(&self) {
        let mut before = usize::MAX;
        until("descriptors stay as they are", || {
            let now = self.open_descriptors();
            std::thread::park_timeout(Duration::from_millis(50));
            std::mem::replace(&mut before, now) == now
        });
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.port())
    }

    /// A connection on which these bytes were sent.
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        send_to(self.port(), bytes)
    }

    pub fn open_descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.server.child.id());
        std::fs::read_dir(path).unwrap().count()
    }

    /// What the process alone takes, in bytes.
    pub fn memory_now(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.server.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes << 10
    }

    /// How many descriptors were open before the attack.
    pub fn descriptors_before(&self) -> usize {
        self.descriptors
    }

    /// The memory it took before the attack.
    pub fn memory_before(&self) -> u64 {
        self.memory
    }

    /// Time of the processor that the server has used.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// The witnesses get more events now: the attack is going on, and they do not notice.
    pub fn undisturbed(&self) {
        self.ticker.sees_more(10);
        self.follower.sees_more(10);
    }

    /// An ordinary request is answered.
    pub fn answers(&self) {
        let mut stream = send_at(self.port(), "POST", "/echo", &[("connection", "close")], b"hello");
        assert_eq!((stream.status, stream.all()), (200, b"got 5".to_vec()));
    }

    /// Everything is as it was before; the witnesses have every event.
    pub fn recovered(mut self) {
        self.undisturbed();
        self.answers();
        let most = self.descriptors;
        until("descriptors are back", || self.open_descriptors() <= most);
        let forget = send_at(
            self.port(),
            "DELETE",
            "/__mock/journal",
            &[("connection", "close")],
            b"",
        );
        assert_eq!(forget.status, 200, "{}", forget.head);
        let most = self.memory + KEPT;
        until("memory is back", || self.memory_now() <= most);
        let health = send_at(
            self.port(),
            "GET",
            "/__mock/health",
            &[("connection", "close")],
            b"",
        );
        assert_eq!(health.status, 200);
        assert!(self.server.child.try_wait().unwrap().is_none(), "it runs");
        let log = self.server.log.text();
        assert!(!log.contains("panicked"), "{log}");
        self.ticker.stop();
        self.follower.stop();
        self.publisher.stop();
    }
}

fn folder(scenario: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scenario.yaml"), scenario).unwrap();
    folder
}

pub fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A connection on which these bytes were sent.
pub fn send_to(port: u16, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut socket = connect(port);
    socket.write_all(bytes.as_ref()).unwrap();
    socket
}

/// Waits for a condition, but not for ever.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Whatever comes until the connection has ended; how it ended is all the same.
pub fn until_ended(mut socket: TcpStream) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return all,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) => {
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                let patient = !matches!(error.kind(), WouldBlock | TimedOut);
                assert!(
                    patient,
                    "the connection never ended: {:?}",
                    String::from_utf8_lossy(&all)
                );
                return all;
            }
        }
    }
}

/// Writes until it is done or the other side has had enough; answers with whether all was taken.
pub fn pour(socket: &mut TcpStream, piece: &[u8], times: usize) -> bool {
    (0..times).all(|_| socket.write_all(piece).is_ok())
}

/// Reads a stream whose events are numbered without a gap.
struct Witness {
    seen: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Witness {
    fn of(mut stream: Stream, prefix: &'static str) -> Witness {
        let (seen, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, done) = (seen.clone(), over.clone());
        let reader = std::thread::spawn(move || {
            for expected in 1.. {
                let event = stream.event().expect("the stream goes on");
                assert_eq!(event, format!("data: {prefix}{expected}"));
                count.store(expected, Ordering::SeqCst);
                if done.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        Witness {
            seen,
            over,
            reader: Some(reader),
        }
    }

    fn sees_more(&self, events: u64) {
        let goal = self.seen.load(Ordering::SeqCst) + events;
        let reader = self.reader.as_ref().unwrap();
        until("a witness gets its events", || {
            assert!(!reader.is_finished(), "a witness was disturbed");
            self.seen.load(Ordering::SeqCst) >= goal
        });
    }

    fn stop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.reader.take().unwrap().join().expect("every event came");
    }
}

/// Publishes numbered messages on one connection.
struct Publisher {
    over: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
}

impl Publisher {
    fn to(port: u16) -> Publisher {
        let over = Arc::new(AtomicBool::new(false));
        let done = over.clone();
        let mut socket = connect(port);
        let writer = std::thread::spawn(move || {
            for n in 1u64.. {
                let body = format!("news {n}");
                let head = format!(
                    "POST /news HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                socket.write_all((head + &body).as_bytes()).unwrap();
                let answer = head_of(&mut socket);
                assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
                if done.load(Ordering::SeqCst) {
                    return;
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
        Publisher {
            over,
            writer: Some(writer),
        }
    }

    fn stop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.writer.take().unwrap().join().unwrap();
    }
}

/// The head of the next answer.
pub fn head_of(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(
            socket.read(&mut byte).unwrap(),
            1,
            "closed behind {:?}",
            String::from_utf8_lossy(&head)
        );
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}
