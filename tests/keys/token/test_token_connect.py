"""Connecting a token: checked first, then sealed; on an error nothing is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.actors import Actor
from keys.audit.vocabulary import Action
from keys.models import StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token.stored_tokens import connect_token
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import asked, audited, last_row, words_of

URL = "/account/token/"


def test_the_page_says_what_happens_with_the_token(alice: User, node: Sandbox) -> None:
    response = signed_in(alice).get(URL)

    assert "Connect your Estuary key" in words_of(response)
    assert "sealed (encrypted)" in words_of(response)
    assert node.requests == []


def test_a_good_token_is_checked_sealed_and_kept(alice: User, node: Sandbox, token: str) -> None:
    client = signed_in(alice)

    response = client.post(URL, {"token": token}, follow=True)

    stored = StoredToken.objects.get()
    assert response.redirect_chain == [("/keys/", 302)]
    assert f"Connected with key {hash_of(token)[:8]}." in words_of(response)
    assert asked(node)[0] == "GET /user/stats"
    assert stored.member == alice
    assert token not in stored.sealed
    assert token not in response.content.decode()
    assert last_row(Action.TOKEN_CONNECTED).fingerprint == hash_of(token)[:8]
    assert audited() == [("token:connected", "done")]


def test_text_around_the_token_is_removed(alice: User, token: str) -> None:
    signed_in(alice).post(URL, {"token": f' "Bearer {token}" \n'})

    assert StoredToken.objects.get().token_hash == hash_of(token)


def test_htmx_is_redirected(alice: User, token: str) -> None:
    response = signed_in(alice).post(URL, {"token": token}, headers=HTMX)

    assert response["HX-Redirect"] == "/keys/"


@pytest.mark.parametrize(
    ("fault", "sentence", "outcome"),
    [
        ("401-unknown", "Estuary does not know this key", "refused"),
        ("401-expired", "This key has expired", "refused"),
        ("403-upload", "This key is upload only", "refused"),
        ("500", "Estuary failed while working on this", "failed"),
        ("429", "Estuary is busy", "failed"),
        ("reset-before", "The connection to Estuary broke off", "failed"),
        ("never", "Estuary did not answer in time", "failed"),
        ("html", "Something answered at Estuary's address, but not as Estuary does", "failed"),
        ("object", "does not hold what it should", "failed"),
        ("redirect", "Estuary's address points elsewhere", "failed"),
    ],
)
def test_each_error_has_its_sentence_and_nothing_is_stored(
    alice: User, node: Sandbox, token: str, settings: Any, fault: str, sentence: str, outcome: str
) -> None:
    settings.ESTUARY_TIMEOUT = 0.5 if fault == "never" else 10
    node.set_fault("stats", Fault(fault))

    response = signed_in(alice).post(URL, {"token": token})

    assert response.status_code == 200
    assert sentence in words_of(response)
    assert "Nothing was stored." in words_of(response)
    assert token not in response.content.decode()
    assert not StoredToken.objects.exists()
    assert audited() == [("token:connected", outcome)]


def test_an_unknown_token(alice: User, node: Sandbox) -> None:
    unknown = "EST11111111-1111-4111-8111-111111111111ARY"

    response = signed_in(alice).post(URL, {"token": unknown})

    assert "Estuary does not know this key" in words_of(response)
    assert not StoredToken.objects.exists()


def test_an_expired_token(alice: User, node: Sandbox, account: Account) -> None:
    expired = node.add_key(account, lifetime=timedelta(seconds=-1))

    response = signed_in(alice).post(URL, {"token": expired})

    assert "This key has expired" in words_of(response)
    assert not StoredToken.objects.exists()


@pytest.mark.parametrize("generation", ["current", "legacy", "vintage"])
def test_an_upload_only_token_at_every_generation_of_nodes(
    alice: User, settings: Any, generation: str
) -> None:
    with Sandbox(generation=generation) as old:
        settings.ESTUARY_API_URL = urlsplit(old.url)
        upload = old.add_key(old.add_user("alice"), permission="upload")
        response = signed_in(alice).post(URL, {"token": upload})

    assert "upload" in words_of(response).partition("Nothing was stored")[0]
    assert "Nothing was stored" in words_of(response)
    assert not StoredToken.objects.exists()


def test_estuary_switched_off(alice: User, node: Sandbox, token: str) -> None:
    node.stop()

    response = signed_in(alice).post(URL, {"token": token})

    assert "Estuary could not be reached" in words_of(response)
    assert not StoredToken.objects.exists()


@pytest.mark.parametrize("pasted", ["", "   ", "hello", "EST-cut-off"])
def test_a_malformed_token_never_leaves_the_console(
    alice: User, node: Sandbox, pasted: str
) -> None:
    response = signed_in(alice).post(URL, {"token": pasted})

    told = {"This is not the token of a key", "Paste the token of one of your Estuary keys."}
    page = words_of(response)
    assert [page.count(sentence) for sentence in sorted(told)] in ([1, 0], [0, 1])  # said once
    assert node.requests == []
    assert audited() == []


def test_replacing_keeps_the_former_until_the_new_one_is_checked(
    browser: Client, alice: User, node: Sandbox, account: Account, token: str
) -> None:
    assert "Replace the connected key" in words_of(browser.get(URL))

    browser.post(URL, {"token": "EST11111111-1111-4111-8111-111111111111ARY"})
    assert StoredToken.objects.get().token_hash == hash_of(token)

    other = node.add_key(account, label="other")
    browser.post(URL, {"token": other})
    assert StoredToken.objects.get().token_hash == hash_of(other)
    assert token in node.state.keys  # replacing revokes nothing


def test_replacing_discards_the_list_of_the_former(browser: Client, node: Sandbox) -> None:
    browser.get("/keys/")
    stranger = node.add_key(node.add_user("other"), label="of another account")

    browser.post(URL, {"token": stranger})

    page = words_of(browser.get("/keys/?sort=label"))
    assert "of another account" in page
    assert "console" not in page.split("Used by this console")[0].split("Status")[-1]


def test_a_member_connects_only_for_themselves(
    alice: User, carol: User, node: Sandbox, token: str
) -> None:
    connect(carol, node.add_key(node.add_user("carol")))

    signed_in(alice).post(URL, {"token": token, "member": carol.pk})

    assert StoredToken.objects.get(member=carol).token_hash != hash_of(token)


def test_the_node_may_be_told_the_members_address(
    alice: User, node: Sandbox, token: str, settings: Any
) -> None:
    client = signed_in(alice)
    client.post(URL, {"token": token}, REMOTE_ADDR="198.51.100.7")
    assert "x-forwarded-for" not in node.requests[-1].headers

    settings.ESTUARY_FORWARD_CLIENT_IP = True
    client.post(URL, {"token": token}, REMOTE_ADDR="198.51.100.7")

    assert node.requests[-1].headers["x-forwarded-for"] == "198.51.100.7"


def test_connecting_needs_a_member(node: Sandbox, token: str) -> None:
    with pytest.raises(RuntimeError, match="needs a signed-in member"):
        connect_token(Actor(None, "", ""), token)
    assert node.requests == []
