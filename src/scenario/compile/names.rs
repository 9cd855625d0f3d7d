//! What expressions may say where: the few calls that depend on it.

use super::Compiler;
use super::layers::Layers;
use super::place::Place;
use crate::expr::{Expr, Fault};
use crate::scenario::decode::{At, Scalar};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::pattern::valid_name;

/// Names that only an answer to a request has.
const OF_REQUESTS: &[&str] = &["request", "attempt", "last_event_id", "base"];

impl Compiler<'_> {
    /// A condition: an expression without braces.
    pub(super) fn condition(&mut self, scalar: &Scalar, key: &str, names: &[String]) -> Option<Expr> {
        self.bare(scalar, key, names, Compiler::compile_condition)
    }

    /// The condition of an endpoint or entry, which is asked before the `let` of its layers.
    pub(super) fn when(&mut self, scalar: &Scalar, place: &Place, layers: &Layers) -> Option<Expr> {
        let first = self.errors.len();
        let condition = self.condition(scalar, "when", &place.names);
        let lets = layers.all().filter_map(|layer| layer.r#let.as_ref());
        let names: Vec<&str> = lets
            .flat_map(|l| &l.0)
            .map(|(name, _)| name.value.as_str())
            .collect();
        for error in &mut self.errors[first..] {
            if names
                .iter()
                .any(|name| error.message == format!("there is no name `{name}`"))
            {
                error.hint = Some("`let` comes after `when`, so its names are not there yet".into());
            }
        }
        condition
    }

    /// An expression without braces that yields any value.
    pub(super) fn expression(&mut self, scalar: &Scalar, key: &str, names: &[String]) -> Option<Expr> {
        self.bare(scalar, key, names, |this, source, names| {
            this.expressions.expr(source, names)
        })
    }

    fn bare(
        &mut self,
        scalar: &Scalar,
        key: &str,
        names: &[String],
        compile: impl Fn(&mut Self, &str, &[String]) -> Result<Expr, Fault>,
    ) -> Option<Expr> {
        let Some(source) = &scalar.text else {
            self.error(&scalar.span, format!("`{key}` needs an expression"));
            return None;
        };
        self.uses.note(source);
        let expr = self.at(&scalar.span, |this| compile(this, source, names));
        expr.map_err(|fault| self.fault(&scalar.span, fault)).ok()
    }

    /// Compiles what stands at a place, and remarks on it.
    pub(super) fn at<T>(&mut self, span: &Span, compile: impl FnOnce(&mut Self) -> T) -> T {
        self.expressions.stands_at(&span.place());
        let compiled = compile(self);
        let remarks = self.expressions.take_remarks();
        for Fault { message, hint, word } in remarks.slips {
            let warning = Diagnostic::warning(&span.narrow(&word), message);
            self.errors.push(warning.maybe_hint(hint));
        }
        let named = remarks.topics.into_iter();
        self.uses
            .named
            .extend(named.map(|name| (span.narrow(&name), name)));
        compiled
    }

    fn compile_condition(&mut self, source: &str, names: &[String]) -> Result<Expr, Fault> {
        self.expressions.condition(source, names)
    }

    /// Compiles without what only requests have: a feed answers nobody.
    pub(super) fn without_request<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        self.hide(OF_REQUESTS, "a feed runs by itself, for all followers");
        let compiled = compile(self);
        self.show_all();
        compiled
    }

    /// Compiles without `attempt`, which is counted by what is being compiled.
    pub(super) fn without_attempt<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        self.hide(&["attempt"], "attempts are counted by what `client` yields");
        let compiled = compile(self);
        self.show_all();
        compiled
    }

    fn hide(&mut self, names: &'static [&'static str], why: &str) {
        self.expressions.hide(names, why);
    }

    fn show_all(&mut self) {
        self.expressions.show_all();
    }

    /// A name that expressions can use.
    pub(super) fn name(&mut self, name: &At<String>) {
        if let Err(message) = valid_name(&name.value) {
            self.error(&name.span, message);
        }
    }
}
