//! Answers as they are written.

use super::{PresetFile, RawFile, StepFile};
use crate::mapping;
use crate::scenario::decode::{Anything, At, DurationText, Entries, OneOrMany, Scalar};
use crate::scenario::preset::{AnthropicMessages, Expansion, Gemini, OpenAiChat, OpenAiResponses};

mapping! {
    /// What a request causes and gets.
    AnswerFile is "an answer" {
        /// Names with values of their own for this request, in order.
        r#let: Entries<Anything>,
        /// Changes of the state that all requests share, seen in expressions as `state.name`; `~` deletes. All values are those before the change.
        set: Entries<Anything>,
        /// Topics to publish to before the answer; a name alone relays the request's query and body, merged.
        publish: OneOrMany<PublishFile>,
        /// The status code; 200 by default.
        status: Scalar,
        /// The reason phrase of the status line (HTTP/1).
        reason: Scalar,
        /// Response headers, in this case and order; a list sends the header several times, `~` leaves it out.
        headers: Entries<HeaderFile>,
        /// The whole head byte for byte, its blank line included (HTTP/1); what follows is framed as `wire.framing` says, bare until the end by default.
        raw_head: RawFile,
        /// How long to wait before the head of the answer.
        after: DurationText,
        /// Answer: text.
        body: Scalar,
        /// Answer: JSON.
        json: Anything,
        /// Answer: a file beside the scenario, its media type by its name.
        file: At<String>,
        /// Answer: a folder beside the scenario; the file is named by the path's `{rest...}`.
        files: At<String>,
        /// Answer: an event stream, as a list of steps.
        stream: At<Vec<StepFile>>,
        /// Answer: what a model says, as OpenAI's chat completions tell it.
        openai_chat: PresetFile<OpenAiChat>,
        /// Answer: what a model says, as OpenAI's responses tell it.
        openai_responses: PresetFile<OpenAiResponses>,
        /// Answer: what a model says, as Anthropic's messages tell it.
        anthropic_messages: PresetFile<AnthropicMessages>,
        /// Answer: what a model says, as Gemini tells it.
        gemini: PresetFile<Gemini>,
        /// No answer at all: `close` the connection without a byte, `cut`, `reset` it, or `stall`.
        end: At<String>,
        /// HTTP/2 error code for an `end: cut`: a name such as `CANCEL`, or a number; `INTERNAL_ERROR` by default.
        code: Scalar,
        /// A comment line after this much silence, or `{ every, event, data, comment }`.
        heartbeat: HeartbeatFile,
        /// How events become bytes and bytes become writes.
        wire: At<WireFile>,
        /// A slow or withholding network.
        throttle: At<ThrottleFile>,
        /// What may go wrong, and when.
        faults: OneOrMany<At<FaultFile>>,
        /// Compression of the body by what the client accepts: `true`, or a list of `gzip`, `br`, `zstd`.
        compress: At<CompressFile>,
        /// Bounds of this endpoint's streams.
        limits: At<LimitsFile>,
        /// Whether events up to the one with the client's `Last-Event-ID` are skipped.
        resume: At<bool>,
        /// Steps that are done whatever ended the stream: `set`, `publish`, `signal`.
        finally: At<Vec<StepFile>>,
    }
}

impl AnswerFile {
    /// The preset that it answers with.
    pub fn preset(&self) -> Option<&Expansion> {
        let chat = self.openai_chat.as_ref().map(|preset| &preset.expansion);
        let responses = self.openai_responses.as_ref().map(|preset| &preset.expansion);
        let messages = self.anthropic_messages.as_ref().map(|preset| &preset.expansion);
        let gemini = self.gemini.as_ref().map(|preset| &preset.expansion);
        chat.or(responses).or(messages).or(gemini)
    }
}

mapping! {
    /// A message for a topic.
    PublishRulesFile is "`publish`" {
        /// The topic.
        topic: Scalar,
        /// The event's type.
        event: Scalar,
        /// The event's id: `uuid`, `counter`, or a template.
        id: Scalar,
        /// The event's data; the request's query and body, merged, if absent.
        data: Anything,
    }
}

