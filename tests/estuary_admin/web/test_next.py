"""After signing in one stays here, wherever `next` would lead."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from tests.conftest import PASSWORD

ELSEWHERE = [
    "https://evil.example/keys/",
    "//evil.example/keys/",
    "http://127.0.0.1/keys/",
    "https:evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("hosts", [["testserver", "127.0.0.1"], ["*"]])
@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_nobody_is_led_elsewhere(
    alice: User, settings: LazySettings, hosts: list[str], wanted: str
) -> None:
    settings.ALLOWED_HOSTS = hosts
    filled = {"login": "alice", "password": PASSWORD, "next": wanted}

    assert Client().post("/accounts/login/", filled)["Location"] == "/"


def test_a_page_of_ours_is_what_follows(alice: User) -> None:
    filled = {"login": "alice", "password": PASSWORD, "next": "/stats/?x=1"}

    assert Client().post("/accounts/login/", filled)["Location"] == "/stats/?x=1"
