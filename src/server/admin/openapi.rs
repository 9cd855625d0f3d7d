//! The description of the control API (OpenAPI 3.1), made of its table.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value as Json, json};

use super::HEALTH;
use super::table::Route;

/// The whole document.
pub(super) fn document(table: &[Route]) -> Json {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in table {
        let path = route.path.replace("...}", "}");
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        entry[route.method.to_lowercase()] = operation(route, &mut generator);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".into(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mock-sse control API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a test commands while the server runs. A path that begins with /~NAME, or the \
                header X-Mock-Session, names the session that is meant.",
        },
        "servers": [
            { "url": "/", "description": "The session without a name." },
            {
                "url": "/~{session}",
                "description": "A named session.",
                "variables": { "session": { "default": "test" } },
            },
        ],
        "security": [{}, { "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "What --admin-token says. Without one, only clients on the same machine may.",
                },
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Json {
    let (media, schema) = route.answer;
    let answer = json!({ media: { "schema": schema(generator) } });
    let mut operation = json!({
        "operationId": name(route),
        "summary": route.about,
        "parameters": parameters(route, generator),
        "responses": {
            "200": { "description": "Done.", "content": answer },
            "default": {
                "description": "Not done; `detail` says why, and what to do.",
                "content": {
                    "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
                },
            },
        },
    });
    if let Some((status, about)) = route.also {
        operation["responses"][status.to_string()] = json!({ "description": about, "content": answer });
    }
    if let Some((media, schema)) = route.body {
        let schema = schema(generator);
        operation["requestBody"] = json!({ "required": true, "content": { media: { "schema": schema } } });
    }
    if route.path == HEALTH {
        operation["security"] = json!([]);
    }
    operation
}

/// A name for it: `post_clock_advance`.
fn name(route: &Route) -> String {
    let words = route.path.trim_start_matches("/__mock");
    let words: String = words
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let words: Vec<&str> = words.split('_').filter(|word| !word.is_empty()).collect();
    let all = [route.method.to_lowercase().as_str(), &words.join("_")].join("_");
    all.trim_end_matches('_').to_owned()
}

fn parameters(route: &Route, generator: &mut SchemaGenerator) -> Vec<Json> {
    let names = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.trim_end_matches('.'))
    });
    let in_path = names.map(|name| {
        let kind = if name == "number" { "integer" } else { "string" };
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind } })
    });
    let mut all: Vec<Json> = in_path.collect();
    let query = (route.query)(generator).to_value();
    let properties = query.get("properties").and_then(Json::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        let about = schema.get("description").cloned().unwrap_or_default();
        all.push(json!({ "name": name, "in": "query", "description": about, "schema": schema }));
    }
    all
}

/// What every error is answered with (RFC 9457).
fn problem() -> Json {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "Why, and what to do." },
            "diagnostics": {
                "description": "What is wrong with a scenario.",
                "type": "array",
                "items": { "$ref": "#/components/schemas/Finding" },
            },
        },
    })
}
