//! What can never happen: endpoints and cases behind others that take everything.

use super::Compiler;
use super::choice::falls_through;
use crate::scenario::decode::At;
use crate::scenario::diagnostic::{Diagnostic, Severity, Span};
use crate::scenario::model::{Endpoint, Endpoints, Methods};
use crate::scenario::pattern::Pattern;

/// Pairs of endpoints that are compared: a warning is not worth more time.
const MOST_PAIRS: usize = 10_000_000;

impl Compiler<'_> {
    /// What is of no use: asked only once nothing is wrong, as mistakes have it follow.
    pub(super) fn warn_of_what_never_happens(&mut self, spans: &[Span], endpoints: &Endpoints) {
        if self.errors.iter().all(|d| d.severity == Severity::Warning) {
            self.warn_of_topics();
            self.warn_of_signals();
            self.warn_of_scripts();
            self.warn_of_endpoints(spans, endpoints);
        }
    }

    /// Endpoints behind one that takes all their requests.
    fn warn_of_endpoints(&mut self, spans: &[Span], endpoints: &Endpoints) {
        let mut pairs = 0;
        for (i, endpoint) in endpoints.iter().enumerate() {
            // Whatever takes all of its requests takes this one.
            let example = endpoint.paths.first().map(Pattern::example).unwrap_or_default();
            let mut near = endpoints.near_numbers(&example);
            near.retain(|number| *number < i);
            pairs += near.len();
            if pairs > MOST_PAIRS {
                return;
            }
            let first = near
                .into_iter()
                .find(|number| takes_all_of(&endpoints[*number], endpoint));
            if let Some(first) = first {
                let message = format!(
                    "this endpoint is never reached: `{}` before it takes all its requests",
                    title(&endpoints[first])
                );
                let hint = "put it first, or give the other one a `when`";
                let warning = Diagnostic::warning(&spans[i], message).hint(hint);
                self.errors
                    .push(warning.related(&spans[first], "this one answers first"));
            }
        }
    }

    /// What stands in a list twice.
    pub(super) fn warn_of_repeated(&mut self, key: &str, list: &[At<String>]) {
        for (i, entry) in list.iter().enumerate() {
            if list[..i].iter().any(|before| before.value == entry.value) {
                let message = format!("the {key} `{}` stands in this list twice", entry.value);
                self.warn(&entry.span, message, "remove one of them");
            }
        }
    }

    /// A case behind one that always applies.
    pub(super) fn unreachable_case(&mut self, span: &Span, closed: &Span) {
        let message = "this case is never reached: the one before it has no `when` and takes all requests";
        let warning = Diagnostic::warning(span, message).hint("put it first, or give the other one a `when`");
        self.errors
            .push(warning.related(closed, "this one answers first"));
    }
}

fn title(endpoint: &Endpoint) -> String {
    format!("{} {}", endpoint.methods.describe(), endpoint.path())
}

fn takes_all_of(before: &Endpoint, endpoint: &Endpoint) -> bool {
    let methods = match (&before.methods, &endpoint.methods) {
        (Methods::Any, _) => true,
        (Methods::Only(_), Methods::Any) => false,
        (Methods::Only(own), Methods::Only(list)) => list.iter().all(|m| own.contains(m)),
    };
    let hosts = match (&before.hosts, &endpoint.hosts) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(before), Some(own)) => own.iter().all(|own| before.iter().any(|rule| rule.covers(own))),
    };
    let paths = endpoint
        .paths
        .iter()
        .all(|path| before.paths.iter().any(|own| own.covers(path)));
    methods && hosts && paths && before.when.is_none() && !falls_through(&before.choice)
}
