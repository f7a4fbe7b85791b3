"""Invitation and reset links: made by admins, used once by members of local accounts."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from estuary_admin.members import is_admin
from estuary_admin.observability.error_reports import TokenFreeReporter
from estuary_admin.observability.redaction import mask_secrets
from estuary_admin.security import password_links
from estuary_admin.security.models import PasswordLink
from estuary_admin.sso.models import Identity
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, Message
from tests.conftest import PASSWORD, signed_in
from tests.keys.evidence import last_row, words_of

NEW = "a password that nobody guesses"
OVER = "It was used already, has expired, or was never made."


@pytest.fixture
def admin(carol: User) -> Client:
    return signed_in(carol)


def link_in(response: Any) -> str:
    found = re.findall(r"http://[^/]+(/accounts/link/link-[A-Za-z0-9_-]{43}/)", words_of(response))
    assert len(found) == 1, words_of(response)
    return str(found[0])


def invited(admin: Client, name: str = "dora", **data: str) -> str:
    return link_in(admin.post("/team/invite/", {"username": name, **data}))


def send(path: str, password: str = NEW, again: str = "") -> Any:
    data = {"password1": password, "password2": again or password}
    return Client().post(path, data, follow=True)


def can_sign_in(name: str, password: str) -> bool:
    return Client().login(username=name, password=password)


def test_an_invited_member_sets_a_password_and_signs_in(admin: Client) -> None:
    path = invited(admin, email="dora@example.com")
    dora = User.objects.get(username="dora")
    assert not dora.has_usable_password()
    assert "For the member dora" in words_of(Client().get(path))

    response = send(path)

    assert "Your password is set" in words_of(response)
    assert can_sign_in("dora", NEW)
    assert (dora.email, is_admin(dora)) == ("dora@example.com", False)
    row = last_row(Action.MEMBER_INVITED)
    assert (row.actor_name, row.on_behalf_of_name) == ("carol", "dora")
    assert last_row(Action.PASSWORD_SET).actor_name == "dora"


def test_an_admin_can_be_invited(admin: Client) -> None:
    invited(admin, is_admin="on")

    assert is_admin(User.objects.get(username="dora"))
    assert last_row(Action.MEMBER_INVITED).detail["role"] == "admin"


def test_a_link_works_once_and_looking_uses_nothing_up(admin: Client) -> None:
    path = invited(admin)
    for _ in range(2):
        assert Client().get(path).status_code == 200

    send(path)
    again = send(path, "another password for dora")

    assert again.status_code == 404
    assert OVER in words_of(again)
    assert can_sign_in("dora", NEW)


@pytest.mark.parametrize("way", ["used", "expired", "unknown", "replaced", "ended", "disabled"])
def test_a_link_that_is_over_says_nothing_about_accounts(
    admin: Client, alice: User, way: str
) -> None:
    path = link_in(admin.post("/team/alice/link/"))
    if way == "used":
        send(path)
    elif way == "expired":
        PasswordLink.objects.update(expires_at=timezone.now())
    elif way == "unknown":
        path = "/accounts/link/guess/"
    elif way == "replaced":
        admin.post("/team/alice/link/")
    elif way == "ended":
        admin.post("/team/alice/link/", {"end": "1"})
    else:
        alice.is_active = False
        alice.save()
    # As a link that was never made.
    unknown = words_of(Client().get("/accounts/link/link-" + "x" * 43 + "/"))

    for response in (Client().get(path), send(path)):
        assert response.status_code == 404
        assert words_of(response) == unknown
        assert "alice" not in response.content.decode()
    alice.refresh_from_db()
    assert alice.check_password(NEW if way == "used" else PASSWORD)


def test_a_link_lives_48_hours(admin: Client) -> None:
    invited(admin)

    link = PasswordLink.objects.get()
    assert link.expires_at - link.made_at == timedelta(hours=48)


def test_a_reset_ends_the_sessions_and_is_told(admin: Client, alice: User) -> None:
    Client().login(username="alice", password=PASSWORD)
    open_session = Client()
    open_session.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert open_session.get("/account/").status_code == 200

    send(link_in(admin.post("/team/alice/link/")))

    assert open_session.get("/account/").status_code == 302
    assert can_sign_in("alice", NEW)
    assert not can_sign_in("alice", PASSWORD)
    row = last_row(Action.PASSWORD_LINK_MADE)
    assert (row.actor_name, row.on_behalf_of_name) == ("carol", "alice")
    assert row.detail["kind"] == "reset"
    assert "The admin carol made a link" in Message.objects.get(member=alice).text


@pytest.mark.parametrize(
    ("password", "again", "sentence"),
    [
        ("Pw#7Pw#7", "", "at least 12 characters"),
        ("123456789012345", "", "entirely numeric"),
        ("qwerty123456", "", "too common"),
        (NEW, "another one entirely", "The two passwords differ"),
        ("EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY", "", "does not belong here"),
    ],
)
def test_the_rules_for_passwords_apply(
    admin: Client, alice: User, password: str, again: str, sentence: str
) -> None:
    path = link_in(admin.post("/team/alice/link/"))

    response = send(path, password, again)

    assert sentence in words_of(response)
    assert password not in response.content.decode()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert Client().get(path).status_code == 200  # the link is not used up


def test_only_the_hash_is_kept_and_no_log_or_report_has_the_secret(
    admin: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = invited(admin)
    Client().get(path)
    send(path)
    Client().get(path)
    secret = path.split("/")[3]

    assert PasswordLink.objects.count() == 0
    rows = [str(row) for row in AuditEntry.objects.values()]
    assert not any(secret in row for row in rows)
    lines = [record.getMessage() for record in caplog.records]
    assert not any(secret in line for line in lines)
    assert any("/accounts/link/link-…/" in line for line in lines)  # Django names a 404's path
    request = RequestFactory().get(path)
    report = TokenFreeReporter(request, None, None, None)
    assert secret not in report.get_traceback_text()
    assert secret not in report.get_traceback_html()


def test_the_secret_is_not_in_the_database(admin: Client) -> None:
    secret = invited(admin).split("/")[3]

    link = PasswordLink.objects.get()

    assert secret not in str(PasswordLink.objects.values().get())
    assert len(link.secret_hash) == 64


@pytest.mark.parametrize(
    "text", ["/feeds/" + "x" * 43 + "/keys.ics", "'secret': 'link-" + "y" * 43 + "'"]
)
def test_secrets_of_addresses_are_masked(text: str) -> None:
    masked = mask_secrets(text)

    assert "xxx" not in masked
    assert "yyy" not in masked
    assert "…" in masked


@pytest.mark.parametrize(
    "name", ["ALICE", "a/b", "", "al\u200bice", "EST1e2feb89-414c-443c-9027ARY"]
)
def test_a_name_that_cannot_be_given_is_refused(admin: Client, alice: User, name: str) -> None:
    response = admin.post("/team/invite/", {"username": name})

    assert response.status_code == 200
    assert "Give this link" not in words_of(response)
    assert User.objects.count() == 2
    assert not PasswordLink.objects.exists()


def test_a_member_of_single_sign_on_gets_no_password(admin: Client) -> None:
    eve = User.objects.create(username="eve")
    eve.set_unusable_password()
    eve.save()
    Identity.objects.create(member=eve, source="https://id.example.com", stable_id="1")

    assert "signs in by single sign-on" in words_of(admin.get("/team/eve/link/"))
    admin.post("/team/eve/link/")

    assert not PasswordLink.objects.exists()


def test_a_stranger_with_the_name_of_an_invited_member_ends_no_invitation(admin: Client) -> None:
    path = invited(admin)
    dora = User.objects.get(username="dora")
    pending = Identity.State.PENDING
    Identity.objects.create(
        member=dora, source="https://id.example.com", stable_id="1", state=pending
    )

    send(path)

    assert can_sign_in("dora", NEW)


def test_nobody_makes_a_link_for_themselves(admin: Client) -> None:
    assert "on your account page" in words_of(admin.post("/team/carol/link/", follow=True))
    assert not PasswordLink.objects.exists()


def test_a_changed_password_ends_the_link(admin: Client, alice: User) -> None:
    path = link_in(admin.post("/team/alice/link/"))
    browser = Client()
    browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    data = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    browser.post("/accounts/password/change/", data)

    assert Client().get(path).status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", ["/team/invite/", "/team/alice/link/"])
def test_only_admins_make_links(method: str, path: str, alice: User) -> None:
    other = signed_in(User.objects.create_user("bob"))

    assert getattr(other, method)(path, {"username": "dora"}).status_code == 403
    assert getattr(signed_in(alice), method)(path, {"username": "dora"}).status_code == 403
    assert getattr(Client(), method)(path, {"username": "dora"}).status_code == 302
    assert not PasswordLink.objects.exists()


def test_a_member_called_invite_has_a_page(admin: Client) -> None:
    member = User.objects.create_user("invite")

    assert admin.get(f"/team/id:{member.pk}/").status_code == 200


def test_a_name_is_kept_in_the_form_that_keyboards_type(admin: Client) -> None:
    invited(admin, "\uff24ora")

    assert User.objects.filter(username="Dora").exists()


def test_a_name_that_another_admin_has_just_taken_is_refused(
    admin: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keys.team.views.invitations.name_problem", lambda *_: "")

    response = admin.post("/team/invite/", {"username": "alice"})

    assert "There is a member of this name already." in words_of(response)
    assert User.objects.filter(username="alice").count() == 1
    assert not PasswordLink.objects.exists()
    assert not AuditEntry.objects.filter(action=Action.MEMBER_INVITED).exists()


def test_a_link_that_is_not_there_is_not_called_ended(admin: Client, alice: User) -> None:
    response = admin.post("/team/alice/link/", {"end": "1"}, follow=True)

    assert "There is no link." in words_of(response)
    assert not AuditEntry.objects.filter(action=Action.PASSWORD_LINK_ENDED).exists()


def test_of_two_passwords_sent_at_once_through_a_link_the_first_is_set(
    admin: Client, alice: User
) -> None:
    secret = password_links.make(alice)
    first, second = password_links.open_link(secret), password_links.open_link(secret)

    password_links.set_password(first, NEW)
    with pytest.raises(password_links.LinkOver):
        password_links.set_password(second, "another password for alice")

    assert can_sign_in("alice", NEW)


def test_a_disabled_member_gets_no_link(admin: Client, alice: User) -> None:
    alice.is_active = False
    alice.save()

    response = admin.post("/team/alice/link/", follow=True)

    assert "The member is disabled. Enable them first." in words_of(response)
    assert not PasswordLink.objects.exists()
