"""No page costs more than three times the page of a key.

Counted in function calls, which unlike seconds are the same on every machine.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from estuary_admin.members import ADMINS
from keys.models import SeenKey, SyncedAccount
from keys.upstream import hash_of

PAGES = [
    "/keys/",
    "/keys/?q=console",
    "/keys/new/",
    "/keys/{hash}/revoke/",
    "/keys/revoke-expired/",
    "/stats/",
    "/exports/",
    "/account/",
    "/account/token/",
    "/account/token/disconnect/",
]


def calls_of(client: Client, path: str) -> int:
    """How many functions run for the second of two requests: the first fills caches."""
    assert client.get(path).status_code == 200
    count = 0

    def note(_frame: Any, event: str, _: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        client.get(path)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("page", PAGES)
def test_no_page_costs_more_than_three_times_the_key_page(
    browser: Client, token: str, page: str
) -> None:
    key_page = calls_of(browser, f"/keys/{hash_of(token)}/")

    assert calls_of(browser, page.format(hash=hash_of(token))) <= 3 * key_page


@pytest.mark.parametrize("page", ["/team/", "/team/keys/", "/overview/"])
def test_no_page_of_admins_costs_more_than_three_times_the_key_page(
    browser: Client, alice: User, token: str, page: str
) -> None:
    alice.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
    now = timezone.now()
    for number in range(60):  # more than a page shows
        member = User.objects.create(username=f"member-{number:02}", last_login=now)
        account = SyncedAccount.objects.create(member=member, as_of=now, due_at=None)
        SeenKey.objects.create(
            account=account, owner=member.username, token_hash=f"{number:043}", expiry=now
        )
    key_page = calls_of(browser, f"/keys/{hash_of(token)}/")

    assert calls_of(browser, page) <= 3 * key_page
    with CaptureQueriesContext(connection) as queries:
        browser.get(page)
    assert len(queries) < 40  # fewer than the rows: none is asked for by itself
