//! `examples/react` as its README file says: built and served, and driven in a browser.

#[path = "browser/engine.rs"]
mod engine;
mod installed;
#[path = "browser/mock.rs"]
#[allow(dead_code, reason = "another test's, too")]
mod mock;
#[path = "browser/site.rs"]
mod site;
mod support;
#[path = "browser/webdriver.rs"]
#[allow(dead_code, reason = "another test's, too")]
mod webdriver;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::Engine;
use installed::{command, copy, npm_ci, passes, there_is};
use mock::{Mock, free_port};
use serde_json::{Value, json};
use site::Site;
use support::repo;
use webdriver::Browser;

const SCENARIO: &str = include_str!("../scenarios/alphabet.yaml");
const ORIGIN: &str = "http://localhost:3000";

/// The page with what it needs, below the build's folder, for one test at a time; nothing, where something is missing.
fn installed_page() -> Option<(PathBuf, MutexGuard<'static, ()>)> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let all = there_is("node") && there_is("npm") && Engine::Chromium.is_here();
    all.then(|| {
        let folder = copy(&repo("examples/react"), "react");
        npm_ci(&folder);
        (folder, turn)
    })
}

/// The scenario, for pages on any port, and a server that is fast.
fn alphabet() -> (Mock, String) {
    let scenario = SCENARIO
        .replace(ORIGIN, "\"http://localhost:*\"")
        .replace("retry: 6s", "retry: 200ms");
    let mock = Mock::start(&scenario, &["--seed", "7", "--time-scale", "50"]);
    let url = mock.url().replace("https:", "http:");
    (mock, url)
}

/// Waits until an expression holds in the page, which changes by itself; `arg` is a name in it.
fn wait_until(browser: &Browser, arg: Value, expression: &str) {
    let script = format!(
        "const holds = () => {expression};
         if (!holds()) await new Promise((resolve) => {{
           const watch = new MutationObserver(() => holds() && resolve());
           const all = {{ subtree: true, childList: true, characterData: true, attributes: true }};
           watch.observe(document.body, all);
         }});"
    );
    browser.run("", arg, &script);
}

fn wait_for_state(browser: &Browser, state: &str) {
    let shown = "[...document.querySelectorAll('.state')].map((s) => s.textContent).join() === arg";
    wait_until(browser, json!(format!("{state},{state}")), shown);
}

fn wait_for_item(browser: &Browser, list: &str, text: &str) {
    let shown = "[...document.querySelectorAll(arg[0] + ' li')].some((li) => li.textContent === arg[1])";
    wait_until(browser, json!([list, text]), shown);
}

#[test]
fn it_shows_letters_messages_in_every_window_and_how_its_connections_fare() {
    let Some((folder, _turn)) = installed_page() else {
        return;
    };
    let (mut mock, url) = alphabet();
    passes(
        command("npm", &folder)
            .args(["run", "build"])
            .env("VITE_SSE_URL", &url),
    );
    let site = Site::serve(folder.join("dist"));
    let browser = Browser::start(Engine::Chromium);
    browser.open(&site.url("localhost"));
    wait_for_state(&browser, "open");
    wait_for_item(&browser, "#letters", "a");
    let first = browser.new_tab();
    browser.open(&site.url("localhost"));
    wait_for_state(&browser, "open");
    browser.type_into("input", "hello <b>☃</b>\u{e007}");
    wait_until(
        &browser,
        Value::Null,
        "document.querySelector('output').textContent === '303 broadcasted'",
    );
    wait_for_item(&browser, "#messages", "hello <b>☃</b>");
    browser.switch_to(&first);
    wait_for_item(&browser, "#messages", "hello <b>☃</b>");
    wait_until(
        &browser,
        Value::Null,
        "document.querySelectorAll('#letters li').length > 5",
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
    browser.screenshot(&repo("artifacts/react.png"));
    mock.stop("KILL");
    wait_for_state(&browser, "connecting");
    mock.start_again();
    wait_for_state(&browser, "open");
}

/// A development server; ended by its id when dropped.
struct Dev(Child);

impl Dev {
    fn start(folder: &Path, port: u16, server: &str) -> Dev {
        let mut vite = command("node", folder);
        vite.args(["node_modules/vite/bin/vite.js", "--port", &port.to_string()])
            .env("VITE_SSE_URL", server)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut dev = Dev(vite.spawn().unwrap());
        let mut stdout = BufReader::new(dev.0.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("Local:") {
            assert!(stdout.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        dev
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_can_be_developed() {
    let Some((folder, _turn)) = installed_page() else {
        return;
    };
    let (_mock, url) = alphabet();
    let port = free_port();
    let _dev = Dev::start(&folder, port, &url);
    let browser = Browser::start(Engine::Chromium);
    browser.open(&format!("http://localhost:{port}/"));
    wait_for_state(&browser, "open");
    wait_for_item(&browser, "#letters", "a");
}

#[test]
fn the_scenario_allows_the_origin_that_it_is_served_from() {
    let config = std::fs::read_to_string(repo("examples/react/vite.config.js")).unwrap();
    let app = std::fs::read_to_string(repo("examples/react/App.jsx")).unwrap();
    assert!(SCENARIO.contains(ORIGIN));
    assert!(config.contains("port: 3000, strictPort: true"));
    assert!(app.contains("?? \"http://localhost:4043\""));
}
