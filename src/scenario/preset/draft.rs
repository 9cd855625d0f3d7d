//! Nodes that nobody wrote: they stand where their preset stands.

use serde_json::{Value as Json, json};

use crate::scenario::diagnostic::Span;
use crate::scenario::yaml::{Kind, Node};

/// A mapping in the making, `let` first.
pub(super) struct Draft {
    span: Span,
    entries: Vec<(Node, Node)>,
}

impl Draft {
    pub fn new(span: &Span) -> Draft {
        Draft {
            span: span.clone(),
            entries: Vec::new(),
        }
    }

    /// Adds a key.
    pub fn put(&mut self, key: &str, value: Json) {
        self.entries
            .push((text(&self.span, key), node(&self.span, &value)));
    }

    /// Adds names with their values.
    pub fn lets(&mut self, lets: Vec<(&str, Node)>) {
        let entries = lets
            .into_iter()
            .map(|(name, value)| (text(&self.span, name), value));
        let lets = Node {
            span: self.span.clone(),
            kind: Kind::Map(entries.collect()),
        };
        self.entries.push((text(&self.span, "let"), lets));
    }

    /// Adds all keys of a mapping.
    pub fn merge(&mut self, map: Json) {
        for (key, value) in map.as_object().into_iter().flatten() {
            self.put(key, value.clone());
        }
    }

    /// The mapping.
    pub fn done(self) -> Node {
        Node {
            span: self.span,
            kind: Kind::Map(self.entries),
        }
    }
}

/// An event of data alone, whatever the scenario's defaults are.
pub(super) fn data_alone(data: Json) -> Json {
    json!({ "data": data, "event": null, "id": null, "retry": null })
}

/// An event whose data tells its type, and then more, whatever the scenario's defaults are.
pub(super) fn typed(kind: &str, mut data: Json, more: Json) -> Json {
    if let (Json::Object(data), Json::Object(more)) = (&mut data, more) {
        data.extend(more);
    }
    json!({ "event": kind, "data": data, "id": null, "retry": null })
}

/// A field of a tool call, as text: an expression in braces.
pub(super) fn of_tool(number: usize, field: &str) -> String {
    format!("{{{{ _tools[{number}].{field} | string }}}}")
}

/// Text at a place.
pub(super) fn text(span: &Span, text: &str) -> Node {
    Node {
        span: span.clone(),
        kind: Kind::Text(text.to_owned()),
    }
}

/// A whole value at one place.
pub(super) fn node(span: &Span, json: &Json) -> Node {
    let kind = match json {
        Json::Null => Kind::Null("~".into()),
        Json::Bool(value) => Kind::Bool(*value),
        Json::Number(number) => Kind::Number(number.clone(), number.to_string()),
        Json::String(text) => Kind::Text(text.clone()),
        Json::Array(items) => Kind::List(items.iter().map(|item| node(span, item)).collect()),
        Json::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| (text(span, key), node(span, value)));
            Kind::Map(entries.collect())
        }
    };
    Node {
        span: span.clone(),
        kind,
    }
}
