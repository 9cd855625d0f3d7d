"""Asks a server for each behaviour as an official SDK does: `drive.py API BASE BEHAVIOURS`.

BASE is the server's address. Each behaviour is asked for in a session of its own, `/~API.NAME.MODE`, in each mode:
`whole` (no stream), `stream` (reading the events), `helper` (the SDK puts the answer together). Prints
{"NAME.MODE": {text, pieces, thoughts, calls, finish, usage, took, error}} as JSON.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

PROMPT = "What is it like?"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}
TIME = {"type": "object", "properties": {"zone": {"type": "string"}}}
TOOLS = {"get_weather": WEATHER, "get_time": TIME}


class Seen:
    """What has come of an answer so far."""

    def __init__(self):
        self.text, self.thoughts, self.pieces = "", "", 0
        self.calls, self.finish, self.usage, self.events = [], None, None, []

    def piece(self, text):
        if text:
            self.text += text
            self.pieces += 1

    def to_json(self):
        calls = [{"name": call["name"], "arguments": call["arguments"]} for call in self.calls]
        return {
            "text": self.text,
            "pieces": self.pieces,
            "thoughts": self.thoughts,
            "calls": calls,
            "finish": self.finish,
            "usage": self.usage,
            "events": self.events,
        }


class OpenAIChat:
    modes = ["whole", "stream", "helper"]

    def __init__(self, base, key, retries):
        import openai

        options = {} if retries is None else {"max_retries": retries}
        self.client = openai.OpenAI(base_url=base + "/v1", api_key=key, **options)

    def first(self):
        return [{"role": "user", "content": PROMPT}]

    def then(self, messages, seen, results):
        calls = [
            {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": json.dumps(c["arguments"])}}
            for c in seen.calls
        ]
        told = [
            {"role": "tool", "tool_call_id": c["id"], "content": result} for c, result in zip(seen.calls, results)
        ]
        return [*messages, {"role": "assistant", "content": None, "tool_calls": calls}, *told]

    def ask(self, mode, model, messages, tools, seen):
        body = {"model": model, "messages": messages}
        if tools:
            body["tools"] = [
                {"type": "function", "function": {"name": n, "parameters": p}} for n, p in TOOLS.items()
            ]
        create = self.client.chat.completions
        if mode == "whole":
            self.completion(create.create(**body), seen)
        elif mode == "helper":
            with create.stream(**body, stream_options={"include_usage": True}) as stream:
                self.completion(stream.get_final_completion(), seen)
        else:
            parts = {}
            for chunk in create.create(**body, stream=True, stream_options={"include_usage": True}):
                self.chunk(chunk, parts, seen)
            seen.calls = [
                {"id": p["id"], "name": p["name"], "arguments": json.loads(p["arguments"])} for p in parts.values()
            ]

    def chunk(self, chunk, parts, seen):
        if chunk.usage:
            seen.usage = [chunk.usage.prompt_tokens, chunk.usage.completion_tokens]
        for choice in chunk.choices:
            seen.piece(choice.delta.content)
            seen.thoughts += getattr(choice.delta, "reasoning_content", None) or ""
            seen.finish = choice.finish_reason or seen.finish
            for call in choice.delta.tool_calls or []:
                if call.id:
                    parts[call.index] = {"id": call.id, "name": call.function.name, "arguments": ""}
                parts[call.index]["arguments"] += call.function.arguments or ""

    def completion(self, whole, seen):
        choice = whole.choices[0]
        seen.text = choice.message.content or ""
        seen.thoughts = getattr(choice.message, "reasoning_content", None) or ""
        seen.finish = choice.finish_reason
        seen.usage = whole.usage and [whole.usage.prompt_tokens, whole.usage.completion_tokens]
        seen.calls = [
            {"id": c.id, "name": c.function.name, "arguments": json.loads(c.function.arguments)}
            for c in choice.message.tool_calls or []
        ]


class OpenAIResponses:
    modes = ["whole", "stream", "helper"]

    def __init__(self, base, key, retries):
        import openai

        options = {} if retries is None else {"max_retries": retries}
        self.client = openai.OpenAI(base_url=base + "/v1", api_key=key, **options)

    def first(self):
        return [{"role": "user", "content": PROMPT}]

    def then(self, items, seen, results):
        calls = [
            {"type": "function_call", "call_id": c["id"], "name": c["name"], "arguments": json.dumps(c["arguments"])}
            for c in seen.calls
        ]
        told = [
            {"type": "function_call_output", "call_id": c["id"], "output": result}
            for c, result in zip(seen.calls, results)
        ]
        return [*items, *calls, *told]

    def ask(self, mode, model, items, tools, seen):
        body = {"model": model, "input": items}
        if tools:
            body["tools"] = [
                {"type": "function", "name": n, "parameters": p, "strict": False} for n, p in TOOLS.items()
            ]
        if mode == "whole":
            self.response(self.client.responses.create(**body), seen)
        elif mode == "helper":
            with self.client.responses.stream(**body) as stream:
                self.response(stream.get_final_response(), seen)
        else:
            for event in self.client.responses.create(**body, stream=True):
                self.event(event, seen)

    def event(self, event, seen):
        if event.type not in seen.events:
            seen.events.append(event.type)
        if event.type == "response.output_text.delta":
            seen.piece(event.delta)
        elif event.type in ("response.completed", "response.incomplete", "response.failed"):
            text = seen.text
            self.response(event.response, seen)
            seen.text = text

    def response(self, response, seen):
        seen.text = response.output_text
        seen.finish = response.status
        if response.incomplete_details:
            seen.finish += ": " + response.incomplete_details.reason
        if response.usage:
            seen.usage = [response.usage.input_tokens, response.usage.output_tokens]
        seen.calls = [
            {"id": item.call_id, "name": item.name, "arguments": json.loads(item.arguments)}
            for item in response.output
            if item.type == "function_call"
        ]
        seen.thoughts = "".join(
            part.text for item in response.output if item.type == "reasoning" for part in item.summary
        )


class Anthropic:
    modes = ["whole", "stream", "helper"]

    def __init__(self, base, key, retries):
        import anthropic

        options = {} if retries is None else {"max_retries": retries}
        self.client = anthropic.Anthropic(base_url=base, api_key=key, **options)

    def first(self):
        return [{"role": "user", "content": PROMPT}]

    def then(self, messages, seen, results):
        calls = [{"type": "tool_use", "id": c["id"], "name": c["name"], "input": c["arguments"]} for c in seen.calls]
        told = [
            {"type": "tool_result", "tool_use_id": c["id"], "content": result}
            for c, result in zip(seen.calls, results)
        ]
        return [*messages, {"role": "assistant", "content": calls}, {"role": "user", "content": told}]

    def ask(self, mode, model, messages, tools, seen):
        body = {"model": model, "messages": messages, "max_tokens": 100}
        if tools:
            body["tools"] = [{"name": n, "input_schema": p} for n, p in TOOLS.items()]
        if mode == "whole":
            self.message(self.client.messages.create(**body), seen)
        elif mode == "helper":
            with self.client.messages.stream(**body) as stream:
                self.message(stream.get_final_message(), seen)
        else:
            for event in self.client.messages.create(**body, stream=True):
                self.event(event, seen)
            for call in seen.calls:
                call["arguments"] = json.loads(call["arguments"])

    def event(self, event, seen):
        if event.type not in seen.events:
            seen.events.append(event.type)
        if event.type == "message_start":
            seen.usage = [event.message.usage.input_tokens, None]
        elif event.type == "content_block_start" and event.content_block.type == "tool_use":
            block = event.content_block
            seen.calls.append({"id": block.id, "name": block.name, "arguments": ""})
        elif event.type == "content_block_delta":
            delta = event.delta
            if delta.type == "text_delta":
                seen.piece(delta.text)
            elif delta.type == "thinking_delta":
                seen.thoughts += delta.thinking
            elif delta.type == "input_json_delta":
                seen.calls[-1]["arguments"] += delta.partial_json
        elif event.type == "message_delta":
            seen.finish = event.delta.stop_reason
            seen.usage = [seen.usage[0], event.usage.output_tokens]

    def message(self, message, seen):
        seen.finish = message.stop_reason
        seen.usage = [message.usage.input_tokens, message.usage.output_tokens]
        for block in message.content:
            if block.type == "text":
                seen.text += block.text
            elif block.type == "thinking":
                seen.thoughts += block.thinking
            elif block.type == "tool_use":
                seen.calls.append({"id": block.id, "name": block.name, "arguments": block.input})


class Gemini:
    modes = ["whole", "stream"]

    def __init__(self, base, key, retries):
        from google import genai
        from google.genai import types

        self.types = types
        options = None if retries is None else types.HttpRetryOptions(attempts=retries + 1)
        options = types.HttpOptions(base_url=base, retry_options=options)
        self.client = genai.Client(api_key=key, http_options=options)

    def first(self):
        return [{"role": "user", "parts": [{"text": PROMPT}]}]

    def then(self, contents, seen, results):
        calls = [{"function_call": {"id": c["id"], "name": c["name"], "args": c["arguments"]}} for c in seen.calls]
        told = [
            {"function_response": {"id": c["id"], "name": c["name"], "response": {"result": result}}}
            for c, result in zip(seen.calls, results)
        ]
        return [*contents, {"role": "model", "parts": calls}, {"role": "user", "parts": told}]

    def ask(self, mode, model, contents, tools, seen):
        config = None
        if tools:
            declared = [{"name": n, "parameters_json_schema": p} for n, p in TOOLS.items()]
            config = self.types.GenerateContentConfig(tools=[{"function_declarations": declared}])
        models = self.client.models
        if mode == "whole":
            self.chunk(models.generate_content(model=model, contents=contents, config=config), seen)
        else:
            for chunk in models.generate_content_stream(model=model, contents=contents, config=config):
                self.chunk(chunk, seen)

    def chunk(self, chunk, seen):
        if chunk.usage_metadata:
            seen.usage = [chunk.usage_metadata.prompt_token_count, chunk.usage_metadata.candidates_token_count]
        for candidate in chunk.candidates or []:
            if candidate.finish_reason:
                seen.finish = candidate.finish_reason.name
            for part in candidate.content.parts or []:
                if part.function_call:
                    call = part.function_call
                    seen.calls.append({"id": call.id, "name": call.name, "arguments": call.args})
                elif part.thought:
                    seen.thoughts += part.text or ""
                else:
                    seen.piece(part.text)


APIS = {"openai-chat": OpenAIChat, "openai-responses": OpenAIResponses, "anthropic": Anthropic, "gemini": Gemini}


def error_of(error):
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return {"class": type(error).__name__, "status": status if isinstance(status, int) else None}


def run(api, base, behaviour, mode):
    name, seen = f"{behaviour['name']}.{mode}", Seen()
    began, error, first_turn = time.monotonic(), None, None
    try:
        where = f"{base}/~{api}.{name}"
        sdk = APIS[api](where, behaviour.get("key", "test-key"), behaviour.get("retries"))
        asked, results = sdk.first(), behaviour.get("results")
        sdk.ask(mode, behaviour["model"], asked, results is not None, seen)
        if results is not None:
            first_turn, again = seen, Seen()
            asked = sdk.then(asked, seen, results)
            seen = again
            sdk.ask(mode, behaviour["model"], asked, True, seen)
    except Exception as raised:  # noqa: BLE001: whatever it is, it is what is asked for
        error = error_of(raised)
        print(f"{api}.{name}: {raised!r}", file=sys.stderr)
    took = round((time.monotonic() - began) * 1000)
    said = {**seen.to_json(), "took": took, "error": error}
    if first_turn:
        said["first"] = first_turn.to_json()
    return name, said


def main():
    api, base, file = sys.argv[1:]
    with open(file, encoding="utf-8") as behaviours:
        asked = [b for b in json.load(behaviours) if api in b.get("apis", [api])]
    jobs = [(api, base, behaviour, mode) for behaviour in asked for mode in APIS[api].modes]
    with ThreadPoolExecutor(8) as pool:
        print(json.dumps(dict(pool.map(lambda job: run(*job), jobs)), indent=1))


main()
