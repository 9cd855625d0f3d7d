//! All paths of the control API.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::about::about;
use super::call::{Call, EventOrText, InJson, NoBody, NoQuery, Yaml};
use super::proof::proof;
use super::table::{Answered, Route, route};
use crate::control::PATIENCE;
use crate::control::clock::{self, Advance, Advanced, ClockState, SetClock, Timeout};
use crate::control::connections::{self, Awaited, Connection, Connections, Ended, Receivers, Sent, Which};
use crate::control::event::EventWishes;
use crate::control::scenario::{self, Diagnostics, Endpoints, InForce, Put, Reloaded};
use crate::control::sessions::{Deleted, Extent, NewSession, Reset, Session, Sessions};
use crate::control::topics::{self, Cleared, History, Topics};
use crate::control::world::{self, Signalled, Signals, State};
use crate::scenario::model::End;

macro_rules! answered {
    ($($answer:ty),* $(,)?) => { $(impl Answered for $answer {})* };
}
answered!(
    ClockState,
    Advanced,
    Connection,
    Connections,
    Ended,
    Sent,
    InForce,
    Put,
    Reloaded,
    Diagnostics,
    Endpoints,
    Session,
    Sessions,
    Deleted,
    Reset,
    Topics,
    History,
    Cleared,
    Signals,
    Signalled,
    State,
);

/// The table.
pub(super) fn table() -> &'static [Route] {
    static TABLE: LazyLock<Vec<Route>> = LazyLock::new(|| {
        let rooms = [about(), serving(), time(), streams(), proof(), shared(), apart()];
        rooms.into_iter().flatten().collect()
    });
    &TABLE
}

#[cfg(test)]
pub(super) fn table_of_one() -> Route {
    about().remove(0)
}

/// What is served.
fn serving() -> Vec<Route> {
    vec![
        route(
            "GET",
            "/__mock/scenario",
            "Says what is served, and where it comes from.",
            async |call: Call, _: NoQuery, _: NoBody| Ok(call.control.scenario(&call.engine)),
        ),
        route(
            "PUT",
            "/__mock/scenario",
            "Serves the scenario in the body: a named session alone, without a name all, until files change.",
            async |call: Call, _: NoQuery, yaml: Yaml| call.control.put_scenario(&call.engine, yaml.0).await,
        ),
        route(
            "DELETE",
            "/__mock/scenario",
            "Serves the server's own scenario again.",
            async |call: Call, _: NoQuery, _: NoBody| call.control.take_scenario_back(&call.engine).await,
        ),
        route(
            "GET",
            "/__mock/diagnostics",
            "Says what is wrong with the scenario's files, as of the last load.",
            async |call: Call, _: NoQuery, _: NoBody| call.control.diagnostics(&call.engine).await,
        ),
        route(
            "POST",
            "/__mock/reload",
            "Loads the scenario's files again, changed or not.",
            async |call: Call, _: NoQuery, _: NoBody| call.control.reload().await,
        ),
        route(
            "GET",
            "/__mock/endpoints",
            "Lists the endpoints.",
            async |call: Call, _: NoQuery, _: NoBody| Ok(scenario::endpoints(&call.engine)),
        ),
    ]
}

/// The clock.
fn time() -> Vec<Route> {
    vec![
        route(
            "GET",
            "/__mock/clock",
            "Says what time it is for scripts, and what is due next.",
            async |call: Call, _: NoQuery, _: NoBody| Ok(clock::state(&call.engine)),
        ),
        route(
            "PUT",
            "/__mock/clock",
            "Lets time pass otherwise, as long as no script goes by the clock.",
            async |call: Call, _: NoQuery, wish: InJson<SetClock>| clock::set(&call.engine, &wish.0),
        ),
        route(
            "POST",
            "/__mock/clock/advance",
            "Moves a manual clock on; answers when all that fell due has been written.",
            async |call: Call, time: Timeout, wish: InJson<Advance>| {
                clock::advance(&call.engine, &wish.0, time.patience()).await
            },
        ),
    ]
}

/// How streams end: the word, the paths for one and for all, and what they do.
const ENDINGS: [(&str, &str, &str, &str, &str); 4] = [
    (
        "close",
        "/__mock/connections/{number}/close",
        "/__mock/connections/close",
        "Ends an open stream cleanly.",
        "Ends open streams cleanly.",
    ),
    (
        "cut",
        "/__mock/connections/{number}/cut",
        "/__mock/connections/cut",
        "Cuts an open stream off.",
        "Cuts open streams off.",
    ),
    (
        "reset",
        "/__mock/connections/{number}/reset",
        "/__mock/connections/reset",
        "Resets an open stream's connection.",
        "Resets the connections of open streams.",
    ),
    (
        "goaway",
        "/__mock/connections/{number}/goaway",
        "/__mock/connections/goaway",
        "Ends an open stream cleanly; over HTTP/2 its connection too, by GOAWAY.",
        "Ends open streams cleanly; over HTTP/2 their connections too, by GOAWAY.",
    ),
];

