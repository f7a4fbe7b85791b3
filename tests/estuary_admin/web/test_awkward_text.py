"""Text that only some databases accept breaks no page."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from keys.models import AuditEntry, KeyCreation
from keys.sandbox import Sandbox

AWKWARD = {
    "nul": "before\0after",
    "escape": "\x1b[31m",
    "astral": "🗝" * 200,
    "right-to-left": "\u202eabc",
    "long": "x" * 5000,
    "percent": "%s%(a)s%%",
    "quote": "'; DROP TABLE keys_auditentry; --",
    "lone surrogate": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
}
FORMS = {
    "/accounts/login/": {"login": "alice", "password": "x"},
    "/keys/new/": {"label": "l", "lifetime": "30d", "custom_lifetime": "", "permission": "upload"},
    "/account/": {"theme": "dark", "time_zone": ""},
    "/account/token/": {"token": "EST"},
    "/exports/download/": {"member": ""},
}


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
@pytest.mark.parametrize("url", FORMS)
def test_no_field_breaks_a_page(browser: Client, url: str, text: str) -> None:
    for field in FORMS[url]:
        client = Client() if "login" in url else browser
        assert client.post(url, FORMS[url] | {field: text}).status_code < 500


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
def test_no_address_breaks_a_page(browser: Client, text: str) -> None:
    query = {"q": text, "status": text, "sort": text, "page": text, "new": text, "next": text}

    assert browser.get("/keys/", query).status_code < 500
    assert Client().get("/accounts/login/", query).status_code < 500


@pytest.mark.parametrize("value", [r'"\000abcdefgh"', "x" * 4000, "ä" * 40, '"', r'"\777"'])
@pytest.mark.parametrize("name", ["session", "csrf", "timezone"])
def test_no_cookie_breaks_a_page(db: None, name: str, value: str) -> None:
    names = {"session": settings.SESSION_COOKIE_NAME, "csrf": settings.CSRF_COOKIE_NAME}
    cookie = f"{names.get(name, name)}={value}".encode().decode("latin-1")

    for url in ("/keys/", "/accounts/login/", "/healthz"):
        assert Client(headers={"Cookie": cookie}).get(url).status_code < 500


def test_the_longest_values_fit(browser: Client, node: Sandbox, alice: User) -> None:
    alice.username = "n" * 150
    alice.save()
    form: dict[str, Any] = FORMS["/keys/new/"] | {"label": "🗝" * 200}
    form["nonce"] = browser.get("/keys/new/").context["form"].initial["nonce"]

    response = browser.post(
        "/keys/new/", form, headers={"X-Forwarded-For": "f" * 300}, REMOTE_ADDR="2001:db8::" + "1"
    )

    assert response.status_code == 200
    assert KeyCreation.objects.get().label == "🗝" * 200
    assert AuditEntry.objects.filter(action="key:created", actor_name="n" * 150).exists()


def test_a_wrong_password_is_recorded_for_the_member_whatever_the_case(
    browser: Client, alice: User
) -> None:
    """Both databases compare names with regard to case; sign-in does not."""
    response = Client().post("/accounts/login/", {"login": "ALICE", "password": "wrong"})

    assert response.status_code == 200
    entry = AuditEntry.objects.filter(action="member:sign-in-failed").get()
    assert entry.actor == alice
