//! Steps as they are written: an event, or a step that is known by its leading key.

use super::{
    DisconnectFile, FollowStepFile, OfflineFile, PublishStepFile, ReplayStepFile, SignalFile, SplitFile,
    WaitForFile,
};
use crate::mapping;
use crate::scenario::decode::{Anything, At, DurationText, Entries, FromNode, Keyed, Scalar, mismatch};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::yaml::{Kind, Node};
use crate::spelling::suggest;

mapping! {
    /// An event.
    EventFile is "an event" {
        /// A comment line, which clients ignore.
        comment: Scalar,
        /// The event's type; clients take `message` if absent.
        event: Scalar,
        /// The event's data: text (each line its own field), or a mapping or list that becomes compact JSON.
        data: Anything,
        /// The event's id: `uuid`, `counter`, or a template.
        id: Scalar,
        /// The client's reconnection time.
        retry: DurationText,
        /// How long after the previous step was due.
        after: DurationText,
        /// Repeats the event on a schedule, first after one interval.
        every: DurationText,
        /// How often `every` repeats it; for ever if absent.
        times: At<u64>,
        /// A condition that `every` asks before each event; the first time it does not hold ends the repetition.
        r#while: Scalar,
        /// How its bytes are cut into writes.
        split: At<SplitFile>,
    }
}

mapping! {
    /// A pause.
    WaitFile is "a `wait` step" {
        /// How long.
        wait: DurationText,
        /// Not for pauses.
        after: DurationText,
    }
}

