"""Sign-in redirects only to pages of this console."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from tests.conftest import PASSWORD

OTHER_SITES = [
    "https://evil.example/keys/",
    "//evil.example/keys/",
    "http://127.0.0.1/keys/",
    "https:evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("hosts", [["testserver", "127.0.0.1"], ["*"]])
@pytest.mark.parametrize("wanted", OTHER_SITES)
def test_next_does_not_redirect_to_another_site(
    alice: User, settings: LazySettings, hosts: list[str], wanted: str
) -> None:
    settings.ALLOWED_HOSTS = hosts
    filled = {"login": "alice", "password": PASSWORD, "next": wanted}

    assert Client().post("/accounts/login/", filled)["Location"] == "/"


def test_next_redirects_to_a_page_of_this_console(alice: User) -> None:
    filled = {"login": "alice", "password": PASSWORD, "next": "/stats/?x=1"}

    assert Client().post("/accounts/login/", filled)["Location"] == "/stats/?x=1"
