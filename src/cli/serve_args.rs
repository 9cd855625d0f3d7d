//! The arguments of `mock-sse serve`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::LogArgs;
use super::verify::VerifyArgs;
use crate::clock::Mode;
use crate::event::Event;
use crate::scenario::{duration, time_of_day};
use crate::server::admin::{Admin, Token};
use crate::watch::{OnReload, Watch};

/// Arguments of `mock-sse serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Scenario files and folders; without any, the built-in alphabet scenario
    #[arg(short, long, env = "MOCK_SSE_SCENARIO", value_name = "FILE_OR_FOLDER", num_args = 1.., value_delimiter = ',')]
    pub(super) scenario: Vec<PathBuf>,
    /// Name or address to listen on; 0.0.0.0 for all of this machine's
    #[arg(long, env = "MOCK_SSE_HOST", default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Port to listen on; 0 picks a free one [default: the variable PORT, else 4043]
    #[arg(short, long, env = "MOCK_SSE_PORT")]
    pub(super) port: Option<u16>,
    /// The number that all chance is drawn from: the same seed, the same bytes [default: the scenario's, else drawn and printed]
    #[arg(long, env = "MOCK_SSE_SEED")]
    pub(super) seed: Option<u64>,
    /// How changes of the scenario's files are noticed
    #[arg(long, env = "MOCK_SSE_WATCH", value_name = "MODE", default_value = "auto")]
    pub(super) watch: Watch,
    /// What becomes of open streams when a changed scenario is loaded
    #[arg(long, env = "MOCK_SSE_ON_RELOAD", value_name = "WHAT", default_value = "keep")]
    pub(super) on_reload: OnReload,
    /// A file to be written once the server listens: its addresses, port and process id as JSON
    #[arg(long, env = "MOCK_SSE_READY_FILE", value_name = "PATH")]
    pub(super) ready_file: Option<PathBuf>,
    /// How long open streams may take to end after SIGTERM or Ctrl-C
    #[arg(long, env = "MOCK_SSE_DRAIN", value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    pub(super) drain: Duration,
    /// Sent to every stream when the server stops: a comment, or an event as a mapping: '{event: bye, data: x}'
    #[arg(long, env = "MOCK_SSE_FAREWELL", value_name = "TEXT_OR_EVENT", value_parser = farewell)]
    pub(super) farewell: Option<Event>,
    #[command(flatten)]
    pub(super) sessions: SessionArgs,
    #[command(flatten)]
    pub(super) proof: VerifyArgs,
    #[command(flatten)]
    pub(super) admin: AdminArgs,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Time and sessions")]
pub struct SessionArgs {
    /// How time passes for scripts
    #[arg(long, env = "MOCK_SSE_CLOCK", value_name = "KIND", default_value = "real")]
    pub(super) clock: ClockKind,
    /// Run scripts this many times as fast
    #[arg(long, env = "MOCK_SSE_TIME_SCALE", value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(super) time_scale: f64,
    /// The time of day at which every session begins, such as 2026-01-31T12:00:00Z [default: the scenario's, else the real one]
    #[arg(long, env = "MOCK_SSE_NOW", value_name = "TIME", value_parser = time_of_day::parse)]
    pub(super) now: Option<u64>,
    /// How many sessions (/~NAME/) there may be; beyond that, idle ones are forgotten
    #[arg(
        long,
        env = "MOCK_SSE_MAX_SESSIONS",
        value_name = "COUNT",
        default_value_t = 1000
    )]
    pub(super) max_sessions: usize,
    /// How long after its last request a session without open streams counts as idle
    #[arg(long, env = "MOCK_SSE_SESSION_IDLE", value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    pub(super) session_idle: Duration,
}

/// How time passes for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClockKind {
    /// By itself, as fast as --time-scale says
    Real,
    /// Only when a test advances it: POST /__mock/clock/advance
    Manual,
}

