"""What only WebKit does otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import MEMBER
from tests.engines.webkit import WebKit, webkit
from tests.support.console import PASSWORD, Console

LOOKS = """[...document.querySelectorAll('[type=radio]:not(:checked)')]
  .map((it) => [getComputedStyle(it).appearance, getComputedStyle(it).backgroundColor])"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[WebKit]:
    with webkit(tmp_path, GTK_THEME="Adwaita:dark") as running:
        yield running


def test_radios_are_dark_and_missing_passkeys_are_named(page: WebKit, console: Console) -> None:
    page.go(f"{console.url}/accounts/login/")
    page.click("Use a passkey")
    page.wait_for("document.querySelector('#notices .notice')")
    told = page.run("document.querySelector('#notices').innerText")
    is_secure = page.run("isSecureContext")
    assert is_secure or console.url.startswith("http:")
    assert ("This browser has no passkeys." if is_secure else "Passkeys need https.") in told

    page.write("login", MEMBER)
    page.write("password", PASSWORD)
    page.click("Sign in")
    page.wait_for("location.pathname === '/keys/'")
    page.go(f"{console.url}/keys/new/")
    ground = page.run("getComputedStyle(document.querySelector('[name=label]')).backgroundColor")
    assert ground != "rgb(255, 255, 255)"
    assert {tuple(look) for look in page.run(LOOKS)} == {("none", ground)}
