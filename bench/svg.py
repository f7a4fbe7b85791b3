"""Charts as small SVG files for light and dark, without scripts or fonts.

The plotting libraries write ten times as much, with scripts in it, and bring numpy along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 56, 84
STEPS = (1, 2, 5)
STYLE = """
svg { font: 13px system-ui, sans-serif; fill: #1f2328; background: #fff }
.title { font-size: 16px; font-weight: 600 } .quiet { fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 } .curve { fill: none; stroke-width: 2 }
.c0 { --c: #0b6bcb } .c1 { --c: #b35900 } .c2 { --c: #1a7f37 } .c3 { --c: #8250df }
.curve { stroke: var(--c) } .dot, .name { fill: var(--c) }
@media (prefers-color-scheme: dark) {
  svg { fill: #f0f6fc; background: #0d1117 } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
  .c0 { --c: #58a6ff } .c1 { --c: #e3a008 } .c2 { --c: #3fb950 } .c3 { --c: #bc8cff }
}
"""


@dataclass(frozen=True)
class Curve:
    name: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """Curves over two logarithmic axes; `x_names` are the ticks of the lower one."""

    title: str
    x_title: str
    y_title: str
    x_names: dict[float, str]
    curves: list[Curve]
    footer: str


def drawn(chart: Chart) -> str:
    heights = [y for curve in chart.curves for _, y in curve.points]
    ticks = list(_ticks(heights))
    across = _scale(chart.x_names, LEFT, WIDTH - RIGHT)
    up = _scale(ticks, HEIGHT - BOTTOM, TOP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(chart.title)}</title>",
        f"<style>{STYLE}</style>",
        _text(LEFT, 24, chart.title, "title"),
        _text(LEFT, 44, chart.y_title, "quiet"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 42, chart.x_title, "quiet", "middle"),
        _text(LEFT, HEIGHT - 14, chart.footer, "quiet"),
        *_frame(chart, ticks, across, up),
        *_curves(chart.curves, across, up),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _ticks(values: list[float]) -> Iterator[float]:
    """1, 2, 5, 10, … from below the smallest value to above the largest."""
    least, most = min(values), max(values)
    power = math.floor(math.log10(least))
    found = [step * 10.0**p for p in range(power, power + 12) for step in STEPS]
    first = max(at for at, tick in enumerate(found) if tick <= least)
    last = next(at for at, tick in enumerate(found) if tick >= most and at > first)
    yield from found[first : last + 1]


def _scale(values: Iterable[float], start: float, end: float) -> Callable[[float], float]:
    logs = [math.log(value) for value in values]
    low, high = min(logs), max(logs)
    span = (high - low) or 1
    return lambda value: start + (math.log(value) - low) / span * (end - start)


def _frame(
    chart: Chart,
    ticks: list[float],
    across: Callable[[float], float],
    up: Callable[[float], float],
) -> Iterator[str]:
    for tick in ticks:
        y = up(tick)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield _text(LEFT - 8, y + 4, f"{tick:,.10g}", "quiet", "end")
    for value, name in chart.x_names.items():
        yield _text(across(value), HEIGHT - BOTTOM + 20, name, "quiet", "middle")


def _curves(
    curves: list[Curve], across: Callable[[float], float], up: Callable[[float], float]
) -> Iterator[str]:
    below = TOP
    drawable = [one for one in enumerate(curves) if one[1].points]
    by_end = sorted(drawable, key=lambda one: -one[1].points[-1][1])
    for number, curve in by_end:
        places = [(across(x), up(y)) for x, y in curve.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<g class="c{number}"><path class="curve" d="M{path}"/>'
        for (x, y), (_, value) in zip(places, curve.points, strict=True):
            told = f"<title>{value:,.4g}</title>"
            yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5">{told}</circle>'
        below = max(
            below, round(places[-1][1]) + 4
        )  # each name beside the end of its curve, without overlaps
        yield _text(WIDTH - RIGHT + 12, below, curve.name, "name") + "</g>"
        below += 18


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(words)}</text>'
