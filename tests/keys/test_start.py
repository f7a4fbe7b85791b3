"""What stops the start of the console, instead of the first member who meets it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://estuary.example.com/?query", ""),
        ("http://estuary.example.com", "http://proxy.example.com:3128"),  # it would see the token
    ],
)
def test_an_address_of_estuary_that_cannot_be_used_stops_the_start(
    settings: Any, url: str, proxy: str
) -> None:
    settings.ESTUARY_API_URL = urlsplit(url)
    settings.ESTUARY_HTTP_PROXY = proxy

    with pytest.raises(ImproperlyConfigured, match="ESTUARY_API_URL is wrong"):
        apps.get_app_config("keys").ready()
