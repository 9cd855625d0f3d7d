//! Nodes → what a user writes: typed, with every mistake collected instead of the first one thrown.
//!
//! serde's derive stops at the first error and forgets positions, hence this small trait; the
//! schema comes from the same declarations, so the two cannot drift apart.

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::diagnostic::{Diagnostic, Span};
use super::yaml::{Kind, Node};
use crate::spelling::suggest;

/// Read from a node; `None` when it could not be, and the reason has been added to the list.
pub trait FromNode: Sized {
    /// Reads the value, or adds to the errors.
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self>;
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// Where.
    pub span: Span,
    /// What.
    pub value: T,
}

/// A scalar as it was written; `None` for `~`, which means: without.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// Where.
    pub span: Span,
    /// The text of it.
    pub text: Option<String>,
}

/// A duration, as text: `50ms`, `2s`, `1m30s`; with `..` a range.
#[derive(Debug, Clone)]
pub struct DurationText(pub Scalar);

/// Any value at all, templates in its texts.
#[derive(Debug, Clone)]
pub struct Anything(pub Node);

/// One value or a list of them.
#[derive(Debug, Clone)]
pub struct OneOrMany<T>(pub Vec<T>);

/// A mapping whose keys the user chooses, in the order written.
#[derive(Debug, Clone)]
pub struct Entries<T>(pub Vec<(At<String>, T)>);

/// What was expected and what stood there.
pub fn mismatch(node: &Node, expected: &str) -> Diagnostic {
    Diagnostic::error(
        &node.span,
        format!("expected {expected}, found {}", node.describe()),
    )
}

impl<T: FromNode> FromNode for At<T> {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        Some(At {
            span: node.span.clone(),
            value: T::from_node(node, errors)?,
        })
    }
}

impl FromNode for Scalar {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        let span = node.span.clone();
        match node.scalar() {
            Some("~" | "") if node.is_null() => Some(Scalar { span, text: None }),
            Some(text) => Some(Scalar {
                span,
                text: Some(text.to_owned()),
            }),
            None => {
                errors.push(flow_trap(node, mismatch(node, "text")));
                None
            }
        }
    }
}

/// `{{ x }}` without quotes is a mapping in a mapping to YAML.
fn flow_trap(node: &Node, error: Diagnostic) -> Diagnostic {
    if node.span.source.text[node.span.range.start..].starts_with("{{") {
        return error.hint("put the expression in quotes: \"{{ … }}\"");
    }
    error
}

impl FromNode for String {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        let scalar = Scalar::from_node(node, errors)?;
        if scalar.text.is_none() {
            errors.push(mismatch(node, "text"));
        }
        scalar.text
    }
}

impl FromNode for bool {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        match node.kind {
            Kind::Bool(value) => Some(value),
            _ => {
                let hint = match node.scalar() {
                    Some("yes" | "on") => Some("write true".to_owned()),
                    Some("no" | "off") => Some("write false".to_owned()),
                    _ => None,
                };
                errors.push(mismatch(node, "true or false").maybe_hint(hint));
                None
            }
        }
    }
}

impl FromNode for u64 {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.kind {
            Kind::Number(n, _) if n.as_u64().is_some() => n.as_u64(),
            _ => {
                errors.push(mismatch(node, "a whole number, 0 or more"));
                None
            }
        }
    }
}

impl FromNode for f64 {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.kind {
            Kind::Number(n, _) => n.as_f64(),
            _ => {
                errors.push(mismatch(node, "a number"));
                None
            }
        }
    }
}

impl FromNode for DurationText {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        Scalar::from_node(node, errors).map(DurationText)
    }
}

impl FromNode for Anything {
    fn from_node(node: &Node, _: &mut Vec<Diagnostic>) -> Option<Self> {
        Some(Anything(node.clone()))
    }
}

impl<T: FromNode> FromNode for Vec<T> {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.kind {
            Kind::List(items) => Some(
                items
                    .iter()
                    .filter_map(|item| T::from_node(item, errors))
                    .collect(),
            ),
            _ => {
                errors.push(mismatch(node, "a list").hint("begin each entry with `- `"));
                None
            }
        }
    }
}

impl<T: FromNode> FromNode for OneOrMany<T> {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.kind {
            Kind::List(_) => Vec::from_node(node, errors).map(OneOrMany),
            _ => T::from_node(node, errors).map(|one| OneOrMany(vec![one])),
        }
    }
}

impl<T: FromNode> FromNode for Entries<T> {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            errors.push(mismatch(node, "a mapping of names to values"));
            return None;
        };
        let mut read = Vec::new();
        for (key, value) in entries {
            if let (Some(key), Some(value)) = (At::from_node(key, errors), T::from_node(value, errors)) {
                read.push((key, value));
            }
        }
        Some(Entries(read))
    }
}

