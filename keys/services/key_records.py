"""What we recorded ourselves of the keys that Estuary lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from estuary_admin.prepared import Prepared
from keys.models import KeyCreation

NEW_FOR = timedelta(hours=1)


class Record(NamedTuple):
    """What a row shows of our own record."""

    token_hash: str
    label: str
    permission: str


def records_of(token_hashes: Sequence[str]) -> dict[str, Record]:
    """Our records of the keys with these hashes; of a key not created here there is none."""
    if not token_hashes:
        return {}
    found = map(Record._make, _recorded(len(token_hashes)).rows(*token_hashes))
    return {record.token_hash: record for record in found}


def is_new(token_hash: str, now: datetime) -> bool:
    """Whether a key that Estuary lists was created here a moment ago."""
    since = now - NEW_FOR
    return KeyCreation.objects.filter(token_hash=token_hash, requested_at__gt=since).exists()


@lru_cache(maxsize=64)  # a page has at most 40 rows
def _recorded(count: int) -> Prepared[KeyCreation]:
    """Our records of so many keys."""
    found = KeyCreation.objects.filter(token_hash__in=[str(number) for number in range(count)])
    return Prepared(found.values_list(*Record._fields))
