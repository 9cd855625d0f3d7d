//! `mock-sse serve`: settings from flags and variables, then a running server until a signal.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Format;
use super::banner::Banner;
use super::output::{FAILED, USAGE, block_on, complain, count, init_log, loaded, say, usage};
use super::serve_args::{ServeArgs, TlsArgs};
use crate::app::{self, Running, Settings};
use crate::certs::Certs;
use crate::engine::Seed;
use crate::engine::sessions::SessionRules;
use crate::scenario::diagnostic::render_all;
use crate::scenario::load::{Origin, Seen, load_seen};
use crate::scenario::{Scenario, duration};
use crate::server::{ServerConfig, TlsFiles};
use crate::watch::Reload;

/// A seed from the system's entropy.
pub(super) fn draw_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

/// The port from a flag, else from `PORT`, else 4043.
pub(super) fn port_from_environment(flag: Option<u16>) -> Result<u16, String> {
    match (flag, std::env::var("PORT")) {
        (Some(port), _) => Ok(port),
        (None, Ok(text)) => text
            .parse()
            .map_err(|_| format!("the variable PORT holds `{text}`, which is no port")),
        (None, Err(_)) => Ok(4043),
    }
}

/// Runs the server; answers with the exit code.
pub(super) fn run(args: ServeArgs) -> u8 {
    init_log(&args.log);
    let origin = match args.scenario.is_empty() {
        true => Origin::BuiltIn,
        false => Origin::Paths(args.scenario.clone()),
    };
    let (outcome, seen) = load_seen(&origin);
    let scenario = match loaded(outcome) {
        Ok(scenario) => scenario,
        Err(code) => return code,
    };
    let (server, certs) = match server_config(&args) {
        Ok(config) => config,
        Err(code) => return code,
    };
    make_room_for_files(args.limits.max_connections);
    block_on(serve(args, (origin, seen), scenario, server, certs))
}

fn server_config(args: &ServeArgs) -> Result<(ServerConfig, Option<Certs>), u8> {
    let port = port_from_environment(args.port).map_err(usage)?;
    let (tls, certs) = tls_files(&args.tls)?;
    let unless_zero = |time: Duration| (!time.is_zero()).then_some(time);
    let config = ServerConfig {
        host: args.host.clone(),
        port,
        tls,
        redirect_https: args.tls.redirect_https,
        max_connections: args.limits.max_connections,
        max_header_bytes: args.limits.max_header,
        handshake_timeout: args.limits.handshake_timeout,
        h2_max_concurrent_streams: args.limits.http2_max_streams,
        admin: args.admin.rules(),
        h2_keepalive_interval: unless_zero(args.limits.http2_keepalive),
        header_read_timeout: args.limits.header_timeout,
        body_timeout: args.limits.body_timeout,
        write_timeout: unless_zero(args.limits.write_timeout),
        tcp_keepalive: unless_zero(args.limits.tcp_keepalive),
        send_buffer_bytes: args.limits.send_buffer,
        ..ServerConfig::default()
    };
    Ok((config, certs))
}

fn tls_files(args: &TlsArgs) -> Result<(Option<TlsFiles>, Option<Certs>), u8> {
    if args.no_tls {
        return Ok((None, None));
    }
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        return Ok((
            Some(TlsFiles {
                cert: cert.clone(),
                key: key.clone(),
            }),
            None,
        ));
    }
    match crate::certs::ensure(&args.certs_dir, &args.san) {
        Ok(certs) => {
            if let Some(warning) = &certs.warning {
                tracing::warn!("{warning}");
            }
            let files = TlsFiles {
                cert: certs.cert_path.clone(),
                key: certs.key_path.clone(),
            };
            Ok((Some(files), Some(certs)))
        }
        // A folder that cannot be written to is no reason not to serve at all, unless TLS is a must.
        Err(error) if !args.redirect_https && args.san.is_empty() && is_unwritable(&error) => {
            tracing::warn!("serving cleartext only: {error}");
            Ok((None, None))
        }
        Err(error) => {
            complain(format_args!("error: {error}"));
            Err(FAILED)
        }
    }
}

fn is_unwritable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// A stream takes a file descriptor: raises the soft limit, and says so if it is still too low.
fn make_room_for_files(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// What the server needs besides connections.
    const OWN: u64 = 64;
    let wanted = connections as u64 + OWN;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if limit.current.is_none_or(|now| now >= wanted) {
        return;
    }
    let raised = Rlimit {
        current: Some(wanted.min(most)),
        maximum: limit.maximum,
    };
    let room = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted.min(most),
        Err(_) => limit.current.unwrap_or(0),
    };
    if room < wanted {
        let fit = room.saturating_sub(OWN);
        tracing::warn!("the limit of open files lets {fit} of {connections} connections in (`ulimit -n`)");
    }
}

