"""A member's daily work in Firefox and WebKit; Chromium has tests/browser."""

from __future__ import annotations

from tests.engines.conftest import MEMBER
from tests.engines.engine import Engine
from tests.support.console import PASSWORD, Console

#: All that a page holds: its HTML with the attributes, and what is in its fields.
EVERYTHING = """document.documentElement.outerHTML
  + [...document.querySelectorAll('input, textarea')].map((field) => field.value)"""


def test_sign_in_filter_create_copy_back_and_sign_out(engine: Engine, console: Console) -> None:
    engine.go(f"{console.url}/accounts/login/")
    engine.write("login", MEMBER)
    engine.write("password", PASSWORD)
    engine.click("Sign in")
    engine.wait_for("location.pathname === '/keys/'")

    engine.write("q", "console")
    engine.wait_for("location.search === '?q=console'")
    engine.wait_for("document.querySelector('#key-list table').textContent.includes('console')")

    token = create(engine, console, "made in a browser")
    engine.click("Copy")
    engine.wait_for("document.body.innerText.match(/Copied|The text is selected/)")
    engine.click("I have saved it")
    engine.wait_for("location.pathname === '/keys/'")
    assert token not in engine.run(EVERYTHING)

    engine.travel(-1)
    engine.wait_for("location.pathname === '/keys/new/' && document.querySelector('h1')")
    assert token not in engine.run(EVERYTHING)
    engine.travel(1)
    engine.wait_for("location.pathname === '/keys/' && document.querySelector('h1')")
    assert token not in engine.run(EVERYTHING)

    engine.run("document.querySelector('details[data-menu]').open = true")
    engine.click("Sign out")
    engine.wait_for("location.pathname === '/accounts/login/'")
    engine.travel(-1)
    engine.wait_for("document.querySelector('[name=password]')?.checkVisibility()")
    assert "made in a browser" not in engine.run(EVERYTHING)


def create(engine: Engine, console: Console, label: str) -> str:
    engine.go(f"{console.url}/keys/new/")
    engine.write("label", label)
    engine.click("Create key")
    engine.wait_for("document.querySelector('[data-secret]')")
    token = list(console.node.state.users[MEMBER].keys)[-1]
    assert token in engine.run(EVERYTHING)
    return token
