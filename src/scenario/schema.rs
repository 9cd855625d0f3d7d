//! The JSON Schema of scenario files, for editors; the loader itself is the authority.

use super::file::ScenarioFile;

/// The schema as JSON text, as committed in `schemas/`.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(ScenarioFile);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain data");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
