"""What an admin has to look at this morning: counts with the filter behind each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, Sum
from django.urls import reverse
from django.utils import timezone

from keys.actors import Actor
from keys.audit import chain
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.jobs.status import worker_status
from keys.models import AuditEntry, OffBoarding, SeenKey, StoredToken, SyncedAccount, TeamSample
from keys.notices import audit_head, outbox
from keys.notices.outbox import enqueue
from keys.stats.history import today
from keys.team.members import admins, to_off_board, token_ends
from keys.team.query import TeamKeysQuery

RECENT = timedelta(days=7)
LATEST_EVENTS = 8
CHAIN_IS_OLD = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Card:
    """A count that leads to what is counted; `level` is "ok", "warning" or "error"."""

    words: str
    figure: str
    url: str
    level: str
    hint: str = ""


def cards() -> list[Card]:
    return [*_key_cards(), *_member_cards(), *_work_cards(), _chain_card()]


def _key_cards() -> list[Card]:
    now, here = timezone.now(), reverse("keys:team_keys")
    wanted = [
        ("End within 14 days", {"status": "soon"}, "warning"),
        ("No expiry", {"status": "permanent"}, "warning"),
        ("Plain text", {"status": "legacy"}, "error"),
        ("Over policy", {"finding": "over-policy"}, "error"),
        ("Rotations overdue", {"finding": "rotation-overdue"}, "error"),
    ]
    found = []
    for words, filters, level in wanted:
        query = TeamKeysQuery(filters)
        count = query.rows(now).order_by().count()
        found.append(_card(words, count, f"{here}?{query.text()}", level))
    return found


def _member_cards() -> list[Card]:
    here, now = reverse("keys:team"), timezone.now()
    ends = User.objects.filter(token_ends(now)).count()
    leaving = User.objects.filter(to_off_board()).count()
    running = OffBoarding.objects.filter(state__in=["queued", "running"]).count()
    hint = f"{running} in progress" if running else ""
    return [
        _card("Tokens that end or are refused", ends, f"{here}?state=token-ends", "warning"),
        _card("Off-boarding due", leaving, f"{here}?state=to-off-board", "error", hint),
    ]


def _work_cards() -> list[Card]:
    failed = AuditEntry.objects.filter(
        action=Action.EXPORT_FAILED, at__gt=timezone.now() - RECENT
    ).count()
    status = worker_status()
    waiting = sum(kind.count for kind in status.waiting)
    return [
        _card(
            "Exports failed",
            failed,
            f"{reverse('keys:audit')}?action={Action.EXPORT_FAILED}",
            "warning",
            "within 7 days",
        ),
        _card(
            "Messages undelivered",
            outbox.undelivered().count(),
            f"{reverse('keys:reminders')}",
            "warning",
        ),
        Card(
            "Worker",
            "Asleep" if status.is_asleep else "Awake",
            "",
            "error" if status.is_asleep else "ok",
            f"{waiting:,} rows wait" if waiting else "Nothing waits",
        ),
    ]


def _card(words: str, count: int, url: str, level: str, hint: str = "") -> Card:
    return Card(words, f"{count:,}", url, level if count else "ok", hint)


def _chain_card() -> Card:
    url = f"{reverse('keys:audit')}?action={Action.AUDIT_VERIFIED}"
    last = AuditEntry.objects.filter(action=Action.AUDIT_VERIFIED).order_by("-pk").first()
    if last is None:
        return Card("Audit chain", "Not verified yet", url, "warning")
    if last.outcome != Outcome.DONE:
        return Card("Audit chain", "Broken", url, "error", "Run manage.py verify_audit.")
    is_old = timezone.now() - last.at > CHAIN_IS_OLD
    hint = f"verified {last.at:%Y-%m-%d %H:%M} UTC"
    return Card("Audit chain", "Holds", url, "warning" if is_old else "ok", hint)


def verify_chain() -> None:
    """Walk the chain, record what was found, and tell the admins; the walk ends before the new
    row."""
    verdict = chain.verify()
    with transaction.atomic():
        record_action(
            Actor.for_job("verify-audit"),
            Action.AUDIT_VERIFIED,
            Outcome.DONE if verdict.holds else Outcome.FAILED,
            detail={"rows": verdict.rows, "breaks": len(verdict.breaks), "head": verdict.head},
        )
        for admin in User.objects.filter(pk__in=admins(), is_active=True):
            if verdict.holds:
                enqueue(admin, audit_head.verified(admin, verdict), webhook_only=True)
            else:
                enqueue(admin, audit_head.broken(admin, verdict))


def keep_sample() -> None:
    """Keep today's sums; the last one of a day counts.

    An account that two members have connected counts twice: Estuary gives accounts no number.
    """
    connected = StoredToken.objects.values("member")
    accounts = SyncedAccount.objects.filter(member__in=connected)
    sums = accounts.aggregate(size=Sum("total_size"), pins=Sum("pin_count"))
    works = Q(is_session=False, expiry__gt=timezone.now())
    TeamSample.objects.update_or_create(
        day=today(),
        defaults={
            "total_size": sums["size"] or 0,
            "pin_count": sums["pins"] or 0,
            "members": User.objects.filter(is_active=True).count(),
            "keys": SeenKey.objects.filter(works).count(),
        },
    )
