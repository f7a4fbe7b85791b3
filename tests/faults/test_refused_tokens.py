"""A connected token that Estuary refuses: every page says so, with a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import Key
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.faults.matrix import Visit
from tests.keys.api_keys.test_key_create import form_of
from tests.keys.evidence import checked, words_of
from tests.keys.sandbox.clock import Clock
from tests.security.spellings import assert_holds_none

GENERATIONS = ["current", "legacy", "vintage"]
SENTENCES = {
    "revoked": "Estuary does not know this key",
    "expired": "This key has expired",
    "upload-only": "This key is upload only",
}
VAGUE = "the key is upload only, or its account may not do it"  # a vintage node gives no reason


class Estate:
    """A node of some generation, and a member whose token it used to accept."""

    def __init__(self, node: Sandbox, clock: Clock, member: User, generation: str) -> None:
        self.node = node
        self.generation = generation
        self.clock = clock
        self.account = node.add_user("alice", contents=3)
        self.token = node.add_key(self.account, label="console")
        self.other = node.add_key(self.account, label="backup")
        self.tokens = [self.token, self.other]
        connect(member, self.token)
        self.browser = signed_in(member)

    @property
    def key(self) -> Key:
        return self.node.state.keys[self.token]

    def sentence(self, how: str) -> str:
        is_vague = how == "upload-only" and self.generation == "vintage"
        return VAGUE if is_vague else SENTENCES[how]

    def spoil(self, how: str) -> None:
        if how == "revoked":
            self.node.remove_key(self.token)
        elif how == "expired":
            self.key.expiry = self.clock.nanoseconds() - 10**9
        else:
            self.key.upload_only = True
        self.clock.move(11)  # so long a current node believes what it knew


@pytest.fixture(params=GENERATIONS)
def estate(request: Any, alice: User, settings: Any) -> Iterator[Estate]:
    clock = Clock()
    with Sandbox(
        generation=request.param, rate_limit=None, clock=clock.seconds, wall=clock.nanoseconds
    ) as node:
        settings.ESTUARY_API_URL = urlsplit(node.url)
        yield Estate(node, clock, alice, request.param)


def asks_of(estate: Estate) -> dict[str, Callable[[Client, dict[str, str]], Any]]:
    """What a member may do, by name; it takes the headers of a page or of a part."""
    filled = form_of(estate.browser)
    revoke = f"/keys/{hash_of(estate.other)}/revoke/"
    return {
        "list": lambda browser, headers: browser.get("/keys/", headers=headers),
        "ask to revoke": lambda browser, headers: browser.get(revoke, headers=headers),
        "create": lambda browser, headers: browser.post("/keys/new/", filled, headers=headers),
        "revoke": lambda browser, headers: browser.post(revoke, headers=headers),
        "revoke expired": lambda browser, headers: browser.post(
            "/keys/revoke-expired/", headers=headers
        ),
        "stats": lambda browser, headers: browser.get("/stats/", headers=headers),
        "export": lambda browser, headers: browser.post("/exports/download/", headers=headers),
    }


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
@pytest.mark.parametrize("how", SENTENCES)
def test_every_page_says_what_is_wrong_with_the_token(
    estate: Estate, how: str, headers: dict[str, str]
) -> None:
    asks = asks_of(estate)
    estate.spoil(how)
    keys_before = set(estate.node.state.keys)

    for name, ask in asks.items():
        seen = Visit(ask(estate.browser, headers), 0, estate.tokens)

        assert estate.sentence(how) in seen.words, name
        assert seen.response.status_code == (200 if headers or name == "create" else 502), name
        seen.assert_told()
        if name != "create":
            assert 'href="/account/token/"' in seen.response.content.decode(), name
        if headers and name != "create":
            assert seen.response["HX-Retarget"] == "#notices", name
    assert set(estate.node.state.keys) == keys_before


@pytest.mark.parametrize("how", SENTENCES)
def test_the_last_known_list_is_not_shown_to_a_refused_token(estate: Estate, how: str) -> None:
    estate.browser.get("/keys/")
    estate.browser.get("/stats/")
    estate.spoil(how)

    for path in ("/keys/", "/stats/"):
        found = checked(estate.browser, path)
        next_page = estate.browser.get(path)

        assert next_page.status_code == 502
        for response in (found, next_page):
            assert estate.sentence(how) in words_of(response)
            assert "You see what Estuary last told us" not in words_of(response)
            assert estate.other not in response.content.decode()


def test_connecting_another_key_works(estate: Estate) -> None:
    estate.spoil("revoked")
    estate.browser.get("/keys/")
    fresh = estate.node.add_key(estate.account, lifetime=timedelta(days=1))

    response = estate.browser.post("/account/token/", {"token": fresh}, follow=True)

    assert response.status_code == 200
    assert "Connected with key" in words_of(response)
    assert_holds_none(response.content.decode(), [*estate.tokens, fresh])
