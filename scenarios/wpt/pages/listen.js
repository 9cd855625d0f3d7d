"use strict";
const routes = [
  "resources/message.py",
  "resources/message.py?message=data:%20%E2%98%83",
  "resources/last-event-id.py",
  "resources/last-event-id2.py?type=2",
  "resources/accept.event_stream",
  "resources/cache-control.event_stream",
  "resources/status-error.py",
];
for (const route of routes) {
  const source = new EventSource(route);
  const say = (text) => {
    const line = document.createElement("li");
    line.textContent = `${route}: ${text}`;
    document.getElementById("log").append(line);
    source.close();
  };
  source.onmessage = (event) => say(JSON.stringify(event.data));
  source.onerror = () => say(source.readyState === EventSource.CLOSED ? "failed" : "will reconnect");
}
