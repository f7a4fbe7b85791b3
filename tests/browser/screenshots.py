"""Pictures of every page, state, width and scheme, in var/screenshots; `make screenshots`."""

from __future__ import annotations

import argparse
import html
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from playwright.sync_api import CDPSession, Page, sync_playwright

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()  # some scenes render templates in this process

from tests.browser.scenes import SCENES, Scene  # noqa: E402
from tests.browser.stage import Stage, set_stage  # noqa: E402
from tests.support.chromium import launched  # noqa: E402
from tests.support.console import ROOT  # noqa: E402

WIDTHS = {390: 844, 768: 1024, 1280: 800, 1920: 1080}
SCHEMES = ("light", "dark")
PRINTED = ("key-with-history", "keys-team", "exports", "codes")
FOLDER = ROOT / "var/screenshots"
README_PICTURE = ROOT / "docs/images/keys.png"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make screenshots")
    parser.add_argument("only", nargs="*", help="names of scenes; all if none is given")
    only: list[str] = parser.parse_args().only
    scenes = [scene for scene in SCENES if not only or scene.name in only]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with stage_set() as stage:
        for scene in scenes:
            with stage.page_of(scene.member, java_script_enabled=scene.has_scripts) as page:
                scene.play(stage, page)
                take_all(page, scene)
        if not only:
            take_readme_picture(stage)
            take_prints(stage)
    write_index(scenes)


@contextmanager
def stage_set() -> Iterator[Stage]:
    with (
        tempfile.TemporaryDirectory(prefix="estuary-admin-pictures-") as data_dir,
        sync_playwright() as playwright,
    ):
        browser = launched(playwright)
        with set_stage(browser, Path(data_dir)) as stage:
            yield stage
        browser.close()


def take_all(page: Page, scene: Scene) -> None:
    session = page.context.new_cdp_session(page)
    for width, height in WIDTHS.items():
        for scheme in SCHEMES:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            resize(page, session, width, height)
            if not page.locator("dialog[open]").count():
                # Playwright's full-page screenshots lose touch emulation.
                resize(page, session, width, max(height, whole_height(page)))
            page.screenshot(path=FOLDER / picture(scene, width, scheme))
    resize(page, session, 1280, 800)
    page.emulate_media(color_scheme="light")


def resize(page: Page, session: CDPSession, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": width < 600})


def whole_height(page: Page) -> int:
    height: int = page.evaluate("document.documentElement.scrollHeight")
    return height


def picture(scene: Scene, width: int, scheme: str) -> str:
    return f"{scene.name}-{width}-{scheme}.png"


def take_readme_picture(stage: Stage) -> None:
    README_PICTURE.parent.mkdir(exist_ok=True)
    with stage.page_of("team", viewport={"width": 1280, "height": 960}) as page:
        page.goto("/keys/")
        page.screenshot(path=README_PICTURE)


def take_prints(stage: Stage) -> None:
    """Printed pages: a key with a history, the list, the exports."""
    for scene in SCENES:
        if scene.name in PRINTED:
            with stage.page_of(scene.member) as page:
                scene.play(stage, page)
                page.pdf(path=FOLDER / f"{scene.name}.pdf", prefer_css_page_size=True)


def write_index(scenes: list[Scene]) -> None:
    rows = "".join(
        f"<h2>{html.escape(scene.name)}</h2><p>"
        + "".join(
            f'<a href="{name}"><img src="{name}" height="320" loading="lazy" alt="{name}"></a> '
            for width in WIDTHS
            for scheme in SCHEMES
            for name in [picture(scene, width, scheme)]
        )
        + "</p>"
        for scene in scenes
    )
    page = f'<!doctype html><meta charset="utf-8"><title>Estuary Admin, all pages</title>{rows}'
    (FOLDER / "index.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
