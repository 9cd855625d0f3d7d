// The client under test is the npm package `eventsource`. The ticker's five seconds between prices take no time.
import { EventSource } from "eventsource";
import { expect, inject, test as base } from "vitest";
import { Session } from "../mock-sse.mjs";

const test = base.extend({
  // A session of its own for each test.
  mock: async ({}, use) => {
    const session = await Session.begin(inject("mockSse"));
    await use(session);
    await session.end();
  },
  // Opens streams that are closed at the end of the test; `next()` waits for an event's data.
  open: async ({ mock }, use) => {
    const streams = [];
    await use((path, options) => {
      const stream = new EventSource(mock.url(path), options);
      streams.push(stream);
      const waiting = [];
      const came = [];
      stream.onmessage = ({ data }) => (waiting.shift() ?? ((event) => came.push(event)))(JSON.parse(data));
      const next = () => new Promise((resolve) => (came.length ? resolve(came.shift()) : waiting.push(resolve)));
      return { stream, next };
    });
    for (const stream of streams) stream.close();
  },
});

async function allPrices(mock, { next }) {
  const prices = [];
  for (let n = 0; n < 4; n++) {
    prices.push((await next()).price);
    if (n % 2 === 0) await mock.advance("5s");
  }
  return prices;
}

test("prices come every five seconds", async ({ mock, open }) => {
  const { next } = open("/ticker");
  expect(await next()).toEqual({ price: 100 });
  expect(await mock.advance("4999ms")).toMatchObject({ next_due_ms: 5000 });
  await mock.advance("1ms");
  expect(await next()).toEqual({ price: 101 });
});

test("news reach whoever listens", async ({ mock, open }) => {
  const { stream, next } = open("/news");
  await new Promise((resolve) => (stream.onopen = resolve));
  expect(await mock.publish("news", { data: { text: "hello" } })).toMatchObject({ reached: 1 });
  expect(await next()).toEqual({ text: "hello" });
});

test("it resumes where it was, and stays away at the end", async ({ mock, open }) => {
  const client = open("/ticker");
  expect(await allPrices(mock, client)).toEqual([100, 101, 102, 103]);
  const requests = await mock.journal(3);
  expect(requests.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "2", "4"]);
  await mock.verify();
});

test("how a verdict reads", async ({ mock, open }) => {
  // A client that forgets the last id.
  const forgetful = (url, { headers: { "Last-Event-ID": _, ...headers }, ...init }) => fetch(url, { ...init, headers });
  await allPrices(mock, open("/ticker", { fetch: forgetful }));
  await expect(mock.verify()).rejects.toThrow("not ok 1 - resumes: the 2nd request to ticker comes with the Last-Event-ID `2`");
});
