"""Faults during htmx requests, and redirects to other hosts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX, signed_in
from tests.faults.matrix import TYPICAL, post, visit
from tests.keys.api_keys.test_key_create import URL, form_of
from tests.keys.evidence import words_of
from tests.security.spellings import assert_holds_none


@pytest.fixture
def elsewhere() -> Iterator[Sandbox]:
    """Another host, to which a redirect leads."""
    with Sandbox(rate_limit=None) as other:
        yield other


@pytest.mark.parametrize("fault", TYPICAL)
def test_connecting_as_a_part_shows_the_form_again(
    alice: User, node: Sandbox, token: str, settings: Any, fault: str
) -> None:
    browser, form = signed_in(alice), {"token": token}

    seen = visit(
        settings, node, "stats", fault, lambda: browser.post("/account/token/", form, headers=HTMX)
    )

    seen.assert_told()
    assert seen.response.status_code == 200
    assert seen.response.content.decode().lstrip().startswith('<section id="token-connect"')
    assert "Nothing was stored." in seen.words


@pytest.mark.parametrize("fault", TYPICAL)
def test_revoking_as_a_part_leads_to_the_page_with_the_result(
    browser: Client, node: Sandbox, account: Account, settings: Any, fault: str
) -> None:
    token = node.add_key(account, label="doomed")
    browser.get("/keys/")
    path = f"/keys/{hash_of(token)}/revoke/"

    seen = visit(settings, node, "revoke", fault, lambda: browser.post(path, headers=HTMX))

    assert seen.response.status_code == 200
    assert_holds_none(str(seen.response.headers), [token, *node.state.keys])
    if "HX-Redirect" not in seen.response:
        assert seen.response["HX-Retarget"] == "#notices"
        seen.assert_told()
        assert token in node.state.keys
        return
    page = words_of(browser.get(seen.response["HX-Redirect"]))
    assert ("Revoked “doomed”" in page) == (token not in node.state.keys)
    assert ("“doomed” is not revoked" in page) == (token in node.state.keys)


@pytest.mark.parametrize("fault", TYPICAL)
@pytest.mark.parametrize("path", ["/stats/", "/keys/"])
def test_a_refresh_as_a_part_keeps_the_last_known_data(
    browser: Client, node: Sandbox, settings: Any, path: str, fault: str
) -> None:
    browser.get(path)
    refresh = f"{path}?fresh=1"

    seen = visit(settings, node, "any", fault, lambda: browser.get(refresh, headers=HTMX))

    seen.assert_told()
    assert seen.response.status_code == 200
    about_the_token = fault.endswith(" token")
    assert ("HX-Retarget" in seen.response) == about_the_token
    assert ("You see what Estuary last told us" in seen.words) != about_the_token


@pytest.mark.parametrize("endpoint", ["list", "create", "revoke", "stats", "export", "any"])
def test_no_request_follows_a_redirect_to_another_host(
    browser: Client,
    node: Sandbox,
    account: Account,
    token: str,
    elsewhere: Sandbox,
    settings: Any,
    endpoint: str,
) -> None:
    doomed = node.add_key(account, label="doomed")
    filled = form_of(browser)
    for request in (
        lambda: browser.get("/keys/"),
        lambda: browser.get("/stats/"),
        lambda: browser.get("/account/"),
        lambda: browser.post(URL, filled),
        post(browser, f"/keys/{hash_of(doomed)}/revoke/", {}),
        post(browser, "/account/token/", {"token": token}),
        lambda: browser.post("/exports/download/"),
    ):
        seen = visit(settings, node, endpoint, "redirect", request, f"{elsewhere.url}/{token}")

        assert seen.response.status_code in {200, 502}
        if seen.response.streaming:
            b"".join(seen.response.streaming_content)
    assert elsewhere.requests == []
