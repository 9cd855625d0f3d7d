//! Steps as JSON: `do` says what, the other keys how.

use serde_json::{Map, Value as Json, json};

use super::{pace, put, source, tree};
use crate::scenario::describe::ending;
use crate::scenario::duration;
use crate::scenario::model::{
    Action, Assignments, Awaited, Data, EventTemplate, Follow, ForEach, From, Id, Items, Publish, Raw,
    RawPiece, Repetition, Split, Step, TopicName, WaitFor,
};
use crate::wire::{Inside, SplitAt};

/// Bytes of raw pieces that are shown.
const SHOWN_BYTES: usize = 32;

/// A list of steps.
pub(super) fn steps(steps: &[Step]) -> Vec<Json> {
    steps.iter().map(step).collect()
}

fn step(step: &Step) -> Json {
    let mut map = Map::new();
    put(
        &mut map,
        "after",
        (!step.after.is_zero()).then(|| pace(&step.after)),
    );
    action(&mut map, &step.action);
    map.into()
}

fn action(map: &mut Map<String, Json>, action: &Action) {
    let mut says = |what: &str| put(map, "do", Some(what));
    match action {
        Action::Send(template) => {
            says("send");
            map.extend(event(template));
        }
        Action::Raw(bytes) => {
            says("raw");
            put(map, "bytes", Some(raw(bytes)));
            put(map, "split", bytes.split.as_ref().map(|s| split(s)));
        }
        Action::Replay(replay) => {
            says("replay");
            put(map, "file", Some(replay.file.clone()));
            put(map, "speed", (replay.speed != 1.0).then_some(replay.speed));
            put(map, "writes", Some(replay.writes.len()));
            put(map, "bytes", Some(replay.bytes));
            put(map, "lasts", Some(duration::format(replay.lasts)));
        }
        Action::Wait => says("wait"),
        Action::Let(lets) => {
            says("let");
            let lets = lets.iter().map(|(name, value)| (name.clone(), tree(value)));
            put(map, "names", Some(lets.collect::<Map<_, _>>()));
        }
        Action::Set(set) => {
            says("set");
            put(map, "state", Some(assignments(set)));
        }
        Action::Follow(follow) => {
            says("follow");
            followed(map, follow);
        }
        Action::Publish(list) => {
            says("publish");
            put(
                map,
                "messages",
                Some(list.iter().map(publish).collect::<Vec<_>>()),
            );
        }
        Action::Signal(name) => {
            says("signal");
            put(map, "name", Some(source(name)));
        }
        Action::WaitFor(wait) => {
            says("wait_for");
            awaited(map, wait);
        }
        Action::Disconnect(disconnect) => {
            says("disconnect");
            let all = || vec!["all other streams".to_owned()];
            put(
                map,
                "endpoints",
                Some(disconnect.endpoints.clone().unwrap_or_else(all)),
            );
            put(map, "end", Some(ending(disconnect.end)));
        }
        Action::Offline(time) => {
            says("offline");
            put(map, "for", Some(pace(time)));
        }
        Action::Stall(time) => {
            says("stall");
            put(map, "for", Some(pace(time)));
        }
        Action::End(end) => {
            says("end");
            put(map, "how", Some(ending(*end)));
        }
        holder => holding(map, holder),
    }
}

/// Steps that hold other steps.
fn holding(map: &mut Map<String, Json>, action: &Action) {
    let mut says = |what: &str| put(map, "do", Some(what));
    match action {
        Action::OneWrite(inner) => {
            says("one_write");
            put(map, "steps", Some(steps(inner)));
        }
        Action::Repeat {
            repetition,
            steps: inner,
        } => {
            says("repeat");
            repeated(map, repetition);
            put(map, "steps", Some(steps(inner)));
        }
        Action::ForEach(each) => {
            says("for_each");
            for_each(map, each);
        }
        Action::Choose(choices) => {
            says("choose");
            let choices = choices
                .iter()
                .map(|(weight, inner)| json!({ "weight": weight, "steps": steps(inner) }));
            put(map, "choices", Some(choices.collect::<Vec<_>>()));
        }
        Action::If {
            condition,
            then,
            otherwise,
        } => {
            says("if");
            put(map, "condition", Some(condition.source()));
            put(map, "then", (!then.is_empty()).then(|| steps(then)));
            put(map, "else", (!otherwise.is_empty()).then(|| steps(otherwise)));
        }
        Action::Parallel(branches) => {
            says("parallel");
            let branches = branches.iter().map(|inner| json!({ "steps": steps(inner) }));
            put(map, "branches", Some(branches.collect::<Vec<_>>()));
        }
        _ => {}
    }
}

