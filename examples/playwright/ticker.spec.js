// A page with an EventSource, in Chromium. The ticker's five seconds between prices take no time.
import { expect, test as base } from "@playwright/test";
import { Session } from "../mock-sse.mjs";

const test = base.extend({
  // A session of its own for each test.
  mock: async ({}, use) => {
    const session = await Session.begin(process.env.MOCK);
    await use(session);
    await session.end();
  },
});

const open = (page, mock, path) => page.goto(`${process.env.SITE}/?stream=${encodeURIComponent(mock.url(path))}`);
const prices = (...all) => all.map((price) => `{"price":${price}}`);

test("the page resumes where it was, and stays away at the end", async ({ page, mock }) => {
  await open(page, mock, "/ticker");
  const items = page.locator("li");
  await expect(items).toHaveText(prices(100));
  await mock.advance("5s");
  // The stream breaks off, and the browser comes back by itself.
  await expect(items).toHaveText(prices(100, 101, 102));
  await mock.advance("5s");
  await expect(items).toHaveText(prices(100, 101, 102, 103));
  await expect(page.locator("#state")).toHaveText("closed");
  const requests = await mock.journal(3);
  expect(requests.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "2", "4"]);
  await mock.verify();
});

test("news reach the page", async ({ page, mock }) => {
  await open(page, mock, "/news");
  await expect(page.locator("#state")).toHaveText("open");
  expect(await mock.publish("news", { data: "hello" })).toMatchObject({ reached: 1 });
  await expect(page.locator("li")).toHaveText(["hello"]);
});

test("how a verdict reads", async ({ page, mock }) => {
  await open(page, mock, "/ticker");
  await mock.journal(1);
  // Left before the stream broke off, so nobody comes back.
  await page.close();
  await expect(mock.verify()).rejects.toThrow("not ok 1 - resumes: the 2nd request to ticker comes with the Last-Event-ID `2`");
});
