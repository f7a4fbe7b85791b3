"""Admins ask members to rotate a key by a date; the worker acts when the date has passed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken
from keys.actors import Actor
from keys.api_keys import key_lists, revoke
from keys.api_keys.key_lists import Snapshot
from keys.api_keys.revoke_outcome import ENDED
from keys.api_keys.rotations import attempt_time, end_requests_for, is_being_replaced
from keys.api_keys.rows import name_of
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.jobs import claims
from keys.models import RotationRequest, SeenKey, StoredToken, SyncedAccount
from keys.notices import requested_rotations as notices
from keys.notices.outbox import enqueue
from keys.team.inventory import key_of
from keys.token.stored_tokens import client_for
from keys.upstream import ApiKey, UpstreamError

State = RotationRequest.State
JOB = "requested-rotations"
NOT_CONNECTED = "The member is not connected, so the console cannot revoke the key."
OTHER_ACCOUNT = "Another token is connected, which does not list the key."
UNREADABLE = "The stored token cannot be opened with this server's sealing keys."


class CannotAsk(Exception):
    """No rotation of this key can be asked for now; nothing was written."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(sentence)


class NotRevoked(Exception):
    """Estuary has not confirmed yet that the key is gone; the worker tries again later."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An admin's request; with `revokes` the worker revokes the key after the deadline."""

    reason: str
    deadline: datetime
    revokes: bool


def reason_against(seen: SeenKey) -> str:
    """Why no rotation of this key can be asked for, as a sentence; "" when it can."""
    if seen.is_session:
        return "Estuary made this key at a sign-in of its own. It is not rotated."
    if seen.expiry <= timezone.now() + seen.account.clock_ahead:
        return "This key has ended. There is nothing to rotate."
    if not seen.account.member.is_active:
        return "The member is disabled and cannot rotate a key. Off-board the member instead."
    if is_being_replaced(seen.token_hash):
        return "The member is replacing this key already."
    return ""


def requested_rotation_of(member: User, token_hash: str) -> RotationRequest | None:
    """The open request to this member for this key, or None."""
    return RotationRequest.objects.filter(
        member=member, token_hash=token_hash, state=State.OPEN
    ).first()


def ask(actor: Actor, seen: SeenKey, wish: Wish) -> RotationRequest:
    """Ask the member for a rotation; replaces an open request for it. Raises CannotAsk."""
    member, admin = seen.account.member, actor.known_member
    with transaction.atomic():
        seen.account.member = User.objects.select_for_update().get(pk=member.pk)
        if reason := reason_against(seen):
            raise CannotAsk(reason)
        _close(member, seen.token_hash)
        row = RotationRequest.objects.create(
            member=member,
            asked_by=admin,
            asked_by_name=admin.get_username(),
            token_hash=seen.token_hash,
            stored_hash=seen.account.token_hash,
            reason=wish.reason,
            deadline=wish.deadline,
            revokes=wish.revokes,
            due_at=wish.deadline,
        )
        record_action(
            actor.for_member(member, wish.reason),
            Action.ROTATION_ASKED_FOR,
            token_hash=seen.token_hash,
            detail=_facts(row),
        )
        enqueue(member, notices.asked(row, _name(key_of(seen))))
    return row


def _facts(row: RotationRequest) -> dict[str, str]:
    then = "revoke" if row.revokes else "finding"
    return {"deadline": row.deadline.isoformat(timespec="seconds"), "then": then}


def withdraw(actor: Actor, seen: SeenKey) -> bool:
    """Withdraw the open request for a key, and tell the member; False when there is none."""
    member = seen.account.member
    with transaction.atomic():
        row = requested_rotation_of(member, seen.token_hash)
        if row is None or not _close(member, seen.token_hash):
            return False
        record_action(
            actor.for_member(member, ""), Action.ROTATION_WITHDRAWN, token_hash=seen.token_hash
        )
        enqueue(member, notices.withdrawn(row, _name(key_of(seen)), actor.known_member))
    return True


