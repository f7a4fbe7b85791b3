"""The headers of every response."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from estuary_admin.web.middleware import ResponseHeadersMiddleware


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/accounts/login/", "/keys/", "/nothing/here/"])
def test_every_response_has_the_security_headers(path: str) -> None:
    headers = Client().get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/accounts/login/", "/nothing/here/"])
def test_a_page_may_load_only_from_its_own_origin(path: str) -> None:
    policy = dict(
        rule.strip().split(" ", 1)
        for rule in Client().get(path)["Content-Security-Policy"].split(";")
    )

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in str(policy)


def test_pages_of_members_are_not_cached(browser: Client) -> None:
    for path in ("/keys/", "/stats/", "/account/", "/keys/new/"):
        assert browser.get(path)["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_static_files_may_be_cached() -> None:
    response = Client().get("/static/css/console.css")
    response.close()

    assert "max-age" in response["Cache-Control"]
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_private_response_is_not_cached_whatever_its_max_age(rf: Any) -> None:
    private = HttpResponse(headers={"Cache-Control": "max-age=60, private"})

    response = ResponseHeadersMiddleware(lambda _request: private)(rf.get("/"))

    assert response["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_http_redirects_to_https(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 63_072_000

    assert Client().get("/keys/")["Location"] == "https://testserver/keys/"
    assert Client().get("/healthz").status_code == 200
    secure = Client().get("/accounts/login/", secure=True)
    assert secure["Strict-Transport-Security"].startswith("max-age=63072000")
