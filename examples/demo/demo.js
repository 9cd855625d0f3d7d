// Two EventSources and a form. Nothing here knows of mock-sse: any server with these two
// endpoints will do, and the same code would run against the real one.

const DEFAULT_SERVER = "https://localhost:4043";
const MOST_SHOWN = 100;
const STATES = ["connecting", "open", "closed"]; // by EventSource.readyState

const $ = (selector) => document.querySelector(selector);

/** One EventSource and the card that shows it. */
class Stream {
  constructor(card, path, render) {
    this.card = card;
    this.path = path;
    this.render = render;
    this.list = card.querySelector("ol");
    this.source = null;
    this.received = 0;
  }

  connect(server) {
    this.disconnect();
    // With credentials, as the form's request: browsers keep connections with and without
    // credentials apart, so this way everything shares one HTTP/2 connection.
    const source = new EventSource(server + this.path, { withCredentials: true });
    this.source = source;
    source.onopen = () => this.changed();
    source.onerror = () => this.changed(true);
    source.onmessage = (event) => this.take(event);
    this.changed();
  }

  disconnect() {
    this.source?.close();
    this.changed();
  }

  take(event) {
    this.received += 1;
    this.card.querySelector(".count").textContent = this.received;
    this.card.querySelector(".last-id").textContent = event.lastEventId || "none";
    this.list.append(this.render(parse(event.data)));
    if (this.list.children.length > MOST_SHOWN) this.list.firstElementChild.remove();
    this.list.scrollTop = this.list.scrollHeight;
  }

  /** Shows the state. After an error the EventSource reconnects by itself, unless it is closed. */
  changed(failed = false) {
    const state = STATES[this.source?.readyState ?? EventSource.CLOSED];
    const badge = this.card.querySelector(".state");
    badge.dataset.state = state;
    badge.textContent = state;
    if (failed || state === "open") $("#hint").hidden = !failed;
  }
}

/** What an event says: JSON as a rule, else the text itself. */
function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

const text = (data) => (typeof data?.msg === "string" ? data.msg : JSON.stringify(data));

function letter(data) {
  const item = document.createElement("li");
  item.textContent = text(data);
  return item;
}

function message(data) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const now = new Date();
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();
  const body = document.createElement("span");
  body.textContent = text(data);
  item.append(time, body);
  return item;
}

const streams = [
  new Stream($("#letters"), "/sse", letter),
  new Stream($("#messages"), "/post", message),
];

/** The server's address as the field has it, without a slash at its end. */
const server = () => $("#server").value.replace(/\/+$/, "");

function connect() {
  $("#hint").hidden = true;
  $("#open-server").href = server() + "/";
  for (const stream of streams) stream.connect(server());
}

/** Posts a message; it comes back on the second stream, to every open page. */
async function send() {
  const response = await fetch(server() + "/post", {
    method: "POST",
    credentials: "include",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ msg: $("#text").value }),
  });
  const problem = response.status >= 400;
  return { failed: problem, text: `${response.status} ${problem ? response.statusText : await response.text()}` };
}

$("#connection").addEventListener("submit", (event) => {
  event.preventDefault();
  const page = new URL(location.href);
  page.searchParams.set("server", server());
  history.replaceState(null, "", page);
  connect();
});

$("#disconnect").addEventListener("click", () => {
  for (const stream of streams) stream.disconnect();
});

$("#compose").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await send().catch((error) => ({ failed: true, text: `not sent: ${error.message}` }));
  $("#answer").dataset.failed = answer.failed;
  $("#answer").textContent = answer.text;
  if (!answer.failed) event.target.reset();
});

$("#origin").textContent = location.origin;
$("#server").value = new URLSearchParams(location.search).get("server") || DEFAULT_SERVER;
if ($("#connection").reportValidity()) connect();
