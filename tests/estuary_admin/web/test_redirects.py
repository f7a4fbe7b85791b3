"""One function leads to another page, in the way that a browser or htmx understands."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django_htmx.middleware import HtmxDetails

from estuary_admin.web.redirects import go_to
from keys.upstream import hash_of
from tests.conftest import HTMX

A_TOKEN = "EST0a1b2c3d-0000-4000-8000-5e6f70819203ARY"


def request(**headers: Any) -> HttpRequest:
    made = RequestFactory().get("/", **headers)
    made.htmx = HtmxDetails(made)  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("to", ["keys:key_list", "/keys/"])
def test_a_browser_is_redirected_to_a_view_or_a_path(to: str) -> None:
    response = go_to(request(), to)

    assert (response.status_code, response["Location"]) == (302, "/keys/")


def test_htmx_is_told_to_leave_the_page() -> None:
    response = go_to(request(headers=HTMX), "/keys/?q=a")

    assert (response.status_code, response["HX-Redirect"]) == (200, "/keys/?q=a")
    assert "Location" not in response


def test_a_path_is_never_taken_for_the_name_of_a_view() -> None:
    assert go_to(request(), "/abc")["Location"] == "/abc"


@pytest.mark.parametrize("path", ["/keys", "/keys/", "/accounts/login"])
@pytest.mark.django_db
def test_the_redirect_to_https_repeats_no_token(client: Client, settings: Any, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True

    response = client.get(f"{path}?q={A_TOKEN}&page=2")

    assert response["Location"] == f"https://testserver{path}?q={hash_of(A_TOKEN)}&page=2"
