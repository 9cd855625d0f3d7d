//! The JSON Schema of scenario files, for editors; the loader itself is the authority.

use super::file::ScenarioFile;

/// The schema as JSON text, as committed in `schemas/`.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(ScenarioFile);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain data");
    text.push('\n');
    text
}
