//! File → scenario: what a user writes, checked and turned into what is valid by construction.
//!
//! Pure, except `load.rs`, which reads files.

pub mod compile;
pub mod decode;
pub mod describe;
pub mod diagnostic;
pub mod duration;
pub mod explain;
pub mod file;
pub mod load;
pub mod model;
pub mod pattern;
pub mod preset;
pub mod recording;
pub mod schema;
pub mod size;
pub mod time_of_day;
pub mod yaml;

pub use compile::{compile, compile_with};
pub use model::Scenario;

/// A status code that can be sent as a final answer, 200 to 599.
pub fn status_code(text: &str) -> Result<u16, String> {
    match text.trim().parse::<u16>() {
        Ok(code) if (200..=599).contains(&code) => Ok(code),
        _ => Err(format!("`{text}` is no status code: use 200 to 599")),
    }
}

/// An event written as a YAML mapping, without templates: for settings that hold one.
pub fn event_from_yaml(yaml: &str) -> Result<crate::event::Event, String> {
    use decode::FromNode;
    let source = std::sync::Arc::new(diagnostic::Source::new("event", yaml.to_owned()));
    let mut errors = Vec::new();
    let event = yaml::parse(&source).map_err(|e| e.message)?;
    let event = file::EventFile::from_node(&event, &mut errors);
    match (event, errors.first()) {
        (Some(event), None) => compile::fixed_event(&event),
        (_, Some(error)) => Err(error.message.clone()),
        (None, None) => Err("this is no event".into()),
    }
}
