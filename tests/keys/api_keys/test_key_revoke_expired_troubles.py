"""Revoking all expired keys when Estuary fails, lies, is busy or slow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import time_machine
from django.test import Client
from django.utils import timezone

from keys.models import AuditEntry, BulkChange
from keys.sandbox import Fault, Sandbox
from tests.keys.api_keys.test_key_revoke_expired import URL, answer, deletes
from tests.keys.evidence import labels_at, words_of


def test_a_200_without_effect_is_reported_as_still_listed(
    browser: Client, node: Sandbox, expired: list[str]
) -> None:
    node.set_fault("revoke", Fault("silent-ok"))

    page = answer(browser)

    assert "0 of 3 keys revoked" in page
    assert page.count("Still listed") == 3
    assert AuditEntry.objects.filter(action="key:revoked", outcome="failed").count() == 3


def test_one_lost_answer_does_not_stop_the_others(
    browser: Client, node: Sandbox, expired: list[str]
) -> None:
    node.set_fault("revoke", Fault("500-after", times=1))

    page = answer(browser)

    assert "3 of 3 keys revoked" in page
    assert labels_at(node) == ["console", "session", "works"]


def test_a_busy_node_is_asked_once_and_the_other_keys_are_reported(
    browser: Client, node: Sandbox, expired: list[str]
) -> None:
    node.set_fault("revoke", Fault("429"))

    page = answer(browser)

    assert "0 of 3 keys revoked" in page
    assert page.count("Failed") == 3
    assert "Estuary is busy" in page
    assert 1 <= len(deletes(node)) <= 3  # in flight when the first was refused


def test_without_a_list_afterwards_the_outcome_is_unknown(
    browser: Client, node: Sandbox, expired: list[str]
) -> None:
    node.state.on_change = lambda *_: node.set_fault("list", Fault("500"))

    page = answer(browser)

    assert "0 of 3 keys revoked" in page
    assert page.count("Unknown") == 3
    assert "Failed" not in page
    assert AuditEntry.objects.filter(action="key:revoked", outcome="unknown").count() == 3


def test_keys_for_which_no_time_was_left_can_be_continued(
    browser: Client, node: Sandbox, expired: list[str], settings: Any
) -> None:
    settings.ESTUARY_TIMEOUT = 1
    node.set_fault("revoke", Fault("delay", seconds=2))

    page = answer(browser)

    assert "of 3 keys revoked" in page
    assert "Estuary did not answer in time" in page
    assert "Try the failed keys again" in page

    node.clear_faults()
    settings.ESTUARY_TIMEOUT = 3
    answer(browser)
    assert labels_at(node) == ["console", "session", "works"]


def test_estuary_down_revokes_nothing(browser: Client, node: Sandbox, expired: list[str]) -> None:
    browser.get(URL)
    node.stop()

    page = answer(browser)

    assert "0 of 3 keys revoked" in page
    assert page.count("Failed") == 3
    assert "Estuary could not be reached" in page


def test_without_a_fresh_list_nothing_is_begun(
    browser: Client, node: Sandbox, expired: list[str]
) -> None:
    browser.get(URL)
    node.stop()

    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        response = browser.post(URL)

    assert not BulkChange.objects.exists()
    assert "Nothing was changed. Estuary could not be reached" in words_of(response)
