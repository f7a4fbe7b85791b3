"""The members of the team as the admins' list shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Value
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone

from estuary_admin.members import ADMINS
from estuary_admin.sso.models import Identity
from estuary_admin.storage.prepared_queries import PreparedQuery
from keys.models import SeenKey, StoredToken, SyncedAccount
from keys.team.query import (
    ENDS_SOON,
    TeamQuery,
    has_purpose,
    number,
    over_policy,
    rotation_overdue,
)
from keys.upstream import PERMANENT_FROM

#: Routes below `/team/` that a member's name would hide, and what browsers take out of an address.
RESERVED = {"invite", "keys", "refresh", ".", ".."}
NUMBER_PREFIX = "id:"  # a name from single sign-on may begin so too
FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


@dataclass(frozen=True, slots=True)
class Counts:
    """A member's keys, without session keys."""

    working: int = 0
    soon: int = 0
    endless: int = 0
    ended: int = 0
    plain: int = 0
    over_policy: int = 0
    no_purpose: int = 0
    rotation_overdue: int = 0

    @property
    def words(self) -> list[str]:
        """The counts besides that of working keys, in words."""
        return _counted(
            (self.soon, f"end{pluralize(self.soon, 's,')} soon"),
            (self.endless, "no expiry"),
            (self.plain, "plain text"),
            (self.ended, "ended"),
        )

    @property
    def finding_words(self) -> list[str]:
        return _counted(
            (self.over_policy, "over policy"),
            (self.no_purpose, "without purpose"),
            (self.rotation_overdue, "to rotate, overdue"),
        )


def _counted(*counts: tuple[int, str]) -> list[str]:
    return [f"{count:,} {words}" for count, words in counts if count]


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member with what the worker last saw of the account."""

    member: User
    account: SyncedAccount | None
    counts: Counts
    is_connected: bool
    is_admin: bool
    has_factor: bool
    has_local_password: bool
    must_off_board: bool

    @property
    def url(self) -> str:
        return reverse("keys:team_member", args=[address_of(self.member)])

    @property
    def is_seen(self) -> bool:
        """Whether the worker has read this account's list, so that its counts say something."""
        return self.account is not None and self.account.as_of is not None

    @property
    def health(self) -> str:
        """The stored token in a few words."""
        if not self.is_connected:
            return "Not connected"
        if self.account is None or (self.account.as_of is None and not self.account.trouble):
            return "Not looked at yet"
        if self.account.is_refused:
            return "Token refused"
        return "Estuary in trouble" if self.account.trouble else "Connected"

    @property
    def has_trouble(self) -> bool:
        return self.health not in {"Connected", "Not connected", "Not looked at yet"}


def members_for(query: TeamQuery) -> QuerySet[User]:
    """All members that match a query."""
    said = query.filters
    members = User.objects.all()
    if text := said.get("q"):
        members = members.filter(Q(username__icontains=text) | Q(email__icontains=text))
    if role := said.get("role"):
        members = (
            members.filter(pk__in=admins()) if role == "admin" else members.exclude(pk__in=admins())
        )
    if state := said.get("state"):
        members = members.filter(_states()[state])
    return members


def _states() -> dict[str, Q]:
    """The condition of each state."""
    return {
        "connected": Q(stored_token__isnull=False),
        "unconnected": Q(stored_token__isnull=True, is_active=True),
        "trouble": Q(stored_token__isnull=False) & ~Q(synced_account__trouble=""),
        "token-ends": token_ends(timezone.now()),
        "disabled": Q(is_active=False),
        "to-off-board": to_off_board(),
    }


def to_off_board() -> Q:
    """Members who are disabled, or whom their groups no longer let in, and who still have access
    to an account at Estuary.
    """
    # One that waits for an admin may be a stranger's.
    linked = Identity.objects.filter(member=OuterRef("pk"), state=Identity.State.LINKED)
    left, admitted = (Exists(linked.filter(is_admitted=is_in)) for is_in in (False, True))
    connected = Exists(StoredToken.objects.filter(member=OuterRef("pk")))
    gone = Q(is_active=False) | (Q(left) & ~Q(admitted))
    return gone & Q(connected)


