import { useEffect, useState } from "react";

const STATES = ["connecting", "open", "closed"]; // by EventSource.readyState
const MOST_KEPT = 100;

/** What a stream has sent so far, and how its connection fares. */
export function useEventSource(url) {
  const [state, setState] = useState("connecting");
  const [events, setEvents] = useState([]);

  useEffect(() => {
    const source = new EventSource(url, { withCredentials: true });
    const look = () => setState(STATES[source.readyState]);
    source.onopen = look;
    // Unless it is closed, the browser connects again by itself, and says which event it saw last.
    source.onerror = look;
    source.onmessage = ({ lastEventId, data }) => {
      look();
      setEvents((events) => [...events, { id: lastEventId, ...JSON.parse(data) }].slice(-MOST_KEPT));
    };
    return () => source.close();
  }, [url]);

  return { state, events };
}
