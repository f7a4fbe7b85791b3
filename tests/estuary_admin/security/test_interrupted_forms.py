"""A form sent after the proof expired is filled in again, and its values are never in clear."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from estuary_admin.secrets.sealing import unseal_for
from keys.models import KeyCreation, StoredToken
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.conftest import HTMX, PASSWORD, connect, signed_in
from tests.estuary_admin.security.conftest import PROOF, prove
from tests.estuary_admin.web.test_routes import path_of, routes
from tests.keys.evidence import asked, labels_at, words_of

NEW_KEY = {"label": "nightly", "lifetime": "7d", "custom_lifetime": "", "permission": "all"}


def nonce_on(page: Any) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', page.content.decode())
    assert found
    return found[1]


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_interrupted_form_is_filled_in_again_and_creates_one_key(
    clock: Any, browser: Client, node: Sandbox, headers: dict[str, str]
) -> None:
    nonce = nonce_on(browser.get("/keys/new/", headers=headers))
    clock.shift(16 * 60)
    sent = browser.post("/keys/new/", {**NEW_KEY, "nonce": nonce}, headers=headers)
    assert "POST /user/api-keys" not in asked(node)
    assert sent.content == b""

    page = browser.get(prove(browser, "/keys/new/")["Location"])

    assert "Nothing has been changed yet" in words_of(page)
    assert nonce_on(page) == nonce
    text = page.content.decode()
    assert 'value="nightly"' in text
    for choice in ("7d", "all"):
        assert re.search(rf'value="{choice}"[^>]*checked', text)
    for _ in range(2):
        browser.post("/keys/new/", {**NEW_KEY, "nonce": nonce})
    assert labels_at(node).count("nightly") == 1
    assert KeyCreation.objects.count() == 1
    assert 'value="nightly"' not in browser.get("/keys/new/").content.decode()


def test_an_interrupted_token_is_kept_sealed_and_used_once(
    clock: Any, alice: User, account: Account, token: str, node: Sandbox
) -> None:
    client = signed_in(alice)
    clock.shift(16 * 60)
    response = client.post("/account/token/", {"token": token})
    assert response["Location"] == f"{PROOF}?next=%2Faccount%2Ftoken%2F"
    assert asked(node) == []
    assert token not in str([one.get_decoded() for one in Session.objects.all()])

    page = client.get(prove(client, "/account/token/")["Location"])
    assert "is kept here, sealed" in words_of(page)
    assert token not in page.content.decode()
    response = client.post("/account/token/", {"token": ""})

    assert response["Location"] == "/keys/"
    assert StoredToken.objects.get(member=alice).token_hash
    assert "typed" not in client.session
    assert client.post("/account/token/", {"token": ""}).status_code == 200  # used up


def test_a_newly_pasted_token_replaces_the_kept_one(
    clock: Any, alice: User, account: Account, token: str, node: Sandbox
) -> None:
    client = signed_in(alice)
    clock.shift(16 * 60)
    client.post("/account/token/", {"token": "EST-a-wrong-one-ARY"})
    prove(client, "/account/token/")

    assert client.post("/account/token/", {"token": token})["Location"] == "/keys/"


def test_a_kept_form_is_deleted_after_ten_minutes(clock: Any, alice: User, token: str) -> None:
    client = signed_in(alice)
    clock.shift(16 * 60)
    client.post("/account/token/", {"token": token})
    prove(client, "/account/token/")
    clock.shift(600)

    assert "is kept here" not in words_of(client.get("/account/token/"))
    assert "Paste the token" in words_of(client.post("/account/token/", {"token": ""}))
    assert not StoredToken.objects.exists()
    assert "typed" not in client.session


def test_a_kept_form_opens_only_in_its_own_session(
    clock: Any, alice: User, carol: User, token: str
) -> None:
    client = signed_in(alice)
    clock.shift(16 * 60)
    client.post("/account/token/", {"token": token})
    for member in (alice, carol):
        other = signed_in(member)
        session = other.session
        session["typed"] = client.session["typed"]
        session.save()

        assert "is kept here" not in words_of(other.get("/account/token/"))


def test_a_checked_box_is_kept_until_the_form_is_sent(clock: Any, alice: User, token: str) -> None:
    connect(alice, token)
    client = signed_in(alice)
    clock.shift(16 * 60)
    there = "/account/token/disconnect/"
    client.post(there, {"revoke": "on"})
    assert StoredToken.objects.exists()

    page = client.get(prove(client, there)["Location"]).content.decode()

    assert re.search(r'name="revoke"[^>]*checked', page)
    client.post(there, {})
    assert not StoredToken.objects.exists()
    assert "typed" not in client.session


def test_passwords_are_not_kept(clock: Any, alice: User) -> None:
    client = signed_in(alice)
    clock.shift(16 * 60)
    new = "another horse battery"

    client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )

    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    kept = str(client.session["typed"])
    assert new not in kept
    prove(client, "/accounts/password/change/")
    page = client.get("/accounts/password/change/")
    assert "Nothing has been changed yet" in words_of(page)


KEPT = sorted(
    (str(route.name), field)
    for route in routes()
    for field in getattr(route.callback, "kept_fields", ())
)
TOKEN = "EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY"


def kept_text(client: Client, member: User) -> str:
    """What was sealed of the form."""
    purpose = f"typed:{member.pk}:{client.session.session_key}"
    return unseal_for(purpose, client.session["typed"]["sealed"])


def test_the_fields_that_are_kept_are_known() -> None:
    assert {"key_create", "key_create_many", "key_revoke", "key_rotate", "key_rotation"} < {
        name for name, _ in KEPT
    }
    assert {"team_key_revoke", "team_offboard", "token_disconnect"} < {name for name, _ in KEPT}


@pytest.mark.parametrize(("name", "field"), KEPT)
@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"in a log: {TOKEN}.",
        TOKEN.replace("-", "%2D"),
        f"{TOKEN[:20]}\u200b{TOKEN[20:]}",
        f"{TOKEN[:20]}\n{TOKEN[20:]}",
    ],
    ids=["bare", "in a text", "percent-encoded", "with an invisible character", "wrapped"],
)
def test_a_token_in_a_wrong_field_is_not_kept(
    clock: Any, carol: User, token: str, node: Sandbox, name: str, field: str, text: str
) -> None:
    connect(carol, token)
    client = signed_in(carol)
    [route] = [route for route in routes() if route.name == name]
    clock.shift(16 * 60)

    client.post(path_of(route), {field: text})
    assert kept_text(client, carol) == "{}"
    client.post(path_of(route), {field: "an honest text"})
    assert kept_text(client, carol) == f'{{"{field}": "an honest text"}}'


def test_a_long_list_of_labels_is_kept(clock: Any, browser: Client) -> None:
    labels = "\n".join(f"a label that says a lot, number {number}" for number in range(50))
    clock.shift(16 * 60)
    browser.post("/keys/new/many/", {"labels": labels})

    page = browser.get(prove(browser, "/keys/new/many/")["Location"])

    assert "a label that says a lot, number 49" in page.content.decode()
