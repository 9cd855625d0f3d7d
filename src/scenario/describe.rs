//! What an endpoint does, in a few words, and a command to try it.

use std::time::Duration;

use super::duration;
use super::model::{
    Action, Answer, Awaited, Body, Choice, Disconnect, End, Endpoint, Entry, Follow, From, Methods, Pace,
    Repetition, Step, TopicName, WaitFor,
};
use crate::expr::Text;

/// Parts of a stream or a choice that are named; the rest is an ellipsis.
const MOST_PARTS: usize = 6;

/// What an endpoint does: `streams 1 event, then 1 event every 5s`.
pub fn summary(endpoint: &Endpoint) -> String {
    let mut text = match endpoint.preset {
        Some(preset) => format!("answers as a language model does ({})", preset.key),
        None => choice(&endpoint.choice),
    };
    if endpoint.when.is_some() {
        text += ", under a condition";
    }
    text
}

fn choice(choice: &Choice) -> String {
    let listed = |entries: &[Entry], between| {
        let entries = entries.iter().map(|e| self::choice(&e.choice)).collect();
        shortened(entries, between)
    };
    match choice {
        Choice::Answer(answer) => self::answer(answer),
        Choice::Attempts(entries) => format!("attempt by attempt: {}", listed(entries, "; then ")),
        Choice::Cases(entries) => format!("case by case: {}", listed(entries, "; or ")),
    }
}

fn shortened(mut parts: Vec<String>, between: &str) -> String {
    if parts.len() > MOST_PARTS {
        parts.truncate(MOST_PARTS);
        parts.push("…".into());
    }
    parts.join(between)
}

fn answer(answer: &Answer) -> String {
    let mut parts = Vec::new();
    for publish in &answer.effects.publish {
        parts.push(format!("publishes to {}", text(&publish.topic)));
    }
    if !answer.effects.sets.is_empty() {
        parts.push("changes the state".into());
    }
    let status = text(&answer.status);
    let with_status = |what: &str| match status.as_str() {
        "200" => what.to_owned(),
        _ => format!("{what} with {status}"),
    };
    parts.push(match &answer.body {
        Body::Empty => format!("answers {status}"),
        Body::Text(_) => with_status("answers text"),
        Body::Json(_) => with_status("answers JSON"),
        Body::File { media_type, .. } => with_status(&format!("answers a file ({media_type})")),
        Body::Files(files) => with_status(&format!("serves {}", counted(files.files.len(), "file"))),
        Body::Stream(script) => {
            let how = if begins_with_a_deed(&script.steps) {
                "opens a stream,"
            } else {
                "streams"
            };
            with_status(&format!("{how} {}", steps(&script.steps)))
        }
        Body::Nothing(end) => format!("answers nothing: {}", ending(*end)),
    });
    parts.join(", ")
}

fn steps(all: &[Step]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut events = 0;
    for step in all {
        if let Action::Send(_) = step.action {
            events += 1;
            continue;
        }
        if events > 0 {
            parts.push(counted(std::mem::take(&mut events), "event"));
        }
        parts.extend(action(step));
    }
    if events > 0 {
        parts.push(counted(events, "event"));
    }
    match parts.is_empty() {
        true => "nothing".into(),
        false => shortened(parts, ", then "),
    }
}

/// Several steps in brackets: what is said next holds for all of them.
fn grouped(inner: &[Step]) -> String {
    let said = steps(inner);
    match said.contains(", then ") {
        true => format!("({said})"),
        false => said,
    }
}

