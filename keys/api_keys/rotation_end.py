"""Ending the key that another one has replaced: by the member now, or by the worker in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken
from keys.actors import Actor
from keys.api_keys import key_lists, revoke
from keys.api_keys.revoke_outcome import ENDED, Revocation
from keys.api_keys.rotations import attempt_time, deadline_of, successors_of
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.jobs import claims
from keys.jobs.workers import nobody_holds
from keys.models import OffBoarding, Rotation, StoredToken
from keys.models.rotations import PASTED
from keys.notices import rotating
from keys.notices.outbox import enqueue
from keys.token.replacing import adopt
from keys.token.stored_tokens import client_for
from keys.upstream import UpstreamError

State, Need = Rotation.State, Rotation.Need


class NotEnded(Exception):
    """Estuary has not confirmed yet that the old key is gone; the worker tries again later."""


class BeingEnded(Exception):
    """The worker is at work on this rotation, or it is over: it cannot be changed now."""

    sentence = "The old key is being ended at this moment. Look again in a minute."


class UsedByConsole(Exception):
    """The console works with the old key: only the revoke page asks whether that one may end."""

    sentence = (
        "This console works with this key, so the key was not ended. Revoke it here if you want "
        "to disconnect this console."
    )


class NotLater(Exception):
    """An extension that would end the old key no later than planned."""

    sentence = (
        "That is not later than the end that is planned. Choose a longer time, or end the old key "
        "now."
    )


class PastDeadline(NotLater):
    """An extension beyond the time by which an admin wants the old key rotated or revoked."""

    sentence = (
        "The old key cannot work longer: an admin asked for its rotation by then, or it is revoked."
    )


def end_now(
    actor: Actor, stored: StoredToken, rotation: Rotation, *, timeout: float | None = None
) -> Revocation:
    """End the old key at once, for its member; what is not confirmed is left to the worker.

    Raises UsedByConsole and BeingEnded, and UpstreamError or TooOften when nothing was done yet.
    """
    # A sealed candidate is a change to the new key that is under way: `_change` tells it.
    if rotation.old_hash == stored.token_hash and not rotation.sealed_candidate:
        raise UsedByConsole
    now = timezone.now()
    _change(rotation, ends_at=min(rotation.ends_at, now), due_at=now + attempt_time())
    result = revoke.revoke_key(actor, stored, rotation.old_hash, timeout=timeout)
    if result.outcome in ENDED:
        rows = Rotation.objects.filter(pk=rotation.pk, state__in=[State.OVERLAP, State.ENDED])
        rows.update(state=State.ENDED, ended_at=timezone.now(), due_at=None, need=Need.NONE)
        rotation.state = State.ENDED
    return result


def extend(actor: Actor, rotation: Rotation, overlap: timedelta) -> None:
    """Let the old key work for so long from now on, though not beyond its own end, or the time by
    which an admin wants it revoked.

    Raises BeingEnded, NotLater and PastDeadline.
    """
    rotation.deadline = deadline_of(rotation)
    wanted = min(timezone.now() + overlap, rotation.latest_end)
    ends_at = min(wanted, rotation.deadline or wanted)
    if ends_at <= rotation.ends_at:
        raise NotLater if wanted <= rotation.ends_at else PastDeadline
    with transaction.atomic():
        _change(rotation, ends_at=ends_at, due_at=ends_at)
        record_action(
            actor,
            Action.ROTATION_CHANGED,
            token_hash=rotation.old_hash,
            detail={"ends_at": ends_at.isoformat(timespec="seconds")},
        )


def _change(rotation: Rotation, **changes: datetime) -> None:
    """Change a rotation that no worker has claimed, and outdate a claim that is being made."""
    rows = Rotation.objects.filter(pk=rotation.pk, state=State.OVERLAP, keeps_old=False)
    rows = rows.filter(nobody_holds("claimed_by"), sealed_candidate="")
    if not rows.update(claims=F("claims") + 1, failures=0, **changes):
        raise BeingEnded
    for name, value in changes.items():
        setattr(rotation, name, value)


def end_due() -> None:
    """End every old key whose overlap is over; for the worker."""
    rows = Rotation.objects.filter(state=State.OVERLAP).select_related("creation", "member")
    claims.work_off(rows, _work)


def _work(row: Rotation) -> None:
    if OffBoarding.is_open_for(row.member_id):  # it ends the keys, with the token that it found
        claims.conclude(row, again_at=timezone.now() + attempt_time())
        return
    stored = StoredToken.objects.select_related("member").filter(member=row.member_id).first()
    if stored is None or row.member is None:
        _wait(row, Need.TOKEN)
        return
    actor = Actor.for_job("rotate", row.member)
    try:
        if row.sealed_candidate:
            stored = _adopted(actor, stored, row)
        if row.is_concluded:
            return
        if row.keeps_old:
            _finish_for_console(actor, stored, row)
        elif row.ends_at > timezone.now():
            claims.conclude(row, again_at=row.ends_at)
        else:
            _end(actor, stored, row)
    except UpstreamError as error:
        if not error.is_about_token:
            raise
        _wait(row, Need.VALID_TOKEN)
    except SealBroken:
        _wait(row, Need.VALID_TOKEN)


def _finish_for_console(actor: Actor, stored: StoredToken, row: Rotation) -> None:
    """Conclude a change to a key of the console's own, which leaves the old one to the member."""
    if row.reason == PASTED:
        claims.conclude(row, state=State.KEPT, need=Need.NONE)
        return
    # Nobody has the new token: its answer was lost, or its process ended before it was sealed.
    if row.new_hash:
        claims.confirm(row)
        if revoke.revoke_key(actor, stored, row.new_hash).outcome not in ENDED:
            raise NotEnded
    _keep_old(actor, row, "token-lost" if row.new_hash else "key-not-known")


