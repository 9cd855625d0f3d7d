// better-sse on Node's own server, without a framework: GET /sub streams, POST /pub broadcasts.

import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";

const channel = createChannel();
// What is published is text already; nothing else is to be written to an idle stream.
const options = { serializer: (text) => text, keepAlive: null, retry: null };

const server = createServer(async (request, response) => {
  if (request.method === "GET") {
    channel.register(await createSession(request, response, options));
    return;
  }
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  channel.broadcast(Buffer.concat(pieces).toString());
  response.writeHead(204).end();
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PORT), "127.0.0.1", 16384);
