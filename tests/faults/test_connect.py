"""Connecting under every fault: a sentence beside the field, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from keys.models import AuditEntry, StoredToken
from keys.sandbox import Sandbox
from tests.conftest import signed_in
from tests.faults.matrix import ALL, post, visit


@pytest.mark.parametrize("fault", [fault for fault in ALL if fault != "invalid UTF-8"])
def test_nothing_is_stored_and_the_page_says_why(
    alice: User, node: Sandbox, token: str, settings: Any, fault: str
) -> None:
    browser = signed_in(alice)

    seen = visit(settings, node, "stats", fault, post(browser, "/account/token/", {"token": token}))

    assert seen.response.status_code == 200
    assert "Nothing was stored." in seen.words
    seen.assert_told()
    assert not StoredToken.objects.exists()
    row = AuditEntry.objects.get(action="token:connected")
    assert row.outcome in {"refused", "failed"}


@pytest.mark.parametrize("generation", ["current", "legacy", "vintage"])
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("unknown token", "does not know this key"),
        ("expired token", "has expired"),
        ("upload-only token", "upload"),
    ],
)
def test_the_refusals_of_every_generation_are_understood(
    alice: User, settings: Any, generation: str, fault: str, sentence: str
) -> None:
    with Sandbox(generation=generation, rate_limit=None) as old:
        settings.ESTUARY_API_URL = settings.ESTUARY_API_URL._replace(
            scheme="http", netloc=old.url.removeprefix("http://")
        )
        token = old.add_key(old.add_user("alice"))
        data = {"token": token}
        seen = visit(settings, old, "stats", fault, post(signed_in(alice), "/account/token/", data))

    assert sentence in seen.words
    seen.assert_told()
    assert not StoredToken.objects.exists()
