"""The daily look at each member's keys, and the digest that comes of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken
from keys.actors import Actor
from keys.api_keys import key_lists
from keys.api_keys.rotations import replaced_hashes
from keys.jobs import claims
from keys.models import (
    ConsoleKey,
    KeyCreation,
    KeyReminder,
    Reminded,
    Reminders,
    StoredToken,
)
from keys.notes.services import lines_of
from keys.notices.digest import MAX_NAMED, digest_of
from keys.notices.outbox import enqueue
from keys.notices.thresholds import DAY, RECENT_END, Reminder, reminders_for
from keys.upstream import ApiKey, UpstreamError

#: In TIME_ZONE; members follow one another within the hour, so that Estuary is asked evenly.
DIGEST_HOUR = 7
#: More than there can be between two looks.
LONGEST_WAIT = timedelta(days=2)
#: Whether an end is news is judged by the node's clock, which may be behind ours.
LONGEST_NEWS = RECENT_END + DAY
#: With less time left than this, the console has not managed to renew its own key.
RENEWAL_OVERDUE = timedelta(days=10)


class ListIsStale(Exception):
    """Estuary gave no list now; the look is repeated later."""


def remind_due() -> None:
    """Look at the keys of every member whose look is due."""
    add_missing()
    claims.bring_forward(Reminders.objects.all(), LONGEST_WAIT)
    claims.work_off(Reminders.objects.select_related("member"), _remind)


def add_missing() -> None:
    """A row for each connected member who has none yet."""
    connected = StoredToken.objects.filter(member__reminders=None)
    missing = list(connected.values_list("member_id", flat=True))
    if missing:
        Reminders.objects.bulk_create(
            [Reminders(member_id=number) for number in missing], ignore_conflicts=True
        )


def _remind(row: Reminders) -> None:
    stored = StoredToken.objects.filter(member=row.member).select_related("member").first()
    if stored is None:
        claims.conclude(row, again_at=next_look(row))
        return
    try:
        actor = Actor.for_job("remind", row.member)
        listed = key_lists.current_list(stored, actor, reuse=True)
    except UpstreamError as error:
        if not error.is_about_token:
            raise
        claims.conclude(row, again_at=next_look(row))  # the account page says what is wrong
        return
    except SealBroken:
        claims.conclude(row, again_at=next_look(row))  # as above
        return
    if listed.stale_reason:
        raise ListIsStale
    now = listed.node_now(timezone.now())
    keys = _without_quiet(listed.keys, row, now)
    hashes = [key.token_hash for key in keys]
    found = reminders_for(
        keys,
        now,
        row.days,
        _told(row, hashes),
        _lifetimes(hashes),
        dict(KeyReminder.objects.filter(member=row.member).values_list("token_hash", "days")),
    )
    _tell(row, found)


def _without_quiet(keys: Iterable[ApiKey], row: Reminders, node_now: datetime) -> list[ApiKey]:
    """The keys without those that are replaced already, or that the console renews in time."""
    replaced = replaced_hashes(timezone.now() - LONGEST_NEWS)
    own = ConsoleKey.objects.filter(member=row.member).values_list("token_hash", flat=True).first()
    return [
        key
        for key in keys
        if key.token_hash not in replaced
        and not (key.token_hash == own and key.expiry - node_now > RENEWAL_OVERDUE)
    ]


def _told(row: Reminders, hashes: list[str]) -> set[tuple[str, int]]:
    told = Reminded.objects.filter(member=row.member)
    wanted = set(hashes)
    return {pair for pair in told.values_list("token_hash", "days") if pair[0] in wanted}


def _lifetimes(hashes: list[str]) -> dict[str, timedelta]:
    """Of keys that were created here; Estuary does not say when it made a key."""
    wanted = set(hashes)
    made = KeyCreation.objects.exclude(token_hash="").exclude(lifetime=None)
    pairs = made.values_list("token_hash", "lifetime")
    return {one: lifetime for one, lifetime in pairs if lifetime is not None and one in wanted}


def _tell(row: Reminders, found: list[Reminder]) -> None:
    """Record the reminders and write their messages, in one transaction."""
    with transaction.atomic():
        claims.conclude(row, again_at=next_look(row))
        if not found:
            return
        Reminded.objects.bulk_create(
            [
                Reminded(member=row.member, token_hash=reminder.key.token_hash, days=days)
                for reminder in found
                for days in reminder.crossed
            ],
            ignore_conflicts=True,
        )
        notes = lines_of([reminder.key.token_hash for reminder in found[:MAX_NAMED]])
        content = digest_of(row.member, found, notes)
        enqueue(row.member, content, extra_mail=settings.EXPIRY_FALLBACK_EMAILS)


def next_look(row: Reminders) -> datetime:
    """Tomorrow morning."""
    local = timezone.localtime(timezone.now(), timezone.get_default_timezone())
    morning = local.replace(hour=DIGEST_HOUR, minute=row.member_id % 60, second=0, microsecond=0)
    return morning + timedelta(days=1)
