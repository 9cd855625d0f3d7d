// An EventSource that keeps its events, and promises for those that are still to come.
window.Listener = class Listener {
  constructor(url, withCredentials = true, types = ["message", "hello"]) {
    this.events = [];
    this.waiting = [];
    this.source = new EventSource(url, { withCredentials });
    const state = () => this.source.readyState;
    this.source.onopen = () => this.take({ type: "open", state: state() });
    this.source.onerror = () => this.take({ type: "error", state: state() });
    for (const type of types) {
      this.source.addEventListener(type, (event) => this.take({
        type,
        data: parsed(event.data),
        id: event.lastEventId,
        origin: event.origin,
        before: this.lastId,
      }));
    }
  }

  take(event) {
    this.events.push(event);
    this.lastId = event.id || this.lastId;
    this.waiting = this.waiting.filter((wait) => !wait(event));
  }

  /** All events of a type so far. */
  of(type) {
    return this.events.filter((event) => event.type === type);
  }

  /** The first event that fulfils a condition, be it there already or still to come. */
  until(condition) {
    const found = this.events.find(condition);
    return found ? Promise.resolve(found) : this.next(condition);
  }

  /** The same, or that none comes for long. Only WebKit is known for silence: the others may take their time. */
  soon(condition, patience = /AppleWebKit(?!.*Chrome)/.test(navigator.userAgent) ? 10_000 : 25_000) {
    const silence = new Promise((resolve) => setTimeout(resolve, patience, { type: "silence", state: 1 }));
    return Promise.race([this.until(condition), silence]);
  }

  /** The next event from now on that fulfils a condition. */
  next(condition) {
    return new Promise((resolve) => {
      this.waiting.push((event) => condition(event) && (resolve(event), true));
    });
  }

  /** How an attempt to connect turned out: `open`, `comes back` (it will try again), `closed`, or that nothing comes. */
  async fate() {
    const event = await this.soon((event) => event.type === "open" || event.type === "error", 10_000);
    return event.type === "open" ? "open" : ["comes back", "nothing comes", "closed"][event.state];
  }
};

/** JSON as a rule, else the text itself. */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

/** Posts JSON as a page of another origin does: a preflight, then the request with cookies. */
function post(url, json) {
  const headers = { "content-type": "application/json" };
  return fetch(url, { method: "POST", credentials: "include", headers, body: JSON.stringify(json) });
}

/** All of an answer that a page can see. */
async function seen(request) {
  const response = await request;
  const headers = Object.fromEntries(response.headers);
  return { status: response.status, type: response.type, headers, body: await response.text() };
}
