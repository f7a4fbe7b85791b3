"""A member changes their password."""

from __future__ import annotations

from django.contrib.auth.models import User

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
