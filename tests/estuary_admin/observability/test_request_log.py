"""Each request has an id and leaves one log line without tokens."""

from __future__ import annotations

import logging
import re
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.sandbox import Fault, Sandbox
from tests.conftest import signed_in

TOKEN = "EST6f2a1c9e-0000-4000-8000-000000000000ARY"


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
def test_a_path_with_a_token_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
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


def test_each_request_has_its_own_id(alice: User) -> None:
    client = signed_in(alice)

    first, second = client.get("/account/"), client.get("/account/")

    assert first["X-Request-Id"] != second["X-Request-Id"]


PROXY = "10.0.0.1"
PROXY_REQUEST_ID = "proxy-made-this-id.42"


@pytest.mark.django_db
@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}"])
def test_the_id_of_a_trusted_proxy_is_used(
    settings: Any, caplog: pytest.LogCaptureFixture, peer: str
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    caplog.set_level(logging.INFO)

    response = Client().get(
        "/healthz", REMOTE_ADDR=peer, headers={"X-Request-Id": PROXY_REQUEST_ID}
    )

    assert response["X-Request-Id"] == PROXY_REQUEST_ID
    assert request_line(caplog)["request_id"] == PROXY_REQUEST_ID


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("peer", "given"),
    [
        ("198.51.100.1", PROXY_REQUEST_ID),  # anybody could repeat the id of another request
        ("", PROXY_REQUEST_ID),
        (PROXY, "short"),
        (PROXY, "x" * 65),
        (PROXY, f"{PROXY_REQUEST_ID},{PROXY_REQUEST_ID}"),  # sent twice
        (PROXY, "with a space and more"),
        (PROXY, "line\nbreak-in-it"),
        (PROXY, "ünicode-is-not-for-headers"),
        (PROXY, TOKEN),
    ],
)
def test_any_other_id_is_replaced(settings: Any, peer: str, given: str) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]

    response = Client().get("/healthz", REMOTE_ADDR=peer, HTTP_X_REQUEST_ID=given)

    assert re.fullmatch(r"[0-9a-f]{32}", response["X-Request-Id"])


def test_the_line_tells_the_time_spent_on_estuary(
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
