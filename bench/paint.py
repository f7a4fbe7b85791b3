"""The list page in a new Chromium: bytes, requests, and when it is painted."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median

from playwright.sync_api import (
    BrowserContext,
    Page,
    Playwright,
    ViewportSize,
    sync_playwright,
)

from bench.empty import WITHOUT_OPENER_POLICY, empty_page
from bench.pages import READ
from bench.plan import Plan, of_keys
from bench.stage import Console, Stage
from bench.wire import Wire
from tests.support.chromium import launched

SCRIPT = Path(__file__).with_name("paint.js").read_text()
ROW_PAINTED = "window.bench.painted"  # a promise: `wait_for_function` would need `eval`
SIZE: ViewportSize = {"width": 1280, "height": 800}
QUIET_MS = 1000  # after the row is painted; until then long tasks and shifts count


@dataclass(frozen=True)
class Paint:
    """Milliseconds since the navigation; bytes on the wire, with headers."""

    first_byte: float
    first_paint: float
    row_painted: float
    blocking: float  # the time of long tasks beyond 50 ms each
    longest_task: float  # 0 when none took 50 ms
    layout_shift: float
    requests: float
    size: float
    html_size: float
    warm_requests: float
    warm_size: float


@dataclass(frozen=True)
class PaintFigures:
    """Medians of the runs, each in a new process with an empty profile."""

    keys: int
    runs: int
    paint: Paint
    row_painted_least: float
    row_painted_most: float
    empty: float  # row painted on a page with only that row, with the console's headers
    empty_without_opener_policy: float


def measure(stage: Stage, plan: Plan) -> list[PaintFigures]:
    found = []
    with (
        stage.node() as node,
        stage.console(node) as console,
        empty_page(console.url) as empty,
        sync_playwright() as playwright,
    ):
        for keys in plan.keys_under_load:
            print(f"  {keys:,} keys", flush=True)
            cookie = stage.cookies[of_keys(keys)]
            # The first run warms up the disk cache and the server, and is discarded.
            turns = [
                (
                    _cold(playwright, console, cookie),
                    _row_painted(playwright, empty),
                    _row_painted(playwright, empty + WITHOUT_OPENER_POLICY),
                )
                for _ in range(plan.paints + 1)
            ]
            found.append(_figures(keys, turns[1:]))
    return found


def _figures(keys: int, turns: list[tuple[Paint, float, float]]) -> PaintFigures:
    paints, empty, without_policy = zip(*turns, strict=True)
    rows = [paint.row_painted for paint in paints]
    middle = {
        one.name: median(getattr(paint, one.name) for paint in paints) for one in fields(Paint)
    }
    return PaintFigures(
        keys=keys,
        runs=len(paints),
        paint=Paint(**middle),
        row_painted_least=min(rows),
        row_painted_most=max(rows),
        empty=median(empty),
        empty_without_opener_policy=median(without_policy),
    )


def _row_painted(playwright: Playwright, url: str) -> float:
    browser = launched(playwright)
    try:
        page = browser.new_context(viewport=SIZE).new_page()
        page.add_init_script(SCRIPT)
        page.goto(url)
        seen: float = page.evaluate(ROW_PAINTED)
        return seen
    finally:
        browser.close()


def _cold(playwright: Playwright, console: Console, cookie: str) -> Paint:
    browser = launched(playwright)
    try:
        context = browser.new_context(viewport=SIZE)
        for name, _, value in (one.partition("=") for one in cookie.split("; ")):
            context.add_cookies([{"name": name, "value": value, "url": console.url}])
        return _look(context, console.url + READ)
    finally:
        browser.close()


def _look(context: BrowserContext, url: str) -> Paint:
    page = context.new_page()
    page.add_init_script(SCRIPT)
    wire = Wire(context.new_cdp_session(page))
    seen = _visit(page, url)
    html, cold = wire.document, wire.take()
    page.goto("about:blank")
    wire.take()
    _visit(page, url)
    warm = wire.take()
    return Paint(
        **seen,
        requests=len(cold),
        size=sum(cold.values()),
        html_size=cold[html],
        warm_requests=len(warm),
        warm_size=sum(warm.values()),
    )


def _visit(page: Page, url: str) -> dict[str, float]:
    page.goto(url)
    page.evaluate(ROW_PAINTED)
    page.wait_for_timeout(QUIET_MS)
    seen: dict[str, float] = page.evaluate("window.bench.told()")
    return seen
