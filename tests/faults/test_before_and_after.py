"""Faults of the lists that are fetched before and after a change."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX
from tests.faults.matrix import FAULTS, TIMEOUT, TYPICAL, Visit, visit
from tests.faults.test_create import LOST, UNKNOWN, made
from tests.keys.api_keys.test_key_create import URL, form_of
from tests.keys.evidence import words_of
from tests.security.spellings import assert_holds_none

BOTH = pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
#: Each is typical of several, which differ in the sentence only.
AFTER = ["never answering", "reset before the work", "500", "429", "200 with HTML", "null"]


@BOTH
@pytest.mark.parametrize("fault", TYPICAL)
def test_without_a_list_no_key_is_asked_for_and_the_form_stays(
    browser: Client,
    node: Sandbox,
    account: Account,
    settings: Any,
    fault: str,
    headers: dict[str, str],
) -> None:
    filled = form_of(browser, lifetime="90d")

    seen = visit(settings, node, "list", fault, lambda: browser.post(URL, filled, headers=headers))

    seen.assert_told()
    assert seen.response.status_code == 200
    assert "No key was created." in seen.words
    assert 'value="backup"' in seen.response.content.decode()
    assert [request.method for request in node.requests if request.method != "GET"] == []
    # The form was not used up: sent again, it makes the one key.
    browser.post(URL, filled)
    browser.post(URL, filled)
    assert made(account) == ["backup"]


@pytest.mark.parametrize(("way", "headers"), [("get", {}), ("post", {}), ("post", HTMX)])
@pytest.mark.parametrize("fault", TYPICAL)
def test_without_a_list_nothing_is_revoked(
    browser: Client,
    node: Sandbox,
    account: Account,
    settings: Any,
    fault: str,
    way: str,
    headers: dict[str, str],
) -> None:
    token = node.add_key(account, label="doomed")
    ask = getattr(browser, way)
    path = f"/keys/{hash_of(token)}/revoke/"

    seen = visit(settings, node, "list", fault, lambda: ask(path, headers=headers))

    seen.assert_told()
    assert token in node.state.keys
    assert "DELETE" not in {request.method for request in node.requests}
    if headers:
        assert (seen.response.status_code, seen.response["HX-Retarget"]) == (200, "#notices")
    else:
        assert seen.response.status_code in {429, 502}


@pytest.mark.parametrize("fault", AFTER)
def test_without_a_list_afterwards_nothing_is_claimed_of_a_creation(
    browser: Client, node: Sandbox, account: Account, settings: Any, fault: str
) -> None:
    settings.ESTUARY_TIMEOUT = TIMEOUT
    filled = form_of(browser)
    node.set_fault("create", Fault("reset-after"))
    node.state.on_change = lambda *_: node.set_fault("list", FAULTS[fault](""))

    seen = Visit(browser.post(URL, filled), 0, list(node.state.keys))

    seen.assert_told()
    assert UNKNOWN in seen.words
    node.state.on_change = lambda *_: None
    node.clear_faults()
    again = browser.post(URL, filled)
    assert made(account) == ["backup"]
    assert LOST not in words_of(again)
    assert UNKNOWN in words_of(again)


@BOTH
@pytest.mark.parametrize("fault", AFTER)
def test_without_a_list_afterwards_nothing_is_claimed_of_a_revocation(
    browser: Client,
    node: Sandbox,
    account: Account,
    settings: Any,
    fault: str,
    headers: dict[str, str],
) -> None:
    settings.ESTUARY_TIMEOUT = TIMEOUT
    token = node.add_key(account, label="doomed")
    browser.get("/keys/")
    node.state.on_change = lambda *_: node.set_fault("list", FAULTS[fault](""))

    response = browser.post(f"/keys/{hash_of(token)}/revoke/", headers=headers)

    assert response.status_code == (200 if headers else 302)
    assert response["HX-Redirect" if headers else "Location"] == "/keys/"
    assert token not in node.state.keys
    node.clear_faults()
    page = browser.get("/keys/")
    assert "We do not know whether “doomed” was revoked." in words_of(page)
    assert "Revoked “doomed”" not in words_of(page)
    assert_holds_none(page.content.decode(), [token, *node.state.keys])
