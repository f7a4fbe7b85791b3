"""The cores are kept awake by programs that take nothing from what is measured."""

from __future__ import annotations

import os

import pytest

from bench.awake import cores_awake
from tests.support.processes import wait_until


def test_every_core_has_a_program_that_gives_way_to_all_others() -> None:
    with cores_awake() as spinning:
        wait_until(lambda: all(os.sched_getscheduler(pid) == os.SCHED_IDLE for pid in spinning))
        wait_until(lambda: all(len(os.sched_getaffinity(pid)) == 1 for pid in spinning))

        cores = set().union(*map(os.sched_getaffinity, spinning))
        assert cores == os.sched_getaffinity(0)

    for pid in spinning:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
