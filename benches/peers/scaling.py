"""What a delivery costs as the number of subscribers grows: a table, and a plot of it."""

from machine import SERVER_CPU
from measures import median
from plot import Curve, Panel, page
from table import number

COUNTS = [10, 30, 100, 300, 1000, 3000, 5000, 10_000, 15_000]
#: Servers to which each number of subscribers is nothing special.
WHO = ("mock-sse", "nchan")
COLOURS = {"mock-sse": "#2a7f3f", "nchan": "#9b3f9b"}


def run(client, servers, rounds, svg):
    some = [server for server in servers if server.name in WHO]
    counts = COUNTS[::2] if client.quick else COUNTS
    found = {server.name: {count: [] for count in counts} for server in some}
    for count in counts:
        for _ in range(rounds):
            for server in some:
                found[server.name][count].append(one(client, server, count))
    curves = {
        name: [(count, median(rounds, "server_us")) for count, rounds in each.items()]
        for name, each in found.items()
    }
    if not client.quick:
        svg.write_text(plot(curves))
    return table(counts, found)


def one(client, server, count):
    # With few subscribers most of the cost is the message's own; thousands of them still take a while.
    messages = max(10, min(5000, server.pace // 2 // count // (4 if client.quick else 1)))
    options = ("-n", count, "--rate", 0, "--messages", messages, "--connect-concurrency", 128)
    with server.start(SERVER_CPU) as process:
        return client.run(process, server, *options)


def table(counts, found):
    columns = [
        (f"{name}: {title}", name, key, unit)
        for name in found
        for title, key, unit in (("CPU per delivery", "server_us", "µs"), ("deliveries/s", "per_s", "/s"))
    ]
    lines = ["| subscribers | " + " | ".join(title for title, *_ in columns) + " |"]
    lines.append("|---:|" + "---:|" * len(columns))
    for count in counts:
        cells = [number(median(found[name][count], key), unit) for _, name, key, unit in columns]
        lines.append(f"| {count:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(curves):
    panel = Panel(
        title="Server CPU per delivery, as the number of subscribers grows",
        about="µs, the cost of publishing included; one processor, plain HTTP/1.1",
        unit="µs",
        what="subscribers",
        curves=[Curve(name, COLOURS[name], points) for name, points in curves.items()],
        ticks=COUNTS,
    )
    return page([panel])
