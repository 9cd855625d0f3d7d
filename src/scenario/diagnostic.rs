//! What is wrong with a scenario: where, what, and what to do about it.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

/// The text of one scenario file, shared by everything that points into it.
#[derive(Debug)]
pub struct Source {
    /// The name to show: the path as the user gave it.
    pub name: String,
    /// The whole file.
    pub text: String,
    /// The byte at which each line begins, found when first asked for.
    lines: OnceLock<Vec<usize>>,
}

/// The same file with the same text, whatever has been looked up in it.
impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        self.name == other.name && self.text == other.text
    }
}

impl Eq for Source {}

impl Source {
    /// A file's name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source {
            name: name.into(),
            text: text.into(),
            lines: OnceLock::new(),
        }
    }

    /// The number of the line that holds a byte, from 0, and where that line begins.
    fn line_of(&self, at: usize) -> (usize, usize) {
        let lines = self.lines.get_or_init(|| {
            let ends = self.text.match_indices('\n').map(|(end, _)| end + 1);
            std::iter::once(0).chain(ends).collect()
        });
        let line = lines.partition_point(|start| *start <= at) - 1;
        (line, lines[line])
    }
}

/// A piece of a source file, in bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub source: Arc<Source>,
    /// The byte range in it; empty where only a position is known.
    pub range: Range<usize>,
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

impl Span {
    /// File and line, for messages while serving: `chat.yaml:12`.
    pub fn place(&self) -> String {
        let at = self.range.start.min(self.source.text.len());
        format!("{}:{}", self.source.name, self.source.line_of(at).0 + 1)
    }

    /// Line and column, both from 1; columns count characters.
    pub fn position(&self) -> (usize, usize) {
        let at = self.range.start.min(self.source.text.len());
        let (line, start) = self.source.line_of(at);
        let (line, column) = (line + 1, self.source.text[start..at].chars().count() + 1);
        (line, column)
    }

    /// The text it covers.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range.clone()).unwrap_or("")
    }

    /// The first place of `word` at or behind the start, as a span of its own: narrows a caret
    /// from a whole value to the name in it. Falls back to the whole.
    pub fn narrow(&self, word: &str) -> Span {
        let end = self.range.end.max(self.range.start);
        let inside = self.source.text.get(self.range.start..end).unwrap_or("");
        let found = (!word.is_empty()).then(|| find_word(inside, word)).flatten();
        match found {
            Some(at) => {
                let start = self.range.start + at;
                Span {
                    source: self.source.clone(),
                    range: start..start + word.len(),
                }
            }
            None => self.clone(),
        }
    }
}

/// The place of `word` where it is not part of a longer name.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(at, _)| at).find(|&at| {
        !text[..at].chars().next_back().is_some_and(part)
            && !text[at + word.len()..].chars().next().is_some_and(part)
    })
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The scenario is refused.
    Error,
    /// It is served, but probably not what was meant.
    Warning,
}

/// One finding in a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Another place that belongs to it, and what stands there.
    pub related: Option<(Span, String)>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(span: &Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            span: span.clone(),
            message: message.into(),
            hint: None,
            related: None,
        }
    }

    /// A warning at a place.
    pub fn warning(span: &Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::error(span, message)
        }
    }

    /// With a hint on what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// With a hint, if there is one.
    pub fn maybe_hint(mut self, hint: Option<String>) -> Diagnostic {
        self.hint = hint.or(self.hint);
        self
    }

    /// With another place that belongs to it.
    pub fn related(mut self, span: &Span, what: impl Into<String>) -> Diagnostic {
        self.related = Some((span.clone(), what.into()));
        self
    }

    /// As shown in a terminal: the source line with a caret, the message, the hint.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group =
            level
                .primary_title(&self.message)
                .element(snippet(&self.span, AnnotationKind::Primary, None));
        if let Some((span, what)) = &self.related {
            group = group.element(snippet(span, AnnotationKind::Context, Some(what)));
        }
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint));
        }
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group])
    }

    /// As data, for editors and CI.
    pub fn to_json(&self) -> serde_json::Value {
        let (line, column) = self.span.position();
        serde_json::json!({
            "severity": self.severity,
            "file": self.span.source.name,
            "line": line,
            "column": column,
            "message": self.message,
            "hint": self.hint,
        })
    }
}

fn snippet<'a>(
    span: &'a Span,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = &span.source.text;
    let (line, start) = line_at(&span.source, span.range.start);
    // A value of many lines is shown by its first line: the caret says where it begins.
    // It may begin behind what is shown, among carriage returns at the end.
    let from = (span.range.start.min(text.len()) - start).min(line.len());
    let to = (span.range.end.max(span.range.start) - start)
        .min(line.len())
        .max(from);
    let number = span.position().0;
    Snippet::source(line)
        .line_start(number)
        .path(&span.source.name)
        .annotation(kind.span(from..to).label(label))
}

/// The line (without its end) that holds a byte, shortened where it is very long, and its start.
fn line_at(source: &Source, at: usize) -> (&str, usize) {
    let text = &source.text;
    let at = at.min(text.len());
    let (_, start) = source.line_of(at);
    let end = text[at..].find('\n').map_or(text.len(), |i| at + i);
    let mut cut = end.min(at + 200);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    (text[start..cut].trim_end_matches('\r'), start)
}

/// All findings as one text, errors and warnings in file order, with a closing count.
pub fn render_all(diagnostics: &[Diagnostic], colour: bool) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let _ = writeln!(out, "{}\n", diagnostic.render(colour));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_among_carriage_returns_is_shown_at_the_end_of_its_line() {
        let source = Arc::new(Source::new("test.yaml", "a\nb\r\r\r\nc".to_owned()));
        for start in 2..7 {
            let range = start..start + 1;
            let span = Span {
                source: source.clone(),
                range,
            };
            let shown = Diagnostic::error(&span, "wrong").render(false);
            assert!(shown.contains("test.yaml:2:"), "{shown}");
        }
    }
}
