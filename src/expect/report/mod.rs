//! The verdict as text, JSON and JUnit XML.

mod json;
mod junit;
mod text;

pub use json::json;
pub use junit::junit;
pub use text::text;
