"""Absolute addresses, inside and outside of requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import get_script_prefix, set_script_prefix

from estuary_admin.web.addresses import public_address


@pytest.fixture
def below_a_path(settings: Any) -> Iterator[None]:
    settings.PUBLIC_ORIGIN, settings.BASE_PATH = "https://example.org", "/estuary"
    before = get_script_prefix()
    set_script_prefix("/estuary/")
    yield
    set_script_prefix(before)


@pytest.mark.usefixtures("below_a_path")
def test_a_request_and_a_background_thread_name_the_same_address() -> None:
    found = [public_address("keys:key_list")]
    thread = threading.Thread(target=lambda: found.append(public_address("keys:key_list")))
    thread.start()
    thread.join()

    assert found == ["https://example.org/estuary/keys/"] * 2


def test_without_a_path_the_address_is_at_the_root(settings: Any) -> None:
    settings.PUBLIC_ORIGIN = "https://keys.example.com"
    key = "x" * 43

    assert public_address("keys:key_detail", token_hash=key) == (
        f"https://keys.example.com/keys/{key}/"
    )
