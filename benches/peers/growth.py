"""What mock-sse's work costs as it grows: endpoints, sessions, the history, the journal. A table, and plots."""

import os
import socket
from pathlib import Path

from machine import CLIENT_CPU, SERVER_CPU, WORK
from measures import median
from plot import Curve, Panel, page
from table import number

COUNTS = [10, 30, 100, 300, 1000, 3000, 5000, 10_000, 15_000]
#: What is bounded is shown beyond its bound.
FAR_BEYOND = 30_000
COLOURS = ("#2a7f3f", "#9b3f9b")
#: Requests that are on their way at once.
AT_ONCE = 50
MIB = 1024.0
HISTORY = 1000


class Requests:
    """A connection over which requests go out in batches; each must be answered, and alike."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def all(self, paths):
        for at in range(0, len(paths), AT_ONCE):
            batch = paths[at : at + AT_ONCE]
            self.socket.sendall(b"".join(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode() for path in batch))
            received = b""
            while received.count(b"HTTP/1.1 200 OK\r\n") < len(batch) or not received.endswith(b"\r\n\r\nx"):
                more = self.socket.recv(1 << 16)
                if not more:
                    raise ConnectionError(f"closed after {received[-300:]!r}")
                received += more


def processor_us(process):
    """Of all its threads; finer than the ticks that processes are usually told in."""
    threads = Path(f"/proc/{process.popen.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1000


def kib(process):
    smaps = Path(f"/proc/{process.popen.pid}/smaps_rollup").read_text()
    return int(next(line for line in smaps.splitlines() if line.startswith("Pss:")).split()[1])


def scenario(name, text):
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / name
    path.write_text(text)
    return path


def matching(server, count, requests):
    """Processor time of a request among so many endpoints: for a plain path, and one with a captured part."""
    half = count // 2
    lines = [f"  - {{ path: /plain/{n}, body: x }}\n  - {{ path: '/captured/{n}/{{id}}', body: x }}" for n in range(half)]
    path = scenario("many.yaml", "endpoints:\n" + "\n".join(lines) + "\n")
    found = []
    with server.start(SERVER_CPU, scenario=path) as process, Requests(process.port) as connection:
        for form in ("/plain/{}", "/captured/{}/7"):
            # All over the list, the last included.
            paths = [form.format(half - 1 - n * 7919 % half) for n in range(requests)]
            connection.all(paths[:AT_ONCE])
            before = processor_us(process)
            connection.all(paths)
            found.append((processor_us(process) - before) / requests)
    return found


def sessions(server, counts):
    """Memory and processor time of so many sessions, each with a request of its own."""
    path = scenario("one.yaml", "endpoints: [{ path: /x, body: x }]\n")
    found, made = {}, 0
    with server.start(SERVER_CPU, scenario=path, options=["--max-sessions", counts[-1] + 1]) as process:
        with Requests(process.port) as connection:
            connection.all(["/x"] * AT_ONCE)
            memory, time = kib(process), processor_us(process)
            for count in counts:
                connection.all([f"/~s{n}/x" for n in range(made, count)])
                made = count
                found[count] = ((kib(process) - memory) / count, (processor_us(process) - time) / count)
    return found


def history(server, counts):
    """Memory, in MiB, after so many messages of 200 bytes, of which a thousand are kept."""
    steps = "{{ publish: {{ topic: t, data: '{}' }} }}".format("m" * 200)
    runs = [
        f"  - path: /{times}\n    stream: [{{ repeat: {{ times: {times}, steps: [{steps}] }} }}, {{ raw: x }}]"
        for times in (10, 1000)
    ]
    text = f"topics: {{ t: {{ history: {HISTORY} }} }}\nendpoints:\n" + "\n".join(runs) + "\n"
    return remembered(server, scenario("history.yaml", text), counts, published)


def published(port, more):
    """Each stream publishes, and ends."""
    for times in (1000, 10):
        for _ in range(more // times):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as stream:
                stream.sendall(f"GET /{times} HTTP/1.0\r\nhost: localhost\r\n\r\n".encode())
                while stream.recv(1 << 16):
                    pass
        more %= times


def journal(server, counts):
    """Memory, in MiB, after so many requests, of which the journal keeps ten thousand."""

    def ask(port, more):
        with Requests(port) as connection:
            connection.all(["/x"] * more)

    return remembered(server, scenario("one.yaml", "endpoints: [{ path: /x, body: x }]\n"), counts, ask)


def remembered(server, path, counts, work):
    found, done = {}, 0
    with server.start(SERVER_CPU, scenario=path) as process:
        memory = kib(process)
        for count in counts:
            work(process.port, count - done)
            done = count
            found[count] = (kib(process) - memory) / MIB
    return found


def run(client, server, rounds, svg):
    os.sched_setaffinity(0, {int(CLIENT_CPU)})
    requests = 2_000 if client.quick else 20_000
    counts = COUNTS[::4] if client.quick else COUNTS
    beyond = [*counts, FAR_BEYOND]
    rows = {count: {} for count in beyond}
    for count in counts:
        both = [matching(server, count, requests) for _ in range(rounds)]
        plain, captured = zip(*both)
        rows[count] |= {"plain": middle(plain), "captured": middle(captured)}
    each = [(sessions(server, counts), history(server, beyond), journal(server, beyond)) for _ in range(rounds)]
    for count in counts:
        memory, time = zip(*(sessions[count] for sessions, *_ in each))
        rows[count] |= {"session_kib": middle(memory), "session_us": middle(time)}
    for count in beyond:
        rows[count] |= {"history": middle(h[count] for _, h, _ in each), "journal": middle(j[count] for *_, j in each)}
    if not client.quick:
        svg.write_text(page(panels(rows), columns=2))
    return table(rows)


def middle(values):
    return median([{"it": value} for value in values], "it")


COLUMNS = (
    ("endpoints: CPU of a request to a plain path", "plain", "µs"),
    ("to one with a captured part", "captured", "µs"),
    ("sessions: CPU of each", "session_us", "µs"),
    ("memory of each", "session_kib", "KiB"),
    ("messages: memory of the history", "history", "MiB"),
    ("requests: memory of the journal", "journal", "MiB"),
)


def table(rows):
    lines = ["| so many | " + " | ".join(title for title, *_ in COLUMNS) + " |", "|---:|" + "---:|" * len(COLUMNS)]
    for count, row in rows.items():
        cells = [number(row[key], unit) if key in row else "" for _, key, unit in COLUMNS]
        lines.append(f"| {count:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def panels(rows):
    def curve(name, key, colour=COLOURS[0]):
        return Curve(name, colour, [(count, row[key]) for count, row in rows.items() if key in row])

    return [
        Panel(
            "Matching: server CPU per request",
            "µs, all that a request costs included",
            "µs",
            "endpoints",
            [curve("plain paths", "plain"), curve("paths with a captured part", "captured", COLOURS[1])],
            COUNTS,
        ),
        Panel(
            "Sessions: server CPU per session",
            "µs, for making it and a request in it",
            "µs",
            "sessions",
            [curve("a session", "session_us")],
            COUNTS,
        ),
        Panel(
            "History: memory",
            f"MiB, after so many messages of 200 bytes, of which {HISTORY:,} are kept",
            "MiB",
            "messages",
            [curve("history", "history")],
            [*COUNTS, FAR_BEYOND],
        ),
        Panel(
            "Journal: memory",
            "MiB, after so many requests, of which 10,000 are kept",
            "MiB",
            "requests",
            [curve("journal", "journal")],
            [*COUNTS, FAR_BEYOND],
        ),
    ]
