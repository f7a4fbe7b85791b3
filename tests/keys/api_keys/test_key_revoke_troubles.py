"""Revoking one key when Estuary fails, lies or is busy: only what the list proves is reported."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.audit.vocabulary import Action
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.api_keys.test_key_revoke import url_of
from tests.keys.evidence import audited, labels_at, last_row, words_of


def test_a_200_without_effect_is_reported_as_still_listed(
    browser: Client, node: Sandbox, backup: str
) -> None:
    node.set_fault("revoke", Fault("silent-ok"))

    page = words_of(browser.post(url_of(backup), follow=True))

    assert "is not revoked: Estuary still lists it." in page
    assert audited()[-1] == ("key:revoked", "failed")
    assert "backup" in labels_at(node)


@pytest.mark.parametrize("fault", ["reset-after", "500-after"])
def test_a_lost_answer_is_settled_by_the_list(
    browser: Client, node: Sandbox, backup: str, fault: str
) -> None:
    node.set_fault("revoke", Fault(fault))

    page = words_of(browser.post(url_of(backup), follow=True))

    assert "Revoked" in page
    assert audited()[-1] == ("key:revoked", "done")
    assert labels_at(node) == ["console"]


@pytest.mark.parametrize("fault", ["reset-before", "500", "never", "html"])
def test_a_failed_revocation_is_reported_with_its_reason(
    browser: Client, node: Sandbox, backup: str, settings: Any, fault: str
) -> None:
    settings.ESTUARY_TIMEOUT = 1 if fault == "never" else 10
    node.set_fault("revoke", Fault(fault))

    page = words_of(browser.post(url_of(backup), follow=True))

    assert "is not revoked: Estuary still lists it. " in page
    assert "Estuary" in page.split("still lists it.")[1][:60]
    assert "may have carried it out" not in page
    assert sum(request.method == "DELETE" for request in node.requests) == 1


@pytest.mark.parametrize("answer", ["reset-after", None])
def test_without_a_list_afterwards_the_outcome_is_unknown(
    browser: Client, node: Sandbox, backup: str, answer: str | None
) -> None:
    if answer:
        node.set_fault("revoke", Fault(answer))
    node.state.on_change = lambda *_: node.set_fault("list", Fault("500"))

    response = browser.post(url_of(backup))
    node.clear_faults()

    page = words_of(browser.get(response["Location"]))
    assert "We do not know whether" in page
    assert audited()[-1] == ("key:revoked", "unknown")


def test_a_list_with_unreadable_rows_proves_nothing(
    browser: Client, node: Sandbox, account: Account, backup: str
) -> None:
    node.state.keys[node.add_key(account)].row = b'{"tokenHash":"x"}'

    page = words_of(browser.post(url_of(backup), follow=True))

    assert "We do not know whether" in page
    assert "list could not be read whole." in page


def test_a_busy_node_revokes_nothing_and_says_when_to_retry(
    browser: Client, node: Sandbox, backup: str
) -> None:
    node.set_fault("revoke", Fault("429", retry_after=9))

    response = browser.post(url_of(backup))

    assert response.status_code == 429
    assert response["Retry-After"] == "9"
    assert "Nothing was changed." in words_of(response)
    assert last_row(Action.KEY_REVOKED).detail == {"result": "failed", "reason": "rate-limited"}


def test_estuary_down_revokes_nothing(browser: Client, node: Sandbox, backup: str) -> None:
    node.stop()

    response = browser.post(url_of(backup))

    assert response.status_code == 502
    assert audited()[-1] == ("key:revoked", "failed")


@pytest.mark.parametrize("fault", ["500", "429", "truncated"])
def test_nobody_writes_into_the_history_of_a_key_they_do_not_hold(
    browser: Client, node: Sandbox, carol: User, backup: str, fault: str
) -> None:
    connect(carol, node.add_key(node.add_user("carol")))
    stranger = signed_in(carol)
    node.set_fault("list", Fault(fault))

    stranger.post(url_of(backup))

    row = last_row(Action.KEY_REVOKED)
    assert (row.actor, row.token_hash, row.detail["asked_for"]) == (
        carol,
        "",
        hash_of(backup)[:8],
    )
    node.clear_faults()
    assert "carol" not in words_of(browser.get(f"/keys/{hash_of(backup)}/"))
