"""Off-boarding: the worker ends a member's access step by step, and can resume at each step.

The member is disabled first, so that nobody creates keys during it; the stored token goes last,
because revoking needs it. Each step may run twice: what is done already stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.security import member_sessions
from estuary_admin.security.models import MemberSession
from keys.actors import Actor
from keys.api_keys import key_lists, rotations
from keys.api_keys.revoke import AUDIT_OUTCOMES
from keys.api_keys.revoke_outcome import ENDED, Outcome, Revocation, judged
from keys.audit import chain
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.exports import leases
from keys.jobs import claims
from keys.models import (
    KeyCreation,
    OffBoardedKey,
    OffBoarding,
    PreparedExport,
    Reminders,
    Rotation,
    SeenKey,
    StoredToken,
)
from keys.models.inventory import MAX_LABEL
from keys.models.rotations import OFF_BOARDED
from keys.notes.services import note_of, save_note, text_of
from keys.team.unconfirmed_keys import has_unresolved_creation, keys_not_known_to_have_ended
from keys.token.stored_tokens import client_for, disconnect_token, forget_list
from keys.upstream import ApiKey, TokenExpired, TokenRejected, UpstreamError

JOB = "off-board"
KEYS_PER_ROUND = 50
CHANGED_MEANWHILE = "The member's stored token was replaced or disconnected meanwhile."
IN_PROGRESS = "An off-boarding of this member is in progress already. Nothing was started."
State, Step = OffBoarding.State, OffBoarding.Step
KeyOutcome = OffBoardedKey.Outcome


class CannotStart(Exception):
    """No off-boarding was started; the message is a sentence for admins."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(sentence)


class NotConfirmed(Exception):
    """Estuary does not confirm that all keys have ended; the message is a sentence for admins."""


def run_due() -> None:
    """Go on with every off-boarding that is due."""
    claims.work_off(OffBoarding.objects.select_related("member", "successor"), _run)


def _run(row: OffBoarding) -> None:
    _save(row, state=State.RUNNING)
    try:
        while row.step < Step.REPORT:
            STEPS[row.step](row)
            _save(row, step=row.step + 1, trouble="")
    except UpstreamError as error:
        _try_later(row, error.what)
    except NotConfirmed as trouble:
        _try_later(row, str(trouble))
    else:
        _finish(row)


def _save(row: OffBoarding, **changes: Any) -> None:
    """Write under the claim; raises ClaimLost when another worker has the row."""
    claims.confirm(row)
    rows = OffBoarding.objects.filter(pk=row.pk, claims=row.claims)
    if not rows.update(**changes):
        raise claims.ClaimLost
    for name, value in changes.items():
        setattr(row, name, value)


def _try_later(row: OffBoarding, sentence: str) -> None:
    with transaction.atomic():
        fresh = OffBoarding.objects.select_for_update().get(pk=row.pk)
        # An admin may have given up during this try, which did not know it.
        is_news = fresh.gives_up and not row.gives_up
        claims.conclude(
            row,
            again_at=timezone.now() if is_news else claims.retry_at(row.failures),
            failures=row.failures + 1,
            trouble=sentence[:300],
        )


def _actor(row: OffBoarding) -> Actor:
    return replace(Actor.for_job(JOB, row.member), given_reason=row.reason)


def _lock(row: OffBoarding) -> None:
    """Disable the member, and then end everything that works without a key."""
    member = row.member
    if member is None:
        return
    with transaction.atomic():
        sessions = len(member_sessions.living(member))
        _save(row, sessions_ended=max(row.sessions_ended, sessions))
        Reminders.objects.filter(member=member).update(
            feed_hash=None, feed_secret="", webhook_url="", webhook_secret=""
        )
        if member.is_active:
            member.is_active = False
            member.save(update_fields=["is_active"])
            record_action(_actor(row), Action.SWITCHED_OFF)
    member_sessions.end(MemberSession.objects.filter(member=member))
    _end_exports(row, member)


