//! What the scripts of a session share: signals and state.

use std::collections::BTreeMap;
use std::convert::Infallible;

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::Value as Json;

use super::Failure;
use crate::engine::Engine;

/// A signal that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Signalled {
    /// Its name.
    pub signal: String,
}

/// The signals that have been given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Signals {
    /// Their names, the one given last at the end.
    pub signals: Vec<String>,
}

/// The values that scripts share.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct State {
    /// By key.
    pub state: BTreeMap<String, Json>,
}

/// The signals that have been given.
pub fn signals(engine: &Engine) -> Signals {
    let all = engine.session.board.signals();
    Signals {
        signals: all.iter().map(|name| name.to_string()).collect(),
    }
}

/// Gives a signal: streams that wait for it go on.
pub fn signal(engine: &Engine, name: &str) -> Signalled {
    engine.session.board.signal(name);
    Signalled {
        signal: name.to_owned(),
    }
}

/// The values that scripts share.
pub fn state(engine: &Engine) -> State {
    let state = &engine.session.state;
    let values = state.keys().into_iter().filter_map(|key| {
        let value = state.get(&key)?;
        Some((key, serde_json::to_value(value).unwrap_or(Json::Null)))
    });
    // Collecting would sort first, by a sort made for this type alone.
    let mut state = BTreeMap::new();
    state.extend(values);
    State { state }
}

/// Gives a key a value, or, with `None`, takes it away.
///
/// # Errors
///
/// The state would be too large, or the value is nested too deeply.
pub fn set(engine: &Engine, key: &str, value: Option<Json>) -> Result<State, Failure> {
    let value = value.map(|json| Value::from(Serde(json)));
    let change = || Ok::<_, Infallible>(vec![(key.to_owned(), value)]);
    let applied = engine.session.state.apply(change);
    applied.map_err(|error| Failure::Conflict(error.to_string()))?;
    engine.session.board.changed();
    Ok(state(engine))
}