def _close(member: User, token_hash: str) -> int:
    """A worker that is about to revoke the key finds its claim outdated."""
    rows = RotationRequest.objects.filter(member=member, token_hash=token_hash, state=State.OPEN)
    return rows.update(
        state=State.WITHDRAWN, ended_at=timezone.now(), due_at=None, claims=F("claims") + 1
    )


def work_off_deadlines() -> None:
    """Act on every request whose deadline has passed; for the worker."""
    rows = RotationRequest.objects.filter(state=State.OPEN).select_related("member")
    claims.work_off(rows, _work)


def _work(row: RotationRequest) -> None:
    if is_being_replaced(row.token_hash):  # it fulfils the request as soon as its key exists
        claims.conclude(row, again_at=timezone.now() + attempt_time())
        return
    if not row.revokes:
        _tell_overdue(row)
        return
    stored = StoredToken.objects.select_related("member").filter(member=row.member_id).first()
    if stored is None:
        _wait(row, NOT_CONNECTED)
        return
    try:
        _revoke(row, stored)
    except UpstreamError as error:
        if not error.is_about_token:
            raise
        _wait(row, error.what)
    except SealBroken:
        _wait(row, UNREADABLE)


def _tell_overdue(row: RotationRequest) -> None:
    """The request stays open: a finding until the key is rotated, revoked or gone."""
    with transaction.atomic():
        claims.conclude(row)
        _record_overdue(row)
        enqueue(row.member, notices.overdue(row, _name_of_seen(row)))


def _record_overdue(row: RotationRequest) -> None:
    record_action(
        Actor.for_job(JOB, row.member),
        Action.ROTATION_OVERDUE,
        token_hash=row.token_hash,
        detail=_facts(row),
    )


def _wait(row: RotationRequest, trouble: str) -> None:
    """Keep what is missing for the admins' pages, and try again later."""
    is_news = row.trouble != trouble
    with transaction.atomic():
        again_at = claims.retry_at(row.failures)
        claims.conclude(row, again_at=again_at, failures=F("failures") + 1, trouble=trouble[:300])
        if is_news:
            _record_overdue(row)


def _revoke(row: RotationRequest, stored: StoredToken) -> None:
    actor = replace(Actor.for_job(JOB, row.member), given_reason=row.reason)
    listed = key_lists.remember(stored, client_for(stored, actor).list_keys())
    key = listed.find(row.token_hash)
    if key is None and stored.token_hash != row.stored_hash:
        _wait(row, OTHER_ACCOUNT)
    elif key is None and listed.doubt_about(row.token_hash):
        raise NotRevoked
    elif key is None:
        _conclude_ended(row)  # perhaps by a worker that was killed before it could write it
    else:
        claims.confirm(row)
        if revoke.revoke_key(actor, stored, row.token_hash).outcome not in ENDED:
            raise NotRevoked
        _conclude_ended(row)


def _conclude_ended(row: RotationRequest) -> None:
    name = _name_of_seen(row)
    with transaction.atomic():
        claims.conclude(row, state=State.ENDED, ended_at=timezone.now(), trouble="")
        SeenKey.objects.filter(account__member=row.member, token_hash=row.token_hash).delete()
        enqueue(row.member, notices.ended(row, name))


def _name(key: ApiKey) -> str:
    return name_of(key, key.token_hash)


def _name_of_seen(row: RotationRequest) -> str:
    seen = SeenKey.objects.filter(account__member=row.member, token_hash=row.token_hash).first()
    return name_of(key_of(seen) if seen else None, row.token_hash)


def forget_missing(account: SyncedAccount, listed: Snapshot) -> None:
    """Conclude the requests for keys that were revoked outside this console."""
    found = RotationRequest.objects.filter(member=account.member_id, state=State.OPEN)
    hashes = found.filter(stored_hash=account.token_hash).values_list("token_hash", flat=True)
    gone = [one for one in hashes if not listed.find(one) and not listed.doubt_about(one)]
    if gone:
        end_requests_for(gone)
