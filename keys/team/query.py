"""An admin's query of the team's keys and members, read from the address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from estuary_admin.unicode_text import comparable
from keys.api_keys.query import Status
from keys.models import KeyNote, RotationRequest, SeenKey
from keys.pasted_tokens import token_in
from keys.policy.rules import Finding
from keys.token_hashes import begins_with
from keys.upstream import PERMANENT_FROM

MAX_FILTER_LENGTH = 200
MAX_QUERY_LENGTH = 8000  # of an address
ENDS_SOON = timedelta(days=14)  # as the overview counts
#: What a table of keys shows, with the accounts and the members.
SHOWN = (
    *("token_hash", "owner", "label", "permission", "is_made_here", "expiry", "is_session"),
    *("is_legacy", "breaks_policy", "too_long_until", "account__as_of", "account__clock_ahead"),
    *("account__member__username", "account__member__is_active"),
)
#: The values of each filter of the table of keys, with their words; the first is “all”.
KEY_CHOICES: dict[str, dict[str, str]] = {
    "status": {
        "": "All",
        "working": "Working",
        "soon": "Ends within 14 days",
        Status.EXPIRED: "Ended",
        Status.PERMANENT: "No expiry",
        Status.LEGACY: "Plain text",
        Status.SESSION: "Session keys",
    },
    "permission": {"": "All", "upload": "Upload only", "all": "Full access", "unknown": "Unknown"},
    "origin": {"": "All", "here": "Made here", "elsewhere": "Made elsewhere"},
    "finding": {
        "": "All",
        "any": "Any finding",
        Finding.OVER_POLICY: "Over policy",
        Finding.NO_PURPOSE: "No purpose",
        "owner-gone": "Owner disabled",
        "rotation-overdue": "Rotation overdue",
    },
}
SORTS = {"expiry": "expiry", "label": "label_sort", "owner": "owner"}


@dataclass(frozen=True, slots=True)
class TeamKeysQuery:
    """Filters, order, and the number of the row that the page begins after."""

    filters: dict[str, str] = field(default_factory=dict)
    sort: str = "expiry"
    after: int | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> TeamKeysQuery:
        """Unknown values fall back to “all”."""
        filters = {name: clean(params.get(name, "")) for name in ("q", "owner")}
        for name, choices in KEY_CHOICES.items():
            if (value := params.get(name, "")) in choices:
                filters[name] = value
        sort = params.get("sort", "")
        return cls(
            {name: value for name, value in filters.items() if value},
            sort if sort.removeprefix("-") in SORTS else "expiry",
            number(params.get("after", "")),
        )

    @classmethod
    def from_query(cls, text: str) -> TeamKeysQuery:
        """From the query of an address; the row that a page begins after is left out."""
        return cls.from_params(dict(parse_qsl(text[:MAX_QUERY_LENGTH])) | {"after": ""})

    @property
    def pasted_token(self) -> str:
        """The whole token in a filter; "" without one."""
        return token_in(self.filters.values())

    def rows(self, now: datetime) -> QuerySet[SeenKey]:
        """All keys that match, in order; session keys only when they are asked for."""
        found = SeenKey.objects.filter(self._conditions(now))
        if self.filters.get("finding"):
            found = with_findings(found, self.filters["finding"], now)
        if text := self.filters.get("q", ""):
            found = found.filter(_matches(text))
        down, column = self.sort.startswith("-"), SORTS[self.sort.removeprefix("-")]
        return found.order_by(f"-{column}" if down else column, "-pk" if down else "pk")

    @property
    def is_lost(self) -> bool:
        """Whether the row that the page begins after is gone, with its place in the order."""
        return self.after is not None and not SeenKey.objects.filter(pk=self.after).exists()

    def page(self, now: datetime, size: int) -> list[SeenKey]:
        """One row more than a page takes, so that the caller knows whether there is a next one."""
        rows, column = self.rows(now), SORTS[self.sort.removeprefix("-")]
        last = SeenKey.objects.filter(pk=self.after).first() if self.after else None
        if last:
            rows = rows.filter(behind(last, column, down=self.sort.startswith("-")))
        return list(rows.select_related("account__member").only(*SHOWN)[: size + 1])

    def text(self, **changes: str | int) -> str:
        """The query of an address with these filters; `after` is left out unless it is named."""
        sort = {} if self.sort == "expiry" else {"sort": self.sort}
        said = self.filters | sort | changes
        return urlencode({name: value for name, value in said.items() if value})

    def _conditions(self, now: datetime) -> Q:
        said = self.filters
        wanted = _status(said.get("status", ""), now)
        if "owner" in said:
            wanted &= Q(owner=said["owner"])
        if "permission" in said:
            permission = said["permission"]
            wanted &= Q(permission="" if permission == "unknown" else permission)
        if "origin" in said:
            wanted &= Q(is_made_here=said["origin"] == "here")
        return wanted


def behind(last: Any, column: str, *, down: bool) -> Q:
    """The rows after `last` in the order of a column and the primary key."""
    value, way = getattr(last, column), "lt" if down else "gt"
    # The first condition alone lets the database use the index.
    edge = Q(**{f"{column}__{way}e": value})
    return edge & (Q(**{f"{column}__{way}": value}) | Q(**{f"pk__{way}": last.pk}))


def _status(status: str, now: datetime) -> Q:
    if status == Status.SESSION:
        return Q(is_session=True)
    conditions = {
        "": Q(),
        "working": Q(expiry__gt=now),
        "soon": Q(expiry__gt=now, expiry__lte=now + ENDS_SOON),
        Status.EXPIRED: Q(expiry__lte=now),
        Status.PERMANENT: Q(expiry__gt=now + PERMANENT_FROM),
        Status.LEGACY: Q(is_legacy=True),
    }
    return Q(is_session=False) & conditions[status]


def over_policy(now: datetime) -> Q:
    """The condition for keys that break the policy at the moment `now`."""
    return Q(breaks_policy=True) | Q(too_long_until__gt=now)


def has_purpose() -> Exists:
    """The condition for keys whose note names a purpose."""
    return Exists(KeyNote.objects.filter(token_hash=OuterRef("token_hash")).exclude(purpose=""))


def rotation_overdue(now: datetime) -> Exists:
    """Keys whose member was asked to rotate them by a moment that has passed."""
    asked = RotationRequest.objects.filter(
        state=RotationRequest.State.OPEN,
        deadline__lte=now,
        token_hash=OuterRef("token_hash"),
        member=OuterRef("account__member"),
    )
    return Exists(asked)


def with_findings(rows: QuerySet[SeenKey], finding: str, now: datetime) -> QuerySet[SeenKey]:
    """The keys with a finding; keys that have ended and session keys have none."""
    rows = rows.filter(is_session=False, expiry__gt=now)
    owner_gone = Q(account__member__is_active=False)
    if finding == Finding.OVER_POLICY:
        return rows.filter(over_policy(now))
    if finding == Finding.NO_PURPOSE:
        return rows.filter(~has_purpose())
    if finding == "owner-gone":
        return rows.filter(owner_gone)
    if finding == "rotation-overdue":
        return rows.filter(rotation_overdue(now))
    return rows.filter(over_policy(now) | owner_gone | ~has_purpose() | rotation_overdue(now))


def _matches(text: str) -> Q:
    wanted = comparable(text)
    noted = KeyNote.objects.filter(search_text__contains=wanted).values("token_hash")
    return Q(search_text__contains=wanted) | begins_with(text) | Q(token_hash__in=noted)


MEMBER_CHOICES: dict[str, dict[str, str]] = {
    "state": {
        "": "All",
        "connected": "Connected",
        "unconnected": "Not connected",
        "trouble": "With trouble",
        "token-ends": "Token ends",
        "to-off-board": "To off-board",
        "disabled": "Disabled",
    },
    "role": {"": "All", "admin": "Admins", "member": "Members"},
}


@dataclass(frozen=True, slots=True)
class TeamQuery:
    """Filters of the list of members, and the member that the page begins after."""

    filters: dict[str, str] = field(default_factory=dict)
    after: int | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> TeamQuery:
        filters = {"q": clean(params.get("q", ""))}
        for name, choices in MEMBER_CHOICES.items():
            if (value := params.get(name, "")) in choices:
                filters[name] = value
        return cls(
            {name: value for name, value in filters.items() if value},
            number(params.get("after", "")),
        )

    def text(self, **changes: str | int) -> str:
        said = self.filters | changes
        return urlencode({name: value for name, value in said.items() if value})

    def page(self, members: QuerySet[User], size: int) -> list[User]:
        """One member more than a page takes."""
        last = User.objects.filter(pk=self.after).first() if self.after else None
        if last:
            members = members.filter(behind(last, "username", down=False))
        return list(members.order_by("username", "pk")[: size + 1])


def clean(text: str) -> str:
    """A filter's text; PostgreSQL refuses a query that contains NUL."""
    return text.replace("\0", "").strip()[:MAX_FILTER_LENGTH]


def number(text: str) -> int | None:
    """A primary key from an address; None for any other text."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
