"""Figures as a Markdown table, and the page that holds it."""

import machine
from measures import FACT, median

BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"


def number(value, unit):
    if value is None:
        return "–"
    if unit in ("/s", "") or value >= 1000:
        text = f"{value:,.0f}"
    elif value >= 100:
        text = f"{value:.0f}"
    elif value >= 10:
        text = f"{value:.1f}"
    else:
        text = f"{value:.2f}"
    return f"{text} {unit}".strip() if unit not in ("/s", "×") else text + ("" if unit == "/s" else unit)


def cell(row, rounds, reference):
    if not rounds:
        return ""
    value = median(rounds, row.key)
    text = number(value, row.unit)
    if value is not None and reference and row.better != FACT and row.unit not in ("×", ""):
        text += f" ({value / reference:.2f}×)"
    lost = median(rounds, "lost")
    return text + (f", {lost:,} lost" if lost and row.key != "lost" else "")


def comparison(measures, servers):
    """Lines: measures. Columns: servers. In parentheses: the ratio to nchan."""
    head = ["", *(server.name for server in servers), "aim"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * len(servers) + "---|"]
    for measure in measures:
        for row in measure.rows:
            reference = median(measure.figures.get("nchan", []), row.key)
            cells = [
                cell(row, measure.figures.get(server.name, []), server.name != "nchan" and reference)
                for server in servers
            ]
            if any(cells):
                lines.append("| " + " | ".join([row.title, *cells, row.goal]) + " |")
    return "\n".join(lines)


def caption(servers, rounds, day):
    """Where, when and of what; of servers beside each other, how."""
    about = machine.describe()
    versions = "; ".join(server.version() for server in servers)
    several = len(servers) > 1
    turns = ", in which the servers take turns" if several else ""
    ratio = " In parentheses: the ratio to nchan in the same run." if several else ""
    return (
        f"{day}. {about['cpu']}, {about['cpus']} processors, {about['memory_gib']} GiB, {about['kernel']}. "
        f"{versions}. The median of {rounds} rounds{turns}; server on processor 0, load client on processor 1.{ratio}"
    )


def put(page, name, text):
    """Puts the text between the page's markers of that name."""
    begin, end = BEGIN.format(name), END.format(name)
    content = page.read_text()
    if begin not in content or end not in content:
        raise machine.Trouble(f"{page} has no `{begin}` and `{end}`")
    before, rest = content.split(begin, 1)
    _, after = rest.split(end, 1)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
