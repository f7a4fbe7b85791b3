"""Add and remove second factors, and how they are stored."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from estuary_admin.security import factor_views
from estuary_admin.security.factors import locked_factors, reseal_factors
from estuary_admin.security.mfa_adapter import FactorAdapter
from keys.audit.vocabulary import Action
from tests.conftest import signed_in
from tests.estuary_admin.security.conftest import PAGE, SECRET, code_of, recovery_codes_of
from tests.keys.evidence import audited, last_row, words_of

ADD, REMOVE = f"{PAGE}app/add/", f"{PAGE}app/remove/"
CODES, NEW_CODES = f"{PAGE}codes/", f"{PAGE}codes/new/"
OTHER = base64.b64encode(b"o" * 32).decode()


def key_on(page: Any) -> str:
    found = re.search(r'<code class="setup-key">([A-Z2-7 ]+)</code>', page.content.decode())
    assert found
    return found[1].replace(" ", "")


def add_app(client: Client) -> tuple[Any, str]:
    secret = key_on(client.get(ADD))
    return client.post(ADD, {"code": code_of(secret)}), secret


def test_an_app_is_added_and_recovery_codes_come_with_it(
    alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    client = signed_in(alice)

    with django_capture_on_commit_callbacks(execute=True):
        response, _ = add_app(client)

    assert response["Location"] == CODES
    page = words_of(client.get(CODES))
    assert all(code in page for code in recovery_codes_of(alice))
    added = [("factor:added", "done")] * 2
    shown = [("factor:codes-shown", "done")]
    assert audited() == [("member:proof-given", "done"), *added, *shown]
    assert last_row(Action.FACTOR_ADDED).actor == alice
    assert "Remove the app" in words_of(client.get(PAGE))


def test_the_secret_is_shown_as_inline_qr_code_and_as_text(alice: User) -> None:
    page = signed_in(alice).get(ADD).content.decode()

    assert '<div class="qr-code" role="img"' in page
    assert "<svg" in page
    assert "data:" not in page
    assert " style=" not in page


def test_a_wrong_code_adds_no_app_and_keeps_the_same_secret(alice: User) -> None:
    client = signed_in(alice)
    secret = key_on(client.get(ADD))

    page = client.post(ADD, {"code": "000000"})

    assert "This code is not valid" in words_of(page)
    assert key_on(page) == secret
    assert not Authenticator.objects.exists()
    assert client.post(ADD, {"code": code_of(secret)}).status_code == 302


def test_trying_codes_for_a_new_app_is_throttled(alice: User) -> None:
    client = signed_in(alice)
    secret = key_on(client.get(ADD))
    for _ in range(5):
        client.post(ADD, {"code": "000000"})

    client.post(ADD, {"code": code_of(secret)})

    assert not Authenticator.objects.exists()


def test_an_estuary_key_pasted_as_code_is_not_sent_back(alice: User, token: str) -> None:
    client = signed_in(alice)
    client.get(ADD)

    page = client.post(ADD, {"code": token})

    assert token not in page.content.decode()
    assert "does not belong here" in words_of(page)


@pytest.mark.parametrize("path", [PAGE, ADD, REMOVE, CODES, NEW_CODES, f"{PAGE}passkeys/add/"])
def test_no_cache_keeps_these_pages(alice: User, app: Authenticator, path: str) -> None:
    assert signed_in(alice).get(path)["Cache-Control"] == "no-store"


@pytest.mark.django_db(transaction=True)
def test_secrets_are_sealed_in_database_and_session(alice: User) -> None:
    client = signed_in(alice)
    client.get(ADD)
    pending = str([one.get_decoded() for one in Session.objects.all()])
    _, secret = add_app(client)

    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        kept = str(cursor.fetchall())
    assert secret not in pending + kept
    assert len(re.findall(r"v1\.[0-9a-f]{8}\.", kept)) == 2
    for code in recovery_codes_of(alice):
        assert code not in kept


def test_removing_the_app_removes_the_recovery_codes(alice: User, app: Authenticator) -> None:
    client = signed_in(alice)
    assert client.get(REMOVE).status_code == 200

    response = client.post(REMOVE, follow=True)

    assert "The authenticator app is removed" in words_of(response)
    assert not Authenticator.objects.exists()
    assert last_row(Action.FACTOR_REMOVED).actor == alice


def test_new_recovery_codes_replace_the_previous_ones(
    alice: User, app: Authenticator, django_capture_on_commit_callbacks: Any
) -> None:
    client, before = signed_in(alice), recovery_codes_of(alice)

    with django_capture_on_commit_callbacks(execute=True):
        page = client.post(NEW_CODES, follow=True)

    after = recovery_codes_of(alice)
    assert not set(before) & set(after)
    assert all(code in words_of(page) for code in after)
    assert ("factor:codes-made", "done") in audited()


def test_recovery_codes_need_another_factor(alice: User) -> None:
    client = signed_in(alice)

    page = client.post(NEW_CODES)

    assert "Add an app or a passkey first" in words_of(page)
    assert client.get(CODES).status_code == 404


def test_a_member_cannot_change_the_passkeys_of_another(alice: User, carol: User) -> None:
    hers = Authenticator.objects.create(
        user=carol, type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop", "credential": {}}
    )
    client = signed_in(alice)

    for act in ("remove", "rename"):
        assert client.get(f"{PAGE}passkeys/{hers.pk}/{act}/").status_code == 404
        assert client.post(f"{PAGE}passkeys/{hers.pk}/{act}/", {"name": "x"}).status_code == 404
    assert Authenticator.objects.get(pk=hers.pk).data["name"] == "Laptop"


@pytest.mark.parametrize("name", ["\u2800", "\u3164", "\u200b", "\ufe0f"])
def test_a_passkey_has_a_name_that_shows_something(alice: User, name: str) -> None:
    data = {"name": "Laptop", "credential": {}}
    own = Authenticator.objects.create(user=alice, type=Authenticator.Type.WEBAUTHN, data=data)

    page = signed_in(alice).post(f"{PAGE}passkeys/{own.pk}/rename/", {"name": name})

    assert "This name has no visible character." in words_of(page)
    assert Authenticator.objects.get(pk=own.pk).data["name"] == "Laptop"


@pytest.mark.parametrize("answer", ["", "x", "[]", "{}", '{"id": 1}', '{"response": []}', "null"])
def test_a_malformed_answer_adds_no_passkey(alice: User, answer: str) -> None:
    client = signed_in(alice)
    options = re.search(
        r'data-options="([^"]+)"', client.get(f"{PAGE}passkeys/add/").content.decode()
    )
    assert options
    assert json.loads(options[1].replace("&quot;", '"'))["publicKey"]["rp"]["id"] == "localhost"

    response = client.post(f"{PAGE}passkeys/add/", {"name": "Laptop", "credential": answer})

    assert response.status_code == 200
    assert not Authenticator.objects.exists()


def test_resealing_moves_the_factors_to_the_newest_key(
    alice: User, app: Authenticator, settings: Any
) -> None:
    codes, old = recovery_codes_of(alice), settings.TOKEN_SEALING_KEYS
    settings.TOKEN_SEALING_KEYS = [OTHER, *old]
    out = io.StringIO()

    call_command("reseal_tokens", stdout=out)

    assert "Moved 2 second factors to the newest key." in out.getvalue()
    settings.TOKEN_SEALING_KEYS = [OTHER]
    app.refresh_from_db()
    assert FactorAdapter().decrypt(app.data["secret"]) == SECRET
    assert recovery_codes_of(alice) == codes


def test_a_lost_sealing_key_is_reported_and_breaks_no_page(
    alice: User, app: Authenticator, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = [OTHER]
    client, err = signed_in(alice), io.StringIO()

    assert client.get(PAGE).status_code == 200
    assert "can no longer be read" in words_of(client.get(CODES, follow=True))
    with pytest.raises(CommandError, match="Not everything"):
        call_command("reseal_tokens", stdout=io.StringIO(), stderr=err)
    assert "2 second factors cannot be opened" in err.getvalue()


def test_codes_that_cannot_be_read_are_replaced(
    alice: User, app: Authenticator, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = [OTHER]
    client = signed_in(alice)

    assert client.get(NEW_CODES).status_code == 200
    client.post(NEW_CODES)

    assert "can no longer be read" not in words_of(client.get(CODES, follow=True))


def test_secrets_under_the_newest_key_are_not_sealed_again(alice: User, app: Authenticator) -> None:
    before = app.data["secret"]

    assert reseal_factors() == (0, 0)

    app.refresh_from_db()
    assert app.data["secret"] == before


def test_an_app_that_another_tab_has_added_meanwhile_stays(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(alice)
    secret = key_on(client.get(ADD))

    def added_meanwhile(member: User) -> Any:
        TOTP.activate(alice, SECRET)
        return locked_factors(member)

    monkeypatch.setattr(factor_views, "locked_factors", added_meanwhile)

    response = client.post(ADD, {"code": code_of(secret)})

    assert response["Location"] == PAGE
    app = Authenticator.objects.get(user=alice, type=Authenticator.Type.TOTP)
    assert FactorAdapter().decrypt(app.data["secret"]) == SECRET
