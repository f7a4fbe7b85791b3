"""The plan, the dry run and the report of an off-boarding."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from estuary_admin.security import member_sessions
from keys.actors import Actor
from keys.api_keys import key_lists
from keys.api_keys.rows import name_of
from keys.exports import leases, prepared
from keys.models import (
    OffBoarding,
    PreparedExport,
    Reminders,
    Rotation,
    SeenKey,
    StoredToken,
    SyncedAccount,
)
from keys.token.stored_tokens import NotConnected, of_member

KEYS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """The keys, sessions and exports of a member; keys as the worker last saw them."""

    keys: list[SeenKey]
    key_count: int
    as_of: datetime | None
    is_connected: bool
    own_hash: str
    sessions: int
    rotations: int
    exports: int
    has_feed: bool
    has_webhook: bool
    shared_with: list[str]  # connected members whose account lists some of these keys

    @property
    def is_unread(self) -> bool:
        """Whether there may be keys that the worker has never seen."""
        return self.is_connected and self.as_of is None

    @property
    def hashes(self) -> list[str]:
        return [key.token_hash for key in self.keys]


@dataclass(frozen=True, slots=True)
class DryRun:
    """The keys that Estuary lists now, by what would be done with them."""

    revoked: list[str]
    kept: list[str]
    unreadable: int


def plan_of(member: User) -> Plan:
    """Collect what an off-boarding would end, from the database alone."""
    stored = StoredToken.objects.filter(member=member).first()
    seen = SeenKey.objects.filter(account__member=member, is_session=False)
    keys = list(seen.filter(expiry__gt=timezone.now()).order_by("expiry", "pk"))
    account = SyncedAccount.objects.filter(member=member).first()
    row = Reminders.objects.filter(member=member).first() or Reminders()
    open_states = [Rotation.State.REQUESTED, Rotation.State.OVERLAP]
    exports = prepared.of_member(member).filter(state__in=PreparedExport.UNFINISHED).count()
    return Plan(
        keys=keys[:KEYS_SHOWN],
        key_count=len(keys),
        as_of=account.as_of if account else None,
        is_connected=stored is not None,
        own_hash=stored.token_hash if stored else "",
        sessions=member_sessions.count_living(member),
        rotations=Rotation.objects.filter(member=member, state__in=open_states).count(),
        exports=exports + leases.stoppable_by(member).count(),
        has_feed=row.feed_hash is not None,
        has_webhook=bool(row.webhook_url),
        shared_with=_sharers(member),
    )


def _sharers(member: User) -> list[str]:
    hashes = SeenKey.objects.filter(account__member=member).values("token_hash")
    others = SeenKey.objects.filter(token_hash__in=hashes).exclude(account__member=member)
    connected = others.filter(account__member__stored_token__isnull=False)
    return sorted(set(connected.values_list("owner", flat=True)))


def dry_run(actor: Actor, member: User, keep: list[str]) -> DryRun:
    """Ask Estuary what there is, and change nothing; raises UpstreamError and SealBroken."""
    try:
        stored = of_member(member)
    except NotConnected:
        return DryRun([], [], 0)
    acting = actor.for_member(member, "")
    listed = key_lists.current_list(stored, acting, reuse=False)
    names = {key.token_hash: name_of(key, key.token_hash) for key in listed.keys}
    return DryRun(
        [name for token_hash, name in names.items() if token_hash not in keep],
        [name for token_hash, name in names.items() if token_hash in keep],
        listed.unreadable,
    )


def latest_of(member: User) -> OffBoarding | None:
    """The member's newest off-boarding, open or ended; None without one."""
    return OffBoarding.objects.filter(member=member).order_by("-pk").first()


def report_of(row: OffBoarding) -> dict[str, Any]:
    """The report as data; no token is in it."""
    return {
        "off_boarding": str(row.number),
        "member": row.member_name,
        "started_by": row.started_by_name,
        "reason": row.reason,
        "started_at": row.started_at.isoformat(timespec="seconds"),
        "ended_at": row.ended_at.isoformat(timespec="seconds") if row.ended_at else "",
        "state": row.state,
        "all_confirmed": row.state == OffBoarding.State.DONE,
        "list_was_read": row.is_list_settled,
        "sessions_ended": row.sessions_ended,
        "handed_over_to": row.successor_name,
        "keys": [
            {"token_hash": key.token_hash, "label": key.label, "outcome": key.outcome}
            for key in row.keys.order_by("pk")
        ],
        "audit_head": row.audit_head,
    }
