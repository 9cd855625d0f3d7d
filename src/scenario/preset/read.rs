//! What a user wrote → what an answer is made of, with every mistake told.

use serde_json::{Value as Json, json};

use super::Api;
use super::draft::{node, text};
use super::reply::{Failure, Pace, Reply, Tool};
use crate::scenario::decode::{Anything, At, OneOrMany, Scalar};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::duration;
use crate::scenario::file::{FailureFile, PaceFile, PiecesFile, ReplyFile, ToolFile, TurnFile, UsageFile};
use crate::scenario::yaml::{Kind, Node};

/// Pieces that a text may be cut into.
const MOST_PIECES: u64 = 500_000;

/// All turns, what stands beside `turns` filled in.
pub(super) fn turns<A: Api>(
    node: &Node,
    file: &ReplyFile,
    errors: &mut Vec<Diagnostic>,
) -> Option<Vec<Reply>> {
    let around = &file.turn;
    let Some(turns) = &file.turns else {
        return Some(vec![reply::<A>(&node.span, around, None, errors)?]);
    };
    if turns.is_empty() {
        let error = Diagnostic::error(&node.span, "`turns` has no entries, so nothing is ever answered");
        errors.push(error.hint("add an entry: `- text: Hello`"));
        return None;
    }
    let tool = around.tools.as_ref().and_then(|tools| tools.0.first());
    let said = [
        ("text", around.text.as_ref().map(PiecesFile::span)),
        ("reasoning", around.reasoning.as_ref().map(PiecesFile::span)),
        ("tools", tool.map(|tool| &tool.span)),
        ("error", around.error.as_ref().map(|error| &error.span)),
    ];
    if let Some((key, span)) = said.into_iter().find_map(|(key, span)| Some((key, span?))) {
        let error = Diagnostic::error(span, format!("`{key}` stands beside `turns`"));
        errors.push(error.hint(format!("write `{key}` into the turn that it belongs to")));
        return None;
    }
    let turns = turns
        .iter()
        .map(|turn| reply::<A>(&turn.0.span, &turn.0.value, Some(around), errors));
    let turns: Vec<Option<Reply>> = turns.collect();
    turns.into_iter().collect()
}

fn reply<A: Api>(
    span: &Span,
    file: &TurnFile,
    around: Option<&TurnFile>,
    errors: &mut Vec<Diagnostic>,
) -> Option<Reply> {
    let before = errors.len();
    let calls = file.tools.as_ref().is_some_and(|tools| !tools.0.is_empty());
    if file.text.is_none() && !calls && file.error.is_none() && file.reasoning.is_none() {
        let error = Diagnostic::error(span, "this answer says nothing");
        errors.push(error.hint("give it a `text`, `tools` or an `error`"));
    }
    let (input, output) = usage(file, around, errors);
    let finish = file.finish_reason.as_ref();
    let finish = finish.or(around.and_then(|a| a.finish_reason.as_ref()));
    let reply = Reply {
        span: span.clone(),
        text: file.text.clone(),
        reasoning: file.reasoning.clone(),
        tools: tools::<A>(file.tools.as_ref(), errors),
        finish_reason: finish.map(|at| finish_reason::<A>(at, errors)),
        input,
        output,
        pace: pace(file, around, errors),
        failure: file
            .error
            .as_ref()
            .and_then(|error| failure::<A>(error, file, errors)),
    };
    (errors.len() == before).then_some(reply)
}

/// A word of the API's, as it is written.
fn fixed(at: &At<String>, key: &str, errors: &mut Vec<Diagnostic>) -> String {
    if at.value.contains("{{") {
        let error = Diagnostic::error(&at.span, format!("`{key}` is fixed text, without templates"));
        errors.push(error.hint("write a case for each"));
    }
    at.value.clone()
}

fn finish_reason<A: Api>(at: &At<String>, errors: &mut Vec<Diagnostic>) -> String {
    if let Some(known) = A::FINISH.filter(|known| !known.contains(&at.value.as_str())) {
        let message = format!("`{}` knows no `finish_reason` `{}`", A::KEY, at.value);
        let hint = format!("use {}", known.join(", "));
        errors.push(Diagnostic::error(&at.span, message).hint(hint));
    }
    fixed(at, "finish_reason", errors)
}

