//! A browser driven by WebDriver (<https://www.w3.org/TR/webdriver2/>): as little as the tests need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};

use crate::engine::Engine;

/// For whatever a page waits for; generous, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// How the specification names an element's reference.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a fresh profile; it and its driver are ended when this is dropped, or when the process ends.
pub struct Browser {
    driver: Driver,
    session: String,
    /// What it says of itself: `154.0`.
    #[allow(dead_code, reason = "not all tests ask")]
    pub version: String,
    pid: Option<Pid>,
    _screen: Option<Screen>,
    _folder: tempfile::TempDir,
    _guard: Guard,
}

impl Browser {
    pub fn start(engine: Engine) -> Browser {
        let folder = tempfile::tempdir().unwrap();
        let screen = (engine == Engine::WebKit).then(Screen::start);
        let display = screen.as_ref().map(|screen| screen.display.as_str());
        let driver = Driver::start(engine, folder.path(), display);
        let wanted = engine.capabilities(folder.path(), 3 * PATIENCE.as_millis() as u64);
        let session = driver
            .call("POST", "/session", &wanted)
            .unwrap_or_else(|error| panic!("{} did not start: {error:#}", engine.name()));
        let granted = &session["capabilities"];
        let pid = ["goog:processID", "moz:processID"]
            .iter()
            .find_map(|key| granted[key].as_i64())
            .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        let groups = [Some(&driver.child), screen.as_ref().map(|screen| &screen.child)];
        let guard = Guard::start(groups.into_iter().flatten(), folder.path());
        Browser {
            driver,
            session: session["sessionId"].as_str().expect("a session").to_owned(),
            version: granted["browserVersion"].as_str().unwrap_or_default().to_owned(),
            pid,
            _screen: screen,
            _folder: folder,
            _guard: guard,
        }
    }

    fn call(&self, method: &str, command: &str, body: Value) -> Value {
        let path = format!("/session/{}{command}", self.session);
        self.driver
            .call(method, &path, &body)
            .unwrap_or_else(|error| panic!("{method} {command}: {error:#}"))
    }

    /// Opens a page, and waits until it has loaded.
    pub fn open(&self, url: &str) {
        self.call("POST", "/url", json!({ "url": url }));
    }