def _end_exports(row: OffBoarding, member: User) -> None:
    from keys.exports import prepared  # it imports the tasks, which import this module

    for lease in leases.stoppable_by(member):
        leases.ask_to_stop(lease)
    unfinished = PreparedExport.objects.filter(state__in=PreparedExport.UNFINISHED)
    for export in unfinished.filter(member=member):
        prepared.cancel(_actor(row), export)


def _end_keys(row: OffBoarding) -> None:
    """Revoke all keys but the kept ones and the console's own, until Estuary lists none."""
    stored = _stored_token(row)
    if row.gives_up or stored is None:
        _note_unconfirmed(row)
        return
    _require_no_creation(row)
    _note_own_key(row, stored)
    try:
        while todo := _keys_left(row, stored):
            _require_same_token(row, stored)
            _revoke(row, stored, todo[:KEYS_PER_ROUND])
    except SealBroken:
        raise NotConfirmed("The stored token cannot be opened with this server's keys.") from None
    _require_same_token(row, stored)
    _save(row, is_list_settled=True)


def _note_own_key(row: OffBoarding, stored: StoredToken) -> None:
    """The key that is spared here is confirmed only once it has ended too, whichever token is
    stored by then.
    """
    if stored.token_hash not in row.keep:
        key = _as_seen(row, stored.token_hash)
        _note(row, [key], KeyOutcome.UNCONFIRMED)


def _require_same_token(row: OffBoarding, stored: StoredToken) -> None:
    found = _stored_token(row)
    if found is None or found.token_hash != stored.token_hash:
        raise NotConfirmed(CHANGED_MEANWHILE)


def _require_no_creation(row: OffBoarding) -> None:
    """A key that the member asked for before being disabled may not be in Estuary's list yet."""
    open_ones = KeyCreation.objects.filter(
        member=row.member_id, outcome=KeyCreation.Outcome.REQUESTED
    )
    patience = timedelta(seconds=settings.ESTUARY_TIMEOUT)
    if any(not one.is_overdue(patience) for one in open_ones):
        raise NotConfirmed("A key of the member is being created.")


def _stored_token(row: OffBoarding) -> StoredToken | None:
    found = StoredToken.objects.filter(member_id=row.member_id or 0).select_related("member")
    return found.first()


def _keys_left(row: OffBoarding, stored: StoredToken) -> list[ApiKey]:
    client = client_for(stored, _actor(row))
    listed = key_lists.remember(stored, client.list_keys())
    spared = {*row.keep, stored.token_hash}
    left = [key for key in listed.keys if key.token_hash not in spared]
    doubt = _doubt_about(row, stored, listed)
    if not doubt:
        _settle(row, {key.token_hash for key in listed.keys})
    if not left and doubt:
        raise NotConfirmed(doubt)
    return left


def _doubt_about(row: OffBoarding, stored: StoredToken, listed: key_lists.Snapshot) -> str:
    """The reason why keys that are missing in a list may still exist; "" without one."""
    if listed.unreadable:
        return "Estuary's list could not be read whole."
    # Somebody else has just ended the token; or this off-boarding has.
    if listed.missing_own and not _has_begun_own_end(row, stored):
        return "Estuary's list does not hold the key of the member's stored token."
    former = row.keys.filter(outcome=KeyOutcome.UNCONFIRMED).exclude(token_hash=stored.token_hash)
    if not all(map(listed.find, former.values_list("token_hash", flat=True))):
        # It may be the list of another account.
        return "Estuary's list does not hold the key of the token that was stored before."
    return ""


def _has_begun_own_end(row: OffBoarding, stored: StoredToken) -> bool:
    """Whether an earlier try may have revoked the console's own key, which it notes before."""
    begun = row.keys.filter(token_hash=stored.token_hash).exclude(outcome=KeyOutcome.UNCONFIRMED)
    return row.step == Step.TOKEN and begun.exists()


