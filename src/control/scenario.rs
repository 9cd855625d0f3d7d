//! What is served: the scenario, its endpoints, what is wrong with it.

use std::sync::{MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value as Json;
use tokio::sync::oneshot;

use super::failure::findings;
use super::{Control, Failure, Finding};
use crate::engine::Engine;
use crate::expect;
use crate::scenario::explain::explain;
use crate::scenario::load::{Origin, Outcome, load};
use crate::scenario::model::{Endpoint as Model, Methods};
use crate::scenario::pattern::Pattern;
use crate::watch::Last;

/// The scenario in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InForce {
    /// Where it comes from.
    pub from: From,
    /// The files and folders the server was started with.
    pub files: Vec<String>,
    /// What it does, as `mock-sse explain --format json` says it.
    pub scenario: Json,
}

/// Where a scenario comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The server's files.
    Files,
    /// The binary.
    BuiltIn,
    /// A command, for the whole server.
    Put,
    /// A command, for this session alone.
    Session,
}

/// What is wrong with the files, or looks so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Diagnostics {
    /// Whether the files are broken, so that what is in force is older.
    pub broken: bool,
    /// Where what is in force comes from.
    pub in_force: From,
    /// Errors and warnings, as of the last load.
    pub findings: Vec<Finding>,
}

/// A scenario that was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Put {
    /// How many endpoints it has.
    pub endpoints: usize,
    /// What looks wrong with it.
    pub warnings: Vec<Finding>,
}

/// What loading again came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reloaded {
    /// Whether the contents had changed since the last look.
    pub changed: bool,
    /// How many endpoints there are now.
    pub endpoints: usize,
    /// What looks wrong with it.
    pub warnings: Vec<Finding>,
}

/// The endpoints in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Endpoints {
    /// In matching order.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Endpoint {
    /// What attempts are counted by: `GET /sse#0`.
    pub key: String,
    /// Its methods; none: all.
    pub methods: Vec<String>,
    /// Its paths as written.
    pub paths: Vec<String>,
    /// How many of its streams are open.
    pub open: usize,
}

/// The endpoints of a session.
pub fn endpoints(engine: &Engine) -> Endpoints {
    let scenario = engine.catalog.current();
    let shown = |endpoint: &Model| Endpoint {
        key: endpoint.named.key.clone(),
        methods: match &endpoint.methods {
            Methods::Any => Vec::new(),
            Methods::Only(methods) => methods.clone(),
        },
        paths: endpoint
            .paths
            .iter()
            .map(Pattern::source)
            .map(str::to_owned)
            .collect(),
        open: engine.connections.count_of(&endpoint.named.key),
    };
    Endpoints {
        endpoints: scenario.endpoints.iter().map(shown).collect(),
    }
}

impl Control {
    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn from(&self, engine: &Engine) -> From {
        match (&self.origin, self.last().put) {
            _ if engine.has_its_own() => From::Session,
            (_, true) => From::Put,
            (Origin::BuiltIn, false) => From::BuiltIn,
            _ => From::Files,
        }
    }

    /// The scenario of a session.
    pub fn scenario(&self, engine: &Engine) -> InForce {
        let files = match &self.origin {
            Origin::Paths(paths) => paths.iter().map(|path| path.display().to_string()).collect(),
            Origin::BuiltIn | Origin::Text(_) => Vec::new(),
        };
        let scenario = engine.catalog.current();
        let explained = explain(&scenario, None).unwrap_or(Json::Null);
        InForce {
            from: self.from(engine),
            files,
            scenario: expect::explain(&scenario, explained),
        }
    }

    /// Puts a scenario in force that is written here: in a named session only there, else in all that
    /// have none of their own, until the files change.
    ///
    /// # Errors
    ///
    /// It is broken; then nothing has changed.
    pub async fn put_scenario(&self, engine: &Engine, yaml: String) -> Result<Put, Failure> {
        let compiled = compiled(Origin::Text(yaml)).await?;
        let (scenario, warnings) = compiled.map_err(|errors| Failure::Broken(findings(&errors)))?;
        let endpoints = scenario.endpoints.len();
        if engine.name.is_empty() {
            self.last().put = true;
        }
        self.sessions.swap_in(engine, scenario);
        Ok(Put {
            endpoints,
            warnings: findings(&warnings),
        })
    }

    /// Gives a named session the server's scenario again, and the server what its files say.
    ///
    /// # Errors
    ///
    /// The files are broken.
    pub async fn take_scenario_back(&self, engine: &Engine) -> Result<Reloaded, Failure> {
        if engine.name.is_empty() {
            return self.reload().await;
        }
        let changed = engine.has_its_own();
        self.sessions.swap_back(engine);
        Ok(Reloaded {
            changed,
            endpoints: engine.catalog.current().endpoints.len(),
            warnings: Vec::new(),
        })
    }

    /// Loads the server's files again, changed or not; answers when that is done.
    ///
    /// # Errors
    ///
    /// They are broken; the last good scenario goes on.
    pub async fn reload(&self) -> Result<Reloaded, Failure> {
        let stopping = || Failure::Conflict("the server is stopping".into());
        let (tell, told) = oneshot::channel();
        self.wishes.send(Some(tell)).await.map_err(|_| stopping())?;
        let loaded = told.await.map_err(|_| stopping())?;
        if loaded.broken {
            return Err(Failure::Broken(findings(&loaded.findings)));
        }
        Ok(Reloaded {
            changed: loaded.changed,
            endpoints: self.sessions.scenario().endpoints.len(),
            warnings: findings(&loaded.findings),
        })
    }

    /// What is wrong with the server's files, as of the last load.
    ///
    /// # Errors
    ///
    /// They could not be looked at.
    pub async fn diagnostics(&self, engine: &Engine) -> Result<Diagnostics, Failure> {
        let last = self.last().loaded.clone();
        let (broken, found) = match last {
            Some(loaded) => (loaded.broken, loaded.findings),
            // Nothing has been loaded since the start.
            None => match compiled(self.origin.clone()).await? {
                Ok((_, warnings)) => (false, warnings),
                Err(errors) => (true, errors),
            },
        };
        Ok(Diagnostics {
            broken,
            in_force: self.from(engine),
            findings: findings(&found),
        })
    }
}

/// Compiling takes a while: not on a thread that serves.
async fn compiled(origin: Origin) -> Result<Outcome, Failure> {
    let done = tokio::task::spawn_blocking(move || load(&origin)).await;
    done.map_err(|_| Failure::Conflict("the scenario could not be compiled: the server is stopping".into()))
}
