"""What we recorded ourselves of the keys that Estuary lists."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from estuary_admin.prepared import Prepared
from keys.models import KeyCreation


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


@lru_cache(maxsize=64)  # a page has at most 40 rows
def _recorded(count: int) -> Prepared[KeyCreation]:
    """Our records of so many keys."""
    found = KeyCreation.objects.filter(token_hash__in=[str(number) for number in range(count)])
    return Prepared(found.values_list(*Record._fields))
