"""Which keys of an account the policy, a missing purpose or their origin makes worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from keys.api_keys.query import Status
from keys.api_keys.rows import Facts, facts_of
from keys.policy.load import current_policy
from keys.policy.rules import Finding, Policy, findings_of
from keys.upstream import ApiKey

#: Above this, a page names the findings without counts: a look at 10,000 keys takes 50 ms.
MAX_KEYS_EXAMINED = 400
HASHES_PER_QUERY = 400
FINDINGS = {
    Status.OVER_POLICY: Finding.OVER_POLICY,
    Status.NO_PURPOSE: Finding.NO_PURPOSE,
    Status.NOT_MADE_HERE: Finding.NOT_MADE_HERE,
}


def with_findings(
    keys: Sequence[ApiKey], node_now: datetime, facts: Facts | None, *, is_admin: bool
) -> dict[Status, list[ApiKey]]:
    """The keys with each finding, in the given order; `facts` are those of all of them."""
    facts = facts or _facts_of_many(keys)
    policy = current_policy()
    found: dict[Status, list[ApiKey]] = {status: [] for status in FINDINGS}
    for key in keys:
        record, note = facts.records.get(key.token_hash), facts.notes.get(key.token_hash)
        of_key = findings_of(
            policy,
            key,
            node_now,
            purpose=note.purpose if note else "",
            permission=record.permission if record else "",
            is_made_here=record is not None,
            is_admin=is_admin,
        )
        for status, finding in FINDINGS.items():
            if finding in of_key:
                found[status].append(key)
    return found


def has_policy() -> bool:
    """Whether there is a rule that a key could be over."""
    return current_policy() != Policy()


def _facts_of_many(keys: Sequence[ApiKey]) -> Facts:
    """In several queries: databases limit the parameters of one."""
    facts = Facts({}, {})
    for start in range(0, len(keys), HASHES_PER_QUERY):
        part = facts_of([key.token_hash for key in keys[start : start + HASHES_PER_QUERY]])
        facts = Facts({**facts.records, **part.records}, {**facts.notes, **part.notes})
    return facts
