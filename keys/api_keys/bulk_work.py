"""Carrying out a change to many keys, part by part, so that a kill loses and repeats nothing.

A key is marked as sent before Estuary is asked, and gets its outcome from the list afterwards.
After a kill, a key that was sent and is not listed any more was revoked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.storage.connections import write_with_retries
from keys.actors import Actor
from keys.api_keys import key_lists, rotations
from keys.api_keys.key_lists import Snapshot
from keys.api_keys.revoke import AUDIT_OUTCOMES
from keys.api_keys.revoke_outcome import Answer, judged
from keys.api_keys.revoke_outcome import Outcome as Judged
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.jobs import claims, workers
from keys.models import BulkChange, BulkItem, KeyReminder, StoredToken
from keys.notes.services import NoteText, note_of, save_note, text_of
from keys.token.stored_tokens import client_for, forget_list
from keys.upstream import (
    EstuaryClient,
    NotPermitted,
    RateLimited,
    Revoker,
    TokenExpired,
    TokenRejected,
    UpstreamError,
    UpstreamUnavailable,
)

Outcome = BulkItem.Outcome

AT_ONCE = 10  # keys; more are for the worker
KEYS_PER_PART = 120
#: Six at a time, 150 requests a second at the most: all members share 200 a second.
THREADS = 6
SECONDS_BETWEEN_REQUESTS = 1 / 150
#: With the waits of `claims`, about four hours.
MAX_TRIES = 10
NOT_CONNECTED = "You have no Estuary key connected to this console."
SEAL_BROKEN = "Your stored token cannot be opened: connect it again."
OTHER_ACCOUNT = "You have connected another key since, and its account does not list this one."
NOT_ENDED = "It has not ended by both clocks, Estuary's and ours."
OWN_KEY = "This console works with this key: revoke it on its own page."
INTERRUPTED = "No time was left for it."
#: Errors that every other key would meet too.
STOPPING = (RateLimited, UpstreamUnavailable, TokenRejected, TokenExpired, NotPermitted)
#: Errors that pass by themselves.
PASSING = (RateLimited, UpstreamUnavailable)


def work_off_changes() -> None:
    """Go on with every change that is due, one part of each in turn."""
    claims.work_off(BulkChange.objects.select_related("member"), _work)


def _work(change: BulkChange) -> None:
    if _must_wait(change):
        claims.conclude(change, again_at=claims.retry_at(0))
        return
    actor = Actor.for_job("bulk", change.member)
    trouble = _next_part(actor, change, lambda: claims.confirm(change))
    if trouble and change.failures + 1 < MAX_TRIES:
        again_at, tries = claims.retry_at(change.failures), change.failures + 1
        claims.conclude(change, again_at=again_at, failures=tries, trouble=trouble[:300])
    elif trouble:
        with transaction.atomic():  # with the claim lost, the keys are those of a new try
            claims.conclude(change, trouble="", ended_at=timezone.now())
            _end(actor, change, trouble)
    elif open_items(change).exists():
        claims.conclude(change, again_at=timezone.now(), trouble="")
    else:
        claims.conclude(change, trouble="", ended_at=timezone.now())


def _must_wait(change: BulkChange) -> bool:
    """Whether another worker is revoking keys: two at once would exceed the allowed rate."""
    if change.action != BulkChange.Action.REVOKE:
        return False
    claimed = BulkChange.objects.exclude(claimed_by=None).exclude(claimed_by=workers.current())
    return claimed.filter(claimed_by__ended_at=None, pk__lt=change.pk).exists()


def do_at_once(actor: Actor, change: BulkChange) -> None:
    """Carry out a small change while its member waits; what cannot be done now has failed.

    If this process dies before the end, the worker finds the change when it is due.
    """
    trouble = _next_part(actor, change, lambda: None)
    if open_items(change).exists():
        _end(actor, change, trouble or INTERRUPTED)
    # A worker that has claimed it, or a new try, ends it itself.
    rows = BulkChange.objects.filter(pk=change.pk, claims=change.claims)
    rows.update(due_at=None, ended_at=timezone.now())


def _next_part(actor: Actor, change: BulkChange, confirm: Callable[[], None]) -> str:
    """Work on some of the keys; returns why it has to be tried again later, or ""."""
    items = list(open_items(change)[:KEYS_PER_PART])
    confirm()
    if change.action == BulkChange.Action.NOTE:
        _each(items, lambda item: _set_note(actor, change, item))
        return ""
    if change.action == BulkChange.Action.REMIND:
        _each(items, lambda item: _set_reminders(actor, change, item))
        return ""
    if change.action != BulkChange.Action.REVOKE:
        raise LookupError("This version does not know the change.")
    return RevokingPart(actor, change, confirm).work(items) if items else ""


def open_items(change: BulkChange) -> QuerySet[BulkItem]:
    """The keys without a final outcome."""
    return change.items.filter(outcome__in=BulkItem.OPEN)


def _end(actor: Actor, change: BulkChange, sentence: str) -> None:
    """Give up: what was not begun has failed, what was sent has an outcome that is not known."""
    with transaction.atomic():
        for item in change.items.filter(outcome=Outcome.SENT):
            _settle(actor, item, Outcome.UNKNOWN, sentence)
        change.items.filter(outcome=Outcome.WAITING).update(
            outcome=Outcome.FAILED, sentence=sentence[:300]
        )


def _settle(actor: Actor, item: BulkItem, outcome: str, sentence: str = "") -> None:
    """Write the outcome of a key, once, and its audit row where Estuary was asked."""
    open_still = BulkItem.objects.filter(pk=item.pk, outcome__in=BulkItem.OPEN)
    if not open_still.update(outcome=outcome, sentence=sentence[:300]):
        return
    if outcome in AUDIT_OUTCOMES and item.outcome == Outcome.SENT:
        record_action(
            actor,
            Action.KEY_REVOKED,
            AUDIT_OUTCOMES[Judged(outcome)],
            token_hash=item.token_hash,
            detail={"result": str(outcome), "number": str(item.change_id)},
        )
    if outcome == Outcome.REVOKED:
        rotations.old_keys_ended([item.token_hash])


def _each(items: Iterable[BulkItem], act: Callable[[BulkItem], None]) -> None:
    for item in items:
        with transaction.atomic():
            waiting = BulkItem.objects.filter(pk=item.pk, outcome=Outcome.WAITING)
            if waiting.update(outcome=Outcome.DONE):
                act(item)


def _set_note(actor: Actor, change: BulkChange, item: BulkItem) -> None:
    """Replace the fields that were filled in; the others stay."""
    save_note(
        actor, item.token_hash, NoteText(**asdict(text_of(note_of(item.token_hash))) | change.note)
    )


def _set_reminders(actor: Actor, change: BulkChange, item: BulkItem) -> None:
    KeyReminder.objects.update_or_create(
        member=change.member, token_hash=item.token_hash, defaults={"days": change.days}
    )
    days = " ".join(map(str, change.days)) or "none"
    record_action(
        actor, Action.KEY_REMINDERS_SET, token_hash=item.token_hash, detail={"days": days}
    )


class Pace:
    """Spaces the requests of all threads, and stops them when going on is of no use."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._next, self._lock = seconds, 0.0, threading.Lock()
        self.is_stopped = False

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._seconds
        time.sleep(turn - now)


