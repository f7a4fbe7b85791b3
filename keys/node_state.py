"""The state of Estuary in `/readyz`, as this process last saw it; it is not asked."""

from __future__ import annotations

from django.utils import timezone

from keys.fetched import CLOCK_TOLERANCE
from keys.upstream import last_seen


def node_state() -> dict[str, object]:
    """The outcome of the last call, how long ago it was, and how the clocks compare."""
    seen = last_seen()
    if seen is None:
        return {"last_answer": "none yet"}
    state: dict[str, object] = {
        "last_answer": seen.outcome,
        "is_reachable": seen.is_reachable,
        "seconds_ago": max(0, round((timezone.now() - seen.at).total_seconds())),
    }
    if seen.clock:
        differs = abs(seen.clock.ahead) > CLOCK_TOLERANCE
        state["clock"] = "differs" if differs else "ok"
        state["clock_ahead_seconds"] = round(seen.clock.ahead.total_seconds())
    return state
