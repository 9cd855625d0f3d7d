//! What a user wrote → what an answer is made of, with every mistake told.

use serde_json::{Value as Json, json};

use super::Api;
use super::draft::{node, text};
use super::reply::{Failure, Pace, Reply, Tool};
use crate::scenario::decode::{At, OneOrMany, Scalar};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::duration;
use crate::scenario::file::{FailureFile, PaceFile, PiecesFile, ReplyFile, ToolFile, TurnFile, UsageFile};
use crate::scenario::yaml::{Kind, Node};

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
        .map(|turn| reply::<A>(&turn.span, &turn.value, Some(around), errors));
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
    if file.text.is_none() && file.tools.is_none() && file.error.is_none() && file.reasoning.is_none() {
        let error = Diagnostic::error(span, "this answer says nothing");
        errors.push(error.hint("give it a `text`, `tools` or an `error`"));
    }
    let usage = file.usage.as_ref().or(around.and_then(|a| a.usage.as_ref()));
    let usage = usage.map_or_else(UsageFile::default, |usage| usage.value.clone());
    let pace = file.pace.as_ref().or(around.and_then(|a| a.pace.as_ref()));
    let finish = file.finish_reason.as_ref();
    let finish = finish.or(around.and_then(|a| a.finish_reason.as_ref()));
    let reply = Reply {
        span: span.clone(),
        text: file.text.clone(),
        reasoning: file.reasoning.clone(),
        tools: tools(file.tools.as_ref(), errors),
        finish_reason: finish.map(|at| at.value.clone()),
        input: usage.input.map(|count| count.0),
        output: usage.output.map(|count| count.0),
        pace: pace.map(|pace| self::pace(pace, errors)).unwrap_or_default(),
        failure: file
            .error
            .as_ref()
            .and_then(|error| failure::<A>(error, file, errors)),
    };
    (errors.len() == before).then_some(reply)
}

fn tools(list: Option<&OneOrMany<At<ToolFile>>>, errors: &mut Vec<Diagnostic>) -> Vec<Tool> {
    let scalar = |scalar: &Scalar| text(&scalar.span, scalar.text.as_deref().unwrap_or(""));
    let mut tools = Vec::new();
    for At { span, value } in list.into_iter().flat_map(|list| &list.0) {
        let Some(name) = value.name.as_ref().filter(|name| name.text.is_some()) else {
            let error = Diagnostic::error(span, "this tool call does not say which tool");
            errors.push(error.hint("add `name: get_weather`"));
            continue;
        };
        let arguments = value.arguments.as_ref().map(|arguments| &arguments.0);
        if let Some(wrong) = arguments.filter(|node| matches!(node.kind, Kind::List(_))) {
            let error = Diagnostic::error(
                &wrong.span,
                "a tool is called with arguments by name, not with a list",
            );
            errors.push(error.hint("write a mapping: { city: Paris }"));
        }
        tools.push(Tool {
            name: scalar(name),
            arguments: arguments.map_or_else(|| node(span, &json!({})), as_value),
            id: value.id.as_ref().filter(|id| id.text.is_some()).map(scalar),
        });
    }
    tools
}

/// Text that is JSON is the value it tells: some APIs send arguments as text, others as values.
fn as_value(written: &Node) -> Node {
    match &written.kind {
        Kind::Null(_) => node(&written.span, &json!({})),
        Kind::Text(text) => match serde_json::from_str::<Json>(text) {
            Ok(map @ Json::Object(_)) => node(&written.span, &map),
            _ => written.clone(),
        },
        _ => written.clone(),
    }
}

fn pace(file: &At<PaceFile>, errors: &mut Vec<Diagnostic>) -> Pace {
    let first = file
        .value
        .first_token
        .as_ref()
        .and_then(|d| d.0.text.clone().map(|t| (&d.0.span, t)));
    if let Some((span, text)) = &first
        && let Err(message) = duration::parse_range(text)
    {
        errors.push(Diagnostic::error(span, message));
    }
    let rate = file.value.tokens_per_second.as_ref();
    if let Some(rate) = rate.filter(|rate| !(0.001..=1_000_000.0).contains(&rate.value)) {
        let message = format!(
            "{} tokens a second are no pace: write 0.001 to 1000000",
            rate.value
        );
        errors.push(Diagnostic::error(&rate.span, message));
    }
    if first.is_none() && rate.is_none() {
        let error = Diagnostic::error(&file.span, "`pace` says nothing");
        errors.push(error.hint("give it `first_token`, `tokens_per_second`, or both"));
    }
    Pace {
        first: first.map(|(_, text)| text),
        every: rate.map(|rate| 1000.0 / rate.value),
    }
}

fn failure<A: Api>(file: &At<FailureFile>, turn: &TurnFile, errors: &mut Vec<Diagnostic>) -> Option<Failure> {
    let value = &file.value;
    let kind = value.r#type.as_ref().map(|kind| kind.value.clone());
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
    if value.after.is_some() && turn.text.is_none() {
        let message = "an error comes `after` so many pieces of the text, but there is no `text`";
        errors.push(Diagnostic::error(&file.span, message).hint("add the text, or remove `after`"));
    }
    if value.after.is_none()
        && let Some(written) = turn.text.as_ref()
    {
        let error = Diagnostic::error(
            written.span(),
            "the error stands for the whole answer, so this text is never sent",
        );
        errors.push(error.hint("say behind how many pieces of it the error comes: `after: 3`; or remove it"));
    }
    if let Some(code) = value.code.as_ref().filter(|_| !A::CODES) {
        let message = format!("the errors of `{}` have no `code`", A::KEY);
        errors.push(Diagnostic::error(&code.span, message).hint("write it as `type`, or remove it"));
    }
    let message = value.message.as_ref();
    Some(Failure {
        status,
        kind: kind.unwrap_or_else(|| word.to_owned()),
        code: value.code.as_ref().map(|code| code.value.clone()),
        message: message.and_then(|m| Some(text(&m.span, m.text.as_deref()?))),
        headers: retry_after(value, errors),
        after: value.after.as_ref().map(|after| after.value),
    })
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
    match duration::parse(text) {
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
