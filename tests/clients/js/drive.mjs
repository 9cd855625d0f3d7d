// node drive.mjs CLIENT BASE CASE…: listens to each path until `done` or the end; prints what was seen as JSON.
const [client, base, ...names] = process.argv.slice(2);
const short = (text) => (text.length > 1000 ? `${text.length} characters` : text);

// Each driver gets a path's address, a function for events, and one for how it came out.
const kinds = ["message", "tick", "done"];

function listen(source, event, over) {
  for (const kind of kinds) {
    source.addEventListener(kind, (e) => {
      if (event(e.type, e.data, e.lastEventId)) source.close();
    });
  }
  // One that will try again is still connecting.
  source.addEventListener("error", () => source.readyState === 2 && over("failed"));
}

const drivers = {
  async eventsource() {
    const { EventSource } = await import("eventsource");
    return (name, url, event, over) => {
      if (name === "post") return over("cannot");
      const mine = (to, init) => fetch(to, { ...init, headers: { ...init.headers, "x-mine": "yes" } });
      listen(new EventSource(url, name === "header" ? { fetch: mine } : {}), event, over);
    };
  },
  async undici() {
    const { EventSource } = await import("undici");
    return (name, url, event, over) => {
      if (name === "post" || name === "header") return over("cannot");
      listen(new EventSource(url), event, over);
    };
  },
  async "fetch-event-source"() {
    // It is made for pages: it takes its timers and requests from the window, and tells the document when it ends.
    globalThis.window = globalThis;
    globalThis.document = { removeEventListener() {} };
    const { fetchEventSource, EventStreamContentType } = await import("@microsoft/fetch-event-source");
    class Fatal extends Error {}
    return (name, url, event, over) => {
      const leave = new AbortController();
      const request = name === "post" ? { method: "POST", body: "hello" } : {};
      fetchEventSource(url, {
        ...request,
        headers: name === "header" ? { "x-mine": "yes" } : {},
        openWhenHidden: true,
        signal: leave.signal,
        async onopen(response) {
          const type = response.headers.get("content-type") ?? "";
          if (!response.ok || !type.startsWith(EventStreamContentType)) throw new Fatal();
        },
        onmessage(message) {
          // A block without data, and an event without a type, come as they are.
          if (!message.data && !message.event) return;
          if (event(message.event || "message", message.data, message.id)) leave.abort();
        },
        onerror(error) {
          if (error instanceof Fatal) throw error;
        },
      }).then(() => over("ended"), () => over("failed"));
    };
  },
  async "eventsource-client"() {
    const { createEventSource } = await import("eventsource-client");
    return (name, url, event, over) => {
      const request = name === "post" ? { method: "POST", body: "hello" } : {};
      const headers = name === "header" ? { "x-mine": "yes" } : {};
      let again = false;
      const source = createEventSource({
        url, headers, ...request,
        onMessage: (e) => { if (event(e.event ?? "message", e.data, e.id ?? "")) source.close(); },
        onScheduleReconnect() { again = true; },
        onDisconnect() {
          again = false;
          queueMicrotask(() => !again && source.readyState === "closed" && over("ended"));
        },
      });
    };
  },
};

const open = await drivers[client]();
const seen = {};
await Promise.all(names.map((name) => new Promise((resolve) => {
  const events = [];
  const over = (outcome) => {
    clearTimeout(patience);
    seen[name] ??= { events, outcome };
    resolve();
  };
  const patience = setTimeout(() => over("waits"), 30000);
  const event = (kind, data, id) => {
    if (kind === "done") over("done");
    else events.push([kind, short(data), id]);
    return kind === "done";
  };
  open(name, `${base}/${name}`, event, over);
})));
console.log(JSON.stringify(seen));
// Whoever still tries again is left behind.
process.exit(0);
