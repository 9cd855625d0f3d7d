// For the test run: a mock-sse server, and a site with the page under test. The tests find both in the environment.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { start } from "../mock-sse.mjs";

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

export default async function setup() {
  const server = await start(file("../scenario.yaml"));
  // Another origin than the server's: the scenario allows it (`cors`).
  const site = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end(readFileSync(file("ticker.html")));
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  process.env.MOCK = server.base;
  process.env.SITE = `http://127.0.0.1:${site.address().port}`;
  return async () => {
    site.closeAllConnections();
    site.close();
    await server.stop();
  };
}
