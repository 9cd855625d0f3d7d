//! Presets: a model's answer, said in a line → the ordinary answers and steps it stands for.
//!
//! An API says how its stream and its whole answer look (`openai_chat`, `openai_responses`, `anthropic`,
//! `gemini`); `read` checks what they are made of, the `reply`; `draft` makes nodes of it. What a user wrote stands in `let`s, with
//! its own place in the file, so that mistakes are told where they were made.

mod anthropic;
mod draft;
mod gemini;
mod openai_chat;
mod openai_responses;
mod read;
mod reply;

use serde_json::{Value as Json, json};

use super::decode::{At, FromNode};
use super::diagnostic::{Diagnostic, Span};
use super::file::{AnswerFile, EntryFile, ReplyFile};
use super::model::Preset;
use super::yaml::Node;
use draft::Draft;
use reply::{Failure, Reply};

pub use anthropic::AnthropicMessages;
pub use gemini::Gemini;
pub use openai_chat::OpenAiChat;
pub use openai_responses::OpenAiResponses;

/// When all answers of a mock were made, in seconds since 1970 (2026-01-01T00:00:00Z): the same in every run.
const CREATED: u64 = 1_767_225_600;

/// The ordinary answers that a preset stands for.
#[derive(Debug, Clone)]
pub struct Expansion {
    /// The API.
    pub api: Preset,
    /// Where it stands.
    pub span: Span,
    /// The paths of the API, for an endpoint that names none.
    pub paths: &'static [&'static str],
    /// What holds beneath all that the user says.
    pub base: Box<AnswerFile>,
    /// The cases, in order.
    pub entries: Vec<At<EntryFile>>,
}

impl Expansion {
    /// One without answers.
    pub(super) fn of<A: Api>(span: &Span) -> Expansion {
        Expansion {
            api: Preset {
                key: A::KEY,
                sample: A::SAMPLE,
            },
            span: span.clone(),
            paths: A::PATHS,
            base: Box::default(),
            entries: Vec::new(),
        }
    }
}

/// The shapes of an API. Expressions see the `let`s of `Reply::draft`: `_id`, `_model`, `_text`, `_tokens`….
pub trait Api {
    /// The preset's key.
    const KEY: &'static str;
    /// Its paths.
    const PATHS: &'static [&'static str];
    /// Query and body of a request that asks for a stream.
    const SAMPLE: (&'static str, &'static str);
    /// How its ids begin.
    const ID: &'static str;
    /// Where a request names its model: an expression.
    const MODEL: &'static str;
    /// Where a request has its messages: an expression.
    const MESSAGES: &'static str;
    /// How a call's id begins.
    const CALL: &'static str;
    /// The status of an error that names none, and the words for each status.
    const ERRORS: &'static [(u16, &'static str)];

    /// Whether its errors have a `code` besides their type.
    const CODES: bool = false;
    /// Whether its stream begins with an event before the first piece.
    const OPENS: bool = true;
    /// Whether it tells a call's arguments as values, never as text.
    const VALUES: bool = false;
    /// The reasons why an answer may end, where it matters which.
    const FINISH: Option<&'static [&'static str]> = None;

    /// Whether an error of this type is told within an answer, be it after no piece at all.
    fn within(_kind: &str) -> bool {
        false
    }
    /// Which requests ask for a stream: an expression.
    fn streamed() -> &'static str {
        "request.json.stream"
    }
    /// How often tools have answered since the person spoke: an expression.
    fn turn() -> String {
        format!("{} | turn", Self::MESSAGES)
    }
    /// What holds beneath all that the user says.
    fn base() -> Json {
        json!({})
    }
    /// What an answer of a later turn leaves in the state.
    fn remember(_turn: usize) -> Option<Json> {
        None
    }
    /// The steps of the stream.
    fn stream(reply: &Reply) -> Vec<Json>;
    /// The whole answer.
    fn whole(reply: &Reply) -> Json;
    /// An error's body; the stream tells it alike.
    fn failure(failure: &Failure) -> Json;
    /// A whole answer that tells of the error in mid-stream, where that is not another status.
    fn failed(_reply: &Reply) -> Option<Json> {
        None
    }
    /// A stream that is asked for in another form than as events: its condition and its body.
    fn other_form(_reply: &Reply) -> Option<(&'static str, Json)> {
        None
    }
}

/// Turns what a user wrote into ordinary answers, or adds to the errors.
pub(super) fn expand<A: Api>(
    node: &Node,
    file: &ReplyFile,
    errors: &mut Vec<Diagnostic>,
) -> Option<Expansion> {
    let turns = read::turns::<A>(node, file, errors)?;
    let mut entries = Vec::new();
    let last = turns.len() - 1;
    for (number, reply) in turns.iter().enumerate() {
        let turn = (number < last).then(|| format!("({}) == {number}", A::turn()));
        let remembered = A::remember(number).filter(|_| number > 0);
        for entry in answers::<A>(reply, turn.as_deref(), remembered) {
            entries.extend(At::from_node(&entry, errors));
        }
    }
    let base = draft::node(&node.span, &A::base());
    Some(Expansion {
        base: Box::new(AnswerFile::from_node(&base, errors)?),
        entries,
        ..Expansion::of::<A>(&node.span)
    })
}

/// The cases of one turn: the stream, and the whole answer; or the error that stands for both.
fn answers<A: Api>(reply: &Reply, turn: Option<&str>, remembered: Option<Json>) -> Vec<Node> {
    let error = reply.failure.as_ref();
    let draft = |when: &[Option<&str>], answer: Json| {
        let when: Vec<String> = when.iter().flatten().map(|when| format!("({when})")).collect();
        let mut draft = Draft::new(&reply.span);
        if !when.is_empty() {
            draft.put("when", json!(when.join(" and ")));
        }
        draft.lets(reply.lets::<A>());
        draft.merge(answer);
        draft
    };
    let good = |when: &[Option<&str>], mut answer: Json| {
        if let Some(set) = &remembered {
            answer["set"] = set.clone();
        }
        draft(when, answer).done()
    };
    let failed = |failure: &Failure| draft(&[turn], reply.in_time::<A>(failure.answer::<A>())).done();
    let Some(failure) = error.filter(|failure| failure.after.is_none()) else {
        let mut all = vec![good(
            &[turn, Some(A::streamed())],
            json!({ "stream": A::stream(reply) }),
        )];
        if let Some((when, body)) = A::other_form(reply) {
            all.push(good(
                &[turn, Some(when)],
                reply.in_time::<A>(json!({ "json": body })),
            ));
        }
        all.push(match (error, A::failed(reply)) {
            (Some(_), Some(body)) => good(&[turn], reply.in_time::<A>(json!({ "json": body }))),
            (Some(failure), None) => failed(failure),
            (None, _) => good(&[turn], reply.in_time::<A>(json!({ "json": A::whole(reply) }))),
        });
        return all;
    };
    vec![failed(failure)]
}
