"""The production settings with a worker that notices quickly what changes around it."""

from __future__ import annotations

from estuary_admin.settings import *  # noqa: F403

WORKER_BEAT_SECONDS = 0.2
WORKER_PERIOD_SECONDS = 1
