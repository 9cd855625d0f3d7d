"""What is measured: each measure starts a fresh server, runs `mock-sse load` against it, and gives figures."""

import json
import statistics
import subprocess
from dataclasses import dataclass, field

from machine import BOTH_CPUS, CLIENT_CPU, SERVER_CPU, Trouble, pinned

HIGH, LOW, FACT = "more is better", "less is better", "neither"


@dataclass
class Row:
    """A line of the table."""

    title: str
    key: str
    unit: str
    better: str = LOW
    #: What the ratio of mock-sse to nchan, or the figure itself, is to be.
    goal: str = ""


@dataclass
class Measure:
    name: str
    rows: list
    run: object
    #: What a server must be able to do for it.
    needs: str = ""
    alone: bool = False
    figures: dict = field(default_factory=dict)

    def fits(self, server):
        return not self.needs or self.needs in server.can


class Client:
    """`mock-sse load`, pinned, and what it found."""

    def __init__(self, binary, quick):
        self.binary, self.quick = binary, quick

    def messages(self, server, streams):
        """As many as the server delivers in a few seconds."""
        deliveries = server.pace // (4 if self.quick else 1)
        return max(10, deliveries // streams)

    def run(self, process, server, *options, cpus=CLIENT_CPU, scheme="http", publish=True):
        base = f"{scheme}://127.0.0.1:{process.port}"
        command = [self.binary, "load", base + server.sub, "--json"]
        command += ["--server-pid", ",".join(map(str, process.pids)), "--insecure", "--timeout", "30s"]
        command += ["--publish", base + server.pub] if publish else []
        done = subprocess.run(
            pinned(cpus, [*command, *options]), capture_output=True, text=True, timeout=300
        )
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise Trouble(f"{' '.join(map(str, done.args))}:\n{done.stdout}{done.stderr}")
        return figures(report)


def figures(report):
    """The report's figures by short names; those of a server that failed count nothing."""
    streams, deliveries, cpu = report["streams"], report["deliveries"], report["cpu"]
    latency, memory = report["latency_ms"] or {}, report["server_memory"] or {}
    found = {
        "lost": deliveries["lost"] + streams["failed"] + streams["broken"],
        "per_s": deliveries["per_s"],
        "server_us": cpu["server_us_per_delivery"],
        "own_us": cpu["own_us_per_delivery"],
        "own_s": cpu["own_s"],
        "p50": latency.get("p50"),
        "p99": latency.get("p99"),
        "kib": memory.get("kib_per_stream"),
        "set_up_s": streams["set_up_s"],
        "set_up_server_s": cpu["set_up_server_s"],
        "set_up_own_s": cpu["set_up_own_s"],
    }
    if report["published"]:
        found["lost"] += report["published"]["failed"]
        found["published_per_s"] = report["published"]["messages_per_s"]
    if found["lost"]:
        found["problems"] = report["problems"]
    return found


def fan_out(streams):
    def run(client, server):
        with server.start(SERVER_CPU) as process:
            messages = client.messages(server, streams)
            return client.run(process, server, "-n", streams, "--rate", 0, "--messages", messages)

    return run


def paced(client, server):
    seconds = 2 if client.quick else 5
    with server.start(SERVER_CPU) as process:
        return client.run(process, server, "-n", 1000, "--rate", 50, "--for", f"{seconds}s")


def burst(client, server):
    with server.start(SERVER_CPU) as process:
        ten = ("--rate", 0, "--messages", 10, "--publishers", 10)
        return client.run(process, server, "-n", 5000, *ten)


def idle(mode, *options):
    def run(client, server):
        with server.start(SERVER_CPU, mode) as process:
            scheme = "https" if mode == "tls" else "http"
            wait = ("--for", "2s", *options)
            return client.run(process, server, "-n", 5000, *wait, scheme=scheme, publish=False)

    return run


def handshakes(client, server):
    streams = 2_000 if client.quick else 10_000
    with server.start(SERVER_CPU, "tls") as process:
        few = ("--for", "100ms", "--connect-concurrency", 128)
        found = client.run(process, server, "-n", streams, *few, scheme="https", publish=False)
        for key in ("set_up_s", "set_up_server_s", "set_up_own_s"):
            found[key] *= 10_000 / streams
        return found


def crowd(client, server):
    with server.start(SERVER_CPU) as process:
        ten = ("--rate", 0, "--messages", 10, "--connect-concurrency", 128)
        return client.run(process, server, "-n", 15_000, *ten)


def two_threads(client, server):
    with server.start(BOTH_CPUS) as process:
        messages = client.messages(server, 1000)
        options = ("-n", 1000, "--rate", 0, "--messages", messages)
        return client.run(process, server, *options, cpus=BOTH_CPUS)


def publishers(client, server):
    seconds = 2 if client.quick else 5
    with server.start(SERVER_CPU) as process:
        many = ("--publishers", 1000, "--rate", 1000, "--for", f"{seconds}s")
        return client.run(process, server, "-n", 10, *many)


def periodic(client, server):
    """Processor time for a script a stream, as a ratio to that for topics' messages: of a thousand topics, so
    that they come at the same pace, and of a single one, so that they come all at once. All three are slowed
    down by what else the machine does, each at another time: of several turns the middle counts."""
    turns, seconds = (1, 3) if client.quick else (5, 4)
    listening = ("-n", 10_000, "--connect-concurrency", 128, "--for", f"{seconds}s")
    kinds = {
        "script": ("periodic", {"publish": False}, ()),
        "spread": ("spread", {"publish": False}, ()),
        "topic": ("topic", {}, ("--rate", 1)),
    }
    found = {kind: [] for kind in kinds}
    for _ in range(turns):
        for kind, (scenario, how, options) in kinds.items():
            with server.start(SERVER_CPU, scenario=scenario) as process:
                found[kind].append(client.run(process, server, *listening, *options, **how))
    cost = {kind: median(runs, "server_us") for kind, runs in found.items()}
    return {
        "lost": sum(median(runs, "lost") for runs in found.values()),
        "script_us": cost["script"],
        "spread_us": cost["spread"],
        "ratio": cost["script"] / cost["spread"],
        "topic_us": cost["topic"],
        "ratio_to_one": cost["script"] / cost["topic"],
        "own_us": median(found["script"], "own_us"),
    }


def rows_of_fan_out(streams):
    who = f"{streams:,} subscribers"
    return [
        Row(f"deliveries/s, {who}", "per_s", "/s", HIGH, "≥ 1.5×"),
        Row(f"server CPU per delivery, {who}", "server_us", "µs", LOW, "≤ 0.7×"),
        Row(f"load client's CPU per delivery, {who}", "own_us", "µs", FACT),
    ]


def every():
    paced_who = "1,000 subscribers × 50 messages/s"
    return [
        Measure("fan-out-1000", rows_of_fan_out(1000), fan_out(1000)),
        Measure("fan-out-5000", rows_of_fan_out(5000), fan_out(5000)),
        Measure(
            "paced",
            [
                Row(f"p50, {paced_who}", "p50", "ms"),
                Row(f"p99, {paced_who}", "p99", "ms", LOW, "≤ 1×"),
                Row(f"server CPU per delivery, {paced_who}", "server_us", "µs"),
            ],
            paced,
        ),
        Measure(
            "burst",
            [
                Row("p50, 10 messages at once to 5,000 subscribers", "p50", "ms"),
                Row("p99, 10 messages at once to 5,000 subscribers", "p99", "ms", LOW, "≤ 1×"),
            ],
            burst,
        ),
        Measure(
            "idle",
            [Row("memory per idle connection, plain", "kib", "KiB", LOW, "≤ 1.5 KiB")],
            idle("plain"),
        ),
        Measure(
            "idle-tls",
            [Row("memory per idle connection, TLS", "kib", "KiB", LOW, "≤ 10 KiB")],
            idle("tls"),
            needs="tls",
        ),
        Measure(
            "idle-http2",
            [Row("memory per idle HTTP/2 stream, 100 a connection", "kib", "KiB", LOW, "≤ 2.5 KiB")],
            idle("http2", "--http2", "--streams-per-connection", 100),
            needs="http2",
        ),
        Measure(
            "tls-set-up",
            [
                Row("10,000 TLS connections set up", "set_up_s", "s", LOW, "≤ 4 s"),
                Row("server CPU for that", "set_up_server_s", "s"),
                Row("load client's CPU for that", "set_up_own_s", "s", FACT),
            ],
            handshakes,
            needs="tls",
        ),
        Measure(
            "crowd",
            [
                Row("15,000 subscribers, 10 messages: lost", "lost", "", LOW, "0"),
                Row("15,000 subscribers: deliveries/s", "per_s", "/s", HIGH),
            ],
            crowd,
        ),
        Measure(
            "two-threads",
            [
                Row(
                    "deliveries/s, 1,000 subscribers, two threads on two processors shared with the client",
                    "per_s",
                    "/s",
                    HIGH,
                    "≥ 1.5×",
                )
            ],
            two_threads,
            needs="two threads",
        ),
        Measure(
            "publishers",
            [
                Row("1,000 publishers at 1,000 messages/s: messages/s", "published_per_s", "/s", HIGH, "1,000"),
                Row("1,000 publishers at 1,000 messages/s: p99", "p99", "ms"),
            ],
            publishers,
        ),
        Measure(
            "periodic",
            [
                Row("10,000 templated scripts, an event a second: server CPU per event", "script_us", "µs"),
                Row("as many at the same pace from a thousand topics", "spread_us", "µs"),
                Row("the first as a ratio to the second", "ratio", "×", FACT),
                Row("as many from one topic, all at once", "topic_us", "µs"),
                Row("the first as a ratio to that", "ratio_to_one", "×", LOW, "≤ 1.3×"),
            ],
            periodic,
            needs="periodic",
        ),
    ]


def median(rounds, key):
    """The middle of the rounds; of what was lost, all of it."""
    values = [found[key] for found in rounds if found.get(key) is not None]
    if not values:
        return None
    return sum(values) if key == "lost" else statistics.median(values)
