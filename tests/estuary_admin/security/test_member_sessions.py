"""A member lists and ends their own sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from estuary_admin.security.models import MemberSession
from keys.audit.vocabulary import Action
from tests.conftest import PASSWORD, signed_in
from tests.estuary_admin.security.conftest import row_of, typed_in
from tests.estuary_admin.sso.conftest import Browser, proxied
from tests.keys.evidence import audited, last_row, words_of

__all__ = ["proxied"]

pytestmark = pytest.mark.usefixtures("nothing_seen_yet")

PAGE = "/account/"


def end(client: Client, other: Client) -> Any:
    return client.post(f"/account/sessions/{row_of(other).pk}/end/")


def test_sessions_are_listed_with_browser_address_and_times(alice: User) -> None:
    client = typed_in()
    typed_in("curl/8.5.0", "198.51.100.9")

    page = words_of(client.get(PAGE))

    assert "Firefox on Linux (this one) From 203.0.113.7, signed in" in page
    assert "curl From 198.51.100.9" in page
    assert page.count("(this one)") == 1
    assert page.count("End this session") == 1
    for one in Session.objects.all():
        assert one.session_key not in client.get(PAGE).content.decode()


def test_an_ended_session_is_refused_at_the_next_click(alice: User) -> None:
    client, other, third = typed_in(), typed_in("curl/8"), typed_in()

    response = end(client, other)

    assert response["Location"] == PAGE
    assert "Ended the session of curl." in words_of(client.get(PAGE))
    assert other.get(PAGE)["Location"].startswith("/accounts/login/")
    assert third.get(PAGE).status_code == 200
    assert last_row(Action.SESSION_ENDED).detail == {"device": "curl", "address": "203.0.113.7"}


def test_all_other_sessions_end_at_once(alice: User, carol: User) -> None:
    client, others, hers = typed_in(), [typed_in(), typed_in()], signed_in(carol)

    client.post("/account/sessions/end-others/")

    assert "Ended 2 other sessions." in words_of(client.get(PAGE))
    assert [one.get(PAGE).status_code for one in (*others, hers)] == [302, 302, 200]
    client.post("/account/sessions/end-others/")
    assert "There was no other session." in words_of(client.get(PAGE))
    assert [row for row in audited() if "sessions" in row[0]] == [("member:sessions-ended", "done")]


def test_a_member_cannot_end_the_session_of_another(alice: User, carol: User) -> None:
    client, hers = typed_in(), signed_in(carol)

    assert end(client, hers).status_code == 404

    assert hers.get(PAGE).status_code == 200


def test_the_session_in_use_is_not_ended(alice: User) -> None:
    client = typed_in()

    end(client, client)

    assert "Sign out to end it" in words_of(client.get(PAGE))


def test_signing_out_deletes_the_row(alice: User) -> None:
    client, other = typed_in(), typed_in()

    other.post("/accounts/logout/")

    assert MemberSession.objects.get() == row_of(client)


def test_expired_sessions_are_not_listed(alice: User) -> None:
    client, other = typed_in(), typed_in("curl/8")
    Session.objects.filter(session_key=other.session.session_key).update(
        expire_date=timezone.now() - timedelta(seconds=1)
    )

    assert "curl" not in words_of(client.get(PAGE))
    assert MemberSession.objects.count() == 1


def test_rows_of_expired_sessions_are_deleted(alice: User) -> None:
    with time_machine.travel("2026-11-25 12:00:00+00:00", tick=False) as clock:
        for _ in range(3):
            typed_in()
            clock.shift(13 * 3600)
        typed_in()

    assert MemberSession.objects.count() == 1


def test_a_long_list_says_that_it_is_cut(alice: User) -> None:
    client = typed_in()
    for _ in range(52):
        signed_in(alice)

    page = words_of(client.get(PAGE))

    assert "These are the 50 last seen of 53." in page
    client.post("/account/sessions/end-others/")
    assert "Ended 52 other sessions." in words_of(client.get(PAGE))


def test_a_new_password_ends_all_other_sessions(alice: User) -> None:
    client, other = typed_in(), typed_in("curl/8")
    new = "another horse battery"

    client.post(
        "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new}
    )

    assert other.get(PAGE).status_code == 302
    assert "(this one)" in words_of(client.get(PAGE))
    assert MemberSession.objects.get() == row_of(client)
    assert last_row(Action.PASSWORD_CHANGED).actor == alice


def test_a_session_from_an_older_version_is_listed(alice: User) -> None:
    client = typed_in()
    session = client.session
    del session["member_session"]
    session.save()
    MemberSession.objects.all().delete()

    assert "(this one)" in words_of(client.get(PAGE))


def test_behind_a_proxy_the_page_says_to_sign_out_there(proxied: Any) -> None:
    browser = Browser("alice")

    page = words_of(browser.get(PAGE))

    assert "(this one)" in page
    assert "Single sign-on opens an ended session again" in page
