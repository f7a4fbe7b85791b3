"""What every answer bears, and the one line that is logged for it."""

from __future__ import annotations

import logging
import re
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from estuary_admin.web.middleware import ResponseHeadersMiddleware
from keys.sandbox import Fault, Sandbox
from tests.conftest import HTMX, signed_in

TOKEN = "EST6f2a1c9e-0000-4000-8000-000000000000ARY"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/accounts/login/", "/keys/", "/nothing/here/"])
def test_every_answer_bears_our_headers(path: str) -> None:
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
def test_a_page_may_load_only_what_is_ours(path: str) -> None:
    policy = dict(
        rule.strip().split(" ", 1)
        for rule in Client().get(path)["Content-Security-Policy"].split(";")
    )

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in str(policy)


def test_pages_for_members_are_not_kept(browser: Client) -> None:
    for path in ("/keys/", "/stats/", "/account/", "/keys/new/"):
        assert browser.get(path)["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_static_files_may_be_kept() -> None:
    response = Client().get("/static/css/console.css")
    response.close()

    assert "max-age" in response["Cache-Control"]
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_private_answer_is_not_kept_whatever_its_age(rf: Any) -> None:
    kept = HttpResponse(headers={"Cache-Control": "max-age=60, private"})

    response = ResponseHeadersMiddleware(lambda _request: kept)(rf.get("/"))

    assert response["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_http_is_led_to_https(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 63_072_000

    assert Client().get("/keys/")["Location"] == "https://testserver/keys/"
    assert Client().get("/healthz").status_code == 200
    secure = Client().get("/accounts/login/", secure=True)
    assert secure["Strict-Transport-Security"].startswith("max-age=63072000")


def request_line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    [record] = [record for record in caplog.records if record.name == "estuary_admin.request"]
    return vars(record)


def test_each_request_leaves_one_line(browser: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    response = browser.get("/keys/?q=secret")

    line = request_line(caplog)
    assert line["request_id"] == response["X-Request-Id"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "keys/", 200)
    assert line["member"] == int(browser.session["_auth_user_id"])
    assert line["ms"] >= 0
    assert "secret" not in str(line)


@pytest.mark.django_db
def test_a_pasted_path_is_not_logged_by_us(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    Client().get(f"/keys/{TOKEN}/x")

    line = request_line(caplog)
    assert (line["route"], line["member"], line["status"]) == ("-", "-", 404)
    assert TOKEN not in str(line)


def test_no_token_reaches_the_log(
    browser: Client, node: Sandbox, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    node.set_fault("revoke", Fault("500-after"))

    browser.post("/account/token/", {"token": token})
    browser.post("/account/token/disconnect/", {"revoke": "on"})
    browser.get(f"/keys/?q={token}")

    assert caplog.records
    assert token not in caplog.text


def test_a_signed_out_htmx_request_is_told_to_leave(node: Sandbox, db: None) -> None:
    response = Client().get("/keys/?q=x", headers=HTMX)

    assert response["HX-Redirect"] == "/accounts/login/"
    assert node.requests == []


def test_every_request_has_an_id_of_its_own(alice: User) -> None:
    client = signed_in(alice)

    first, second = client.get("/account/"), client.get("/account/")

    assert first["X-Request-Id"] != second["X-Request-Id"]


PROXY = "10.0.0.1"
GIVEN = "proxy-made-this-id.42"


@pytest.mark.django_db
@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}"])
def test_the_id_that_our_proxy_gave_is_kept(
    settings: Any, caplog: pytest.LogCaptureFixture, peer: str
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    caplog.set_level(logging.INFO)

    response = Client().get("/healthz", REMOTE_ADDR=peer, headers={"X-Request-Id": GIVEN})

    assert response["X-Request-Id"] == GIVEN
    assert request_line(caplog)["request_id"] == GIVEN


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("peer", "given"),
    [
        ("198.51.100.1", GIVEN),  # anybody could take the id of another request
        ("", GIVEN),
        (PROXY, "short"),
        (PROXY, "x" * 65),
        (PROXY, f"{GIVEN},{GIVEN}"),  # sent twice
        (PROXY, "with blank and more"),
        (PROXY, "line\nbreak-in-it"),
        (PROXY, "ünicode-is-not-for-headers"),
        (PROXY, TOKEN),
    ],
)
def test_any_other_id_is_replaced_by_our_own(settings: Any, peer: str, given: str) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]

    response = Client().get("/healthz", REMOTE_ADDR=peer, HTTP_X_REQUEST_ID=given)

    assert re.fullmatch(r"[0-9a-f]{32}", response["X-Request-Id"])


def test_a_line_says_what_was_spent_on_estuary(
    browser: Client, node: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="estuary_admin.request")
    node.set_fault("stats", Fault("delay", seconds=0.2))

    browser.get("/stats/")
    browser.get("/accounts/logout/")

    asked, idle = [vars(record) for record in caplog.records]
    assert (asked["upstream_calls"], idle["upstream_calls"]) == (1, 0)
    assert 200 <= asked["upstream_ms"] <= asked["ms"]
    assert idle["upstream_ms"] == 0
