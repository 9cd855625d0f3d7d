// Asks a server for each behaviour as an official SDK does, as `../python/drive.py` says:
// `drive.mjs API BASE BEHAVIOURS`.

import { readFileSync } from "node:fs";
import AnthropicSdk from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

const PROMPT = "What is it like?";
const TOOLS = {
  get_weather: { type: "object", properties: { city: { type: "string" } } },
  get_time: { type: "object", properties: { zone: { type: "string" } } },
};
const tools = (shape) => Object.entries(TOOLS).map(([name, parameters]) => shape(name, parameters));
const retrying = (retries) => (retries === undefined ? {} : { maxRetries: retries });

class Seen {
  text = "";
  pieces = 0;
  thoughts = "";
  calls = [];
  finish = null;
  usage = null;
  events = [];

  piece(text) {
    if (!text) return;
    this.text += text;
    this.pieces += 1;
  }

  event(type) {
    if (!this.events.includes(type)) this.events.push(type);
  }

  toJSON() {
    const calls = this.calls.map((call) => ({ name: call.name, arguments: call.arguments }));
    return { ...this, calls };
  }
}

class OpenAIChat {
  static modes = ["whole", "stream", "helper"];

  constructor(base, key, retries) {
    this.client = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, ...retrying(retries) });
  }

  first() {
    return [{ role: "user", content: PROMPT }];
  }

  then(messages, seen, results) {
    const calls = seen.calls.map((call) => ({
      id: call.id,
      type: "function",
      function: { name: call.name, arguments: JSON.stringify(call.arguments) },
    }));
    const told = results.map((content, i) => ({ role: "tool", tool_call_id: seen.calls[i].id, content }));
    return [...messages, { role: "assistant", content: null, tool_calls: calls }, ...told];
  }

  async ask(mode, model, messages, withTools, seen) {
    const body = { model, messages };
    if (withTools) body.tools = tools((name, parameters) => ({ type: "function", function: { name, parameters } }));
    const completions = this.client.chat.completions;
    const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
    if (mode === "whole") return this.completion(await completions.create(body), seen);
    if (mode === "helper") return this.completion(await completions.stream(streamed).finalChatCompletion(), seen);
    for await (const chunk of await completions.create(streamed)) this.chunk(chunk, seen);
    for (const call of seen.calls) call.arguments = JSON.parse(call.arguments);
  }

  chunk(chunk, seen) {
    if (chunk.usage) seen.usage = [chunk.usage.prompt_tokens, chunk.usage.completion_tokens];
    for (const choice of chunk.choices) {
      seen.piece(choice.delta.content);
      seen.thoughts += choice.delta.reasoning_content ?? "";
      seen.finish = choice.finish_reason ?? seen.finish;
      for (const call of choice.delta.tool_calls ?? []) {
        if (call.id) seen.calls[call.index] = { id: call.id, name: call.function.name, arguments: "" };
        seen.calls[call.index].arguments += call.function.arguments ?? "";
      }
    }
  }

  completion(whole, seen) {
    const [choice] = whole.choices;
    seen.text = choice.message.content ?? "";
    seen.thoughts = choice.message.reasoning_content ?? "";
    seen.finish = choice.finish_reason;
    seen.usage = whole.usage && [whole.usage.prompt_tokens, whole.usage.completion_tokens];
    seen.calls = (choice.message.tool_calls ?? []).map((call) => ({
      id: call.id,
      name: call.function.name,
      arguments: JSON.parse(call.function.arguments),
    }));
  }
}

class OpenAIResponses {
  static modes = ["whole", "stream", "helper"];

  constructor(base, key, retries) {
    this.client = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, ...retrying(retries) });
  }

  first() {
    return [{ role: "user", content: PROMPT }];
  }

  then(items, seen, results) {
    const calls = seen.calls.map((call) => ({
      type: "function_call",
      call_id: call.id,
      name: call.name,
      arguments: JSON.stringify(call.arguments),
    }));
    const told = results.map((output, i) => ({ type: "function_call_output", call_id: seen.calls[i].id, output }));
    return [...items, ...calls, ...told];
  }

  async ask(mode, model, items, withTools, seen) {
    const body = { model, input: items };
    if (withTools) body.tools = tools((name, parameters) => ({ type: "function", name, parameters, strict: false }));
    const responses = this.client.responses;
    if (mode === "whole") return this.response(await responses.create(body), seen);
    if (mode === "helper") return this.response(await responses.stream(body).finalResponse(), seen);
    for await (const event of await responses.create({ ...body, stream: true })) {
      seen.event(event.type);
      if (event.type === "response.output_text.delta") seen.piece(event.delta);
      if (/^response\.(completed|incomplete|failed)$/.test(event.type)) {
        const { text } = seen;
        this.response(event.response, seen);
        seen.text = text;
      }
    }
  }

  response(response, seen) {
    const parts = (type, key) => response.output.filter((item) => item.type === type).flatMap((item) => item[key]);
    const text = (all) => all.map((part) => part.text).join("");
    seen.text = text(parts("message", "content"));
    seen.thoughts = text(parts("reasoning", "summary"));
    seen.finish = response.status;
    if (response.incomplete_details) seen.finish += `: ${response.incomplete_details.reason}`;
    if (response.usage) seen.usage = [response.usage.input_tokens, response.usage.output_tokens];
    const calls = response.output.filter((item) => item.type === "function_call");
    seen.calls = calls.map((call) => ({ id: call.call_id, name: call.name, arguments: JSON.parse(call.arguments) }));
  }
}

