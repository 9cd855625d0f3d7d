//! File → scenario.
pub mod model;
