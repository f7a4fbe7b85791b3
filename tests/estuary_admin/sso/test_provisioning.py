"""Creating the member of a new identity."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from estuary_admin.sso import provisioning
from estuary_admin.sso.backends import ProxyBackend
from estuary_admin.sso.config import Config
from estuary_admin.sso.header_identity import prove
from estuary_admin.sso.identity_values import ProvedIdentity
from estuary_admin.sso.models import Identity
from estuary_admin.sso.refusals import NotAdmitted, Refused
from tests.estuary_admin.sso.conftest import Browser

PROVED = ProvedIdentity("proxy:authelia", "alice", "alice", "", "", None)


def test_two_first_requests_at_once_make_one_identity(
    proxied: Config, rf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Browser("alice").get("/account/")
    monkeypatch.setattr(provisioning, "namesakes_of", lambda _: [])

    assert provisioning.make(rf.get("/"), PROVED, proxied) == Identity.objects.get()


def test_a_name_taken_meanwhile_waits_for_an_admin(
    proxied: Config, rf: Any, monkeypatch: pytest.MonkeyPatch, alice: User
) -> None:
    monkeypatch.setattr(provisioning, "namesakes_of", lambda _: [])

    with pytest.raises(Refused) as refusal:
        provisioning.make(rf.get("/"), PROVED, proxied)

    assert refusal.value.reason is NotAdmitted.PENDING


def test_the_last_visit_is_stored_every_few_minutes(proxied: Config) -> None:
    browser = Browser("alice")
    browser.get("/account/")
    first = Identity.objects.get().last_seen
    browser.get("/account/")
    assert Identity.objects.get().last_seen == first
    Identity.objects.update(last_seen=timezone.now() - timedelta(hours=1))

    browser.get("/account/")

    assert timezone.now() - Identity.objects.get().last_seen < timedelta(minutes=1)
    assert "linked" in str(Identity.objects.get())


def test_the_proxy_backend_accepts_no_password(rf: Any) -> None:
    assert ProxyBackend().authenticate(rf.get("/"), "alice", "x") is None


def test_a_config_without_headers_or_assertions_proves_nobody(proxied: Config) -> None:
    meta = {"REMOTE_ADDR": "10.0.0.5", "HTTP_REMOTE_USER": "alice"}

    with pytest.raises(Refused):
        prove(meta, Config(peers=proxied.peers))


def test_members_without_a_password_are_not_asked_for_one(proxied: Config) -> None:
    browser = Browser("alice")

    assert browser.get("/accounts/password/change/").status_code == 404
    page = browser.get("/accounts/reauthenticate/")
    assert 'type="password"' not in page.content.decode()