def token_ends(now: datetime) -> Q:
    """Members whose stored token ends within 14 days, has ended, or is refused by Estuary."""
    own = SeenKey.objects.filter(
        account__member=OuterRef("pk"),
        token_hash=OuterRef("stored_token__token_hash"),
        expiry__lte=now + ENDS_SOON,
    )
    return Q(stored_token__isnull=False) & (Q(synced_account__is_refused=True) | Q(Exists(own)))


def accounts_read_and_unread() -> tuple[int, int]:
    """How many connected accounts' keys the worker has read, and how many not yet."""
    connected = SyncedAccount.objects.filter(member__stored_token__isnull=False)
    read = connected.exclude(as_of=None).count()
    return read, max(0, StoredToken.objects.count() - read)


def admins() -> QuerySet[User, int]:
    """The primary keys of all admins, active or not."""
    return User.objects.filter(groups__name=ADMINS).values_list("pk", flat=True)


def counts_by_state() -> dict[str, int]:
    """How many members there are in each state."""
    found = {name: query.same_rows()[0][0] for name, query in _count_queries().items()}
    return found | {"token-ends": User.objects.filter(token_ends(timezone.now())).count()}


@cache
def _count_queries() -> dict[str, PreparedQuery[Any]]:
    """For all members, and for each state that does not depend on the time."""
    states = {"": Q()} | {name: one for name, one in _states().items() if name != "token-ends"}
    found: dict[str, PreparedQuery[Any]] = {}
    for name, state in states.items():
        # Grouped by a constant: one row, with a count of zero too.
        rows = User.objects.filter(state).order_by().annotate(everything=Value(1))
        counted = rows.values("everything").annotate(count=Count("pk"))
        found[name] = PreparedQuery(counted.values_list("count"))
    return found


def rows_of(members: Iterable[User]) -> list[MemberRow]:
    """The members of one page, with one query for each kind of fact."""
    members = list(members)
    numbers = [member.pk for member in members]
    accounts = {row.member_id: row for row in SyncedAccount.objects.filter(member__in=numbers)}
    connected = set(
        StoredToken.objects.filter(member__in=numbers).values_list("member_id", flat=True)
    )
    admin_numbers = set(admins().filter(pk__in=numbers))
    secured = set(
        Authenticator.objects.filter(user__in=numbers, type__in=FACTORS).values_list(
            "user_id", flat=True
        )
    )
    leaving = set(User.objects.filter(to_off_board(), pk__in=numbers).values_list("pk", flat=True))
    counts = counts_of(numbers, timezone.now())
    return [
        MemberRow(
            member=member,
            account=accounts.get(member.pk),
            counts=counts.get(member.pk, Counts()),
            is_connected=member.pk in connected,
            is_admin=member.pk in admin_numbers,
            has_factor=member.pk in secured,
            has_local_password=member.has_usable_password(),
            must_off_board=member.pk in leaving,
        )
        for member in members
    ]


def counts_of(numbers: list[int], now: datetime) -> dict[int, Counts]:
    """The counts of these members' keys, by one query."""
    keys = SeenKey.objects.filter(account__member__in=numbers, is_session=False)
    works = Q(expiry__gt=now)
    conditions: tuple[Q, ...] = (
        works,
        works & Q(expiry__lte=now + ENDS_SOON),
        Q(expiry__gt=now + PERMANENT_FROM),
        ~works,
        Q(is_legacy=True),
        works & over_policy(now),
        works & Q(~has_purpose()),
        works & Q(rotation_overdue(now)),
    )
    sums = {f"count_{place}": Count("pk", filter=one) for place, one in enumerate(conditions)}
    found = keys.values("account__member").annotate(**sums)
    rows = found.values_list("account__member", *sums)
    return {number: Counts(*rest) for number, *rest in rows}


def address_of(member: User) -> str:
    """A member in an address: the name, or the number where a name would lead elsewhere."""
    return address_for(member.pk, member.get_username())


def address_for(pk: int, name: str) -> str:
    """The text for a member in an address; see `address_of`."""
    leads_elsewhere = name in RESERVED or "/" in name or name.startswith(NUMBER_PREFIX)
    return f"{NUMBER_PREFIX}{pk}" if leads_elsewhere else name


def member_at(text: str) -> User | None:
    """The member whom a text in an address names, or None."""
    if text.startswith(NUMBER_PREFIX):
        return User.objects.filter(pk=number(text.removeprefix(NUMBER_PREFIX)) or 0).first()
    if "\0" in text:  # PostgreSQL refuses the query
        return None
    return User.objects.filter(username=text).first()
