"""Lighthouse on the pages that are opened most, with a signed-in session; `make lighthouse`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

from keys.upstream import hash_of
from tests.browser.screenshots import stage_set
from tests.browser.stage import Stage
from tests.support.chromium import ARGUMENTS, QUIET
from tests.support.console import ROOT

FOLDER = ROOT / "var/lighthouse"
PROGRAM = FOLDER / "node_modules/.bin/lighthouse"
PAGES = {
    "keys": "/keys/",
    "key": "/keys/{token_hash}/",
    "create": "/keys/new/",
    "stats": "/stats/",
    "exports": "/exports/",
    "account": "/account/",
}
#: Without a preset Lighthouse emulates a phone on a slow network.
DEVICES: dict[str, list[str]] = {"mobile": [], "desktop": ["--preset=desktop"]}
CATEGORIES = ("performance", "accessibility", "best-practices")
LEAST = 95
RUNS = 3


def main() -> None:
    with stage_set() as stage:
        token_hash = hash_of(next(iter(stage.node.state.users["alice"].keys)))
        figures = {
            (name, device): measure(stage, f"{name}-{device}", path.format(token_hash=token_hash))
            for name, path in PAGES.items()
            for device in DEVICES
        }
    say("| Page | Device | Performance | Accessibility | Best practices |\n|---|---|--:|--:|--:|")
    for (name, device), figure in figures.items():
        numbers = " | ".join(str(figure[category]) for category in CATEGORIES)
        say(f"| {name} | {device} | {numbers} |")
    if min(min(figure.values()) for figure in figures.values()) < LEAST:
        sys.exit(f"Less than {LEAST}; the reports are in {FOLDER}.")


def measure(stage: Stage, name: str, path: str) -> dict[str, int]:
    """The median of several runs; the name ends with the device."""
    runs = [run(stage, f"{name}-{number}", path) for number in range(RUNS)]
    return {category: round(median(one[category] for one in runs)) for category in CATEGORIES}


def run(stage: Stage, name: str, path: str) -> dict[str, int]:
    with stage.page_of("alice") as page:
        cookies = "; ".join(f"{it['name']}={it['value']}" for it in page.context.cookies())
    report = FOLDER / f"{name}.json"
    command = [
        str(PROGRAM),
        f"{stage.console.url}{path}",
        *DEVICES[name.split("-")[1]],
        "--quiet",
        "--output=json",
        f"--output-path={report}",
        f"--only-categories={','.join(CATEGORIES)}",
        f"--extra-headers={json.dumps({'Cookie': cookies})}",
        f"--chrome-flags={' '.join(['--headless=new', *ARGUMENTS, *QUIET])}",
    ]
    # Chromium sometimes begins to record too late (NO_NAVSTART), so one more attempt is allowed.
    environment = {**os.environ, "CHROME_PATH": chromium()}
    if subprocess.run(command, env=environment, check=False).returncode:
        subprocess.run(command, env=environment, check=True)
    return scores(report)


def scores(report: Path) -> dict[str, int]:
    categories = json.loads(report.read_text(encoding="utf-8"))["categories"]
    return {name: round(100 * categories[name]["score"]) for name in CATEGORIES}


def chromium() -> str:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or sys.exit("No Chromium.")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