mapping! {
    /// Bytes as they are, in one write.
    RawStepFile is "a `raw` step" {
        /// Text, `{ hex }`, `{ base64 }`, `{ file }`, `{ fill }`, or a list of these.
        raw: RawFile,
        /// How they are cut into writes.
        split: At<SplitFile>,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

/// Text, other forms of bytes, or a list of both.
#[derive(Debug, Clone)]
pub struct RawFile(pub Vec<RawPieceFile>);

impl RawFile {
    /// Where the first part stands.
    pub fn span(&self) -> Option<&Span> {
        self.0.first().map(|piece| match piece {
            RawPieceFile::Text(scalar) => &scalar.span,
            RawPieceFile::Form(at) => &at.span,
        })
    }
}

/// A part of raw bytes.
#[derive(Debug, Clone)]
pub enum RawPieceFile {
    /// Text, rendered.
    Text(Scalar),
    /// Another form of bytes.
    Form(Box<At<RawFormFile>>),
}

mapping! {
    /// Bytes in another form: one of these.
    RawFormFile is "raw bytes" {
        /// Hexadecimal digits, spaces between them allowed.
        hex: At<String>,
        /// Base64.
        base64: At<String>,
        /// A file beside the scenario.
        file: At<String>,
        /// So many bytes: `5MiB`.
        fill: Scalar,
        /// What `fill` repeats; `x` by default.
        with: At<String>,
    }
}

mapping! {
    /// Steps whose bytes go out in one write.
    OneWriteFile is "a `one_write` step" {
        /// The steps; none of them may take time.
        one_write: Vec<StepFile>,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

mapping! {
    /// Steps that are repeated.
    RepeatFile is "a `repeat` step" {
        /// What is repeated, and when.
        repeat: RepeatRulesFile,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// What is repeated, and when.
    RepeatRulesFile is "`repeat`" {
        /// The interval of the schedule, first after one interval; without it each round follows the last.
        every: DurationText,
        /// How often; for ever if absent.
        times: At<u64>,
        /// A condition, asked before each round; the first time it does not hold ends the repetition.
        r#while: Scalar,
        /// The steps.
        steps: Vec<StepFile>,
    }
}

mapping! {
    /// Steps for each entry of a list.
    ForEachFile is "a `for_each` step" {
        /// The list and the steps.
        for_each: ForEachRulesFile,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// A list and the steps for each of its entries.
    ForEachRulesFile is "`for_each`" {
        /// A list, an expression that yields one, or a file beside the scenario: .json, .ndjson, .jsonl, .csv.
        r#in: Anything,
        /// The name of the entry at hand in expressions; `item` by default.
        r#as: At<String>,
        /// The interval of the schedule, first after one interval; without it each entry follows the last.
        every: DurationText,
        /// The steps.
        steps: Vec<StepFile>,
    }
}

mapping! {
    /// One of several lists of steps.
    ChooseFile is "a `choose` step" {
        /// The lists and their weights.
        choose: Vec<At<ChoiceFile>>,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// A list of steps and how likely it is.
    ChoiceFile is "a choice" {
        /// How likely, against the others' weights; 1 by default.
        weight: At<u64>,
        /// The steps.
        steps: Vec<StepFile>,
    }
}

mapping! {
    /// Steps under a condition.
    IfFile is "an `if` step" {
        /// The condition: an expression without braces.
        r#if: Scalar,
        /// The steps if it holds.
        then: Vec<StepFile>,
        /// The steps if it does not.
        r#else: Vec<StepFile>,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

mapping! {
    /// Lists of steps side by side.
    ParallelFile is "a `parallel` step" {
        /// The lists, interleaved by due time; the next step comes when all are done.
        parallel: Vec<Vec<StepFile>>,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// Gives names values for the rest of the stream.
    LetFile is "a `let` step" {
        /// Names and values, in order; each sees those before it.
        r#let: Entries<Anything>,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

mapping! {
    /// Changes the state that all requests share.
    SetFile is "a `set` step" {
        /// Names and values; `~` deletes. All values are those before the change.
        set: Entries<Anything>,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

mapping! {
    /// Runs a script.
    RunFile is "a `run` step" {
        /// The script's name.
        run: At<String>,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// Silence, even of heartbeats.
    StallFile is "a `stall` step" {
        /// How long.
        stall: DurationText,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

mapping! {
    /// The end of a stream.
    EndFile is "an `end` step" {
        /// `close`: cleanly; `cut`: without the end that HTTP asks for; `reset`: TCP RST; `goaway`: HTTP/2 GOAWAY, then cleanly; `stall`: open and silent for ever; `hold`: open, heartbeats go on.
        end: At<String>,
        /// HTTP/2 error code for `cut`: a name such as `CANCEL`, or a number; `INTERNAL_ERROR` by default.
        code: Scalar,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

/// Declares the kinds of steps: which key leads to which type.
macro_rules! steps {
    ($($(#[$doc:meta])* $kind:ident($type:ty) = $key:literal,)*) => {
        /// One step of a stream.
        #[derive(Debug, Clone)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[cfg_attr(test, schemars(untagged))]
        pub enum StepFile {
            /// An event.
            Event(Box<At<EventFile>>),
            $($(#[$doc])* $kind(At<$type>),)*
        }

        impl StepFile {
            /// The keys that tell steps from events.
            pub const LEADING: &[&str] = &[$($key),*];

            /// Where it stands.
            pub fn span(&self) -> &Span {
                match self {
                    StepFile::Event(at) => &at.span,
                    $(StepFile::$kind(at) => &at.span,)*
                }
            }

            /// How long after the previous step was due.
            pub fn after(&self) -> Option<&DurationText> {
                match self {
                    StepFile::Event(at) => at.value.after.as_ref(),
                    $(StepFile::$kind(at) => at.value.after.as_ref(),)*
                }
            }

            /// Its leading key; an event has none.
            pub fn leading(&self) -> Option<&'static str> {
                match self {
                    StepFile::Event(_) => None,
                    $(StepFile::$kind(_) => Some($key),)*
                }
            }
        }

        impl FromNode for StepFile {
            fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
                $(
                    if node.get($key).is_some() {
                        return At::from_node(node, errors).map(StepFile::$kind);
                    }
                )*
                event_step(node, errors)
            }
        }
    };
}

steps! {
    /// A pause.
    Wait(WaitFile) = "wait",
    /// Raw bytes.
    Raw(RawStepFile) = "raw",
    /// A recording.
    Replay(ReplayStepFile) = "replay",
    /// Several steps in one write.
    OneWrite(OneWriteFile) = "one_write",
    /// Repeated steps.
    Repeat(RepeatFile) = "repeat",
    /// Steps for each entry of a list.
    ForEach(ForEachFile) = "for_each",
    /// One of several lists of steps.
    Choose(ChooseFile) = "choose",
    /// Steps under a condition.
    If(IfFile) = "if",
    /// Lists of steps side by side.
    Parallel(ParallelFile) = "parallel",
    /// Names and their values.
    Let(LetFile) = "let",
    /// Shared state.
    Set(SetFile) = "set",
    /// A script.
    Run(RunFile) = "run",
    /// Topics that are relayed.
    Follow(FollowStepFile) = "follow",
    /// Messages that are published.
    Publish(PublishStepFile) = "publish",
    /// A signal.
    Signal(SignalFile) = "signal",
    /// Something that happens elsewhere.
    WaitFor(WaitForFile) = "wait_for",
    /// The end of other streams.
    Disconnect(DisconnectFile) = "disconnect",
    /// A listener that is closed.
    Offline(OfflineFile) = "offline",
    /// Silence.
    Stall(StallFile) = "stall",
    /// The end.
    End(EndFile) = "end",
}

/// The fields of an event that are sent.
const FIELDS: &[&str] = &["comment", "event", "data", "id", "retry"];

fn event_step(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<StepFile> {
    let Kind::Map(entries) = &node.kind else {
        let hint = "a step is a mapping: `- data: hello`, `- wait: 1s`, `- follow: topic`";
        errors.push(mismatch(node, "a step").hint(hint));
        return None;
    };
    let keys = EventFile::keys();
    let known = |(key, _): &(Node, Node)| keys.contains(&key.scalar().unwrap_or(""));
    let field = FIELDS.iter().any(|key| node.get(key).is_some());
    if !field && entries.iter().all(known) {
        let message = "this step does nothing: it has no field to send";
        errors.push(
            Diagnostic::error(&node.span, message).hint("give it `data`, or write `wait: …` for a pause"),
        );
        return None;
    }
    if !field && let [(key, _), ..] = entries.as_slice() {
        let name = key.scalar().unwrap_or("");
        let steps: Vec<&str> = FIELDS.iter().chain(StepFile::LEADING).copied().collect();
        let message = format!("there is no step `{}`", name.escape_debug());
        errors.push(Diagnostic::error(&key.span, message).hint(suggest(name, &steps)));
        return None;
    }
    At::from_node(node, errors).map(Box::new).map(StepFile::Event)
}

impl FromNode for RawPieceFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        match node.kind {
            Kind::Map(_) => At::from_node(node, errors).map(Box::new).map(RawPieceFile::Form),
            _ => Scalar::from_node(node, errors).map(RawPieceFile::Text),
        }
    }
}
