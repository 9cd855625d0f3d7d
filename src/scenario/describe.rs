//! What an endpoint does, in a few words, and a command to try it.

use super::duration;
use super::model::{Action, Body, Endpoint, From, Methods, Pace, Repetition, Step};
use crate::expr::Text;

/// What an endpoint does: `stream: 1 event, then 1 event every 5s`.
pub fn summary(endpoint: &Endpoint) -> String {
    let mut parts = Vec::new();
    for publish in &endpoint.publish {
        parts.push(format!("publishes to {}", text(&publish.topic)));
    }
    let status = text(&endpoint.answer.status);
    let with_status = |what: &str| {
        if status == "200" {
            what.to_owned()
        } else {
            format!("{what} with {status}")
        }
    };
    parts.push(match &endpoint.answer.body {
        Body::Empty => format!("answers {status}"),
        Body::Text(_) => with_status("answers text"),
        Body::Json(_) => with_status("answers JSON"),
        Body::Stream(script) => with_status(&format!("streams {}", steps(&script.steps))),
    });
    if endpoint.when.is_some() {
        parts.push("under a condition".into());
    }
    parts.join(", ")
}

fn steps(all: &[Step]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut events = 0;
    let flush = |events: &mut usize, parts: &mut Vec<String>| {
        if *events > 0 {
            parts.push(format!("{events} event{}", if *events == 1 { "" } else { "s" }));
        }
        *events = 0;
    };
    for step in all {
        if let Action::Send(_) = step.action {
            events += 1;
            continue;
        }
        flush(&mut events, &mut parts);
        match &step.action {
            Action::Send(_) => {}
            Action::Wait => parts.push(format!("a pause of {}", pace(&step.after))),
            Action::Repeat {
                repetition,
                steps: inner,
            } => {
                parts.push(format!("{} {}", steps(inner), repeated(repetition)));
            }
            Action::Follow(follow) => {
                let limit = follow
                    .limit
                    .map_or(String::new(), |n| format!(" for {n} messages"));
                let from = if follow.from == From::Earliest {
                    " from its beginning"
                } else {
                    ""
                };
                parts.push(format!("the topic {}{from}{limit}", text(&follow.topic)));
            }
            Action::End(end) => parts.push(format!("{end:?}").to_lowercase()),
        }
    }
    flush(&mut events, &mut parts);
    if parts.is_empty() {
        "nothing".into()
    } else {
        parts.join(", then ")
    }
}

fn repeated(repetition: &Repetition) -> String {
    let every = repetition
        .every
        .as_ref()
        .map_or("again and again".into(), |p| format!("every {}", pace(p)));
    match repetition.times {
        Some(n) => format!("{every}, {n} times"),
        None => every,
    }
}

fn pace(pace: &Pace) -> String {
    match pace {
        Pace::Range { low, high } if low == high => duration::format(*low),
        Pace::Range { low, high } => format!("{}..{}", duration::format(*low), duration::format(*high)),
        Pace::Template(_) => "a computed time".into(),
    }
}

fn text(text: &Text) -> String {
    match text {
        Text::Fixed(text) => text.to_string(),
        _ => "(computed)".into(),
    }
}

/// A `curl` line to paste; captured parts are filled with their names.
pub fn curl(endpoint: &Endpoint, base: &str) -> String {
    let path: String = endpoint
        .path
        .source()
        .chars()
        .filter(|c| !matches!(c, '{' | '}'))
        .collect();
    let url = format!("{base}{}", path.replace("...", ""));
    let quoted = if url.contains(['~', '*', '(', ')', ';', '&', '$', '\'']) {
        format!("'{url}'")
    } else {
        url
    };
    let streams = matches!(endpoint.answer.body, Body::Stream(_));
    let method = match &endpoint.methods {
        Methods::Any => "GET",
        Methods::Only(list) => list.first().map_or("GET", String::as_str),
    };
    let mut line = format!("curl{} {quoted}", if streams { " -N" } else { "" });
    match method {
        "GET" => {}
        "HEAD" => line += " -I",
        "POST" => {}
        other => line += &format!(" -X {other}"),
    }
    if matches!(method, "POST" | "PUT" | "PATCH") {
        line += " -H 'content-type: application/json' -d '{\"msg\": \"hello\"}'";
    }
    line
}