def _settle(row: OffBoarding, listed: set[str]) -> None:
    """Record keys whose revocation was sent before this worker or another one was killed, and kept
    keys that have gone since the admin chose them.
    """
    _note(row, [_as_seen(row, one) for one in row.keep if one not in listed], KeyOutcome.REVOKED)
    open_ones = row.keys.filter(outcome=KeyOutcome.REQUESTED).values_list("token_hash", flat=True)
    gone = [one for one in open_ones if one not in listed]
    _record(row, [Revocation(one, Outcome.GONE) for one in gone])


def _as_seen(row: OffBoarding, token_hash: str) -> ApiKey:
    seen = SeenKey.objects.filter(account__member=row.member_id, token_hash=token_hash).first()
    return ApiKey(token_hash, seen.label if seen else "", timezone.now(), is_session=False)


def _revoke(row: OffBoarding, stored: StoredToken, keys: list[ApiKey]) -> None:
    """Revoke some keys, list again, and record what became of each."""
    claims.confirm(row)
    actor, hashes = _actor(row), [key.token_hash for key in keys]
    _note_asked(row, keys)
    record_action(
        actor, Action.KEY_REVOKE_REQUESTED, AuditOutcome.STARTED, detail={"count": len(keys)}
    )
    client = client_for(stored, actor)
    answers = dict(client.revoke_keys(hashes))
    forget_list(stored)
    after, trouble = None, None
    try:
        after = key_lists.remember(stored, client_for(stored, actor).list_keys())
    except UpstreamError as error:
        trouble = error
    results = [judged(one, answers[one], after, trouble) for one in hashes]
    _record(row, results)
    if trouble:
        raise trouble
    if not any(result.outcome in ENDED for result in results):
        raise NotConfirmed(results[0].sentence or "Estuary still lists keys that were revoked.")


def _record(row: OffBoarding, results: Iterable[Revocation]) -> None:
    actor = _actor(row)
    with transaction.atomic():
        for result in results:
            if result.outcome is Outcome.NOT_TRIED:
                continue
            record_action(
                actor,
                Action.KEY_REVOKED,
                AUDIT_OUTCOMES[result.outcome],
                token_hash=result.token_hash,
                detail={"result": result.outcome},
            )
            if result.outcome in ENDED:
                _ended(row, result.token_hash)


def _ended(row: OffBoarding, token_hash: str) -> None:
    row.keys.filter(token_hash=token_hash).update(outcome=KeyOutcome.REVOKED)
    SeenKey.objects.filter(account__member=row.member_id, token_hash=token_hash).delete()
    rotations.old_keys_ended([token_hash])


def _note_asked(row: OffBoarding, keys: list[ApiKey]) -> None:
    """Before it is sent, whatever was noted about the key before."""
    _note(row, keys, KeyOutcome.REQUESTED)
    hashes = [key.token_hash for key in keys]
    row.keys.filter(token_hash__in=hashes).update(outcome=KeyOutcome.REQUESTED)


def _note(row: OffBoarding, keys: Iterable[ApiKey], outcome: str) -> None:
    OffBoardedKey.objects.bulk_create(
        (
            OffBoardedKey(
                off_boarding=row,
                token_hash=key.token_hash,
                label=key.label.replace("\0", "")[:MAX_LABEL],
                outcome=outcome,
            )
            for key in keys
        ),
        ignore_conflicts=True,
    )


def _note_unconfirmed(row: OffBoarding) -> None:
    """Without a token, or a patient admin: what was there last is not known to have ended."""
    own = _stored_token(row)
    spared = {*row.keep, own.token_hash if own else ""}
    found = keys_not_known_to_have_ended(row.member_id or 0)
    keys = [key for key in found if key.token_hash not in spared]
    _note(row, keys, KeyOutcome.UNCONFIRMED)
    row.keys.filter(outcome=KeyOutcome.REQUESTED).update(outcome=KeyOutcome.UNCONFIRMED)


