"""The keys of all accounts as rows: written by the worker, read by the admins' pages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.contrib.auth.models import User
from django.utils import timezone

from estuary_admin.members import is_admin as has_admin_role
from estuary_admin.unicode_text import comparable
from keys.api_keys.key_lists import Snapshot
from keys.api_keys.rows import Record
from keys.models import KeyCreation, SeenKey, SyncedAccount
from keys.models.inventory import MAX_LABEL
from keys.policy.load import current_policy
from keys.policy.rules import Policy
from keys.upstream import PERMANENT_FROM, ApiKey

HASHES_PER_QUERY = 500
ROWS_PER_WRITE = 500
#: The columns that a look can change.
CHANGING = (
    *("owner", "label", "label_sort", "search_text", "permission", "is_made_here", "expiry"),
    *("is_session", "is_legacy", "breaks_policy", "too_long_until"),
)


def hash_of_list(member: User, listed: Snapshot) -> str:
    """A hash of all that the rows are made from, independent of the order of the list."""
    parts = (
        sorted(msgspec.msgpack.encode(key) for key in listed.keys),
        (listed.unreadable, listed.list_version, member.get_username()),
        (has_admin_role(member), repr(current_policy())),
    )
    return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()


def write_rows(account: SyncedAccount, listed: Snapshot, *, is_admin: bool) -> None:
    """Update the rows to match the list; a missing key keeps its row while the list is in doubt."""
    known = {row.token_hash: row for row in SeenKey.objects.filter(account=account)}
    records = _records([key.token_hash for key in listed.keys])
    node_now = listed.node_now(timezone.now())
    owner, policy = account.member.get_username(), current_policy()
    new, changed = [], []
    for key in listed.keys:
        facts = _facts(key, records.get(key.token_hash), owner)
        facts |= _policy_facts(policy, key, facts["permission"], node_now, is_admin=is_admin)
        row = known.pop(key.token_hash, None)
        if row is None:
            new.append(SeenKey(account=account, token_hash=key.token_hash, **facts))
        elif any(getattr(row, name) != value for name, value in facts.items()):
            for name, value in facts.items():
                setattr(row, name, value)
            changed.append(row)
    SeenKey.objects.bulk_create(new, ROWS_PER_WRITE)
    SeenKey.objects.bulk_update(changed, CHANGING, ROWS_PER_WRITE)
    if not listed.unreadable:
        for part in in_parts([row.pk for row in known.values()]):
            SeenKey.objects.filter(pk__in=part).delete()


def row_of(account: SyncedAccount, listed: Snapshot, key: ApiKey) -> SeenKey:
    """A row, not saved, of a key that the worker has not seen yet."""
    record = _records([key.token_hash]).get(key.token_hash)
    facts = _facts(key, record, account.member.get_username())
    account.clock_ahead = listed.clock_shift
    return SeenKey(account=account, token_hash=key.token_hash, **facts)


def _facts(key: ApiKey, record: Record | None, owner: str) -> dict[str, Any]:
    # PostgreSQL keeps no NUL, and some labels at Estuary have one.
    label = (key.label or (record.label if record else "")).replace("\0", "")[:MAX_LABEL]
    return {
        "owner": owner,
        "label": label,
        "label_sort": comparable(label)[:100],
        "search_text": comparable(f"{label}\n{owner}"),
        "permission": record.permission if record else "",
        "is_made_here": record is not None,
        "expiry": key.expiry,
        "is_session": key.is_session,
        "is_legacy": key.is_legacy,
    }


def _policy_facts(
    policy: Policy, key: ApiKey, permission: str, node_now: datetime, *, is_admin: bool
) -> dict[str, Any]:
    """Whether a key breaks the policy, and until when the time that is left breaks it."""
    breaks = bool(permission and permission not in policy.permissions)
    breaks = breaks or not policy.allows_label(key.label)
    is_permanent = key.is_permanent_at(node_now)
    left = None if is_permanent else key.expiry - node_now
    until = None
    if not policy.allows_lifetime(left, is_admin=is_admin):
        until = key.expiry - (policy.longest_lifetime or PERMANENT_FROM)
    return {"breaks_policy": breaks, "too_long_until": until}


def key_of(row: SeenKey) -> ApiKey:
    """A row as a key of Estuary's list; `needs_token` is not kept."""
    return ApiKey(row.token_hash, row.label, row.expiry, row.is_session, row.is_legacy)


def _records(token_hashes: list[str]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for part in in_parts(token_hashes):
        rows = KeyCreation.objects.filter(token_hash__in=part)
        found |= {row[0]: Record(*row) for row in rows.values_list(*Record._fields)}
    return found


def in_parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The values in parts that one query takes."""
    for start in range(0, len(values), HASHES_PER_QUERY):
        yield values[start : start + HASHES_PER_QUERY]