def _adopted(actor: Actor, stored: StoredToken, row: Rotation) -> StoredToken:
    """Finish the exchange of the console's own token that a request began."""
    claims.confirm(row)
    try:
        return adopt(actor, stored, row)
    except UpstreamError as error:
        if not error.is_about_token:
            raise
        _keep_old(actor, row, "new-key-refused")
        return stored


def _end(actor: Actor, stored: StoredToken, row: Rotation) -> None:
    listed = key_lists.remember(stored, client_for(stored, actor).list_keys())
    old = listed.find(row.old_hash)
    if row.old_hash == stored.token_hash:
        _keep_old(actor, row, "used-by-console")
    elif listed.missing_own or (old is None and listed.doubt_about(row.old_hash)):
        raise NotEnded
    elif old is None and not _is_same_account(row, stored, listed):
        _wait(row, Need.SAME_ACCOUNT)
    elif old is None:
        _conclude_ended(actor, row)
    elif not _is_replaced(row, listed) and not old.is_expired(listed.node_now(timezone.now())):
        _keep_old(actor, row, "replacement-gone")
    else:
        claims.confirm(row)
        result = revoke.revoke_key(actor, stored, row.old_hash)
        after = key_lists.last_known(stored)
        if result.outcome not in ENDED or after is None or not after.find(stored.token_hash):
            raise NotEnded
        _conclude_ended(actor, row)


def _is_same_account(row: Rotation, stored: StoredToken, listed: key_lists.Snapshot) -> bool:
    """Whether this token lists the account that holds the old key."""
    return stored.token_hash == row.stored_hash or listed.find(row.new_hash) is not None


def _is_replaced(row: Rotation, listed: key_lists.Snapshot) -> bool:
    """Whether a key that came after the old one works: the new one, or one that replaced it."""
    now = listed.node_now(timezone.now())
    later = [row.new_hash, *(link.new_hash for link in successors_of(row.new_hash))]
    found = filter(None, map(listed.find, later))
    return any(not key.is_expired(now) for key in found)


def _conclude_ended(actor: Actor, row: Rotation) -> None:
    with transaction.atomic():
        claims.conclude(row, state=State.ENDED, ended_at=timezone.now(), need=Need.NONE)
        enqueue(actor.known_member, rotating.ended(row))


def _conclude_own_end(row: Rotation) -> None:
    """The old key has expired; a new one that the console was to take is left to the member."""
    is_left_over = bool(row.sealed_candidate or row.keeps_old)
    with transaction.atomic():
        claims.conclude(
            row,
            state=State.ENDED,
            ended_at=row.latest_end,
            reason="own-end",
            sealed_candidate="",
        )
        if is_left_over and row.member:
            enqueue(row.member, rotating.left_over(row))


def _keep_old(actor: Actor, row: Rotation, reason: str) -> None:
    """Leave the old key as it is, because without it something could stop working."""
    with transaction.atomic():
        claims.conclude(row, state=State.KEPT, reason=reason, need=Need.NONE, sealed_candidate="")
        record_action(
            actor, Action.ROTATION_STOPPED, token_hash=row.old_hash, detail={"reason": reason}
        )
        enqueue(actor.known_member, rotating.kept(row))


def _wait(row: Rotation, need: Rotation.Need) -> None:
    """Say once what is missing, and look again later; connecting a token wakes it too."""
    if row.latest_end <= timezone.now():
        _conclude_own_end(row)
        return
    is_news = row.need != need
    with transaction.atomic():
        again_at = claims.retry_at(row.failures)
        claims.conclude(row, again_at=again_at, failures=F("failures") + 1, need=need)
        if is_news:
            actor = Actor.for_job("rotate", row.member)
            record_action(
                actor, Action.ROTATION_WAITS, token_hash=row.old_hash, detail={"needs": need}
            )
        if is_news and row.member:
            enqueue(row.member, rotating.waits(row))
