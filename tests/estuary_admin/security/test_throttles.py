"""Stopped attempts get a page and one audit row a minute, and a full disk is not blamed on them."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from keys.audit.vocabulary import Action
from keys.models import AuditEntry
from tests.conftest import PASSWORD, signed_in
from tests.estuary_admin.security.conftest import CODE, LOGIN, PAGE, prove, type_password
from tests.estuary_admin.security.software_passkey import JSON, PASSKEY_SIGN_IN, add_passkey
from tests.keys.evidence import last_row, words_of

CHANGE = "/accounts/password/change/"
NEW = "another horse battery"


def throttled_rows() -> list[dict[str, Any]]:
    rows = AuditEntry.objects.filter(action=Action.THROTTLED).order_by("pk")
    return [row.detail for row in rows]


@pytest.mark.django_db
def test_sign_ins_stopped_at_30_a_minute_are_recorded_once_a_minute() -> None:
    for minute in (1, 2):
        for number in range(35):
            page = Client().post(LOGIN, {"login": f"nobody-{number}", "password": ""})
        assert page.status_code == 429
        assert page["Retry-After"] == "60"
        assert throttled_rows() == [{"action": "sign-in"}] * minute
        cache.clear()  # as after a minute


def test_each_address_has_its_own_row(alice: User) -> None:
    for address in ("192.0.2.1", "192.0.2.2"):
        for _ in range(32):
            Client(REMOTE_ADDR=address).post(LOGIN, {"login": "alice", "password": ""})

    rows = AuditEntry.objects.filter(action=Action.THROTTLED).order_by("pk")
    assert [row.address for row in rows] == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.django_db
def test_passkey_sign_ins_stopped_are_recorded() -> None:
    for _ in range(33):
        Client().get(PASSKEY_SIGN_IN, headers=JSON)

    assert throttled_rows() == [{"action": "passkey sign-in"}]


def test_confirmations_stopped_are_recorded(alice: User, clock: Any) -> None:
    client = signed_in(alice)
    clock.shift(16 * 60)
    for _ in range(13):
        page = prove(client, "/keys/new/", way="nothing")

    assert page.status_code == 429
    assert throttled_rows() == [{"action": "confirmation"}]
    assert last_row(Action.THROTTLED).actor == alice


def test_a_wrong_old_password_is_recorded_and_so_are_stopped_attempts(alice: User) -> None:
    client = signed_in(alice)
    for _ in range(7):
        page = client.post(CHANGE, {"oldpassword": "wrong", "password1": NEW, "password2": NEW})

    assert page.status_code == 429
    assert AuditEntry.objects.filter(action=Action.PASSWORD_CHANGE_FAILED, actor=alice).count() == 5
    assert throttled_rows() == [{"action": "password change"}]


def test_stopped_codes_are_recorded_once(alice: User, app: Any) -> None:
    client = Client()
    type_password(client)
    for _ in range(9):
        page = client.post(CODE, {"code": "000000"})

    assert "Too many failed attempts" in words_of(page)
    assert throttled_rows() == [{"action": "code"}]


def test_stopped_codes_of_a_new_app_are_recorded(alice: User) -> None:
    client = signed_in(alice)
    client.get(f"{PAGE}app/add/")
    for _ in range(7):
        client.post(f"{PAGE}app/add/", {"code": "000000"})

    assert throttled_rows() == [{"action": "new app"}]
    assert AuditEntry.objects.filter(action=Action.FACTOR_FAILED).count() == 5


def test_a_renamed_passkey_is_recorded(alice: User) -> None:
    client = signed_in(alice)
    add_passkey(client)
    row = Authenticator.objects.get(user=alice, type=Authenticator.Type.WEBAUTHN)

    client.post(f"{PAGE}passkeys/{row.pk}/rename/", {"name": "Phone"})

    assert last_row(Action.FACTOR_RENAMED).actor == alice
    assert last_row(Action.FACTOR_RENAMED).detail == {"factor": "passkey"}


def test_shown_recovery_codes_are_recorded_once_a_minute(alice: User, app: Any) -> None:
    client = signed_in(alice)
    for minute in (1, 2):
        for _ in range(3):
            client.get(f"{PAGE}codes/")
        rows = AuditEntry.objects.filter(action=Action.RECOVERY_CODES_SHOWN, actor=alice)
        assert rows.count() == minute
        cache.clear()  # as after a minute


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database cache catches the error of a full disk and answers False."""
    for name in ("add", "set"):
        monkeypatch.setattr(cache, name, lambda *_, **__: False)


def test_a_full_disk_is_not_called_too_many_attempts(
    alice: User, app: Any, full_disk: None, clock: Any
) -> None:
    signed = signed_in(alice)
    clock.shift(16 * 60)
    for client, path, filled in (
        (Client(), LOGIN, {"login": "alice", "password": PASSWORD}),
        (signed, "/accounts/reauthenticate/", {"way": "password", "password": PASSWORD}),
        (Client(), PASSKEY_SIGN_IN, {"credential": "{}"}),
    ):
        client.raise_request_exception = False
        page = client.post(path, filled)

        assert page.status_code == 503
        assert "cannot store anything now" in words_of(page)
        assert "Too many" not in words_of(page)
