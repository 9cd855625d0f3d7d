// Stands between the page and the network, and remembers what it saw.
const passed = [];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => event.ports[0].postMessage(passed));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname } = new URL(request.url);
  if (pathname === "/through") {
    passed.push({
      accept: request.headers.get("accept"),
      last: request.headers.get("last-event-id"),
      mode: request.mode,
      credentials: request.credentials,
    });
    event.respondWith(fetch(request));
  }
  if (pathname === "/made-up") event.respondWith(madeUp());
});

/** A stream that comes from no server. */
function madeUp() {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('data: "made up"\n\n'));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
