"""All stored tokens move to the newest sealing key."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from estuary_admin.secrets.sealing import is_newest, unseal
from keys.models import StoredToken
from tests.conftest import connect

OTHER = base64.b64encode(b"o" * 32).decode()


def reseal() -> str:
    out = io.StringIO()
    call_command("reseal_tokens", stdout=out)
    return out.getvalue()


def test_every_token_moves_to_the_newest_key(
    alice: User, carol: User, token: str, settings: Any
) -> None:
    connect(alice, token)
    connect(carol, token)
    settings.TOKEN_SEALING_KEYS = [OTHER, *settings.TOKEN_SEALING_KEYS]

    assert reseal() == "Moved 2 stored tokens to the newest key.\n"

    settings.TOKEN_SEALING_KEYS = [OTHER]
    for stored in StoredToken.objects.all():
        assert is_newest(stored.sealed)
        assert unseal(stored.sealed, stored.member_id) == token


def test_a_second_run_moves_nothing(alice: User, token: str) -> None:
    connect(alice, token)
    before = StoredToken.objects.get().sealed

    assert reseal() == "Moved 0 stored tokens to the newest key.\n"
    assert StoredToken.objects.get().sealed == before


def test_what_no_key_opens_is_counted_and_left(
    alice: User, carol: User, token: str, settings: Any
) -> None:
    newest = settings.TOKEN_SEALING_KEYS
    connect(alice, token)
    settings.TOKEN_SEALING_KEYS = [OTHER]
    lost = connect(carol, token).sealed
    settings.TOKEN_SEALING_KEYS = newest

    with pytest.raises(CommandError, match="1 stored token cannot be opened"):
        reseal()
    assert StoredToken.objects.get(member=carol).sealed == lost
