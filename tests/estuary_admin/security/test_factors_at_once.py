"""Requests at the same moment neither remove the last factor nor use a code twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.mfa.base.internal.flows import delete_and_cleanup
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import flows as totp_flows
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal import flows as webauthn_flows
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from estuary_admin.security import factors
from tests.conftest import signed_in
from tests.estuary_admin.security.conftest import (
    CODE,
    PAGE,
    SECRET,
    code_of,
    is_in,
    type_password,
)

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*requests: Callable[[], Any]) -> list[Any]:
    def run(request: Callable[[], Any]) -> Any:
        try:
            return request()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(run, requests))


@pytest.fixture
def both_check_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request checks, then waits with its change until the other has checked too.

    Under the lock, the other checks only after this request, so the wait is bounded.
    """
    arrived: list[int] = []

    def waiting(act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any) -> Any:
            arrived.append(1)
            for _ in range(50):
                if len(arrived) > 1:
                    break
                time.sleep(0.01)
            return act(*args)

        return wrapper

    for module in (totp_flows, webauthn_flows):
        monkeypatch.setattr(module, "delete_and_cleanup", waiting(delete_and_cleanup))
    monkeypatch.setattr(factors, "_use_app_code", waiting(factors._use_app_code))


def test_app_and_passkey_removed_at_once_leave_one(
    alice: User, settings: Any, both_check_first: None
) -> None:
    settings.REQUIRE_MFA = True
    TOTP.activate(alice, SECRET)
    passkey = Authenticator.objects.create(
        user=alice, type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop", "credential": {}}
    )
    clients = [signed_in(alice), signed_in(alice)]
    paths = [f"{PAGE}app/remove/", f"{PAGE}passkeys/{passkey.pk}/remove/"]

    responses = at_once(*(lambda c=c, p=p: c.post(p) for c, p in zip(clients, paths, strict=True)))

    assert {response.status_code for response in responses} == {302}
    assert Authenticator.objects.count() == 1


def test_two_passkeys_removed_at_once_leave_one(
    alice: User, settings: Any, both_check_first: None
) -> None:
    settings.REQUIRE_MFA = True
    passkeys = [
        Authenticator.objects.create(
            user=alice, type=Authenticator.Type.WEBAUTHN, data={"name": name, "credential": {}}
        )
        for name in ("Laptop", "Phone")
    ]
    clients = [signed_in(alice), signed_in(alice)]

    at_once(
        *(
            lambda c=c, k=k: c.post(f"{PAGE}passkeys/{k.pk}/remove/")
            for c, k in zip(clients, passkeys, strict=True)
        )
    )

    assert Authenticator.objects.count() == 1


def test_a_code_sent_twice_at_once_signs_in_once(alice: User, both_check_first: None) -> None:
    TOTP.activate(alice, SECRET)
    clients = [Client(), Client()]
    for client in clients:
        type_password(client)
    code = code_of()

    at_once(*(lambda c=c: c.post(CODE, {"code": code}) for c in clients))

    assert sorted(is_in(client) for client in clients) == [False, True]
