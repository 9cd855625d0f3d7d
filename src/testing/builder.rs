//! How a mock server is to start.

use std::path::{Path, PathBuf};

use super::{MockSse, StartError};
use crate::app::{self, Settings};
use crate::clock::Mode;
use crate::engine::Seed;
use crate::engine::sessions::SessionRules;
use crate::scenario::diagnostic::render_all;
use crate::scenario::load::{Origin, load_seen};
use crate::scenario::time_of_day;
use crate::server::{ServerConfig, TlsFiles};
use crate::watch::{OnReload, Watch};

/// Settings of a mock server that is to start; from [`MockSse::builder`].
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # use mock_sse::MockSse;
/// let mock = MockSse::builder()
///     .scenario("endpoints: [{ path: /now, body: '{{ now }}' }]")
///     .seed(7)
///     .now("2026-01-31T12:00:00Z")
///     .manual_clock()
///     .start()
///     .await?;
/// # Ok::<_, mock_sse::testing::StartError>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing starts before `start`"]
pub struct Builder {
    origin: Origin,
    seed: Seed,
    mode: Mode,
    now: Option<String>,
    tls: Option<TlsFiles>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            origin: Origin::BuiltIn,
            seed: Seed::Drawn(0),
            mode: Mode::REAL,
            now: None,
            tls: None,
        }
    }

    /// A scenario written as YAML. Without it, and without a path, it is the built-in one.
    pub fn scenario(mut self, yaml: impl Into<String>) -> Builder {
        self.origin = Origin::Text(yaml.into());
        self
    }

    /// A scenario's file, or a folder of them. Said again, one more. Changes are not looked for.
    pub fn path(mut self, path: impl AsRef<Path>) -> Builder {
        let path: PathBuf = path.as_ref().to_owned();
        match &mut self.origin {
            Origin::Paths(paths) => paths.push(path),
            other => *other = Origin::Paths(vec![path]),
        }
        self
    }

    /// Where chance comes from, whatever the scenario says. Otherwise what the scenario says, else 0.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = Seed::Fixed(seed);
        self
    }

    /// How time passes for scripts, in every session; usually as it does. The factor of a scaled clock
    /// is 0.001 to 1000000.
    pub fn clock(mut self, mode: Mode) -> Builder {
        self.mode = mode;
        self
    }

    /// Time stands still for scripts until it is [advanced](super::Session::advance).
    pub fn manual_clock(self) -> Builder {
        self.clock(Mode::Manual)
    }

    /// The time of day at which every session begins (RFC 3339), whatever the scenario says. Otherwise
    /// what the scenario says, else the real one.
    pub fn now(mut self, time: impl Into<String>) -> Builder {
        self.now = Some(time.into());
        self
    }

    /// Speaks TLS too: with this certificate, followed by its intermediates, and this key, both PEM.
    /// [`url`](super::Session::url) begins with `https` then. [`certs::ensure`](crate::certs::ensure)
    /// makes both, and a CA to trust.
    pub fn tls(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Builder {
        self.tls = Some(TlsFiles {
            cert: cert.into(),
            key: key.into(),
        });
        self
    }

    /// Starts it, on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// The scenario is broken, a setting makes no sense, or there is no port to be had.
    pub async fn start(self) -> Result<MockSse, StartError> {
        let sessions = self.rules().map_err(StartError::Setting)?;
        let (outcome, seen) = load_seen(&self.origin);
        let broken = |errors: Vec<_>| StartError::Scenario(render_all(&errors, false));
        let (scenario, _) = outcome.map_err(broken)?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let settings = Settings {
            server: ServerConfig {
                port: 0,
                tls: self.tls,
                ..ServerConfig::default()
            },
            max_body: 8_000_000,
            sessions,
            farewell: None,
            origin: self.origin,
            seen,
            watch: Watch::Off,
            on_reload: OnReload::Keep,
        };
        let started = app::start(scenario, settings, |_| {}).await;
        Ok(MockSse::new(started.map_err(StartError::Io)?, scheme))
    }

    fn rules(&self) -> Result<SessionRules, String> {
        if let Mode::Scaled(factor) = self.mode
            && !(0.001..=1e6).contains(&factor)
        {
            return Err(format!(
                "a clock cannot be {factor} times as fast as real time: say 0.001 to 1000000"
            ));
        }
        Ok(SessionRules {
            mode: self.mode,
            now: self.now.as_deref().map(time_of_day::parse).transpose()?,
            // A test that holds a session is to find it again.
            most: usize::MAX,
            ..SessionRules::new(self.seed)
        })
    }
}
