"""Python loads this module first in each process that `tests.at_date` starts."""

from __future__ import annotations

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex, /) -> None:
    select.select([], [], [], float(seconds))


# libfaketime 0.9.10 lets time.sleep fail (EINVAL) when the monotonic clock is the real one.
time.sleep = sleep
