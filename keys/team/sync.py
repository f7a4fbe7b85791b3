"""The worker's look at each connected account: keeps what Estuary lists, and finds drift."""

from __future__ import annotations

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from estuary_admin.members import is_admin
from estuary_admin.secrets.sealing import SealBroken
from keys.actors import Actor
from keys.api_keys import key_lists
from keys.api_keys.key_lists import NO_OWN_KEY, Snapshot
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.jobs import claims, workers
from keys.models import SeenKey, StatsSample, StoredToken, SyncedAccount
from keys.notices.digest import drift_message
from keys.notices.outbox import enqueue
from keys.stats.services import AccountStats, current_stats
from keys.team import drift, inventory
from keys.team.drift import Drift
from keys.team.requested_rotations import forget_missing
from keys.upstream import ApiKey, UpstreamError

JOB = "sync"
JITTER = 0.1  # of the interval, so that accounts do not come due together again
#: When a change of ours is under way: it explains what the list shows in a moment.
LOOK_AGAIN_AFTER = timedelta(seconds=20)
THREADS = 6
MAX_ACCOUNTS_FOR_ONE_THREAD = 20
#: Of one worker: pages on the same machine must not get slower by its first look at a large team.
MAX_ACCOUNTS_PER_SECOND = 22
UNREADABLE = "The stored token cannot be opened with this server's sealing keys."


def sync_due() -> int:
    """Look at every account whose look is due; several at a time when there are many.

    Returns the number of looks.
    """
    add_missing()
    wake_reconnected()
    rows = SyncedAccount.objects.select_related("member")
    claims.bring_forward(rows, 2 * timedelta(minutes=settings.SYNC_MINUTES))
    free_count = claims.free_rows(rows)[: MAX_ACCOUNTS_FOR_ONE_THREAD + 1].count()
    if free_count <= MAX_ACCOUNTS_FOR_ONE_THREAD:
        return claims.work_off(rows, _sync)
    with ThreadPoolExecutor(THREADS, "sync") as pool:
        threads = [pool.submit(_work_off_in_thread, rows) for _ in range(THREADS)]
        return sum(running.result() for running in threads)


def _work_off_in_thread(rows: QuerySet[SyncedAccount]) -> int:
    try:
        return claims.work_off(rows.all(), _sync_at_most_so_often)
    finally:
        connections.close_all()


def _sync_at_most_so_often(account: SyncedAccount) -> None:
    began = monotonic()
    _sync(account)
    workers.stop_requested.wait(max(0, THREADS / MAX_ACCOUNTS_PER_SECOND + began - monotonic()))


def add_missing() -> None:
    """A row for each connected member who has none yet."""
    connected = StoredToken.objects.filter(member__synced_account=None)
    missing = list(connected.values_list("member_id", flat=True))
    if missing:
        SyncedAccount.objects.bulk_create(
            [SyncedAccount(member_id=number) for number in missing], ignore_conflicts=True
        )


def wake_reconnected() -> None:
    """Make the look due at once where a member has connected another token since the last one."""
    connected = SyncedAccount.objects.filter(member__stored_token__isnull=False)
    other = connected.exclude(token_hash=F("member__stored_token__token_hash"))
    numbers = list(other.exclude(due_at__lte=timezone.now()).values_list("pk", flat=True))
    if numbers:
        SyncedAccount.objects.filter(pk__in=numbers, claimed_by=None).update(due_at=timezone.now())


def refresh(members: QuerySet[User]) -> int:
    """Make the look at these members' accounts due now; returns how many there are."""
    rows = SyncedAccount.objects.filter(member__in=members, member__stored_token__isnull=False)
    return rows.update(due_at=timezone.now(), failures=0)


def _sync(account: SyncedAccount) -> None:
    stored = StoredToken.objects.filter(member_id=account.member_id).first()
    if stored is None:
        claims.conclude(account, token_hash="", trouble="", is_refused=False)
        return
    stored.member = account.member
    try:
        listed, stats = _ask(account, stored)
    except SealBroken:
        _conclude_in_trouble(account, stored, UNREADABLE, is_refused=True)
    except UpstreamError as error:
        _conclude_in_trouble(account, stored, error.what, is_refused=error.is_about_token)
    else:
        # For 10 seconds after its end a token may still list: that proves nothing about others.
        doubt = listed.stale_reason or (NO_OWN_KEY if listed.missing_own else "")
        if doubt:
            _conclude_in_trouble(account, stored, doubt, is_refused=False)
        else:
            _keep(account, stored, listed, stats)


