"""Every route: access, methods and CSRF."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from keys.audit.vocabulary import Action
from keys.sandbox import Sandbox
from tests.conftest import HTMX, signed_in
from tests.keys.evidence import last_row

HASH = "x" * 43
#: Open to everybody; all other routes need sign-in.
PUBLIC = {
    "feed",
    "healthz",
    "readyz",
    "metrics",
    "account_login",
    "account_local",
    "account_logout",
    "account_signed_out",
    "account_signed_out_everywhere",
    "account_inactive",
    "mfa_authenticate",
    "mfa_login_webauthn",
    "password_link",
}
#: Exist only with SSO_MODE=oidc; they have their own tests.
OIDC_ONLY = {"oidc_login", "oidc_callback"}
ADMIN_ONLY = {"sso_doctor", "sso_identities", "sso_identity_link", "sso_identity_remove"} | {
    "team",
    "overview",
    "team_invite",
    "team_key_ask_rotation",
    "team_key_revoke",
    "team_export",
    "team_export_cancel",
    "team_export_delete",
    "team_export_file",
    "team_export_manifest",
    "team_export_retry",
    "team_export_start",
    "team_keys",
    "team_keys_download",
    "team_link",
    "team_member",
    "team_offboard",
    "team_offboard_report",
    "team_refresh",
    "team_view_change",
}
GET_ONLY = {
    "feed",
    "key_ends",
    "home",
    "well_known_change_password",
    "healthz",
    "readyz",
    "metrics",
    "account_inactive",
    "account_signed_out",
    "account_signed_out_everywhere",
    "sso_doctor",
    "sso_identities",
    "mfa_index",
    "mfa_view_recovery_codes",
    "key_list",
    "key_detail",
    "stats",
    "exports",
    "overview",
    "stats_download",
    "steps",
    "team",
    "team_keys",
    "team_keys_download",
    "team_offboard_report",
    "export",
    "export_compare_list",
    "export_file",
    "export_manifest",
    "team_export",
    "team_export_file",
    "team_export_manifest",
}
POST_ONLY = {
    "export_cancel",
    "export_delete",
    "bulk_cancel",
    "bulk_retry",
    "key_bulk",
    "plain_text_dismiss",
    "export_download",
    "export_prepare",
    "export_schedule",
    "export_stop",
    "team_export_cancel",
    "team_export_delete",
    "team_export_retry",
    "team_export_start",
    "session_end",
    "sessions_end_others",
    "sso_identity_link",
    "sso_identity_remove",
    "team_refresh",
    "team_view_change",
}


def routes(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern)
        else:
            yield pattern


def path_of(route: URLPattern) -> str:
    name = str(route.name)
    namespace = "keys:" if route in list(routes(get_resolver("keys.urls"))) else ""
    arguments = {"username": "carol"} if "<str:username>" in str(route.pattern) else {}
    arguments |= {"token_hash": HASH} if "<token_hash" in str(route.pattern) else {}
    if "<feed_secret" in str(route.pattern):
        arguments = {"secret": HASH}
    if "<str:secret>" in str(route.pattern):
        arguments = {"secret": f"link-{HASH}"}
    if "<uuid:number>" in str(route.pattern):
        arguments = {"number": "00000000-0000-4000-8000-000000000000"}
    if "<step_name:name>" in str(route.pattern):
        arguments = {"name": "0123456789abcdef"}
    if "<int:pk>" in str(route.pattern):
        arguments = {"pk": "1"}
    return reverse(f"{namespace}{name}", kwargs=arguments)


every_route = pytest.mark.parametrize(
    "route",
    [route for route in routes() if route.name not in OIDC_ONLY],
    ids=lambda route: str(route.name),
)


def test_every_route_of_the_console_states_its_access() -> None:
    bare = [
        route.name
        for route in routes(get_resolver("keys.urls"))
        if not hasattr(route.callback, "access")
    ]

    assert bare == ["feed"]  # its secret address is the access


@every_route
@pytest.mark.django_db
def test_signed_out_requests_are_sent_to_sign_in(route: URLPattern) -> None:
    path = path_of(route)

    response = Client().get(path)

    if route.name in {"metrics", "feed", "password_link"}:  # hidden without secret or address
        assert response.status_code == 404
    elif route.name in PUBLIC:
        assert response.status_code in {200, 302}
        assert "next=" not in response.get("Location", "")
    else:
        assert response.status_code == 302
        back = "" if route.name in POST_ONLY else f"?next={path}"
        assert response["Location"] == f"/accounts/login/{back}"


@every_route
@pytest.mark.django_db
def test_signed_out_posts_change_nothing(route: URLPattern) -> None:
    response = Client().post(path_of(route))

    if route.name not in PUBLIC:
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/")


@every_route
def test_admin_routes_refuse_members(route: URLPattern, browser: Client) -> None:
    if route.name not in ADMIN_ONLY:
        return
    send = browser.post if route.name in POST_ONLY else browser.get

    assert send(path_of(route)).status_code == 403
    assert last_row(Action.ACCESS_DENIED).detail == {"wanted": route.callback.__name__}


@every_route
@pytest.mark.django_db
def test_signed_out_htmx_requests_leave_the_page(route: URLPattern) -> None:
    response = Client().get(path_of(route), headers=HTMX)

    if route.name not in PUBLIC:
        assert response.status_code == 200
        assert response["HX-Redirect"] == "/accounts/login/"
        assert response.content == b""


@every_route
def test_a_post_without_csrf_token_is_refused(
    route: URLPattern, alice: User, node: Sandbox
) -> None:
    client = signed_in(alice, enforce_csrf_checks=True)

    response = client.post(path_of(route))

    if route.name in GET_ONLY:
        assert response.status_code in {403, 405}
    else:
        assert response.status_code == 403
        assert b"This form is out of date" in response.content
    assert node.requests == []


@every_route
def test_an_unsupported_method_is_refused(
    route: URLPattern, browser: Client, node: Sandbox
) -> None:
    path = path_of(route)
    if route.name == "account_login":  # it redirects members who are signed in
        browser.logout()

    assert browser.delete(path).status_code == 405
    if route.name in GET_ONLY:
        assert browser.post(path).status_code == 405
    if route.name in POST_ONLY:
        assert browser.get(path).status_code == 405
        assert browser.head(path).status_code == 405
    assert node.requests == []


@every_route
def test_head_answers_like_get_without_a_body(route: URLPattern, browser: Client) -> None:
    path = path_of(route)

    if route.name not in POST_ONLY:
        head = browser.head(path)
        assert head.status_code == browser.get(path).status_code
        assert head.content == b""


def test_the_root_redirects_to_the_keys(browser: Client) -> None:
    response = browser.get("/")

    assert response["Location"] == "/keys/"


def test_a_password_manager_finds_the_change_of_password(browser: Client) -> None:
    response = browser.get("/.well-known/change-password")

    assert response["Location"] == "/accounts/password/change/"
    assert Client().get("/.well-known/other").status_code == 404


def test_only_a_hash_is_a_key(browser: Client, node: Sandbox) -> None:
    assert browser.get("/keys/short/").status_code == 404
    assert browser.get(f"/keys/{'x' * 42}!/").status_code == 404
    assert node.requests == []