    /// Runs the body of an async function in the page, with `server` and `arg`, and waits for its result.
    pub fn run(&self, server: &str, arg: Value, body: &str) -> Value {
        // Not all drivers wait for the promise of a script that is said to be synchronous.
        let script = format!(
            "const [server, arg, done] = arguments;
             (async () => {{ {body} }})().then(
               (value) => done({{ value: value ?? null }}),
               (error) => done({{ error: `${{error}}\n${{error.stack}}` }}));"
        );
        let mut told = self.call(
            "POST",
            "/execute/async",
            json!({ "script": script, "args": [server, arg] }),
        );
        assert!(told["error"].is_null(), "in the page: {}", told["error"]);
        told["value"].take()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.call(
            "POST",
            "/element",
            json!({ "using": "css selector", "value": selector }),
        );
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// Clicks where a user would.
    pub fn click(&self, selector: &str) {
        let id = self.element(selector);
        self.call("POST", &format!("/element/{id}/click"), json!({}));
    }

    /// Types into a field; `\u{e007}` is the Enter key.
    pub fn type_into(&self, selector: &str, text: &str) {
        let id = self.element(selector);
        self.call("POST", &format!("/element/{id}/value"), json!({ "text": text }));
    }

    /// The tab that is driven.
    pub fn tab(&self) -> Value {
        self.call("GET", "/window", Value::Null)
    }

    /// A new tab, which becomes the one that is driven; answers with the one before.
    pub fn new_tab(&self) -> Value {
        let before = self.tab();
        let new = self.call("POST", "/window/new", json!({ "type": "tab" }));
        self.switch_to(&new["handle"]);
        before
    }

    /// Closes the tab that is driven: another is to be switched to.
    #[allow(dead_code, reason = "not all tests leave")]
    pub fn close_tab(&self) {
        self.call("DELETE", "/window", Value::Null);
    }

    /// Closes all tabs but this, and goes to it.
    #[allow(dead_code, reason = "not all tests share a browser")]
    pub fn only(&self, tab: &Value) {
        for other in self
            .call("GET", "/window/handles", Value::Null)
            .as_array()
            .unwrap()
        {
            if other != tab {
                self.switch_to(other);
                self.close_tab();
            }
        }
        self.switch_to(tab);
    }

    pub fn switch_to(&self, tab: &Value) {
        self.call("POST", "/window", json!({ "handle": tab }));
    }

    /// A command of the browser's own debugging protocol.
    pub fn devtools(&self, command: &str, params: Value) {
        self.call(
            "POST",
            "/goog/cdp/execute",
            json!({ "cmd": command, "params": params }),
        );
    }

    /// What the page complained of: uncaught errors, broken rules, failed requests.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", json!({ "type": "browser" }));
        log.as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    /// Writes a picture of the page.
    pub fn screenshot(&self, path: &Path) {
        let png = self.call("GET", "/screenshot", Value::Null);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, base64(png.as_str().unwrap())).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self
            .driver
            .call("DELETE", &format!("/session/{}", self.session), &Value::Null);
        // Mostly it has left by now; if the driver died first, nobody else would end it.
        if let Some(pid) = self.pid {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Ends process groups and removes a folder as soon as this process has ended, however that comes.
struct Guard(Child);

impl Guard {
    fn start<'a>(leaders: impl Iterator<Item = &'a Child>, folder: &Path) -> Guard {
        let script = r#"read _; folder=$1; shift; for id; do kill -s KILL -- "-$id"; done; rm -rf "$folder""#;
        let mut command = Command::new("sh");
        command.args(["-c", script, "guard"]).arg(folder);
        command.args(leaders.map(|leader| leader.id().to_string()));
        // It reads until this process's end of the pipe is closed.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Guard(command.spawn().unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A screen that nobody sees, for a browser that needs one.
struct Screen {
    child: Child,
    display: String,
}

impl Screen {
    fn start() -> Screen {
        // It looks for a free number itself, and says it on its standard output.
        let mut command = Command::new("Xvfb");
        command
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x1024x24",
                "-nolisten",
                "tcp",
            ])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut screen = Screen {
            child,
            display: String::new(),
        };
        let mut number = String::new();
        stdout.read_line(&mut number).unwrap();
        assert!(!number.is_empty(), "Xvfb did not start");
        screen.display = format!(":{}", number.trim());
        screen
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Asked to, it takes its lock file along.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// The process that drives the browser.
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    fn start(engine: Engine, folder: &Path, display: Option<&str>) -> Driver {
        let port = if engine.driver_tells_its_port() {
            0
        } else {
            free_port()
        };
        let mut child = engine.driver(port, folder, display).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // From here on it is ended even if it does not say its port.
        let mut driver = Driver { child, port };
        match port {
            0 => driver.port = told_port(&mut stdout),
            port => driver.wait_for(port),
        }
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        driver
    }

    /// Waits until it listens.
    fn wait_for(&mut self, port: u16) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the driver did not start: {ended:?}");
            assert!(began.elapsed() < PATIENCE, "the driver never listened");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// A command; the error is what the driver says of it.
    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let broken = |error: std::io::Error| json!(format!("no answer from the driver: {error}"));
        let answer = self.exchange(method, path, body).map_err(broken)?;
        match &answer["value"] {
            value @ Value::Object(map) if map.contains_key("error") => Err(value.clone()),
            value => Ok(value.clone()),
        }
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        // The driver's own time limits come first, and say more.
        socket.set_read_timeout(Some(4 * PATIENCE))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost:{}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        socket.write_all((head + &body).as_bytes())?;
        let mut reader = BufReader::new(socket);
        let (mut line, mut length) = (String::new(), 0);
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line
                .split_once(':')
                .filter(|(n, _)| n.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().unwrap_or_else(|_| panic!("{name}: {value}"));
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        Ok(serde_json::from_slice(&answer)?)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // With whatever it has started and left.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The port that a driver chose: `… on port 40123.`, `Listening on 127.0.0.1:40123`.
fn told_port(stdout: &mut BufReader<ChildStdout>) -> u16 {
    let mut said = String::new();
    loop {
        let from = said.len();
        let more = stdout.read_line(&mut said).unwrap();
        assert!(more > 0, "the driver did not start:\n{said}");
        let line = said[from..].trim_end().trim_end_matches('.');
        let told = line.rsplit([' ', ':']).next().and_then(|port| port.parse().ok());
        if let Some(port) = told.filter(|port| *port > 0 && line.contains(" on ")) {
            return port;
        }
    }
}

/// A port from which no outgoing connection is made, and on which nobody listens now.
fn free_port() -> u16 {
    let first = 10_000 + (std::process::id() % 10_000) as u16;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first..20_000).find(free).expect("a free port")
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |c| DIGITS.iter().position(|d| *d == c).expect("a base64 digit") as u32;
    let group = |four: &[u8]| {
        let bits = four.iter().fold(0, |bits, c| bits << 6 | digit(*c)) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    };
    text.trim_end_matches('=')
        .as_bytes()
        .chunks(4)
        .flat_map(group)
        .collect()
}
