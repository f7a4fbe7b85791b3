"""Audit rows outlive the members they name, and hold no more than they should."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from keys.actors import Actor
from keys.audit import rows as audit_rows
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.models import AuditEntry

HASH = "h" * 43


def test_a_row_says_who_did_what_for_whom_from_where(alice: User, carol: User) -> None:
    entry = record_action(
        Actor(carol, "192.0.2.1", "request-1"),
        Action.EXPORT_STARTED,
        Outcome.STARTED,
        token_hash=HASH,
        on_behalf_of=alice,
        detail={"bytes": 5},
    )

    assert str(entry) == "export:started started"
    assert (entry.actor, entry.on_behalf_of) == (carol, alice)
    assert (entry.address, entry.request_id) == ("192.0.2.1", "request-1")
    assert entry.fingerprint == "hhhhhhhh"
    assert entry.detail == {"bytes": 5}


def test_a_row_names_the_member_after_the_member_is_deleted(alice: User) -> None:
    record_action(Actor(alice, "", ""), Action.SIGNED_IN, on_behalf_of=alice)

    alice.delete()

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.on_behalf_of) == (None, None)
    assert (entry.actor_name, entry.on_behalf_of_name) == ("alice", "alice")


@pytest.mark.django_db
def test_an_act_of_nobody_signed_in_is_recorded() -> None:
    entry = record_action(Actor(None, "192.0.2.1", ""), Action.SIGN_IN_FAILED)

    assert (entry.actor, entry.actor_name) == (None, "")


@pytest.mark.django_db
def test_a_refusal_is_recorded_as_refused_and_an_act_as_done() -> None:
    nobody = Actor(None, "", "")

    assert record_action(nobody, Action.ACCESS_DENIED).outcome == Outcome.REFUSED
    assert record_action(nobody, Action.SIGNED_OUT).outcome == Outcome.DONE


def test_a_job_is_named_instead_of_the_member_it_serves(alice: User) -> None:
    entry = record_action(Actor.for_job("rotation", alice), Action.KEY_REVOKED, token_hash=HASH)

    assert (entry.actor, entry.actor_name, entry.job) == (None, "", "rotation")
    assert (entry.on_behalf_of, entry.on_behalf_of_name) == (alice, "alice")
    [row] = audit_rows.of_key(HASH)
    assert (row.actor, row.on_behalf_of) == ("Worker (rotation)", "alice")


@pytest.mark.django_db
def test_an_action_that_the_vocabulary_lacks_is_recorded_as_it_is() -> None:
    entry = record_action(Actor(None, "", ""), "later:action", token_hash=HASH)

    assert (entry.action, entry.outcome) == ("later:action", Outcome.DONE)
    [row] = audit_rows.of_key(HASH)
    assert row.action_text == "later:action"


def test_a_key_shows_its_last_rows_newest_first(alice: User) -> None:
    actor = Actor(alice, "192.0.2.1", "")
    for _ in range(60):
        record_action(actor, Action.KEY_REVOKED, Outcome.FAILED, token_hash=HASH)
    record_action(actor, Action.KEY_REVOKED, token_hash=HASH)
    record_action(actor, Action.KEY_REVOKED, token_hash="x" * 43)

    rows = audit_rows.of_key(HASH)

    assert len(rows) == 50
    assert (rows[0].action_text, rows[0].outcome_text) == ("Key revoked", "Done")
    assert (rows[1].actor, rows[1].address) == ("alice", "192.0.2.1")


def test_a_keys_rows_leave_out_mere_requests(alice: User) -> None:
    actor = Actor(alice, "192.0.2.1", "")
    record_action(actor, Action.TOKEN_CONNECTED, token_hash=HASH)
    record_action(actor, Action.KEY_REVOKE_REQUESTED, Outcome.STARTED, token_hash=HASH)

    assert [row.action_text for row in audit_rows.of_key(HASH)] == ["Token connected"]


def test_a_token_in_a_fact_or_a_reason_is_masked(alice: User) -> None:
    token = "EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY"
    actor = Actor(alice, "", "").for_member(alice, f"found {token} in a wiki")

    entry = record_action(actor, Action.TEAM_DOWNLOADED, detail={"q": token, "count": 3})

    assert entry.detail == {"q": "EST…", "count": 3, "given_reason": "found EST… in a wiki"}
