//! Headless Chromium, driven by WebDriver (<https://www.w3.org/TR/webdriver2/>): as little as the tests need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// For whatever a page waits for; generous, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(60);
const INSTALL: &str =
    "the browser tests need Debian's packages `chromium` and `chromium-driver` (apt-get install them)";
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
/// How the specification names an element's reference.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser at a time: several would only slow each other down.
static TURN: Mutex<()> = Mutex::new(());

/// A browser with a fresh profile; it and its driver are ended when this is dropped.
pub struct Browser {
    driver: Driver,
    session: String,
    pid: Option<u64>,
    _folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    pub fn start() -> Browser {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let driver = Driver::start(folder.path());
        let session = driver
            .call("POST", "/session", &capabilities(folder.path()))
            .unwrap_or_else(|error| {
                panic!("Chromium did not start; {INSTALL}\n{error:#}");
            });
        let id = session["sessionId"].as_str().expect("a session").to_owned();
        let pid = session["capabilities"]["goog:processID"].as_u64();
        Browser {
            driver,
            session: id,
            pid,
            _folder: folder,
            _turn: turn,
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
        let script = format!("return (async (server, arg) => {{ {body} }})(...arguments)");
        self.call(
            "POST",
            "/execute/sync",
            json!({ "script": script, "args": [server, arg] }),
        )
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

    /// A new tab, which becomes the one that is driven; answers with the one before.
    pub fn new_tab(&self) -> Value {
        let before = self.call("GET", "/window", Value::Null);
        let new = self.call("POST", "/window/new", json!({ "type": "tab" }));
        self.switch_to(&new["handle"]);
        before
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
            let _ = Command::new("kill")
                .arg(pid.to_string())
                .stderr(Stdio::null())
                .status();
        }
    }
}

fn capabilities(folder: &Path) -> Value {
    let mut args: Vec<String> = FLAGS.map(String::from).into();
    args.push(format!("--user-data-dir={}", folder.join("profile").display()));
    json!({ "capabilities": { "alwaysMatch": {
        // The tests' certificates are signed by a CA made a moment ago, which nobody trusts.
        "acceptInsecureCerts": true,
        "timeouts": { "script": PATIENCE.as_millis() as u64, "pageLoad": PATIENCE.as_millis() as u64 },
        "goog:chromeOptions": { "binary": find("chromium"), "args": args },
        "goog:loggingPrefs": { "browser": "ALL" },
    } } })
}

/// Where a program lies.
fn find(program: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file());
    found
        .unwrap_or_else(|| panic!("there is no `{program}`: {INSTALL}"))
        .display()
        .to_string()
}

/// The process that drives the browser, on a port of its own choice.
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Whatever it and the browser write goes into the folder.
    fn start(folder: &Path) -> Driver {
        let mut command = Command::new(find("chromedriver"));
        command
            .arg("--port=0")
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // From here on it is ended even if it does not say its port.
        let mut driver = Driver { child, port: 0 };
        let mut said = String::new();
        while driver.port == 0 {
            assert!(
                stdout.read_line(&mut said).unwrap() > 0,
                "chromedriver did not start:\n{said}"
            );
            let port = said
                .trim_end()
                .strip_suffix('.')
                .and_then(|s| s.rsplit_once("on port "));
            driver.port = port.and_then(|(_, port)| port.parse().ok()).unwrap_or(0);
        }
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        driver
    }

    /// A command; the error is what the driver says of it.
    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let broken = |error: std::io::Error| json!(format!("no answer from chromedriver: {error}"));
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
        socket.set_read_timeout(Some(2 * PATIENCE))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
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
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
