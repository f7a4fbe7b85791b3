"""Audit rows outlive those they speak of, and hold no more than they should."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from keys.actors import Actor
from keys.audit import rows as audit_rows
from keys.audit import trail
from keys.audit.rows import WORDS
from keys.audit.trail import Action
from keys.models import AuditEntry

HASH = "h" * 43


def test_a_row_says_who_did_what_for_whom_from_where(alice: User, carol: User) -> None:
    entry = trail.record(
        Actor(carol, "192.0.2.1", "request-1"),
        Action.EXPORT_STARTED,
        trail.Outcome.STARTED,
        token_hash=HASH,
        on_behalf_of=alice,
        detail={"bytes": 5},
    )

    assert str(entry) == "export:started started"
    assert (entry.actor, entry.on_behalf_of) == (carol, alice)
    assert (entry.address, entry.request_id) == ("192.0.2.1", "request-1")
    assert entry.fingerprint == "hhhhhhhh"
    assert entry.detail == {"bytes": 5}


def test_a_row_still_says_who_when_the_member_is_gone(alice: User) -> None:
    trail.record(Actor(alice, "", ""), Action.SIGNED_IN, on_behalf_of=alice)

    alice.delete()

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.on_behalf_of) == (None, None)
    assert (entry.actor_name, entry.on_behalf_of_name) == ("alice", "alice")


@pytest.mark.django_db
def test_nobody_in_particular_can_be_recorded() -> None:
    entry = trail.record(Actor(None, "192.0.2.1", ""), Action.SIGN_IN_FAILED)

    assert (entry.actor, entry.actor_name) == (None, "")


def test_every_action_has_its_words() -> None:
    assert set(WORDS) == set(Action)


def test_a_key_shows_its_last_rows_newest_first(alice: User) -> None:
    actor = Actor(alice, "192.0.2.1", "")
    for _ in range(60):
        trail.record(actor, Action.KEY_REVOKED, trail.Outcome.FAILED, token_hash=HASH)
    trail.record(actor, Action.KEY_REVOKED, token_hash=HASH)
    trail.record(actor, Action.KEY_REVOKED, token_hash="x" * 43)

    rows = audit_rows.of_key(HASH)

    assert len(rows) == 50
    assert (rows[0].action_text, rows[0].outcome_text) == ("Key revoked", "Done")
    assert (rows[1].actor, rows[1].address) == ("alice", "192.0.2.1")


def test_a_keys_rows_do_not_tell_who_merely_asked(alice: User) -> None:
    actor = Actor(alice, "192.0.2.1", "")
    trail.record(actor, Action.TOKEN_CONNECTED, token_hash=HASH)
    trail.record(actor, Action.KEY_REVOKE_REQUESTED, trail.Outcome.STARTED, token_hash=HASH)

    assert [row.action_text for row in audit_rows.of_key(HASH)] == ["Token connected"]
