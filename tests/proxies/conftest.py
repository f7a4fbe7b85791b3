"""A browser whose pages may belong to several servers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.console import Console


@pytest.fixture
def open_page(chromium: Browser, console: Console) -> Iterator[Callable[..., Page]]:
    """Open pages in a fresh profile; a breach of our security policy fails the test.

    Other console messages may be about other servers' pages, or about expected refusals.
    """
    breaches: list[str] = []
    contexts: list[BrowserContext] = []

    def open_one(**options: Any) -> Page:
        context = chromium.new_context(base_url=console.url, **options)
        context.route(re.compile("^https:"), lambda route: route.abort())
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: breaches.append(said.text))
        page.on("pageerror", lambda error: breaches.append(f"Security {error}"))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert [said for said in breaches if "Security" in said] == []