def _hand_over(row: OffBoarding) -> None:
    """Name the successor in the note of each kept key."""
    labels = dict(
        SeenKey.objects.filter(account__member=row.member_id).values_list("token_hash", "label")
    )
    gone = row.keys.filter(outcome=KeyOutcome.REVOKED).values_list("token_hash", flat=True)
    for token_hash in set(row.keep) - set(gone):
        with transaction.atomic():
            _note_successor(row, token_hash)
            OffBoardedKey.objects.update_or_create(
                off_boarding=row,
                token_hash=token_hash,
                defaults={"label": labels.get(token_hash, ""), "outcome": KeyOutcome.KEPT},
            )


def _note_successor(row: OffBoarding, token_hash: str) -> None:
    text = text_of(note_of(token_hash))
    sentence = f"Handed over from {row.member_name} on {row.started_at:%Y-%m-%d}: {row.reason}"
    if sentence in text.note:
        return
    former = f"Contact before: {text.contact}" if text.contact else ""
    # May be longer than the form of a note allows: what members wrote is never cut.
    longer = "\n".join(filter(None, (sentence, former, text.note)))
    changed = replace(text, contact=row.successor_name, note=longer)
    note = save_note(_actor(row), token_hash, changed)
    if note and row.successor:
        note.members.add(row.successor)


def _end_token(row: OffBoarding) -> None:
    """Revoke the console's own key, unless it is kept, and destroy the stored token."""
    stored = _stored_token(row)
    if stored is None:
        _close_rotations(row)
        return
    if not row.gives_up:
        _end_late_keys(row, stored)
    elif not row.is_list_settled:
        _note_unconfirmed(row)
    if stored.token_hash not in row.keep:
        _end_own_key(row, stored)
    claims.confirm(row)
    with transaction.atomic():
        _close_rotations(row)
        is_deleted = disconnect_token(_actor(row), stored)
    if not is_deleted and _stored_token(row):
        raise NotConfirmed("Another token of the member was stored meanwhile.")


def _close_rotations(row: OffBoarding) -> None:
    """Conclude what needs a token to go on, and destroy new tokens that the console was to take."""
    of_member = Rotation.objects.filter(member=row.member_id or 0)
    of_member.exclude(sealed_candidate="").update(sealed_candidate="")
    of_member.filter(state__in=[Rotation.State.REQUESTED, Rotation.State.OVERLAP]).update(
        state=Rotation.State.KEPT,
        reason=OFF_BOARDED,
        need=Rotation.Need.NONE,
        due_at=None,
        claimed_by=None,
        claims=F("claims") + 1,
    )


def _end_late_keys(row: OffBoarding, stored: StoredToken) -> None:
    """Keys that came to the account during the steps before."""
    was_settled = row.is_list_settled
    _save(row, is_list_settled=False)  # until this look has been whole too
    try:
        _end_keys(row)
    except (TokenRejected, TokenExpired):
        if not _has_begun_own_end(row, stored):
            raise
        # An earlier try was killed after that look and after it had revoked the console's own key.
        _save(row, is_list_settled=was_settled)


def _end_own_key(row: OffBoarding, stored: StoredToken) -> None:
    own = stored.token_hash
    _note_asked(row, [_as_seen(row, own)])
    try:
        _revoke_own(row, stored)
    except (TokenRejected, TokenExpired):
        # Estuary no longer knows the token: an earlier try was killed, or somebody else ended it.
        _record(row, [Revocation(own, Outcome.GONE)])
    except (UpstreamError, SealBroken, NotConfirmed) as error:
        is_final = row.gives_up or getattr(error, "is_about_token", False)
        if not is_final:
            raise
        row.keys.filter(token_hash=own).update(outcome=KeyOutcome.UNCONFIRMED)


