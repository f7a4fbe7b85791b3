"""The purpose given for a new key becomes its note, also when the answer was lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.api_keys.lost_creations import reconcile_overdue
from keys.models import KeyCreation, KeyNote
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.keys.policy.test_key_create import submit


def test_the_purpose_becomes_the_note_of_the_key(browser: Client) -> None:
    page = submit(browser, purpose="nightly backups")

    note = KeyNote.objects.get()
    assert note.purpose == "nightly backups"
    assert note.token_hash == KeyCreation.objects.get().token_hash
    assert note.token_hash in page.content.decode()
    assert "nightly backups" in browser.get("/keys/").content.decode()


def test_a_key_without_purpose_has_no_note(browser: Client) -> None:
    submit(browser)

    assert not KeyNote.objects.exists()


def test_the_purpose_of_a_key_whose_answer_was_lost_is_kept(browser: Client, node: Sandbox) -> None:
    node.set_fault("create", Fault("reset-after"))

    submit(browser, purpose="nightly backups")

    assert KeyNote.objects.get().purpose == "nightly backups"


def test_the_purpose_of_a_key_that_a_job_finds_later_is_kept(
    browser: Client, node: Sandbox, account: Account, alice: User
) -> None:
    ago = timedelta(minutes=5)
    token = node.add_key(account, label="ci-backup", lifetime=timedelta(days=30) - ago)
    KeyCreation.objects.create(
        nonce="n",
        member=alice,
        member_name="alice",
        label="ci-backup",
        permission="upload",
        lifetime=timedelta(days=30),
        purpose="nightly backups",
        requested_at=timezone.now() - ago,
    )

    reconcile_overdue()

    assert KeyNote.objects.get(token_hash=hash_of(token)).purpose == "nightly backups"


@pytest.mark.parametrize("name", ["purpose", "label"])
def test_a_token_as_purpose_is_refused(
    browser: Client, node: Sandbox, token: str, name: str
) -> None:
    response: Any = submit(browser, **{name: token})

    assert "looks like the token of a key" in response.content.decode()
    assert token not in response.content.decode()
    assert not KeyCreation.objects.exists()
