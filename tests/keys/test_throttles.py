"""Who changes too much is told when to go on, and Estuary is left alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys import throttles
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import BulkChange, KeyCreation, StoredToken
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token.stored_tokens import forget_list
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.api_keys.test_key_create import URL, form_of

CONNECT = "/account/token/"


@pytest.fixture(autouse=True)
def _two_a_minute(settings: Any) -> None:
    settings.MEMBER_CHANGES_PER_MINUTE = 2


def sent(node: Sandbox, method: str) -> int:
    return sum(request.method == method for request in node.requests)


def create(browser: Client, label: str = "ci") -> Any:
    return browser.post(URL, form_of(browser) | {"label": label, "lifetime": "7d"})


def test_a_third_key_within_a_minute_waits_with_its_form(browser: Client, node: Sandbox) -> None:
    for _ in range(2):
        assert 'id="key-created"' in create(browser).content.decode()

    page = create(browser, label="the third").content.decode()

    assert sent(node, "POST") == KeyCreation.objects.count() == 2
    assert "No key was created. You did this 2 times within a minute" in page
    assert 'value="the third"' in page
    assert 'value="7d"' in page


def test_the_form_can_be_sent_again_after_the_time_it_names(browser: Client, node: Sandbox) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        create(browser)
        clock.shift(20)
        create(browser)
        clock.shift(20)
        assert "Try again in 20 seconds." in create(browser).content.decode()
        clock.shift(20)
        create(browser)

    assert sent(node, "POST") == 3


def test_a_form_that_was_done_is_not_throttled_but_told(browser: Client, node: Sandbox) -> None:
    form = form_of(browser)
    browser.post(URL, form)
    create(browser)

    again = browser.post(URL, form).content.decode()

    assert "created already" in again
    assert sent(node, "POST") == 2


def test_a_token_that_comes_too_often_is_not_shown_again(
    browser: Client, node: Sandbox, account: Account
) -> None:
    for _ in range(2):
        browser.post(CONNECT, {"token": node.add_key(account)})
    own, token = StoredToken.objects.get().token_hash, node.add_key(account)
    node.forget_requests()

    page = browser.post(CONNECT, {"token": token}).content.decode()

    assert node.requests == []
    assert StoredToken.objects.get().token_hash == own
    assert "You did this 2 times within a minute" in page
    assert "Nothing was stored." in page
    assert token not in page


def keys_at(node: Sandbox, account: Account, count: int, **options: Any) -> list[str]:
    return [hash_of(node.add_key(account, **options)) for _ in range(count)]


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
def test_a_third_revocation_is_not_sent(
    browser: Client, node: Sandbox, account: Account, headers: dict[str, str]
) -> None:
    *two, third = keys_at(node, account, 3)
    for token_hash in two:
        browser.post(f"/keys/{token_hash}/revoke/")

    answer = browser.post(f"/keys/{third}/revoke/", headers=headers)

    assert sent(node, "DELETE") == 2
    assert answer.status_code == (200 if headers else 429)
    assert 0 < int(answer["Retry-After"]) <= 60
    assert "Nothing was changed. You did this 2 times" in answer.content.decode()


def test_all_expired_keys_are_one_revocation(
    browser: Client, node: Sandbox, account: Account
) -> None:
    def revoke_expired(count: int) -> Any:
        keys_at(node, account, count, lifetime=timedelta(days=-1))
        forget_list(StoredToken.objects.get())
        return browser.post("/keys/revoke-expired/")

    assert revoke_expired(4).status_code == 302
    assert revoke_expired(1).status_code == 302
    assert revoke_expired(1).status_code == 429
    assert sent(node, "DELETE") == 5
    assert BulkChange.objects.count() == 2


def test_what_one_member_does_keeps_nobody_else_waiting(
    browser: Client, node: Sandbox, carol: User
) -> None:
    connect(carol, node.add_key(node.add_user("carol")))
    for _ in range(3):
        create(browser)

    assert 'id="key-created"' in create(signed_in(carol)).content.decode()
    assert sent(node, "POST") == 3


def test_a_clock_set_back_by_a_day_makes_nobody_wait_for_a_day(alice: User) -> None:
    actor = Actor(alice, "192.0.2.1", "made-by-a-test")
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for number in range(2):
            record_action(
                Actor(alice, "192.0.2.1", f"request-{number}"), Action.KEY_CREATE_REQUESTED
            )
        with pytest.raises(throttles.TooOften):
            throttles.check(actor, Action.KEY_CREATE_REQUESTED)
        clock.shift(timedelta(hours=-26))

        throttles.check(actor, Action.KEY_CREATE_REQUESTED)


def test_nobody_is_told_to_wait_longer_than_a_minute(browser: Client, node: Sandbox) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        create(browser)
        create(browser)
        clock.shift(-4)  # within what the clocks of two machines may differ

        assert "Try again in 60 seconds." in create(browser).content.decode()
