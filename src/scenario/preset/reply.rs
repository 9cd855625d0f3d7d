//! What an answer is made of, checked: the same for every API.

use serde_json::{Value as Json, json};

use super::Api;
use super::draft::text;
use crate::scenario::diagnostic::Span;
use crate::scenario::duration;
use crate::scenario::file::PiecesFile;
use crate::scenario::yaml::{Kind, Node};

/// One turn's answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Where it stands.
    pub span: Span,
    /// The text; `None` where tools are called without a word.
    pub text: Option<PiecesFile>,
    /// What is thought before.
    pub reasoning: Option<PiecesFile>,
    /// The tools it calls.
    pub tools: Vec<Tool>,
    /// Why it ends, if the user says so.
    pub finish_reason: Option<String>,
    pub(super) input: Option<Node>,
    pub(super) output: Option<Node>,
    pub(super) pace: Pace,
    /// What goes wrong.
    pub failure: Option<Failure>,
}

/// A call of a tool.
#[derive(Debug, Clone)]
pub struct Tool {
    pub(super) name: Node,
    /// As written.
    pub(super) arguments: Node,
    /// The value that written text tells.
    pub(super) value: Option<Node>,
    pub(super) id: Option<Node>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    pub first: Option<String>,
    /// Milliseconds between two pieces.
    pub every: Option<f64>,
}

/// An error as an API tells it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The status code.
    pub status: u16,
    /// The API's word for it.
    pub kind: String,
    /// OpenAI's `code`.
    pub code: Option<String>,
    pub(super) message: Option<Node>,
    pub(super) headers: Json,
    /// Behind so many pieces of the text.
    pub after: Option<u64>,
}

impl Tool {
    /// The arguments as a value, of the call of this number: an expression in braces.
    pub fn value(&self, number: usize) -> String {
        let field = if self.value.is_some() {
            "value"
        } else {
            "arguments"
        };
        format!("{{{{ _tools[{number}].{field} }}}}")
    }
}

impl Failure {
    /// The whole answer.
    pub(super) fn answer<A: Api>(&self) -> Json {
        let mut answer = json!({ "status": self.status.to_string(), "json": A::failure(self) });
        if self
            .headers
            .as_object()
            .is_some_and(|headers| !headers.is_empty())
        {
            answer["headers"] = self.headers.clone();
        }
        answer
    }
}

impl Reply {
    /// Whether tools are called.
    pub fn calls(&self) -> bool {
        !self.tools.is_empty()
    }

    /// Why it ends: what the user says, or what fits.
    pub fn finish(&self, spoken: &str, called: &str) -> String {
        let fits = if self.calls() { called } else { spoken };
        self.finish_reason.clone().unwrap_or_else(|| fits.to_owned())
    }

    /// The names that the API's shapes are made of.
    pub(super) fn lets<A: Api>(&self) -> Vec<(&'static str, Node)> {
        let ours = |text: String| self::text(&self.span, &text);
        let drawn = |prefix: &str| format!("{prefix}{{{{ uuid() | replace('-', '') }}}}");
        let mut lets = Vec::new();
        if let Some(failure) = &self.failure {
            let said = failure.message.clone();
            let plain = || format!("the mock was told to answer with {}", failure.status);
            lets.push(("_message", said.unwrap_or_else(|| ours(plain()))));
            if failure.after.is_none() {
                return lets;
            }
        }
        lets.push(("_id", ours(drawn(A::ID))));
        lets.push((
            "_model",
            ours(format!("{{{{ {} | default('mock') }}}}", A::MODEL)),
        ));
        pieces(&mut lets, ["_text", "_tokens"], self.text.as_ref(), &ours);
        pieces(
            &mut lets,
            ["_reasoning", "_thoughts"],
            self.reasoning.as_ref(),
            &ours,
        );
        if self.calls() {
            let tools = self.tools.iter().map(|tool| {
                let id = tool.id.clone().unwrap_or_else(|| ours(drawn(A::CALL)));
                let mut entries = vec![
                    ("id", id),
                    ("name", tool.name.clone()),
                    ("arguments", tool.arguments.clone()),
                ];
                entries.extend(tool.value.clone().map(|value| ("value", value)));
                let entries = entries.into_iter().map(|(key, value)| (ours(key.into()), value));
                Node {
                    span: self.span.clone(),
                    kind: Kind::Map(entries.collect()),
                }
            });
            let kind = Kind::List(tools.collect());
            lets.push((
                "_tools",
                Node {
                    span: self.span.clone(),
                    kind,
                },
            ));
        }
        lets.push((
            "_input",
            self.input.clone().unwrap_or_else(|| {
                ours(format!(
                    "{{{{ {} | default([]) | string | words | length }}}}",
                    A::MESSAGES
                ))
            }),
        ));
        lets.push((
            "_output",
            self.output
                .clone()
                .unwrap_or_else(|| ours(format!("{{{{ {} }}}}", self.counted()))),
        ));
        lets
    }

