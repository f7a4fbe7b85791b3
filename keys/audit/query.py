"""A member's query of the audit, read from the address."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from keys.audit.vocabulary import Outcome
from keys.models import AuditEntry
from keys.pasted_tokens import token_in
from keys.token_hashes import begins_with

FILTERS = ("actor", "member", "action", "outcome", "key", "from", "to")
MAX_FILTER_LENGTH = 150  # characters, as long as a user name
KEY = re.compile(r"[0-9A-Za-z_-]{1,43}")


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Filters and the row that the page begins after; `mistakes` are sentences by field."""

    filters: dict[str, str]
    after: int | None
    since: datetime | None
    until: datetime | None
    mistakes: dict[str, str]

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> AuditQuery:
        """Read the parameters of an address; wrong values become `mistakes`."""
        filters = {name: params.get(name, "").strip()[:MAX_FILTER_LENGTH] for name in FILTERS}
        filters = {name: text.replace("\0", "") for name, text in filters.items() if text}
        for name in filters.keys() & {"actor", "member"}:
            # The form that Django gives every user name.
            filters[name] = unicodedata.normalize("NFKC", filters[name])
        after = params.get("after", "")
        mistakes = _mistakes(filters)
        return cls(
            filters=filters,
            after=int(after) if re.fullmatch(r"[0-9]{1,18}", after) else None,
            since=_moment(filters.get("from", ""), end=False),
            until=_moment(filters.get("to", ""), end=True),
            mistakes=mistakes,
        )

    @property
    def pasted_token(self) -> str:
        """The whole token in a filter; "" without one."""
        return token_in(self.filters.values())

    def rows_for(self, member: User, *, sees_all: bool) -> QuerySet[AuditEntry]:
        """All rows that match, newest first: everybody's for an admin, else the member's own."""
        rows = AuditEntry.objects.order_by("-pk")
        if not sees_all:
            rows = rows.filter(Q(actor=member) | Q(on_behalf_of=member))
        if self.mistakes:
            return rows.none()
        return rows.filter(self._conditions())

    def page_for(self, member: User, *, sees_all: bool, size: int) -> list[AuditEntry]:
        """One row more than a page takes, so that the caller knows whether there is a next one."""
        rows = self.rows_for(member, sees_all=sees_all)
        if self.after is not None:
            rows = rows.filter(pk__lt=self.after)
        return list(rows[: size + 1])

    def address(self, url: str, **changes: int | None) -> str:
        """`url` with these filters; `after` is left out unless it is named."""
        after = {name: value for name, value in changes.items() if value is not None}
        query = urlencode({**self.filters, **after})
        return f"{url}?{query}" if query else url

    def _conditions(self) -> Q:
        wanted = Q()
        for name, text in self.filters.items():
            if name == "actor":
                wanted &= Q(actor_name__iexact=text) | Q(job__iexact=text)
            elif name == "member":
                wanted &= Q(on_behalf_of_name__iexact=text) | Q(actor_name__iexact=text)
            elif name == "key":
                wanted &= begins_with(text)
            elif name in {"action", "outcome"}:
                wanted &= Q(**{name: text})
        if self.since:
            wanted &= Q(at__gte=self.since)
        if self.until:
            wanted &= Q(at__lt=self.until)
        return wanted


def _mistakes(filters: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("from", "to"):
        if name in filters and _moment(filters[name], end=False) is None:
            found[name] = "Give a date such as 2026-11-28, or a moment such as 2026-11-28T18:30."
    if "key" in filters and not KEY.fullmatch(filters["key"]):
        found["key"] = "Give a fingerprint or a whole token hash: letters, digits, - and _."
    if "outcome" in filters and filters["outcome"] not in Outcome.values:
        found["outcome"] = "Choose one of the outcomes in the list."
    return found


def _moment(text: str, *, end: bool) -> datetime | None:
    """A moment in the member's zone; a date is its first moment, as `end` the next day's."""
    try:
        if day := parse_date(text):
            day += timedelta(days=1 if end else 0)
            moment: datetime | None = datetime.combine(day, time.min)
        else:
            moment = parse_datetime(text)
        if moment is None:
            return None
        moment = moment if moment.tzinfo else timezone.make_aware(moment)
        return moment.astimezone(UTC)  # the database stores UTC, which has no year 0 or 10000
    except (ValueError, OverflowError):  # a day that no calendar has
        return None