fn session_rules(args: &ServeArgs) -> Result<SessionRules, String> {
    Ok(SessionRules {
        seed: args.seed.map_or_else(|| Seed::Drawn(draw_seed()), Seed::Fixed),
        mode: args.sessions.mode()?,
        now: args.sessions.now,
        most: args.sessions.max_sessions,
        idle: args.sessions.session_idle,
    })
}

async fn serve(
    args: ServeArgs,
    (origin, seen): (Origin, Seen),
    scenario: Scenario,
    server: ServerConfig,
    certs: Option<Certs>,
) -> u8 {
    if let Err(why) = args.proof.check(&scenario) {
        return usage(why);
    }
    let sessions = match session_rules(&args) {
        Ok(rules) => rules,
        Err(why) => return usage(why),
    };
    let tls = server.tls.is_some();
    let (host, port) = (server.host.clone(), server.port);
    let settings = Settings {
        server,
        max_body: args.limits.max_body,
        sessions,
        farewell: args.farewell.clone(),
        origin: origin.clone(),
        seen,
        watch: args.watch,
        on_reload: args.on_reload,
    };
    // One from an earlier run would tell where nobody listens.
    if let Some(path) = &args.ready_file {
        let _ = std::fs::remove_file(path);
    }
    // Before anybody can learn that the server is up: from then on a signal ends it cleanly.
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return usage(format!("cannot listen for signals: {error}")),
    };
    let running = match app::start(scenario, settings, report).await {
        Ok(running) => running,
        Err(error) => {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => "; choose another with --port, 0 picks a free one",
                _ => "",
            };
            complain(format_args!(
                "error: cannot serve on {host}:{port}: {error}{hint}"
            ));
            return FAILED;
        }
    };
    let current = running.sessions.scenario();
    let banner = Banner {
        scenario: &current,
        origin: &origin,
        addrs: &running.addrs,
        host: &host,
        seed: running.engine().seed(&current),
        tls,
        ca: certs.as_ref().map(|c| c.ca_pem_path.as_path()),
    };
    if let Err(code) = announce(&args, &banner) {
        return code;
    }
    drop(current);
    until_over(running, signals, &args).await
}

fn announce(args: &ServeArgs, banner: &Banner) -> Result<(), u8> {
    match args.log.log_format {
        Format::Text => say(banner.text()),
        Format::Json => {
            let urls = banner.urls().join(" ");
            tracing::info!(
                urls,
                seed = banner.seed,
                origin = super::banner::describe(banner.origin),
                "listening"
            );
        }
    }
    let Some(path) = &args.ready_file else {
        return Ok(());
    };
    let ready = serde_json::json!({
        "urls": banner.urls(),
        "addresses": banner.addrs,
        "port": banner.addrs.first().map(std::net::SocketAddr::port),
        "pid": std::process::id(),
        "seed": banner.seed,
        "ca": banner.ca,
    });
    write_whole(path, &format!("{ready:#}\n")).map_err(|error| {
        complain(format_args!(
            "error: cannot write the ready file {}: {error}",
            path.display()
        ));
        USAGE
    })
}

/// Whoever waits for the file to appear must not read half of it.
fn write_whole(path: &std::path::Path, text: &str) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, text)?;
    std::fs::rename(&part, path)
}

fn report(reload: Reload) {
    match reload {
        Reload::Same => {}
        Reload::Swapped(scenario, warnings) => {
            if !warnings.is_empty() {
                tracing::warn!("{}", render_all(&warnings, false).trim_end());
            }
            let endpoints = scenario.endpoints.len();
            tracing::info!(
                endpoints,
                "reloaded: {endpoints} endpoint{}",
                if endpoints == 1 { "" } else { "s" }
            );
        }
        Reload::Broken(diagnostics) => {
            let findings = render_all(&diagnostics, false);
            let errors = count(&diagnostics);
            tracing::error!(
                "not reloaded ({errors}); the last good scenario goes on\n{}",
                findings.trim_end()
            );
        }
    }
}

async fn until_over(running: Running, mut signals: Signals, args: &ServeArgs) -> u8 {
    tokio::select! {
        () = signals.stop(&running) => {}
        () = args.proof.decided(&running) => {}
    }
    // Before streams are ended: that is none of the clients' doing.
    let code = args.proof.conclude(&running);
    shut_down(running, signals, args.drain).await;
    code
}

async fn shut_down(running: Running, mut signals: Signals, drain: Duration) {
    let open = running.sessions.open_streams();
    tracing::info!(
        open,
        "stopping: {open} open stream{}; again to stop at once",
        if open == 1 { "" } else { "s" }
    );
    tokio::select! {
        left = running.shut_down(drain) => {
            if left > 0 {
                let streams = if left == 1 { "stream" } else { "streams" };
                tracing::warn!("stopped with {left} {streams} still open after {}", duration::format(drain));
            } else {
                tracing::info!("stopped");
            }
        }
        () = signals.again() => tracing::warn!("stopped at once"),
    }
}

struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or Ctrl-C; SIGHUP reloads meanwhile.
    async fn stop(&mut self, running: &Running) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => running.reload(),
            }
        }
    }

    async fn again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