/// A step's action; `None` for what a client does not see.
fn action(step: &Step) -> Option<String> {
    Some(match &step.action {
        Action::Send(_) | Action::Let(_) | Action::Set(_) => return None,
        Action::Wait => format!("a pause of {}", pace(&step.after)),
        Action::Raw(_) => "raw bytes".into(),
        Action::Recorded(_) => return None,
        Action::Replay(replay) => {
            let writes = counted(replay.writes.len(), "write");
            format!(
                "a recording of {writes} in {}",
                duration::format(in_ms(replay.lasts))
            )
        }
        Action::OneWrite(inner) => format!("{} in one write", grouped(inner)),
        Action::Repeat {
            repetition,
            steps: inner,
        } => format!("{} {}", grouped(inner), repeated(repetition)),
        Action::ForEach(each) => {
            let every = each.every.as_ref().map(|p| format!(", one every {}", pace(p)));
            let every = every.unwrap_or_default();
            format!("{} for each entry of a list{every}", grouped(&each.steps))
        }
        Action::Choose(choices) => format!("one of {} ways", choices.len()),
        Action::If { then, otherwise, .. } => either(&steps(then), &steps(otherwise)),
        Action::Parallel(branches) => {
            let branches = branches.iter().map(|b| steps(b)).collect();
            format!("side by side ({})", shortened(branches, "; "))
        }
        Action::Follow(follow) => followed(follow),
        Action::Publish(list) => {
            let topics: Vec<String> = list.iter().map(|p| text(&p.topic)).collect();
            format!("publishes to {}", topics.join(", "))
        }
        Action::Signal(name) => format!("gives the signal {}", text(name)),
        Action::WaitFor(wait) => awaited(wait),
        Action::Disconnect(disconnect) => disconnected(disconnect),
        Action::Offline(time) => format!("refuses connections for {}", pace(time)),
        Action::Stall(time) => format!("silence for {}", pace(time)),
        Action::End(End::Hold) => "stays open".into(),
        Action::End(End::Stall) => "falls silent".into(),
        Action::End(end) => ending(*end),
    })
}

/// In whole milliseconds: finer is too fine for people.
fn in_ms(time: Duration) -> Duration {
    Duration::from_millis(time.as_millis().try_into().unwrap_or(u64::MAX))
}

/// Whether the words for these steps begin with a verb: something is done before anything is sent.
fn begins_with_a_deed(steps: &[Step]) -> bool {
    let visible = |step: &&Step| !matches!(step.action, Action::Let(_) | Action::Set(_));
    let Some(first) = steps.iter().find(visible) else {
        return false;
    };
    match &first.action {
        Action::Publish(_)
        | Action::Signal(_)
        | Action::WaitFor(_)
        | Action::Disconnect(_)
        | Action::Offline(_)
        | Action::End(_) => true,
        Action::OneWrite(inner) | Action::Repeat { steps: inner, .. } => begins_with_a_deed(inner),
        Action::ForEach(each) => begins_with_a_deed(&each.steps),
        _ => false,
    }
}

