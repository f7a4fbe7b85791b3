"""Requests at the same moment neither remove the last factor nor use a code twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from estuary_admin.security import factors, mfa_adapter
from estuary_admin.security.factors import Factors, factors_of
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
def both_count_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request waits, after counting the factors, until the other has counted them too."""
    both = threading.Barrier(2)

    def counted(member: User) -> Factors:
        found = factors_of(member)
        try:
            both.wait(0.5)
        except threading.BrokenBarrierError:
            both.reset()
        return found

    for module in (mfa_adapter, factors):
        monkeypatch.setattr(module, "factors_of", counted)


def test_app_and_passkey_removed_at_once_leave_one(
    alice: User, settings: Any, both_count_first: None
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
    alice: User, settings: Any, both_count_first: None
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


def test_a_code_sent_twice_at_once_signs_in_once(alice: User, both_count_first: None) -> None:
    TOTP.activate(alice, SECRET)
    clients = [Client(), Client()]
    for client in clients:
        type_password(client)
    code = code_of()

    at_once(*(lambda c=c: c.post(CODE, {"code": code}) for c in clients))

    assert sorted(is_in(client) for client in clients) == [False, True]
