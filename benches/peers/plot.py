"""Plots: curves over a number that grows by factors, one panel or several on a page."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape


@dataclass
class Curve:
    name: str
    colour: str
    #: Pairs of a number and a value.
    points: list


@dataclass
class Panel:
    title: str
    about: str
    #: What the values are, and what the numbers count.
    unit: str
    what: str
    curves: list
    #: Numbers to write below.
    ticks: list


WIDTH, HEIGHT = 800, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 760, 60, 360
#: What a number's name needs.
NAME = 44


def page(panels, columns=1):
    """All panels, so many beside each other."""
    columns = min(columns, len(panels))
    width, height = WIDTH * columns, HEIGHT * math.ceil(len(panels) / columns)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for at, panel in enumerate(panels):
        out.append(f'<g transform="translate({WIDTH * (at % columns)} {HEIGHT * (at // columns)})">')
        out += draw(panel)
        out.append("</g>")
    return "\n".join([*out, "</svg>", ""])


def draw(panel):
    most = max(value for curve in panel.curves for _, value in curve.points)
    steps = (digit * 10**power for power in range(-3, 6) for digit in (1, 2, 5))
    step = next(step for step in steps if most / step <= 8)
    top = max(1, math.ceil(most / step)) * step
    numbers = [number for curve in panel.curves for number, _ in curve.points]
    first, last = math.log10(min(numbers)), math.log10(max(numbers))

    def x(number):
        return LEFT + (RIGHT - LEFT) * (math.log10(number) - first) / (last - first)

    def y(value):
        return BOTTOM - (BOTTOM - TOP) * value / top

    out = [
        f'<text x="16" y="24" font-size="15">{escape(panel.title)}</text>',
        f'<text x="16" y="44" fill="#444">{escape(panel.about)}</text>',
    ]
    for at in range(round(top / step) + 1):
        value = at * step
        out.append(f'<path d="M{LEFT} {y(value):.1f}H{RIGHT}" stroke="#ddd"/>')
        label = f'x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#444"'
        out.append(f"<text {label}>{value:g}</text>")
    written = math.inf
    for number in reversed(panel.ticks):
        out.append(f'<path d="M{x(number):.1f} {BOTTOM}v5" stroke="#444"/>')
        # Names that would touch the one behind are left out.
        if written - x(number) < NAME:
            continue
        written = x(number)
        label = f'x="{x(number):.1f}" y="{BOTTOM + 19}" text-anchor="middle" fill="#444"'
        out.append(f"<text {label}>{number:,}</text>")
    out.append(f'<path d="M{LEFT} {BOTTOM}H{RIGHT}" stroke="#444"/>')
    middle = (LEFT + RIGHT) / 2
    out.append(f'<text x="{middle}" y="{BOTTOM + 40}" text-anchor="middle" fill="#444">{escape(panel.what)}</text>')
    for at, curve in enumerate(panel.curves):
        line = "L".join(f"{x(number):.1f} {y(value):.1f}" for number, value in curve.points)
        out.append(f'<path d="M{line}" fill="none" stroke="{curve.colour}" stroke-width="2"/>')
        out += [
            f'<circle cx="{x(number):.1f}" cy="{y(value):.1f}" r="3" fill="{curve.colour}">'
            f"<title>{escape(curve.name)}, {number:,}: {value:.2f} {escape(panel.unit)}</title></circle>"
            for number, value in curve.points
        ]
        out.append(
            f'<text x="{RIGHT}" y="{TOP + 16 * at}" text-anchor="end" fill="{curve.colour}">{escape(curve.name)}</text>'
        )
    return out
