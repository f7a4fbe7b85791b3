"""The records of rotations: which key replaces which, and until when the old one works.

And the requests of admins that a key be rotated: where they are shown, and what fulfils them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from estuary_admin.storage.prepared_queries import PreparedQuery
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.fetched import ahead_of, clock_shift
from keys.jobs.workers import nobody_holds
from keys.models import KeyCreation, Rotation, RotationRequest, StoredToken
from keys.notes.services import copy_note
from keys.upstream import ApiKey, KeyList, fingerprint_of

State = Rotation.State
RequestState = RotationRequest.State

#: The key exists, and nobody has seen its token: the console makes its own keys without showing it.
TOKEN_LOST = {
    KeyCreation.Outcome.LOST,
    KeyCreation.Outcome.FOUND,
    KeyCreation.Outcome.UNLISTED,
}
#: After this time the list has told what it can about a new key.
GIVE_UP_AFTER = timedelta(minutes=30)
MAX_CHAIN_LENGTH = 50  # links that a page shows
_open_of_key = PreparedQuery(
    Rotation.objects.filter(old_hash="").filter(state__in=[State.REQUESTED, State.OVERLAP])
)
_revoking = PreparedQuery(
    RotationRequest.objects.filter(token_hash="")
    .filter(state=RequestState.OPEN, revokes=True)
    .order_by("deadline")
    .values_list("deadline")
)
_of_creation = PreparedQuery(Rotation.objects.filter(creation=0))


class CannotReplace(Exception):
    """This key cannot be replaced now; no key was made."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Replacement:
    """The key that a new one replaces, and for how long both work; zero: the old one ends now.

    With `keeps_old` the old one is not ended: only the console changes over to the new one.
    """

    token_hash: str
    overlap: timedelta = timedelta()
    keeps_old: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A rotation before its key is made."""

    old: ApiKey
    has_ended: bool
    requested_at: datetime
    ends_at: datetime
    latest_end: datetime
    keeps_old: bool
    deadline: datetime | None  # the old key is revoked then, unless it is rotated

    @property
    def is_exchange(self) -> bool:
        """Whether the account has as many keys afterwards; the policy counts them."""
        return not (self.has_ended or self.old.is_session or self.keeps_old)


def planned(wanted: Replacement, listed: KeyList, now: datetime) -> Plan:
    """When the old key ends: after the overlap, and never later than its own end, or than an admin
    wants it revoked.

    The node's clock decides whether it has ended already. Raises CannotReplace.
    """
    old = listed.find(wanted.token_hash)
    if old is None:
        raise CannotReplace("Estuary does not list the key that is to be replaced.")
    if (earlier := open_rotation_of(wanted.token_hash)) and not _given_up(earlier):
        raise CannotReplace(_already_replaced())
    ahead = ahead_of(listed.clock)
    has_ended = old.is_expired(now + ahead)
    # The node tells whole seconds: a small difference may be none.
    latest_end = now if has_ended else old.expiry - clock_shift(ahead)
    ends_at = latest_end if wanted.keeps_old else min(now + wanted.overlap, latest_end)
    is_long = ends_at > now and not wanted.keeps_old
    if deadline := revoking_deadline_for(wanted.token_hash) if is_long else None:
        ends_at = min(ends_at, max(deadline, now))
    return Plan(old, has_ended, now, ends_at, latest_end, wanted.keeps_old, deadline)


def _given_up(rotation: Rotation) -> bool:
    """End a rotation if nobody will ever know what became of its key: the old one stays."""
    stuck = Rotation.objects.filter(pk=rotation.pk, state=State.REQUESTED)
    if not rotation.creation.is_overdue(GIVE_UP_AFTER):
        return False
    return bool(stuck.update(state=State.KEPT, reason=KeyCreation.Outcome.UNKNOWN))


def claim_raced() -> CannotReplace:
    """Another form began to replace the same key since `planned` looked."""
    return CannotReplace(_already_replaced())


def _already_replaced() -> str:
    return "This key is being replaced already. Rotate the key that replaces it."


def add(actor: Actor, stored: StoredToken, record: KeyCreation, plan: Plan) -> Rotation:
    """Record a rotation that begins, in the transaction that claims its nonce."""
    rotation = Rotation.objects.create(
        creation=record,
        member=actor.known_member,
        old_hash=plan.old.token_hash,
        # PostgreSQL keeps no NUL, and some labels at Estuary have one.
        old_label=plan.old.label.replace("\0", "")[:200],
        old_expiry=plan.old.expiry,
        stored_hash=stored.token_hash,
        requested_at=plan.requested_at,
        ends_at=plan.ends_at,
        latest_end=plan.latest_end,
        keeps_old=plan.keeps_old,
        due_at=None,  # until it is known what became of the new key
    )
    rotation.deadline = plan.deadline
    return rotation


def state_after(rotation: Rotation, outcome: str) -> Rotation.State:
    """Only a new key that Estuary lists, and whose token was shown, lets the old one end."""
    if rotation.keeps_old and outcome in TOKEN_LOST:
        return State.OVERLAP  # the worker revokes the new key, whose token nobody has
    if outcome != KeyCreation.Outcome.CREATED:
        return State.KEPT
    has_ended = rotation.latest_end <= rotation.requested_at
    return State.RECREATED if has_ended else State.OVERLAP


def conclude_creation(actor: Actor, record: KeyCreation, outcome: str) -> bool:
    """Go on with a rotation, or end it, in the transaction that records what became of its key.

    Returns whether the creation was that of a rotation.
    """
    rotation = _of_creation.first(record.pk)
    if rotation is None or rotation.state != State.REQUESTED:
        return rotation is not None
    state = state_after(rotation, outcome)
    is_open = state is State.OVERLAP
    Rotation.objects.filter(pk=rotation.pk).update(
        state=state,
        due_at=first_look(rotation) if is_open else None,
        reason=outcome if state is State.KEPT else "",
    )
    record_action(
        actor,
        Action.KEY_RECREATED if state is State.RECREATED else Action.KEY_ROTATED,
        AuditOutcome.FAILED if state is State.KEPT else AuditOutcome.DONE,
        token_hash=rotation.old_hash,
        detail=_facts(rotation, record, is_open=is_open),
    )
    if state is not State.KEPT and not rotation.keeps_old:
        copy_note(actor, rotation.old_hash, record.token_hash)
        fulfil_requests_for(rotation.old_hash)
    return True


def _facts(rotation: Rotation, record: KeyCreation, *, is_open: bool) -> dict[str, str]:
    facts = {"replaced_by": fingerprint_of(record.token_hash)} if record.token_hash else {}
    if is_open:
        facts["ends_at"] = rotation.ends_at.isoformat(timespec="seconds")
    return facts


def first_look(rotation: Rotation) -> datetime:
    """When the worker looks at it: not while the request that made the key may still end the old
    one itself."""
    soon = timezone.now() + attempt_time()
    return soon if rotation.is_of_console else max(rotation.ends_at, soon)


def attempt_time() -> timedelta:
    """How long a request may be at work on a rotation that it has begun."""
    return timedelta(seconds=2 * settings.ESTUARY_TIMEOUT)


def open_rotation_of(old_hash: str) -> Rotation | None:
    """The rotation by which this key is being replaced now."""
    return _open_of_key.first(old_hash, State.REQUESTED.value, State.OVERLAP.value)


def is_being_replaced(token_hash: str) -> bool:
    """Whether a key that replaces this one is being made, or was made and both work.

    A key of the console's own counts only while it is being made: it leaves this one as it is.
    """
    rotation = open_rotation_of(token_hash)
    if rotation is None or rotation.has_overlap:
        return rotation is not None
    return not rotation.creation.is_overdue(GIVE_UP_AFTER)


@dataclass(frozen=True, slots=True)
class Tie:
    """How a key is tied to another one by a rotation while both work."""

    other_hash: str
    ends_at: datetime  # when the old one of the two ends
    is_replaced: bool  # this key is the old one

    @property
    def other_fingerprint(self) -> str:
        return fingerprint_of(self.other_hash)


def ties_of(token_hashes: Sequence[str]) -> dict[str, list[Tie]]:
    """The ties of the keys of one page, by hash, with one query; most keys have none."""
    if not token_hashes:
        return {}
    wanted = set(token_hashes)
    found: dict[str, list[Tie]] = {}
    for old, new, ends_at in _ties_query(len(token_hashes)).rows(
        State.OVERLAP.value, *token_hashes, *token_hashes
    ):
        if old in wanted:
            found.setdefault(old, []).append(Tie(new, ends_at, is_replaced=True))
        if new in wanted:
            found.setdefault(new, []).append(Tie(old, ends_at, is_replaced=False))
    return found


@lru_cache(maxsize=64)  # a page has at most 40 rows
def _ties_query(count: int) -> PreparedQuery[Rotation]:
    hashes = [str(number) for number in range(count)]
    found = Rotation.objects.filter(state=State.OVERLAP).filter(keeps_old=False)
    found = found.filter(Q(old_hash__in=hashes) | Q(creation__token_hash__in=hashes))
    return PreparedQuery(found.values_list("old_hash", "creation__token_hash", "ends_at"))


def replaced_hashes(since: datetime) -> set[str]:
    """The keys of all members that another key replaces, and that Estuary may still list.

    Of those that have ended only the ones that did so after `since`: Estuary lists expired keys.
    """
    recent = Q(state=State.ENDED, ended_at__gte=since)
    found = Rotation.objects.filter(Q(state__in=[State.OVERLAP, State.RECREATED]) | recent)
    return set(found.filter(keeps_old=False).values_list("old_hash", flat=True))


def chain_of(token_hash: str) -> list[Rotation]:
    """The rotations that led to a key and those that followed, oldest first."""
    before: list[Rotation] = []
    found = Rotation.objects.select_related("creation").exclude(creation__token_hash="")
    seen, current = {token_hash}, token_hash
    while len(before) < MAX_CHAIN_LENGTH:
        link = found.filter(creation__token_hash=current).first()
        if link is None or link.old_hash in seen:
            break
        before.insert(0, link)
        current = link.old_hash
        seen.add(current)
    return before + successors_of(token_hash)


def successors_of(token_hash: str) -> list[Rotation]:
    """The rotations after a key: the one that replaced it, the one that replaced that, …"""
    links: list[Rotation] = []
    found = Rotation.objects.select_related("creation").exclude(creation__token_hash="")
    seen = {token_hash}
    current = token_hash
    while len(links) < MAX_CHAIN_LENGTH:
        link = found.filter(old_hash=current).exclude(state=State.KEPT).order_by("-pk").first()
        if link is None or link.new_hash in seen:
            break
        links.append(link)
        current = link.new_hash
        seen.add(current)
    return links


def old_keys_ended(token_hashes: Sequence[str]) -> None:
    """Conclude the rotations of keys that were revoked, and the requests for one, unless a worker
    is about to: it also tells the member."""
    found = Rotation.objects.filter(old_hash__in=token_hashes, state=State.OVERLAP)
    found = found.filter(nobody_holds("claimed_by"))
    # Nothing takes over the new token of an ended rotation, so that none stays here.
    found.update(
        state=State.ENDED, ended_at=timezone.now(), due_at=None, need="", sealed_candidate=""
    )
    end_requests_for(token_hashes)


def deadlines_of(token_hashes: Sequence[str]) -> dict[str, datetime]:
    """Until when the keys of one page are to be rotated, with one query; most have no request."""
    if not token_hashes:
        return {}
    found: dict[str, datetime] = {}
    rows = _deadlines_query(len(token_hashes)).rows(RequestState.OPEN.value, *token_hashes)
    for token_hash, deadline in rows:
        found[token_hash] = min(deadline, found.get(token_hash, deadline))
    return found


@lru_cache(maxsize=64)  # a page has at most 40 rows
def _deadlines_query(count: int) -> PreparedQuery[RotationRequest]:
    hashes = [str(number) for number in range(count)]
    found = RotationRequest.objects.filter(state=RequestState.OPEN).filter(token_hash__in=hashes)
    return PreparedQuery(found.values_list("token_hash", "deadline"))


def open_request_for(token_hash: str) -> RotationRequest | None:
    """The request for this key that is due first: two members may have connected one account."""
    found = RotationRequest.objects.filter(token_hash=token_hash, state=RequestState.OPEN)
    return found.order_by("deadline").first()


def revoking_deadline_for(token_hash: str) -> datetime | None:
    """When the worker revokes this key at an admin's request, unless it is rotated before."""
    for (deadline,) in _revoking.rows(token_hash, RequestState.OPEN.value):
        return cast(datetime, deadline)
    return None


