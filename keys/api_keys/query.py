"""The query of the key list, as it is in the address bar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from urllib.parse import urlencode

from django.urls import reverse

HASH = r"[0-9A-Za-z_-]{43}"  # in addresses


class Status(StrEnum):
    ALL = "all"
    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    PERMANENT = "permanent"
    LEGACY = "legacy"
    SESSION = "session"


class Sort(StrEnum):
    LABEL = "label"
    LABEL_DOWN = "-label"
    EXPIRY = "expiry"
    EXPIRY_DOWN = "-expiry"


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """Search text, status, sort and page; unknown values fall back to the defaults."""

    q: str = ""
    status: Status = Status.ALL
    sort: Sort = Sort.LABEL
    page: int = 1

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> KeyQuery:
        status, sort, page = (params.get(name, "") for name in ("status", "sort", "page"))
        return cls(
            # PostgreSQL refuses a query that contains NUL.
            q=params.get("q", "").replace("\0", "").strip()[:200],
            status=Status(status) if status in set(Status) else Status.ALL,
            sort=Sort(sort) if sort in set(Sort) else Sort.LABEL,
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )

    def url(self, **changes: str | int) -> str:
        """The list's address with some values changed; a change leads back to the first page."""
        return _address(_unlike_plain({**self._answers(), "page": 1, **changes}))

    def fresh_url(self) -> str:
        """The address of the same list, fetched from Estuary again."""
        said = self.said()
        return _address(said | {"fresh": "1"} if said else said)

    def said(self) -> dict[str, str | int]:
        """The values that differ from the defaults."""
        return _unlike_plain(self._answers())

    def _answers(self) -> dict[str, str | int]:
        return {"q": self.q, "status": self.status, "sort": self.sort, "page": self.page}


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
