//! How the description is made.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value as Json, json};

use crate::golden;
use crate::server::admin::HEALTH;
use crate::server::admin::paths::table;
use crate::server::admin::table::Route;

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What is read or answered.
pub(in crate::server::admin) struct Shape {
    media: &'static str,
    schema: SchemaOf,
}

impl Shape {
    /// This type's, in this media type.
    pub(in crate::server::admin) fn of<T: JsonSchema>(media: &'static str) -> Shape {
        Shape {
            media,
            schema: |generator| generator.subschema_for::<T>(),
        }
    }

    fn content(&self, generator: &mut SchemaGenerator) -> Json {
        json!({ self.media: { "schema": (self.schema)(generator) } })
    }
}

/// What a path reads and answers.
pub(in crate::server::admin) struct Shapes {
    query: SchemaOf,
    body: Option<Shape>,
    answer: Shape,
    /// Another status of an answer of this shape, and what it means.
    also: Option<(u16, &'static str)>,
}

impl Shapes {
    /// A query, no body, and an answer in this media type.
    pub(in crate::server::admin) fn of<Q: JsonSchema, A: JsonSchema>(media: &'static str) -> Shapes {
        Shapes {
            query: Q::json_schema,
            body: None,
            answer: Shape::of::<A>(media),
            also: None,
        }
    }

    /// The same with a body.
    pub(in crate::server::admin) fn takes(self, body: Option<Shape>) -> Shapes {
        Shapes { body, ..self }
    }

    /// The same with another status.
    pub(in crate::server::admin) fn answers_also(self, status: u16, about: &'static str) -> Shapes {
        let also = Some((status, about));
        Shapes { also, ..self }
    }
}

#[test]
fn the_committed_description_is_that_of_the_table() {
    let mut made = serde_json::to_string_pretty(&document(table())).unwrap();
    made.push('\n');
    golden::hold("schemas/openapi.json", &made);
}

/// The whole document.
fn document(table: &[Route]) -> Json {
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
    let shapes = &route.shapes;
    let answer = shapes.answer.content(generator);
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
    if let Some((status, about)) = shapes.also {
        operation["responses"][status.to_string()] = json!({ "description": about, "content": answer });
    }
    if let Some(body) = &shapes.body {
        operation["requestBody"] = json!({ "required": true, "content": body.content(generator) });
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
    let query = (route.shapes.query)(generator).to_value();
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
