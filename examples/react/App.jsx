import { useState } from "react";

import { useEventSource } from "./useEventSource.js";

const SERVER = import.meta.env.VITE_SSE_URL ?? "http://localhost:4043";

export function App() {
  const letters = useEventSource(`${SERVER}/sse`);
  const messages = useEventSource(`${SERVER}/post`);
  return (
    <main>
      <h1>
        Letters and messages <small>from {SERVER}</small>
      </h1>
      <Card id="letters" title="Letters" stream={letters} />
      <Card id="messages" title="Messages" stream={messages}>
        <Compose />
      </Card>
    </main>
  );
}

/** A stream: its state, what it has sent, and whatever else belongs to it. */
function Card({ id, title, stream, children }) {
  return (
    <section id={id}>
      <h2>
        {title} <span className="state" data-state={stream.state}>{stream.state}</span>
      </h2>
      <ol>
        {stream.events.map((event) => (
          <li key={event.id}>{event.msg}</li>
        ))}
      </ol>
      {children}
    </section>
  );
}

/** Posts a message; it comes back on the stream, to every open page. */
function Compose() {
  const [text, setText] = useState("");
  const [answer, setAnswer] = useState("");

  async function send(event) {
    event.preventDefault();
    try {
      const response = await fetch(`${SERVER}/post`, {
        method: "POST",
        credentials: "include",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ msg: text }),
      });
      setAnswer(`${response.status} ${await response.text()}`);
      if (response.status < 400) setText("");
    } catch (error) {
      setAnswer(`not sent: ${error.message}`);
    }
  }

  return (
    <form onSubmit={send}>
      <input
        aria-label="Message"
        placeholder="Say something to every open page"
        required
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <button>Post</button>
      <output>{answer}</output>
    </form>
  );
}
