"""A member changes their password."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import Client

from tests.conftest import PASSWORD, signed_in
from tests.keys.evidence import words_of


def test_a_member_changes_the_password_and_other_sessions_end(alice: User) -> None:
    client, elsewhere = signed_in(alice), signed_in(alice)
    new = "another horse battery"

    response = client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )

    assert response.status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(new)
    assert client.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302


def test_a_weak_new_password_is_refused(alice: User) -> None:
    response = signed_in(alice).post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": "short", "password2": "short"},
    )

    assert "at least 12 characters" in words_of(response)
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_password_managers_find_the_page(alice: User) -> None:
    well_known = "/.well-known/change-password"

    assert signed_in(alice).get(well_known)["Location"] == "/accounts/password/change/"
    assert Client().get(well_known)["Location"] == f"/accounts/login/?next={well_known}"
    filled = {"login": "alice", "password": PASSWORD, "next": well_known}
    page = Client().post("/accounts/login/", filled, follow=True)
    assert "Current password" in words_of(page)
