"""`next` leads only to a page of this console that a browser can open."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import set_script_prefix

from estuary_admin.web.redirects import can_visit
from tests.conftest import HTMX, PASSWORD, signed_in
from tests.estuary_admin.security.conftest import clock
from tests.estuary_admin.web.test_routes import OIDC_ONLY, POST_ONLY, path_of, routes

__all__ = ["clock"]

LOGIN = "/accounts/login/"
PROOF = "/accounts/reauthenticate/"
NOT_OURS = [
    "https://evil.example/keys/",
    "//evil.example/keys/",
    "///evil.example/keys/",
    "http://127.0.0.1/keys/",
    "http://testserver/keys/",
    "https:evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "/\t/evil.example/",
]
#: Each was once taken for a view's name, answered by an empty 405, or not found.
NOT_VISITABLE = [
    "abc",
    "home",
    "keys:key_list",
    "admin:index",
    "keys/",
    "?next=/keys/",
    "#keys",
    "../keys/",
    "/nothing/here/",
    "/static/css/base.css",
    "/exports/download/",
    "/account/sessions/1/end/",
    "/account/sessions/end-others/",
    "/keys/?q=EST0f2d8a14-2a5a-4a5a-9f0e-3c1f9bca1b1eARY",
    f"/keys/?q={'x' * 3000}",
    "\x00/keys/",
    " /keys/",
]


def sign_in(there: str, **headers: Any) -> str:
    filled = {"login": "alice", "password": PASSWORD, "next": there}
    return str(Client().post(LOGIN, filled, **headers)["Location"])


@pytest.mark.parametrize("hosts", [["testserver", "127.0.0.1"], ["*"]])
@pytest.mark.parametrize("there", [*NOT_OURS, *NOT_VISITABLE])
def test_sign_in_ignores_any_other_next(
    alice: User, settings: LazySettings, hosts: list[str], there: str
) -> None:
    settings.ALLOWED_HOSTS = hosts

    assert sign_in(there) == "/"


@pytest.mark.parametrize("there", [*NOT_OURS, *NOT_VISITABLE])
def test_the_confirmation_page_leads_to_the_account_instead(
    alice: User, clock: Any, there: str
) -> None:
    client = signed_in(alice)
    assert client.get(PROOF, {"next": there})["Location"] == "/account/"
    clock.shift(16 * 60)

    assert client.get(PROOF, {"next": there}).status_code == 200
    typed = {"next": there, "way": "password", "password": PASSWORD}

    assert client.post(PROOF, typed)["Location"] == "/account/"


@pytest.mark.parametrize(
    "there",
    [
        "/stats/?x=1",
        "/stats",
        "/keys/?q=a%20b&page=2",
        "/keys/%78" + "x" * 42 + "/",
        "/",
        "/account/",
    ],
)
def test_a_page_of_ours_follows(alice: User, there: str) -> None:
    assert sign_in(there) == there


@pytest.mark.parametrize(
    "route", [one for one in routes() if one.name not in OIDC_ONLY], ids=lambda one: str(one.name)
)
def test_every_route_knows_whether_get_opens_it(route: Any) -> None:
    assert can_visit(path_of(route)) is (route.name not in POST_ONLY)


def test_below_another_path_next_lies_below_it_as_well() -> None:
    set_script_prefix("/estuary/")
    try:
        assert can_visit("/estuary/keys/?q=a")
        assert not can_visit("/keys/")
    finally:
        set_script_prefix("/")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("referer", "there"),
    [
        ("http://testserver/exports/?a=b#c", "/exports/?a=b"),
        ("http://testserver/exports/download/", ""),
        ("https://evil.example/exports/", ""),
        ("http://testserver.evil.example/exports/", ""),
        ("", ""),
        ("not an address [", ""),
    ],
)
def test_after_the_session_ended_a_form_leads_back_to_its_page(referer: str, there: str) -> None:
    expected = f"{LOGIN}?next={there.replace('?', '%3F').replace('=', '%3D')}" if there else LOGIN

    response = Client().post("/exports/download/", headers={"Referer": referer})

    assert response["Location"] == expected


@pytest.mark.django_db
def test_after_the_session_ended_a_part_leads_back_to_its_page() -> None:
    page = {"HX-Current-URL": "http://testserver/keys/?q=a"}

    response = Client().get("/keys/new/", headers={**HTMX, **page})

    assert response["HX-Redirect"] == f"{LOGIN}?next=/keys/%3Fq%3Da"


@pytest.mark.django_db
def test_a_form_with_a_page_of_its_own_leads_back_there() -> None:
    assert Client().post("/keys/new/")["Location"] == f"{LOGIN}?next=/keys/new/"


@pytest.mark.django_db
def test_get_on_an_address_for_post_only_leads_to_sign_in_alone() -> None:
    assert Client().get("/exports/download/")["Location"] == LOGIN


@pytest.mark.parametrize("begin", ["EST", "%45%53%54", "E%53T"])
def test_an_address_that_holds_a_token_is_not_led_to(begin: str) -> None:
    assert not can_visit(f"/keys/?q={begin}11111111-1111-4111-8111-111111111111ARY")
    assert can_visit("/keys/?q=backup")