/// What a turn does not say is what stands beside `turns`.
fn usage(
    file: &TurnFile,
    around: Option<&TurnFile>,
    errors: &mut Vec<Diagnostic>,
) -> (Option<Node>, Option<Node>) {
    let own = file.usage.as_ref().map(|usage| &usage.value);
    let outer = around
        .and_then(|around| around.usage.as_ref())
        .map(|usage| &usage.value);
    let mut count = |get: fn(&UsageFile) -> Option<&Anything>| {
        let count = own.and_then(get).or(outer.and_then(get))?;
        let right = match &count.0.kind {
            Kind::Number(number, _) => number.is_u64(),
            Kind::Text(text) => text.contains("{{"),
            _ => false,
        };
        if !right {
            let message = "tokens are counted in whole numbers";
            errors.push(Diagnostic::error(&count.0.span, message).hint("write for example 12"));
        }
        Some(count.0.clone())
    };
    (
        count(|usage| usage.input.as_ref()),
        count(|usage| usage.output.as_ref()),
    )
}

fn tools<A: Api>(list: Option<&OneOrMany<At<ToolFile>>>, errors: &mut Vec<Diagnostic>) -> Vec<Tool> {
    let scalar = |scalar: &Scalar| text(&scalar.span, scalar.text.as_deref().unwrap_or(""));
    let mut tools = Vec::new();
    for At { span, value } in list.into_iter().flat_map(|list| &list.0) {
        let Some(name) = value.name.as_ref().filter(|name| name.text.is_some()) else {
            let error = Diagnostic::error(span, "this tool call does not say which tool");
            errors.push(error.hint("add `name: get_weather`"));
            continue;
        };
        let none = || node(span, &json!({}));
        let arguments = value.arguments.as_ref().map(|arguments| &arguments.0);
        let arguments = arguments
            .filter(|node| !node.is_null())
            .cloned()
            .unwrap_or_else(none);
        tools.push(Tool {
            name: scalar(name),
            value: told::<A>(&arguments, errors),
            arguments,
            id: value.id.as_ref().filter(|id| id.text.is_some()).map(scalar),
        });
    }
    tools
}

/// The value that arguments tell that are written as text: some APIs send text, others values.
fn told<A: Api>(written: &Node, errors: &mut Vec<Diagnostic>) -> Option<Node> {
    let Kind::Text(text) = &written.kind else {
        if !matches!(written.kind, Kind::Map(_)) {
            let message = format!(
                "a tool is called with arguments by name, not with {}",
                written.describe()
            );
            let error = Diagnostic::error(&written.span, message);
            errors.push(error.hint("write a mapping: { city: Paris }"));
        }
        return None;
    };
    match serde_json::from_str::<Json>(text) {
        Ok(map @ Json::Object(_)) => Some(node(&written.span, &map)),
        // Whatever it yields.
        _ if text.contains("{{") => None,
        _ => {
            if A::VALUES {
                let message = format!(
                    "`{}` sends arguments as values, and this text is no JSON object",
                    A::KEY
                );
                let error = Diagnostic::error(&written.span, message);
                errors.push(error.hint("write a mapping: { city: Paris }"));
            }
            Some(node(&written.span, &json!({})))
        }
    }
}

fn pace(file: &TurnFile, around: Option<&TurnFile>, errors: &mut Vec<Diagnostic>) -> Pace {
    let all = [Some(file), around].into_iter().flatten();
    let written: Vec<&At<PaceFile>> = all.filter_map(|turn| turn.pace.as_ref()).collect();
    let first = written.iter().find_map(|pace| pace.value.first_token.as_ref());
    let first = first.and_then(|d| d.0.text.clone().map(|text| (&d.0.span, text)));
    if let Some((span, text)) = &first
        && let Err(message) = duration::parse_range(text)
    {
        errors.push(Diagnostic::error(span, message));
    }
    let rate = written
        .iter()
        .find_map(|pace| pace.value.tokens_per_second.as_ref());
    if let Some(rate) = rate.filter(|rate| !(0.001..=1_000_000.0).contains(&rate.value)) {
        let message = format!(
            "{} tokens a second are no pace: write 0.001 to 1000000",
            rate.value
        );
        errors.push(Diagnostic::error(&rate.span, message));
    }
    if let (Some(pace), None, None) = (written.first(), &first, rate) {
        let error = Diagnostic::error(&pace.span, "`pace` says nothing");
        errors.push(error.hint("give it `first_token`, `tokens_per_second`, or both"));
    }
    Pace {
        first: first.map(|(_, text)| text),
        every: rate.map(|rate| 1000.0 / rate.value),
    }
}

