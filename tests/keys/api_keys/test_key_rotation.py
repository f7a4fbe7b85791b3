"""The page of an overlap: which keys have one, and what it does not end."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.api_keys import rotation_end
from keys.models import KeyCreation, Rotation, StoredToken
from keys.sandbox import Fault, Sandbox
from keys.upstream import hash_of
from tests.conftest import HTMX, connect
from tests.keys.api_keys.test_key_create import token_in
from tests.keys.api_keys.test_key_rotate import rotate
from tests.keys.evidence import asked, labels_at, words_of
from tests.keys.notices.conftest import worker
from tests.keys.token.test_renewal import form_of, make_due

__all__ = ["worker"]

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(autouse=True)
def _time_enough(node: Sandbox, settings: Any) -> None:
    """On a busy machine too, the request does everything itself."""
    settings.ESTUARY_TIMEOUT = 30


def page_of(token: str) -> str:
    return f"/keys/{hash_of(token)}/rotation/"


@pytest.fixture
def connected_again(browser: Client, node: Sandbox, alice: User, token: str) -> str:
    """A key of the console's own that was rotated, and then connected once more."""
    rotate(browser, token, overlap="24h")
    connect(alice, token)
    node.forget_requests()
    return token


@pytest.fixture
def unsettled(browser: Client, node: Sandbox, token: str) -> str:
    """A pasted key; it is not settled yet what becomes of the key that the console made itself."""
    data = form_of(browser, token)
    node.set_fault("create", Fault("reset-after", times=1))
    browser.post("/account/token/", data)
    assert Rotation.objects.get().state == "overlap"
    return token


def test_the_key_that_the_console_works_with_is_not_ended_without_confirmation(
    browser: Client, node: Sandbox, connected_again: str
) -> None:
    before = labels_at(node)

    response = browser.post(page_of(connected_again), {"overlap": "now"}, follow=True)

    assert response.redirect_chain == [(f"/keys/{hash_of(connected_again)}/revoke/", 302)]
    assert "so the key was not ended. Revoke it here" in words_of(response)
    assert labels_at(node) == before
    assert not [one for one in asked(node) if one.startswith("DELETE")]
    assert StoredToken.objects.get().token_hash == hash_of(connected_again)
    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.is_due) == ("overlap", False)


def test_the_pages_say_that_the_consoles_own_key_is_not_ended(
    browser: Client, connected_again: str
) -> None:
    page = browser.get(page_of(connected_again))
    of_key = words_of(browser.get(f"/keys/{hash_of(connected_again)}/"))

    assert "End the old key now" not in page.content.decode()
    assert f'href="/keys/{hash_of(connected_again)}/revoke/"' in page.content.decode()
    assert "This console works with the old one, so it does not end it" in words_of(page)
    assert "This console works with the old key, so it does not end it." in of_key


def test_the_consoles_own_key_can_still_be_rotated_with_an_end_now(
    browser: Client, node: Sandbox, token: str
) -> None:
    new = token_in(rotate(browser, token, overlap="now"))

    assert list(node.state.keys) == [new]
    assert Rotation.objects.get().state == "ended"


def test_a_pasted_key_that_stays_has_no_overlap_to_end(
    browser: Client, node: Sandbox, unsettled: str
) -> None:
    of_key = browser.get(f"/keys/{hash_of(unsettled)}/")
    response = browser.post(page_of(unsettled), {"overlap": "now"}, follow=True)

    assert "The old key stays. It is not settled yet" in words_of(of_key)
    assert "the old key ends" not in words_of(of_key)
    assert page_of(unsettled) not in of_key.content.decode()
    assert "This key is not being replaced." in words_of(response)
    assert unsettled in node.state.keys
    make_due()
    rotation_end.end_due()
    assert labels_at(node) == ["console"]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
@pytest.mark.parametrize("is_pasted", [True, False], ids=["pasted", "being made"])
def test_without_a_new_key_the_page_leads_to_that_of_the_key(
    browser: Client, backup: str, method: str, headers: dict[str, str], is_pasted: bool
) -> None:
    rotate(browser, backup)
    KeyCreation.objects.update(token_hash="", outcome="requested")
    Rotation.objects.update(
        state="overlap" if is_pasted else "requested", keeps_old=is_pasted, due_at=None
    )

    response = getattr(browser, method)(page_of(backup), {"overlap": "7d"}, headers=headers)

    place = response.headers.get("HX-Redirect") or response.headers["Location"]
    assert place == f"/keys/{hash_of(backup)}/"
    sentence = "This key is not being replaced." if is_pasted else "It is not known yet whether"
    assert sentence in words_of(browser.get(place))
