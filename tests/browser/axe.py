"""axe-core on a page: what it objects to, and what it leaves to people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

OPTIONS = {"resultTypes": ["violations", "incomplete"]}


#: In these the cause is not the element that axe names: one decision is for all of them.
OF_THE_PLACE = {"elmPartiallyObscuring"}


class Finding(NamedTuple):
    rule: str
    reason: str
    element: str


def examine(page: Page) -> tuple[set[Finding], set[Finding]]:
    """Violations of any impact, and what needs review."""
    found = Axe().run(page, options=OPTIONS).response
    return set(_findings(found["violations"])), set(_findings(found["incomplete"]))


def _findings(results: list[dict[str, Any]]) -> Iterator[Finding]:
    for result in results:
        for node in result["nodes"]:
            element = str(node["target"][-1]).split(" > ")[-1]
            for reason in {_reason(check) for check in [*node["any"], *node["all"], *node["none"]]}:
                yield Finding(result["id"], reason, "*" if reason in OF_THE_PLACE else element)


def _reason(check: dict[str, Any]) -> str:
    data = check["data"]
    return str((isinstance(data, dict) and data.get("messageKey")) or check["id"])
