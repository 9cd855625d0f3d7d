//! What an entry inherits: the endpoint's words, then those of the entries around it, then its own.

use crate::scenario::decode::At;
use crate::scenario::file::{AnswerFile, HeaderFile, WireFile};

/// An answer's words, outermost first; the innermost that says something counts.
#[derive(Clone, Default)]
pub(super) struct Layers<'a>(Vec<&'a AnswerFile>);

impl<'a> Layers<'a> {
    /// With one more layer inside.
    pub fn with(&self, own: &'a AnswerFile) -> Layers<'a> {
        let mut layers = self.0.clone();
        layers.push(own);
        Layers(layers)
    }

    /// With one more layer beneath all others.
    pub fn above(&self, base: &'a AnswerFile) -> Layers<'a> {
        let mut layers = vec![base];
        layers.extend(&self.0);
        Layers(layers)
    }

    /// Outermost first.
    pub fn all(&self) -> impl Iterator<Item = &'a AnswerFile> + use<'a> {
        self.0.clone().into_iter()
    }

    /// What the innermost layer that has it says.
    pub fn last<T>(&self, get: impl Fn(&'a AnswerFile) -> Option<&'a T>) -> Option<&'a T> {
        self.0.iter().rev().find_map(|layer| get(layer))
    }

    /// The same for a key of `wire`, which is inherited key by key.
    pub fn wire<T>(&self, get: impl Fn(&'a WireFile) -> Option<&'a T>) -> Option<&'a T> {
        self.last(|layer| layer.wire.as_ref().and_then(|wire| get(&wire.value)))
    }

    /// Headers by name, compared without case: an inner one replaces an outer one.
    pub fn headers(&self) -> Vec<(&'a At<String>, &'a HeaderFile)> {
        let mut all: Vec<(&At<String>, &HeaderFile)> = Vec::new();
        for layer in &self.0 {
            let own = layer.headers.iter().flat_map(|h| &h.0);
            let own: Vec<_> = own.map(|(name, values)| (name, values)).collect();
            let replaced = |name: &str| own.iter().any(|(own, _)| own.value.eq_ignore_ascii_case(name));
            all.retain(|(name, _)| !replaced(&name.value));
            all.extend(own);
        }
        all
    }

    /// The innermost layer that says what the body is.
    pub fn body(&self) -> Option<&'a AnswerFile> {
        let with_body = |layer: &&&AnswerFile| !bodies(layer).is_empty();
        self.0.iter().rev().find(with_body).copied()
    }
}

/// The keys of a layer that say what the body is.
pub(super) fn bodies(file: &AnswerFile) -> Vec<&'static str> {
    [
        ("body", file.body.is_some()),
        ("json", file.json.is_some()),
        ("file", file.file.is_some()),
        ("files", file.files.is_some()),
        ("stream", file.stream.is_some()),
        ("end", file.end.is_some()),
        ("openai_chat", file.openai_chat.is_some()),
        ("openai_responses", file.openai_responses.is_some()),
        ("anthropic_messages", file.anthropic_messages.is_some()),
        ("gemini", file.gemini.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, there)| there.then_some(key))
    .collect()
}
