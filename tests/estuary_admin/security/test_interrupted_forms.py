"""A form sent after the proof expired is filled in again, and its values are never in clear."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from estuary_admin.secrets.sealing import unseal_for
from keys.models import KeyCreation, StoredToken
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
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
    assert "Nothing was changed. Fill the form in again." in words_of(page)


KEPT = sorted(
    (str(route.name), field)
    for route in routes()
    for field in getattr(route.callback, "kept_fields", ())
)
TOKEN = "EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY"


def kept_values(client: Client, member: User) -> dict[str, Any]:
    """What was sealed of the form."""
    purpose = f"typed:{member.pk}:{client.session.session_key}"
    found: dict[str, Any] = json.loads(unseal_for(purpose, client.session["typed"]["sealed"]))
    return found


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
    assert not any(kept_values(client, carol).values())
    client.post(path_of(route), {field: "an honest text"})
    assert kept_values(client, carol)[field] in ("an honest text", ["an honest text"])


def test_a_long_list_of_labels_is_kept(clock: Any, browser: Client) -> None:
    labels = "\n".join(f"a label that says a lot, number {number}" for number in range(50))
    clock.shift(16 * 60)
    browser.post("/keys/new/many/", {"labels": labels})

    page = browser.get(prove(browser, "/keys/new/many/")["Location"])

    assert "a label that says a lot, number 49" in page.content.decode()


def boxes_on(page: Any, name: str) -> list[str]:
    """The values of the boxes that are ticked."""
    boxes = re.findall(rf'<input[^>]*name="{name}"[^>]*>', page.content.decode())
    return [re.findall(r'value="([^"]*)"', box)[0] for box in boxes if "checked" in box]


def after_proof(client: Client, clock: Any, there: str, sent: dict[str, Any]) -> Any:
    """The page of a form that was sent too late, after the proof."""
    clock.shift(16 * 60)
    client.post(there, sent)
    page = client.get(prove(client, there)["Location"])
    assert "Nothing has been changed yet: press the button again." in words_of(page)
    return page


@pytest.mark.parametrize("days", [[], ["1"], ["14", "7"]])
def test_reminders_come_back_as_they_were_chosen(
    clock: Any, browser: Client, days: list[str]
) -> None:
    hook = "https://hooks.example.org/x"

    page = after_proof(browser, clock, "/account/reminders/", {"days": days, "webhook_url": hook})

    assert boxes_on(page, "days") == days
    assert f'value="{hook}"' in page.content.decode()
    assert "sealing keys" not in words_of(page)  # nothing is saved that they could not open


def test_a_cleared_webhook_stays_cleared_after_a_proof(clock: Any, browser: Client) -> None:
    saved = {"days": ["7"], "webhook_url": "https://hooks.example.org/x"}
    browser.post("/account/reminders/", saved)

    page = after_proof(
        browser, clock, "/account/reminders/", {"days": ["7"], "webhook_url": ""}
    ).content.decode()

    assert "hooks.example.org" not in page


def test_a_button_pressed_too_late_leaves_the_saved_reminders_in_the_form(
    clock: Any, browser: Client
) -> None:
    browser.post("/account/reminders/", {"days": ["7"], "webhook_url": ""})

    page = after_proof(browser, clock, "/account/reminders/", {"create_feed": "1"})

    assert boxes_on(page, "days") == ["7"]


@pytest.mark.parametrize("sent", [{"is_admin": "on"}, {}])
def test_an_invitation_comes_back_for_an_admin_or_a_member(
    clock: Any, carol: User, sent: dict[str, str]
) -> None:
    client = signed_in(carol)

    page = after_proof(client, clock, "/team/invite/", {"username": "neu", "email": ""} | sent)

    assert 'value="neu"' in page.content.decode()
    assert bool(re.search(r'name="is_admin"[^>]*checked', page.content.decode())) is bool(sent)


def test_the_new_name_of_a_passkey_comes_back(clock: Any, alice: User) -> None:
    row = Authenticator.objects.create(
        user=alice, type=Authenticator.Type.WEBAUTHN, data={"name": "Old phone", "credential": {}}
    )
    path = f"/accounts/security/passkeys/{row.pk}/rename/"

    page = after_proof(signed_in(alice), clock, path, {"name": "Phone"}).content.decode()

    assert 'value="Phone"' in page
    assert "Old phone" not in page


def test_the_days_chosen_for_many_keys_come_back(
    clock: Any, browser: Client, account: Account, token: str
) -> None:
    sent = {"key": [hash_of(token)], "action": "remind"}
    there = re.findall(
        r'action="(/keys/bulk/[^"]+/)"', browser.post("/keys/bulk/", sent).content.decode()
    )[0]

    page = after_proof(browser, clock, there, {"days": ["14"]})

    assert boxes_on(page, "days") == ["14"]


def test_the_chosen_overlap_comes_back(
    clock: Any, browser: Client, account: Account, node: Sandbox
) -> None:
    old = hash_of(node.add_key(account, label="ci"))
    there = f"/keys/{old}/rotate/"
    nonce = nonce_on(browser.get(there))
    browser.post(there, {**NEW_KEY, "nonce": nonce, "overlap": "24h"})
    there = f"/keys/{old}/rotation/"

    page = after_proof(browser, clock, there, {"overlap": "custom", "custom_overlap": "3d"})

    assert boxes_on(page, "overlap") == ["custom"]
    assert 'value="3d"' in page.content.decode()


def test_the_choice_of_an_own_key_is_the_one_that_the_page_shows(
    clock: Any, alice: User, account: Account, token: str, node: Sandbox
) -> None:
    client, there = signed_in(alice), "/account/token/"

    page = after_proof(client, clock, there, {"token": token, "own_key": "on"})

    assert re.search(r'name="own_key"[^>]*checked', page.content.decode())
    client.post(there, {"token": ""})  # with the box cleared
    assert StoredToken.objects.get(member=alice).token_hash == hash_of(token)


def test_a_form_with_a_token_in_a_wrong_field_is_to_be_filled_in_again(
    clock: Any, browser: Client
) -> None:
    clock.shift(16 * 60)
    browser.post("/keys/new/", {**NEW_KEY, "label": TOKEN})

    page = words_of(browser.get(prove(browser, "/keys/new/")["Location"]))

    assert "Nothing was changed. Fill the form in again." in page
    assert "press the button again" not in page