class RevokingPart:
    """One part of a change that revokes: list, send, list again, write."""

    def __init__(self, actor: Actor, change: BulkChange, confirm: Callable[[], None]) -> None:
        self._actor, self._change, self._confirm = actor, change, confirm

    def work(self, items: list[BulkItem]) -> str:
        stored = StoredToken.objects.filter(member=self._change.member_id).first()
        if stored is None:
            return self._give_up(NOT_CONNECTED)
        stored.member = self._change.member
        try:
            client = client_for(stored, self._actor)
            revoker = client.open_revoker([item.token_hash for item in items])
        except SealBroken:
            return self._give_up(SEAL_BROKEN)
        except UpstreamError as error:
            return self._give_up(error.what) if error.is_about_token else error.what
        listed = key_lists.remember(stored, revoker.keys)
        listed = listed.only({item.token_hash for item in items})
        sent = self._mark_sent([item for item in items if self._may_end(item, stored, listed)])
        if not sent:
            return ""
        answers = _send(revoker, [item.token_hash for item in sent])
        return self._conclude(client, stored, sent, answers)

    def _give_up(self, sentence: str) -> str:
        _end(self._actor, self._change, sentence)
        return ""

    def _may_end(self, item: BulkItem, stored: StoredToken, listed: Snapshot) -> bool:
        """Whether the key is there to be revoked; if not, its outcome is written."""
        key = listed.find(item.token_hash)
        if key is None:
            outcome, sentence = self._absent(item, stored, listed)
        elif key.token_hash == stored.token_hash:
            outcome, sentence = Outcome.LEFT, OWN_KEY
        elif self._change.is_expired_only and not key.is_expired(
            listed.earlier_now(timezone.now())
        ):
            outcome, sentence = Outcome.LEFT, NOT_ENDED
        else:
            return True
        with transaction.atomic():
            _settle(self._actor, item, outcome, sentence)
        return False

    def _absent(self, item: BulkItem, stored: StoredToken, listed: Snapshot) -> tuple[Outcome, str]:
        if doubt := listed.doubt_about(item.token_hash):
            return Outcome.UNKNOWN, doubt
        if stored.token_hash != self._change.account_hash:
            return Outcome.UNKNOWN, OTHER_ACCOUNT
        # Sent before a process died: the answer is lost, but the key is gone.
        return (Outcome.REVOKED if item.outcome == Outcome.SENT else Outcome.GONE), ""

    def _mark_sent(self, items: list[BulkItem]) -> list[BulkItem]:
        """Mark keys before the first request; keys that were just cancelled are left out."""
        self._confirm()
        numbers = [item.pk for item in items]
        with transaction.atomic():
            rows = BulkItem.objects.filter(pk__in=numbers, outcome__in=BulkItem.OPEN)
            rows.update(outcome=Outcome.SENT)
            sent = list(BulkItem.objects.filter(pk__in=numbers, outcome=Outcome.SENT))
            if sent:
                record_action(
                    self._actor,
                    Action.KEY_REVOKE_REQUESTED,
                    AuditOutcome.STARTED,
                    detail={"count": len(sent), "number": str(self._change.pk)},
                )
        return sent

    def _conclude(
        self,
        client: EstuaryClient,
        stored: StoredToken,
        sent: list[BulkItem],
        answers: dict[str, Answer],
    ) -> str:
        """Write what Estuary's list says of each key; returns the trouble that will pass."""
        forget_list(stored)
        after, trouble = _list_after(client, stored)
        after = after and after.only({item.token_hash for item in sent})

        def write() -> None:
            with transaction.atomic():
                for item in sent:
                    self._conclude_one(item, answers.get(item.token_hash), after, trouble)

        write_with_retries(write, "bulk_outcomes_not_recorded")
        refusals = (one for one in answers.values() if isinstance(one, STOPPING))
        problem = next(refusals, trouble)
        if problem and problem.is_about_token:
            return self._give_up(problem.what)
        return problem.what if problem else ""

    def _conclude_one(
        self,
        item: BulkItem,
        answer: Answer,
        after: Snapshot | None,
        trouble: UpstreamError | None,
    ) -> None:
        was_not_sent = answer is None or (
            isinstance(answer, STOPPING) and not answer.maybe_carried_out
        )
        result = judged(item.token_hash, answer, after, trouble)
        is_lost = isinstance(answer, PASSING) and result.outcome is Judged.STILL_LISTED
        if was_not_sent or is_lost:
            BulkItem.objects.filter(pk=item.pk, outcome=Outcome.SENT).update(
                outcome=Outcome.WAITING
            )
        elif after is not None or result.outcome is Judged.FAILED:
            _settle(self._actor, item, result.outcome.value, result.sentence)


def _send(revoker: Revoker, token_hashes: list[str]) -> dict[str, Answer]:
    """Revoke from a few threads; the result leaves out keys that were not tried."""
    pace, answers = Pace(SECONDS_BETWEEN_REQUESTS), dict[str, Answer]()

    def send(token_hash: str) -> None:
        pace.wait()
        if pace.is_stopped:
            return
        answer = answers[token_hash] = revoker.revoke(token_hash)
        if answer is None or isinstance(answer, STOPPING):
            pace.is_stopped = True

    with ThreadPoolExecutor(min(THREADS, len(token_hashes)), "bulk") as pool:
        list(pool.map(send, token_hashes))
    return answers


def _list_after(
    client: EstuaryClient, stored: StoredToken
) -> tuple[Snapshot | None, UpstreamError | None]:
    try:
        return key_lists.remember(stored, client.list_keys()), None
    except UpstreamError as error:
        return None, error
