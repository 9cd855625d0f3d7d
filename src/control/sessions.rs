//! The sessions of a server.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clock::{self, ClockMode, ClockState, SetClock};
use super::time::ms;
use super::{Control, Failure};
use crate::engine::Engine;
use crate::spelling::suggest;

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Session {
    /// Its name; empty for the one without.
    pub name: String,
    /// Its clock.
    pub clock: ClockState,
    /// Whether it has a scenario of its own.
    pub own_scenario: bool,
    /// How many streams are open.
    pub open: usize,
    /// How long ago it was last asked for, in milliseconds of real time; not of the one without a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<f64>,
}

/// All sessions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sessions {
    /// The one without a name, then the others by name.
    pub sessions: Vec<Session>,
}

/// What a session is to begin with; what is not said is as for all.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// How its time passes.
    pub clock: Option<ClockMode>,
    /// How many times as fast as real time: 0.001 to 1000000. Alone it means `scaled`.
    pub scale: Option<f64>,
    /// The time of day at which it begins (RFC 3339).
    pub now: Option<String>,
}

/// A session that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deleted {
    /// Its name.
    pub deleted: String,
}

/// Sessions that begin anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reset {
    /// Their names; empty for the one without.
    pub reset: Vec<String>,
}

/// What is to begin anew.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// All sessions, not only this one.
    pub all: Option<bool>,
}

impl Control {
    fn shown(&self, engine: &Arc<Engine>) -> Session {
        Session {
            name: engine.name.to_string(),
            clock: clock::state(engine),
            own_scenario: engine.has_its_own(),
            open: engine.connections.count(),
            idle_ms: self.sessions.idle(&engine.name).map(ms),
        }
    }

    /// All sessions.
    pub fn list_sessions(&self) -> Sessions {
        let main = std::iter::once(self.sessions.main());
        let all = main.chain(self.sessions.named());
        Sessions {
            sessions: all.map(|engine| self.shown(&engine)).collect(),
        }
    }

    /// A named session.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub fn session(&self, name: &str) -> Result<Session, Failure> {
        match self.sessions.find(name) {
            Some(engine) => Ok(self.shown(&engine)),
            None => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> Failure {
        let all = self.sessions.named();
        let names: Vec<&str> = all.iter().map(|engine| &*engine.name).collect();
        Failure::Missing(format!(
            "there is no session `{}`: it comes to be with its first request ({})",
            crate::name::short(name),
            suggest(name, &names)
        ))
    }

    /// A named session with a clock of its own; it is made if there is none.
    ///
    /// # Errors
    ///
    /// The name is none, there are too many, or its scripts already go by another clock.
    pub fn put_session(&self, name: &str, wish: &NewSession) -> Result<Session, Failure> {
        let before = self.sessions.find(name);
        let before = before.map_or(self.sessions.usual_mode(), |engine| engine.session.clock.mode());
        let wish = SetClock {
            mode: wish.clock,
            scale: wish.scale,
            now: wish.now.clone(),
        };
        if wish.is_empty() {
            return Ok(self.shown(&self.sessions.enter(name)?));
        }
        let (mode, now) = wish.checked(before)?;
        let engine = self.sessions.enter_on(name, mode, now)?;
        clock::set(&engine, &wish)?;
        Ok(self.shown(&engine))
    }

    /// Ends a named session and its streams.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub fn delete_session(&self, name: &str) -> Result<Deleted, Failure> {
        match self.sessions.delete(name) {
            true => Ok(Deleted {
                deleted: name.to_owned(),
            }),
            false => Err(self.unknown(name)),
        }
    }

    /// Begins a session anew, or all of them: streams end; attempts, topics, state and time are as at
    /// the beginning.
    pub fn reset(&self, name: &str, extent: &Extent) -> Reset {
        let mut names = vec![name.to_owned()];
        if extent.all == Some(true) {
            let named = self.sessions.named();
            names = named.iter().map(|engine| engine.name.to_string()).collect();
            names.insert(0, String::new());
        }
        names.retain(|name| self.sessions.reset(name));
        Reset { reset: names }
    }
}
