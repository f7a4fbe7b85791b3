"""The requests of admins that a key be rotated: where they are shown, and what fulfils them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from django.db.models import F
from django.utils import timezone

from estuary_admin.storage.prepared_queries import PreparedQuery
from keys.jobs.workers import nobody_holds
from keys.models import RotationRequest

State = RotationRequest.State


def deadlines_of(token_hashes: Sequence[str]) -> dict[str, datetime]:
    """Until when the keys of one page are to be rotated, with one query; most have no request."""
    if not token_hashes:
        return {}
    found: dict[str, datetime] = {}
    rows = _deadlines_query(len(token_hashes)).rows(State.OPEN.value, *token_hashes)
    for token_hash, deadline in rows:
        found[token_hash] = min(deadline, found.get(token_hash, deadline))
    return found


@lru_cache(maxsize=64)  # a page has at most 40 rows
def _deadlines_query(count: int) -> PreparedQuery[RotationRequest]:
    hashes = [str(number) for number in range(count)]
    found = RotationRequest.objects.filter(state=State.OPEN).filter(token_hash__in=hashes)
    return PreparedQuery(found.values_list("token_hash", "deadline"))


def open_request_for(token_hash: str) -> RotationRequest | None:
    """The request for this key that is due first: two members may have connected one account."""
    found = RotationRequest.objects.filter(token_hash=token_hash, state=State.OPEN)
    return found.order_by("deadline").first()


def fulfil(token_hash: str) -> None:
    """A key was rotated; a worker that is about to revoke it finds its claim outdated."""
    if not deadlines_of([token_hash]):  # most keys have no request, and the member is waiting
        return
    found = RotationRequest.objects.filter(token_hash=token_hash, state=State.OPEN)
    found.update(
        state=State.FULFILLED, ended_at=timezone.now(), due_at=None, claims=F("claims") + 1
    )


def keys_ended(token_hashes: Sequence[str]) -> None:
    """Keys were revoked, or are gone; the worker concludes the request that it works on itself."""
    found = RotationRequest.objects.filter(token_hash__in=token_hashes, state=State.OPEN)
    found = found.filter(nobody_holds("claimed_by"))
    found.update(state=State.ENDED, ended_at=timezone.now(), due_at=None, trouble="")
