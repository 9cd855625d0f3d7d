//! A request on its way to its command: what its path, query and body say.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

#[cfg(test)]
use super::openapi::Shape;
use super::openapi::Shaped;
use crate::control::event::EventWish;
use crate::control::{Control, Failure};
use crate::engine::Engine;
use crate::request::Request;
use crate::text;

/// A request that may be carried out.
pub(super) struct Call {
    pub(super) control: Arc<Control>,
    pub(super) engine: Arc<Engine>,
    /// What the path's `{names}` stand for, decoded.
    pub(super) captures: Vec<String>,
    pub(super) request: Request,
}

/// No parameters.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NoQuery {}

impl Call {
    /// The name that the path captures.
    pub(super) fn name(&self) -> &str {
        self.captures.first().map_or("", String::as_str)
    }

    /// The number that the path captures: of a connection, or of a request.
    pub(super) fn number(&self) -> Result<u64, Failure> {
        let text = self.name();
        text.parse().map_err(|_| {
            let text = crate::name::short(text);
            Failure::Missing(format!(
                "`{text}` is no number: /__mock/connections lists those of connections, /__mock/journal those of requests"
            ))
        })
    }

    /// The parameters of the query; one that is not known is refused.
    pub(super) fn query<Q: DeserializeOwned>(&self) -> Result<Q, Failure> {
        let query = self.request.query.as_deref().unwrap_or_default();
        serde_urlencoded::from_str(query).map_err(|error| Failure::Invalid(format!("the query: {error}")))
    }
}

/// What a body must be.
pub(super) trait Body: Sized {
    /// Reads it.
    fn read(call: &Call) -> Result<Self, Failure>;

    /// Its media type and shape; `None`: there is none, and what there is does not matter.
    #[cfg(test)]
    fn shape() -> Option<Shape>;
}

/// No body.
pub(super) struct NoBody;

impl Body for NoBody {
    fn read(_: &Call) -> Result<NoBody, Failure> {
        Ok(NoBody)
    }

    #[cfg(test)]
    fn shape() -> Option<Shape> {
        None
    }
}

/// A body in JSON.
pub(super) struct InJson<T>(pub(super) T);

impl<T: DeserializeOwned + Shaped> Body for InJson<T> {
    fn read(call: &Call) -> Result<InJson<T>, Failure> {
        read_json(&call.request.body).map(InJson)
    }

    #[cfg(test)]
    fn shape() -> Option<Shape> {
        Some(Shape::of::<T>("application/json"))
    }
}

fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    if body.is_empty() {
        return Err(Failure::Invalid("the request has no body: send JSON".into()));
    }
    serde_json::from_slice(body).map_err(|error| {
        let what = match error.is_data() {
            true => "the body is not what is expected",
            false => "the body is not JSON",
        };
        Failure::Invalid(format!("{what}: {error}"))
    })
}

/// A scenario.
pub(super) struct Yaml(pub(super) String);

impl Body for Yaml {
    fn read(call: &Call) -> Result<Yaml, Failure> {
        let text = String::from_utf8(call.request.body.to_vec());
        let text = text.map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Failure::Invalid(format!("the body is not UTF-8: see its byte {at}"))
        })?;
        Ok(Yaml(text))
    }

    #[cfg(test)]
    fn shape() -> Option<Shape> {
        Some(Shape::of::<String>("application/yaml"))
    }
}

/// An event in JSON, or a text, which is its data.
pub(super) struct EventOrText(pub(super) EventWish);

impl Body for EventOrText {
    fn read(call: &Call) -> Result<EventOrText, Failure> {
        let kind = call.request.header_text("content-type").unwrap_or_default();
        if kind.trim_start().to_ascii_lowercase().starts_with("text/") {
            let data = text::from_bytes(&call.request.body);
            return Ok(EventOrText(EventWish::of_data(data)));
        }
        read_json(&call.request.body).map(EventOrText)
    }

    #[cfg(test)]
    fn shape() -> Option<Shape> {
        Some(Shape::of::<EventWish>("application/json"))
    }
}
