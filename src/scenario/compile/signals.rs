//! Signals: their names, and whether anybody gives those that are waited for.

use super::Compiler;
use crate::expr::Text;
use crate::scenario::decode::Scalar;
use crate::scenario::diagnostic::Span;

/// Which signals are given, and which are waited for without a limit.
#[derive(Default)]
pub(super) struct SignalUse {
    /// What their names begin with, and whether that is all.
    given: Vec<(String, bool)>,
    awaited: Vec<(Span, String)>,
}

impl SignalUse {
    fn is_given(&self, name: &str) -> bool {
        self.given.iter().any(|(given, whole)| match whole {
            true => given == name,
            false => name.starts_with(given.as_str()),
        })
    }
}

impl Compiler<'_> {
    /// A signal that is given.
    pub(super) fn given_signal(&mut self, scalar: &Scalar, names: &[String]) -> Option<Text> {
        let name = self.signal(scalar, names)?;
        self.signals.given.push(match &name {
            Text::Fixed(name) => (name.to_string(), true),
            Text::Template(expr) | Text::Value(expr) => {
                let source = expr.source();
                let end = ["{{", "{%", "{#"].iter().filter_map(|b| source.find(b)).min();
                (source[..end.unwrap_or(0)].to_owned(), false)
            }
        });
        Some(name)
    }

    /// A signal that is waited for; `limited`: only for a time.
    pub(super) fn awaited_signal(
        &mut self,
        scalar: &Scalar,
        names: &[String],
        limited: bool,
    ) -> Option<Text> {
        let name = self.signal(scalar, names)?;
        if let (Text::Fixed(name), false) = (&name, limited) {
            let awaited = (scalar.span.clone(), name.to_string());
            // A script stands here as often as it is run.
            if !self.signals.awaited.contains(&awaited) {
                self.signals.awaited.push(awaited);
            }
        }
        Some(name)
    }

    fn signal(&mut self, scalar: &Scalar, names: &[String]) -> Option<Text> {
        let missing = scalar.text.as_deref().unwrap_or("").is_empty();
        if missing {
            self.error(&scalar.span, "the name of a signal is missing");
            return None;
        }
        self.text(scalar, names)
    }

    /// Signals that are waited for without end, though no step gives them.
    pub(super) fn warn_of_signals(&mut self) {
        for (span, name) in std::mem::take(&mut self.signals.awaited) {
            if !self.signals.is_given(&name) {
                let message =
                    format!("nothing gives the signal `{name}`: whoever waits for it waits for ever");
                let hint = format!("add `- signal: {name}` to a stream, or give the wait a `for`");
                self.warn(&span, message, hint);
            }
        }
    }
}
