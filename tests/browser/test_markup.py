"""Every page and part is valid HTML with unique ids and labelled fields."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.sync_api import Route

from tests.browser.markup import faults_of
from tests.browser.scenes import SCENES, Scene
from tests.browser.stage import Stage

pytestmark = pytest.mark.browser

DOUBLED = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((it) => it.id);
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}"""


SOURCE = "fetch(location.href).then((answer) => answer.text())"


@dataclass
class Answer:
    url: str
    is_part: bool
    html: str


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_answer_is_valid(stage: Stage, scene: Scene) -> None:
    answers: list[Answer] = []

    def note(route: Route) -> None:
        """Read the answer when it arrives: the browser drops it on the next navigation."""
        is_html = route.request.resource_type in {"document", "xhr"}
        if not is_html or route.request.url.endswith("/download/"):
            return route.continue_()
        answer = route.fetch(max_redirects=0)
        if answer.status not in range(300, 400):
            html = answer.text()
            # htmx can also choose a part of a whole page.
            is_part = not html.lstrip().lower().startswith("<!doctype html>")
            answers.append(Answer(answer.url, is_part, html))
        return route.fulfill(response=answer)

    with stage.page_of(scene.member, java_script_enabled=scene.has_scripts) as page:
        page.route("**/*", note)
        scene.play(stage, page)
        doubled = page.evaluate(DOUBLED)

        if not answers:  # rendered by the play itself
            answers.append(Answer(page.url, False, page.evaluate(SOURCE)))
        page.unroute_all(behavior="ignoreErrors")  # an answer may still be on its way

    for answer in answers:
        assert faults_of(answer.html, is_part=answer.is_part) == [], answer.url
    assert doubled == []


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ("<p>one<div></p></div>", "unexpected-end-tag"),
        ("<b><i>crossed</b></i>", "adoption-agency"),
        ('<p id="a"></p><p id="a"></p>', "id a occurs 2 times"),
        ('<input name="q">', "input q has no label"),
        ('<table role="table"></table>', "table repeats its role table"),
        ('<span aria-label="a">b</span>', "span has a name but no role"),
        (
            '<section data-hx-trigger="every 2s"><button>Cancel</button></section>',
            "button Cancel loses the focus with each poll",
        ),
        ("a & b &copy", "named-entity-without-semicolon"),
    ],
)
def test_the_checker_finds_faults(html: str, fault: str) -> None:
    assert any(fault in one for one in faults_of(html, is_part=True))


def test_the_checker_finds_a_reference_to_nothing() -> None:
    html = "<!doctype html><title>T</title><p aria-describedby='hint'>text</p>"

    assert faults_of(html, is_part=False) == ["aria-describedby names hint, which is missing"]


def test_the_checker_finds_an_icon_that_is_missing() -> None:
    html = "<!doctype html><title>T</title><svg><use href='#icon-off'></use></svg>"

    assert faults_of(html, is_part=False) == ["use shows #icon-off, which is missing"]
