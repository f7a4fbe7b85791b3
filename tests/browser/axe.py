"""Run axe-core on a page: its violations, and what needs a human review."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

IS_THERE = "typeof axe !== 'undefined'"
RUN = "(options) => axe.run({ resultTypes: ['violations', 'incomplete'], ...options })"
OF_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}

#: In a dialog or a late notice axe cannot tell the background, whichever element it names.
OF_LAYERS = "elmPartiallyObscuring"
LAYER_OF = """(selector) => {
  const found = document.querySelector(selector);
  return found?.closest(".is-late") ? "late notice *" : found?.closest("dialog") ? "dialog *" : "";
}"""
#: Late notices and the open menu cover what lies at their height; of a line that is scrolled aside,
#: also the part that is not seen.
OF_COVERS = "bgOverlap"
IS_COVERED = """(selector) => {
  const box = document.querySelector(selector)?.getBoundingClientRect();
  return [...document.querySelectorAll(".is-late > *, .menu-panel")].some((cover) => {
    const over = cover.getBoundingClientRect();
    return box && box.top < over.bottom && box.bottom > over.top;
  });
}"""


class Finding(NamedTuple):
    rule: str
    reason: str
    element: str


def examine(page: Page, *, colours_only: bool = False) -> tuple[set[Finding], set[Finding]]:
    """Violations of any impact, and what needs review."""
    if not page.evaluate(IS_THERE):  # loading its 500 KB takes longer than running it
        page.evaluate(Axe().axe_script)
    found = page.evaluate(RUN, OF_COLOURS if colours_only else {})
    return set(_findings(page, found["violations"])), set(_findings(page, found["incomplete"]))


def _findings(page: Page, results: list[dict[str, Any]]) -> Iterator[Finding]:
    for result in results:
        for node in result["nodes"]:
            selector = str(node["target"][-1])
            for reason in {_reason(check) for check in [*node["any"], *node["all"], *node["none"]]}:
                yield Finding(result["id"], reason, _element(page, reason, selector))


def _element(page: Page, reason: str, selector: str) -> str:
    if reason == OF_LAYERS and (layer := page.evaluate(LAYER_OF, selector)):
        return str(layer)
    if reason == OF_COVERS and page.evaluate(IS_COVERED, selector):
        return "* below a late notice or the menu"
    return selector.split(" > ")[-1]


def _reason(check: dict[str, Any]) -> str:
    data = check["data"]
    return str((isinstance(data, dict) and data.get("messageKey")) or check["id"])
