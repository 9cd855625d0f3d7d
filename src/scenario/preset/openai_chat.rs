//! OpenAI's chat completions: `data:` alone, `[DONE]` at the end.

use serde_json::{Value as Json, json};

use super::reply::{Failure, Reply, arguments};
use super::{Api, CREATED};

/// `POST /v1/chat/completions`.
#[derive(Debug, Clone)]
pub struct OpenAiChat;

/// OpenAI's words for errors, by status; those of the responses API are the same.
pub(super) const ERRORS: &[(u16, &str)] = &[
    (500, "server_error"),
    (400, "invalid_request_error"),
    (401, "invalid_request_error"),
    (403, "invalid_request_error"),
    (404, "invalid_request_error"),
    (429, "rate_limit_error"),
    (503, "service_unavailable_error"),
];

impl Api for OpenAiChat {
    const KEY: &'static str = "openai_chat";
    const PATHS: &'static [&'static str] = &["/v1/chat/completions"];
    const SAMPLE: (&'static str, &'static str) = (
        "",
        r#"{"model": "text", "stream": true, "messages": [{"role": "user", "content": "Hi"}]}"#,
    );
    const ID: &'static str = "chatcmpl-";
    const MODEL: &'static str = "request.json.model";
    const MESSAGES: &'static str = "request.json.messages";
    const CALL: &'static str = "call_";
    const CODES: bool = true;
    const ERRORS: &'static [(u16, &'static str)] = ERRORS;

    fn stream(reply: &Reply) -> Vec<Json> {
        let mut steps = vec![reply.opening(delta(
            json!({ "role": "assistant", "content": "", "refusal": null }),
        ))];
        if reply.reasoning.is_some() {
            let thought = delta(json!({ "reasoning_content": "{{ _piece | string }}" }));
            steps.push(reply.each("_thoughts", json!([thought])));
        }
        if reply.text.is_some() {
            let token = delta(json!({ "content": "{{ _piece | string }}" }));
            steps.push(reply.each_token(json!([token])));
        }
        if let Some(failure) = &reply.failure {
            steps.push(data(Self::failure(failure)));
            return steps;
        }
        for number in 0..reply.tools.len() {
            let call = tool(number);
            steps.push(delta(json!({ "tool_calls": [{
                "index": number,
                "id": call("id"),
                "type": "function",
                "function": { "name": call("name"), "arguments": "" },
            }] })));
            let piece = json!({ "index": number, "function": { "arguments": "{{ _piece | string }}" } });
            steps.push(reply.each(
                &arguments(number),
                json!([delta(json!({ "tool_calls": [piece] }))]),
            ));
        }
        steps.push(chunk(
            json!([choice(json!({}), json!(reply.finish("stop", "tool_calls")))]),
            None,
        ));
        steps.push(json!({
            "if": "request.json.stream_options.include_usage",
            "then": [chunk(json!([]), Some(usage(reply)))],
        }));
        steps.push(json!({ "data": "[DONE]", "event": null, "id": null, "retry": null }));
        steps
    }

    fn whole(reply: &Reply) -> Json {
        let content = reply.text.as_ref().map(|_| "{{ _text | string }}");
        let mut message =
            json!({ "role": "assistant", "content": content, "refusal": null, "annotations": [] });
        if reply.reasoning.is_some() {
            message["reasoning_content"] = json!("{{ _reasoning | string }}");
        }
        if reply.calls() {
            let calls = (0..reply.tools.len()).map(|number| {
                let call = tool(number);
                let function = json!({ "name": call("name"), "arguments": call("arguments") });
                json!({ "id": call("id"), "type": "function", "function": function })
            });
            message["tool_calls"] = calls.collect();
        }
        let choice = json!({
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": reply.finish("stop", "tool_calls"),
        });
        json!({
            "id": "{{ _id }}",
            "object": "chat.completion",
            "created": CREATED,
            "model": "{{ _model }}",
            "choices": [choice],
            "usage": usage(reply),
        })
    }

    fn failure(failure: &Failure) -> Json {
        let code = failure.code.as_deref();
        json!({ "error": { "message": "{{ _message | string }}", "type": failure.kind, "param": null, "code": code } })
    }
}

/// An event of data alone, whatever the scenario's defaults are.
fn data(data: Json) -> Json {
    json!({ "data": data, "event": null, "id": null, "retry": null })
}

fn chunk(choices: Json, usage: Option<Json>) -> Json {
    let mut chunk = json!({
        "id": "{{ _id }}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": "{{ _model }}",
        "choices": choices,
    });
    if let Some(usage) = usage {
        chunk["usage"] = usage;
    }
    data(chunk)
}

fn choice(delta: Json, finish: Json) -> Json {
    json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish })
}

fn delta(delta: Json) -> Json {
    chunk(json!([choice(delta, Json::Null)]), None)
}

/// A field of a call, as text of its own.
fn tool(number: usize) -> impl Fn(&str) -> String {
    move |field| format!("{{{{ _tools[{number}].{field} | string }}}}")
}

fn usage(reply: &Reply) -> Json {
    let mut usage = json!({
        "prompt_tokens": "{{ _input | int }}",
        "completion_tokens": "{{ _output | int }}",
        "total_tokens": "{{ (_input | int) + (_output | int) }}",
    });
    if reply.reasoning.is_some() {
        usage["completion_tokens_details"] = json!({ "reasoning_tokens": "{{ _thoughts | length }}" });
    }
    usage
}
