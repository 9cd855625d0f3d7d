//! Steps of a stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value as Json;

use crate::expr::{Expr, Text, Tree};
use crate::scenario::pattern::Pattern;
use crate::wire::SplitAt;

/// A list of steps, shared by all streams that walk it.
pub type Steps = Arc<[Step]>;
/// Steps that run side by side.
pub type Branches = Arc<[Steps]>;
/// Names and their new values; without a value the name is deleted.
pub type Assignments = Arc<[(Text, Option<Tree>)]>;

/// Reconnection times, delays and the like, drawn or rendered when they come due.
#[derive(Debug, Clone)]
pub enum Pace {
    /// Between two bounds, often the same.
    Range {
        /// The shortest.
        low: Duration,
        /// The longest.
        high: Duration,
    },
    /// A template that yields a duration.
    Template(Text),
}

impl Pace {
    /// No time at all.
    pub const ZERO: Pace = Pace::Range {
        low: Duration::ZERO,
        high: Duration::ZERO,
    };

    /// Always this long.
    pub fn fixed(duration: Duration) -> Pace {
        Pace::Range {
            low: duration,
            high: duration,
        }
    }

    /// Whether it is no time at all, whatever is drawn.
    pub fn is_zero(&self) -> bool {
        matches!(self, Pace::Range { high, .. } if high.is_zero())
    }
}

/// How a stream ends, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Cleanly: the terminating chunk, END_STREAM.
    Close,
    /// HTTP/1.1: FIN without the terminating chunk; HTTP/2: RST_STREAM with this code.
    Cut {
        /// HTTP/2 error code (RFC 9113, §7).
        code: u32,
    },
    /// TCP RST; over HTTP/2 it takes the whole connection with it.
    Reset,
    /// HTTP/2: GOAWAY, then a clean end of the stream; HTTP/1.1: a clean end and `connection: close`.
    Goaway,
    /// Open and silent for ever.
    Stall,
    /// Open, heartbeats go on.
    Hold,
}

/// Where an event's id comes from.
#[derive(Debug, Clone)]
pub enum Id {
    /// A random UUID from the stream's draws.
    Uuid,
    /// 1, 2, 3…: of the events in this stream, or of the topic's messages.
    Counter,
    /// Text.
    Text(Text),
}

/// What an event carries.
#[derive(Debug, Clone)]
pub enum Data {
    /// Text, each line a field of its own.
    Text(Text),
    /// Compact JSON.
    Json(Tree),
}

/// An event before it is rendered.
#[derive(Debug, Clone, Default)]
pub struct EventTemplate {
    /// Comment lines.
    pub comment: Option<Text>,
    /// Type.
    pub event: Option<Text>,
    /// Data.
    pub data: Option<Data>,
    /// Id.
    pub id: Option<Id>,
    /// Reconnection time.
    pub retry: Option<Pace>,
    /// How its bytes are cut into writes; `None`: as the stream's are.
    pub split: Option<Arc<Split>>,
}

impl EventTemplate {
    /// Whether it is the same every time.
    pub fn is_fixed(&self) -> bool {
        let fixed = |text: &Option<Text>| matches!(text, None | Some(Text::Fixed(_)));
        let data = matches!(
            self.data,
            None | Some(Data::Text(Text::Fixed(_)) | Data::Json(Tree::Fixed(_)))
        );
        let id = matches!(self.id, None | Some(Id::Text(Text::Fixed(_))));
        let retry = match &self.retry {
            None => true,
            Some(Pace::Range { low, high }) => low == high,
            Some(Pace::Template(_)) => false,
        };
        fixed(&self.comment) && fixed(&self.event) && data && id && retry
    }
}

/// How bytes are cut into writes.
#[derive(Debug, Clone)]
pub struct Split {
    /// Where.
    pub at: SplitAt,
    /// The time between two pieces.
    pub gap: Pace,
}

/// Bytes that are sent as they are, in one write unless split.
#[derive(Debug, Clone)]
pub struct Raw {
    /// One behind the other.
    pub pieces: Arc<[RawPiece]>,
    /// How they are cut into writes.
    pub split: Option<Arc<Split>>,
}

/// A part of raw bytes.
#[derive(Debug, Clone)]
pub enum RawPiece {
    /// Text, rendered.
    Text(Text),
    /// Bytes known when the scenario was loaded.
    Bytes(Bytes),
    /// A pattern repeated to a length.
    Fill {
        /// How many bytes.
        length: usize,
        /// What is repeated; not empty.
        pattern: Bytes,
    },
}

/// A recording to play.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Its file, as it is named.
    pub file: String,
    /// How many times as fast as it was recorded; above 0.
    pub speed: f64,
    /// Bytes of all its writes.
    pub bytes: u64,
    /// When the last write is due, since the step is: at this speed.
    pub lasts: Duration,
    /// Its writes, each as long after the one before as it is to come.
    pub writes: Steps,
}

