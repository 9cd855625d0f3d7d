//! OpenAI's responses: the event's name is the data's `type`, and events are numbered.

use serde_json::{Value as Json, json};

use super::reply::{Failure, Reply, arguments};
use super::{Api, CREATED, openai_chat};

/// `POST /v1/responses`.
#[derive(Debug, Clone)]
pub struct OpenAiResponses;

impl Api for OpenAiResponses {
    const KEY: &'static str = "openai_responses";
    const PATHS: &'static [&'static str] = &["/v1/responses"];
    const SAMPLE: (&'static str, &'static str) = ("", r#"{"model": "text", "stream": true, "input": "Hi"}"#);
    const ID: &'static str = "resp_";
    const MODEL: &'static str = "request.json.model";
    const MESSAGES: &'static str = "request.json.input";
    const CALL: &'static str = "call_";
    const CODES: bool = true;
    const FINISH: Option<&'static [&'static str]> =
        Some(&["completed", "max_output_tokens", "content_filter"]);

    fn within(kind: &str) -> bool {
        kind == FAILED
    }
    const ERRORS: &'static [(u16, &'static str)] = openai_chat::ERRORS;

    /// What came before is known by the id of the last response where the request does not bring it.
    fn turn() -> String {
        let before = "state['turn of ' ~ request.json.previous_response_id] | default(0)";
        format!("{} | default([]) | turn({before})", Self::MESSAGES)
    }

    fn remember(turn: usize) -> Option<Json> {
        Some(json!({ "turn of {{ _id }}": turn }))
    }

    fn stream(reply: &Reply) -> Vec<Json> {
        let begun = response(reply, "in_progress", json!([]));
        let mut steps = vec![
            reply.opening(event("response.created", json!({ "response": begun.clone() }))),
            event("response.in_progress", json!({ "response": begun })),
        ];
        let items = items(reply);
        for (index, item) in items.iter().enumerate() {
            let Some(mut inner) = item.steps(reply, index) else {
                continue;
            };
            let added = json!({ "output_index": index, "item": item.begun });
            steps.push(event("response.output_item.added", added));
            steps.append(&mut inner);
            if item.kind == Kind::Message
                && let Some(failure) = &reply.failure
            {
                steps.push(broken(reply, failure));
                return steps;
            }
            let done = json!({ "output_index": index, "item": item.done });
            steps.push(event("response.output_item.done", done));
        }
        if let Some(failure) = &reply.failure {
            steps.push(broken(reply, failure));
            return steps;
        }
        let done: Json = items.into_iter().map(|item| item.done).collect();
        let (name, status) = match reply.finish_reason.as_deref() {
            None | Some("completed") => ("response.completed", "completed"),
            Some(_) => ("response.incomplete", "incomplete"),
        };
        steps.push(event(name, json!({ "response": response(reply, status, done) })));
        steps
    }

    fn whole(reply: &Reply) -> Json {
        let status = match reply.finish_reason.as_deref() {
            None | Some("completed") => "completed",
            Some(_) => "incomplete",
        };
        response(
            reply,
            status,
            items(reply).into_iter().map(|item| item.done).collect(),
        )
    }

    fn failed(reply: &Reply) -> Option<Json> {
        let failure = reply.failure.as_ref().filter(|failure| failure.kind == FAILED)?;
        Some(failed(reply, failure))
    }

    fn failure(failure: &Failure) -> Json {
        openai_chat::OpenAiChat::failure(failure)
    }
}

/// The type of an error that is told as a response of its own, not as an `error`.
const FAILED: &str = "response.failed";

/// The end of a stream that fails.
fn broken(reply: &Reply, failure: &Failure) -> Json {
    if failure.kind == FAILED {
        return event(FAILED, json!({ "response": failed(reply, failure) }));
    }
    let code = failure.code.as_ref().unwrap_or(&failure.kind);
    event(
        "error",
        json!({ "code": code, "message": "{{ _message | string }}", "param": null }),
    )
}

/// The response as it stands, with the error.
fn failed(reply: &Reply, failure: &Failure) -> Json {
    let mut response = response(reply, "failed", json!([]));
    let code = failure.code.as_deref().unwrap_or("server_error");
    response["error"] = json!({ "code": code, "message": "{{ _message | string }}" });
    response
}

/// An event of one type, whatever the scenario's defaults are.
fn event(kind: &str, fields: Json) -> Json {
    let mut data = json!({ "type": kind, "sequence_number": "{{ seq - 1 }}" });
    for (key, value) in fields.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    json!({ "event": kind, "data": data, "id": null, "retry": null })
}

fn response(reply: &Reply, status: &str, output: Json) -> Json {
    let over = ["completed", "incomplete"].contains(&status);
    let reason = reply.finish_reason.as_deref().filter(|_| status == "incomplete");
    json!({
        "id": "{{ _id }}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": reason.map(|reason| json!({ "reason": reason })),
        "instructions": "{{ request.json.instructions | default(none) }}",
        "max_output_tokens": "{{ request.json.max_output_tokens | default(none) }}",
        "metadata": {},
        "model": "{{ _model }}",
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": "{{ request.json.previous_response_id | default(none) }}",
        "reasoning": { "effort": null, "summary": null },
        "store": true,
        "temperature": 1.0,
        "text": { "format": { "type": "text" } },
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": over.then(|| usage(reply)),
        "user": null,
    })
}

