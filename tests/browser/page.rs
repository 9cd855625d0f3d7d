//! A page of an allowed origin in a browser, and the server that it talks to.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::browsers_doc::Answers;
use crate::engine::Engine;
use crate::mock::Mock;
use crate::site::Site;
use crate::support::{repo, send_at};
use crate::webdriver::Browser;

const SCENARIO: &str = include_str!("behaviours.yaml");

/// A browser of each engine for all tests, one test at a time; what a test leaves in it is no other's origin. It stays
/// until the process ends.
static BROWSERS: [Mutex<Option<Shared>>; 3] = [const { Mutex::new(None) }; 3];

struct Shared {
    browser: Browser,
    /// The tab that is always there.
    home: Value,
}

/// Ends the engine's browser: the next page is in a new one.
pub fn forget(engine: Engine) {
    let shared = &BROWSERS[engine as usize];
    *shared.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// An empty page in a tab of its own, and what has been learnt with it.
pub struct Page {
    shared: MutexGuard<'static, Option<Shared>>,
    pub mock: Mock,
    pub site: Site,
    pub answers: Answers,
}

impl Page {
    pub fn open(engine: Engine) -> Page {
        let mut shared = BROWSERS[engine as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Shared { browser, home } = shared.get_or_insert_with(|| {
            let browser = Browser::start(engine);
            let home = browser.tab();
            Shared { browser, home }
        });
        browser.only(home);
        browser.new_tab();
        let mock = Mock::start(SCENARIO, &[]);
        let site = Site::serve(repo("tests/browser/site"));
        browser.open(&site.url("localhost"));
        Page {
            shared,
            mock,
            site,
            answers: Answers::default(),
        }
    }

    pub fn browser(&self) -> &Browser {
        &self
            .shared
            .as_ref()
            .expect("it is there while the page is")
            .browser
    }

    /// Runs the body of an async function in the page; `server` speaks TLS, `plain` does not.
    pub fn run(&self, body: &str) -> Value {
        self.run_with(Value::Null, body)
    }

    /// The same with an argument, `arg`.
    pub fn run_with(&self, arg: impl Into<Value>, body: &str) -> Value {
        let body = format!("const plain = server.replace('https:', 'http:'); {body}");
        self.browser().run(&self.mock.url(), arg.into(), &body)
    }

    /// Gives a command to the server.
    pub fn command(&self, method: &str, path: &str) -> (u16, Value) {
        let path = format!("/__mock/{}", path.replace(' ', "%20"));
        let close = [("connection", "close")];
        let mut answer = send_at(self.mock.port, method, &path, &close, b"");
        (
            answer.status,
            serde_json::from_slice(&answer.all()).unwrap_or_default(),
        )
    }

    /// The requests with this path so far.
    pub fn requests(&self, path: &str) -> Vec<Value> {
        let (_, journal) = self.command("GET", "journal");
        let entries = journal["entries"].as_array().unwrap().iter();
        let mine = entries.filter(|entry| entry["target"].as_str().unwrap().split('?').next() == Some(path));
        mine.cloned().collect()
    }

    /// How many streams are open, once there are so many, or after a while.
    pub fn streams(&self, count: usize, wait: &str) -> usize {
        self.command("GET", &format!("connections?count={count}&wait={wait}"));
        let (_, open) = self.command("GET", "connections");
        open["count"].as_u64().unwrap() as usize
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Nobody knows what state it is in: the next test gets another.
        if std::thread::panicking() {
            *self.shared = None;
        }
    }
}
