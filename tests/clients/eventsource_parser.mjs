// Reads [{name, hex}] from the file named first; prints what eventsource-parser makes of each
// stream: [[[kind, data, id], …] for the whole, and for one byte at a time].
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , corpus, folder] = process.argv;
const where = createRequire(folder + "/").resolve("eventsource-parser");
const { createParser } = await import(pathToFileURL(where));

function read(pieces) {
  const events = [];
  let last = "";
  const parser = createParser({
    onEvent(event) {
      // The parser tells the id of the block; keeping the last one is its user's part.
      last = event.id ?? last;
      events.push([event.event ?? "message", event.data, last]);
    },
  });
  const decoder = new TextDecoder("utf-8");
  for (const piece of pieces) parser.feed(decoder.decode(piece, { stream: true }));
  parser.feed(decoder.decode());
  return events;
}

const streams = JSON.parse(readFileSync(corpus, "utf8"));
const results = streams.map(({ hex }) => {
  const bytes = Buffer.from(hex, "hex");
  return [read([bytes]), read([...bytes].map((byte) => Uint8Array.of(byte)))];
});
console.log(JSON.stringify(results));
