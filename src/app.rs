//! A running mock server: scenario, engine, sockets and watcher put together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::EndpointExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::control::Control;
use crate::engine::Engine;
use crate::engine::sessions::{SessionRules, Sessions};
use crate::event::Event;
use crate::scenario::Scenario;
use crate::scenario::load::{Origin, Seen};
use crate::server::admin::Desk;
use crate::server::{Phase, Routes, Server, ServerConfig};
use crate::watch::{OnReload, Reload, Reloader, Watch, Wish};

/// Everything that a server is started with.
pub struct Settings {
    /// Sockets, TLS, limits.
    pub server: ServerConfig,
    /// The largest request body in bytes.
    pub max_body: usize,
    /// What every session begins with.
    pub sessions: SessionRules,
    /// Sent to every stream when the server stops.
    pub farewell: Option<Event>,
    /// Where the scenario came from.
    pub origin: Origin,
    /// What it was read from.
    pub seen: Seen,
    /// How changes of it are noticed.
    pub watch: Watch,
    /// What a change does with open streams.
    pub on_reload: OnReload,
}

/// A server that listens.
pub struct Running {
    /// The sessions behind it.
    pub sessions: Arc<Sessions>,
    /// What commands it from within.
    pub control: Arc<Control>,
    /// Where it listens.
    pub addrs: Vec<SocketAddr>,
    phase: watch::Sender<Phase>,
    serving: JoinHandle<()>,
    watching: JoinHandle<()>,
    hangup: mpsc::Sender<Wish>,
}

/// Binds and serves a scenario; `report` is told of every reload.
pub async fn start(
    scenario: Scenario,
    settings: Settings,
    report: impl FnMut(Reload) + Send + 'static,
) -> io::Result<Running> {
    // Refusals are the scenario's answers too: with its CORS headers, and in the log.
    let server = ServerConfig {
        endpoint_refuses: true,
        ..settings.server
    };
    let (admin, host) = (server.admin.clone(), server.host.clone());
    let body_timeout = server.body_timeout;
    let server = Server::bind(server).await?;
    let addrs = server.local_addrs();
    let sessions = Arc::new(Sessions::new(
        scenario,
        settings.sessions,
        settings.farewell.as_ref(),
    ));
    let (phase, phases) = watch::channel(Phase::Running);
    let (hangup, hangups) = mpsc::channel(1);
    let reloader = Reloader::new(
        settings.origin.clone(),
        settings.seen,
        sessions.clone(),
        settings.on_reload,
    );
    let control = || {
        let origin = settings.origin.clone();
        Control::new(sessions.clone(), origin, hangup.clone(), reloader.last())
    };
    let (from_outside, control) = (control(), Arc::new(control()));
    let routes = Routes::new(sessions.clone(), settings.max_body).body_timeout(body_timeout);
    let routes = routes.commanded_at(Desk::new(from_outside, admin, &host));
    let server = server.behind(sessions.gate());
    let serving = tokio::spawn(server.serve(routes.boxed(), phases));
    let watching = tokio::spawn(crate::watch::watch(reloader, settings.watch, hangups, report));
    Ok(Running {
        sessions,
        control,
        addrs,
        phase,
        serving,
        watching,
        hangup,
    })
}

impl Running {
    /// What answers in the session without a name.
    pub fn engine(&self) -> Arc<Engine> {
        self.sessions.main()
    }

    /// Loads the scenario again, changed or not.
    pub fn reload(&self) {
        // A full channel holds the same wish already.
        let _ = self.hangup.try_send(None);
    }

    /// Ends all streams cleanly, then the listeners; what is still open after `drain` is dropped.
    /// Answers with how many streams that were.
    pub async fn shut_down(mut self, drain: Duration) -> usize {
        self.watching.abort();
        let _ = self.phase.send(Phase::Draining);
        self.sessions.shut_down();
        if tokio::time::timeout(drain, &mut self.serving).await.is_ok() {
            return 0;
        }
        let left = self.sessions.open_streams();
        let _ = self.phase.send(Phase::Closed);
        let _ = (&mut self.serving).await;
        left
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.watching.abort();
        let _ = self.phase.send(Phase::Closed);
    }
}