    /// The number of pieces that are sent: an expression.
    fn counted(&self) -> String {
        let mut counts = Vec::new();
        if self.reasoning.is_some() {
            counts.push("_thoughts | length".to_owned());
        }
        if self.text.is_some() {
            counts.push(format!("{} | length", self.tokens()));
        }
        let called = if self.failure.is_some() {
            0
        } else {
            self.tools.len()
        };
        for number in 0..called {
            counts.push(format!("{} | length", arguments(number)));
        }
        let counts: Vec<String> = counts.iter().map(|count| format!("({count})")).collect();
        if counts.is_empty() {
            "0".into()
        } else {
            counts.join(" + ")
        }
    }

    /// How long until the first event.
    fn first(&self) -> Option<&str> {
        self.pace.first.as_deref()
    }

    /// A step that is the first of the stream.
    pub fn opening(&self, mut step: Json) -> Json {
        if let Some(first) = self.first() {
            step["after"] = json!(first);
        }
        step
    }

    /// A step for each piece of a list: an expression.
    pub fn each(&self, list: &str, steps: Json) -> Json {
        let mut each = json!({ "in": format!("{{{{ {list} }}}}"), "as": "_piece" });
        if let Some(every) = self.pace.every {
            each["every"] = json!(format!("{every:.3}ms"));
        }
        each["steps"] = steps;
        json!({ "for_each": each })
    }

    /// The same where the first piece is the first event of the stream.
    pub fn each_from_the_first(&self, list: &str, steps: Json) -> Vec<Json> {
        if self.pace.every.is_none() {
            return vec![self.opening(self.each(list, steps))];
        }
        let mut first = self.each(&format!("{list}[:1]"), steps.clone());
        if let Some(each) = first["for_each"].as_object_mut() {
            each.remove("every");
        }
        vec![self.opening(first), self.each(&format!("{list}[1:]"), steps)]
    }

    /// The pieces of the text, up to the error: an expression.
    pub fn tokens(&self) -> String {
        match self.failure.as_ref().and_then(|failure| failure.after) {
            Some(after) => format!("_tokens[:{after}]"),
            None => "_tokens".into(),
        }
    }

    /// A step for each piece of the text, up to the error.
    pub fn each_token(&self, steps: Json) -> Json {
        self.each(&self.tokens(), steps)
    }

    /// A whole answer, when its last piece would have come; a range is drawn with all other times.
    pub(super) fn in_time<A: Api>(&self, mut answer: Json) -> Json {
        let first = self.first().and_then(|text| duration::parse_range(text).ok());
        let alone = self
            .failure
            .as_ref()
            .is_some_and(|failure| failure.after.is_none());
        let after = match (self.first(), self.pace.every.filter(|_| !alone)) {
            (None, None) => return answer,
            (Some(first), None) => first.to_owned(),
            (_, Some(every)) => {
                let opening = if A::OPENS { 0 } else { 1 };
                let later = format!(
                    "([{} - {opening}, 0] | max) * {:.0}",
                    self.counted(),
                    every * 1000.0
                );
                let bound = |time: std::time::Duration| format!("{{{{ {} + {later} }}}}us", time.as_micros());
                match first {
                    Some(range) if range.low < range.high => {
                        format!("{}..{}", bound(range.low), bound(range.high))
                    }
                    range => bound(range.map_or_else(Default::default, |range| range.low)),
                }
            }
        };
        answer["after"] = json!(after);
        answer
    }
}

/// The pieces of a call's arguments: an expression.
pub fn arguments(number: usize) -> String {
    format!("_tools[{number}].arguments | string | chunks(8)")
}

/// The two names of a text: the whole, and its pieces.
fn pieces(
    lets: &mut Vec<(&'static str, Node)>,
    [whole, list]: [&'static str; 2],
    written: Option<&PiecesFile>,
    ours: &impl Fn(String) -> Node,
) {
    match written {
        None => {}
        Some(PiecesFile::Text(node)) => {
            lets.push((whole, node.clone()));
            lets.push((list, ours(format!("{{{{ {whole} | words }}}}"))));
        }
        Some(PiecesFile::List(node)) => {
            lets.push((list, node.clone()));
            lets.push((whole, ours(format!("{{{{ {list} | map('string') | join }}}}"))));
        }
    }
}
