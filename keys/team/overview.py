"""What an admin has to look at this morning: counts with the filter behind each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q, Sum
from django.urls import reverse
from django.utils import timezone

from keys.actors import Actor
from keys.audit import chain
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.jobs.status import worker_status
from keys.models import (
    AuditEntry,
    OffBoarding,
    SeenKey,
    StatsSample,
    StoredToken,
    SyncedAccount,
    TeamSample,
)
from keys.notices import audit_head, outbox
from keys.notices.outbox import enqueue
from keys.stats.history import today
from keys.team.members import accounts_read_and_unread, admins, to_off_board, token_ends
from keys.team.query import TeamKeysQuery
from keys.templatetags.formats import exact_moment

FAILURES_COUNTED_FOR = timedelta(days=7)
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
    """All cards of the overview, in the order of the page."""
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
    hint, is_blind = _unread_accounts()
    found = []
    for words, filters, level in wanted:
        query = TeamKeysQuery(filters)
        url = f"{here}?{query.text()}"
        if is_blind:
            found.append(Card(words, "Not known yet", url, "warning", hint))
        else:
            count = query.rows(now).order_by().count()
            found.append(_card(words, count, url, level, hint))
    return found


def _unread_accounts() -> tuple[str, bool]:
    """A hint at connected accounts whose keys the worker has not read yet, and whether it has read
    none at all.
    """
    read, unread = accounts_read_and_unread()
    if not unread:
        return "", False
    return f"{unread:,} account{'' if unread == 1 else 's'} not read yet", not read


def _member_cards() -> list[Card]:
    here, now = reverse("keys:team"), timezone.now()
    ends = User.objects.filter(token_ends(now)).count()
    leaving = User.objects.filter(to_off_board()).count()
    running = OffBoarding.objects.filter(state__in=["queued", "running"]).count()
    hint, (unread, _) = f"{running} in progress" if running else "", _unread_accounts()
    tokens = ("Tokens that end or are refused", ends, f"{here}?state=token-ends", "warning")
    return [
        _card(*tokens, unread),
        _card("Off-boarding due", leaving, f"{here}?state=to-off-board", "error", hint),
    ]


def _work_cards() -> list[Card]:
    status = worker_status()
    waiting = sum(kind.count for kind in status.waiting)
    return [
        _failures("Exports failed", Action.EXPORT_FAILED),
        _failures("Prepared exports failed", Action.EXPORT_PREPARE_FAILED),
        _card(
            "Messages undelivered",
            outbox.undelivered().count(),
            f"{reverse('keys:reminders')}#undelivered-title",
            "warning",
        ),
        Card(
            "Worker",
            "Asleep" if status.is_asleep else "Awake",
            "",
            "error" if status.is_asleep else "ok",
            f"{waiting:,} waiting" if waiting else "Nothing waits",
        ),
    ]


def _failures(words: str, action: Action) -> Card:
    """The recent entries of an action; the audit has the same ones below the card's link."""
    since = (timezone.localtime() - FAILURES_COUNTED_FOR).replace(second=0, microsecond=0)
    count = AuditEntry.objects.filter(action=action, at__gte=since).count()
    query = urlencode({"action": action, "from": f"{since:%Y-%m-%dT%H:%M}"})
    return _card(words, count, f"{reverse('keys:audit')}?{query}", "warning", "within 7 days")


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
    hint = f"verified {exact_moment(last.at)}"
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
    """Keep today's sums, once an account was read today; the last ones of a day count.

    An account that could not be read today counts with its last figures. An account that two
    members have connected counts twice: Estuary gives accounts no number.
    """
    day, connected = today(), StoredToken.objects.values("member")
    accounts = SyncedAccount.objects.filter(member__in=connected)
    if not StatsSample.objects.filter(account__in=accounts, day=day).exists():
        return
    sums = accounts.aggregate(
        size=Sum("total_size"), pins=Sum("pin_count"), read=Count("total_size")
    )
    works = Q(is_session=False, expiry__gt=timezone.now())
    facts = {
        "total_size": sums["size"] or 0,
        "pin_count": sums["pins"] or 0,
        "missing_accounts": max(0, connected.count() - sums["read"]),
        "members": User.objects.filter(is_active=True).count(),
        "keys": SeenKey.objects.filter(works).count(),
    }
    # Not written when it is the same: SQLite has one write lock.
    if not TeamSample.objects.filter(day=day, **facts).exists():
        TeamSample.objects.update_or_create(day=day, defaults=facts)
