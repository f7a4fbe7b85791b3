"""Members with an authenticator app, and the codes that it shows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.test import Client

from estuary_admin.security import middleware
from estuary_admin.security.middleware import LastSeen
from estuary_admin.security.models import MemberSession
from tests.conftest import PASSWORD

LOGIN = "/accounts/login/"
CODE = "/accounts/login/code/"
PAGE = "/accounts/security/"
PROOF = "/accounts/reauthenticate/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_of(secret: str = SECRET, ahead: int = 0) -> str:
    """Return the code that an app shows now, or `ahead` half minutes later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + ahead)))


@pytest.fixture
def app(alice: User) -> Authenticator:
    """Alice has an app and recovery codes."""
    RecoveryCodes.activate(alice)
    return TOTP.activate(alice, SECRET).instance


def recovery_codes_of(member: User) -> list[str]:
    row = Authenticator.objects.get(user=member, type=Authenticator.Type.RECOVERY_CODES)
    found: list[str] = row.wrap().get_unused_codes()
    return found


def type_password(client: Client, **more: str) -> Any:
    return client.post(LOGIN, {"login": "alice", "password": PASSWORD, **more})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel("2026-11-25 12:00:00+00:00", tick=False) as traveller:
        yield traveller


def prove(client: Client, there: str, **typed: str) -> Any:
    typed = typed or {"way": "password", "password": PASSWORD}
    return client.post(PROOF, {"next": there, **typed})


@pytest.fixture
def nothing_seen_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "last_seen", LastSeen())


def typed_in(agent: str = FIREFOX, address: str = "203.0.113.7") -> Client:
    """Alice signs in by her password."""
    client = Client(HTTP_USER_AGENT=agent, REMOTE_ADDR=address)
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    return client


def row_of(client: Client) -> MemberSession:
    return MemberSession.objects.get(session_key=client.session.session_key)
