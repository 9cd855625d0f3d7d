// node drive.mjs ADDRESS: what the official client makes of the server, as JSON.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const address = new URL(process.argv[2]);
const errors = [];

async function connect() {
  const client = new Client({ name: "a test", version: "1" });
  const transport = new StreamableHTTPClientTransport(address);
  client.onerror = (error) => errors.push(String(error));
  const told = new Promise((resolve) => {
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => resolve(params.data));
  });
  await client.connect(transport);
  return { client, transport, told };
}

async function call(client, name, args = {}) {
  const progress = [];
  const onprogress = (p) => progress.push([p.progress, p.total]);
  const result = await client.callTool({ name, arguments: args }, undefined, { onprogress });
  return { text: result.content[0].text, progress };
}

const seen = {};
const first = await connect();
const { client } = first;
seen.server = client.getServerVersion().name;
seen.revision = first.transport.protocolVersion;
seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
seen.ping = await client.ping();
seen.echo = await call(client, "echo", { text: "snow ☃" });
seen.count = await call(client, "count", { to: 3 });
seen.polled = await call(client, "polled");
seen.cut = await call(client, "cut");
// Two at a time do not get each other's answers.
seen.both = await Promise.all([call(client, "polled"), call(client, "cut")]);
await call(client, "announce");
seen.told = await first.told;
seen.unknown = await call(client, "nothing").catch((error) => error.code);
seen.errors = errors.filter((error) => !error.includes("SSE stream disconnected"));
await call(client, "forget");
seen.lost = await call(client, "echo", { text: "who am I" }).catch((error) => error.code);
await client.close();

const second = await connect();
seen.anew = second.transport.sessionId !== first.transport.sessionId;
seen.again = await call(second.client, "echo", { text: "again" });
const ended = second.transport.sessionId;
await second.transport.terminateSession();
const headers = { "content-type": "application/json", "mcp-session-id": ended };
const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
seen.ended = (await fetch(address, { method: "POST", headers, body })).status;
await second.client.close();
console.log(JSON.stringify(seen));
process.exit(0);
