"""What a delivery costs as the number of subscribers grows: a table, and a plot of it."""

import math
from xml.sax.saxutils import escape

from machine import SERVER_CPU
from measures import median
from table import number

COUNTS = [10, 30, 100, 300, 1000, 3000, 5000, 10_000, 15_000]
#: Servers to which each number of subscribers is nothing special.
WHO = ("mock-sse", "nchan")
COLOURS = {"mock-sse": "#2a7f3f", "nchan": "#9b3f9b"}

LEFT, RIGHT, TOP, BOTTOM = 80, 760, 60, 360


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
    most = max(value for points in curves.values() for _, value in points)
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 50, 100) if most / step <= 8)
    top = math.ceil(most / step) * step
    first, last = math.log10(COUNTS[0]), math.log10(COUNTS[-1])

    def x(count):
        return LEFT + (RIGHT - LEFT) * (math.log10(count) - first) / (last - first)

    def y(value):
        return BOTTOM - (BOTTOM - TOP) * value / top

    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="420" viewBox="0 0 800 420" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="800" height="420" fill="#fff"/>',
        '<text x="16" y="24" font-size="15">Server CPU per delivery, as the number of subscribers grows</text>',
        '<text x="16" y="44" fill="#444">µs, the cost of publishing included; one processor, '
        "plain HTTP/1.1</text>",
    ]
    for at in range(round(top / step) + 1):
        value = at * step
        out.append(f'<path d="M{LEFT} {y(value):.1f}H{RIGHT}" stroke="#ddd"/>')
        label = f'x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#444"'
        out.append(f"<text {label}>{value:g}</text>")
    for count in COUNTS:
        out.append(f'<path d="M{x(count):.1f} {BOTTOM}v5" stroke="#444"/>')
        label = f'x="{x(count):.1f}" y="{BOTTOM + 19}" text-anchor="middle" fill="#444"'
        out.append(f"<text {label}>{count:,}</text>")
    out.append(f'<path d="M{LEFT} {BOTTOM}H{RIGHT}" stroke="#444"/>')
    middle = (LEFT + RIGHT) / 2
    out.append(f'<text x="{middle}" y="{BOTTOM + 40}" text-anchor="middle" fill="#444">subscribers</text>')
    for at, (name, points) in enumerate(curves.items()):
        colour = COLOURS[name]
        line = "L".join(f"{x(count):.1f} {y(value):.1f}" for count, value in points)
        out.append(f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [
            f'<circle cx="{x(count):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}">'
            f"<title>{escape(name)}, {count:,}: {value:.2f} µs</title></circle>"
            for count, value in points
        ]
        out.append(f'<text x="{RIGHT}" y="{TOP + 16 * at}" text-anchor="end" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])