def _revoke_own(row: OffBoarding, stored: StoredToken) -> None:
    claims.confirm(row)
    client = client_for(stored, _actor(row))
    answer = client.revoke_key(stored.token_hash)
    after, trouble = None, None
    try:
        after = key_lists.remember(stored, client.list_keys())
    except UpstreamError as error:
        trouble = error
    result = judged(stored.token_hash, answer, after, trouble)
    _record(row, [result])
    if result.outcome not in ENDED:
        raise NotConfirmed(result.sentence or "Estuary still lists the console's own key.")


def _finish(row: OffBoarding) -> None:
    """The last audit row, the head behind it, and the state, in one transaction."""
    with transaction.atomic():
        # The row before the audit's head, as `give_up` takes them: else each waits for the other.
        OffBoarding.objects.select_for_update().get(pk=row.pk)
        _report(row)


def _report(row: OffBoarding) -> None:
    counts = {outcome: row.keys.filter(outcome=outcome).count() for outcome in KeyOutcome}
    missing = counts[KeyOutcome.UNCONFIRMED] + counts[KeyOutcome.REQUESTED]
    is_confirmed = not missing and not _may_miss_keys(row)
    record_action(
        _actor(row),
        Action.OFF_BOARDING_FINISHED,
        AuditOutcome.DONE if is_confirmed else AuditOutcome.FAILED,
        detail={
            "revoked": counts[KeyOutcome.REVOKED],
            "kept": counts[KeyOutcome.KEPT],
            "not_confirmed": missing,
        },
    )
    claims.conclude(
        row,
        state=State.DONE if is_confirmed else State.FAILED,
        trouble="",
        ended_at=timezone.now(),
        audit_head=chain.current_head(),
    )


def _may_miss_keys(row: OffBoarding) -> bool:
    """Whether the account may have keys that have no row here."""
    if row.member is None:
        return True
    is_unknown = row.gives_up or has_unresolved_creation(row.member.pk)
    return is_unknown and not row.is_list_settled


STEPS: dict[int, Callable[[OffBoarding], None]] = {
    Step.LOCK: _lock,
    Step.KEYS: _end_keys,
    Step.HAND_OVER: _hand_over,
    Step.TOKEN: _end_token,
}


def start(
    actor: Actor, member: User, reason: str, keep: list[str], successor: User | None
) -> OffBoarding:
    """Queue the off-boarding of a member. Raises CannotStart."""
    with transaction.atomic():
        _check_start(actor.known_member, member)
        row = OffBoarding.objects.create(
            member=member,
            member_name=member.get_username(),
            started_by_name=actor.known_member.get_username(),
            reason=reason,
            keep=keep,
            successor=successor,
            successor_name=successor.get_username() if successor else "",
        )
        record_action(
            actor.for_member(member, reason),
            Action.OFF_BOARDING_STARTED,
            AuditOutcome.STARTED,
            detail={"keep": len(keep)},
        )
    return row


def _check_start(admin: User, member: User) -> None:
    """Both members are locked: two admins cannot off-board each other at once."""
    numbers = [admin.pk, member.pk]
    both = User.objects.select_for_update().filter(pk__in=numbers).order_by("pk")
    active = {one.pk: one.is_active for one in both}
    running = OffBoarding.objects.filter(state__in=OffBoarding.OPEN)
    if member.pk not in active:
        raise CannotStart("There is no such member any more.")
    if admin.pk == member.pk:
        raise CannotStart("Nobody can off-board themselves. Ask another admin.")
    if not active.get(admin.pk) or running.filter(member=admin).exists():
        raise CannotStart("You are being off-boarded yourself. Nothing was started.")
    if running.filter(member=member).exists():
        raise CannotStart(IN_PROGRESS)


def give_up(actor: Actor, row: OffBoarding) -> None:
    """Go on without Estuary: the token is destroyed, and what is not confirmed is named."""
    with transaction.atomic():
        rows = OffBoarding.objects.filter(pk=row.pk, state__in=OffBoarding.OPEN)
        if rows.filter(gives_up=False).update(gives_up=True, due_at=timezone.now()):
            record_action(actor, Action.OFF_BOARDING_GIVEN_UP, on_behalf_of=row.member)
