"""The query of the key list, as it is in the address bar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, date
from enum import StrEnum
from functools import cache
from urllib.parse import urlencode

from django.urls import reverse

ISO_DATE_LENGTH = len("2026-11-30")
HASH = r"[0-9A-Za-z_-]{43}"  # in addresses


class Status(StrEnum):
    """The values of `status` in addresses; also a key's own status."""

    ALL = "all"
    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    PERMANENT = "permanent"
    LEGACY = "legacy"
    SESSION = "session"
    OVER_POLICY = "over-policy"
    NO_PURPOSE = "no-purpose"
    NOT_MADE_HERE = "not-made-here"


class Sort(StrEnum):
    """The values of `sort` in addresses."""

    NEXT = ""  # what ends next, in groups
    LABEL = "label"
    LABEL_DOWN = "-label"
    EXPIRY = "expiry"
    EXPIRY_DOWN = "-expiry"


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """Search text, status, week, sort and page; unknown values fall back to the defaults.

    `week` is the first day, as `2026-11-30`, of seven in which keys end; "" for all.
    """

    q: str = ""
    status: Status = Status.ALL
    sort: Sort = Sort.NEXT
    page: int = 1
    week: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> KeyQuery:
        status, week, sort, page = (
            params.get(name, "") for name in ("status", "week", "sort", "page")
        )
        return cls(
            # PostgreSQL refuses a query that contains NUL.
            q=params.get("q", "").replace("\0", "").strip()[:200],
            status=Status(status) if status in set(Status) else Status.ALL,
            week=week if _is_date(week) else "",
            sort=Sort(sort) if sort in set(Sort) else Sort.NEXT,
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )

    def url(self, **changes: str | int) -> str:
        """The list's address with some values changed; a change leads back to the first page."""
        return _address(_unlike_plain({**self._answers(), "page": 1, **changes}))

    def fresh_url(self) -> str:
        """The address of the same list, fetched from Estuary again."""
        return _address(self.said() | {"fresh": "1"})

    def search_fields(self) -> list[tuple[str, str | int]]:
        """The values that the search form sends besides the text."""
        return [(name, value) for name, value in self.said().items() if name not in {"q", "page"}]

    def said(self) -> dict[str, str | int]:
        """The values that differ from the defaults."""
        return _unlike_plain(self._answers())

    def _answers(self) -> dict[str, str | int]:
        return {
            "q": self.q,
            "status": self.status,
            "week": self.week,
            "sort": self.sort,
            "page": self.page,
        }


def _is_date(text: str) -> bool:
    try:
        # The last week of the calendar has no end.
        return len(text) == ISO_DATE_LENGTH and date.fromisoformat(text).year < MAXYEAR
    except ValueError:
        return False


def new_hash_in(params: Mapping[str, str]) -> str:
    """The hash of a new key, which its page puts into the address of the list; or ""."""
    said = params.get("new", "")
    return said if re.fullmatch(HASH, said) else ""


PLAIN = KeyQuery()


def _unlike_plain(answers: dict[str, str | int]) -> dict[str, str | int]:
    return {name: value for name, value in answers.items() if value != getattr(PLAIN, name)}


def _address(parameters: dict[str, str | int]) -> str:
    return list_url() + (f"?{urlencode(parameters)}" if parameters else "")


@cache
def list_url() -> str:
    """The key list's address; a page with 40 rows needs it a hundred times."""
    return reverse("keys:key_list")
