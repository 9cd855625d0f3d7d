// One server for the test run; the tests find its address by `inject("mockSse")`.
import { fileURLToPath } from "node:url";
import { start } from "../mock-sse.mjs";

export default async function setup(project) {
  const server = await start(fileURLToPath(new URL("../scenario.yaml", import.meta.url)));
  project.provide("mockSse", server.base);
  return server.stop;
}