/// How a step is repeated.
#[derive(Debug, Clone)]
pub struct Repetition {
    /// The schedule's interval, first after one; `None`: at once.
    pub every: Option<Pace>,
    /// How often; `None`: for ever.
    pub times: Option<u64>,
    /// Asked before each round; the first time it does not hold ends the repetition.
    pub condition: Option<Expr>,
}

/// One step of a stream, and how long after the previous step's due time it is due.
#[derive(Debug, Clone)]
pub struct Step {
    /// The delay.
    pub after: Pace,
    /// What happens.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Sends an event.
    Send(Box<EventTemplate>),
    /// Sends bytes as they are.
    Raw(Raw),
    /// Plays a recording.
    Replay(Arc<Replay>),
    /// One write of a recording, as it stands.
    Recorded(Bytes),
    /// What these steps send goes out in one write; none of them takes time.
    OneWrite(Steps),
    /// Nothing: the delay is all.
    Wait,
    /// Repeats steps.
    Repeat {
        /// When and how often.
        repetition: Arc<Repetition>,
        /// What.
        steps: Steps,
    },
    /// Steps for each entry of a list.
    ForEach(Arc<ForEach>),
    /// One of several lists of steps, by weight.
    Choose(Arc<[(u64, Steps)]>),
    /// Steps under a condition.
    If {
        /// The condition.
        condition: Expr,
        /// If it holds.
        then: Steps,
        /// If it does not.
        otherwise: Steps,
    },
    /// Lists of steps side by side, interleaved by due time; goes on when all are done.
    Parallel(Branches),
    /// Gives names values for the rest of the stream, in order.
    Let(Arc<[(String, Tree)]>),
    /// Changes the session's state, at once and as a whole.
    Set(Assignments),
    /// Relays topics.
    Follow(Arc<Follow>),
    /// Publishes messages.
    Publish(Arc<[Publish]>),
    /// Wakes those who wait for the signal.
    Signal(Text),
    /// Waits for something that happens elsewhere.
    WaitFor(Arc<WaitFor>),
    /// Ends other streams.
    Disconnect(Arc<Disconnect>),
    /// Closes the listener for a while; the stream goes on meanwhile.
    Offline(Pace),
    /// Silence, even of heartbeats.
    Stall(Pace),
    /// Ends the stream.
    End(End),
}

/// Steps for each entry of a list.
#[derive(Debug, Clone)]
pub struct ForEach {
    /// The list.
    pub items: Items,
    /// The name of the entry at hand.
    pub name: String,
    /// The schedule's interval, first after one; `None`: at once.
    pub every: Option<Pace>,
    /// The steps.
    pub steps: Steps,
}

/// Where the entries of a list come from.
#[derive(Debug, Clone)]
pub enum Items {
    /// Rendered: a list, or an expression that yields one.
    Tree(Tree),
    /// From a file, known when the scenario was loaded.
    Fixed(Arc<[Json]>),
}

/// Which topics are meant.
#[derive(Debug, Clone)]
pub enum TopicName {
    /// One, its name rendered.
    Name(Text),
    /// All that fit, those to come included.
    Pattern(Pattern),
}

/// Relaying topics.
#[derive(Debug, Clone)]
pub struct Follow {
    /// Which; at least one.
    pub topics: Vec<TopicName>,
    /// Where to begin.
    pub from: From,
    /// How many messages, then the next step.
    pub limit: Option<u64>,
    /// For how long, then the next step.
    pub duration: Option<Pace>,
}

/// Where to begin in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With what is published from now on.
    Live,
    /// With the whole history.
    Earliest,
    /// Behind the request's `Last-Event-ID`; live if there is none.
    LastEventId,
}

/// A message to publish.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The topic's name.
    pub topic: Text,
    /// The message; without data the request's parameters are relayed.
    pub event: EventTemplate,
}

/// Waiting for something that happens elsewhere.
#[derive(Debug, Clone)]
pub struct WaitFor {
    /// For what.
    pub what: Awaited,
    /// At most this long; `None`: for ever.
    pub limit: Option<Pace>,
    /// What is done when the time is up; then the next step.
    pub otherwise: Steps,
}

/// What is waited for.
#[derive(Debug, Clone)]
pub enum Awaited {
    /// A signal given since this stream began, or since it last waited for it.
    Signal(Text),
    /// At least this many streams of this endpoint open at once, this one included.
    Clients(u64),
    /// A message published to the topic since this stream began, or since it last waited for one.
    Publish(Text),
}

/// Ending other streams.
#[derive(Debug, Clone)]
pub struct Disconnect {
    /// The streams of the endpoints with these keys; `None`: all but this one.
    pub endpoints: Option<Vec<String>>,
    /// How they end.
    pub end: End,
}
