//! Gemini's `generateContent` and `streamGenerateContent`: `data:` alone, CRLF, and no last word.

use serde_json::{Value as Json, json};

use super::Api;
use super::reply::{Failure, Reply};

/// `POST /v1beta/models/{model}:streamGenerateContent?alt=sse`.
#[derive(Debug, Clone)]
pub struct Gemini;

impl Api for Gemini {
    const KEY: &'static str = "gemini";
    const PATHS: &'static [&'static str] = &[
        "/v1beta/models/{model}:streamGenerateContent",
        "/v1beta/models/{model}:generateContent",
        "/v1/models/{model}:streamGenerateContent",
        "/v1/models/{model}:generateContent",
    ];
    const SAMPLE: (&'static str, &'static str) = (
        "?alt=sse",
        r#"{"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}"#,
    );
    const ID: &'static str = "";
    const MODEL: &'static str = "((request.path | split('/') | last) | split(':') | first)";
    const MESSAGES: &'static str = "request.json.contents";
    const CALL: &'static str = "";
    const OPENS: bool = false;
    const VALUES: bool = true;
    const ERRORS: &'static [(u16, &'static str)] = &[
        (500, "INTERNAL"),
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (429, "RESOURCE_EXHAUSTED"),
        (499, "CANCELLED"),
        (501, "UNIMPLEMENTED"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ];

    fn streamed() -> &'static str {
        "request.path is endingwith(':streamGenerateContent') and request.query.alt == 'sse'"
    }

    fn base() -> Json {
        json!({ "wire": { "eol": "crlf" } })
    }

    fn stream(reply: &Reply) -> Vec<Json> {
        let mut steps = Vec::new();
        if reply.reasoning.is_some() {
            let thought = json!([{ "text": PIECE, "thought": true }]);
            let thought = json!([data(chunk(reply, thought, false))]);
            steps.extend(reply.each_from_the_first("_thoughts", thought));
        }
        if reply.text.is_some() {
            let token = json!([data(chunk(reply, json!([{ "text": PIECE }]), false))]);
            match steps.is_empty() {
                true => steps.extend(reply.each_from_the_first(&reply.tokens(), token)),
                false => steps.push(reply.each(&reply.tokens(), token)),
            }
        }
        match &reply.failure {
            Some(failure) => steps.push(data(Self::failure(failure))),
            None => {
                let calls = calls(reply);
                let last = if calls.is_empty() {
                    json!([{ "text": "" }])
                } else {
                    json!(calls)
                };
                steps.push(data(chunk(reply, last, true)));
            }
        }
        // A call alone, or an error.
        if reply.text.is_none() && reply.reasoning.is_none() {
            steps = steps.into_iter().map(|step| reply.opening(step)).collect();
        }
        steps
    }

    fn whole(reply: &Reply) -> Json {
        let mut parts = Vec::new();
        if reply.reasoning.is_some() {
            parts.push(json!({ "text": "{{ _reasoning | string }}", "thought": true }));
        }
        if reply.text.is_some() {
            parts.push(json!({ "text": "{{ _text | string }}" }));
        }
        parts.extend(calls(reply));
        chunk(reply, json!(parts), true)
    }

    fn failure(failure: &Failure) -> Json {
        json!({ "error": { "code": failure.status, "message": "{{ _message | string }}", "status": failure.kind } })
    }

    /// Without `alt=sse` the stream is a JSON list.
    fn other_form(reply: &Reply) -> Option<(&'static str, Json)> {
        let when = "request.path is endingwith(':streamGenerateContent')";
        reply
            .failure
            .is_none()
            .then(|| (when, json!([Self::whole(reply)])))
    }
}

const PIECE: &str = "{{ _piece | string }}";

/// An event of data alone, whatever the scenario's defaults are.
fn data(data: Json) -> Json {
    json!({ "data": data, "event": null, "id": null, "retry": null })
}

fn calls(reply: &Reply) -> Vec<Json> {
    let call = |number: usize| {
        let field = |field: &str| format!("{{{{ _tools[{number}].{field} | string }}}}");
        let args = reply.tools[number].value(number);
        json!({ "functionCall": { "id": field("id"), "name": field("name"), "args": args } })
    };
    (0..reply.tools.len()).map(call).collect()
}

fn chunk(reply: &Reply, parts: Json, last: bool) -> Json {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
    let mut usage =
        json!({ "promptTokenCount": "{{ _input | int }}", "totalTokenCount": "{{ _input | int }}" });
    if last {
        candidate["finishReason"] = json!(reply.finish("STOP", "STOP"));
        usage["candidatesTokenCount"] = json!("{{ _output | int }}");
        usage["totalTokenCount"] = json!("{{ (_input | int) + (_output | int) }}");
        if reply.reasoning.is_some() {
            usage["candidatesTokenCount"] = json!("{{ [(_output | int) - (_thoughts | length), 0] | max }}");
            usage["thoughtsTokenCount"] = json!("{{ _thoughts | length }}");
        }
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": "{{ _model }}",
        "responseId": "{{ _id }}",
    })
}
