//! The JSON Schema of scenario files, for editors; the loader itself is the authority.
//!
//! The declarations of what the loader reads give the schema, too. That is done by a test, which holds it
//! against the committed text: what makes it would be half a megabyte more in every program.

use crate::packed::packed;

/// The schema as JSON text, as committed in `schemas/`.
pub fn json_schema() -> String {
    packed!("schemas/scenario.schema.json")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::golden;
    use crate::scenario::file::ScenarioFile;

    #[test]
    fn the_committed_schema_is_that_of_the_declarations() {
        let schema = schemars::schema_for!(ScenarioFile);
        let mut made = serde_json::to_string_pretty(&schema).unwrap();
        made.push('\n');
        golden::hold("schemas/scenario.schema.json", &made);
    }

    /// Answers lend their keys to endpoints and entries: both must still refuse what is no key.
    #[test]
    fn lent_keys_are_known_and_others_refused() {
        let schema = serde_json::from_str(&super::json_schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let valid = |endpoint| validator.is_valid(&json!({ "endpoints": [endpoint] }));
        for (endpoint, expected) in [
            (
                json!({ "path": "/a", "method": "GET", "status": 200, "body": "x" }),
                true,
            ),
            (
                json!({ "path": ["/a", "/b"], "cases": [{ "when": "x", "status": 200 }] }),
                true,
            ),
            (
                json!({ "attempts": [{ "cases": [{ "stream": [{ "data": 1 }, { "end": "cut" }] }] }] }),
                true,
            ),
            (
                json!({ "path": "/a", "wire": { "split": { "every": 1 } }, "heartbeat": "15s" }),
                true,
            ),
            (json!({ "path": "/a", "bdoy": "x" }), false),
            (json!({ "attempts": [{ "statsu": 200 }] }), false),
            (json!({ "attempts": [{ "path": "/a" }] }), false),
            (json!({ "attempts": [{ "cases": [{ "path": "/a" }] }] }), false),
            (
                json!({ "path": "/a", "stream": [{ "data": 1, "evry": "1s" }] }),
                false,
            ),
            (json!({ "path": "/a", "wire": { "elo": "lf" } }), false),
        ] {
            assert_eq!(valid(endpoint.clone()), expected, "{endpoint}");
        }
    }
}
