"""Stored tokens at rest."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from estuary_admin.secrets.sealing import SealBroken, is_newest, seal, sealing_keys, unseal

TOKEN = "EST6f2a1c9e-0000-4000-8000-000000000000ARY"
OLD = base64.b64encode(b"o" * 32).decode()
NEW = base64.b64encode(b"n" * 32).decode()


def test_a_sealed_token_opens_for_the_same_member() -> None:
    sealed = seal(TOKEN, 7)

    assert TOKEN not in sealed
    assert unseal(sealed, 7) == TOKEN


def test_the_same_token_is_sealed_differently_each_time() -> None:
    assert seal(TOKEN, 7) != seal(TOKEN, 7)


def test_a_sealed_text_names_its_version_and_key(settings: Any) -> None:
    settings.TOKEN_SEALING_KEYS = [NEW, OLD]

    version, key_id, _ = seal(TOKEN, 7).split(".")

    assert version == "v1"
    assert key_id == next(iter(sealing_keys()))


def test_a_row_copied_to_another_member_does_not_open() -> None:
    sealed = seal(TOKEN, 7)

    with pytest.raises(SealBroken):
        unseal(sealed, 8)


def test_the_newest_key_seals_and_old_keys_open(settings: Any) -> None:
    settings.TOKEN_SEALING_KEYS = [OLD]
    sealed = seal(TOKEN, 7)
    assert is_newest(sealed)

    settings.TOKEN_SEALING_KEYS = [NEW, OLD]

    assert unseal(sealed, 7) == TOKEN
    assert not is_newest(sealed)
    assert is_newest(seal(TOKEN, 7))


def test_without_its_key_it_does_not_open(settings: Any) -> None:
    settings.TOKEN_SEALING_KEYS = [OLD]
    sealed = seal(TOKEN, 7)

    settings.TOKEN_SEALING_KEYS = [NEW]

    with pytest.raises(SealBroken):
        unseal(sealed, 7)


@pytest.mark.parametrize("position", range(0, 90, 5))
def test_a_changed_character_does_not_open(position: int) -> None:
    sealed = seal(TOKEN, 7)
    other = "A" if sealed[position] != "A" else "B"

    with pytest.raises(SealBroken):
        unseal(sealed[:position] + other + sealed[position + 1 :], 7)


@pytest.mark.parametrize("sealed", ["", "v1", "v1.x", "v1.x.y.z", "v1..", "v1.x.%%%", "🔑.🔑.🔑"])
def test_other_text_does_not_open(sealed: str) -> None:
    with pytest.raises(SealBroken):
        unseal(sealed, 7)


def test_a_later_version_does_not_open() -> None:
    with pytest.raises(SealBroken):
        unseal("v2" + seal(TOKEN, 7)[2:], 7)


def test_a_truncated_text_does_not_open() -> None:
    version, key_id, _ = seal(TOKEN, 7).split(".")

    for body in ("", "AAAA", base64.urlsafe_b64encode(b"x" * 12).decode()):
        with pytest.raises(SealBroken):
            unseal(f"{version}.{key_id}.{body}", 7)


def test_keys_may_use_the_url_safe_alphabet(settings: Any) -> None:
    settings.TOKEN_SEALING_KEYS = [base64.urlsafe_b64encode(b"\xff" * 32).decode()]

    assert list(sealing_keys().values()) == [b"\xff" * 32]


def test_missing_keys_are_named(settings: Any) -> None:
    settings.TOKEN_SEALING_KEYS = []

    with pytest.raises(ImproperlyConfigured, match="Set TOKEN_SEALING_KEYS"):
        sealing_keys()


@pytest.mark.parametrize("wrong", ["short", "not base64!", base64.b64encode(b"x" * 31).decode()])
def test_a_wrong_key_is_named_but_not_repeated(settings: Any, wrong: str) -> None:
    settings.TOKEN_SEALING_KEYS = [OLD, wrong]

    with pytest.raises(ImproperlyConfigured, match="Each of TOKEN_SEALING_KEYS") as raised:
        sealing_keys()
    assert wrong not in str(raised.value)


def test_a_wrong_key_stops_the_start(settings: Any) -> None:
    settings.TOKEN_SEALING_KEYS = ["too-short"]

    with pytest.raises(ImproperlyConfigured, match="Each of TOKEN_SEALING_KEYS"):
        apps.get_app_config("keys").ready()


def test_without_keys_the_rest_of_the_console_starts(settings: Any) -> None:
    settings.TOKEN_SEALING_KEYS = []

    apps.get_app_config("keys").ready()
