"""What we recorded ourselves of the keys that Estuary lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.contrib.auth.models import User

from estuary_admin.storage.prepared_queries import PreparedQuery
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


def is_new(member: User, token_hash: str, now: datetime) -> bool:
    """Whether the member has created the key with this hash here within the hour before `now`."""
    created = KeyCreation.objects.filter(member=member, token_hash=token_hash)
    return created.filter(requested_at__gt=now - NEW_FOR).exists()


@lru_cache(maxsize=64)  # a page has at most 40 rows
def _recorded(count: int) -> PreparedQuery[KeyCreation]:
    """Our records of so many keys."""
    found = KeyCreation.objects.filter(token_hash__in=[str(number) for number in range(count)])
    return PreparedQuery(found.values_list(*Record._fields))
