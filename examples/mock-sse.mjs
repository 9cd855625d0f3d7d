// A mock-sse server for tests in JavaScript (Node 18 or later), without dependencies.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Starts a server on a free port: its address `base`, and `stop()`. `MOCK_SSE` names the binary. */
export async function start(scenario) {
  const folder = mkdtempSync(join(tmpdir(), "mock-sse-"));
  const ready = join(folder, "ready.json");
  const args = ["serve", "--scenario", scenario, "--no-tls", "--log-level", "warn"];
  const server = spawn(process.env.MOCK_SSE ?? "mock-sse", [...args, "--port", "0", "--ready-file", ready], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = once(server, "exit");
  ended.catch(() => {}); // An error of `spawn` is thrown below.
  while (!existsSync(ready)) {
    await Promise.race([sleep(10), ended]);
    if (server.exitCode !== null) throw new Error(`mock-sse ended with ${server.exitCode}`);
  }
  const stop = async () => {
    server.kill();
    await ended;
    rmSync(folder, { recursive: true });
  };
  return { base: `http://127.0.0.1:${JSON.parse(readFileSync(ready, "utf8")).port}`, stop };
}

/** A test's own part of the server: own requests, topics and verdict, and time that stands until it is advanced. */
export class Session {
  static async begin(base) {
    const name = randomUUID();
    await new Session(base).command("PUT", `sessions/${name}`, { clock: "manual" });
    return new Session(`${base}/~${name}`, name);
  }

  constructor(base, name) {
    this.base = base;
    this.name = name;
  }

  url(path) {
    return this.base + path;
  }

  async command(method, path, body) {
    const answer = await fetch(`${this.base}/__mock/${path}`, {
      method,
      headers: { "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return answer.headers.get("content-type").includes("json") ? JSON.parse(text) : text;
  }

  /** Lets time pass; what falls due has been sent when this is done. */
  advance(by) {
    return this.command("POST", "clock/advance", { by });
  }

  publish(topic, event) {
    return this.command("POST", `topics/${topic}`, event);
  }

  /** The requests that came, as soon as there are so many. */
  async journal(count = 0) {
    return (await this.command("GET", `journal?count=${count}&wait=5s`)).entries;
  }

  /** Throws the verdict, if the client did not do what the scenario expects. */
  verify() {
    return this.command("GET", "verify.txt");
  }

  end() {
    return this.command("DELETE", `sessions/${this.name}`);
  }
}