def _ask(account: SyncedAccount, stored: StoredToken) -> tuple[Snapshot, AccountStats | None]:
    """The list, which is kept for the pages too, and once a day what the account stores."""
    actor = Actor.for_job(JOB, account.member)
    listed = key_lists.current_list(stored, actor, reuse=True)
    if listed.stale_reason or _has_sample_of_today(account, stored):
        return listed, None
    try:
        stats = current_stats(stored, actor)
    except UpstreamError:
        return listed, None  # the next look asks again
    return listed, None if stats.stale_reason else stats


def _has_sample_of_today(account: SyncedAccount, stored: StoredToken) -> bool:
    if account.token_hash != stored.token_hash:
        return False  # it may be another account
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    return StatsSample.objects.filter(account=account, epoch=account.epoch, day=today).exists()


def _conclude_in_trouble(
    account: SyncedAccount, stored: StoredToken, sentence: str, *, is_refused: bool
) -> None:
    """Keep what was seen, with its time. A refused token is tried again at the usual interval."""
    again = next_look() if is_refused else min(claims.retry_at(account.failures), next_look())
    claims.conclude(
        account,
        again_at=again,
        failures=0 if is_refused else account.failures + 1,
        token_hash=stored.token_hash,
        trouble=sentence[:300],
        is_refused=is_refused,
    )


def _keep(
    account: SyncedAccount, stored: StoredToken, listed: Snapshot, stats: AccountStats | None
) -> None:
    """Write what Estuary lists, the drift, and its notice, in one transaction."""
    changes = _changes(stored, listed, stats)
    list_hash = inventory.hash_of_list(account.member, listed)
    if list_hash == account.list_hash and stored.token_hash == account.token_hash:
        with transaction.atomic():
            claims.conclude(account, again_at=next_look(), **changes)
            _keep_sample(account, stats)
        return
    found = drift.between(account, stored, listed)
    if found.must_wait or not _is_current(stored, listed):
        claims.conclude(account, again_at=timezone.now() + LOOK_AGAIN_AFTER)
        return
    with transaction.atomic():
        if found.is_other_account:
            # The figures are those of the former account, unless they were read just now.
            changes = {"total_size": None, "pin_count": None} | changes
            changes["epoch"] = uuid.uuid4()
            SeenKey.objects.filter(account=account).delete()
        claims.conclude(account, again_at=next_look(), list_hash=list_hash, **changes)
        inventory.write_rows(account, listed, is_admin=is_admin(account.member))
        forget_missing(account, listed)
        _tell(account, found, listed.node_now(timezone.now()))
        _keep_sample(account, stats)


def _changes(stored: StoredToken, listed: Snapshot, stats: AccountStats | None) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "as_of": listed.fetched_at,
        "clock_ahead": listed.clock_ahead,
        "token_hash": stored.token_hash,
        "trouble": "" if not listed.unreadable else "Estuary's list could not be read whole.",
        "is_refused": False,
    }
    if stats:
        changes |= {"total_size": stats.total_size, "pin_count": stats.pin_count}
    return changes


def _is_current(stored: StoredToken, listed: Snapshot) -> bool:
    """Whether nothing was changed here, and no other token connected, since the list was read."""
    same = StoredToken.objects.filter(pk=stored.pk, token_hash=stored.token_hash)
    return same.filter(list_version=listed.list_version).exists()


def _keep_sample(account: SyncedAccount, stats: AccountStats | None) -> None:
    if stats is None:
        return
    sample = StatsSample(
        account=account,
        epoch=account.epoch,
        day=timezone.localdate(timezone=timezone.get_default_timezone()),
        total_size=stats.total_size,
        pin_count=stats.pin_count,
    )
    StatsSample.objects.bulk_create([sample], ignore_conflicts=True)


def _tell(account: SyncedAccount, found: Drift, node_now: datetime) -> None:
    """An audit row for each key; one notice, which leaves out Estuary's own session keys."""
    actor = Actor.for_job(JOB, account.member)
    for action, keys in (
        (Action.KEY_APPEARED, found.appeared),
        (Action.KEY_VANISHED, found.vanished),
    ):
        for key in keys:
            kind = {"kind": "session"} if key.is_session else {}
            record_action(actor, action, token_hash=key.token_hash, detail=kind)
    appeared = [key for key in found.appeared if not key.is_session]
    vanished = [key for key in found.vanished if _is_missed(key, node_now)]
    if appeared or vanished:
        enqueue(account.member, drift_message(account.member, appeared, vanished))


def _is_missed(key: ApiKey, node_now: datetime) -> bool:
    return not key.is_session and not key.is_expired(node_now)


def next_look() -> datetime:
    """After SYNC_MINUTES, give or take a tenth."""
    share = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing
    wait: timedelta = timedelta(minutes=settings.SYNC_MINUTES) * share
    return timezone.now() + wait
