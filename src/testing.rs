//! A mock server inside a Rust test: started on a free port, stopped when dropped.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mock = mock_sse::MockSse::start("endpoints: [{ path: /sse, stream: [{ data: hello }] }]").await.unwrap();
//! assert!(mock.url("/sse").starts_with("http://127.0.0.1:"));
//! # });
//! ```

use std::fmt;
use std::path::Path;

use crate::app::{self, Running, Settings};
use crate::engine::Seed;
use crate::engine::sessions::SessionRules;
use crate::scenario::diagnostic::render_all;
use crate::scenario::load::{Origin, load_seen};
use crate::server::ServerConfig;
use crate::watch::{OnReload, Watch};

/// A running mock server, in cleartext on the loopback interface. Dropping it ends every stream.
pub struct MockSse {
    running: Running,
}

/// Why a mock server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The scenario is broken: all its diagnostics, as `mock-sse check` shows them.
    Scenario(String),
    /// No socket could be bound.
    Io(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Scenario(text) => f.write_str(text),
            StartError::Io(error) => write!(f, "cannot listen: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl MockSse {
    /// Serves a scenario written as YAML. Without a seed of its own the seed is 0, so that runs repeat.
    pub async fn start(yaml: &str) -> Result<MockSse, StartError> {
        MockSse::serve(Origin::Text(yaml.to_owned())).await
    }

    /// Serves a scenario file or folder.
    pub async fn from_path(path: impl AsRef<Path>) -> Result<MockSse, StartError> {
        MockSse::serve(Origin::Paths(vec![path.as_ref().to_owned()])).await
    }

    async fn serve(origin: Origin) -> Result<MockSse, StartError> {
        let broken = |errors: Vec<_>| StartError::Scenario(render_all(&errors, false));
        let (outcome, seen) = load_seen(&origin);
        let (scenario, _) = outcome.map_err(broken)?;
        let settings = Settings {
            server: ServerConfig {
                port: 0,
                ..ServerConfig::default()
            },
            max_body: 8_000_000,
            sessions: SessionRules::new(Seed::Drawn(0)),
            farewell: None,
            origin,
            seen,
            watch: Watch::Off,
            on_reload: OnReload::Keep,
        };
        let running = app::start(scenario, settings, |_| {})
            .await
            .map_err(StartError::Io)?;
        Ok(MockSse { running })
    }

    /// The address of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addrs[0])
    }

    /// How many streams are open now.
    pub fn open_streams(&self) -> usize {
        self.running.sessions.open_streams()
    }
}
