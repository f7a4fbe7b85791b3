"""Keeping the machine's cores awake, so that a virtual machine does not measure its own sleep.

A core without work is given back to the host, and waking it takes up to 3 ms: more than a page
computes between two calls. A server under load has no such cores. The programs here run only when
nothing else wants to (Linux' `SCHED_IDLE`), so that they take nothing from what is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

SPIN = """
import os, sys
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
os.sched_setaffinity(0, [int(sys.argv[1])])
parent = int(sys.argv[2])
while os.getppid() == parent:
    for _ in range(10_000):
        pass
"""


@contextmanager
def cores_awake() -> Iterator[list[int]]:
    """Keep each core busy with a program of the lowest priority; gives their process ids."""
    with ExitStack() as stack:
        spinning = [
            stack.enter_context(
                subprocess.Popen([sys.executable, "-S", "-c", SPIN, str(core), str(os.getpid())])
            )
            for core in os.sched_getaffinity(0)
        ]
        for process in spinning:
            stack.callback(process.kill)
        yield [process.pid for process in spinning]
