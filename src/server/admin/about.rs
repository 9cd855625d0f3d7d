//! The paths that tell of the server itself, and of the control API.

use serde::Serialize;
use serde_json::Value as Json;

use super::call::{Call, NoBody, NoQuery};
#[cfg(test)]
use super::openapi::Shapes;
use super::paths::table;
use super::table::{Answered, Route, Said, route};
use super::{HEALTH, openapi};

/// Whether the server is well.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Health {
    /// `ok`.
    status: &'static str,
    /// The server's version.
    version: &'static str,
}

impl Health {
    pub(super) const WELL: Health = Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    };
}

/// What answers.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Version {
    /// The program's name.
    name: &'static str,
    /// Its version.
    version: &'static str,
}

/// All paths.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Index {
    /// In the order of the documentation.
    paths: Vec<Path>,
}

/// One method of one path.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Path {
    method: &'static str,
    path: &'static str,
    /// What it does.
    about: &'static str,
}

/// A JSON document.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
struct Document(Json);

impl Answered for Health {}
impl Answered for Version {}
impl Answered for Index {}
impl Answered for Document {}

/// The server itself.
pub(super) fn about() -> Vec<Route> {
    vec![
        route(
            "GET",
            "/__mock",
            "Lists these paths.",
            async |_: Call, _: NoQuery, _: NoBody| {
                let shown = |route: &Route| Path {
                    method: route.method,
                    path: route.path,
                    about: route.about,
                };
                let paths = table().iter().map(shown).collect();
                Ok(Index { paths })
            },
        ),
        route(
            "GET",
            HEALTH,
            "Says whether the server is well; open to everybody.",
            async |_: Call, _: NoQuery, _: NoBody| Ok(Health::WELL),
        ),
        route(
            "GET",
            "/__mock/version",
            "Says what answers.",
            async |_: Call, _: NoQuery, _: NoBody| {
                let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
                Ok(Version { name, version })
            },
        ),
        route(
            "GET",
            "/__mock/openapi.json",
            "Describes these paths (OpenAPI 3.1).",
            async |_: Call, _: NoQuery, _: NoBody| Ok(Document(openapi::document())),
        ),
        events(),
    ]
}

/// The one path that answers with a stream.
fn events() -> Route {
    Route {
        method: "GET",
        path: "/__mock/events",
        about: "Streams what happens in the session, as events; Last-Event-ID goes on where it stopped.",
        #[cfg(test)]
        shapes: Shapes::of::<NoQuery, String>("text/event-stream"),
        run: Box::new(|call| {
            Box::pin(async move {
                call.query::<NoQuery>()?;
                let last = call.request.header_text("last-event-id");
                let last = last.and_then(|id| id.trim().parse().ok());
                Ok(Said::News(call.engine.session.board.news().listen(last)))
            })
        }),
    }
}
