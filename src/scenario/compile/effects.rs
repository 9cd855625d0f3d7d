//! What a request causes before it is answered.

use super::Compiler;
use super::layers::Layers;
use super::place::Place;
use crate::expr::{Text, Tree};
use crate::scenario::decode::{Anything, Entries, Scalar};
use crate::scenario::model::{Assignments, Effects};

impl Compiler<'_> {
    /// The effects of an answer, those of the endpoint first; its `let` names come into scope.
    pub(super) fn effects(&mut self, layers: &Layers, place: &mut Place) -> Effects {
        let mut effects = Effects::default();
        for layer in layers.all() {
            if let Some(lets) = &layer.r#let {
                effects.lets.extend(self.lets(lets, place));
            }
        }
        for layer in layers.all() {
            if let Some(set) = &layer.set {
                effects.sets.push(self.assignments(set, &place.names));
            }
            if let Some(publish) = &layer.publish {
                effects.publish.extend(self.publishes(&publish.0, place));
            }
        }
        effects
    }

    /// Names and values; each name is in scope once it has its value.
    pub(super) fn lets(&mut self, file: &Entries<Anything>, place: &mut Place) -> Vec<(String, Tree)> {
        let mut lets = Vec::new();
        for (name, value) in &file.0 {
            self.name(name);
            lets.push((name.value.clone(), self.tree(&value.0, &place.names)));
            place.names.push(name.value.clone());
        }
        lets
    }

    /// New values of the state; keys may be templates, `~` deletes.
    pub(super) fn assignments(&mut self, file: &Entries<Anything>, names: &[String]) -> Assignments {
        let mut all: Vec<(Text, Option<Tree>)> = Vec::new();
        for (key, value) in &file.0 {
            let scalar = Scalar {
                span: key.span.clone(),
                text: Some(key.value.clone()),
            };
            if let Some(key) = self.text(&scalar, names) {
                let value = (!value.0.is_null()).then(|| self.tree(&value.0, names));
                all.push((key, value));
            }
        }
        all.into()
    }
}
