"""Limits how often one member may change something at Estuary.

Counted in the audit, which has a row for each change anyhow: exact, and the same for all machines.
"""

from __future__ import annotations

import math
from datetime import timedelta
from functools import cache

from django.conf import settings
from django.db import connection
from django.db.models import Min
from django.utils import timezone

from estuary_admin.storage.prepared_queries import PreparedQuery
from keys.actors import Actor
from keys.audit.vocabulary import Action
from keys.models import AuditEntry

WINDOW = timedelta(minutes=1)
#: Between machines. Rows from later are from before the clock was set back.
CLOCK_TOLERANCE = timedelta(seconds=5)


class TooOften(Exception):
    """A member did this as often as is allowed; `wait` seconds later it may be done again."""

    def __init__(self, times: int, wait: int) -> None:
        self.wait = wait
        unit = "second" if wait == 1 else "seconds"
        self.sentence = (
            f"You did this {times} times within a minute, and this console does it no more often "
            f"for one member. Try again in {wait} {unit}."
        )
        super().__init__(self.sentence)


def check(actor: Actor, action: Action) -> None:
    """Raise TooOften if the member did this too often in the last minute.

    Jobs are not throttled here: each paces its own work.
    """
    if actor.job:
        return
    now = timezone.now()
    moments = map(connection.ops.adapt_datetimefield_value, [now - WINDOW, now + CLOCK_TOLERANCE])
    rows = _first_rows().rows(str(action), actor.known_member.pk, *moments)
    times = sorted(first for (first,) in rows)
    if len(times) >= settings.MEMBER_CHANGES_PER_MINUTE:
        free_at = times[-settings.MEMBER_CHANGES_PER_MINUTE] + WINDOW
        wait = min(free_at - now, WINDOW)
        raise TooOften(len(times), max(1, math.ceil(wait.total_seconds())))


@cache
def _first_rows() -> PreparedQuery[AuditEntry]:
    """When each request wrote its first row: one that revokes many keys leaves many rows."""
    # One filter after another: a single one would sort its conditions.
    now = timezone.now()
    acts = AuditEntry.objects.filter(action="").filter(actor=0)
    requests = (
        acts.filter(at__gt=now)
        .filter(at__lte=now)
        .order_by()
        .values("request_id")
        .annotate(first=Min("at"))
    )
    return PreparedQuery(requests.values_list("first"))
