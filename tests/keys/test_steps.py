"""What a waiting page may know: the calls that Estuary has answered, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client

from keys.sandbox import Fault, Sandbox
from keys.upstream import hash_of
from tests.conftest import signed_in
from tests.keys.api_keys.test_key_create import URL, form_of, token_in

NAME = "1-22-333-4444"


def told(client: Client, name: str = NAME) -> str:
    return client.get(f"/keys/steps/{name}/").content.decode()


def test_a_creation_tells_which_calls_were_answered(browser: Client) -> None:
    assert told(browser) == ""

    token_in(browser.post(URL, form_of(browser, steps=NAME)))

    assert told(browser) == "list create list"


def test_a_call_that_failed_is_not_told(browser: Client, node: Sandbox) -> None:
    filled = form_of(browser, steps=NAME)
    node.set_fault("create", Fault("500"))

    browser.post(URL, filled)

    assert told(browser).split()[0] == "list"
    assert "create" not in told(browser)


def test_a_revocation_tells_which_calls_were_answered(browser: Client) -> None:
    token_hash = hash_of(token_in(browser.post(URL, form_of(browser))))

    browser.post(f"/keys/{token_hash}/revoke/", {"steps": NAME})

    assert told(browser).endswith("revoke list")


def test_members_see_only_their_own_steps(browser: Client, carol: User) -> None:
    browser.post(URL, form_of(browser, steps=NAME))

    assert told(signed_in(carol)) == ""


@pytest.mark.parametrize(
    "name", ["", "short", "x" * 41, "a b c d e f", "../../etc/passwd", "é" * 9]
)
def test_another_name_is_ignored(browser: Client, name: str) -> None:
    response = browser.post(URL, form_of(browser, steps=name))

    assert token_in(response)


def test_a_full_disk_does_not_stop_the_creation(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("No space left on device")

    filled = form_of(browser, steps=NAME)
    monkeypatch.setattr(caches["key_lists"], "set", refuse)

    assert token_in(browser.post(URL, filled))
