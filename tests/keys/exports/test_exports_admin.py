"""Admins may export for a member, which the audit records."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.audit.vocabulary import Action
from keys.exports.download import ExportInterrupted
from keys.exports.running import SHUTDOWN
from keys.models import StoredToken
from keys.sandbox import Sandbox
from tests.conftest import connect, signed_in
from tests.keys.evidence import audited, last_row, words_of
from tests.keys.exports.test_exports import URL, body_of


@pytest.fixture
def admin(carol: User, browser: Client) -> Client:
    """Carol, not connected herself; Alice is."""
    return signed_in(carol)


def test_admins_see_who_is_connected(admin: Client, alice: User) -> None:
    page = words_of(admin.get("/exports/"))

    assert "For a member" in page
    assert "alice connected" in page


def test_admins_do_not_see_themselves_there(admin: Client, carol: User, node: Sandbox) -> None:
    connect(carol, node.add_key(node.add_user("carol")))

    assert "carol connected" not in words_of(admin.get("/exports/"))


def test_an_admin_downloads_for_a_member_and_it_is_recorded(
    admin: Client, alice: User, carol: User, node: Sandbox, token: str
) -> None:
    response = admin.post(URL, {"member": alice.pk}, REMOTE_ADDR="198.51.100.7")

    assert body_of(response)
    assert "estuary-export-alice-" in response["Content-Disposition"]
    assert node.requests[-1].headers["authorization"] == f"Bearer {token}"
    for action in (Action.EXPORT_STARTED, Action.EXPORT_FINISHED):
        row = last_row(action)
        assert (row.actor, row.on_behalf_of, row.address) == (carol, alice, "198.51.100.7")


def test_the_member_sees_that_an_admin_did(admin: Client, alice: User, browser: Client) -> None:
    body_of(admin.post(URL, {"member": alice.pk}))

    assert "carol for alice Done" in words_of(browser.get("/exports/"))


def test_other_members_do_not_see_it(admin: Client, alice: User) -> None:
    body_of(admin.post(URL, {"member": alice.pk}))
    bob = User.objects.create_user("bob")

    assert "No export has been made yet." in words_of(signed_in(bob).get("/exports/"))


def test_a_member_cannot_download_another_and_it_is_recorded(
    browser: Client, alice: User, carol: User, node: Sandbox
) -> None:
    connect(carol, node.add_key(node.add_user("carol")))
    node.forget_requests()

    response = browser.post(URL, {"member": carol.pk})

    assert response.status_code == 403
    assert "Not allowed" in words_of(response)
    assert node.requests == []
    assert audited()[-1] == ("access:denied", "refused")
    row = last_row(Action.ACCESS_DENIED)
    assert (row.actor, row.detail) == (alice, {"wanted": "export"})


@pytest.mark.parametrize("member", ["0", "999999", "x", "-1", "²", "9" * 30, "1 or 1=1"])
def test_an_unknown_member_is_not_found(admin: Client, node: Sandbox, member: str) -> None:
    response = admin.post(URL, {"member": member})

    assert response.status_code == 404
    assert node.requests == []


def test_a_member_who_is_not_connected_is_not_found(admin: Client, alice: User) -> None:
    StoredToken.objects.all().delete()

    assert admin.post(URL, {"member": alice.pk}).status_code == 404


def test_members_may_name_themselves(browser: Client, alice: User) -> None:
    assert body_of(browser.post(URL, {"member": alice.pk}))


def test_a_former_admin_is_refused_at_once(admin: Client, alice: User, carol: User) -> None:
    carol.groups.clear()

    assert admin.post(URL, {"member": alice.pk}).status_code == 403
    assert "For a member" not in words_of(admin.get("/exports/"))


def own_part(page: Any) -> str:
    """The section of the admin's own data, which htmx replaces."""
    found = re.search(r'<section id="own-export".*?</section>', page.content.decode(), re.DOTALL)
    assert found
    return found[0]


def test_an_admin_cannot_start_a_second_export_of_an_account(
    admin: Client, alice: User, carol: User, browser: Client, node: Sandbox
) -> None:
    connect(carol, node.add_key(node.add_user("carol"), label="console"))
    first = browser.post(URL)

    page = admin.post(URL, {"member": alice.pk})

    assert page.status_code == 409
    assert "Data of alice: An export of this account is running." in words_of(page)
    own = own_part(page)
    assert "Download now" in own
    assert "An export of this account" not in own
    assert "every 4s" not in own
    body_of(first)


def test_how_the_export_of_another_member_broke_off_stands_above_the_own(
    admin: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_: object) -> None:
        raise ExportInterrupted(SHUTDOWN)

    monkeypatch.setattr("keys.exports.views.open_download", broken_off)

    page = admin.post(URL, {"member": alice.pk})

    assert page.status_code == 503
    assert "Data of alice: This console is restarting" in words_of(page)
    assert "restarting" not in own_part(page)
