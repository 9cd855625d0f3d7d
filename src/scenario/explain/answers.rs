//! Answers as JSON.

use serde_json::{Map, Value as Json, json};

use super::{pace, put, source, steps, tree};
use crate::scenario::describe::ending;
use crate::scenario::duration;
use crate::scenario::model::{
    Answer, Body, Choice, Effects, Entry, Fault, Limits, Numbers, Script, Strike, Wire,
};
use crate::wire::{Coding, Eol, Field, Framing};

/// Adds an answer, or the choice of answers.
pub(super) fn choice(map: &mut Map<String, Json>, choice: &Choice) {
    let entries = |list: &[Entry]| list.iter().map(entry).collect::<Vec<Json>>();
    match choice {
        Choice::Answer(answer) => self::answer(map, answer),
        Choice::Attempts(list) => put(map, "attempts", Some(entries(list))),
        Choice::Cases(list) => put(map, "cases", Some(entries(list))),
    }
}

fn entry(entry: &Entry) -> Json {
    let mut map = Map::new();
    put(&mut map, "when", entry.when.as_ref().map(|e| e.source()));
    choice(&mut map, &entry.choice);
    map.into()
}

fn answer(map: &mut Map<String, Json>, answer: &Answer) {
    effects(map, &answer.effects);
    put(
        map,
        "after",
        (!answer.after.is_zero()).then(|| pace(&answer.after)),
    );
    if let Body::Nothing(end) = answer.body {
        return put(map, "end", Some(ending(end)));
    }
    match &answer.raw_head {
        Some(raw) => put(map, "raw_head", Some(steps::raw(raw))),
        None => {
            put(map, "status", Some(source(&answer.status)));
            put(map, "reason", answer.reason.as_ref().map(source));
            headers(map, answer);
        }
    }
    let framing = answer.framing.map(|framing| match framing {
        Framing::Chunked => "chunked",
        Framing::Sized => "sized",
        Framing::Close => "close",
    });
    put(map, "framing", framing);
    put(map, "close_notify", (!answer.close_notify).then_some(false));
    let codings: Vec<&str> = answer.compress.iter().map(|c| coding(*c)).collect();
    put(map, "compress", (!codings.is_empty()).then_some(codings));
    body(map, &answer.body);
}

fn coding(coding: Coding) -> &'static str {
    match coding {
        Coding::Gzip => "gzip",
        Coding::Brotli => "br",
        Coding::Zstd => "zstd",
    }
}

fn effects(map: &mut Map<String, Json>, effects: &Effects) {
    if !effects.lets.is_empty() {
        let lets: Map<String, Json> = effects.lets.iter().map(|(n, v)| (n.clone(), tree(v))).collect();
        put(map, "let", Some(lets));
    }
    if !effects.sets.is_empty() {
        let sets: Map<String, Json> = effects.sets.iter().flat_map(steps::assignments).collect();
        put(map, "set", Some(sets));
    }
    if !effects.publish.is_empty() {
        let list: Vec<Json> = effects.publish.iter().map(steps::publish).collect();
        put(map, "publish", Some(list));
    }
}

fn headers(map: &mut Map<String, Json>, answer: &Answer) {
    if answer.headers.is_empty() {
        return;
    }
    let value = |values: &[crate::expr::Text]| match values {
        [] => Json::Null,
        [one] => source(one).into(),
        several => several.iter().map(source).collect(),
    };
    let headers = answer.headers.iter().map(|h| (h.name.clone(), value(&h.values)));
    put(map, "headers", Some(headers.collect::<Map<_, _>>()));
}

fn body(map: &mut Map<String, Json>, body: &Body) {
    match body {
        Body::Empty | Body::Nothing(_) => {}
        Body::Text(text) => put(map, "body", Some(source(text))),
        Body::Json(json) => put(map, "json", Some(tree(json))),
        Body::File { bytes, media_type } => {
            put(map, "file", Some(format!("{} bytes, {media_type}", bytes.len())));
        }
        Body::Files(files) => {
            let list: Vec<&str> = files.files.keys().map(String::as_str).collect();
            put(map, "files", Some(list));
        }
        Body::Stream(script) => stream(map, script),
    }
}

fn stream(map: &mut Map<String, Json>, script: &Script) {
    if let Some(heartbeat) = &script.heartbeat {
        let mut beat = Map::new();
        put(&mut beat, "every", Some(duration::format(heartbeat.every)));
        beat.extend(steps::event(&heartbeat.event));
        put(map, "heartbeat", Some(beat));
    }
    let wire = wire(&script.wire);
    put(map, "wire", (!wire.is_empty()).then_some(wire));
    if let Some(throttle) = &script.throttle {
        let mut slow = Map::new();
        put(&mut slow, "rate", throttle.rate);
        put(&mut slow, "delay", throttle.delay.as_ref().map(pace));
        put(&mut slow, "buffer", throttle.buffer);
        put(map, "throttle", Some(slow));
    }
    if !script.faults.is_empty() {
        put(
            map,
            "faults",
            Some(script.faults.iter().map(fault).collect::<Vec<_>>()),
        );
    }
    let limits = limits(&script.limits);
    put(map, "limits", (!limits.is_empty()).then_some(limits));
    put(map, "resume", script.resume.then_some(true));
    put(map, "stream", Some(steps::steps(&script.steps)));
    if !script.finally.is_empty() {
        put(map, "finally", Some(steps::steps(&script.finally)));
    }
}

/// What differs from the usual shape.
fn wire(wire: &Wire) -> Map<String, Json> {
    let mut map = Map::new();
    let eol = match wire.style.eol {
        Eol::Lf => None,
        Eol::Crlf => Some("crlf"),
        Eol::Cr => Some("cr"),
    };
    put(&mut map, "eol", eol);
    put(&mut map, "bom", (wire.boms > 0).then_some(wire.boms));
    put(&mut map, "space", (!wire.style.space).then_some(false));
    if wire.style.order != crate::wire::Style::STANDARD.order {
        let name = |field: &Field| match field {
            Field::Comment => "comment",
            Field::Event => "event",
            Field::Data => "data",
            Field::Id => "id",
            Field::Retry => "retry",
        };
        let order: Vec<&str> = wire.style.order.iter().map(name).collect();
        put(&mut map, "order", Some(order));
    }
    put(
        &mut map,
        "split",
        wire.split.as_ref().map(|split| steps::split(split)),
    );
    map
}

fn fault(fault: &Fault) -> Json {
    let numbers = |n: Numbers| match n.low == n.high {
        true => n.low.to_string(),
        false => format!("{}..{}", n.low, n.high),
    };
    let mut after = Map::new();
    put(&mut after, "events", fault.events.map(numbers));
    put(&mut after, "bytes", fault.bytes.map(numbers));
    put(&mut after, "time", fault.time.as_ref().map(pace));
    let mut map = Map::new();
    put(&mut map, "probability", Some(json!(fault.probability)));
    put(&mut map, "after", (!after.is_empty()).then_some(after));
    match &fault.strike {
        Strike::End(end) => put(&mut map, "end", Some(ending(*end))),
        Strike::Stall(time) => put(&mut map, "stall", Some(pace(time))),
    }
    map.into()
}

fn limits(limits: &Limits) -> Map<String, Json> {
    let mut map = Map::new();
    put(&mut map, "connections", limits.connections);
    put(&mut map, "events", limits.events);
    put(&mut map, "bytes", limits.bytes);
    put(&mut map, "time", limits.time.map(duration::format));
    map
}
