"""Important actions require a fresh proof, in local mode."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.views.decorators.http import require_POST

from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.errors import csrf_failure
from keys.audit.vocabulary import Action
from keys.models import StoredToken
from keys.sandbox import Sandbox
from tests.conftest import HTMX, PASSWORD, connect, signed_in
from tests.estuary_admin.security.conftest import PROOF, code_of, prove
from tests.estuary_admin.web.test_routes import GET_ONLY, POST_ONLY, path_of, routes
from tests.keys.evidence import audited, last_row, words_of

#: Every route that requires a proof. All others need only a session.
ASKING = {
    "bulk_change",
    "bulk_retry",
    "account_change_password",
    "export_compare_list",
    "export_download",
    "export_file",
    "key_create",
    "key_create_many",
    "key_revoke",
    "key_revoke_expired",
    "key_rotate",
    "key_rotation",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_deactivate_totp",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
    "reminders",
    "sso_identity_link",
    "sso_identity_remove",
    "team_invite",
    "team_key_ask_rotation",
    "team_export_file",
    "team_export_retry",
    "team_export_start",
    "team_key_revoke",
    "team_link",
    "team_offboard",
    "token_connect",
    "token_disconnect",
}


@pytest.fixture
def late(clock: Any, browser: Client) -> Client:
    """Alice, connected, a quarter of an hour after she signed in."""
    clock.shift(15 * 60)
    return browser


def forget_proof(client: Client) -> None:
    session = client.session
    del session["proved_at"]
    session.save()


def test_these_routes_require_a_proof() -> None:
    assert {
        str(route.name) for route in routes() if getattr(route.callback, "needs_proof", False)
    } == ASKING


@pytest.mark.parametrize("name", sorted(ASKING - {"export_download", "bulk_change"}))
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_expired_proof_leads_to_the_confirmation_page(
    late: Client, node: Sandbox, carol: User, name: str, headers: dict[str, str]
) -> None:
    [route] = [route for route in routes() if route.name == name]
    if name.startswith(("sso_", "team_")):  # for admins only
        late.force_login(carol)
        forget_proof(late)
    node.forget_requests()
    before = StoredToken.objects.count()

    methods = {"GET", "POST"} - ({"GET"} if name in POST_ONLY else set())
    for method in methods - ({"POST"} if name in GET_ONLY else set()):
        response = late.generic(method, path_of(route), headers=headers)

        there = response.get("HX-Redirect" if headers else "Location", "")
        assert there.startswith(f"{PROOF}?next=%2F"), name
        assert response.status_code == (200 if headers else 302)
    assert node.requests == []
    assert StoredToken.objects.count() == before


def test_a_sign_in_counts_as_a_proof_for_15_minutes(clock: Any, browser: Client) -> None:
    clock.shift(15 * 60 - 1)
    assert browser.get("/keys/new/").status_code == 200
    clock.shift(1)
    assert browser.get("/keys/new/")["Location"] == f"{PROOF}?next=%2Fkeys%2Fnew%2F"
    assert browser.get("/keys/").status_code == 200
    own = browser.post("/exports/download/")
    own.getvalue()
    assert own.status_code == 200


@pytest.mark.parametrize(("minutes", "asks"), [(0, False), (60, False), (10, True)])
def test_sudo_minutes_sets_how_long_a_proof_counts(
    late: Client, settings: Any, minutes: int, asks: bool
) -> None:
    settings.SUDO_MINUTES = minutes

    assert (late.get("/keys/new/").status_code == 302) is asks


def test_the_confirmation_page_leads_back_to_the_list_as_it_was_filtered(late: Client) -> None:
    seen = "/keys/?status=expired&page=2"
    sent_from = {**HTMX, "HX-Current-URL": f"http://testserver{seen}"}
    there = late.get("/keys/new/", headers=sent_from)["HX-Redirect"]

    page = late.get(there).content.decode()

    assert f'<a class="quiet-link" href="{escape(seen)}">Not now</a>' in page
    assert f'name="next" value="{escape(seen)}#dialog=/keys/new/"' in page
    refused = late.post(there, {"way": "password", "password": "wrong", "back": seen})
    assert f'href="{escape(seen)}">Not now' in refused.content.decode()


@pytest.mark.parametrize("back", ["", "//evil.example/", "https://evil.example/", "/nowhere/"])
def test_not_now_never_leaves_this_console(late: Client, back: str) -> None:
    page = late.get(f"{PROOF}?{urlencode({'next': '/keys/new/', 'back': back})}")

    assert '<a class="quiet-link" href="/account/">Not now</a>' in page.content.decode()


def test_the_password_is_accepted_as_a_proof(late: Client, alice: User) -> None:
    page = late.get(f"{PROOF}?next=/keys/new/")
    assert "Confirm with the password" in words_of(page)
    assert "passkey" not in words_of(page)

    response = prove(late, "/keys/new/")

    assert response["Location"] == "/keys/new/"
    assert late.get("/keys/new/").status_code == 200
    assert last_row(Action.PROOF_GIVEN).detail == {"way": "password"}
    assert late.get(f"{PROOF}?next=/keys/new/")["Location"] == "/keys/new/"  # no second time


def test_wrong_passwords_are_recorded_and_throttled(late: Client) -> None:
    for _ in range(5):
        page = prove(late, "/keys/new/", way="password", password="wrong")
        assert page.status_code == 200
        assert "wrong" not in page.content.decode()

    assert prove(late, "/keys/new/").status_code == 200  # throttled: the right one, too
    assert late.get("/keys/new/").status_code == 302
    throttled = [("member:throttled", "refused")]
    assert audited()[-6:] == [("member:proof-failed", "refused")] * 5 + throttled


def test_a_code_is_accepted_as_a_proof(late: Client, app: Authenticator) -> None:
    response = prove(late, "/keys/new/", way="code", code=code_of())

    assert response["Location"] == "/keys/new/"
    assert late.get("/keys/new/").status_code == 200
    assert last_row(Action.FACTOR_USED).detail == {"factor": "app"}


@pytest.mark.parametrize(
    "typed",
    [
        {"way": "code", "code": "000000"},  # no factor
        {"way": "passkey", "credential": "{}"},
        {"way": "nothing"},
        {"password": PASSWORD},
    ],
)
def test_a_method_that_the_member_does_not_have_is_refused(
    late: Client, typed: dict[str, str]
) -> None:
    assert prove(late, "/keys/new/", **typed).status_code == 200
    assert late.get("/keys/new/").status_code == 302


def test_the_password_of_another_member_is_refused(late: Client, carol: User) -> None:
    carol.set_password("quite another password")
    carol.save()

    prove(late, "/keys/new/", way="password", password="quite another password")

    assert late.get("/keys/new/").status_code == 302


@pytest.mark.parametrize("there", ["https://evil.example/", "//evil.example", PROOF, ""])
def test_the_confirmation_page_leads_to_no_other_site(late: Client, there: str) -> None:
    response = prove(late, there)

    assert response["Location"] in {"/account/", PROOF}
    assert late.get(PROOF)["Location"] == "/account/"


def test_an_export_for_another_member_requires_a_proof_and_returns_to_its_page(
    clock: Any, alice: User, carol: User, token: str, node: Sandbox
) -> None:
    connect(alice, token)
    node.forget_requests()
    client = signed_in(carol)
    clock.shift(16 * 60)
    for spelling in (str(alice.pk), f" {alice.pk}", f"0{alice.pk}", f"+{alice.pk}"):
        response = client.post("/exports/download/", {"member": spelling})
        assert response.status_code == 302
        assert response["Location"] == f"{PROOF}?next=%2Fexports%2F"
    assert node.requests == []

    page = client.get(prove(client, "/exports/")["Location"])

    assert "press the button again" in words_of(page)
    download = client.post("/exports/download/", {"member": str(alice.pk)})
    download.getvalue()
    assert download.streaming


def test_a_proof_from_the_future_does_not_count(late: Client) -> None:
    session = late.session
    session["proved_at"] = session["proved_at"] + 24 * 3600
    session.save()

    assert late.get("/keys/new/").status_code == 302


@pytest.mark.parametrize(
    ("referer", "page"),
    [
        ("http://testserver/keys/?q=a", "%2Fkeys%2F%3Fq%3Da&back=%2Fkeys%2F%3Fq%3Da"),
        ("https://evil.example/keys/", "%2Faccount%2F"),
        ("", "%2Faccount%2F"),
    ],
)
def test_a_form_sent_to_an_address_for_post_only_leads_back_to_its_page(
    late: Client, alice: User, rf: RequestFactory, referer: str, page: str
) -> None:
    request = rf.post("/exports/download/", headers={"Referer": referer})
    request.session, request.user = late.session, alice

    response = fresh_proof()(require_POST(csrf_failure))(request)

    assert response["Location"] == f"{PROOF}?next={page}"