/// The entries of a mapping with fixed keys, taken out by name.
pub struct Fields<'a> {
    entries: &'a [(Node, Node)],
}

impl<'a> Fields<'a> {
    /// Checks that the node is a mapping with only these keys.
    pub fn of(
        node: &'a Node,
        what: &str,
        known: &[&str],
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Fields<'a>> {
        let Kind::Map(entries) = &node.kind else {
            errors.push(flow_trap(node, mismatch(node, what)));
            return None;
        };
        for (key, _) in entries {
            let name = key.scalar().unwrap_or("");
            if !known.contains(&name) {
                let message = format!("{what} has no key `{}`", name.escape_debug());
                errors.push(Diagnostic::error(&key.span, message).hint(suggest(name, known)));
            }
        }
        Some(Fields { entries })
    }

    /// The value of a key, if the key is there and its value can be read.
    pub fn take<T: FromNode>(&self, name: &str, errors: &mut Vec<Diagnostic>) -> Option<T> {
        let (_, value) = self.entries.iter().find(|(key, _)| key.scalar() == Some(name))?;
        T::from_node(value, errors)
    }
}

/// A mapping with fixed keys, all of them optional.
pub trait Keyed: Sized {
    /// The keys it may have, in the order they are shown.
    fn keys() -> Vec<&'static str>;
    /// Takes the values of its keys.
    fn take(fields: &Fields, errors: &mut Vec<Diagnostic>) -> Self;
}

/// Declares a mapping with fixed keys, each of them optional, together with how it is read. A last
/// field with `..` in front lends its own keys to the mapping.
#[macro_export]
#[doc(hidden)]
macro_rules! mapping {
    ($(#[$meta:meta])* $name:ident is $what:literal {
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        $(..$flat:ident: $flat_type:ty,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[cfg_attr(test, schemars(deny_unknown_fields))]
        pub struct $name {
            $($(#[$field_meta])* #[cfg_attr(test, schemars(default))] pub $field: Option<$type>,)*
            $(
                /// The keys it shares with others.
                #[cfg_attr(test, schemars(flatten))]
                pub $flat: $flat_type,
            )?
        }

        impl $crate::scenario::decode::Keyed for $name {
            fn keys() -> Vec<&'static str> {
                let own = vec![$($crate::scenario::decode::key(stringify!($field)),)*];
                [own, $(<$flat_type as $crate::scenario::decode::Keyed>::keys(),)?].concat()
            }

            fn take(
                fields: &$crate::scenario::decode::Fields,
                errors: &mut Vec<$crate::scenario::diagnostic::Diagnostic>,
            ) -> Self {
                $name {
                    $($field: fields.take($crate::scenario::decode::key(stringify!($field)), errors),)*
                    $($flat: <$flat_type as $crate::scenario::decode::Keyed>::take(fields, errors),)?
                }
            }
        }

        impl $crate::scenario::decode::FromNode for $name {
            fn from_node(
                node: &$crate::scenario::yaml::Node,
                errors: &mut Vec<$crate::scenario::diagnostic::Diagnostic>,
            ) -> Option<Self> {
                let known = <Self as $crate::scenario::decode::Keyed>::keys();
                let fields = $crate::scenario::decode::Fields::of(node, $what, &known, errors)?;
                Some(<Self as $crate::scenario::decode::Keyed>::take(&fields, errors))
            }
        }
    };
}

/// A key's name without the `r#` that Rust's own words need.
pub const fn key(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// Gives a type the schema of another, in place.
macro_rules! schema_of {
    ($type:ty $([$generic:ident])?, $generator:ident => $schema:expr) => {
        #[cfg(test)]
        impl $(<$generic: JsonSchema>)? JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

schema_of!(Scalar, _generator => json_schema!({ "type": ["string", "number", "boolean", "null"] }));
schema_of!(DurationText, _generator => json_schema!({
    "type": ["string", "null"],
    "pattern": r"^\s*(0|([0-9.]+(us|ms|s|m|h|d)\s*)+)(\.\.\s*(0|([0-9.]+(us|ms|s|m|h|d)\s*)+))?$|\{\{"
}));
schema_of!(Anything, _generator => json_schema!(true));
schema_of!(At<T> [T], generator => generator.subschema_for::<T>());
schema_of!(Entries<T> [T], generator => {
    let value = generator.subschema_for::<T>();
    json_schema!({ "type": "object", "additionalProperties": value })
});
schema_of!(OneOrMany<T> [T], generator => {
    let one = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
});
