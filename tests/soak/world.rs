//! What all of a soak share: the server, the scenario in force, what was published, what is counted.

use std::fmt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use crate::support::{self, PATIENCE};

const SCENARIO: &str = include_str!("scenario.yaml");

/// The scenario with its word.
pub fn scenario(version: u64) -> String {
    SCENARIO.replace("WORD", &format!("w{version}"))
}

/// How it is to be.
pub struct Wishes {
    /// Minutes of script time.
    pub minutes: u64,
    /// How many times as fast they pass.
    pub scale: u64,
    pub seed: u64,
    pub clients: u64,
    pub followers: u64,
}

impl Wishes {
    pub fn of_environment() -> Wishes {
        let number = |name: &str, usual: u64| match std::env::var(name) {
            Ok(text) => text
                .parse()
                .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
            Err(_) => usual,
        };
        Wishes {
            minutes: number("SOAK_MINUTES", 2),
            scale: number("SOAK_SCALE", 20),
            seed: number("SOAK_SEED", 1),
            clients: number("SOAK_CLIENTS", 24),
            followers: number("SOAK_FOLLOWERS", 6),
        }
    }

    /// In real time.
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.minutes * 60) / self.scale as u32
    }

    pub fn between_samples(&self) -> Duration {
        (self.length() / 100).max(Duration::from_millis(50))
    }
}

impl fmt::Display for Wishes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "soak: {} min of script time at {} times the speed, seed {}, {} clients, {} followers",
            self.minutes, self.scale, self.seed, self.clients, self.followers
        )
    }
}

/// What was done.
#[derive(Default)]
pub struct Tally {
    pub requests: AtomicU64,
    pub whole: AtomicU64,
    pub left: AtomicU64,
    pub ordered: AtomicU64,
    pub cut: AtomicU64,
    pub reset: AtomicU64,
    pub kept: AtomicU64,
    pub http2: AtomicU64,
    pub bytes: AtomicU64,
    pub relayed: AtomicU64,
    pub published: AtomicU64,
    pub reloads: AtomicU64,
    pub broken: AtomicU64,
    pub commands: AtomicU64,
}

impl Tally {
    /// Whether there was enough of everything to have seen something.
    pub fn is_enough(&self, wishes: &Wishes) -> bool {
        // Not the resets: in two minutes there are few.
        let streams = [&self.whole, &self.left, &self.cut, &self.kept, &self.http2];
        let around = [
            &self.relayed,
            &self.published,
            &self.reloads,
            &self.broken,
            &self.commands,
        ];
        let seen = streams.iter().chain(&around).all(|count| count.load(Relaxed) > 0);
        seen && self.requests.load(Relaxed) >= wishes.minutes * wishes.clients / 2
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |count: &AtomicU64| count.load(Relaxed);
        writeln!(
            f,
            "requests: {}, {} of them on a connection that was kept, {} over HTTP/2; {} bytes compared",
            n(&self.requests),
            n(&self.kept),
            n(&self.http2),
            n(&self.bytes)
        )?;
        writeln!(
            f,
            "streams: {} whole, {} cut, {} reset, {} left by the client, {} ended by command",
            n(&self.whole),
            n(&self.cut),
            n(&self.reset),
            n(&self.left),
            n(&self.ordered)
        )?;
        write!(
            f,
            "{} messages published, {} relayed; {} reloads, {} of broken files, {} other commands",
            n(&self.published),
            n(&self.relayed),
            n(&self.reloads),
            n(&self.broken),
            n(&self.commands)
        )
    }
}

pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// All of it.
pub struct World {
    pub wishes: Wishes,
    pub tally: Tally,
    pub port: u16,
    /// The version in force. Whoever opens a stream reads it meanwhile, a reload writes it.
    pub version: RwLock<u64>,
    /// Texts, in order. Held while one is published, and while a follower begins.
    pub published: Mutex<Vec<String>>,
    /// How often open streams were ended by command.
    pub orders: AtomicU64,
    pub file: PathBuf,
    over: AtomicBool,
    until: Instant,
    wrong: Mutex<Vec<String>>,
    server: Mutex<Child>,
    pid: u32,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts the server.
    pub fn new(wishes: Wishes) -> World {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scenario.yaml");
        std::fs::write(&file, scenario(0)).unwrap();
        let ready = folder.path().join("ready.json");
        let (seed, scale) = (wishes.seed.to_string(), wishes.scale.to_string());
        let mut command: Command = support::binary();
        let server = command
            .args([
                "serve",
                "--port",
                "0",
                "--no-tls",
                "--watch",
                "off",
                "--log-level",
                "error",
            ])
            .args(["--seed", &seed, "--time-scale", &scale, "--scenario"])
            .arg(&file)
            .arg("--ready-file")
            .arg(&ready)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + wishes.length();
        World {
            wishes,
            tally: Tally::default(),
            port: port_in(&ready),
            version: RwLock::new(0),
            published: Mutex::default(),
            orders: AtomicU64::new(0),
            file,
            over: AtomicBool::new(false),
            until,
            wrong: Mutex::default(),
            pid: server.id(),
            server: Mutex::new(server),
            folder,
        }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn goes_on(&self) -> bool {
        !self.over.load(Relaxed) && Instant::now() < self.until
    }

    pub fn stop(&self) {
        self.over.store(true, Relaxed);
    }

    pub fn fails(&self, why: String) {
        self.wrong.lock().unwrap().push(why);
        self.stop();
    }

    /// The server runs, and nothing went wrong.
    pub fn assert_well(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(
            wrong.is_empty(),
            "repeat with --seed {}:\n{}",
            self.wishes.seed,
            wrong.join("\n")
        );
        assert_eq!(
            self.server.lock().unwrap().try_wait().unwrap(),
            None,
            "the server has ended"
        );
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        assert!(!log.contains("panicked"), "{log}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let mut server = self.server.lock().unwrap_or_else(|e| e.into_inner());
        let _ = server.kill();
        let _ = server.wait();
    }
}

fn port_in(ready: &std::path::Path) -> u16 {
    let began = Instant::now();
    loop {
        let told = std::fs::read(ready).unwrap_or_default();
        if let Ok(told) = serde_json::from_slice::<serde_json::Value>(&told) {
            return told["port"].as_u64().unwrap().try_into().unwrap();
        }
        assert!(began.elapsed() < PATIENCE, "the server does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
}
