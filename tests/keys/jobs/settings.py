"""The production settings with a worker that notices quickly what changes around it."""

from __future__ import annotations

import os

from estuary_admin.settings import *  # noqa: F403

#: Workers declare another one dead that is silent for seven times as long, on a busy machine too.
WORKER_BEAT_SECONDS = float(os.environ["WORKER_BEAT_SECONDS"])
WORKER_PERIOD_SECONDS = 1
