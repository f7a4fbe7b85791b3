"""The frame of a page, and who counts as an admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client

from estuary_admin.members import is_admin
from keys.context import Console
from keys.signals import on_failed_sign_in, on_sign_out
from tests.keys.evidence import audited, words_of


def test_a_sandbox_is_marked_on_every_page(browser: Client, settings: Any) -> None:
    assert "Sandbox" not in words_of(browser.get("/account/"))

    settings.IS_SANDBOX = True

    for path in ("/keys/", "/stats/", "/account/", "/accounts/password/change/"):
        assert "Sandbox" in words_of(browser.get(path))


def test_the_node_is_named_without_its_path(settings: Any, rf: Any) -> None:
    assert Console(rf.get("/")).estuary_host == settings.ESTUARY_API_URL.netloc


def test_a_page_without_session_has_the_systems_theme(rf: Any) -> None:
    assert Console(rf.get("/")).theme == "system"
    assert not Console(rf.get("/")).is_admin


def test_htmx_and_styles_come_from_here(browser: Client) -> None:
    page = browser.get("/keys/").content.decode()

    assert 'src="https:' not in page
    assert '"historyCacheSize": 0' in page
    assert '"allowEval": false' in page


def test_admins_are_active_members_of_the_group(alice: User, carol: User) -> None:
    assert is_admin(carol)
    assert not is_admin(alice)
    assert not is_admin(AnonymousUser())
    assert not is_admin(None)


def test_a_switched_off_admin_is_none(carol: User) -> None:
    carol.is_active = False

    assert not is_admin(carol)


def test_being_admin_is_asked_once(carol: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert is_admin(carol)
        assert is_admin(carol)


@pytest.mark.django_db
def test_what_nobody_asked_for_leaves_no_row(rf: Any) -> None:
    on_failed_sign_in(None, {"username": "x"})
    on_sign_out(rf.get("/"), None)

    assert audited() == []