fn usage(reply: &Reply) -> Json {
    let thought = if reply.reasoning.is_some() {
        json!("{{ _thoughts | length }}")
    } else {
        json!(0)
    };
    json!({
        "input_tokens": "{{ _input | int }}",
        "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
        "output_tokens": "{{ _output | int }}",
        "output_tokens_details": { "reasoning_tokens": thought },
        "total_tokens": "{{ (_input | int) + (_output | int) }}",
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reasoning,
    Message,
    Call(usize),
}

/// An item of the output, as it begins and as it is when it is done.
struct Item {
    kind: Kind,
    begun: Json,
    done: Json,
}

fn items(reply: &Reply) -> Vec<Item> {
    let mut items = Vec::new();
    if reply.reasoning.is_some() {
        let item =
            |summary: Json| json!({ "id": "rs_{{ _id[5:] }}", "type": "reasoning", "summary": summary });
        items.push(Item {
            kind: Kind::Reasoning,
            begun: item(json!([])),
            done: item(json!([{ "type": "summary_text", "text": "{{ _reasoning | string }}" }])),
        });
    }
    if reply.text.is_some() {
        let item = |status: &str, content: Json| json!({ "id": "msg_{{ _id[5:] }}", "type": "message", "status": status, "role": "assistant", "content": content });
        let status = if reply.finish_reason.as_deref().is_none_or(|r| r == "completed") {
            "completed"
        } else {
            "incomplete"
        };
        items.push(Item {
            kind: Kind::Message,
            begun: item("in_progress", json!([])),
            done: item(status, json!([part("{{ _text | string }}")])),
        });
    }
    for number in 0..reply.tools.len() {
        let item = |status: &str, arguments: &str| {
            json!({
                "id": format!("fc_{number}_{{{{ _id[5:] }}}}"),
                "type": "function_call",
                "status": status,
                "call_id": format!("{{{{ _tools[{number}].id | string }}}}"),
                "name": format!("{{{{ _tools[{number}].name | string }}}}"),
                "arguments": arguments,
            })
        };
        items.push(Item {
            kind: Kind::Call(number),
            begun: item("in_progress", ""),
            done: item("completed", &whole_arguments(number)),
        });
    }
    items
}

fn part(text: &str) -> Json {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn whole_arguments(number: usize) -> String {
    format!("{{{{ _tools[{number}].arguments | string }}}}")
}

impl Item {
    /// What stands between the item's beginning and its end; `None` for one that an error forestalls.
    fn steps(&self, reply: &Reply, index: usize) -> Option<Vec<Json>> {
        let id = &self.begun["id"];
        let broken = reply.failure.is_some();
        let place = |fields: Json| {
            let mut all = json!({ "item_id": id, "output_index": index });
            for (key, value) in fields.as_object().into_iter().flatten() {
                all[key] = value.clone();
            }
            all
        };
        Some(match self.kind {
            Kind::Reasoning => {
                let at = |fields: Json| {
                    let mut all = place(fields);
                    all["summary_index"] = json!(0);
                    all
                };
                let summary = |text: &str| json!({ "part": { "type": "summary_text", "text": text } });
                let delta = event(
                    "response.reasoning_summary_text.delta",
                    at(json!({ "delta": "{{ _piece | string }}" })),
                );
                vec![
                    event("response.reasoning_summary_part.added", at(summary(""))),
                    reply.each("_thoughts", json!([delta])),
                    event(
                        "response.reasoning_summary_text.done",
                        at(json!({ "text": "{{ _reasoning | string }}" })),
                    ),
                    event(
                        "response.reasoning_summary_part.done",
                        at(summary("{{ _reasoning | string }}")),
                    ),
                ]
            }
            Kind::Message => {
                let at = |fields: Json| {
                    let mut all = place(fields);
                    all["content_index"] = json!(0);
                    all
                };
                let delta = at(json!({ "delta": "{{ _piece | string }}", "logprobs": [] }));
                let mut steps = vec![
                    event("response.content_part.added", at(json!({ "part": part("") }))),
                    reply.each_token(json!([event("response.output_text.delta", delta)])),
                ];
                if !broken {
                    let text = at(json!({ "text": "{{ _text | string }}", "logprobs": [] }));
                    steps.push(event("response.output_text.done", text));
                    steps.push(event(
                        "response.content_part.done",
                        at(json!({ "part": part("{{ _text | string }}") })),
                    ));
                }
                steps
            }
            Kind::Call(_) if broken => return None,
            Kind::Call(number) => {
                let delta = place(json!({ "delta": "{{ _piece | string }}" }));
                let name = format!("{{{{ _tools[{number}].name | string }}}}");
                let done = place(json!({ "name": name, "arguments": whole_arguments(number) }));
                vec![
                    reply.each(
                        &arguments(number),
                        json!([event("response.function_call_arguments.delta", delta)]),
                    ),
                    event("response.function_call_arguments.done", done),
                ]
            }
        })
    }
}
