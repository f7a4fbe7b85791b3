"""Rotating under every fault: no outage, and true statements about both keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from keys.models import Rotation, StoredToken
from keys.sandbox import Sandbox
from keys.upstream import hash_of
from tests.faults.matrix import ALL, TYPICAL, Visit, assert_in_time, visit
from tests.keys.api_keys.test_key_rotate import filled_in, url_of
from tests.keys.conftest import backup

__all__ = ["backup"]


def assert_true(seen: Visit, node: Sandbox, old: str) -> None:
    is_listed = old in node.state.keys
    if "has ended: Estuary no longer lists it" in seen.words:
        assert not is_listed
    if "No key was created" in seen.words or "was kept" in seen.words:
        assert is_listed
    if not is_listed:  # then the member has the token of a key that works
        [shown] = set(re.findall(r"EST[0-9a-f-]{36}ARY", seen.response.content.decode()))
        assert shown in node.state.keys


@pytest.mark.parametrize("endpoint", ["create", "revoke"])
@pytest.mark.parametrize("fault", ALL)
def test_the_old_key_ends_only_when_the_new_one_is_in_the_members_hands(
    browser: Client, node: Sandbox, backup: str, settings: Any, fault: str, endpoint: str
) -> None:
    data = filled_in(browser, backup, overlap="now")

    seen = visit(settings, node, endpoint, fault, lambda: browser.post(url_of(backup), data))

    assert_in_time(seen.seconds)
    assert seen.response.status_code == 200
    assert_true(seen, node, backup)
    assert backup not in seen.response.content.decode()


@pytest.mark.parametrize("endpoint", ["create", "stats", "revoke", "list"])
@pytest.mark.parametrize("fault", TYPICAL)
def test_the_console_keeps_a_token_that_works(
    browser: Client, node: Sandbox, token: str, settings: Any, fault: str, endpoint: str
) -> None:
    data = filled_in(browser, token, overlap="now")

    seen = visit(settings, node, endpoint, fault, lambda: browser.post(url_of(token), data))

    assert_in_time(seen.seconds)
    stored = StoredToken.objects.get().token_hash
    assert stored in {hash_of(one) for one in node.state.keys}
    if "This console now works with the new key." in seen.words:
        assert stored != hash_of(token)
    for rotation in Rotation.objects.filter(state="overlap"):
        assert rotation.due_at  # the worker goes on