/// A topic's name, or a whole message.
#[derive(Debug, Clone)]
pub struct PublishFile(pub At<PublishRulesFile>);

/// One value, several, or `~`: the header is left out.
#[derive(Debug, Clone)]
pub struct HeaderFile(pub Vec<Scalar>);

mapping! {
    /// What is sent after silence.
    HeartbeatRulesFile is "`heartbeat`" {
        /// After this much silence.
        every: DurationText,
        /// The event's type.
        event: Scalar,
        /// The event's data.
        data: Anything,
        /// A comment; an empty one if nothing else is given.
        comment: Scalar,
    }
}

/// An interval, or what is sent and when.
#[derive(Debug, Clone)]
pub struct HeartbeatFile(pub At<HeartbeatRulesFile>);

mapping! {
    /// How events become bytes and bytes become writes. Raw bytes are never altered.
    WireFile is "`wire`" {
        /// The line end: `lf` (the default), `crlf` or `cr`.
        eol: At<String>,
        /// A byte order mark in a write of its own at the beginning: `true`, or `twice`.
        bom: Scalar,
        /// Whether a space follows the colon; true by default.
        space: At<bool>,
        /// The order of the fields; those left out follow in the usual order: comment, event, data, id, retry.
        order: Vec<At<String>>,
        /// How the body's end is told over HTTP/1.1: `chunked` (the default), `sized` or `close`.
        framing: At<String>,
        /// How each event is cut into writes.
        split: At<SplitFile>,
        /// Whether TLS connections end with close_notify; true by default.
        close_notify: At<bool>,
    }
}

mapping! {
    /// How bytes are cut into writes: one of `every`, `at`, `random`, `inside`.
    SplitFile is "`split`" {
        /// A write for every so many bytes.
        every: At<u64>,
        /// Cuts behind these numbers of bytes.
        at: OneOrMany<At<u64>>,
        /// Writes of a random length within these bounds: `1..8`.
        random: Scalar,
        /// Cuts inside each `utf8` character, `crlf` pair or `bom`.
        inside: At<String>,
        /// The time between two writes; none by default.
        gap: DurationText,
    }
}

mapping! {
    /// A slow or withholding network.
    ThrottleFile is "`throttle`" {
        /// Bytes a second: `2KiB`.
        rate: Scalar,
        /// How much later everything arrives.
        delay: DurationText,
        /// Bytes are withheld until there are so many, as proxies do: `4KiB`. A clean end lets them go.
        buffer: Scalar,
    }
}

mapping! {
    /// Something that may go wrong in a stream.
    FaultFile is "a fault" {
        /// How likely, 0 to 1, drawn once a stream; 1 by default.
        probability: At<f64>,
        /// When: the first of these to be reached; at once if absent.
        after: At<FaultAfterFile>,
        /// How it ends the stream: `cut`, `reset`, `close`, `goaway`, `stall`, `hold`.
        end: At<String>,
        /// HTTP/2 error code for `end: cut`.
        code: Scalar,
        /// Silences the stream for so long instead.
        stall: DurationText,
    }
}

mapping! {
    /// When a fault strikes.
    FaultAfterFile is "`after`" {
        /// After so many events: `3`, `2..10`.
        events: Scalar,
        /// After so many bytes of the body, in mid-event if need be: `100`, `10..2KiB`.
        bytes: Scalar,
        /// After so much time.
        time: DurationText,
    }
}

mapping! {
    /// Bounds of this endpoint's streams.
    LimitsFile is "`limits`" {
        /// Streams open at once; one more is refused with 503.
        connections: At<u64>,
        /// Events of a stream; then it ends cleanly.
        events: At<u64>,
        /// Bytes of a stream's body, `1MiB`; the event that would exceed them is not sent, and the stream ends cleanly.
        bytes: Scalar,
        /// How long a stream may last; then it ends cleanly.
        time: DurationText,
    }
}

/// `true`, `false`, or a list of codings.
#[derive(Debug, Clone)]
pub enum CompressFile {
    /// All codings, or none.
    Switch(bool),
    /// These, best first.
    Codings(Vec<At<String>>),
}
