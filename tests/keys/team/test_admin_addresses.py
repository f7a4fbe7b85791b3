"""Every address for admins: closed to members, and no error for nonsense in it."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from keys.models import AuditEntry, OffBoarding, RotationRequest, SavedView
from tests.conftest import HTMX, signed_in

HASH = "abcdefgh" + "h" * 35
NUMBER = "6f0d6a4e-6b0f-4d57-9d0c-0e8d5a0c9a11"
FILLED = {"username": "alice", "token_hash": HASH, "number": NUMBER, "file": "manifest.json"}


def admin_addresses() -> list[str]:
    found = []
    for route in get_resolver("keys.urls").url_patterns:
        if isinstance(route, URLPattern) and getattr(route.callback, "access", "") == "admin":
            names = route.pattern.regex.groupindex or route.pattern.converters
            found.append(
                reverse(f"keys:{route.name}", kwargs={name: FILLED[name] for name in names})
            )
    return found


ADDRESSES = admin_addresses()
ODD = [
    *("\0", "\ud7ff", "\u202e", "'", '"><script>', "%", "%00", "\\", "a/b", "..", "id:", "id:x"),
    *("id:99999999999999999999", "id:999999999999999999", "-1", "0", "1e9", "9" * 400),
    *("\n", "\r\nSet-Cookie: x=y", "=1+1", "ﬁ", "é", "\U0001f511", " ", "x" * 3000),
]


PARAMETERS = (
    *("q", "owner", "status", "finding", "sort", "after", "state", "role", "days", "form"),
    *("actor", "member", "action", "outcome", "key", "from", "to", "page"),
)


def test_there_are_addresses_for_admins() -> None:
    assert len(ADDRESSES) > 15
    assert {"/team/", "/team/keys/", "/overview/", "/team/alice/offboard/"} <= set(ADDRESSES)


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("address", ADDRESSES)
def test_members_and_strangers_are_kept_out(
    address: str, headers: dict[str, str], alice: User
) -> None:
    bob = User.objects.create_user("bob")
    for method in ("get", "post", "head"):
        for member in (alice, bob):
            response = getattr(signed_in(member), method)(address, headers=headers)
            assert response.status_code in {403, 405}
        response = getattr(Client(), method)(address, headers=headers)
        assert response.status_code in {302, 405} or response["HX-Redirect"]
    for model in (OffBoarding, RotationRequest, SavedView):
        assert not model._default_manager.exists()


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_change_needs_the_token_against_forgery(address: str, carol: User) -> None:
    client = signed_in(carol, enforce_csrf_checks=True)

    assert client.post(address, {"reason": "x", "confirm": "alice"}).status_code in {403, 405}
    assert not AuditEntry.objects.filter(outcome="started").exists()


@pytest.mark.parametrize("odd", ODD)
def test_nonsense_in_an_address_is_no_error(odd: str, carol: User, alice: User) -> None:
    client = signed_in(carol)
    for path in ("/team/", "/team/keys/", "/team/keys/download/", "/audit/", "/audit/download/"):
        for name in PARAMETERS:
            response = client.get(path, {"form": "csv"} | {name: odd})
            assert response.status_code in {200, 302, 400, 404}, (path, name)
            if response.streaming:
                response.getvalue()
    assert client.get("/overview/", {"days": odd}).status_code == 200
    for rest in ("", "offboard/", "offboard/report.json", "link/", f"keys/{HASH}/revoke/"):
        response = client.get(f"/team/{quote(odd, safe='')}/{rest}")
        assert response.status_code in {200, 302, 404}, rest


@pytest.mark.parametrize("odd", ODD)
def test_nonsense_in_a_form_is_no_error(odd: str, carol: User, alice: User) -> None:
    client = signed_in(carol)
    forms: dict[str, dict[str, str]] = {
        "/team/alice/offboard/": {
            "reason": odd,
            "confirm": odd,
            "keep": odd,
            "successor": odd,
        },
        "/team/keys/views/": {"name": odd, "query": odd, "remove": ""},
        "/team/invite/": {"username": odd, "email": odd},
        "/team/refresh/": {"member": odd, "next": odd},
    }
    for path, form in forms.items():
        assert client.post(path, form).status_code in {200, 302, 404}, path
    assert client.post("/team/keys/views/", {"remove": odd}).status_code == 302
