"""Finding and starting a Chromium."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


class NoChromium(Exception):
    """There is none on this machine: set CHROMIUM or install Debian's package chromium."""


def launched(playwright: Playwright) -> Browser:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path and Path(playwright.chromium.executable_path).exists():
        path = playwright.chromium.executable_path
    if not path:
        raise NoChromium
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS + QUIET)