/// Open streams.
fn streams() -> Vec<Route> {
    let mut streams = vec![
        route(
            "GET",
            "/__mock/connections",
            "Lists the open streams; with `wait` it answers when there are as many as wanted.",
            async |call: Call, wish: Awaited, _: NoBody| connections::list(&call.engine, &wish).await,
        ),
        route(
            "POST",
            "/__mock/connections/events",
            "Sends events into open streams; answers when they are written.",
            async |call: Call, which: Receivers, events: InJson<EventWishes>| {
                let patience = which.timeout.map_or(PATIENCE, |time| time.0);
                let endpoint = which.endpoint;
                connections::send(&call.engine, &Which { endpoint }, events.0, patience).await
            },
        ),
        route(
            "GET",
            "/__mock/connections/{number}",
            "Shows an open stream.",
            async |call: Call, _: NoQuery, _: NoBody| connections::one(&call.engine, call.number()?),
        ),
        route(
            "POST",
            "/__mock/connections/{number}/events",
            "Sends events into an open stream; answers when they are written.",
            async |call: Call, time: Timeout, events: InJson<EventWishes>| {
                connections::send_one(&call.engine, call.number()?, events.0, time.patience()).await
            },
        ),
    ];
    for (word, one, all, about_one, about_all) in ENDINGS {
        let end = connections::ending(word).unwrap_or(End::Close);
        let end_one = move |call: Call, _: NoQuery, _: NoBody| async move {
            connections::end_one(&call.engine, call.number()?, end)
        };
        let end_all = move |call: Call, which: Which, _: NoBody| async move {
            Ok(connections::end(&call.engine, &which, end))
        };
        streams.push(route("POST", one, about_one, end_one));
        streams.push(route("POST", all, about_all, end_all));
    }
    streams
}

/// Topics, signals, state.
fn shared() -> Vec<Route> {
    vec![
        route(
            "GET",
            "/__mock/topics",
            "Lists the topics.",
            async |call: Call, _: NoQuery, _: NoBody| Ok(topics::list(&call.engine)),
        ),
        route(
            "GET",
            "/__mock/topics/{name...}",
            "Shows a topic and what is kept of it.",
            async |call: Call, _: NoQuery, _: NoBody| topics::history(&call.engine, call.name()),
        ),
        route(
            "POST",
            "/__mock/topics/{name...}",
            "Publishes an event; a body of type text/plain is its data.",
            async |call: Call, _: NoQuery, event: EventOrText| {
                topics::publish(&call.engine, call.name(), event.0)
            },
        ),
        route(
            "DELETE",
            "/__mock/topics/{name...}",
            "Forgets what is kept of a topic; its numbers go on.",
            async |call: Call, _: NoQuery, _: NoBody| topics::clear(&call.engine, call.name()),
        ),
        route(
            "GET",
            "/__mock/signals",
            "Lists the signals that have been given.",
            async |call: Call, _: NoQuery, _: NoBody| Ok(world::signals(&call.engine)),
        ),
        route(
            "POST",
            "/__mock/signals/{name}",
            "Gives a signal: scripts that wait for it go on.",
            async |call: Call, _: NoQuery, _: NoBody| Ok(world::signal(&call.engine, call.name())),
        ),
        route(
            "GET",
            "/__mock/state",
            "Shows the values that scripts share.",
            async |call: Call, _: NoQuery, _: NoBody| Ok(world::state(&call.engine)),
        ),
        route(
            "PUT",
            "/__mock/state/{key}",
            "Gives a key the value in the body.",
            async |call: Call, _: NoQuery, value: InJson<Json>| {
                world::set(&call.engine, call.name(), Some(value.0))
            },
        ),
        route(
            "DELETE",
            "/__mock/state/{key}",
            "Takes a key away.",
            async |call: Call, _: NoQuery, _: NoBody| world::set(&call.engine, call.name(), None),
        ),
    ]
}

/// Sessions.
fn apart() -> Vec<Route> {
    vec![
        route(
            "GET",
            "/__mock/sessions",
            "Lists the sessions.",
            async |call: Call, _: NoQuery, _: NoBody| Ok(call.control.list_sessions()),
        ),
        route(
            "GET",
            "/__mock/sessions/{name}",
            "Shows a session.",
            async |call: Call, _: NoQuery, _: NoBody| call.control.session(call.name()),
        ),
        route(
            "PUT",
            "/__mock/sessions/{name}",
            "Makes a session, with a clock of its own if the body says so.",
            async |call: Call, _: NoQuery, wish: InJson<NewSession>| {
                call.control.put_session(call.name(), &wish.0)
            },
        ),
        route(
            "DELETE",
            "/__mock/sessions/{name}",
            "Ends a session and its streams.",
            async |call: Call, _: NoQuery, _: NoBody| call.control.delete_session(call.name()),
        ),
        route(
            "POST",
            "/__mock/reset",
            "Begins the session anew, with `all` every session.",
            async |call: Call, extent: Extent, _: NoBody| Ok(call.control.reset(&call.engine.name, &extent)),
        ),
    ]
}
