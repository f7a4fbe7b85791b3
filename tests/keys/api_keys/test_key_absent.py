"""A key is reported as gone only when a fresh and complete list does not hold it."""

from __future__ import annotations

import pytest
from django.test import Client

from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.keys.evidence import words_of

PAGES = ["/keys/{}/", "/keys/{}/revoke/"]


@pytest.mark.parametrize("page", PAGES)
def test_a_key_created_elsewhere_since_the_kept_list_is_found(
    browser: Client, node: Sandbox, account: Account, page: str
) -> None:
    browser.get("/keys/")
    token = node.add_key(account, label="made elsewhere")

    response = browser.get(page.format(hash_of(token)))

    assert response.status_code == 200
    assert "made elsewhere" in words_of(response)


@pytest.mark.parametrize("page", PAGES)
def test_a_list_from_before_estuarys_trouble_proves_nothing(
    browser: Client, node: Sandbox, account: Account, page: str
) -> None:
    browser.get("/keys/")
    token = node.add_key(account)
    node.set_fault("list", Fault("500"))

    response = browser.get(page.format(hash_of(token)), follow=True)

    assert response.redirect_chain == [("/keys/", 302)]
    assert "already gone" not in words_of(response)
    assert f"We do not know whether Key {hash_of(token)[:8]} was revoked. Estuary" in words_of(
        response
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_list_with_unreadable_rows_proves_nothing(
    browser: Client, node: Sandbox, account: Account, page: str
) -> None:
    hidden = node.add_key(account)
    node.state.keys[hidden].row = b'{"tokenHash":"x"}'

    response = browser.get(page.format(hash_of(hidden)), follow=True)

    assert response.redirect_chain == [("/keys/", 302)]
    assert "list could not be read whole." in words_of(response)


def test_the_stored_token_is_not_called_revoked_by_a_list_with_unreadable_rows(
    browser: Client, node: Sandbox, account: Account, token: str
) -> None:
    node.add_key(account)
    node.state.keys[token].row = b'{"tokenHash":"x"}'

    page = words_of(browser.get("/account/"))

    assert "it was revoked" not in page
    assert "list could not be read whole." in page
