"""axe-core finds no violation in any page, state, width and colour scheme."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page

from tests.browser.axe import Finding, examine
from tests.browser.scenes import SCENES, Scene
from tests.browser.stage import Stage
from tests.support.console import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

#: The layout changes at 640 px, the list also at 896 px; other widths: on the densest pages.
WIDTHS, ALL_WIDTHS = (1280, 390), (1920, 1280, 768, 390)
WIDE_ONES = {"keys-team", "create", "created", "key-with-history", "stats", "account"}
HEIGHT = 1600  # axe cannot judge what is scrolled out of a dialog
HTMX_STOP_POLLING = 286
STOP: dict[str, Any] = {"status": HTMX_STOP_POLLING, "headers": {"HX-Reswap": "none"}}
ROW = re.compile(r"^\| `([\w-]+)` \| `([\w-]+)` \| `([^`]+)` \| ([\w-]+) \| ", re.MULTILINE)


def reviewed() -> dict[Finding, str]:
    """A row of docs/accessibility.md, with a scene that shows it."""
    text = (ROOT / "docs/accessibility.md").read_text(encoding="utf-8")
    return {Finding(*found[:3]): found[3] for found in ROW.findall(text)}


class Look(NamedTuple):
    name: str
    differs_in_colours_only: bool = False  # from the look before it


def looks(page: Page, scene: Scene) -> Iterator[Look]:
    """Show the page in every width and scheme, and once in forced colours."""
    for width in ALL_WIDTHS if scene.name in WIDE_ONES else WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme="light")
        yield Look(f"{width} light")
        page.emulate_media(color_scheme="dark")
        yield Look(f"{width} dark", differs_in_colours_only=True)
    page.emulate_media(forced_colors="active")
    yield Look("forced colours")


def stop_polling(page: Page) -> None:
    """A part that replaces itself while axe reads the page would be reported as out of order."""
    if page.locator("[data-hx-trigger^=every]").count():
        with page.expect_response(lambda answer: answer.status == HTMX_STOP_POLLING):
            page.route("**/*", lambda route: route.fulfill(**STOP))


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_axe_finds_nothing(stage: Stage, scene: Scene) -> None:
    wrong: set[tuple[str, ...]] = set()
    unsure: set[tuple[str, ...]] = set()
    with stage.examined_page_of(scene.member, has_scripts=scene.has_scripts) as page:
        scene.play(stage, page)
        if scene.has_scripts:
            stop_polling(page)
        for look in looks(page, scene):
            violations, in_doubt = examine(page, colours_only=look.differs_in_colours_only)
            wrong |= {(look.name, *finding) for finding in violations}
            unsure |= {(look.name, *finding) for finding in in_doubt - reviewed().keys()}

    assert wrong == set()
    assert unsure == set()


@pytest.mark.parametrize(("finding", "name"), reviewed().items())
def test_axe_still_reports_what_the_page_lists(stage: Stage, finding: Finding, name: str) -> None:
    [scene] = [scene for scene in SCENES if scene.name == name]
    with stage.examined_page_of(scene.member, has_scripts=scene.has_scripts) as page:
        scene.play(stage, page)
        asked = {one for _ in looks(page, scene) for one in examine(page)[1]}

    assert finding in asked


def test_the_list_of_scenes_has_every_page() -> None:
    folder = ROOT / "templates"
    pages = {
        str(path.relative_to(folder).with_suffix(""))
        for path in folder.rglob("*.html")
        if not path.name.startswith(("_", "base"))
    }

    assert pages - {scene.template for scene in SCENES} == set()
    assert {scene.template for scene in SCENES} - pages == set()


def test_scene_names_are_unique() -> None:
    names = [scene.name for scene in SCENES]

    assert len(names) == len(set(names))
    assert all(Path(name).name == name for name in names)
