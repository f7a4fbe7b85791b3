"""Switching a member off ends their sessions for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from estuary_admin.security.models import MemberSession
from tests.conftest import signed_in
from tests.estuary_admin.security.conftest import CODE, code_of, is_in, type_password, typed_in
from tests.estuary_admin.sso.conftest import Browser, proxied

__all__ = ["proxied"]

ACCOUNT = "/account/"


def by_save(member: User) -> None:
    member.is_active = False
    member.save()


def by_save_of_the_field(member: User) -> None:
    member.is_active = False
    member.save(update_fields=["is_active"])


@pytest.mark.parametrize("switch_off", [by_save, by_save_of_the_field])
def test_the_old_cookie_is_refused_after_switching_on_again(
    alice: User, carol: User, switch_off: Callable[[User], None]
) -> None:
    client, forced, other = typed_in(), signed_in(alice), signed_in(carol)
    switch_off(alice)

    assert not MemberSession.objects.filter(member=alice).exists()
    alice.is_active = True
    alice.save()

    assert client.get(ACCOUNT).status_code == 302
    assert forced.get(ACCOUNT).status_code == 302
    assert other.get(ACCOUNT).status_code == 200
    assert Session.objects.count() == 1


def test_a_session_used_meanwhile_ends_also_without_a_signal(alice: User) -> None:
    client = typed_in()
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert client.get(ACCOUNT).status_code == 302
    User.objects.filter(pk=alice.pk).update(is_active=True)

    assert client.get(ACCOUNT).status_code == 302


def test_a_sign_in_begun_before_is_not_completed(alice: User, app: Authenticator) -> None:
    client = Client()
    type_password(client)
    by_save(alice)

    client.post(CODE, {"code": code_of()})

    assert not is_in(client)
    alice.is_active = True
    alice.save()
    assert client.get(ACCOUNT).status_code == 302


def test_a_session_of_single_sign_on_ends_too(proxied: Any) -> None:
    browser = Browser("alice")
    assert browser.get(ACCOUNT).status_code == 200
    member = User.objects.get(username="alice")
    before = browser.session.session_key

    by_save(member)

    assert not Session.objects.filter(session_key=before).exists()
    assert browser.get(ACCOUNT).status_code == 403
