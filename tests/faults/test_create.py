"""Creating under every fault: at most one key, and true statements about it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.conftest import HTMX
from tests.faults.matrix import ALL, TYPICAL, Visit, visit
from tests.keys.api_keys.test_key_create import URL, form_of

LOST = "The key was created, but its token was lost"
NOT_CREATED = ("No key was created", "The key was not created")
UNKNOWN = "We do not know whether the key was created"


def made(account: Account) -> list[str]:
    return [key.label for key in account.keys.values() if key.label == "backup"]


def assert_true(seen: Visit, account: Account) -> None:
    """The page claims what the node knows."""
    claims = [LOST in seen.words, any(said in seen.words for said in NOT_CREATED)]
    assert claims.count(True) + (UNKNOWN in seen.words) == 1, seen.words
    if claims[0]:
        assert made(account) == ["backup"]
    if claims[1]:
        assert made(account) == []


@pytest.mark.parametrize(
    ("fault", "as_part"), [(fault, False) for fault in ALL] + [(fault, True) for fault in TYPICAL]
)
def test_at_most_one_key_is_made_and_the_page_is_right_about_it(
    browser: Client, node: Sandbox, account: Account, settings: Any, fault: str, as_part: bool
) -> None:
    filled = form_of(browser)
    headers = HTMX if as_part else {}

    seen = visit(
        settings, node, "create", fault, lambda: browser.post(URL, filled, headers=headers)
    )

    assert seen.response.status_code == 200
    seen.assert_told()
    assert_true(seen, account)
    posts = [request for request in node.requests if request.method == "POST"]
    assert len(posts) <= 1


@pytest.mark.parametrize("fault", ["refused", "404", "429", "upload-only token"])
def test_the_form_keeps_its_values_when_no_key_was_made(
    browser: Client, node: Sandbox, settings: Any, fault: str
) -> None:
    filled = form_of(browser, lifetime="90d")

    seen = visit(settings, node, "create", fault, lambda: browser.post(URL, filled))

    page = seen.response.content.decode()
    assert 'value="backup"' in page
    assert "Create key" in page


@pytest.mark.parametrize("fault", ["reset after the work", "500 after the work"])
def test_a_key_whose_answer_was_lost_is_found_and_told(
    browser: Client, node: Sandbox, account: Account, settings: Any, fault: str
) -> None:
    filled = form_of(browser)

    seen = visit(settings, node, "create", fault, lambda: browser.post(URL, filled))

    assert LOST in seen.words
    assert "Revoke key" in seen.words
    again = browser.post(URL, filled)
    assert made(account) == ["backup"]
    assert "Revoke key" in again.content.decode()


def test_a_node_that_lies_about_creating_is_believed_only_until_the_next_list(
    browser: Client, node: Sandbox, account: Account
) -> None:
    node.set_fault("create", Fault("silent-ok"))
    browser.post(URL, form_of(browser))
    node.clear_faults()

    assert "backup" not in browser.get("/keys/").content.decode()
