//! A page of an allowed origin in a browser, and the server that it talks to.

use serde_json::Value;

use crate::browsers_doc::Answers;
use crate::engine::Engine;
use crate::mock::Mock;
use crate::site::Site;
use crate::support::{repo, send_at};
use crate::webdriver::Browser;

const SCENARIO: &str = include_str!("behaviours.yaml");

/// An empty page, and what has been learnt with it.
pub struct Page {
    pub browser: Browser,
    pub mock: Mock,
    pub site: Site,
    pub answers: Answers,
}

impl Page {
    pub fn open(engine: Engine) -> Page {
        let browser = Browser::start(engine);
        let mock = Mock::start(SCENARIO, &[]);
        let site = Site::serve(repo("tests/browser/site"));
        browser.open(&site.url("localhost"));
        Page {
            browser,
            mock,
            site,
            answers: Answers::default(),
        }
    }

    /// Runs the body of an async function in the page; `server` speaks TLS, `plain` does not.
    pub fn run(&self, body: &str) -> Value {
        self.run_with(Value::Null, body)
    }

    /// The same with an argument, `arg`.
    pub fn run_with(&self, arg: impl Into<Value>, body: &str) -> Value {
        let body = format!("const plain = server.replace('https:', 'http:'); {body}");
        self.browser.run(&self.mock.url(), arg.into(), &body)
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

    /// The requests that came to an endpoint (`GET /hello`).
    pub fn requests(&self, endpoint: &str) -> Vec<Value> {
        self.journal(&format!("endpoint={endpoint}"))
    }

    /// The streams of an endpoint that are over, once one is.
    pub fn over(&self, endpoint: &str) -> Vec<Value> {
        self.journal(&format!("endpoint={endpoint}&open=false&count=1&wait=15s"))
    }

    fn journal(&self, query: &str) -> Vec<Value> {
        let (status, journal) = self.command("GET", &format!("journal?{query}"));
        assert_eq!(status, 200, "{query}: {journal}");
        journal["entries"].as_array().unwrap().clone()
    }

    /// How many streams are open, once there are so many, or after a while.
    pub fn streams(&self, count: usize, wait: &str) -> usize {
        self.command("GET", &format!("connections?count={count}&wait={wait}"));
        let (_, open) = self.command("GET", "connections");
        open["count"].as_u64().unwrap() as usize
    }
}
