//! Answers of language models, in the shapes of the APIs that people mock most.

use std::marker::PhantomData;

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::mapping;
use crate::scenario::decode::{Anything, At, DurationText, FromNode, OneOrMany, Scalar, mismatch};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::preset::{Api, Expansion, expand};
use crate::scenario::yaml::{Kind, Node};

mapping! {
    /// What a model answers.
    ReplyFile is "a model's answer" {
        /// Answers by turn: the first until tools have answered, the next once they have, and so on; the last repeats. What a turn does not say is what stands beside `turns`.
        turns: Vec<TurnOrTextFile>,
        ..turn: TurnFile,
    }
}

mapping! {
    /// One answer of a model.
    TurnFile is "a turn" {
        /// The text, sent word by word, or a list: the pieces it is sent in.
        text: PiecesFile,
        /// What the model thinks before, as text or a list of pieces.
        reasoning: PiecesFile,
        /// Tools it calls.
        tools: OneOrMany<At<ToolFile>>,
        /// Why it ends, in the API's own word; as fits by default: the text is over, a tool is called.
        finish_reason: At<String>,
        /// How many tokens are counted.
        usage: At<UsageFile>,
        /// How fast it comes; at once if absent.
        pace: At<PaceFile>,
        /// An error instead of the answer, or in the middle of it.
        error: At<FailureFile>,
    }
}

mapping! {
    /// A call of a tool.
    ToolFile is "a tool call" {
        /// The tool's name.
        name: Scalar,
        /// What it is called with, by name; text is sent as it stands, be it JSON or not.
        arguments: Anything,
        /// The call's id; drawn by default.
        id: Scalar,
    }
}

mapping! {
    /// How many tokens are counted.
    UsageFile is "`usage`" {
        /// Of the request; the words of its messages by default.
        input: Anything,
        /// Of the answer; its pieces by default.
        output: Anything,
    }
}

mapping! {
    /// How fast an answer comes.
    PaceFile is "`pace`" {
        /// How long until the first event; an answer that is no stream comes when its last token would have.
        first_token: DurationText,
        /// How many pieces come a second; all at once if absent.
        tokens_per_second: At<f64>,
    }
}

mapping! {
    /// An error as the API tells it.
    FailureFile is "`error`" {
        /// The status code; as fits the type by default.
        status: At<u64>,
        /// The API's word for it: `rate_limit_error`, `overloaded_error`, `UNAVAILABLE`; as fits the status by default.
        r#type: At<String>,
        /// OpenAI's `code`; none by default.
        code: At<String>,
        /// What it says; as fits by default.
        message: Scalar,
        /// When the client may try again: the header `retry-after`, and `retry-after-ms` if it is no whole number of seconds.
        retry_after: DurationText,
        /// In mid-stream, behind so many pieces of the text; the error stands for the whole answer if absent.
        after: At<u64>,
    }
}

/// A turn, or its text.
#[derive(Debug, Clone)]
pub struct TurnOrTextFile(pub At<TurnFile>);

impl FromNode for TurnOrTextFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if matches!(node.kind, Kind::Map(_) | Kind::List(_)) || node.is_null() {
            return At::from_node(node, errors).map(TurnOrTextFile);
        }
        let value = TurnFile {
            text: PiecesFile::from_node(node, errors),
            ..TurnFile::default()
        };
        let span = node.span.clone();
        Some(TurnOrTextFile(At { span, value }))
    }
}

#[cfg(test)]
impl JsonSchema for TurnOrTextFile {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TurnOrTextFile".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<TurnFile>();
        json_schema!({ "anyOf": [{ "type": ["string", "number", "boolean"] }, long] })
    }
}

/// A text, or the pieces it is sent in.
#[derive(Debug, Clone)]
pub enum PiecesFile {
    /// To be sent word by word.
    Text(Node),
    /// To be sent piece by piece.
    List(Node),
}

impl PiecesFile {
    /// Where it stands.
    pub fn span(&self) -> &Span {
        let (PiecesFile::Text(node) | PiecesFile::List(node)) = self;
        &node.span
    }
}

impl FromNode for PiecesFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.kind {
            Kind::List(items) => {
                let pieces = items
                    .iter()
                    .filter_map(|item| Some(text(item, String::from_node(item, errors)?)));
                let kind = Kind::List(pieces.collect());
                let span = node.span.clone();
                Some(PiecesFile::List(Node { span, kind }))
            }
            Kind::Map(_) => {
                errors.push(mismatch(node, "text or a list of its pieces"));
                None
            }
            _ => Some(PiecesFile::Text(text(node, String::from_node(node, errors)?))),
        }
    }
}

/// Whatever YAML takes a scalar for, it is text.
fn text(node: &Node, text: String) -> Node {
    Node {
        span: node.span.clone(),
        kind: Kind::Text(text),
    }
}

#[cfg(test)]
impl JsonSchema for PiecesFile {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PiecesFile".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<OneOrMany<Scalar>>()
    }
}

/// A model's answer in the shape of an API, and the ordinary answers it stands for.
#[derive(Debug, Clone)]
pub struct PresetFile<A> {
    /// What it stands for.
    pub expansion: Expansion,
    api: PhantomData<A>,
}

impl<A: Api> FromNode for PresetFile<A> {
    /// A mistake leaves it without answers, so that what stands around it is not blamed for it.
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        let before = errors.len();
        let reply = reply(node, errors).filter(|_| errors.len() == before);
        let expansion = reply.and_then(|reply| expand::<A>(node, &reply, errors));
        Some(PresetFile {
            expansion: expansion.unwrap_or_else(|| Expansion::of::<A>(&node.span)),
            api: PhantomData,
        })
    }
}

fn reply(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<ReplyFile> {
    match node.kind {
        Kind::Map(_) => ReplyFile::from_node(node, errors),
        Kind::Null(_) | Kind::List(_) => {
            let hint = "for example: Hello from a mock., or { text: Hello, pace: { tokens_per_second: 20 } }";
            errors.push(mismatch(node, "a text or a mapping").hint(hint));
            None
        }
        _ => {
            let mut reply = ReplyFile::default();
            reply.turn.text = PiecesFile::from_node(node, errors);
            Some(reply)
        }
    }
}

#[cfg(test)]
impl<A: Api> JsonSchema for PresetFile<A> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PresetFile".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<ReplyFile>();
        let short = json_schema!({ "type": ["string", "number", "boolean"] });
        json_schema!({ "anyOf": [short, long] })
    }
}
