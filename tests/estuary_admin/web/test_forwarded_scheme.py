"""Whether a request came by https, as the proxies report it."""

from __future__ import annotations

import logging
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from estuary_admin.web import unreadable_headers
from estuary_admin.web.client_address import client_address
from estuary_admin.web.unreadable_headers import report_unreadable
from tests.conftest import PASSWORD

PROXY, CLIENT = "10.0.0.1", "198.51.100.7"


@pytest.fixture(autouse=True)
def _behind_a_proxy(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    settings.SECURE_SSL_REDIRECT = True
    monkeypatch.setattr(unreadable_headers, "_reported", set())


def is_https(peer: str = PROXY, **headers: Any) -> bool:
    """Whether the page is shown; over http it would be a redirect to https."""
    response = Client().get("/accounts/login/", REMOTE_ADDR=peer, **headers)
    assert response.status_code in {200, 301}
    return response.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    ["https", "HTTPS", "https,http", "https, https", "http, https", " https ", '"https"', "https,",
        "https ,http", "wss", "WSS, http", "unknown, https"],
)  # fmt: skip
def test_a_chain_of_proxies_does_not_redirect_without_end(value: str) -> None:
    assert is_https(HTTP_X_FORWARDED_PROTO=value)


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["http", "HTTP", "http, http", "", "ftp", "httpss", "ws"])
def test_anything_else_is_http(value: str) -> None:
    assert not is_https(HTTP_X_FORWARDED_PROTO=value)


@pytest.mark.django_db
def test_the_older_headers_count_when_the_usual_one_is_missing() -> None:
    assert is_https(HTTP_X_FORWARDED_SSL="On")
    assert is_https(HTTP_X_FORWARDED_PROTOCOL="ssl")
    assert not is_https(HTTP_X_FORWARDED_PROTO="http", HTTP_X_FORWARDED_SSL="on")
    assert is_https(HTTP_X_FORWARDED_PROTO="https", HTTP_X_FORWARDED_PROTOCOL="http")


@pytest.mark.django_db
def test_only_a_trusted_proxy_tells_the_scheme() -> None:
    assert not is_https(peer=CLIENT, HTTP_X_FORWARDED_PROTO="https")
    assert is_https(peer=f"::ffff:{PROXY}", HTTP_X_FORWARDED_PROTO="https")
    assert is_https(peer="", HTTP_X_FORWARDED_PROTO="https")  # a unix socket


@pytest.mark.django_db
@pytest.mark.parametrize(("peer", "counts"), [("127.0.0.1", True), ("::1", True), (PROXY, False)])
def test_without_trusted_proxies_this_machine_tells_the_scheme(
    settings: Any, peer: str, counts: bool
) -> None:
    settings.TRUSTED_PROXIES = []

    assert is_https(peer=peer, HTTP_X_FORWARDED_PROTO="https") is counts


@pytest.mark.django_db
def test_a_form_is_accepted_behind_a_chain(alice: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    https: dict[str, Any] = {
        "REMOTE_ADDR": PROXY,
        "HTTP_HOST": "testserver",
        "HTTP_X_FORWARDED_PROTO": "https,http",
    }
    token = client.get("/accounts/login/", **https).context["csrf_token"]
    form = {"login": "alice", "password": PASSWORD, "csrfmiddlewaretoken": str(token)}

    response = client.post(
        "/accounts/login/", form, headers={"Origin": "https://testserver"}, **https
    )

    assert response.status_code == 302


@pytest.mark.django_db
def test_an_unreadable_header_is_logged_once_and_told_to_the_doctor(
    rf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="estuary_admin.proxy")
    for _ in range(3):
        client_address(rf.get("/", REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR="unknown"))
        is_https(HTTP_X_FORWARDED_PROTO="ftp")

    reasons = [vars(record)["reason"] for record in caplog.records]
    assert reasons == ["X-Forwarded-For: 'unknown'", "X-Forwarded-Proto: 'ftp'"]
    found = unreadable_headers.unreadable_headers()
    assert {name: header["value"] for name, header in found.items()} == {
        "X-Forwarded-For": "'unknown'",
        "X-Forwarded-Proto": "'ftp'",
    }


def test_a_header_is_reported_without_the_cache_and_without_tokens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    report_unreadable("X-Forwarded-For", "EST6f2a1c9e-0000-4000-8000-000000000000ARY" + "x" * 300)

    # pytest-django refuses the database here, which is the cache unless there is a Redis.
    is_away = "redis" not in settings.CACHES["default"]["BACKEND"]
    assert len(caplog.records) == (2 if is_away else 1)
    assert "6f2a1c9e" not in str([vars(record) for record in caplog.records])