class Anthropic {
  static modes = ["whole", "stream", "helper"];

  constructor(base, key, retries) {
    this.client = new AnthropicSdk({ baseURL: base, apiKey: key, ...retrying(retries) });
  }

  first() {
    return [{ role: "user", content: PROMPT }];
  }

  then(messages, seen, results) {
    const calls = seen.calls.map(({ id, name, arguments: input }) => ({ type: "tool_use", id, name, input }));
    const told = results.map((content, i) => ({ type: "tool_result", tool_use_id: seen.calls[i].id, content }));
    return [...messages, { role: "assistant", content: calls }, { role: "user", content: told }];
  }

  async ask(mode, model, messages, withTools, seen) {
    const body = { model, messages, max_tokens: 100 };
    if (withTools) body.tools = tools((name, parameters) => ({ name, input_schema: parameters }));
    if (mode === "whole") return this.message(await this.client.messages.create(body), seen);
    if (mode === "helper") return this.message(await this.client.messages.stream(body).finalMessage(), seen);
    for await (const event of await this.client.messages.create({ ...body, stream: true })) this.event(event, seen);
    for (const call of seen.calls) call.arguments = JSON.parse(call.arguments);
  }

  event(event, seen) {
    seen.event(event.type);
    const { delta, content_block: block } = event;
    if (event.type === "message_start") seen.usage = [event.message.usage.input_tokens, null];
    if (block?.type === "tool_use") seen.calls.push({ id: block.id, name: block.name, arguments: "" });
    if (delta?.type === "text_delta") seen.piece(delta.text);
    if (delta?.type === "thinking_delta") seen.thoughts += delta.thinking;
    if (delta?.type === "input_json_delta") seen.calls.at(-1).arguments += delta.partial_json;
    if (event.type === "message_delta") {
      seen.finish = delta.stop_reason;
      seen.usage[1] = event.usage.output_tokens;
    }
  }

  message(message, seen) {
    seen.finish = message.stop_reason;
    seen.usage = [message.usage.input_tokens, message.usage.output_tokens];
    for (const block of message.content) {
      if (block.type === "text") seen.text += block.text;
      if (block.type === "thinking") seen.thoughts += block.thinking;
      if (block.type === "tool_use") seen.calls.push({ id: block.id, name: block.name, arguments: block.input });
    }
  }
}

class Gemini {
  static modes = ["whole", "stream"];

  constructor(base, key, retries) {
    const httpOptions = { baseUrl: base };
    if (retries !== undefined) httpOptions.retryOptions = { attempts: retries + 1 };
    this.client = new GoogleGenAI({ apiKey: key, httpOptions });
  }

  first() {
    return [{ role: "user", parts: [{ text: PROMPT }] }];
  }

  then(contents, seen, results) {
    const calls = seen.calls.map(({ id, name, arguments: args }) => ({ functionCall: { id, name, args } }));
    const told = results.map((result, i) => {
      const { id, name } = seen.calls[i];
      return { functionResponse: { id, name, response: { result } } };
    });
    return [...contents, { role: "model", parts: calls }, { role: "user", parts: told }];
  }

  async ask(mode, model, contents, withTools, seen) {
    const functionDeclarations = tools((name, parameters) => ({ name, parametersJsonSchema: parameters }));
    const body = { model, contents, config: withTools ? { tools: [{ functionDeclarations }] } : undefined };
    if (mode === "whole") return this.chunk(await this.client.models.generateContent(body), seen);
    for await (const chunk of await this.client.models.generateContentStream(body)) this.chunk(chunk, seen);
  }

  chunk(chunk, seen) {
    const usage = chunk.usageMetadata;
    if (usage) seen.usage = [usage.promptTokenCount, usage.candidatesTokenCount];
    for (const candidate of chunk.candidates ?? []) {
      seen.finish = candidate.finishReason ?? seen.finish;
      for (const part of candidate.content?.parts ?? []) {
        const call = part.functionCall;
        if (call) seen.calls.push({ id: call.id, name: call.name, arguments: call.args });
        else if (part.thought) seen.thoughts += part.text;
        else seen.piece(part.text);
      }
    }
  }
}

const APIS = { "openai-chat": OpenAIChat, "openai-responses": OpenAIResponses, anthropic: Anthropic, gemini: Gemini };

async function run(api, base, behaviour, mode) {
  const name = `${behaviour.name}.${mode}`;
  let seen = new Seen();
  let first;
  let error = null;
  const began = performance.now();
  try {
    const sdk = new APIS[api](`${base}/~${api}.${name}`, behaviour.key ?? "test-key", behaviour.retries);
    const { model, results } = behaviour;
    const asked = sdk.first();
    await sdk.ask(mode, model, asked, results !== undefined, seen);
    if (results !== undefined) {
      first = seen;
      seen = new Seen();
      await sdk.ask(mode, model, sdk.then(asked, first, results), true, seen);
    }
  } catch (raised) {
    error = { class: raised.constructor.name, status: raised.status ?? null };
    console.error(`${api}.${name}: ${raised}`);
  }
  const took = Math.round(performance.now() - began);
  return [name, { ...seen.toJSON(), took, error, first: first?.toJSON() }];
}

const [, , api, base, file] = process.argv;
const behaviours = JSON.parse(readFileSync(file, "utf8")).filter((b) => (b.apis ?? [api]).includes(api));
const jobs = behaviours.flatMap((behaviour) => APIS[api].modes.map((mode) => run(api, base, behaviour, mode)));
console.log(JSON.stringify(Object.fromEntries(await Promise.all(jobs)), null, 1));