/// The fields of an event, defaults included.
pub(super) fn event(event: &EventTemplate) -> Map<String, Json> {
    let mut map = Map::new();
    put(&mut map, "comment", event.comment.as_ref().map(source));
    put(&mut map, "event", event.event.as_ref().map(source));
    let data = event.data.as_ref().map(|data| match data {
        Data::Text(text) => Json::from(source(text)),
        Data::Json(json) => tree(json),
    });
    put(&mut map, "data", data);
    let id = event.id.as_ref().map(|id| match id {
        Id::Uuid => "uuid".to_owned(),
        Id::Counter => "counter".to_owned(),
        Id::Text(text) => source(text),
    });
    put(&mut map, "id", id);
    put(&mut map, "retry", event.retry.as_ref().map(pace));
    put(&mut map, "split", event.split.as_ref().map(|s| split(s)));
    map
}

/// A message; without data of its own it relays the request.
pub(super) fn publish(publish: &Publish) -> Json {
    let mut map = Map::new();
    put(&mut map, "topic", Some(source(&publish.topic)));
    map.extend(event(&publish.event));
    if publish.event.data.is_none() {
        put(&mut map, "data", Some("(the request's query and body, merged)"));
    }
    map.into()
}

/// Changes of the state; null deletes.
pub(super) fn assignments(set: &Assignments) -> Map<String, Json> {
    let value = |value: &Option<_>| value.as_ref().map_or(Json::Null, tree);
    set.iter().map(|(key, new)| (source(key), value(new))).collect()
}

/// How bytes are cut.
pub(super) fn split(split: &Split) -> Json {
    let mut map = Map::new();
    match &split.at {
        SplitAt::Every(n) => put(&mut map, "every", Some(*n)),
        SplitAt::At(list) => put(&mut map, "at", Some(list.clone())),
        SplitAt::Random { low, high } => put(&mut map, "random", Some(format!("{low}..{high}"))),
        SplitAt::Inside(inside) => {
            let name = match inside {
                Inside::Utf8 => "utf8",
                Inside::Crlf => "crlf",
                Inside::Bom => "bom",
            };
            put(&mut map, "inside", Some(name));
        }
    }
    put(&mut map, "gap", (!split.gap.is_zero()).then(|| pace(&split.gap)));
    map.into()
}

/// Raw bytes, piece by piece; long ones by their beginning.
pub(super) fn raw(raw: &Raw) -> Json {
    let hex = |bytes: &[u8]| {
        let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
        let digits: Vec<String> = shown.iter().map(|b| format!("{b:02x}")).collect();
        let rest = if bytes.len() > SHOWN_BYTES { " …" } else { "" };
        format!("{} bytes: {}{rest}", bytes.len(), digits.join(" "))
    };
    let piece = |piece: &RawPiece| match piece {
        RawPiece::Text(text) => source(text),
        RawPiece::Bytes(bytes) => hex(bytes),
        RawPiece::Fill { length, pattern } => {
            format!("{length} bytes of {:?}", String::from_utf8_lossy(pattern))
        }
    };
    raw.pieces.iter().map(piece).collect()
}

fn repeated(map: &mut Map<String, Json>, repetition: &Repetition) {
    put(map, "every", repetition.every.as_ref().map(pace));
    put(map, "times", repetition.times);
    put(map, "while", repetition.condition.as_ref().map(|e| e.source()));
}

fn for_each(map: &mut Map<String, Json>, each: &ForEach) {
    put(map, "as", Some(each.name.clone()));
    let items = match &each.items {
        Items::Tree(items) => tree(items),
        Items::Fixed(items) => format!("{} entries of a file", items.len()).into(),
    };
    put(map, "in", Some(items));
    put(map, "every", each.every.as_ref().map(pace));
    put(map, "steps", Some(steps(&each.steps)));
}

fn followed(map: &mut Map<String, Json>, follow: &Follow) {
    let name = |topic: &TopicName| match topic {
        TopicName::Name(name) => source(name),
        TopicName::Pattern(pattern) => pattern.source().to_owned(),
    };
    let topics: Vec<String> = follow.topics.iter().map(name).collect();
    put(map, "topics", Some(topics));
    let from = match follow.from {
        From::Live => "live",
        From::Earliest => "earliest",
        From::LastEventId => "last_event_id",
    };
    put(map, "from", Some(from));
    put(map, "limit", follow.limit);
    put(map, "for", follow.duration.as_ref().map(pace));
}

fn awaited(map: &mut Map<String, Json>, wait: &WaitFor) {
    match &wait.what {
        Awaited::Signal(name) => put(map, "signal", Some(source(name))),
        Awaited::Clients(n) => put(map, "clients", Some(*n)),
        Awaited::Publish(topic) => put(map, "publish", Some(source(topic))),
    }
    put(map, "for", wait.limit.as_ref().map(pace));
    put(
        map,
        "else",
        (!wait.otherwise.is_empty()).then(|| steps(&wait.otherwise)),
    );
}
