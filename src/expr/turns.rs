//! How far a conversation with a language model has come.

use minijinja::{Error, Value};

/// How often tools have answered since the person last spoke, for the messages of OpenAI's chat completions
/// (`role: tool`) and responses (`function_call_output` and its kin), of Anthropic (`tool_result`) and of Gemini
/// (`functionResponse`): what tools say one behind the other counts once. `before` is added where the messages
/// begin later than the person spoke. What is no list of messages has not come far: 0.
pub(super) fn turn(messages: &Value, before: Option<u64>) -> Result<u64, Error> {
    let list = messages.as_str().is_none().then(|| messages.try_iter().ok());
    let Some(messages) = list.flatten() else {
        return Ok(0);
    };
    let mut turns = before.unwrap_or(0);
    let mut of_tools = false;
    for message in messages {
        match speaker(&message) {
            Speaker::Tool if !of_tools => turns += 1,
            Speaker::Person => turns = 0,
            Speaker::Tool | Speaker::Model => {}
        }
        of_tools = matches!(speaker(&message), Speaker::Tool);
    }
    Ok(turns)
}

#[derive(Clone, Copy)]
enum Speaker {
    Person,
    Tool,
    /// The model, the system, and what is no message.
    Model,
}

fn speaker(message: &Value) -> Speaker {
    let (role, kind) = (field(message, "role"), field(message, "type"));
    let kind = kind.as_str().unwrap_or("");
    let told = kind.ends_with("_call_output") || kind == "mcp_approval_response";
    if told || is(&role, "tool") || is(&role, "function") {
        return Speaker::Tool;
    }
    let (content, parts) = (field(message, "content"), field(message, "parts"));
    let any = |list: &Value, fits: fn(&Value) -> bool| {
        let entries = list.as_str().is_none().then(|| list.try_iter().ok()).flatten();
        entries.into_iter().flatten().any(|part| fits(&part))
    };
    let answers = any(&content, |part| is(&field(part, "type"), "tool_result"))
        || any(&parts, |part| {
            holds(part, "functionResponse") || holds(part, "function_response")
        });
    // Gemini takes whoever has no role for the person.
    let unnamed = role.is_undefined() && !parts.is_undefined();
    match (answers, is(&role, "user") || unnamed) {
        (true, _) => Speaker::Tool,
        (false, true) => Speaker::Person,
        (false, false) => Speaker::Model,
    }
}

fn holds(value: &Value, name: &str) -> bool {
    let field = field(value, name);
    !field.is_undefined() && !field.is_none()
}

fn field(value: &Value, name: &str) -> Value {
    value.get_attr(name).unwrap_or_default()
}

fn is(value: &Value, text: &str) -> bool {
    value.as_str() == Some(text)
}

#[cfg(test)]
mod tests {
    use minijinja::value::Serde;
    use serde_json::json;

    use super::*;

    #[test]
    fn tools_count_since_the_person_last_spoke() {
        let said = |role: &str| json!({ "role": role, "content": "x" });
        let (user, model, tool) = (said("user"), said("assistant"), said("tool"));
        let result = json!({ "role": "user", "content": [{ "type": "tool_result" }, { "type": "text" }] });
        let spoken = json!({ "role": "user", "content": [{ "type": "text" }] });
        let call = json!({ "type": "function_call" });
        let output = json!({ "type": "function_call_output" });
        let response = json!({ "role": "user", "parts": [{ "functionResponse": { "name": "x" } }] });
        let asked = json!({ "role": "user", "parts": [{ "text": "x" }] });
        for (messages, expected) in [
            (json!([]), 0),
            (json!([said("system"), user]), 0),
            (json!([user, model, tool]), 1),
            (json!([user, model, tool, tool]), 1),
            (json!([user, model, tool, model, tool]), 2),
            (json!([user, model, tool, model, user]), 0),
            (json!([spoken, model, result]), 1),
            (json!([spoken, model, result, model, result, model]), 2),
            (json!([user, call, call, output, output]), 1),
            (json!([user, call, output, call, output]), 2),
            (json!([asked, model, response]), 1),
            (
                json!([{ "parts": [{ "text": "x" }] }, model, response, model, { "parts": [{ "text": "y" }] }]),
                0,
            ),
            (
                json!([asked, { "parts": [{ "text": "x", "functionResponse": null }] }]),
                0,
            ),
            (
                json!([user, { "type": "custom_tool_call" }, { "type": "custom_tool_call_output" }]),
                1,
            ),
            (json!("just text"), 0),
            (json!(["text", 1, null]), 0),
        ] {
            let value = Value::from(Serde(messages.clone()));
            assert_eq!(turn(&value, None).unwrap(), expected, "{messages}");
        }
        let later = Value::from(Serde(json!([output])));
        assert_eq!(turn(&later, Some(2)).unwrap(), 3);
        assert_eq!(
            turn(&Value::from("What now?"), Some(2)).unwrap(),
            0,
            "the person speaks"
        );
        let anew = Value::from(Serde(json!([output, user])));
        assert_eq!(turn(&anew, Some(2)).unwrap(), 0, "the person spoke");
    }
}