impl SessionArgs {
    /// How time passes.
    ///
    /// # Errors
    ///
    /// A manual clock that is to be fast.
    pub(super) fn mode(&self) -> Result<Mode, String> {
        match self.clock {
            ClockKind::Real => Ok(Mode::Scaled(self.time_scale)),
            ClockKind::Manual if self.time_scale == 1.0 => Ok(Mode::Manual),
            ClockKind::Manual => Err("--clock manual does not go by --time-scale: leave one out".into()),
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Control API")]
pub struct AdminArgs {
    /// What a client must send (Authorization: Bearer TOKEN) to command the server under /__mock/; without it only this machine may
    #[arg(long, env = "MOCK_SSE_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = Token::new)]
    pub(super) admin_token: Option<Token>,
    /// Let nobody command the server: nothing but /__mock/health is there
    #[arg(long, env = "MOCK_SSE_NO_ADMIN", value_parser = clap::builder::FalseyValueParser::new(), conflicts_with = "admin_token")]
    pub(super) no_admin: bool,
}

impl AdminArgs {
    /// Who may command the server.
    pub(super) fn rules(&self) -> Admin {
        Admin {
            enabled: !self.no_admin,
            token: self.admin_token.clone(),
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// Certificate chain (PEM) instead of the local one; reloaded when it changes
    #[arg(long, env = "MOCK_SSE_CERT", value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, env = "MOCK_SSE_KEY", value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// The folder of the local CA and certificate, made at the first start
    #[arg(
        long,
        env = "MOCK_SSE_CERTS_DIR",
        value_name = "FOLDER",
        default_value = "certs"
    )]
    pub(super) certs_dir: PathBuf,
    /// A further name or address that the local certificate is for; several with commas between
    #[arg(long, env = "MOCK_SSE_SAN", value_name = "NAME", value_delimiter = ',')]
    pub(super) san: Vec<String>,
    /// Serve cleartext only, and make no certificate
    #[arg(long, env = "MOCK_SSE_NO_TLS", value_parser = clap::builder::FalseyValueParser::new(), conflicts_with_all = ["cert", "redirect_https"])]
    pub(super) no_tls: bool,
    /// Redirect cleartext requests to https on the same port
    #[arg(long, env = "MOCK_SSE_REDIRECT_HTTPS", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) redirect_https: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Most connections open at the same time; those beyond it get 503
    #[arg(
        long,
        env = "MOCK_SSE_MAX_CONNECTIONS",
        value_name = "COUNT",
        default_value_t = 16_384
    )]
    pub(super) max_connections: usize,
    /// Largest request body in bytes; beyond it 413
    #[arg(
        long,
        env = "MOCK_SSE_MAX_BODY",
        value_name = "BYTES",
        default_value_t = 8_000_000
    )]
    pub(super) max_body: usize,
    /// Largest request head in bytes; beyond it 431
    #[arg(long, env = "MOCK_SSE_MAX_HEADER", value_name = "BYTES", default_value_t = 65_536, value_parser = header_limit)]
    pub(super) max_header: usize,
    /// Most streams open at the same time on one HTTP/2 connection
    #[arg(
        long,
        env = "MOCK_SSE_HTTP2_MAX_STREAMS",
        value_name = "COUNT",
        default_value_t = 250
    )]
    pub(super) http2_max_streams: u32,
    /// How often an HTTP/2 connection is sent a PING; 0 for never
    #[arg(long, env = "MOCK_SSE_HTTP2_KEEPALIVE", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(super) http2_keepalive: Duration,
    /// How long a new connection may take to say what it wants
    #[arg(long, env = "MOCK_SSE_HANDSHAKE_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    pub(super) handshake_timeout: Duration,
    /// How long the head of an HTTP/1.1 request may take, and a kept connection may wait for its next request
    #[arg(long, env = "MOCK_SSE_HEADER_TIMEOUT", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(super) header_timeout: Duration,
    /// How long the body of a request may take; beyond it 408
    #[arg(long, env = "MOCK_SSE_BODY_TIMEOUT", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(super) body_timeout: Duration,
    /// How long a client may take nothing of what waits for it before it is cut off; 0 for ever
    #[arg(long, env = "MOCK_SSE_WRITE_TIMEOUT", value_name = "TIME", default_value = "5m", value_parser = duration::parse)]
    pub(super) write_timeout: Duration,
    /// After how much silence the system asks whether a client is still there; 0 for never
    #[arg(long, env = "MOCK_SSE_TCP_KEEPALIVE", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(super) tcp_keepalive: Duration,
    /// What the system keeps for a client that does not read, in bytes (SO_SNDBUF) [default: the system's, up to some MB]
    #[arg(long, env = "MOCK_SSE_SEND_BUFFER", value_name = "BYTES", value_parser = send_buffer)]
    pub(super) send_buffer: Option<usize>,
}

fn scale(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if factor.is_finite() && (0.001..=1e6).contains(&factor) {
        return Ok(factor);
    }
    Err("use a factor from 0.001 to 1000000".into())
}

fn header_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ 8192..=16_777_216) => Ok(bytes),
        _ => Err("use 8192 to 16777216 bytes".into()),
    }
}

fn send_buffer(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ 1024..=1_073_741_824) => Ok(bytes),
        _ => Err("use 1024 to 1073741824 bytes".into()),
    }
}

fn farewell(text: &str) -> Result<Event, String> {
    if !text.trim_start().starts_with('{') {
        return Ok(Event {
            comment: Some(text.to_owned().into()),
            ..Event::default()
        });
    }
    crate::scenario::event_from_yaml(text)
}
