"""Error pages, also while the database is away."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from django.views.defaults import server_error

from estuary_admin.urls import urlpatterns as all_routes
from tests.keys.evidence import words_of


def broken(_request: Any) -> HttpResponse:
    raise RuntimeError("in a test")


broken.login_required = False  # type: ignore[attr-defined]
urlpatterns = [path("broken/", broken), *all_routes]


def test_an_unknown_address_is_a_404_page(db: None) -> None:
    response = Client().get("/nothing/here/")

    assert response.status_code == 404
    assert "Page not found" in words_of(response)


def test_an_unknown_host_is_a_400_page(db: None) -> None:
    response = Client().get("/keys/", headers={"host": "evil.example"})

    assert response.status_code == 400
    assert "This request cannot be read" in words_of(response)
    assert "evil.example" not in words_of(response)


def test_a_form_that_is_too_large_is_refused(alice: Any) -> None:
    client = Client()
    client.force_login(alice)

    response = client.post("/account/token/", {"token": "x" * 300_000})

    assert response.status_code == 400


def test_a_form_without_csrf_token_is_refused() -> None:
    response = Client(enforce_csrf_checks=True).post("/healthz")

    assert response.status_code == 403
    assert "This form is out of date" in words_of(response)


@pytest.mark.urls("tests.estuary_admin.web.test_errors")
def test_the_500_page_needs_no_database() -> None:
    client = Client(raise_request_exception=False)

    response = client.get("/broken/")  # pytest-django refuses the database here

    assert response.status_code == 500
    assert "Something broke in this console" in words_of(response)
    assert "in a test" not in words_of(response)
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert response["X-Request-Id"]


def test_a_lost_database_is_a_500_page(alice: Any, django_db_blocker: Any) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(alice)

    with django_db_blocker.block():
        response = client.get("/keys/")

    assert response.status_code == 500
    assert "Something broke in this console" in words_of(response)


def test_the_500_page_renders_alone(rf: Any) -> None:
    assert server_error(rf.get("/")).status_code == 500


def test_the_server_starts_with_our_settings() -> None:
    from estuary_admin.wsgi import application

    assert application
