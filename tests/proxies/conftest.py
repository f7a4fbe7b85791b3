"""The browser of the browser tests, for pages behind a proxy."""

from __future__ import annotations

from tests.browser.conftest import chromium, open_page

__all__ = ["chromium", "open_page"]
