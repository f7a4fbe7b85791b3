"""Sign-in by user name and password, refusals, and sign-out."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.adapter import get_adapter
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from estuary_admin.members import namesakes_of
from keys.audit.vocabulary import Action
from keys.models import Preferences
from tests.conftest import PASSWORD, signed_in
from tests.keys.evidence import audited, last_row, words_of

LOGIN = "/accounts/login/"


def try_to_sign_in(client: Client, name: str, password: str, **extra: Any) -> Any:
    return client.post(LOGIN, {"login": name, "password": password}, **extra)


@pytest.mark.django_db
def test_the_form_asks_for_user_name_and_password() -> None:
    text = Client().get(LOGIN).content.decode()

    assert ">Username</label>" in text
    assert ">Password</label>" in text
    assert "Remember" not in text
    assert "Forgot" not in text
    assert "placeholder" not in text


def test_the_form_for_a_new_password_says_each_name_once(alice: User) -> None:
    text = signed_in(alice).get("/accounts/password/change/").content.decode()

    for name in ("Current password", "New password", "New password, again"):
        assert text.count(f">{name}</label>") == 1
    assert "placeholder" not in text


def test_a_member_signs_in_and_lands_on_the_keys(alice: User) -> None:
    client = Client()

    response = try_to_sign_in(client, "alice", PASSWORD, REMOTE_ADDR="198.51.100.7")

    assert response["Location"] == "/"
    assert client.session["_auth_user_id"] == str(alice.pk)
    row = last_row(Action.SIGNED_IN)
    assert (row.actor, row.address, row.request_id) == (
        alice,
        "198.51.100.7",
        response["X-Request-Id"],
    )


def test_sign_in_leads_to_the_page_asked_for(alice: User) -> None:
    data = {"login": "alice", "password": PASSWORD, "next": "/stats/"}

    assert Client().post(LOGIN, data)["Location"] == "/stats/"


@pytest.mark.parametrize("name", ["änne", "A\u0308NNE", "\uff21\u0308nne"])
def test_a_name_may_be_typed_in_any_way_that_reads_the_same(db: None, name: str) -> None:
    User.objects.create_user("Änne", password=PASSWORD)

    landed = Client().post("/accounts/login/", {"login": name, "password": PASSWORD})

    assert landed.status_code == 302


def test_a_name_that_takes_long_to_compare_is_nobodys(alice: User) -> None:
    assert namesakes_of("alice" + "\u0301\u0323" * 100_000) == []


@pytest.mark.parametrize("there", ["https://evil.example/", "//evil.example/"])
def test_sign_in_leads_to_no_other_site(alice: User, there: str) -> None:
    data = {"login": "alice", "password": PASSWORD, "next": there}

    assert Client().post(LOGIN, data)["Location"] == "/"


def test_cookies_are_http_only_and_same_site(alice: User) -> None:
    client = Client()

    try_to_sign_in(client, "alice", PASSWORD)
    client.get("/accounts/password/change/")

    for name in ("sessionid", "csrftoken"):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] == "Lax"


def test_signing_in_changes_the_session_key(alice: User) -> None:
    client = Client()
    client.get(LOGIN)
    session = client.session
    session["theme"] = "dark"
    session.save()
    before = session.session_key

    try_to_sign_in(client, "alice", PASSWORD)

    assert client.session.session_key != before


def test_sign_in_loads_the_preferences(alice: User) -> None:
    Preferences.objects.create(member=alice, theme="dark", time_zone="Europe/Berlin")
    client = Client()

    try_to_sign_in(client, "alice", PASSWORD)

    assert client.session["theme"] == "dark"
    assert client.session["time_zone"] == "Europe/Berlin"


@pytest.mark.parametrize("name", ["alice", "Alice"])
def test_a_wrong_password_is_refused_and_recorded(alice: User, name: str) -> None:
    client = Client()

    response = try_to_sign_in(client, name, "wrong")

    assert response.status_code == 200
    assert "The username or the password is wrong." in words_of(response)
    assert "_auth_user_id" not in client.session
    assert audited() == [("member:sign-in-failed", "refused")]
    assert last_row(Action.SIGN_IN_FAILED).actor == alice


@pytest.mark.django_db
def test_an_unknown_user_name_is_not_recorded() -> None:
    try_to_sign_in(Client(), "my-secret-password", "wrong")

    row = last_row(Action.SIGN_IN_FAILED)
    assert row.actor is None
    assert "my-secret-password" not in str(vars(row))


def test_a_right_password_of_a_switched_off_member_is_refused_like_a_wrong_one(
    alice: User,
) -> None:
    alice.is_active = False
    alice.save()
    answers = []
    for password in (PASSWORD, "wrong"):
        pages = [try_to_sign_in(Client(), "alice", password) for _ in range(7)]
        answers.append([(page.status_code, page.get("Location"), words_of(page)) for page in pages])
        cache.clear()

    assert answers[0] == answers[1]
    assert "The username or the password is wrong." in answers[0][0][2]
    assert "Too many failed attempts" in answers[0][6][2]
    assert not Session.objects.exists()
    rows = audited()
    assert rows[: len(rows) // 2] == rows[len(rows) // 2 :]


def test_a_switched_off_account_is_out_at_the_next_request(alice: User) -> None:
    client = signed_in(alice)
    assert client.get("/account/").status_code == 200
    alice.is_active = False
    alice.save()

    assert client.get("/account/")["Location"].startswith(LOGIN)


def test_attempts_on_one_account_are_throttled(alice: User) -> None:
    client = Client()
    for _ in range(5):
        try_to_sign_in(client, "alice", "wrong")

    refused = try_to_sign_in(client, "alice", PASSWORD)

    assert "Too many failed attempts" in words_of(refused)
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_attempts_from_one_address_are_throttled() -> None:
    client = Client()
    for attempt in range(10):
        try_to_sign_in(client, f"nobody-{attempt}", "wrong")

    refused = try_to_sign_in(client, "somebody-else", "wrong")

    assert "Too many failed attempts" in words_of(refused)


@pytest.mark.django_db
def test_a_forged_address_does_not_escape_the_throttle() -> None:
    for attempt in range(10):
        try_to_sign_in(
            Client(), f"nobody-{attempt}", "wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{attempt}"
        )

    refused = try_to_sign_in(Client(), "x", "wrong", HTTP_X_FORWARDED_FOR="203.0.113.99")

    assert "Too many failed attempts" in words_of(refused)


def test_another_port_in_the_host_header_does_not_escape_the_throttle(alice: User) -> None:
    for attempt in range(5):
        try_to_sign_in(
            Client(),
            "alice",
            "wrong",
            HTTP_HOST=f"localhost:{attempt + 1}",
            REMOTE_ADDR=f"10.0.0.{attempt}",
        )

    refused = try_to_sign_in(Client(), "alice", PASSWORD, HTTP_HOST="localhost:99")

    assert "Too many failed attempts" in words_of(refused)


def test_throttled_attempts_are_recorded(alice: User) -> None:
    for _ in range(6):
        try_to_sign_in(Client(), "alice", "wrong")

    throttled = [("member:throttled", "refused")]
    assert audited() == [("member:sign-in-failed", "refused")] * 5 + throttled
    assert last_row(Action.THROTTLED).actor == alice
    assert last_row(Action.THROTTLED).detail == {"action": "sign-in"}


def test_signing_out_ends_the_session_on_the_server(alice: User) -> None:
    client = signed_in(alice)
    cookie = client.cookies["sessionid"].value
    assert client.get("/accounts/logout/").status_code == 200

    response = client.post("/accounts/logout/")

    assert response["Location"] == LOGIN
    assert response["Clear-Site-Data"] == '"cache", "storage"'
    assert not Session.objects.filter(session_key=cookie).exists()
    assert last_row(Action.SIGNED_OUT).actor == alice


def test_a_stolen_cookie_is_refused_after_signing_out(alice: User) -> None:
    client, thief = signed_in(alice), Client()
    thief.cookies["sessionid"] = client.cookies["sessionid"].value
    assert thief.get("/account/").status_code == 200

    client.post("/accounts/logout/")

    assert thief.get("/account/")["Location"].startswith(LOGIN)


@pytest.mark.django_db
def test_signing_out_twice_leads_to_sign_in() -> None:
    assert Client().post("/accounts/logout/")["Location"] == LOGIN
    assert audited() == []


def test_nobody_can_sign_up(alice: User, rf: Any) -> None:
    assert Client().get("/accounts/signup/").status_code == 404
    assert not get_adapter().is_open_for_signup(rf.get("/"))
