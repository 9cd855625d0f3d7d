//! A server in this process whose scripts' time stands still until it is moved.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::sync::Arc;
use std::time::Duration;

use mock_sse::app::{self, Running, Settings};
use mock_sse::clock::{Clock, Mode};
use mock_sse::engine::Seed;
use mock_sse::engine::sessions::SessionRules;
use mock_sse::scenario::load::{Origin, load_seen};
use mock_sse::server::ServerConfig;
use mock_sse::watch::{OnReload, Watch};

use crate::support::{Stream, send_at};

pub struct ByHand {
    runtime: tokio::runtime::Runtime,
    running: Option<Running>,
    clock: Arc<Clock>,
    pub port: u16,
}

/// Serves a scenario; sockets take up no more than a little that nobody reads.
pub fn serve(yaml: &str) -> ByHand {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let origin = Origin::Text(yaml.to_owned());
    let (loaded, seen) = load_seen(&origin);
    let (scenario, _) = loaded.unwrap_or_else(|errors| panic!("{errors:?}"));
    let settings = Settings {
        server: ServerConfig {
            port: 0,
            send_buffer_bytes: Some(4096),
            ..ServerConfig::default()
        },
        max_body: 8_000_000,
        sessions: SessionRules {
            mode: Mode::Manual,
            ..SessionRules::new(Seed::Drawn(0))
        },
        farewell: None,
        origin,
        seen,
        watch: Watch::Off,
        on_reload: OnReload::Keep,
    };
    let running = runtime.block_on(app::start(scenario, settings, |_| {})).unwrap();
    ByHand {
        port: running.addrs[0].port(),
        clock: running.engine().session.clock.clone(),
        running: Some(running),
        runtime,
    }
}

impl ByHand {
    /// Moves the time on; all that falls due has been written then.
    pub fn advance(&self, milliseconds: u64) {
        let advance = self.clock.advance(Duration::from_millis(milliseconds));
        self.runtime
            .block_on(async { tokio::time::timeout(crate::support::PATIENCE, advance).await })
            .expect("everything due is done");
    }

    pub fn open(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        send_at(self.port, "GET", path, headers, b"")
    }

    pub fn post(&self, path: &str, json: &str) -> Stream {
        let headers = [("content-type", "application/json")];
        send_at(self.port, "POST", path, &headers, json.as_bytes())
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.running
            .as_ref()
            .map_or(0, |running| running.engine().connections.count())
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _inside = self.runtime.enter();
            drop(running);
        }
    }
}
