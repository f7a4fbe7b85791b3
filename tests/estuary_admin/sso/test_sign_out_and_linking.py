"""Signing out, the local fallback, and linking identities to members."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from estuary_admin.sso.config import Config
from estuary_admin.sso.models import Identity
from keys.audit.vocabulary import Action
from tests.conftest import PASSWORD, signed_in
from tests.estuary_admin.sso.conftest import PROXY, STRANGER, Browser, change
from tests.estuary_admin.sso.test_proxy_header import refused_as
from tests.keys.evidence import last_row, words_of

PAGE = "/account/"
IDENTITIES = "/admin-tools/sso/identities/"


@pytest.fixture
def admin(proxied: Config) -> Browser:
    browser = Browser()
    browser.brings({"Remote-User": "root", "Remote-Groups": "console-admins"})
    browser.get(PAGE)
    session = browser.session
    session["proved_at"] = time.time()  # for example by a passkey
    session.save()
    return browser


def test_signing_out_says_that_the_other_session_is_still_open(proxied: Config) -> None:
    browser = Browser("alice")
    browser.get(PAGE)

    response = browser.post("/accounts/logout/")

    assert response["Location"] == "/accounts/signed-out/"
    assert response["Clear-Site-Data"] == '"cache", "storage"'
    assert browser.member_id is None
    assert last_row(Action.SIGNED_OUT).actor_name == "alice"
    page = browser.get("/accounts/signed-out/")  # the proxy still sends the header
    assert "single sign-on session is still open" in words_of(page)
    assert browser.member_id is None


def test_signing_out_leads_to_the_logout_url(proxied: Config, settings: Any) -> None:
    change(settings, logout_url="/oauth2/sign_out?rd=https%3A%2F%2Fid.example&x=1")
    browser = Browser("alice")
    browser.get(PAGE)

    response = browser.post("/accounts/logout/")

    there = "/oauth2/sign_out?rd=https%3A%2F%2Fid.example&amp;x=1"
    assert f'content="0; url={there}"' in response.content.decode()
    assert f'href="{there}"' in response.content.decode()
    assert response["Clear-Site-Data"] == '"cache", "storage"'
    assert browser.member_id is None


def test_the_signed_out_page_shows_no_name(proxied: Config) -> None:
    browser = Browser("alice")
    browser.get(PAGE)

    response = Client(REMOTE_ADDR=STRANGER).get("/accounts/signed-out/")

    assert response.status_code == 200
    assert "alice" not in words_of(response)


@pytest.mark.django_db
def test_with_local_accounts_signing_out_leads_to_sign_in() -> None:
    assert Client().get("/accounts/signed-out/")["Location"] == "/accounts/login/"
    assert Client().get("/accounts/local/")["Location"] == "/accounts/login/"


def test_the_sign_in_page_redirects_members_of_the_proxy(proxied: Config) -> None:
    browser = Browser("alice")

    assert browser.get("/accounts/login/?next=/stats/")["Location"] == "/stats/"
    assert browser.get("/accounts/login/?next=https://evil.example/")["Location"] == "/"


def test_passwords_do_not_work_behind_a_proxy(proxied: Config, alice: User) -> None:
    form = {"login": "alice", "password": PASSWORD}

    assert Browser("bob").get("/accounts/local/").status_code == 404
    assert Browser("bob").post("/accounts/local/", form).status_code in {403, 404}
    assert refused_as(Client(REMOTE_ADDR=PROXY).post("/accounts/login/", form)) == (
        "missing-identity"
    )


def test_the_local_fallback_opens_sign_in_by_password(
    proxied: Config, settings: Any, carol: User
) -> None:
    change(settings, local_fallback=True)
    client = Client(REMOTE_ADDR=STRANGER)
    assert 'action="/accounts/local/"' in client.get("/accounts/local/").content.decode()

    client.post("/accounts/local/", {"login": "carol", "password": PASSWORD})

    assert client.get(IDENTITIES).status_code == 200
    assert last_row(Action.SIGNED_IN).actor == carol
    assert client.post("/accounts/logout/")["Location"] == "/accounts/local/"


def test_closing_the_local_fallback_ends_its_sessions(
    proxied: Config, settings: Any, carol: User
) -> None:
    change(settings, local_fallback=True)
    client = Client(REMOTE_ADDR=STRANGER)
    client.post("/accounts/local/", {"login": "carol", "password": PASSWORD})

    change(settings, local_fallback=False)

    assert refused_as(client.get(PAGE)) == "untrusted-peer"


def test_the_local_page_ignores_identity_headers(proxied: Config, settings: Any) -> None:
    change(settings, local_fallback=True)
    browser = Browser("alice")
    browser.get(PAGE)
    cookie = browser.cookies["sessionid"].value

    page = Browser("admin", peer=STRANGER)
    page.cookies["sessionid"] = cookie

    assert "alice" not in words_of(page.get("/accounts/local/"))


def test_a_known_name_waits_for_an_admin(alice: User, admin: Browser) -> None:
    browser = Browser("alice")

    assert refused_as(browser.get(PAGE)) == "pending"
    assert last_row(Action.SSO_IDENTITY_PENDING).detail == {"name": "alice"}
    identity = Identity.objects.get(member=alice)
    assert identity.is_pending

    page = admin.get(IDENTITIES)
    assert "Link to alice" in words_of(page)
    admin.post(f"{IDENTITIES}{identity.pk}/link/")

    assert browser.get(PAGE).status_code == 200
    assert browser.member_id == str(alice.pk)
    row = last_row(Action.SSO_IDENTITY_LINKED)
    assert row.actor_name == "root"
    assert row.detail["name"] == "alice"
    assert row.on_behalf_of == alice


def test_a_new_id_with_a_known_name_waits_for_an_admin(proxied: Config, settings: Any) -> None:
    from dataclasses import replace

    assert proxied.headers
    change(settings, headers=replace(proxied.headers, stable_id="X-Uid"))
    first, second = Browser(), Browser()
    first.brings({"Remote-User": "alice", "X-Uid": "1"})
    second.brings({"Remote-User": "alice", "X-Uid": "2"})
    first.get(PAGE)

    assert refused_as(second.get(PAGE)) == "pending"
    assert first.get(PAGE).status_code == 200


def test_a_new_name_of_a_known_id_is_the_same_member(proxied: Config, settings: Any) -> None:
    from dataclasses import replace

    assert proxied.headers
    change(settings, headers=replace(proxied.headers, stable_id="X-Uid"))
    browser = Browser()
    browser.brings({"Remote-User": "alice", "X-Uid": "1", "Remote-Email": "old@example.com"})
    browser.get(PAGE)
    browser.brings({"Remote-User": "alice.b", "X-Uid": "1", "Remote-Email": "new@example.com"})

    assert "Signed in as alice." in words_of(browser.get(PAGE))
    assert Identity.objects.get().email == "new@example.com"


def test_an_id_is_taken_as_it_is(proxied: Config, settings: Any) -> None:
    from dataclasses import replace

    assert proxied.headers
    change(settings, headers=replace(proxied.headers, stable_id="X-Uid"))
    for user, uid in (("alice", "aB"), ("bob", "Ab")):
        browser = Browser()
        browser.brings({"Remote-User": user, "X-Uid": uid})
        assert browser.get(PAGE).status_code == 200
    browser.brings({"Remote-User": "bob"})
    assert refused_as(browser.get(PAGE)) == "missing-identity"


def test_without_auto_create_new_people_are_refused(
    proxied: Config, settings: Any, alice: User
) -> None:
    change(settings, auto_create=False)

    assert refused_as(Browser("mallory").get(PAGE)) == "unknown-member"
    assert refused_as(Browser("alice").get(PAGE)) == "pending"


def test_removing_an_identity_ends_its_access_at_once(admin: Browser) -> None:
    browser = Browser("alice")
    browser.get(PAGE)
    identity = Identity.objects.get(member__username="alice")

    admin.post(f"{IDENTITIES}{identity.pk}/remove/")

    assert refused_as(browser.get(PAGE)) == "pending"
    assert last_row(Action.SSO_IDENTITY_REMOVED).detail["stable_id"] == "alice"


def test_admins_cannot_remove_their_own_identity(admin: Browser) -> None:
    own = Identity.objects.get(member__username="root")

    response = admin.post(f"{IDENTITIES}{own.pk}/remove/", follow=True)

    assert "This is your own identity" in words_of(response)
    assert Identity.objects.filter(pk=own.pk).exists()


def test_only_a_pending_identity_can_be_linked(admin: Browser, alice: User) -> None:
    own = Identity.objects.get(member__username="root")

    assert admin.post(f"{IDENTITIES}{own.pk}/link/").status_code == 404


def test_members_cannot_link_identities(admin: Browser, alice: User) -> None:
    Browser("alice").get(PAGE)
    waiting = Identity.objects.get(member=alice)
    mallory = Browser("mallory")
    mallory.get(PAGE)

    assert mallory.post(f"{IDENTITIES}{waiting.pk}/link/").status_code == 403
    waiting.refresh_from_db()
    assert waiting.is_pending
    assert signed_in(alice).get(IDENTITIES).status_code == 403


def test_the_page_says_only_of_a_list_that_is_cut_that_it_is(
    admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "that were seen last" not in words_of(admin.get(IDENTITIES))
    monkeypatch.setattr("estuary_admin.security.identity_views.MAX_ROWS_SHOWN", 1)

    assert "The 1 that were seen last." in words_of(admin.get(IDENTITIES))
