"""Changes to many keys: chosen, named in a preview, started, cancelled, tried again.

`bulk_work` carries them out: a few at once, more in the worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, Count, F, When
from django.utils import timezone

from estuary_admin.members import is_admin
from keys import throttles
from keys.actors import Actor
from keys.api_keys import bulk_work
from keys.api_keys.key_lists import Snapshot
from keys.api_keys.query import KeyQuery, Status
from keys.api_keys.table import keys_found
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.jobs.queues import wake
from keys.jobs.tasks import change_many
from keys.models import BulkChange, BulkItem, StoredToken
from keys.notices.telling import tell
from keys.upstream import ApiKey

Outcome = BulkItem.Outcome

MAX_KEYS_PER_CHANGE = 10_000
MAX_RESULTS_SHOWN = 1000
MAX_NAMES_SHOWN = 50  # while the change is a preview, or running
ABSENT_SENTENCE = "Estuary does not list this key to you: it was revoked, or it is not yours."


@dataclass(frozen=True, slots=True)
class Choice:
    """The keys of a change: by their hashes, or all that a query finds."""

    hashes: tuple[str, ...] = ()
    query: KeyQuery | None = None

    @property
    def is_expired_only(self) -> bool:
        return self.query is not None and self.query.status is Status.EXPIRED


#: What “Revoke all expired” is about.
EXPIRED = Choice(query=KeyQuery(status=Status.EXPIRED))


@dataclass(frozen=True, slots=True)
class Plan:
    """A change as its preview shows it, not written yet."""

    change: BulkChange
    items: list[BulkItem]
    left_out: int  # keys beyond MAX_KEYS_PER_CHANGE

    @property
    def progress(self) -> Progress:
        return Progress(self.change, Counter(item.outcome for item in self.items))


def plan(actor: Actor, stored: StoredToken, listed: Snapshot, action: str, choice: Choice) -> Plan:
    """Name the keys of a change; hashes that Estuary does not list are among them, left alone."""
    if choice.query is not None:
        node_now = listed.node_now(timezone.now())
        by_admin = is_admin(actor.known_member)
        keys = keys_found(listed.index, choice.query, node_now, is_admin=by_admin)
        absent: list[str] = []
    else:
        keys = [key for key in listed.keys if key.token_hash in choice.hashes]
        held = {key.token_hash for key in keys}
        absent = [token_hash for token_hash in choice.hashes if token_hash not in held]
    change = BulkChange(
        member=actor.known_member,
        action=action,
        account_hash=stored.token_hash,
        is_expired_only=choice.is_expired_only and action == BulkChange.Action.REVOKE,
        due_at=None,
    )
    items = _items(change, stored, keys[:MAX_KEYS_PER_CHANGE], listed)
    left_out = max(0, len(keys) - MAX_KEYS_PER_CHANGE)
    return Plan(change, [*items, *_absent(change, absent, len(keys))], left_out)


def write(planned: Plan) -> BulkChange:
    """Write down a change to be confirmed: exactly the keys that the member is about to see."""
    with transaction.atomic():
        planned.change.save(force_insert=True)
        BulkItem.objects.bulk_create(planned.items, batch_size=500)
    return planned.change


def expired_under_way(member: User) -> BulkChange | None:
    """The change that revokes the member's expired keys at the moment: a second one would only
    find the same keys.
    """
    started = BulkChange.objects.filter(member=member, is_expired_only=True, ended_at=None)
    return started.exclude(started_at=None).order_by("-started_at").first()


def _items(
    change: BulkChange, stored: StoredToken, keys: list[ApiKey], listed: Snapshot
) -> Iterator[BulkItem]:
    ended_by = listed.earlier_now(timezone.now())
    for position, key in enumerate(keys):
        sentence = ""
        if change.action == BulkChange.Action.REVOKE and key.token_hash == stored.token_hash:
            sentence = bulk_work.OWN_KEY
        elif change.is_expired_only and not key.is_expired(ended_by):
            sentence = bulk_work.NOT_ENDED
        yield BulkItem(
            change=change,
            position=position,
            token_hash=key.token_hash,
            label=key.label.replace("\0", "")[:200],
            needs_token=key.needs_token,
            outcome=Outcome.LEFT if sentence else Outcome.WAITING,
            sentence=sentence,
        )


def _absent(change: BulkChange, hashes: Iterable[str], first: int) -> Iterator[BulkItem]:
    for position, token_hash in enumerate(hashes, first):
        yield BulkItem(
            change=change,
            position=position,
            token_hash=token_hash,
            outcome=Outcome.LEFT,
            sentence=ABSENT_SENTENCE,
        )


def start(actor: Actor, change: BulkChange, note: dict[str, str], days: list[int]) -> None:
    """Start a change, once, however often its form arrives. Raises TooOften."""
    throttles.check(actor, Action.BULK_STARTED)
    count = bulk_work.open_items(change).count()
    with transaction.atomic():
        previews = BulkChange.objects.filter(pk=change.pk, started_at=None)
        if not previews.update(
            started_at=timezone.now(), due_at=_due_at(count), note=note, days=days
        ):
            return
        _record_start(actor, change, count)
    _go(actor, change, count)


def retry(actor: Actor, change: BulkChange) -> None:
    """Try again what failed, was cancelled, or whose outcome is not known. Raises TooOften."""
    throttles.check(actor, Action.BULK_STARTED)
    with transaction.atomic():
        rows = BulkChange.objects.select_for_update().filter(pk=change.pk)
        if not rows.exclude(ended_at=None).exists():
            return
        count = change.items.filter(outcome__in=BulkItem.FAILED).update(
            outcome=Outcome.WAITING, sentence=""
        )
        if not count:
            return
        # A worker may be about to conclude what was cancelled: its claim is outdated by this.
        rows.update(
            due_at=_due_at(count),
            ended_at=None,
            failures=0,
            trouble="",
            claimed_by=None,
            claims=F("claims") + 1,
        )
        _record_start(actor, change, count)
    _go(actor, change, count)


def _record_start(actor: Actor, change: BulkChange, count: int) -> None:
    detail: dict[str, str | int] = {
        "change": change.action,
        "keys": count,
        "number": str(change.pk),
    }
    record_action(actor, Action.BULK_STARTED, detail=detail)
    if change.action == BulkChange.Action.REVOKE and count:
        named = "1 key" if count == 1 else f"{count:,} keys"
        tell(actor, change.member, "keys.revoking", named)


def _due_at(count: int) -> datetime:
    """Now, for the worker; for what is done at once, when this process must have ended."""
    patience = timedelta(seconds=2 * settings.ESTUARY_TIMEOUT)
    return timezone.now() + (patience if count <= bulk_work.AT_ONCE else timedelta())


def _go(actor: Actor, change: BulkChange, count: int) -> None:
    change.refresh_from_db()
    if count <= bulk_work.AT_ONCE:
        bulk_work.do_at_once(actor, change)
    else:
        wake(change_many)


def cancel(actor: Actor, change: BulkChange) -> None:
    """Call off the keys that have not been begun; what was sent to Estuary is still confirmed."""
    if change.started_at is None:  # nothing to call off; it would look like one that can be retried
        return
    with transaction.atomic():
        waiting = change.items.filter(outcome=Outcome.WAITING)
        count = waiting.update(outcome=Outcome.CANCELLED)
        if not count:
            return
        if not bulk_work.open_items(change).exists():
            BulkChange.objects.filter(pk=change.pk).update(ended_at=timezone.now(), trouble="")
        record_action(
            actor, Action.BULK_CANCELLED, detail={"keys": count, "number": str(change.pk)}
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a change is, and what its page shows of its keys."""

    change: BulkChange
    counts: Counter[str]

    @property
    def total(self) -> int:
        """The number of keys that the change covers, without those that were left alone."""
        return self.counts.total() - self.counts[Outcome.LEFT]

    @property
    def open(self) -> int:
        return sum(self.counts[one] for one in BulkItem.OPEN)

    @property
    def ended(self) -> int:
        return self.total - self.open

    @property
    def good(self) -> int:
        return sum(self.counts[one] for one in BulkItem.GOOD)

    @property
    def failed(self) -> int:
        return sum(self.counts[one] for one in BulkItem.FAILED)

    @property
    def state(self) -> str:
        if self.change.started_at is None:
            return "ready"
        if self.open:
            return "running" if self.ended or self.change.claimed_by_id else "queued"
        if self.counts[Outcome.CANCELLED]:
            return "cancelled"
        return "failed" if self.failed and not self.good else "done"

    @property
    def is_open(self) -> bool:
        return self.state in {"queued", "running"}

    def items(self) -> list[BulkItem]:
        """Failed keys first, then the others in the order of the list."""
        good_last = Case(When(outcome__in=BulkItem.GOOD, then=1), default=0)
        shown = MAX_RESULTS_SHOWN if self.change.ended_at else MAX_NAMES_SHOWN
        return list(self.change.items.order_by(good_last, "position")[:shown])

    @property
    def unnamed(self) -> int:
        shown = MAX_RESULTS_SHOWN if self.change.ended_at else MAX_NAMES_SHOWN
        return max(0, self.counts.total() - shown)


def logged_among(items: Iterable[BulkItem]) -> int:
    """How many tokens a revocation writes to the node's access log: those of some old keys."""
    return sum(item.needs_token and item.outcome != Outcome.LEFT for item in items)


def change_of(member: User, number: UUID) -> BulkChange:
    """A change of the member's; raises BulkChange.DoesNotExist."""
    return BulkChange.objects.select_related("member").get(pk=number, member=member)


def progress_of(change: BulkChange) -> Progress:
    """Count the outcomes of a change, with one query."""
    rows = change.items.order_by().values_list("outcome").annotate(Count("pk"))
    return Progress(change, Counter(dict(rows)))
