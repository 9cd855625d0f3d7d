//! The description of the control API (OpenAPI 3.1). A test makes it of the table, and holds it against the
//! committed text, which is what the program carries: what makes it would be half a megabyte more.

#[cfg(test)]
mod made;

use serde_json::Value as Json;

use crate::packed::packed;

#[cfg(test)]
pub(super) use made::{Shape, Shapes};

/// The whole document.
pub(super) fn document() -> Json {
    serde_json::from_str(&packed!("schemas/openapi.json")).expect("the description is JSON")
}

/// What has a shape that can be described.
#[cfg(test)]
pub(super) trait Shaped: schemars::JsonSchema {}
#[cfg(test)]
impl<T: schemars::JsonSchema> Shaped for T {}

/// What has a shape: described by the tests alone.
#[cfg(not(test))]
pub(super) trait Shaped {}
#[cfg(not(test))]
impl<T> Shaped for T {}
