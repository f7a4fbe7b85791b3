"""Links to set a password, where members sign in by single sign-on."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from estuary_admin.security import password_links
from estuary_admin.sso.config import Config
from tests.conftest import PASSWORD
from tests.estuary_admin.sso.conftest import STRANGER, Browser, change
from tests.keys.evidence import words_of

NEW = "a password that nobody guesses"
FORM = {"password1": NEW, "password2": NEW}


@pytest.fixture
def admin(proxied: Config) -> Browser:
    browser = Browser()
    browser.brings({"Remote-User": "root", "Remote-Groups": "console-admins"})
    browser.get("/account/")
    session = browser.session
    session["proved_at"] = time.time()
    session.save()
    return browser


@pytest.fixture
def path(alice: User) -> str:
    return f"/accounts/link/{password_links.make(alice)}/"


def test_without_local_accounts_there_are_no_links(admin: Browser, alice: User, path: str) -> None:
    assert Browser("bob").get(path).status_code == 404
    assert admin.post(path, FORM).status_code == 404
    assert Client(REMOTE_ADDR=STRANGER).post(path, FORM).status_code in {403, 404}
    assert admin.get("/team/invite/").status_code == 404
    assert admin.post("/team/invite/", {"username": "dora"}).status_code == 404
    refusal = words_of(admin.post("/team/alice/link/", follow=True))
    assert "it keeps no passwords" in refusal
    assert "Invite a member" not in words_of(admin.get("/team/"))
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_a_link_works_with_the_local_fallback(
    proxied: Config, alice: User, path: str, settings: Any
) -> None:
    change(settings, local_fallback=True)
    client = Client(REMOTE_ADDR=STRANGER)
    assert "For the member alice" in words_of(client.get(path))

    response = client.post(path, FORM)

    assert response["Location"] == "/accounts/local/"
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert 'href="/accounts/local/"' in client.get(path).content.decode()