fn either(then: &str, otherwise: &str) -> String {
    match (then, otherwise) {
        (then, "nothing") => format!("perhaps {then}"),
        ("nothing", otherwise) => format!("perhaps {otherwise}"),
        (then, otherwise) => format!("either {then} or {otherwise}"),
    }
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn followed(follow: &Follow) -> String {
    let name = |topic: &TopicName| match topic {
        TopicName::Name(name) => text(name),
        TopicName::Pattern(pattern) => pattern.source().to_owned(),
    };
    let names: Vec<String> = follow.topics.iter().map(name).collect();
    let what = if names.len() == 1 { "topic" } else { "topics" };
    let from = match follow.from {
        From::Earliest => " from its beginning",
        _ => "",
    };
    let limit = follow
        .limit
        .map_or(String::new(), |n| format!(" for {n} messages"));
    let time = follow.duration.as_ref().map(|p| format!(" for {}", pace(p)));
    format!(
        "the {what} {}{from}{limit}{}",
        names.join(", "),
        time.unwrap_or_default()
    )
}

fn awaited(wait: &WaitFor) -> String {
    match &wait.what {
        Awaited::Signal(name) => format!("waits for the signal {}", text(name)),
        Awaited::Clients(n) => format!("waits for {}", counted(*n as usize, "client")),
        Awaited::Publish(topic) => format!("waits for a message to {}", text(topic)),
    }
}

fn disconnected(disconnect: &Disconnect) -> String {
    match &disconnect.endpoints {
        None => "ends all other streams".into(),
        Some(keys) => {
            // Keys name the place among equals as well, which says nothing to people.
            let mut names: Vec<&str> = keys
                .iter()
                .map(|key| key.rsplit_once('#').map_or(&**key, |(name, _)| name))
                .collect();
            names.dedup();
            format!("ends the streams of {}", names.join(", "))
        }
    }
}

/// An ending in words.
pub(crate) fn ending(end: End) -> String {
    match end {
        End::Close => "close".into(),
        End::Cut { code } => match super::compile::code_name(code).as_str() {
            "INTERNAL_ERROR" => "cut".into(),
            code => format!("cut with {code}"),
        },
        End::Reset => "reset".into(),
        End::Goaway => "goaway".into(),
        End::Stall => "stall".into(),
        End::Hold => "hold".into(),
    }
}

fn repeated(repetition: &Repetition) -> String {
    let every = repetition.every.as_ref();
    let every = every.map_or("again and again".into(), |p| format!("every {}", pace(p)));
    let times = repetition.times.map_or(String::new(), |n| format!(", {n} times"));
    let bound = if repetition.condition.is_some() {
        " while a condition holds"
    } else {
        ""
    };
    format!("{every}{times}{bound}")
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
    let path = endpoint.paths.first().map_or("/", |path| path.source());
    let path: String = path.chars().filter(|c| !matches!(c, '{' | '}')).collect();
    let sample = endpoint.preset.map(|preset| preset.sample);
    let (query, body) = sample.unwrap_or(("", r#"{"msg": "hello"}"#));
    let url = format!("{base}{}{query}", path.replace("...", ""));
    let quoted = match url.contains(['?', '~', '*', '(', ')', ';', '&', '$', '\'']) {
        true => format!("'{url}'"),
        false => url,
    };
    let method = match &endpoint.methods {
        Methods::Any => "GET",
        Methods::Only(list) => list.first().map_or("GET", String::as_str),
    };
    let mut line = format!(
        "curl{} {quoted}",
        if streams(&endpoint.choice) { " -N" } else { "" }
    );
    if let Some(host) = endpoint.hosts.as_ref().and_then(|hosts| hosts.first()) {
        let name = if host.wildcard {
            format!("www{}", host.name)
        } else {
            host.name.clone()
        };
        let port = host.port.map_or(String::new(), |port| format!(":{port}"));
        line += &format!(" -H 'host: {name}{port}'");
    }
    match method {
        "GET" | "POST" => {}
        "HEAD" => line += " -I",
        other => line += &format!(" -X {other}"),
    }
    if matches!(method, "POST" | "PUT" | "PATCH") {
        line += &format!(" -H 'content-type: application/json' -d '{body}'");
    }
    line
}

fn streams(choice: &Choice) -> bool {
    match choice {
        Choice::Answer(answer) => matches!(answer.body, Body::Stream(_)),
        Choice::Attempts(entries) | Choice::Cases(entries) => entries.iter().any(|e| streams(&e.choice)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::diagnostic::Source;

    #[test]
    fn endpoints_are_told_in_a_few_words() {
        for (endpoint, expected, command) in [
            (
                "path: /a, stream: [ { data: a }, { data: b, every: 5s } ]",
                "streams 1 event, then 1 event every 5s",
                "curl -N http://h/a",
            ),
            (
                "path: /a, attempts: [ { status: 503 }, { stream: [ { data: a }, { end: cut } ] } ]",
                "attempt by attempt: answers 503; then streams 1 event, then cut",
                "curl -N http://h/a",
            ),
            (
                "path: '/{x}', host: '*.a.test:1', method: PUT, when: x == '1', end: reset",
                "answers nothing: reset, under a condition",
                "curl http://h/x -H 'host: www.a.test:1' -X PUT \
                 -H 'content-type: application/json' -d '{\"msg\": \"hello\"}'",
            ),
            (
                "path: /a, stream: [ { signal: go }, { disconnect: /a }, { data: a }, { end: hold } ]",
                "opens a stream, gives the signal go, then ends the streams of GET /a, then 1 event, \
                 then stays open",
                "curl -N http://h/a",
            ),
            (
                "path: /a, stream: [ { repeat: { every: 1s, steps: [ { data: a }, { stall: 1ms } ] } } ]",
                "streams (1 event, then silence for 1ms) every 1s",
                "curl -N http://h/a",
            ),
            (
                "gemini: Hello",
                "answers as a language model does (gemini)",
                "curl -N 'http://h/v1beta/models/model:streamGenerateContent?alt=sse' \
                 -H 'content-type: application/json' -d '{\"contents\": [{\"role\": \"user\", \"parts\": [{\"text\": \"Hi\"}]}]}'",
            ),
            (
                "path: /a, cases: [ { when: request.body, json: 1 }, { set: { a: 1 }, status: 204 } ]",
                "case by case: answers JSON; or changes the state, answers 204",
                "curl http://h/a",
            ),
        ] {
            let yaml = format!("endpoints: [ {{ {endpoint} }} ]");
            let source = Arc::new(Source::new("t.yaml", yaml));
            let (scenario, _) = crate::scenario::compile(&[source]).unwrap();
            let endpoint = &scenario.endpoints[0];
            let said = (summary(endpoint), curl(endpoint, "http://h"));
            assert_eq!(said, (expected.to_owned(), command.to_owned()));
        }
    }
}
