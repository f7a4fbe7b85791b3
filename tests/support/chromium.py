"""Finding and starting a Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.support.processes import skip_when_fast

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
#: The same engine without a window: a fresh profile takes a third of the time.
SHELL = "chromium-headless-shell"
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


class NoChromium(Exception):
    """No Chromium is installed: set CHROMIUM or install Debian's package chromium."""


def launched(playwright: Playwright) -> Browser:
    skip_when_fast()
    path = os.environ.get("CHROMIUM") or shutil.which(SHELL) or shutil.which("chromium")
    if not path and Path(playwright.chromium.executable_path).exists():
        path = playwright.chromium.executable_path
    if not path:
        raise NoChromium
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS + QUIET)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            browser = launched(playwright)
        except NoChromium as missing:
            if os.environ.get("CI") == "true":
                pytest.fail("CI must have a Chromium: install Debian's package chromium")
            pytest.skip(f"no Chromium: {missing.__doc__}")
        yield browser
        browser.close()
