//! Anthropic's messages: blocks that begin, grow and end, each event with its name.

use serde_json::{Value as Json, json};

use super::Api;
use super::reply::{Failure, Reply, arguments};

/// `POST /v1/messages`.
#[derive(Debug, Clone)]
pub struct AnthropicMessages;

/// What a thinking block is signed with.
const SIGNATURE: &str = "{{ _reasoning | string | sha256 | b64 }}";

/// What support is asked about an error with.
const REQUEST: &str = "req_{{ uuid() | replace('-', '') }}";

impl Api for AnthropicMessages {
    const KEY: &'static str = "anthropic_messages";
    const PATHS: &'static [&'static str] = &["/v1/messages"];
    const SAMPLE: (&'static str, &'static str) = (
        "",
        r#"{"model": "text", "stream": true, "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}"#,
    );
    const ID: &'static str = "msg_";
    const MODEL: &'static str = "request.json.model";
    const MESSAGES: &'static str = "request.json.messages";
    const CALL: &'static str = "toolu_";
    const ERRORS: &'static [(u16, &'static str)] = &[
        (500, "api_error"),
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ];

    fn stream(reply: &Reply) -> Vec<Json> {
        let mut message = message(json!([]), Json::Null, json!(1));
        message["content"] = json!([]);
        let mut steps = vec![reply.opening(event("message_start", json!({ "message": message })))];
        let mut blocks = blocks(reply).into_iter().enumerate();
        for (index, block) in &mut blocks {
            let begun = json!({ "index": index, "content_block": block.begun });
            steps.push(event("content_block_start", begun));
            if index == 0 {
                steps.push(event("ping", json!({})));
            }
            let delta = |delta: Json| event("content_block_delta", json!({ "index": index, "delta": delta }));
            match block.kind {
                Kind::Thinking => {
                    let thought =
                        delta(json!({ "type": "thinking_delta", "thinking": "{{ _piece | string }}" }));
                    steps.push(reply.each("_thoughts", json!([thought])));
                    steps.push(delta(
                        json!({ "type": "signature_delta", "signature": SIGNATURE }),
                    ));
                }
                Kind::Text => {
                    let token = delta(json!({ "type": "text_delta", "text": "{{ _piece | string }}" }));
                    steps.push(reply.each_token(json!([token])));
                    if let Some(failure) = &reply.failure {
                        let error = Self::failure(failure);
                        steps.push(event("error", json!({ "error": error["error"] })));
                        return steps;
                    }
                }
                Kind::Tool(number) => {
                    steps.push(delta(json!({ "type": "input_json_delta", "partial_json": "" })));
                    let piece =
                        delta(json!({ "type": "input_json_delta", "partial_json": "{{ _piece | string }}" }));
                    steps.push(reply.each(&arguments(number), json!([piece])));
                }
            }
            steps.push(event("content_block_stop", json!({ "index": index })));
        }
        let stop = json!({ "stop_reason": reply.finish("end_turn", "tool_use"), "stop_sequence": null });
        let over = json!({ "delta": stop, "usage": { "output_tokens": "{{ _output | int }}" } });
        steps.push(event("message_delta", over));
        steps.push(event("message_stop", json!({})));
        steps
    }

    fn whole(reply: &Reply) -> Json {
        let content: Json = blocks(reply).into_iter().map(|block| block.done).collect();
        let stop = json!(reply.finish("end_turn", "tool_use"));
        message(content, stop, json!("{{ _output | int }}"))
    }

    fn failure(failure: &Failure) -> Json {
        let error = json!({ "type": failure.kind, "message": "{{ _message | string }}" });
        json!({ "type": "error", "error": error, "request_id": REQUEST })
    }
}

/// An event of one type, whatever the scenario's defaults are.
fn event(kind: &str, fields: Json) -> Json {
    let mut data = json!({ "type": kind });
    for (key, value) in fields.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    json!({ "event": kind, "data": data, "id": null, "retry": null })
}

fn message(content: Json, stop_reason: Json, output: Json) -> Json {
    json!({
        "id": "{{ _id }}",
        "type": "message",
        "role": "assistant",
        "model": "{{ _model }}",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": {
            "input_tokens": "{{ _input | int }}",
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output,
        },
    })
}

enum Kind {
    Thinking,
    Text,
    Tool(usize),
}

/// A block, as it begins and as it is when it is done.
struct Block {
    kind: Kind,
    begun: Json,
    done: Json,
}

fn blocks(reply: &Reply) -> Vec<Block> {
    let mut blocks = Vec::new();
    if reply.reasoning.is_some() {
        let block = |thinking: &str, signature: &str| json!({ "type": "thinking", "thinking": thinking, "signature": signature });
        blocks.push(Block {
            kind: Kind::Thinking,
            begun: block("", ""),
            done: block("{{ _reasoning | string }}", SIGNATURE),
        });
    }
    if reply.text.is_some() {
        let block = |text: &str| json!({ "type": "text", "text": text });
        blocks.push(Block {
            kind: Kind::Text,
            begun: block(""),
            done: block("{{ _text | string }}"),
        });
    }
    for number in 0..reply.tools.len() {
        let field = |field: &str| format!("{{{{ _tools[{number}].{field} | string }}}}");
        let block = |input: Json| json!({ "type": "tool_use", "id": field("id"), "name": field("name"), "input": input });
        blocks.push(Block {
            kind: Kind::Tool(number),
            begun: block(json!({})),
            done: block(json!(reply.tools[number].value(number))),
        });
    }
    blocks
}