def deadline_of(rotation: Rotation) -> datetime | None:
    """As `revoking_deadline_for`, and of a request that this rotation has fulfilled."""
    found = RotationRequest.objects.filter(token_hash=rotation.old_hash, revokes=True)
    fulfilled = Q(state=RequestState.FULFILLED, ended_at__gte=rotation.requested_at)
    found = found.filter(Q(state=RequestState.OPEN) | fulfilled)
    return found.order_by("deadline").values_list("deadline", flat=True).first()


def fulfil_requests_for(token_hash: str) -> None:
    """A key was rotated; a worker that is about to revoke it finds its claim outdated."""
    if not deadlines_of([token_hash]):  # most keys have no request, and the member is waiting
        return
    found = RotationRequest.objects.filter(token_hash=token_hash, state=RequestState.OPEN)
    found.update(
        state=RequestState.FULFILLED, ended_at=timezone.now(), due_at=None, claims=F("claims") + 1
    )


def end_requests_for(token_hashes: Sequence[str]) -> None:
    """Keys were revoked, or are gone; the worker concludes the request that it works on itself."""
    found = RotationRequest.objects.filter(token_hash__in=token_hashes, state=RequestState.OPEN)
    found = found.filter(nobody_holds("claimed_by"))
    found.update(state=RequestState.ENDED, ended_at=timezone.now(), due_at=None, trouble="")