fn failure<A: Api>(file: &At<FailureFile>, turn: &TurnFile, errors: &mut Vec<Diagnostic>) -> Option<Failure> {
    let value = &file.value;
    let kind = value.r#type.as_ref().map(|kind| fixed(kind, "type", errors));
    let by_kind = || {
        let kind = kind.as_ref()?;
        A::ERRORS
            .iter()
            .find(|(_, word)| word == kind)
            .map(|(status, _)| *status)
    };
    let status = match &value.status {
        Some(status) if !(400..=599).contains(&status.value) => {
            let message = format!("{} is no status of an error: use 400 to 599", status.value);
            errors.push(Diagnostic::error(&status.span, message));
            return None;
        }
        Some(status) => status.value as u16,
        None => by_kind().unwrap_or(A::ERRORS[0].0),
    };
    let by_status = |status| {
        A::ERRORS
            .iter()
            .find(|(s, _)| *s == status)
            .map(|(_, word)| *word)
    };
    let fallback = if status < 500 { 400 } else { 500 };
    let word = by_status(status).or(by_status(fallback)).unwrap_or("error");
    let kind = kind.unwrap_or_else(|| word.to_owned());
    let within = A::within(&kind);
    if value.after.is_some() && turn.text.is_none() && !within {
        let message = "an error comes `after` so many pieces of the text, but there is no `text`";
        errors.push(Diagnostic::error(&file.span, message).hint("add the text, or remove `after`"));
    }
    let most = Some(MOST_PIECES).filter(|most| value.after.as_ref().is_some_and(|after| after.value > *most));
    if let (Some(most), Some(after)) = (most, &value.after) {
        errors.push(Diagnostic::error(
            &after.span,
            format!("no text has more than {most} pieces"),
        ));
    }
    let after = value
        .after
        .as_ref()
        .map(|after| after.value)
        .or(within.then_some(0));
    never_sent(turn, after, errors);
    if let Some(code) = value.code.as_ref().filter(|_| !A::CODES) {
        let message = format!("the errors of `{}` have no `code`", A::KEY);
        errors.push(Diagnostic::error(&code.span, message).hint("write it as `type`, or remove it"));
    }
    let message = value.message.as_ref();
    Some(Failure {
        status,
        kind,
        code: value.code.as_ref().map(|code| fixed(code, "code", errors)),
        message: message.and_then(|m| Some(text(&m.span, m.text.as_deref()?))),
        headers: retry_after(value, errors),
        after,
    })
}

/// What an error leaves no room for.
fn never_sent(turn: &TurnFile, after: Option<u64>, errors: &mut Vec<Diagnostic>) {
    let tool = turn.tools.as_ref().and_then(|tools| tools.0.first());
    let whole = |span| after.is_none().then_some(span).flatten();
    let said = [
        ("text", whole(turn.text.as_ref().map(PiecesFile::span))),
        ("reasoning", whole(turn.reasoning.as_ref().map(PiecesFile::span))),
        ("usage", whole(turn.usage.as_ref().map(|usage| &usage.span))),
        ("tools", tool.map(|tool| &tool.span)),
        (
            "finish_reason",
            turn.finish_reason.as_ref().map(|reason| &reason.span),
        ),
    ];
    for (key, span) in said {
        let Some(span) = span else { continue };
        let (message, hint) = match after {
            None => (
                format!("the error stands for the whole answer, so this `{key}` is never sent"),
                "say behind how many pieces of the text the error comes: `after: 3`; or remove it",
            ),
            Some(_) => (
                format!("the error comes before, so this `{key}` is never sent"),
                "remove it",
            ),
        };
        errors.push(Diagnostic::error(span, message).hint(hint));
    }
}

/// RFC 9110 §10.2.3 knows whole seconds; the SDKs read milliseconds from a header of their own.
fn retry_after(file: &FailureFile, errors: &mut Vec<Diagnostic>) -> Json {
    let Some(Scalar {
        span,
        text: Some(text),
    }) = file.retry_after.as_ref().map(|d| &d.0)
    else {
        return json!({});
    };
    let fixed = duration::parse_range(text).and_then(|range| match range.low == range.high {
        true => Ok(range.low),
        false => Err("this must be one fixed duration, no range and no template".into()),
    });
    match fixed {
        Ok(time) => {
            let ms = time.as_millis();
            let mut headers = json!({ "retry-after": ms.div_ceil(1000).to_string() });
            if ms % 1000 != 0 {
                headers["retry-after-ms"] = json!(ms.to_string());
            }
            headers
        }
        Err(message) => {
            errors.push(Diagnostic::error(span, message));
            json!({})
        }
    }
}
